"""What "it", "both" and "these four columns" stand for, and which clauses speak of the split.

A reading knows turns of phrase only. Beside a table it can be said which columns a clause
means that says no more than "leave them out", and which words speak of the rows of training and
test, not of what is to be predicted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from autoglm.dataflow.profile import ColumnProfile, TableProfile
from autoglm.task import _cues, _prices
from autoglm.task._cues import Role
from autoglm.task._limits import number
from autoglm.task._phrases import phrases
from autoglm.task._reading import Clause, Reading, cues, without_brackets
from autoglm.task._spots import ENOUGH, Spot, joined, spots

_PRONOUN, _EMPTY = phrases("refer.pronoun"), phrases("refer.empty")
_COUNT, _ONE = phrases("refer.count"), phrases("refer.one")
#: What points at a clause before.
_POINTS = re.compile(
    r"\b(?:it|they|them|those|these|this|that|such|same|whole|each|its|their)\b|它|他们|她们|这些|那些|其|同一|前者|后者|上述",
    re.IGNORECASE,
)
_TESTS = phrases("split.tests")
_TIME_WORD = phrases("columns.time_word")
#: How many clauses back a pronoun reaches.
_REACH = 4
#: Clauses in which the list that it ends is looked for.
_LONGEST_LIST = 40
_LISTED: tuple[Role, Role] = ("drop", "only")
_ASKED: frozenset[Role] = frozenset({"target", "named"})


def resolve(reading: Reading, profile: TableProfile) -> Reading:
    """Return the reading with the roles that only the table can tell."""
    roles = list(reading.roles)
    for index, clause in enumerate(reading.clauses):
        for role in _LISTED:
            if _is_reference(reading, profile, clause, role):
                parts = _antecedent(reading, profile, index, role)
            else:
                parts = _list_before(reading, profile, index, role)
            for first, last in parts:
                roles[first:last] = [role] * (last - first)
                _set_aside(reading, roles, first)
        for first, last in _weakly(reading, profile, index, clause):
            roles[first:last] = ["drop"] * (last - first)
            _set_aside(reading, roles, first)
    reading = replace(reading, roles=tuple(roles))
    return _beside_the_question(reading, [*_together(reading, profile), *later(reading)])


def _set_aside(reading: Reading, roles: list[Role], position: int) -> None:
    """Count for less what else is said of a column that is left out."""
    clause = reading.clauses[clause_at(reading, position)]
    for i in range(clause.start, clause.end):
        roles[i] = "aside" if roles[i] == "open" else roles[i]


def _weakly(
    reading: Reading, profile: TableProfile, index: int, clause: Clause
) -> Iterator[tuple[int, int]]:
    """Yield the columns of a clause with a weak sign that they are left out."""
    found = cues(without_brackets(reading.text), clause.start, clause.end)
    weak = [cue for cue in found if cue[2] == "weak"]
    if not weak or any(a < clause.end and b > clause.start for a, b in _elsewhere(reading)):
        return
    text = reading.text[clause.start : clause.end]
    if _cues.AGAIN.search(text) and not _left_out_before(reading, index):
        return
    named = [
        spot for spot in spots(reading, profile, clause.start, clause.end, hints=False)
        if not weak[0][0] <= spot.start < weak[0][1]
    ]  # fmt: skip
    if named:
        yield from ((spot.item[0], spot.end) for spot in named)
        yield from _list_before(reading, profile, index, "weak")
    elif not content(text.replace(reading.text[weak[0][0] : weak[0][1]], " ")) or (
        _PRONOUN.search(text)
    ):
        yield from _antecedent(reading, profile, index, "drop")


def _elsewhere(reading: Reading) -> Iterator[tuple[int, int]]:
    """Yield what speaks of the split and of prices: "not in both" leaves no column out."""
    yield from (cue.span() for cue in _cues.TOGETHER.finditer(reading.text))
    yield from later(reading)
    yield from _prices.spans(reading.text)


def _left_out_before(reading: Reading, index: int) -> bool:
    before = reading.clauses[index - 1] if index else None
    return before is not None and any(
        cue[2] in ("drop", "weak") for cue in cues(reading.text, before.start, before.end)
    )


def _is_reference(reading: Reading, profile: TableProfile, clause: Clause, role: Role) -> bool:
    """Return whether a clause leaves something out without saying what."""
    if not any(cue[2] == role for cue in cues(reading.text, clause.start, clause.end)):
        return False
    if reading.text[clause.start : clause.end].rstrip().endswith(":"):
        return False  # what is meant comes after it
    for start, end in _stretches(reading, clause, role):
        said = reading.text[start:end]
        if content(said) and not (
            _PRONOUN.search(said) and not spots(reading, profile, start, end, hints=False)
        ):
            return False
    return True


def content(text: str) -> bool:
    """Return whether a text holds a word that may name something."""
    return re.search(r"[^\W\d_]", _EMPTY.sub(" ", text)) is not None


def _stretches(reading: Reading, clause: Clause, role: Role) -> Iterator[tuple[int, int]]:
    start = clause.start
    while start < clause.end:
        end = start
        while end < clause.end and reading.roles[end] == role:
            end += 1
        if end > start:
            yield start, end
        start = max(end, start + 1)


def _antecedent(
    reading: Reading, profile: TableProfile, index: int, role: Role
) -> Iterator[tuple[int, int]]:
    """Yield the stretches that the pronoun of a clause stands for, none where nothing fits."""
    text, clause = reading.text, reading.clauses[index]
    said = text[clause.start : clause.end]
    counted = _COUNT.search(said)
    wanted = int(number(_number_word(counted))) if counted else 1 if _ONE.search(said) else 0
    since = _sentence_start(text, clause.start)
    since = max(since, reading.clauses[max(0, index - _LONGEST_LIST)].start)
    own = _own_object(reading, profile, clause)
    if own:
        yield own[0].item[0], own[-1].end
        return
    for before in reversed(reading.clauses[max(0, index - _REACH) : index]):
        found = [
            spot for spot in spots(reading, profile, since, before.end)
            if not (reading.roles[spot.start] in _ASKED and not _asked_before(reading, spot.start))
        ]  # fmt: skip
        near = [spot for spot in found if spot.end > before.start]
        if not near and any(c[2] == "drop" for c in cues(text, before.start, before.end)):
            return  # "it" is what that clause leaves out, and no column
        if role == "only":
            near = [s for s in near if reading.roles[s.start] == "feature"] or near
        sure = [spot for spot in near if spot.strength >= ENOUGH] or near
        if not sure:
            continue
        chosen = _chain(text, found, found.index(sure[0]), wanted)
        chosen = [spot for spot in chosen if reading.roles[spot.start] != "drop"]
        yield from (_with_description(reading, found, spot) for spot in chosen)
        return


def _with_description(reading: Reading, found: list[Spot], spot: Spot) -> tuple[int, int]:
    """Return a column's name with the words before it that describe it: "房价(price)"."""
    start = max((s.end for s in found if s.end <= spot.start), default=0)
    start = max(start, spot.item[0])
    cue = max((i for i in range(start, spot.start) if reading.roles[i] == "none"), default=-1)
    return max(start, cue + 1), spot.end


