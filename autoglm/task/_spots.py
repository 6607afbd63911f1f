"""Where a stretch of the sentence names columns, one by one and in lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autoglm.dataflow.profile import TableProfile
from autoglm.task._cues import CLAUSE_END, JOIN, Role
from autoglm.task._match import FILLERS, Name, likeness, mention, name_of, written
from autoglm.task._phrases import phrases
from autoglm.task._reading import Clause, Reading
from autoglm.task._words import normal
from autoglm.task.lexicon import Word

#: Likeness from which a column counts as named.
ENOUGH = 0.8
_LITERAL, _HINTED, _SAME_WORD = 1.1, 0.75, 0.8
_SEVERAL, _GENERIC = phrases("columns.several"), phrases("columns.generic")
_OPEN: Mapping[Role, float] = {"open": 1.0}


@dataclass(frozen=True)
class Spot:
    """A column, where it is named, the list item that names it, and how surely.

    `strength` is above 1 for a name written as it is, below 0.8 where a single word points to
    the only column that has it.
    """

    column: str
    start: int
    end: int
    item: tuple[int, int]
    strength: float


def spots(
    reading: Reading, profile: TableProfile, start: int, end: int, *, hints: bool = True
) -> list[Spot]:
    """Return the columns that a stretch names, in order.

    Parameters
    ----------
    reading
        The sentence.
    profile
        The table.
    start, end
        The stretch, in characters.
    hints
        Whether one word counts that only one column has ("ZIP code" of a long question).
    """
    literal = list(_literal(reading.text, profile, start, end))
    out: list[Spot] = []
    heads: Sequence[Word] = ()
    for item in reversed(list(_items(reading.text, literal, start, end))):
        inside = [s for s in literal if item[0] <= s[0] < item[1]]
        if inside:
            out += [Spot(column, a, b, item, _LITERAL) for a, b, column in reversed(inside)]
            heads = ()
            continue
        words = _words(reading, *item)
        found = _alike(words, (), profile, reading, item)
        if found:
            heads = words
        elif heads:
            found = _alike(words, heads, profile, reading, item)
        out += found or (_hinted(words, profile, reading, item) if hints else [])
    return sorted(out, key=lambda spot: spot.start)


def _literal(
    text: str, profile: TableProfile, start: int, end: int
) -> Iterator[tuple[int, int, str]]:
    """Yield where names of columns stand as they are written, the longest first."""
    lower = text[start:end].lower()
    found = [
        (start + a, start + b, column)
        for column in profile.columns
        if normal(column).strip().lower() in lower
        for a, b, quoted in written(column, text[start:end])
        if quoted or text[start + a : start + b] not in ("a", "I")
    ]
    taken: list[tuple[int, int]] = []
    for a, b, column in sorted(found, key=lambda f: f[0] - f[1]):
        if all(b <= x or a >= y for x, y in taken):
            taken.append((a, b))
            yield a, b, column


def _items(
    text: str, literal: Sequence[tuple[int, int, str]], start: int, end: int
) -> Iterator[tuple[int, int]]:
    """Yield the items of a list; the marks inside a column's name part nothing."""
    marks = [m.span() for pattern in (JOIN, CLAUSE_END) for m in pattern.finditer(text, start, end)]
    cuts = [
        (a, b) for a, b in sorted(marks)
        if text[a:b].strip() not in ("(", ")") and all(b <= x or a >= y for x, y, _ in literal)
    ]  # fmt: skip
    position = start
    for a, b in (*cuts, (end, end)):
        if text[position:a].strip():
            yield position, a
        position = max(position, b)


def _words(reading: Reading, start: int, end: int) -> list[Word]:
    return [
        word
        for clause in reading.clauses
        for word in clause.words
        if start <= word.start < end and word.first >= 0
    ]


def _alike(
    words: Sequence[Word], heads: Sequence[Word], profile: TableProfile, reading: Reading,
    item: tuple[int, int],
) -> list[Spot]:  # fmt: skip
    """Return the columns that an item names by likeness, with the head of its list if need be."""
    if not words:
        return []
    text = reading.text
    blank = " " * item[0] + text[item[0] : item[1]] + " " * (len(text) - item[1])
    role: Role = "open"
    part = Reading(blank, (role,) * len(text), (Clause(0, len(text), (*words, *heads)),))
    own = {word.text for word in words}
    found = {c: mention(name_of(c), part, _OPEN) for c in profile.columns}
    good = {c: m for c, m in found.items() if m.strength >= ENOUGH and own & set(m.words)}
    best = max((m.strength for m in good.values()), default=0.0)
    taken = {w.lower() for m in good.values() if m.strength >= min(best, 1.0) for w in m.words}
    out = []
    for column, m in good.items():
        spelt = [w for w in words if w.text in m.words] or list(words)
        if m.strength >= min(best, 1.0) - 0.05 or not taken.issuperset(w.lower() for w in m.words):
            first, last = min(w.start for w in spelt), max(w.end for w in spelt)
            out.append(Spot(column, first, last, item, m.strength))
    return sorted(out, key=lambda spot: -spot.start)


def _hinted(
    words: Sequence[Word], profile: TableProfile, reading: Reading, item: tuple[int, int]
) -> list[Spot]:
    """Return the only column that has a word of the item, or all of them where several are meant.

    The longest words are looked at first: "ZIP code" says more than "code".
    """
    several = _SEVERAL.search(reading.text, *item) is not None
    telling = [
        w for w in words
        if w.text not in FILLERS and not _GENERIC.fullmatch(w.text) and w.number is None
        and (len(w.text) > 2 or not w.text.isascii())
    ]  # fmt: skip
    for word in sorted(telling, key=lambda w: -w.length):
        with_it = [c for c in profile.columns if _has(name_of(c), word)]
        if len(with_it) == 1 or (several and with_it):
            return [Spot(c, word.start, word.end, item, _HINTED) for c in with_it]
    return []


def _has(name: Name, word: Word) -> bool:
    return any(
        likeness(part, word) >= _SAME_WORD or (part.concepts & word.concepts)
        for part in (*name.phrases, *name.words)
        if part.text not in FILLERS
    )


def joined(text: str, first: Spot, second: Spot) -> bool:
    """Return whether two columns stand side by side in a list, maybe with a word on each."""
    if second.start <= first.end or first.item == second.item:
        between = text[first.end : second.start]
        return second.start <= first.end or _LINK.fullmatch(_plain(between)) is not None
    after = _plain(text[first.end : first.item[1]])
    return _LINK.fullmatch(after) is not None and (
        _LINK.fullmatch(_plain(text[first.item[1] : second.item[0]])) is not None
    )


def _plain(text: str) -> str:
    return re.sub(r"[\s\"'`“”《》()\[\]]+", " ", text)


_LINK = re.compile(
    rf"\s*(?:这?列|那?列|字段|columns?|fields?)?\s*(?:{JOIN.pattern}\s*(?:also|the|its|their|both)?)*\s*",
    re.IGNORECASE,
)
