"""How strongly a sentence speaks of a column, by its name or by its values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from autoglm.dataflow.profile import ColumnProfile
from autoglm.task._cues import Role
from autoglm.task._reading import Clause, Reading
from autoglm.task._words import misspelt, normal, word_set
from autoglm.task.lexicon import Word, lexicon

# How much a likeness of two words counts.
EXACT, CONCEPT, MISSPELT, SHORTENED, NEAR = 1.0, 0.9, 0.85, 0.8, 0.55
#: A name's word of three letters that begins a word of the sentence: "mod" for "module".
_CUT = 0.65
#: A meaning shared with a word inside a longer one: in the sentence's, in the name's.
_INNER, _PART = 0.7, 0.5
#: What words of many meanings lose where they share few of them.
_VAGUE = 0.12
#: How many words of a name may be one word cut up.
_LONGEST_RUN = 4
#: A name found word for word counts above any likeness, longer names more.
_WHOLE, _PER_WORD = 1.0, 0.02
_SCATTERED, _PER_OTHER_WORD = 0.97, 0.05

# Words of a column name that say little of what it is about.
FILLERS = word_set(
    "shu event is has was nbr nr flag ind indicator num no n of the a an total avg mean",
    "median average x y z col column var feature field value code in per by at to for and or",
    "on from with ever used id reported detected observed occurred happened flg cnt qty tot",
    "cd shifou bianhao zong pingjun type status ok given done made new old took got base",
    "basic curr current cur final actual act est kwh kw wh km mm cm kg g lb usd eur gbp rmb",
    "cny bpm mmhg rpm pcs pct bar celsius ha hectare acre mu sqm sqft",
    "是否 的 有无 字段 总 号 编号 平均 列 合计",
)
#: Names that are words of any sentence: they count where they stand in capitals as named.
LITTLE = word_set("a i at in on to no so as is it us me by or an am be do go he if my of up we pm")
_FILLER_WEIGHT, _NUMBER_WEIGHT, _SIGN_WEIGHT = 0.12, 0.3, 0.4
#: Words that only say how a thing is counted.
_LIGHT, _LIGHT_WEIGHT = (
    word_set("amt amount amnt lvl level 金额 数额 数量 次数 人数 个数 额度 jine"),
    0.5,
)
_PLAIN_VALUES = word_set(
    "yes no true false t f y n none other unknown 0 1 -1 2 是 否 有 无 真 假 其他 未知"
)


@dataclass(frozen=True)
class Name:
    """A column's name (or a value) as words with weights."""

    column: str
    words: tuple[Word, ...]
    weights: tuple[float, ...]
    phrases: tuple[Word, ...]

    @property
    def stems(self) -> tuple[str, ...]:
        """Its words' stems, in order."""
        return tuple(word.stem for word in self.words)

    @cached_property
    def finer(self) -> Name | None:
        """The same with long Chinese words taken apart: 成交, 周期; None where there are none."""
        parts: list[Word] = []
        for word in self.words:
            for part in lexicon().parts(word):
                parts.append(replace(part, first=len(parts)))
        if len(parts) == len(self.words):
            return None
        return Name(self.column, tuple(parts), tuple(map(_weight, parts)), ())


@dataclass(frozen=True)
class Mention:
    """Where the sentence speaks of a column.

    Attributes
    ----------
    strength
        0 to 1, a little above 1 for whole names of several words.
    words
        The words of the sentence.
    role
        Role of the stretch they stand in.
    by_value
        Whether a value of the column is named rather than the column.
    """

    strength: float
    words: tuple[str, ...] = ()
    role: Role = "open"
    by_value: bool = False


@lru_cache(maxsize=32_768)
def name_of(text: str) -> Name:
    """Take a column name or a value apart."""
    found = lexicon().words(text)
    singles = tuple(w for w in found if w.length == 1)
    alone = len(singles) == 1
    weights = tuple(1.0 if alone and w.text not in FILLERS else _weight(w) for w in singles)
    phrases = tuple(w for w in found if w.length > 1)
    run = _run_together(singles)
    return Name(text, singles, weights, phrases if run is None else (*phrases, run))