def _own_object(reading: Reading, profile: TableProfile, clause: Clause) -> list[Spot]:
    """Return the columns before the cue of a clause: "race 这一列出于公平不要放进模型"."""
    found = cues(reading.text, clause.start, clause.end)
    end = min((cue[0] for cue in found if cue[2] in _LISTED), default=clause.start)
    said = spots(reading, profile, clause.start, end, hints=False) if end > clause.start else []
    return [spot for spot in said if reading.roles[spot.start] not in _ASKED]


def _list_before(
    reading: Reading, profile: TableProfile, index: int, role: Role
) -> Iterator[tuple[int, int]]:
    """Yield the items before a clause that leaves something out behind: "A, B and C must go"."""
    text, clause = reading.text, reading.clauses[index]
    behind = [cue for cue in cues(text, clause.start, clause.end) if cue[3] and cue[2] == role]
    if not behind:
        return
    several = _cues.JOIN.search(text[clause.start : behind[0][0]].strip()) is not None
    for before in reversed(reading.clauses[:index]):
        said = text[before.start : before.end].rstrip()
        if not said.endswith("、") and not (several and said.endswith(",")):
            return
        found = spots(reading, profile, before.start, before.end, hints=said.endswith("、"))
        if not found or reading.roles[found[-1].start] in _ASKED:
            return
        if _cues.TURN.match(said):
            yield found[0].start, before.end
            return
        if said.endswith(",") and content(_rest(text, before, found)):
            begun = content(text[before.start : found[-1].start])
            if begun and not content(text[found[-1].end : before.end]):
                yield found[-1].start, before.end
            return
        if not before.start and not _asked_before(reading, len(text)):
            return  # "price, PID and Order must go": the first is what is asked for
        yield found[0].start, before.end


