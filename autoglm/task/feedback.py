"""What is said of a finished model becomes changes of its task, each with its reason.

"It is too slow, and too many false alarms" speaks of the model as it is: how slow it was measured
to be, and how dear the threshold holds a miss. Changes are made from there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from autoglm.core.errors import SpecError
from autoglm.core.spec import Decision, TaskSpec
from autoglm.core.text import has_chinese, say, use_language
from autoglm.dataflow.profile import TableProfile
from autoglm.task import _limits, _measures, _roles
from autoglm.task._metric import fitting
from autoglm.task._phrases import group, phrases
from autoglm.task._reading import read
from autoglm.task._words import normal

#: What "too slow" or "too big" asks for where no figure is given.
FACTOR = 2.0
#: Bounds on what a miss may come to cost in false alarms.
LEAST_COST, MOST_COST = 1e-3, 1e3
_TIMES = re.compile(r"(\d+(?:\.\d+)?)\s*(?:x\b|×|times\b|倍)", re.IGNORECASE)
#: "five more minutes", and "five minutes more".
_MORE = re.compile(
    r"\b(?:more|extra|additional)\s+((?:seconds?|secs?|minutes?|mins?|hours?)\b)", re.IGNORECASE
)
_LATER = re.compile(r"\s*(?:more|longer|extra)\b", re.IGNORECASE)
_ACCEPTED = {"alarms": "misses", "misses": "alarms"}


@dataclass(frozen=True)
class Standing:
    """A finished model as complaints refer to it.

    Attributes
    ----------
    latency_ms, size_mb, memory_mb
        What it was measured to take; None where it was not.
    miss_cost
        What a miss costs in false alarms under its threshold, two classes; else None.
    seconds
        What its search had.
    """

    latency_ms: float | None = None
    size_mb: float | None = None
    memory_mb: float | None = None
    miss_cost: float | None = None
    seconds: float = 60.0


@dataclass(frozen=True)
class Change:
    """A field of the task that becomes another.

    Attributes
    ----------
    field
        Of `TaskSpec`.
    before, after
        Its values.
    reason
        Which words ask for it.
    """

    field: str
    before: Any
    after: Any
    reason: str

    def decision(self) -> Decision[Any]:
        """Return it as the task has it."""
        return Decision[Any](value=self.after, source="sentence", reason=self.reason)


@dataclass(frozen=True)
class Feedback:
    """What was understood.

    Attributes
    ----------
    changes
        At most one a field.
    seconds
        For the search that follows, where something was said of it; else None.
    notes
        What was understood and cannot be done.
    """

    changes: tuple[Change, ...]
    seconds: float | None = None
    notes: tuple[str, ...] = ()

    def applied(self, spec: TaskSpec) -> TaskSpec:
        """Return the task with the changes."""
        update = {change.field: change.decision() for change in self.changes}
        return TaskSpec.model_validate(spec.model_copy(update=update).model_dump())


def feedback(sentence: str, spec: TaskSpec, standing: Standing, profile: TableProfile) -> Feedback:
    """Understand what is said of a model.

    Parameters
    ----------
    sentence
        In Chinese or English.
    spec, standing
        The model's task, and what the model is like.
    profile
        The profile of the table.

    Raises
    ------
    SpecError
        When nothing in it can be acted on.
    """
    with use_language("zh" if has_chinese(sentence) else "en"):
        listener = _Listener(normal(sentence), spec, standing)
        listener.limits()
        listener.complaints()
        listener.metric()
        listener.columns(profile)
        changes, notes = tuple(listener.changes.values()), tuple(listener.notes)
        found = Feedback(changes, listener.seconds, notes)
        if not (found.changes or found.seconds or found.notes):
            raise SpecError(
                say(en="Nothing in this sentence could be turned into a change.",
                    zh="这句话没有可以执行的修改。"),
                hint=say(en='Say what is wrong, for example "too slow", "too many false alarms", '
                         '"without using age", "five more minutes".',
                         zh="请说明哪里不满意,例如“太慢了”“误报太多”“不要用年龄”“再跑五分钟”。"),
            )  # fmt: skip
        return found


class _Listener:
    """Goes through a sentence once; words that were understood are blanked."""

    def __init__(self, text: str, spec: TaskSpec, standing: Standing) -> None:
        self.whole = self.text = text
        self.spec, self.standing = spec, standing
        self.changes: dict[str, Change] = {}
        self.seconds: float | None = None
        self.notes: list[str] = []
        self.errors = ""

    def limits(self) -> None:
        """Take limits and times that are given as figures."""
        self.text, moved = _MORE.subn(r"\1", self.text)
        for found in list(_limits.durations(self.text)):
            before, after = self.text[: found.start], self.text[found.end :]
            if moved or phrases("more.before").search(before) or _LATER.match(after):
                self.seconds = (self.seconds or 0.0) + found.value
                self._blank(found.start, found.end)
        for limit in _limits.find(self.text):
            self._blank(limit.start, limit.end)
            if limit.field == "time_limit_s":
                self.seconds = limit.value
            else:
                self._change(limit.field, limit.value, limit.words)
        for amount in list(_limits.amounts(self.text)):
            for name, field in (("memory", "memory_mb"), ("smaller", "size_mb")):
                if phrases(f"complaint.{name}").search(self.text) and field not in self.changes:
                    words = self.text[amount.start : amount.end]
                    self._change(field, amount.value, words)
                    self._blank(amount.start, amount.end)
                    break

    def complaints(self) -> None:
        """Take what is too much or too little of something."""
        for name, pattern in group("accept"):
            for words in self._taken(pattern):
                self._complaint(_ACCEPTED[name], words)
        for name, pattern in group("complaint"):
            for words in self._taken(pattern):
                self._complaint(name, words)
        if _roles.interpretable(read(self.text)) is not None:
            self._complaint("readable", self.whole)

    def metric(self) -> None:
        """Take another metric, where one is named."""
        for name, (start, end) in _measures.named(self.text):
            fits = fitting(name, self.spec.task_type.value)
            if fits is not None and "metric" not in self.changes:
                self._change("metric", fits, self.text[start:end])

    def columns(self, profile: TableProfile) -> None:
        """Take columns that are not to be used any more, or that the answer must rise with."""
        reading, target = read(self.text), self.spec.target.value
        if self.spec.task_type.value != "multiclass":
            for field, said in _roles.directions(reading, profile, target).items():
                both = dict.fromkeys((*getattr(self.spec, field).value, *said.value))
                self._change(field, tuple(both), self.whole)
        fair = _roles.fair_to(reading, profile, target)
        if fair is not None:
            both = dict.fromkeys((*self.spec.fair_to.value, *fair.value))
            self._change("fair_to", tuple(both), self.whole)
        found = _roles.left_out(reading, profile, target)
        if found is None:
            return
        if not found.value:
            self.notes.append(found.reason)
            return
        both = dict.fromkeys((*self.spec.drop_columns.value, *found.value))
        self._change("drop_columns", tuple(both), ", ".join(found.value))

    def _complaint(self, name: str, words: str) -> None:
        spec, now = self.spec, self.standing
        if name in ("alarms", "misses"):
            self._errors(name, words)
        elif name == "better":
            self.seconds = self.seconds or FACTOR * now.seconds
        elif name == "sooner":
            self.seconds = self.seconds or now.seconds / FACTOR
        elif name == "readable":
            self._change("interpretable", True, words)
        elif name == "probabilities":
            if spec.task_type.value == "regression":
                self.notes.append(_no_classes())
            else:
                self._change("metric", "log_loss", words)
        else:
            field = {"quicker": "latency_ms", "smaller": "size_mb", "memory": "memory_mb"}[name]
            actual = getattr(now, field)
            if field in self.changes:
                return  # a figure was given
            if actual is None:
                self.notes.append(say(en=f"how much {field} the model takes was not measured",
                                      zh=f"尚未测量模型的 {field}"))  # fmt: skip
                return
            self._change(field, _rounded(actual / self._factor()), words)

    def _errors(self, name: str, words: str) -> None:
        """Make a miss dearer or cheaper beside a false alarm; the threshold follows."""
        if self.spec.task_type.value != "binary":
            self.notes.append(say(
                en=f'"{words}" needs two classes, one of which is looked for',
                zh=f"“{words}”只适用于二分类任务",
            ))  # fmt: skip
            return
        before, self.errors = self.errors, name
        if before == name:
            return
        if before:
            # Both kinds of errors are too many: the model has to become better.
            for field in ("metric", "false_negative_cost"):
                self.changes.pop(field, None)
            self.seconds = self.seconds or FACTOR * self.standing.seconds
            self.notes.append(say(
                en="fewer of both errors need a better model, not another threshold",
                zh="两类错误都要减少,需要更好的模型,而非调整阈值",
            ))  # fmt: skip
            return
        cost = self.standing.miss_cost or 1.0
        cost = cost * self._factor() if name == "misses" else cost / self._factor()
        self._change("metric", "cost", words)
        bounded = min(MOST_COST, max(LEAST_COST, cost))
        self._change("false_negative_cost", _rounded(bounded), words)

    def _factor(self) -> float:
        said = _TIMES.search(self.whole)
        return max(1.1, float(said[1])) if said else FACTOR

    def _change(self, field: str, value: Any, words: str) -> None:
        before = getattr(self.spec, field).value
        if before != value:
            why = say(en=f'you said "{words.strip()}"', zh=f"您说“{words.strip()}”")
            self.changes[field] = Change(field, before, value, why)

    def _taken(self, pattern: re.Pattern[str]) -> Iterator[str]:
        """Yield the first place of a pattern, if anywhere, and blank all its places."""
        found = pattern.search(self.text)
        if found is not None:
            self.text = pattern.sub(lambda m: " " * len(m.group()), self.text)
            yield found.group().strip()

    def _blank(self, start: int, end: int) -> None:
        self.text = self.text[:start] + " " * (end - start) + self.text[end:]


def _no_classes() -> str:
    return say(en="a regression has no probabilities", zh="回归任务没有概率")


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def table(changes: tuple[Change, ...]) -> str:
    """Return changes as lines for a person: field, before, after, why."""
    rows = [replace(c, before=_told(c.before), after=_told(c.after)) for c in changes]
    width = max((len(c.field) for c in rows), default=0)
    return "\n".join(f"{c.field:{width}}  {c.before} -> {c.after}   ({c.reason})" for c in rows)


def _told(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