def _run_together(words: tuple[Word, ...]) -> Word | None:
    """Return the word that a name's words make without blanks: tiqian_huanqing, no_show."""
    if not 2 <= len(words) <= _LONGEST_RUN or not all(w.text.isascii() for w in words):
        return None
    made = lexicon().words("".join(word.text for word in words))
    if len(made) != 1 or not made[0].concepts:
        return None
    return replace(made[0], first=0, length=len(words))


def _weight(word: Word) -> float:
    """Return what a word counts for in a name: a number or a sign tells little."""
    if word.text in FILLERS:
        return _FILLER_WEIGHT
    if word.number is not None:
        return _NUMBER_WEIGHT
    if len(word.text) == 1:
        return _FILLER_WEIGHT if word.text.isascii() else _SIGN_WEIGHT
    return _LIGHT_WEIGHT if word.text in _LIGHT else 1.0


def mention(name: Name, reading: Reading, weights: Mapping[Role, float]) -> Mention:
    """Return the strongest mention of a name; the strength is weighted by the role.

    Parameters
    ----------
    name
        The column's name.
    reading
        The sentence.
    weights
        What a word counts for by its role; roles left out count for nothing.
    """
    best = Mention(0.0)
    if name.column.strip().lower() in LITTLE:
        return _verbatim(name, reading, weights)
    for clause in reading.clauses if _akin(name, reading) else ():
        allowed = [w for w in clause.words if weights.get(reading.role(w), 0.0) > 0]
        if allowed:
            best = max(best, _in_clause(name, clause, allowed, reading, weights), key=_strength)
    return max(best, _verbatim(name, reading, weights), key=_strength)


def _akin(name: Name, reading: Reading) -> bool:
    """Return whether any word of a name can be like one of the sentence: a quick first look."""
    words = (*name.words, *name.phrases)
    return any(
        word.stem in reading.stems
        or not reading.concepts.isdisjoint(word.concepts)
        or not reading.concepts.isdisjoint(word.inner)
        or not reading.near.isdisjoint(word.near)
        or (not word.text.isascii() and any(c in reading.text for c in word.text))
        for word in words
    ) or any(_alike(word.text, word.stem, reading.spellings) for word in name.words)


@lru_cache(maxsize=65_536)
def _alike(text: str, stem: str, spellings: frozenset[tuple[str, str]]) -> bool:
    """Return whether a word is spelt nearly as one of those written."""
    return text.isascii() and any(
        _shortened(text, other) or _shortened(other, text)
        or (len(text) == 3 and other.startswith(text))
        or misspelt(other, text) or misspelt(other_stem, stem)
        for other, other_stem in spellings
    )  # fmt: skip


def _strength(found: Mention) -> float:
    return found.strength


def _in_clause(
    name: Name,
    clause: Clause,
    allowed: Sequence[Word],
    reading: Reading,
    weights: Mapping[Role, float],
) -> Mention:
    whole = _whole(name, [w for w in allowed if w.length == 1])
    if whole:
        role = reading.role(whole[0])
        strength = _WHOLE + _PER_WORD * len(whole)
        return Mention(strength * weights[role], tuple(w.text for w in whole), role)
    found = _scattered(name, allowed, reading, weights)
    if name.finer is None:
        return found
    return max(found, _scattered(name.finer, allowed, reading, weights), key=_strength)


def _whole(name: Name, words: Sequence[Word]) -> Sequence[Word]:
    """Return the words that spell the name in order without a gap, or nothing."""
    size = len(name.words)
    if size == 1 and len(name.words[0].text) == 1 and name.words[0].text.isascii():
        return ()  # single letters only count when written as they are: see _verbatim
    for first in range(len(words) - size + 1):
        part = words[first : first + size]
        if all(a.stem == b.stem for a, b in zip(part, name.words, strict=True)):
            return part
    return ()


def _scattered(
    name: Name, allowed: Sequence[Word], reading: Reading, weights: Mapping[Role, float]
) -> Mention:
    """Weigh how much of the name the words cover, phrases of the name first."""
    scores = [0.0] * len(name.words)
    used: list[Word | None] = [None] * len(name.words)
    for part in (*name.phrases, *name.words):
        score, word = max(
            ((likeness(part, w) * weights[reading.role(w)], w) for w in allowed),
            key=lambda pair: pair[0],
        )
        for position in range(part.first, part.first + part.length):
            if score > scores[position]:
                scores[position], used[position] = score, word
    total = sum(name.weights)
    if not total or not any(used):
        return Mention(0.0)
    strength = sum(s * w for s, w in zip(scores, name.weights, strict=True)) / total
    words = [word for word in used if word is not None]
    main = max(zip(scores, used, strict=True), key=lambda pair: pair[0])[1] or words[0]
    texts = tuple(dict.fromkeys(word.text for word in words))
    if len(name.words) > 1:
        strength = min(
            _SCATTERED, strength * _SCATTERED + _PER_OTHER_WORD * (len(texts) - 1) * strength
        )
    return Mention(strength, texts, reading.role(main))


