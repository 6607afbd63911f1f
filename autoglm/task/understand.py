"""A sentence and a table's profile become a task specification.

What the user gives by arguments always stands. What is left open is proposed by a parser;
without one, by the rules of this room, which need no network and no model.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, get_args

from pydantic import ValidationError

from autoglm.core.errors import AmbiguousTask, ConfigError, SpecError
from autoglm.core.spec import Decision, Split, TaskSpec, TaskType
from autoglm.core.text import current_language, has_chinese, say, use_language
from autoglm.dataflow.profile import TableProfile
from autoglm.task import _limits, _metric, _roles, _target
from autoglm.task._merge import merged
from autoglm.task._reading import Reading, read
from autoglm.task._refer import resolve

#: Flags of the command line that settle a field.
FLAGS: Mapping[str, str] = {"target": "--target", "task_type": "--task-type", "metric": "--metric"}
_LISTS = frozenset({"drop_columns", "increasing", "decreasing", "fair_to"})
_COLUMN_FIELDS = ("target", "group_column", "time_column")
_PLAIN = frozenset({"format_version", "description", "language", "cleaning"})
_FIELDS = frozenset(TaskSpec.model_fields) - _PLAIN
_TYPES = {
    "classification": "classes", "classify": "classes", "classes": "classes",
    "binary": "binary", "binary_classification": "binary", "multiclass": "multiclass",
    "multiclass_classification": "multiclass", "multi_class": "multiclass",
    "tabular_classification": "classes", "text_classification": "classes", "分类": "classes",
    "二分类": "binary", "多分类": "multiclass", "regression": "regression", "回归": "regression",
    "tabular_regression": "regression", "forecasting": "regression", "预测数值": "regression",
}  # fmt: skip
_ASK_BELOW = 0.5
#: Longer texts are no sentence, and take too long to be taken apart.
MOST_CHARACTERS = 5_000


@dataclass(frozen=True)
class Question:
    """A field that is open, for a person to settle.

    Attributes
    ----------
    field
        The `TaskSpec` field.
    text
        The question, in the language of the task.
    candidates
        Likely answers, best first.
    flag
        The command-line flag that settles it too.
    """

    field: str
    text: str
    candidates: tuple[str, ...]
    flag: str


@dataclass(frozen=True)
class Proposal:
    """What a parser makes of a sentence: decisions by field, and what it has to ask."""

    decisions: Mapping[str, Decision[Any]]
    questions: tuple[Question, ...] = field(default=())


class Parser(Protocol):
    """A way to understand a sentence; a language model can stand behind it."""

    def propose(
        self, sentence: str, profile: TableProfile, settled: Mapping[str, Decision[Any]]
    ) -> Proposal:
        """Propose decisions on the fields that `settled` leaves open."""


class RuleParser:
    """The parser made of tables of patterns and a lexicon, Chinese and English."""

    def propose(
        self, sentence: str, profile: TableProfile, settled: Mapping[str, Decision[Any]]
    ) -> Proposal:
        """Propose decisions on the fields that `settled` leaves open.

        Raises
        ------
        SpecError
            When the sentence fits no column, or contradicts the table.
        """
        reading = resolve(read(sentence), profile)
        decisions: dict[str, Decision[Any]] = dict(settled)
        if "target" not in decisions:
            decisions["target"] = (
                _target.choose_target(reading, profile)
                if sentence.strip()
                else _target.guess_target(profile)
            )
        if decisions["target"].confidence < _ASK_BELOW:
            return Proposal(decisions, (_target_question(decisions["target"], profile),))
        _about_target(reading, profile, decisions)
        _about_columns(reading, profile, decisions)
        for limit in _limits.find(reading.text):
            why = say(en=f'the sentence says "{limit.words}"', zh=f"句子说“{limit.words}”")
            said = Decision[Any](value=limit.value, source="sentence", reason=why, confidence=0.95)
            decisions.setdefault(limit.field, said)
        return Proposal(decisions)


def understand(
    sentence: str,
    profile: TableProfile,
    *,
    given: Mapping[str, Any] | None = None,
    ask: Callable[[Question], str] | None = None,
    parser: Parser | None = None,
    known: Mapping[str, Decision[Any]] | None = None,
) -> TaskSpec:
    """Turn a sentence about a table into a task specification.

    Parameters
    ----------
    sentence
        What is wanted, in Chinese or English; may be empty when the target is given.
    profile
        The profile of the table.
    given
        Values of `TaskSpec` fields set by the user; None means not set. They are never
        overruled.
    ask
        Called with what is uncertain; returns one of the candidates, or another valid value.
        Without it an uncertain task is an error.
    parser
        Asked besides the rules; field by field the surer of the two stands, and what the parser
        leaves open or gets wrong the rules decide.
    known
        Decisions that were made before, by field; what is given stands above them.

    Raises
    ------
    SpecError
        When the sentence is too long, fits nothing or contradicts the table.
    AmbiguousTask
        When two readings fit and there is nobody to ask.
    ConfigError
        When `given` holds an unknown field or metric.
    """
    language = "zh" if has_chinese(sentence) else "en" if sentence.strip() else current_language()
    with use_language(language):
        if len(sentence) > MOST_CHARACTERS:
            size, most = f"{len(sentence):,}", f"{MOST_CHARACTERS:,}"
            raise SpecError(
                say(en=f"The sentence has {size} characters; {most} are the most.",
                    zh=f"句子有 {size} 个字符,最多 {most} 个。"),
                hint=say(en="Say in a few words what is to be predicted.",
                         zh="请用几句话说明要预测什么。"),
            )  # fmt: skip
        settled = dict(known or {}) | _given(given or {}, profile)
        if parser is not None:
            proposed = _valid(parser.propose(sentence, profile, settled), profile)
            settled = merged(proposed, settled, partial(_by_rules, sentence, profile), profile)
        proposal = RuleParser().propose(sentence, profile, settled)
        while proposal.questions:
            settled |= _answer(proposal.questions[0], ask, profile)
            proposal = RuleParser().propose(sentence, profile, settled)
        return _spec(sentence, language, proposal.decisions)


def _by_rules(
    sentence: str, profile: TableProfile, settled: Mapping[str, Decision[Any]]
) -> Mapping[str, Decision[Any]]:
    return RuleParser().propose(sentence, profile, settled).decisions


def _about_target(
    reading: Reading, profile: TableProfile, decisions: dict[str, Decision[Any]]
) -> None:
    """Decide what hangs on the target: the task type, the metric, the positive class."""
    target = profile.columns[decisions["target"].value]
    by_data = _target.choose_task_type(reading, target)
    if "task_type" in decisions:
        decisions["task_type"] = _agreed_type(decisions["task_type"], by_data, target.name, profile)
    else:
        decisions["task_type"] = by_data
    task_type: TaskType = decisions["task_type"].value
    if "metric" in decisions:
        decisions["metric"] = _agreed_metric(decisions["metric"], task_type)
    else:
        for name, decision in _metric.choose_metric(reading, task_type, target):
            decisions.setdefault(name, decision)
    if task_type == "binary" and "positive_class" not in decisions:
        positive = _metric.choose_positive(reading, target)
        if positive is not None:
            decisions["positive_class"] = positive


def _about_columns(
    reading: Reading, profile: TableProfile, decisions: dict[str, Decision[Any]]
) -> None:
    """Decide what the other columns are for."""
    target = decisions["target"].value
    optional = {
        "drop_columns": _roles.left_out(reading, profile, target),
        "interpretable": _roles.interpretable(reading),
        "fair_to": _roles.fair_to(reading, profile, target),
    }
    for name, decision in optional.items():
        if decision is not None:
            decisions.setdefault(name, decision)
    if decisions["task_type"].value != "multiclass":
        for name, decision in _roles.directions(reading, profile, target).items():
            decisions.setdefault(name, decision)
    if "split" in decisions:
        return
    why = say(en="a column for it is given", zh="已给出所需的列")
    for name, split in (("group_column", "grouped"), ("time_column", "time")):
        if name in decisions:
            source = decisions[name].source
            decisions["split"] = Decision[Any](value=split, source=source, reason=why)
            return
    decisions |= _roles.choose_split(reading, profile, target, decisions["task_type"].value)


def _agreed_type(
    wanted: Decision[Any], by_data: Decision[TaskType], target: str, profile: TableProfile
) -> Decision[TaskType]:
    """Bring a task type from outside in line with the values of the target."""
    key = str(wanted.value).strip().lower().replace("-", "_").replace(" ", "_")
    kind = _TYPES.get(key)
    column = profile.columns[target]
    n = column.n_unique
    if kind is None:
        near = difflib.get_close_matches(key, _TYPES, n=1)
        raise SpecError(
            say(en=f"There is no task type {wanted.value!r}.",
                zh=f"没有任务类型 {wanted.value!r}。"),
            hint=say(en="Use binary, multiclass, regression or classification.",
                     zh="可用:binary、multiclass、regression、classification。")
            + (f" ({near[0]}?)" if near else ""),
        )  # fmt: skip
    if kind == "classes":
        kind = "binary" if n == 2 else "multiclass"
    few = n <= 200 and (column.kind != "number" or column.integer or n <= 20)
    possible = {
        "binary": n == 2,
        "multiclass": few and n >= 2,
        "regression": column.kind == "number",
    }
    if not possible[kind]:
        raise SpecError(
            say(en=f"{target} cannot be the target of a {kind} task: it is a {column.kind} column"
                   f" with {n} different values.",
                zh=f"{target} 不能作为 {kind} 任务的目标:它是 {column.kind} 列,"
                   f"有 {n} 个不同的值。"),
            hint=say(en=f"It would suit a {by_data.value} task; change --task-type or --target.",
                     zh=f"它适合 {by_data.value} 任务;请改 --task-type 或 --target。"),
        )  # fmt: skip
    return Decision[TaskType].model_validate(wanted.model_dump() | {"value": kind})


def _agreed_metric(wanted: Decision[Any], task_type: TaskType) -> Decision[Any]:
    """Give a metric from outside its own name; refuse one that does not fit the task."""
    from autoglm.evaluate.metrics import metric

    try:
        name = metric(str(wanted.value), task_type=task_type).name
    except ConfigError as error:
        if wanted.source != "user":
            raise SpecError(error.message, hint=error.hint) from error
        raise
    return wanted.model_copy(update={"value": name})


def _given(given: Mapping[str, Any], profile: TableProfile) -> dict[str, Decision[Any]]:
    """Turn what the user set into decisions, checked against the table."""
    why = say(en="set by you", zh="由你指定")
    out: dict[str, Decision[Any]] = {}
    for name, value in given.items():
        if name not in _FIELDS:
            near = difflib.get_close_matches(name, sorted(_FIELDS), n=1)
            raise ConfigError(
                say(en=f"There is no task setting {name!r}.", zh=f"没有任务设置 {name!r}。"),
                hint=say(
                    en=f"Use one of: {', '.join(near or sorted(_FIELDS))}.",
                    zh=f"可用:{', '.join(near or sorted(_FIELDS))}。",
                ),
            )
        if value is None or (name in _LISTS and not value):
            continue
        value = (value,) if name in _LISTS and isinstance(value, str) else value
        _check_columns(name, value, profile)
        out[name] = Decision[Any](value=value, source="user", reason=why)
    return out


def _check_columns(name: str, value: Any, profile: TableProfile) -> None:
    wanted = (value,) if name in _COLUMN_FIELDS else tuple(value) if name in _LISTS else ()
    for column in wanted:
        if column in profile.columns:
            continue
        near = difflib.get_close_matches(str(column), list(profile.columns), n=3, cutoff=0.5)
        shown = ", ".join(near or list(profile.columns)[:8])
        raise SpecError(
            say(en=f"There is no column {column!r}.", zh=f"没有名为 {column!r} 的列。"),
            hint=say(en=f"Did you mean: {shown}?", zh=f"是否想用:{shown}?"),
        )


def _valid(proposal: Proposal, profile: TableProfile) -> dict[str, Decision[Any]]:
    """Keep what of a foreign proposal fits the table and the types of the fields."""
    out: dict[str, Decision[Any]] = {}
    for name, decision in proposal.decisions.items():
        if name not in _FIELDS or decision.confidence < _ASK_BELOW:
            continue
        try:
            _check_columns(name, decision.value, profile)
            annotation = TaskSpec.model_fields[name].annotation
            if annotation is not None:
                annotation.model_validate(decision.model_dump())
        except (SpecError, ValidationError, TypeError):
            continue  # the rules decide it instead
        out[name] = decision
    return out


def _target_question(target: Decision[Any], profile: TableProfile) -> Question:
    candidates = (target.value, *target.alternatives)
    shown = say(en=" or ", zh=" 还是 ").join(candidates[:2])
    text = say(en=f"Which column is to be predicted: {shown}?", zh=f"要预测哪一列:{shown}?")
    return Question("target", text, candidates, FLAGS["target"])


def _answer(
    question: Question, ask: Callable[[Question], str] | None, profile: TableProfile
) -> dict[str, Decision[Any]]:
    """Settle a question by asking, or fail with its two best candidates."""
    if ask is None:
        best = question.candidates[:2]
        first = best[0] if best else "..."
        raise AmbiguousTask(
            question.text, field=question.field, candidates=best, flag=question.flag,
            hint=say(en=f"Settle it with {question.flag}, e.g. {question.flag} {first!r}.",
                     zh=f"请用 {question.flag} 指定,例如 {question.flag} {first!r}。"),
        )  # fmt: skip
    reply = ask(question).strip()
    _check_columns(question.field, reply, profile)
    why = say(en="you answered so", zh="由你回答")
    return {question.field: Decision[Any](value=reply, source="user", reason=why)}


def _spec(sentence: str, language: str, decisions: Mapping[str, Decision[Any]]) -> TaskSpec:
    """Put the decisions together; types are checked by the specification itself."""
    data = {name: decision.model_dump() for name, decision in decisions.items()}
    base = {"description": sentence.strip(), "language": language}
    if "split" in data and data["split"]["value"] not in get_args(Split):
        raise SpecError(
            say(en=f"There is no split {data['split']['value']!r}.",
                zh=f"没有划分方式 {data['split']['value']!r}。"),
            hint=", ".join(get_args(Split)),
        )  # fmt: skip
    try:
        return TaskSpec.model_validate(base | data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise SpecError(
            say(en=f"The task is wrong at {where}: {first['msg']}.",
                zh=f"任务的 {where} 有误:{first['msg']}。"),
            hint=say(en="docs/reference/spec.md lists the values.",
                     zh="取值见 docs/reference/spec.md。"),
        ) from error  # fmt: skip