def _rest(text: str, clause: Clause, found: list[Spot]) -> str:
    """Return a clause without the columns it names."""
    left = list(text[clause.start : clause.end])
    for spot in found:
        for position in range(spot.start - clause.start, spot.end - clause.start):
            left[position] = " "
    return "".join(left)


def _number_word(found: re.Match[str]) -> str:
    word = next(value for value in found.groups() if value).lower()
    return "two" if word in ("both", "neither", "二者", "两者") else word


def _asked_before(reading: Reading, position: int) -> bool:
    """Return whether the question was asked in an earlier clause than that of a position."""
    return any(
        _ASKED & set(reading.roles[c.start : c.end]) for c in reading.clauses if c.end <= position
    )


def _sentence_start(text: str, before: int) -> int:
    """Return where the sentence before the one of a position starts."""
    ends = [m.end() for m in _cues.SENTENCE_END.finditer(text, 0, before)]
    return ends[-2] if len(ends) > 1 else 0


def _chain(text: str, found: list[Spot], at: int, wanted: int) -> list[Spot]:
    """Return the columns in one list with the one at a place; as many as are wanted, if said."""
    first = last = at
    while last + 1 < len(found) and joined(text, found[last], found[last + 1]):
        last += 1
    listed = last > first
    while first > 0 and (listed or wanted > last - first + 1 or _pure(text, found, first)):
        before = found[first - 1]
        own = content(text[before.item[0] : before.start])
        if not joined(text, before, found[first]) or (own and "," in text[before.end :][:3]):
            break  # "house prices (price), x and y ...": the list starts at x
        first -= 1
    chosen = found[first : last + 1]
    columns = list(dict.fromkeys(spot.column for spot in chosen))
    if wanted and len(columns) > wanted:
        kept = columns[-wanted:] if wanted > 1 else columns[:1]
        chosen = [spot for spot in chosen if spot.column in kept]
    if wanted > len(columns):
        chosen = found[max(0, len(found) - wanted) :]
    return chosen


def _pure(text: str, found: list[Spot], at: int) -> bool:
    """Return whether the mark between a column and the one before it only ever lists."""
    between = text[found[at - 1].end : found[at].start]
    return "、" in between or re.search(r"\band\b|[和与跟及]", between) is not None


def _together(reading: Reading, profile: TableProfile) -> list[tuple[int, int]]:
    """Return the stretches that say which rows belong together."""
    said = [(a, b) for a, b, _ in groups_said(reading, profile)]
    return said + [(clause.start, clause.end) for clause in togethers(reading)]