def _verbatim(name: Name, reading: Reading, weights: Mapping[Role, float]) -> Mention:
    """Find a name as it is written: names of signs, single letters, unknown Chinese words."""
    best = Mention(0.0)
    raw = normal(name.column).strip()
    if not raw or raw.lower() not in reading.lower:
        return best
    size = max(1, len(name.words))
    for start, end, quoted in written(name.column, reading.text):
        role = reading.roles[start]
        role = "open" if role == "none" and quoted else role
        strength = 0.9 if raw in ("a", "I") and not quoted else _WHOLE + _PER_WORD * size
        strength = (strength + (0.05 if quoted else 0.01)) * weights.get(role, 0.0)
        best = max(best, Mention(strength, (reading.text[start:end],), role), key=_strength)
    return best


def written(name: str, text: str) -> Iterator[tuple[int, int, bool]]:
    """Yield where a name stands in a normalised text as it is written, and whether in quotes."""
    raw = normal(name).strip()
    short = raw.isascii() and (len(raw) == 1 or raw.lower() in LITTLE)
    flags = 0 if short and raw.isupper() else re.IGNORECASE
    edge = r"[A-Za-z0-9_]"
    left = rf"(?<!{edge})(?<!{edge}')" if re.match(edge, raw) else ""
    right = rf"(?!{edge}|'{edge})" if raw and re.match(edge, raw[-1]) else ""
    for found in re.finditer(left + re.escape(raw) + right, text, flags) if raw else ():
        yield *found.span(), text[max(0, found.start() - 1)] in "\"'`“「《["


def likeness(wanted: Word, written: Word) -> float:
    """Return how alike two words are, 0 to 1, in spelling or in meaning."""
    if wanted.stem == written.stem:
        return EXACT if wanted.length == written.length else 0.0
    shared = len(wanted.concepts & written.concepts)
    if shared:
        most = (
            SHORTENED
            if written.guessed or wanted.guessed
            else CONCEPT + _PER_WORD * (written.length - 1)
        )
        return most - _VAGUE * (
            1 - shared / math.sqrt(len(wanted.concepts) * len(written.concepts))
        )
    inner = _inner(wanted, written)
    if inner:
        return inner
    if wanted.length > 1 or written.length > 1:
        return 0.0
    near = NEAR if wanted.near & written.near else 0.0
    if not wanted.text.isascii():
        return max(near, _chinese(wanted.text, written.text))
    if not written.text.isascii():
        return near
    if not wanted.concepts and len(wanted.text) == 3 and written.text.startswith(wanted.text):
        return max(near, _CUT)
    if _shortened(wanted.text, written.text) or _shortened(written.text, wanted.text):
        return SHORTENED
    if misspelt(written.text, wanted.text) or misspelt(written.stem, wanted.stem):
        return MISSPELT
    return near


def _inner(wanted: Word, written: Word) -> float:
    """Return how alike two words are by a meaning of a shorter word inside one of them."""
    if not wanted.concepts.isdisjoint(written.inner):
        return _INNER
    return 0.0 if wanted.inner.isdisjoint(written.concepts) else _PART


def _shortened(short: str, long: str) -> bool:
    """Return whether `short` is the beginning of `long` or `long` without its vowels."""
    if len(short) < 4 or len(long) - len(short) < 2:
        return (
            len(short) == 3 and short == re.sub("[aeiou]", "", long)[: len(long)] and len(long) > 4
        )
    return long.startswith(short) or short == long[0] + re.sub("[aeiou]", "", long[1:])


