"""Words of a sentence, a column name or a value, brought to one form."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# camelCase and letters beside digits are split; "MS.SubClass", "is_fraud", "PM2.5" too.
_TOKEN = re.compile(
    rf"(?P<number>\d+(?:\.\d+)?(?:[kKmM](?![a-zA-Z])|万|亿|千)?)"
    rf"|(?P<cjk>[{CJK}]+)"
    r"|(?P<word>[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_])"
)
_SCALE = {"k": 1e3, "m": 1e6, "千": 1e3, "万": 1e4, "亿": 1e8}
#: Irregular forms, each line with the plain one first.
_IRREGULAR = {
    form: plain
    for plain, *forms in map(str.split, (
        "pay paid", "sell sold", "buy bought", "bring brought", "catch caught", "teach taught",
        "think thought", "seek sought", "fight fought", "spend spent", "send sent", "lend lent",
        "build built", "lose lost", "keep kept", "sleep slept", "feel felt", "meet met",
        "make made making", "say said", "tell told", "hold held", "find found", "go went gone goes",
        "come came coming", "give gave given giving", "take took taken taking",
        "break broke broken", "steal stole stolen", "choose chose chosen", "write wrote written",
        "drive drove driven driving", "ride rode ridden", "rise rose risen", "fall fell fallen",
        "grow grew grown", "know knew known", "throw threw thrown", "fly flew flown",
        "draw drew drawn", "see saw seen", "eat ate eaten", "win won winning", "run ran running",
        "begin began begun", "sink sank sunk", "drink drank drunk", "wear wore worn",
        "tear tore torn", "freeze froze frozen", "speak spoke spoken", "stick stuck",
        "strike struck", "swing swung", "hang hung", "dig dug", "win won", "bite bit bitten",
        "hide hid hidden", "forget forgot forgotten", "get got gotten getting", "sit sat sitting",
        "stand stood", "understand understood", "leave left leaving", "die died dying dies",
        "lie lying", "bleed bled", "feed fed", "lead led", "read reads", "shoot shot", "shut shuts",
        "withdraw withdrew withdrawn", "overspend overspent", "resell resold", "rebuy rebought",
        "repay repaid", "undergo underwent undergone", "foresee foresaw foreseen",
    ))
    for form in forms
}  # fmt: skip
# (ending, letters that must stay, replacement), first fit wins
_ENDINGS = (
    ("ational", 4, ""), ("ization", 4, ""), ("ations", 4, ""), ("ation", 4, ""),
    ("ies", 3, "y"), ("ings", 4, ""), ("ing", 4, ""), ("ions", 4, ""), ("ion", 4, ""),
    ("ers", 4, ""), ("ors", 4, ""), ("ied", 3, "y"), ("ed", 3, ""), ("er", 4, ""),
    ("or", 4, ""), ("als", 4, ""), ("al", 4, ""), ("ics", 4, ""), ("ic", 4, ""),
    ("ments", 4, ""), ("ment", 4, ""), ("ly", 4, ""), ("es", 4, ""), ("s", 3, ""), ("e", 4, ""),
)  # fmt: skip


_BY_LAST = {
    last: tuple(ending for ending in _ENDINGS if ending[0][-1] == last)
    for last in {ending[0][-1] for ending in _ENDINGS}
}


@dataclass(frozen=True)
class Token:
    """One word: where it stands, its stem, and its value when it is a number."""

    text: str
    stem: str
    start: int
    end: int
    cjk: bool = False
    number: float | None = None


def word_set(*lines: str) -> frozenset[str]:
    """Return the words of lines that part them by blanks."""
    return frozenset(word for line in lines for word in line.split())


def normal(text: str) -> str:
    """Return the text with full-width forms folded and apostrophes straightened."""
    return unicodedata.normalize("NFKC", text).replace("\u2019", "'")


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Return a rough English stem: "survived", "survival" and "survives" become one.

    Examples
    --------
    >>> stem("Survived") == stem("survival"), stem("cancelled") == stem("cancel")
    (True, True)
    """
    word = word.lower()
    word = _IRREGULAR.get(word, word)
    if not word.isascii() or word.endswith("ss"):
        return word
    for ending, keep, put in _BY_LAST.get(word[-1:], ()):
        if word.endswith(ending) and len(word) - len(ending) >= keep:
            word = word[: len(word) - len(ending)] + put
            break
    if len(word) > 4 and word[-1] == "y":
        word = word[:-1] + "i"
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "sz":
        word = word[:-1]
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def tokens(text: str) -> Iterator[Token]:
    """Split a normalised text; runs of Chinese characters stay whole."""
    for found in _TOKEN.finditer(text):
        raw, start, end = found.group(), found.start(), found.end()
        if found.lastgroup == "number":
            scale = _SCALE.get(raw[-1].lower(), 1.0)
            digits = raw if scale == 1.0 else raw[:-1]
            value = float(digits) * scale
            yield Token(raw, f"{value:g}", start, end, number=value)
        elif found.lastgroup == "cjk":
            yield Token(raw, raw, start, end, cjk=True)
        elif not (start and text[start - 1] == "'"):  # the t of don't, the s of today's
            yield Token(raw.lower(), stem(raw), start, end)


def skeletons(word: str) -> tuple[str, ...]:
    """Return a word without its vowels but a first one; then with double letters made single.

    Examples
    --------
    >>> skeletons("billing"), skeletons("power")
    (('bllng', 'blng'), ('pwr',))
    """
    bare = word[:1] + re.sub("[aeiou]", "", word[1:])
    single = re.sub(r"(.)\1", r"\1", bare)
    return (bare,) if single == bare else (bare, single)


def distance(a: str, b: str, most: int) -> int:
    """Return the edit distance with swaps of neighbours (optimal string alignment).

    Counting stops above `most`.
    """
    if abs(len(a) - len(b)) > most:
        return most + 1
    older: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row = row, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
        older = before
    return row[-1]


def misspelt(written: str, meant: str) -> bool:
    """Return whether `written` is likely `meant` with a slip of the keyboard."""
    if min(len(written), len(meant)) < 5 or written[0] != meant[0]:
        return False
    most = 2 if len(meant) >= 9 else 1
    return distance(written, meant, most) <= most
