"""Meanings of words: which words, Chinese or English, name the same thing.

The words stand in ``lexicon.txt`` and the files ``words_*.txt`` beside this file, one concept a
line. A Chinese word is known by its pinyin too, which is how some tables name their columns, and a
word that is written with a sign of the same sound is taken for the one it sounds like.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources

from autoglm.task._words import (
    CJK,
    Token,
    distance,
    misspelt,
    normal,
    skeletons,
    stem,
    tokens,
    word_set,
)
from autoglm.task.pinyin import spelled, spellings

_LONGEST_PHRASE = 4
_PLAIN, _CHINESE = re.compile(r"[a-z]+(?: [a-z]+)*"), re.compile(rf"[{CJK}]+")
#: Letters of a pinyin word that is no English word by chance.
LEAST_SOUND = 4
_NOTHING: frozenset[int] = frozenset()
#: Short forms: "pwr" and "mgmt", "susp"; and how many words one may stand for at the most.
_CONSONANTS, _CUT_SHORT = re.compile(r"[a-z][b-df-hj-np-tv-z]{2,5}"), re.compile(r"[a-z]{4,6}")
_MOST_MEANT = 4
#: Words that mean nothing by themselves, whatever has their stem ("them" is no theme).
_EMPTY_WORDS = word_set(
    "i me my we us our you your he him his she her it its they them their this that these those",
    "the a an and or but so not no if then than also too very just only please would could should",
    "ups apart training people",
)


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
    inner
        Concepts of shorter words inside a Chinese word, or of a word that is part of a phrase.
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
    inner: frozenset[int] = frozenset()


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
        self._concepts: dict[str, list[int]] = defaultdict(list)
        self._near: dict[str, list[int]] = defaultdict(list)
        self._sounds: dict[str, set[str]] = defaultdict(set)
        self._spelling: dict[str, str] = {}
        self._written: dict[str, str] = {}
        self._inner: dict[str, frozenset[int]] = {}
        self._short: dict[str, tuple[str, ...]] = {}
        self.n_pairs = 0
        for number, line in enumerate(lines):
            line = line.partition("#")[0].strip()
            if line.startswith("~"):
                self._add(self._near, line[1:], number)
            elif line:
                chinese, _, english = line.partition("|")
                count = self._add(self._concepts, chinese, number)
                self.n_pairs += count * self._add(self._concepts, english, number, written=True)
        self._by_letter: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for word, key in self._written.items():
            self._by_letter[word[0]].append((word, key))
        self._near_concepts = self._groups_by_concept()
        self._add_sounds()
        self._longest = max((len(key) for key in self._concepts if not key.isascii()), default=1)
        self.stems = frozenset(part for key in self._concepts for part in key.split())

    def _groups_by_concept(self) -> dict[int, set[int]]:
        """Return the near groups of each concept: those of any of its words."""
        groups: dict[int, set[int]] = defaultdict(set)
        for key, near in self._near.items():
            for concept in self._concepts.get(key, ()):
                groups[concept].update(near)
        return groups

    def _near_to(self, key: str) -> frozenset[int]:
        if key.isascii():
            return frozenset(self._near.get(key, ()))
        near = (self._near_concepts.get(c, set()) for c in self._concepts.get(key, ()))
        return frozenset().union(*near)

    def _add(
        self, index: dict[str, list[int]], words: str, number: int, *, written: bool = False
    ) -> int:
        keys = set()
        for each in words.split(","):
            word = each.strip()
            if not word:
                continue
            key = _key(word)
            keys.add(key)
            if written and word.isalpha() and word.isascii():
                self._written[word.lower()] = key
        for key in keys:
            index[key].append(number)
        return len(keys)

    def _add_sounds(self) -> None:
        """Know Chinese words by their pinyin, where it is no English word."""
        meant: dict[str, set[int]] = defaultdict(set)
        for word, concepts in self._concepts.items():
            sounds = () if word.isascii() else spellings(word)
            if sounds:
                self._sounds[sounds[0]].add(word)
            for sound in sounds:
                if len(sound) >= LEAST_SOUND:
                    meant[sound].update(concepts)
        for sound, known in meant.items():
            self._concepts.setdefault(stem(sound), sorted(known))

    def words(self, text: str, *, forgive: bool = False) -> list[Word]:
        """Return the words of a text in order, then the phrases that mean something.

        With `forgive`, an English word that the lexicon lacks takes the meaning of the one it
        is most likely a misspelling of.
        """
        singles: list[Word] = []
        for token in tokens(normal(text)):
            parts = self._segment(token) if token.cjk else [(token, True)]
            if token.cjk and forgive:
                parts = [found for part in _runs(parts) for found in self._heard(*part)]
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
        if token.text in _EMPTY_WORDS:
            return Word(token.text, token.stem, token.start, token.end, first)
        long = self._long_forms(token)
        if len(long) == 1 and _CONSONANTS.fullmatch(token.text):
            token, key = replace(token, stem=long[0]), long[0]
        elif long and not forgive:
            return Word(
                token.text, key, token.start, token.end, first, guessed=True,
                concepts=frozenset().union(*(self._concepts.get(k, ()) for k in long)),
            )  # fmt: skip
        if forgive and key.isascii() and token.number is None and key not in self.stems:
            key, guessed = self._meant(token), True
        return Word(
            token.text, token.stem, token.start, token.end, first,
            concepts=frozenset(self._concepts.get(key, ())),
            near=self._near_to(key),
            number=token.number, known=known, guessed=guessed,
            inner=self._inside(key) if token.cjk and known and len(key) > 2 else _NOTHING,
        )  # fmt: skip

    def _inside(self, word: str) -> frozenset[int]:
        """Return the concepts of the shorter words, of two signs or more, in a Chinese word."""
        if word not in self._inner:
            inner: set[int] = set()
            for size in range(2, len(word)):
                for at in range(len(word) - size + 1):
                    inner.update(self._concepts.get(word[at : at + size], ()))
            self._inner[word] = frozenset(inner.difference(self._concepts.get(word, ())))
        return self._inner[word]

    def parts(self, word: Word) -> list[Word]:
        """Return the shorter words that make up a Chinese word, or the word itself."""
        if word.text.isascii() or word.length > 1 or not word.inner:
            return [word]
        token = Token(word.text, word.text, word.start, word.end, cjk=True)
        cut = self._segment(token, most=len(word.text) - 1)
        return [self._word(part, word.first, known, forgive=False) for part, known in cut]

    def _long_forms(self, token: Token) -> tuple[str, ...]:
        """Return the keys of the words that an unknown English word may be short for."""
        text = token.text
        known = token.stem in self.stems or token.stem in self._concepts
        if known or not (_CONSONANTS.fullmatch(text) or _CUT_SHORT.fullmatch(text)):
            return ()
        if text not in self._short:
            self._short[text] = self._looked_up(text)
        return self._short[text]

    def _looked_up(self, short: str) -> tuple[str, ...]:
        """Return the keys of longer words with these consonants, else with these among theirs.

        A short form with vowels is the beginning of the word.
        """
        longer = [word for word, _ in self._by_letter[short[0]] if len(word) > len(short) + 1]
        if _CONSONANTS.fullmatch(short):
            meant = [word for word in longer if short in skeletons(word)]
            if not meant and len(short) >= LEAST_SOUND:
                order = re.compile(".*".join(short))
                meant = [w for w in longer if any(map(order.fullmatch, skeletons(w)))]
        else:
            meant = [word for word in longer if word.startswith(short)]
        keys = sorted({self._written[word] for word in meant})
        return tuple(keys) if len(keys) <= _MOST_MEANT else ()

    def _meant(self, token: Token) -> str:
        """Return the key of the one word that a token misspells, else its own."""
        if token.text not in self._spelling:
            near = {
                (distance(token.text, word, 3), key)
                for word, key in self._by_letter[token.text[0]]
                if misspelt(token.text, word) or misspelt(token.stem, key)
            }
            least = min(near, default=(0, ""))[0]
            nearest = {key for far, key in near if far == least}
            self._spelling[token.text] = nearest.pop() if len(nearest) == 1 else token.stem
        return self._spelling[token.text]

    def _phrase(self, parts: list[Word]) -> Word | None:
        stem = " ".join(part.stem for part in parts)
        concepts = self._concepts.get(stem)
        if concepts is None:
            return None
        text = " ".join(part.text for part in parts)
        span = (parts[0].start, parts[-1].end)
        return Word(text, stem, *span, parts[0].first, len(parts), frozenset(concepts))

    def _segment(self, run: Token, most: int | None = None) -> list[tuple[Token, bool]]:
        """Cut a run of Chinese characters by the longest known words, left to right.

        `most` is how many signs a word may have.
        """
        out: list[tuple[Token, bool]] = []
        unknown = position = 0
        text = run.text
        while position < len(text):
            size = self._longest_at(text, position, most or self._longest)
            if size:
                if unknown < position:
                    out.append((_part(run, unknown, position), False))
                out.append((_part(run, position, position + size), True))
                unknown = position + size
            position += size or 1
        if unknown < len(text):
            out.append((_part(run, unknown, len(text)), False))
        return out

    def _heard(self, part: Token, known: bool) -> Iterator[tuple[Token, bool]]:
        """Yield a run with signs of the same sound replaced where one word is meant."""
        at = 0
        for start, word in [] if known else self._sounding(part.text):
            if at < start:
                yield from self._segment(_part(part, at, start))
            at = start + len(word)
            inside = _part(part, start, at)
            yield Token(word, word, inside.start, inside.end, cjk=True), True
        if at < len(part.text):
            rest = _part(part, at, len(part.text))
            yield from ((rest, True),) if known else self._segment(rest)

    def _sounding(self, text: str) -> list[tuple[int, str]]:
        """Return places and words that a run sounds like, the longest words first."""
        found: dict[int, str] = {}
        taken = [False] * len(text)
        for size in (4, 3, 2):
            heard = [
                (self._heard_at(text[at : at + size]), at) for at in range(len(text) - size + 1)
            ]
            # Where two overlap, the one that tables speak of more.
            for word, at in sorted(heard, key=lambda pair: -len(self._concepts.get(pair[0], ()))):
                if word and not any(taken[at : at + size]):
                    found[at] = word
                    taken[at : at + size] = [True] * size
        return sorted(found.items())

    def _heard_at(self, said: str) -> str:
        """Return the word that some signs sound like, one of which is wrong; "" for none."""
        meant = [
            word for word in self._sounds.get(spelled(said), ())
            if len(word) == len(said) and sum(a != b for a, b in zip(word, said, strict=True)) == 1
        ]  # fmt: skip
        # Of several the one that tables speak of, clearly more than the others.
        meant.sort(key=lambda word: -len(self._concepts[word]))
        known = [len(self._concepts[word]) for word in meant]
        return meant[0] if len(meant) == 1 or (meant and known[0] >= 2 * known[1]) else ""

    def _longest_at(self, text: str, position: int, most: int) -> int:
        for size in range(min(most, len(text) - position), 0, -1):
            if text[position : position + size] in self._concepts:
                return size
        return 0


def _runs(parts: list[tuple[Token, bool]]) -> Iterator[tuple[Token, bool]]:
    """Yield parts with single signs joined to the unknown runs beside them: 挂 + 课 may be 挂科."""
    open_: list[Token] = []

    def joined() -> Iterator[tuple[Token, bool]]:
        if open_:
            text = "".join(token.text for token in open_)
            known = len(open_) == 1 and single
            yield Token(text, text, open_[0].start, open_[-1].end, cjk=True), known
        open_.clear()

    single = False
    for token, known in parts:
        if known and len(token.text) > 1:
            yield from joined()
            yield token, known
            continue
        single = known
        open_.append(token)
    yield from joined()


def _part(run: Token, start: int, end: int) -> Token:
    piece = run.text[start:end]
    return Token(piece, piece, run.start + start, run.start + end, cjk=True)


def _key(word: str) -> str:
    word = word.strip()
    if word.isascii() and word.isalpha():  # most of them are: no need to take them apart
        return stem(word)
    if _PLAIN.fullmatch(word):
        return " ".join(map(stem, word.split()))
    return word if _CHINESE.fullmatch(word) else " ".join(t.stem for t in tokens(word))


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """Return the lexicon of the package."""
    folder = resources.files("autoglm.task")
    names = sorted(file.name for file in folder.iterdir() if file.name.startswith("words_"))
    texts = [folder.joinpath(name).read_text(encoding="utf-8")
             for name in ("lexicon.txt", *names) if name.endswith(".txt")]  # fmt: skip
    return Lexicon(line for text in texts for line in normal(text).splitlines())
