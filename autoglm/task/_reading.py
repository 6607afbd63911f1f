"""A sentence taken apart: its words, each with the role of the stretch it stands in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from autoglm.core.text import Language, has_chinese
from autoglm.task import _cues, _directions, _limits, _measures, _prices
from autoglm.task._cues import Role
from autoglm.task._words import normal
from autoglm.task.lexicon import Word, lexicon

#: "dont", as it is typed in haste.
_NO_APOSTROPHE = re.compile(r"\b(do|does|did|is|are|was|were|should|would|could|must)nt\b", re.I)
#: "books again" is what a column calls "rebook".
_AGAIN = re.compile(r"\b(?P<verb>[a-z]{3,})\s+(?:\w+\s+){0,3}?again\b", re.IGNORECASE)
_CARRIED: frozenset[Role] = frozenset({"drop", "feature", "only"})
#: Roles whose cues hold a "not".
_NEGATED: frozenset[Role] = frozenset({"drop", "only", "unwanted"})
#: Stretches that list columns, or name another question.
_LISTS: frozenset[Role] = frozenset({"drop", "feature", "only", "unwanted"})
#: Stretches whose words say nothing of the kind of answer that is wanted.
_BESIDE: frozenset[Role] = frozenset({"drop", "only", "unwanted", "group", "aside"})


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
        """Concepts of all words and phrases, and of the words in them."""
        return frozenset().union(*(word.concepts | word.inner for word in self._words))

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

    @cached_property
    def question(self) -> str:
        """The text with signs for what is not part of the question."""
        return "".join(
            "~" if role in _BESIDE else c for c, role in zip(self.text, self.roles, strict=True)
        )

    def role(self, word: Word) -> Role:
        """Return the role of the stretch the word stands in; a word may begin with a cue."""
        role = self.roles[word.start]
        return self.roles[word.end - 1] if role == "none" and word.first >= 0 else role

    def spans(self, role: Role) -> list[str]:
        """Return the stretches painted with a role."""
        parts = (self.text[a:b].strip() for a, b in self.stretches(role))
        return [part for part in parts if part]

    def stretches(self, role: Role) -> list[tuple[int, int]]:
        """Return where the stretches painted with a role start and end."""
        out: list[tuple[int, int]] = []
        for position, here in enumerate(self.roles):
            if here != role:
                continue
            if out and out[-1][1] == position:
                out[-1] = (out[-1][0], position + 1)
            else:
                out.append((position, position + 1))
        return out

    def says(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Return where a pattern is found, if anywhere."""
        return pattern.search(self.text)


def read(sentence: str) -> Reading:
    """Take a sentence apart."""
    text = _NO_APOSTROPHE.sub(r"\1n't", normal(sentence))
    if not text.strip():
        return Reading("", (), ())  # no words are needed for it
    roles: list[Role] = ["open"] * len(text)
    plain = without_brackets(text)
    bounds = list(_clauses(plain))
    carried: Role = "open"
    for start, end in bounds:
        carried = _paint(plain, roles, start, end, carried)
    for remark in _cues.BRACKETS.finditer(text):
        if cues(text, *remark.span("inside")):
            _paint(text, roles, *remark.span("inside"), "open")
    _second_thought(text, roles)
    _after_the_question(text, roles)
    for start, end in (*_prices.spans(text), *_about_fairness(text, bounds)):
        _repaint(roles, start, end, "target", "aside")
        _repaint(roles, start, end, "open", "aside")
    for one in _directions.find(text):
        _repaint(roles, one.start, one.end, "target", "feature")
        _repaint(roles, one.start, one.end, "open", "feature")
    for start, end in _silent(text):
        roles[start:end] = ["none"] * (end - start)
    words = _plain_parts(lexicon().words(text, forgive=True)) + _hints(text, roles, bounds)
    clauses = [
        Clause(start, end, tuple(w for w in words if start <= w.start < end))
        for start, end in bounds
    ]
    return Reading(text, tuple(roles), tuple(clauses))


def without_brackets(text: str) -> str:
    """Blank remarks in brackets: they go with the words before them."""
    return _cues.BRACKETS.sub(lambda remark: " " * len(remark.group()), text)