def _chinese(wanted: str, written: str) -> float:
    """Return the share of `wanted`'s pairs of characters that `written` has."""
    if len(wanted) == 1:
        return 0.7 if wanted in written and len(written) <= 2 else 0.0
    if wanted in written:
        return EXACT
    if len(written) > 1 and (wanted.startswith(written) or wanted.endswith(written)):
        return NEAR  # 客户 in 客户编号
    pairs = {wanted[i : i + 2] for i in range(len(wanted) - 1)}
    return MISSPELT * sum(pair in written for pair in pairs) / len(pairs)


def values_mentioned(
    column: ColumnProfile, reading: Reading, weights: Mapping[Role, float]
) -> dict[str, Mention]:
    """Return the values of a category or yes/no column that the sentence names."""
    if column.kind not in ("category", "boolean") or column.n_unique > 30:
        return {}
    out: dict[str, Mention] = {}
    for value, _ in column.top:
        name = name_of(value)
        if telling(value) and name.words:
            found = mention(_content(name), reading, weights)
            if found.strength >= 0.8 * weights.get(found.role, 0.0):
                out[value] = Mention(found.strength, found.words, found.role, by_value=True)
    return out


def telling(value: str) -> bool:
    """Return whether a value says what its column is about: not "yes", "1" or a single letter."""
    plain = value.strip().lower()
    chinese = not plain.isascii()
    return (
        plain not in _PLAIN_VALUES
        and (len(plain) > 2 or chinese)
        and not re.fullmatch(r"[-+]?[\d.,]+", plain)
    )


def _content(name: Name) -> Name:
    """Return a value's name with every word counted in full."""
    return Name(name.column, name.words, (1.0,) * len(name.words), name.phrases)


def positive_named(column: ColumnProfile, reading: Reading) -> str | None:
    """Return the value of a column that the sentence names as the positive class, or None."""
    for start, end in reading.stretches("positive"):
        stretch = reading.text[start:end]
        for value, _ in sorted(column.top, key=lambda pair: -len(pair[0])):
            if any(True for _ in written(value, stretch)):
                return value
    return None


#: Three names or more, or two with "or" between them.
_CHOICES = re.compile(
    r"(?:[A-Za-z]+\s*(?:,|/|、)\s*(?:or\s+)?){2,}(?:or\s+)?[A-Za-z]+(?:\s+or\s+[A-Za-z]+)?"
    r"|(?:[A-Za-z]+\s*,\s*)+[A-Za-z]+\s+or\s+[A-Za-z]+|[A-Za-z]+\s+(?:or|versus|vs\.?)\s+[A-Za-z]+",
    re.IGNORECASE,
)
#: The same of things with two words: "home win, draw or away win".
_LONG_CHOICES = re.compile(
    r"(?:[A-Za-z]+(?:\s[A-Za-z]+)?,\s*)+(?!or\b)[A-Za-z]+(?:\s(?!or\b)[A-Za-z]+)?,?\s+or\s+[A-Za-z]+(?:\s[A-Za-z]+)?",
    re.IGNORECASE,
)


def values_by_initials(column: ColumnProfile, reading: Reading) -> tuple[str, ...]:
    """Return the names in the sentence whose beginnings are all the values of a column.

    "Southampton, Cherbourg or Queenstown" names a column with the values S, C and Q.
    """
    values = {value.strip().lower() for value, _ in column.top}
    short = all(value.isalpha() and value.isascii() and len(value) <= 3 for value in values)
    if column.kind not in ("category", "boolean") or not short or not 2 <= len(values) <= 10:
        return ()
    for listed in _CHOICES.finditer(reading.text):
        names = [w for w in re.findall(r"[A-Za-z]+", listed.group()) if w.lower() not in _LINKS]
        starts = {value for value in values for w in names if w.lower().startswith(value)}
        if starts == values and len(names) == len(values):
            return tuple(names)
    for listed in _LONG_CHOICES.finditer(reading.text):
        items = re.split(r",\s*(?:or\s+)?|\s+or\s+", listed.group().lower())
        if len(items) == len(values) and _covers(items, values):
            return tuple(items)
    return ()


def _covers(items: Sequence[str], values: set[str]) -> bool:
    """Return whether each value begins a word of an item of its own."""
    if not items:
        return not values
    begun = {v for v in values if any(w.startswith(v) for w in items[0].split())}
    return any(_covers(items[1:], values - {v}) for v in begun)


_LINKS = frozenset({"or", "and", "vs", "versus"})
