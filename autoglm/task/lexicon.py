"""Meanings of words: which words, Chinese or English, name the same thing.

The words stand in ``lexicon.txt`` beside this file, one concept a line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from autoglm.task._words import Token, misspelt, normal, tokens

_LONGEST_PHRASE = 4


@dataclass(frozen=True)
class Word:
    """A word or a phrase with what it may mean.

    Attributes
    ----------
    text, stem
        As written (lower case) and its stem; a phrase joins its stems by blanks.
    start, end
        Where it stands in the text.
    first, length
        Number of its first single word, and how many it joins.
    concepts, near
        Concepts it names; groups of things it is near to.
    number
        Its value when it is a number.
    known
        False for a run of Chinese characters that the lexicon lacks.
    guessed
        Whether the concepts are those of a word it may be a misspelling of.
    """

    text: str
    stem: str
    start: int
    end: int
    first: int
    length: int = 1
    concepts: frozenset[int] = frozenset()
    near: frozenset[int] = frozenset()
    number: float | None = None
    known: bool = True
    guessed: bool = False


class Lexicon:
    """Concepts by word, read from lines as `lexicon.txt` has them.

    Parameters
    ----------
    lines
        "中文, ... | english, ..." names one concept, "~ english, ..." words near each other;
        "#" starts a comment.

    Examples
    --------
    >>> lexicon = Lexicon(["流失 | churn, exited"])
    >>> [w.concepts == lexicon.words("Exited")[0].concepts for w in lexicon.words("客户流失")]
    [False, True]
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._concepts: dict[str, set[int]] = defaultdict(set)
        self._near: dict[str, set[int]] = defaultdict(set)
        self._spelling: dict[str, str] = {}
        self._written: dict[str, str] = {}
        self.n_pairs = 0
        for number, line in enumerate(lines):
            line = normal(line.split("#")[0]).strip()
            if line.startswith("~"):
                self._add(self._near, line[1:], number)
            elif line:
                chinese, _, english = line.partition("|")
                count = self._add(self._concepts, chinese, number)
                self.n_pairs += count * self._add(self._concepts, english, number)
            for word in line.partition("|")[2].lower().split(","):
                if word.strip().isalpha():
                    self._written[word.strip()] = _key(word)
        self._near_concepts = self._groups_by_concept()
        self._longest = max((len(key) for key in self._concepts if not key.isascii()), default=1)
        self.stems = frozenset(part for key in self._concepts for part in key.split())

    def _groups_by_concept(self) -> dict[int, set[int]]:
        """Return the near groups of each concept: those of any of its words."""
        groups: dict[int, set[int]] = defaultdict(set)
        for key, near in self._near.items():
            for concept in self._concepts.get(key, ()):
                groups[concept] |= near
        return groups

    def _near_to(self, key: str) -> frozenset[int]:
        if key.isascii():
            return frozenset(self._near.get(key, ()))
        near = (self._near_concepts.get(c, set()) for c in self._concepts.get(key, ()))
        return frozenset().union(*near)

    @staticmethod
    def _add(index: dict[str, set[int]], words: str, number: int) -> int:
        keys = {_key(word) for word in words.split(",") if word.strip()}
        for key in keys:
            index[key].add(number)
        return len(keys)

    def words(self, text: str, *, forgive: bool = False) -> list[Word]:
        """Return the words of a text in order, then the phrases that mean something.

        With `forgive`, an English word that the lexicon lacks takes the meaning of the one it
        is most likely a misspelling of.
        """
        singles: list[Word] = []
        for token in tokens(normal(text)):
            parts = self._segment(token) if token.cjk else [(token, True)]
            for part, known in parts:
                singles.append(self._word(part, len(singles), known, forgive))
        phrases = [
            phrase
            for first in range(len(singles))
            for length in range(2, min(_LONGEST_PHRASE, len(singles) - first) + 1)
            if (phrase := self._phrase(singles[first : first + length])) is not None
        ]
        return singles + phrases

    def _word(self, token: Token, first: int, known: bool, forgive: bool) -> Word:
        key, guessed = token.stem, False
        if forgive and key.isascii() and token.number is None and key not in self.stems:
            key, guessed = self._meant(token), True
        return Word(
            token.text, token.stem, token.start, token.end, first,
            concepts=frozenset(self._concepts.get(key, ())),
            near=self._near_to(key),
            number=token.number, known=known, guessed=guessed,
        )  # fmt: skip

    def _meant(self, token: Token) -> str:
        """Return the key of the one word that a token misspells, else its own."""
        if token.text not in self._spelling:
            near = {
                key
                for word, key in self._written.items()
                if misspelt(token.text, word) or misspelt(token.stem, key)
            }
            self._spelling[token.text] = near.pop() if len(near) == 1 else token.stem
        return self._spelling[token.text]

    def _phrase(self, parts: list[Word]) -> Word | None:
        stem = " ".join(part.stem for part in parts)
        concepts = self._concepts.get(stem)
        if concepts is None:
            return None
        text = " ".join(part.text for part in parts)
        span = (parts[0].start, parts[-1].end)
        return Word(text, stem, *span, parts[0].first, len(parts), frozenset(concepts))

    def _segment(self, run: Token) -> list[tuple[Token, bool]]:
        """Cut a run of Chinese characters by the longest known words, left to right."""
        out: list[tuple[Token, bool]] = []
        unknown = position = 0
        text = run.text
        while position < len(text):
            size = self._longest_at(text, position)
            if size:
                if unknown < position:
                    out.append((_part(run, unknown, position), False))
                out.append((_part(run, position, position + size), True))
                unknown = position + size
            position += size or 1
        if unknown < len(text):
            out.append((_part(run, unknown, len(text)), False))
        return out

    def _longest_at(self, text: str, position: int) -> int:
        for size in range(min(self._longest, len(text) - position), 0, -1):
            if text[position : position + size] in self._concepts:
                return size
        return 0


def _part(run: Token, start: int, end: int) -> Token:
    piece = run.text[start:end]
    return Token(piece, piece, run.start + start, run.start + end, cjk=True)


def _key(word: str) -> str:
    return " ".join(token.stem for token in tokens(word.strip()))


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """Return the lexicon of the package."""
    source = resources.files("autoglm.task").joinpath("lexicon.txt")
    return Lexicon(source.read_text(encoding="utf-8").splitlines())
