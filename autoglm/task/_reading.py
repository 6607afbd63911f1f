"""A sentence taken apart: its words, each with the role of the stretch it stands in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from autoglm.core.text import Language, has_chinese
from autoglm.task import _cues, _limits, _measures
from autoglm.task._cues import Role
from autoglm.task._words import normal
from autoglm.task.lexicon import Word, lexicon

_CARRIED: frozenset[Role] = frozenset({"drop", "feature"})


@dataclass(frozen=True)
class Clause:
    """A part of the sentence between marks, its words, and the role of every character."""

    start: int
    end: int
    words: tuple[Word, ...]


@dataclass(frozen=True)
class Reading:
    """A sentence, normalised, with roles.

    Attributes
    ----------
    text
        The sentence with full-width forms folded.
    roles
        The role of each character.
    clauses
        Its clauses in order.
    """

    text: str
    roles: tuple[Role, ...]
    clauses: tuple[Clause, ...]

    @property
    def language(self) -> Language:
        """Language of the sentence."""
        return "zh" if has_chinese(self.text) else "en"

    @cached_property
    def lower(self) -> str:
        """The text in lower case."""
        return self.text.lower()

    @cached_property
    def _words(self) -> tuple[Word, ...]:
        return tuple(word for clause in self.clauses for word in clause.words)

    @cached_property
    def stems(self) -> frozenset[str]:
        """Stems of all words and phrases."""
        return frozenset(word.stem for word in self._words)

    @cached_property
    def concepts(self) -> frozenset[int]:
        """Concepts of all words and phrases."""
        return frozenset().union(*(word.concepts for word in self._words))

    @cached_property
    def near(self) -> frozenset[int]:
        """Near groups of all words."""
        return frozenset().union(*(word.near for word in self._words))

    @cached_property
    def spellings(self) -> frozenset[tuple[str, str]]:
        """Text and stem of each English word."""
        return frozenset(
            (w.text, w.stem) for w in self._words if w.length == 1 and w.text.isascii()
        )

    def role(self, word: Word) -> Role:
        """Return the role of the stretch the word stands in."""
        return self.roles[word.start]

    def spans(self, role: Role) -> list[str]:
        """Return the stretches painted with a role."""
        out: list[str] = []
        previous: Role = "open"
        for character, here in zip(self.text, self.roles, strict=True):
            if here == role:
                out = [*out, ""] if previous != role else out
                out[-1] += character
            previous = here
        return [span.strip() for span in out if span.strip()]

    def says(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Return where a pattern is found, if anywhere."""
        return pattern.search(self.text)


def read(sentence: str) -> Reading:
    """Take a sentence apart."""
    text = normal(sentence)
    roles: list[Role] = ["open"] * len(text)
    bounds = list(_clauses(text))
    carried: Role = "open"
    for start, end in bounds:
        carried = _paint(text, roles, start, end, carried)
    for start, end in _silent(text):
        roles[start:end] = ["none"] * (end - start)
    words = _plain_parts(lexicon().words(text, forgive=True)) + _hints(text)
    clauses = [
        Clause(start, end, tuple(w for w in words if start <= w.start < end))
        for start, end in bounds
    ]
    return Reading(text, tuple(roles), tuple(clauses))


def _clauses(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for mark in _cues.CLAUSE_END.finditer(text):
        if mark.end() > start:
            yield start, mark.end()
            start = mark.end()
    if start < len(text):
        yield start, len(text)


def _paint(text: str, roles: list[Role], start: int, end: int, carried: Role) -> Role:
    """Give the characters of one clause their roles; return what a list carries over."""
    events = _events(text, start, end)
    behind = [e for e in events if e[3]]
    first_cue = min((e[0] for e in events if not e[3]), default=end)
    roles[start:first_cue] = [carried] * (first_cue - start)
    last_cue = start
    last: Role = carried if not events else "open"
    for found, stop, role, is_behind in events:
        if is_behind:
            continue
        if role == "context" and last not in ("target", "context", "named"):
            roles[found:end] = [last] * (end - found)
            continue
        if role == "target" == last and not _cues.ASKS_AMOUNT.match(text[last_cue:]):
            _repaint(roles, last_cue, found, "target", "context")  # "whether X will Y": X, then Y
        last_cue = found if role == "target" else last_cue
        roles[found:stop] = (
            ["none"] * (stop - found) if role != "context" else [role] * (stop - found)
        )
        roles[stop:end] = [role] * (end - stop)
        last = role
    _context_mark(text, roles, start, end)
    for found, stop, role, _ in behind:
        first = max(
            (e[1] for e in events if not e[3] and e[1] <= found and e[2] == role), default=start
        )
        roles[first:found] = [role] * (found - first)
        roles[found:stop] = ["none"] * (stop - found)
        last = role
    goes_on = _cues.LIST_END.search(text[start:end]) is not None
    return last if goes_on and last in _CARRIED else "open"


def _events(text: str, start: int, end: int) -> list[tuple[int, int, Role, bool]]:
    """Return the cues of a clause in order: start, end, role, and whether it looks back."""
    clause = text[start:end].rstrip(" ,;.!?。、")
    events: list[tuple[int, int, Role, bool]] = []
    for role, pattern in _cues.BEHIND:
        for m in pattern.finditer(clause):
            if m.start() > 0:
                events.append((start + m.start(), start + m.end(), role, True))
    taken = [(e[0], e[1]) for e in events]
    for role, pattern in _cues.AHEAD:
        for m in pattern.finditer(clause):
            first, last = start + m.start(), start + m.end()
            if all(last <= a or first >= b for a, b in taken):
                events.append((first, last, role, False))
                taken.append((first, last))
    return sorted(events, key=lambda e: e[0])


def _context_mark(text: str, roles: list[Role], start: int, end: int) -> None:
    mark = text.rfind(_cues.CONTEXT_MARK, start, end)
    rest = text[mark + 1 : end].strip(" ,;.!?。、") if mark >= 0 else ""
    if rest:
        _repaint(roles, start, mark, "target", "context")
        if "target" not in roles[start:end]:
            _repaint(roles, start, mark, "open", "context")


def _repaint(roles: list[Role], start: int, end: int, old: Role, new: Role) -> None:
    roles[start:end] = [new if role == old else role for role in roles[start:end]]


def _plain_parts(words: list[Word]) -> list[Word]:
    """Leave a word inside a phrase its spelling only: a "term deposit" is no term."""
    covered = {
        position
        for phrase in words
        if phrase.length > 1
        for position in range(phrase.first, phrase.first + phrase.length)
    }
    nothing: frozenset[int] = frozenset()
    return [
        replace(w, concepts=nothing, near=nothing) if w.length == 1 and w.first in covered else w
        for w in words
    ]


def _hints(text: str) -> list[Word]:
    """Return words that a turn of phrase stands for: to "sell for" means a price."""
    return [
        replace(word, start=min(found.end(), len(text) - 1), end=len(text), first=-1, guessed=True)
        for pattern, meaning in _cues.HINTS
        for found in pattern.finditer(text)
        for word in lexicon().words(meaning)
    ]


def _silent(text: str) -> Iterator[tuple[int, int]]:
    """Yield stretches that name limits or metrics, never columns."""
    yield from _limits.spans(text)
    yield from _measures.spans(text)