def groups_said(
    reading: Reading, profile: TableProfile
) -> Iterator[tuple[int, int, tuple[Spot, ...]]]:
    """Yield where rows are said to belong together, and the columns that may number the groups."""
    for cue in _cues.TOGETHER.finditer(reading.text):
        index = clause_at(reading, cue.start())
        last = reading.clauses[clause_at(reading, cue.end() - 1)].end
        here = reading.clauses[index]
        own = reading.text[here.start : cue.start()] + " " + reading.text[cue.end() : here.end]
        # Who names things there speaks of another clause by a column's own name only.
        least = 1.0 if content(own) and not _POINTS.search(own) else 0.0
        for back in range(index, max(-1, index - 4), -1):
            clause = reading.clauses[back]
            end = last if back == index else clause.end
            found = [
                s for s in spots(reading, profile, clause.start, end)
                if can_group(profile.columns[s.column])
                and (back == index or s.strength >= least)
            ]  # fmt: skip
            if found:
                yield clause.start, last, tuple(sorted(found, key=lambda s: -s.strength))
                break


def togethers(reading: Reading) -> Iterator[Clause]:
    """Yield the clauses that say that rows belong together."""
    for cue in _cues.TOGETHER.finditer(reading.text):
        yield reading.clauses[clause_at(reading, cue.start())]


def can_group(column: ColumnProfile) -> bool:
    """Return whether the values of a column can number groups of rows."""
    if column.kind not in ("id", "category", "number", "text") or not column.n_rows:
        return False
    whole = column.kind != "number" or column.integer
    return whole and 5 <= column.n_unique <= 0.9 * column.n_rows


def later(reading: Reading) -> Iterator[tuple[int, int]]:
    """Yield the stretches that say that the tests come later than what is learnt from."""
    yield from in_order_of_time(reading)
    for found in _cues.BY_TIME.finditer(reading.text):
        tests = _TESTS.search(found.group()) is not None
        if not tests:
            yield found.span()
            continue
        start = reading.clauses[clause_at(reading, found.start())].start
        if _ASKED & set(reading.roles[start : found.start()]):
            start = found.start()
        yield start, reading.clauses[clause_at(reading, found.end() - 1)].end


def in_order_of_time(reading: Reading) -> Iterator[tuple[int, int]]:
    """Yield where early rows are set against late ones, for training against test.

    Three of the four words in one sentence are enough: "learn from the early weeks, test ...".
    """
    start = 0
    for end in [*(m.end() for m in _cues.SENTENCE_END.finditer(reading.text)), len(reading.text)]:
        found = [m for p in _cues.ORDER if (m := p.search(reading.text, start, end))]
        if len(found) >= 3:
            first = min(m.start() for m in found)
            last = max(m.end() for m in found)
            index = clause_at(reading, last - 1)
            near = reading.clauses[clause_at(reading, first)].start
            asks = _ASKED & set(reading.roles[near:first])
            yield (first if asks else near), max(last, reading.clauses[index].end)
        start = end


def times_said(reading: Reading, profile: TableProfile) -> list[str]:
    """Return the columns that date the rows by the words that ask for a split by time."""
    said = [*later(reading), *reading.stretches("group")]
    found = [s for a, b in said for s in spots(reading, profile, a, b)]
    found.sort(key=lambda spot: -spot.strength)
    return [s.column for s in found if dates_rows(profile.columns[s.column])]


def dates_rows(column: ColumnProfile) -> bool:
    """Return whether a column may date the rows, by its kind or by a word of its name."""
    if column.kind == "date":
        return True
    words = re.split(r"[\W_]+|(?<=[a-z])(?=[A-Z])", column.name)
    return column.kind in ("number", "category") and any(map(_TIME_WORD.fullmatch, words))


def clause_at(reading: Reading, position: int) -> int:
    """Return the number of the clause in which a character stands."""
    return next((i for i, c in enumerate(reading.clauses) if position < c.end), 0)


def _beside_the_question(reading: Reading, parts: list[tuple[int, int]]) -> Reading:
    """Paint what speaks of the split; what is asked in it stays if nothing else is asked."""
    roles = list(reading.roles)
    for start, end in parts:
        outside = set(roles[:start]) | set(roles[end:])
        soft: set[Role] = {"open", "aside", "context", "feature", "none", "drop"}
        if outside & _ASKED:
            soft |= _ASKED
        for position in range(start, end):
            if roles[position] in soft:
                roles[position] = "group"
    return replace(reading, roles=tuple(roles))