def _second_thought(text: str, roles: list[Role]) -> None:
    """Take back what was asked before a "no, wait, predict ..."."""
    for turn in _cues.SECOND_THOUGHT.finditer(text):
        rest = roles[turn.start() :]
        if _cues.ASKS_AGAIN.search(text, turn.start()) and {"target", "named"} & set(rest):
            for old in ("target", "open", "context", "named"):
                _repaint(roles, 0, turn.start(), old, "unwanted")


def _about_fairness(text: str, bounds: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield where groups are named that are to be treated alike: no question is asked there."""
    for found in _cues.FAIR.finditer(text):
        start, end = next(b for b in bounds if found.start() < b[1])
        if found.group().isascii():
            yield found.start(), max(end, found.end())
        else:
            named = text.rfind("对", start, found.start())
            yield (named if named >= 0 else found.start()), max(end, found.end())


def _after_the_question(text: str, roles: list[Role]) -> None:
    """Count for less what is said in sentences after the question, and asks nothing."""
    start, asked = 0, False
    for end in [*(m.end() for m in _cues.SENTENCE_END.finditer(text)), len(text)]:
        asks = "target" in roles[start:end] or "named" in roles[start:end]
        if asked and not asks:
            _repaint(roles, start, end, "open", "aside")
        asked, start = asked or asks, end


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
    events = cues(text, start, end)
    if _cues.NEW_WISH.match(text, start, end):
        carried = "open"  # a list of columns does not go on with a verb
    behind = [e for e in events if e[3]]
    roles[start:end] = [carried] * (end - start)
    last_cue, stopped = start, -1
    last: Role = carried
    for found, stop, role, is_behind in events:
        cue = text[found:stop].strip().lower()
        before = text[max(start, stopped) : found].strip()
        if is_behind or not _turns(cue, before, stopped >= 0, last, role):
            continue
        if role == "context" and last not in ("target", "context", "named"):
            roles[found:end] = [last] * (end - found)
            continue
        if role == "target" == last and not _cues.ASKS_AMOUNT.match(text[last_cue:]):
            _repaint(roles, last_cue, found, "target", "context")  # "whether X will Y": X, then Y
        role = "target" if role == "instead" else role
        last_cue = found if role == "target" else last_cue
        noun = (
            role == "target" and _cues.NOUN.fullmatch(cue) and not text[stop:end].strip(" ,;.!?。")
        )
        own: Role = role if role == "context" or noun else "none"
        roles[found:stop] = [own] * (stop - found)
        roles[stop:end] = [role] * (end - stop)
        last, stopped = role, stop
        if role == "target" and not re.search(r"\w", text[stop:end]):
            _repaint(roles, start, found, "open", "target")  # "energy prediction", "废品数预测"
    _context_mark(text, roles, start, end)
    for found, stop, role, _ in behind:
        if role == "weak":  # whether it leaves a column out, the table must tell
            continue
        first = max(
            (e[1] for e in events if not e[3] and e[1] <= found and e[2] == role), default=start
        )
        roles[first:found] = [role] * (found - first)
        roles[found:stop] = ["none"] * (stop - found)
        last = role
    goes_on = _cues.LIST_END.search(text[start:end]) is not None
    if behind and not text[start:end].rstrip().endswith(":"):
        goes_on = goes_on and _cues.MORE.match(text, end) is not None
    return last if goes_on and last in _CARRIED else "open"


def _turns(cue: str, before: str, told: bool, last: Role, role: Role) -> bool:
    """Return whether a cue ends the stretch in which it is found.

    It does not where it belongs to what the stretch speaks of: "ignore how long it took".
    `before` stands between it and the cue of the stretch, if `told` in the same clause.
    """
    if role == "instead":
        return last == "unwanted"
    if role == "drop" and last == "target" and _cues.BARE_VERB.fullmatch(cue):
        return not _cues.SUBJECT.fullmatch(before)  # "do listeners skip the intro"
    if role != "target" or last not in (*_LISTS, "open"):
        return True
    if last == "open":  # "年龄和是否吸烟": a list of names
        return not (_cues.JOIN.search(before[-1:]) and _cues.YES_NO_WORD.fullmatch(cue))
    if told and not before and last != "only" and _cues.QUESTION_WORD.match(cue):
        return False
    joined = (told and not before) or _cues.JOIN.search(before, max(0, len(before) - 4))
    return not (joined and _cues.YES_NO_WORD.fullmatch(cue))


def cues(text: str, start: int, end: int) -> list[tuple[int, int, Role, bool]]:
    """Return the cues of a clause in order: start, end, role, and whether it looks back."""
    clause = text[start:end].rstrip(" ,;.!?。、)")
    events: list[tuple[int, int, Role, bool]] = []
    plain = _cues.NO_NOT.sub(lambda m: "~" * len(m.group()), clause)  # "性别" is no "别"
    plain = _no_metric(plain)
    plain = re.sub("~别", "~~", plain)
    for role, pattern in _cues.BEHIND:
        for m in pattern.finditer(plain):
            first, last = start + m.start(), start + m.end()
            # "..., 都不要": what is left out stands in the clause before
            if (m.start() or role in ("drop", "only")) and all(
                last <= e[0] or first >= e[1] for e in events
            ):
                events.append((first, last, role, True))
    taken = [(e[0], e[1]) for e in events]
    for role, pattern in _cues.AHEAD:
        for m in pattern.finditer(plain if role in _NEGATED else clause):
            first, last = start + m.start(), start + m.end()
            if all(last <= a or first >= b for a, b in taken):
                events.append((first, last, role, False))
                taken.append((first, last))
    if not any(e[2] in ("drop", "only", "target", "named", "unwanted") for e in events):
        weak = _cues.WEAK_DROP.search(plain)
        if weak:
            events.append((start + weak.start(), start + weak.end(), "weak", True))
    return sorted(events, key=lambda e: e[0])


def _no_metric(clause: str) -> str:
    """Blank the "not" before a metric: what is left out there is no column."""
    for _, (first, _) in _measures.named(clause):
        found = _cues.NOT_IT.search(clause[:first])
        if found:
            start = found.start()
            clause = clause[:start] + "~" * (first - start) + clause[first:]
    return clause


def _context_mark(text: str, roles: list[Role], start: int, end: int) -> None:
    mark = text.rfind(_cues.CONTEXT_MARK, start, end)
    rest = text[mark + 1 : end].strip(" ,;.!?。、") if mark >= 0 else ""
    if rest and not _cues.PLAIN_HEAD.fullmatch(rest):
        _repaint(roles, start, mark, "target", "context")
        if "target" not in roles[start:end]:
            _repaint(roles, start, mark, "open", "context")


def _repaint(roles: list[Role], start: int, end: int, old: Role, new: Role) -> None:
    roles[start:end] = [new if role == old else role for role in roles[start:end]]


def _plain_parts(words: list[Word]) -> list[Word]:
    """Let a word inside a phrase mean less: a "term deposit" is hardly a term."""
    covered = {
        position
        for phrase in words
        if phrase.length > 1
        for position in range(phrase.first, phrase.first + phrase.length)
    }
    nothing: frozenset[int] = frozenset()
    return [
        replace(w, concepts=nothing, near=nothing, inner=w.concepts | w.inner)
        if w.length == 1 and w.first in covered
        else w
        for w in words
    ]


def _hints(text: str, roles: list[Role], bounds: list[tuple[int, int]]) -> list[Word]:
    """Return words that a turn of phrase stands for: to "sell for" means a price.

    Each stands where its clause says what is asked for, else after the turn of phrase.
    """
    out = []
    for pattern, meaning in _cues.HINTS:
        for found in pattern.finditer(text):
            start, end = next(b for b in bounds if found.start() < b[1])
            asked = next((i for i in range(start, end) if roles[i] == "target"), found.end())
            place = min(asked, len(text) - 1)
            out += [
                replace(word, start=place, end=len(text), first=-1, guessed=True)
                for word in lexicon().words(meaning)
            ]
    out += [
        replace(word, start=found.start(), end=found.end(), first=-1, guessed=True)
        for found in _AGAIN.finditer(text)
        for word in lexicon().words("re" + found["verb"])
    ]
    return out


def _silent(text: str) -> Iterator[tuple[int, int]]:
    """Yield stretches that name limits or metrics, or mean nothing: never columns."""
    for idiom in _cues.IDIOM.finditer(text):
        yield idiom.span()
    yield from _limits.spans(text)
    yield from _measures.spans(text)
