"""What the other columns are for: left out, grouping the rows, dating them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from autoglm.core.spec import Decision, Split, TaskType
from autoglm.core.text import say
from autoglm.dataflow.profile import TableProfile
from autoglm.task import _cues, _directions
from autoglm.task._cues import Role
from autoglm.task._match import mention, name_of, values_mentioned
from autoglm.task._phrases import phrases
from autoglm.task._reading import Clause, Reading
from autoglm.task._refer import can_group, content, groups_said, later, times_said, togethers
from autoglm.task._spots import spots
from autoglm.task._words import word_set
from autoglm.task.lexicon import lexicon

_GROUP_ENOUGH = 0.5
_ANYWHERE: Mapping[Role, float] = {"open": 1.0}
_ALL_OTHERS, _IDS = phrases("columns.all_others"), phrases("columns.ids")
_REST = phrases("columns.rest")
_SENSITIVE, _AGE = phrases("columns.sensitive"), re.compile(r"\bage\b|年龄|岁")
#: Values of a column whose groups may be named by them: "men and women".
MOST_VALUES = 10
_TIME_NAME = phrases("columns.time")
_NO_GROUP = word_set(
    "time date row rows data way type order model side one sides fold 时间 日期 行 数据 先后 时序",
)


def left_out(reading: Reading, profile: TableProfile, target: str) -> Decision[Any] | None:
    """Return the columns that the sentence wants left out, or None.

    When it wants something left out that is no column, the decision's confidence is low and
    its reason says so.
    """
    kept = _only(reading, profile)
    stretches = reading.stretches("drop")
    spans = reading.spans("drop") + (reading.spans("only") if kept else [])
    if not spans:
        return None
    chosen = {s.column for a, b in stretches for s in spots(reading, profile, a, b)}
    chosen |= _whole_groups(reading.spans("drop"), profile, target)
    if any(_IDS.search(span) for span in reading.spans("drop")) and not any(
        map(_IDS.search, map(_spaced, chosen))
    ):
        chosen |= set(profile.of_kind("id"))
    if kept:
        chosen |= set(profile.columns) - kept
    names = tuple(name for name in profile.columns if name in chosen and name != target)
    if not names:
        return _no_such_column(spans, reading, profile)
    shown = ", ".join(spans)
    return Decision[Any](
        value=names, source="sentence", confidence=0.9,
        reason=say(en=f'the sentence leaves out "{shown}"', zh=f"句子要求不用“{shown}”")
        if not kept else say(en="the sentence names the only columns to use",
                             zh="句子点名了只用哪些列"),
    )  # fmt: skip


def _only(reading: Reading, profile: TableProfile) -> set[str]:
    """Return the only columns to be used, with those that split the rows; none where not said."""
    rest = any(
        _REST.search(span) and not content(_REST.sub(" ", span)) for span in reading.spans("drop")
    )
    stretches = reading.stretches("only") or (reading.stretches("feature") if rest else [])
    if not stretches and rest:
        stretches = [s for role in ("open", "target") for s in reading.stretches(role)]
    kept = {s.column for a, b in stretches for s in spots(reading, profile, a, b)}
    split = {s.column for a, b in reading.stretches("group") for s in spots(reading, profile, a, b)}
    return kept | split if kept else set()


def _spaced(name: str) -> str:
    return " ".join(word.text for word in name_of(name).words)


def _whole_groups(spans: list[str], profile: TableProfile, target: str) -> set[str]:
    """Return every column that shares the thing named after "other" or "all" with the target."""
    out: set[str] = set()
    for span in spans:
        if not _ALL_OTHERS.search(span):
            continue
        said = [w for w in lexicon().words(_ALL_OTHERS.sub(" ", span)) if w.length == 1]
        stems = {
            own.stem
            for own in name_of(target).words
            if any(own.stem == word.stem or own.concepts & word.concepts for word in said)
        }
        out |= {n for n in profile.columns if n != target and stems & set(name_of(n).stems)}
    return out


def _no_such_column(
    spans: list[str], reading: Reading, profile: TableProfile
) -> Decision[Any] | None:
    words = [w for clause in reading.clauses for w in clause.words if reading.role(w) == "drop"]
    if not any(w.concepts for w in words):
        return None  # "without delay", "别超过": not about columns
    shown = ", ".join(spans)
    return Decision[Any](
        value=(), source="sentence", confidence=0.4,
        reason=say(en=f'found no column for "{shown}"; use --drop to name it',
                   zh=f"没有找到“{shown}”对应的列;可用 --drop 指定"),
    )  # fmt: skip


def directions(reading: Reading, profile: TableProfile, target: str) -> dict[str, Decision[Any]]:
    """Return the decisions on `increasing` and `decreasing` that the sentence asks for."""
    found: dict[str, tuple[int, str]] = {}
    for one in _directions.find(reading.text):
        for spot in spots(reading, profile, one.start, one.end):
            if spot.column != target and profile.columns[spot.column].kind == "number":
                found.setdefault(spot.column, (one.sign, one.words))
    out: dict[str, Decision[Any]] = {}
    for name, sign in (("increasing", 1), ("decreasing", -1)):
        own = {column: words for column, (way, words) in found.items() if way == sign}
        if own:
            shown = "; ".join(dict.fromkeys(own.values()))
            out[name] = Decision[Any](
                value=tuple(own), source="sentence", confidence=0.85,
                reason=say(en=f'the sentence says "{shown}"', zh=f"句子说“{shown}”"),
            )  # fmt: skip
    return out


def fair_to(reading: Reading, profile: TableProfile, target: str) -> Decision[Any] | None:
    """Return the columns whose groups the sentence wants treated alike, or None.

    Where it names none, those that people are told apart by: sex, race, religion and the like.
    """
    found = reading.says(_cues.FAIR)
    if found is None:
        return None
    start = max((c.start for c in reading.clauses if c.start <= found.start()), default=0)
    end = min((c.end for c in reading.clauses if c.end >= found.end()), default=len(reading.text))
    named = {
        spot.column for spot in spots(reading, profile, start, end)
        if profile.columns[spot.column].kind in ("category", "boolean")
        or _tells_apart(spot.column, _AGE)
    }  # fmt: skip
    words = reading.lower[start:end]
    for name, column in profile.columns.items():
        told = (
            values_mentioned(column, reading, _ANYWHERE) if column.n_unique <= MOST_VALUES else {}
        )
        if any(word.lower() in words for value in told.values() for word in value.words):
            named.add(name)
    if not named - {target}:
        named = {name for name in profile.columns if _tells_apart(name, _SENSITIVE)}
    names = tuple(n for n in profile.columns if n in named and n != target)
    if not names:
        return None
    return Decision[Any](
        value=names, source="sentence", confidence=0.85,
        reason=say(en=f'the sentence says "{found.group().strip()}"',
                   zh=f"句子说“{found.group().strip()}”"),
    )  # fmt: skip


def _tells_apart(column: str, words: re.Pattern[str]) -> bool:
    return words.search(_spaced(column)) is not None


def choose_split(
    reading: Reading, profile: TableProfile, target: str, task_type: TaskType
) -> dict[str, Decision[Any]]:
    """Return the decisions on `split` and the column it needs."""
    group = _group_column(reading, profile, target)
    if group is not None:
        return {"split": _decision("grouped", group.reason, "sentence"), "group_column": group}
    return _time_split(reading, profile, target) or {"split": _usual_split(task_type)}


def _usual_split(task_type: TaskType) -> Decision[Any]:
    if task_type == "regression":
        return _decision(
            "random", say(en="usual for numbers", zh="预测数值时的常用划分"), "default"
        )
    why = say(en="every part keeps the share of each class", zh="各部分保持类别比例")
    return _decision("stratified", why, "default")


def _decision(value: Split, reason: str, source: Any) -> Decision[Any]:
    return Decision[Any](value=value, source=source, reason=reason)


def _time_split(
    reading: Reading, profile: TableProfile, target: str
) -> dict[str, Decision[Any]] | None:
    asked = next((reading.text[a:b].strip() for a, b in later(reading)), None)
    ahead = reading.says(_cues.FORECAST)
    forecast = asked or (ahead.group() if ahead else None)
    dates = [n for n in profile.of_kind("date") if n != target]
    said = [n for n in times_said(reading, profile) if n != target] if asked else []
    if asked and not dates:
        dates = said or [
            n for n, c in profile.columns.items()
            if c.kind == "number" and n != target and _TIME_NAME.search(n.strip().lower())
        ][:1]  # fmt: skip
    if forecast is None or not (dates or asked):
        return None
    why = say(en=f'the sentence says "{forecast}"', zh=f"句子说“{forecast}”")
    split = _decision("time", why, "sentence")
    if not dates:
        return {"split": split}  # rows are then taken to stand in order of time
    best = (
        said[0] if said
        else max(dates, key=lambda n: mention(name_of(n), reading, _ANYWHERE).strength)
    )  # fmt: skip
    why = say(en=f"{best} dates the rows", zh=f"{best} 是各行的时间")
    return {"split": split, "time_column": Decision[Any](value=best, source="profile", reason=why)}


def _group_column(reading: Reading, profile: TableProfile, target: str) -> Decision[Any] | None:
    for start, end, found in groups_said(reading, profile):
        for spot in found:
            if spot.column != target:
                return _grouped(spot.column, reading.text[start:end].strip(" ,;.!?。"))
    for clause in togethers(reading):
        words = reading.text[clause.start : clause.end].strip(" ,;.!?。")
        best, strength = _entity_column(words, profile, target)
        if best is not None and strength >= _GROUP_ENOUGH:
            return _grouped(best, words)
    by_time = any(True for _ in later(reading))
    for cue in _cues.GROUPS.finditer(reading.text):
        if by_time and cue["f"]:
            continue  # "sales per department": what is asked for, not what is kept together
        words = next(value for value in cue.groupdict().values() if value).strip()
        if words.split()[0].lower() in _NO_GROUP or words in _NO_GROUP:
            continue
        best, strength = _entity_column(words, profile, target)
        if best is not None and strength >= _GROUP_ENOUGH:
            return _grouped(best, cue.group().strip())
    return None


def _grouped(column: str, words: str) -> Decision[Any]:
    return Decision[Any](
        value=column, source="sentence", confidence=0.85,
        reason=say(en=f'rows of one {column} belong together ("{words}")',
                   zh=f"同一 {column} 的行属于一组(“{words}”)"),
    )  # fmt: skip


def _entity_column(words: str, profile: TableProfile, target: str) -> tuple[str | None, float]:
    """Return the column that numbers the things named, each on several rows."""
    clause = Clause(0, len(words), tuple(lexicon().words(words)))
    role: Role = "open"
    everywhere = (role,) * len(words)
    part = Reading(words, everywhere, (clause,))
    best, most = None, 0.0
    for name, column in profile.columns.items():
        if name == target or not can_group(column):
            continue
        strength = mention(name_of(name), part, _ANYWHERE).strength
        named_id = 0.05 * bool(re.search(r"id|no|code|编号|号|$^", name.lower()))
        if strength + named_id > most and strength > 0:
            best, most = name, strength + named_id
    return best, most


def interpretable(reading: Reading) -> Decision[Any] | None:
    """Return the wish for a model that can be explained, or None."""
    cues = _cues.INTERPRETABLE.finditer(reading.text)
    # "neither the reason for leaving nor ...": what is left out is no wish.
    found = next(
        (
            m
            for m in cues
            if not (reading.roles[m.start()] == "drop" and m.group().lower().startswith("reason"))
        ),
        None,
    )
    if found is None:
        return None
    why = say(en=f'the sentence says "{found.group()}"', zh=f"句子说“{found.group()}”")
    return Decision[Any](value=True, source="sentence", reason=why, confidence=0.9)
