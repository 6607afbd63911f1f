"""Limits said in words: time for the work, latency of one prediction, size, memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from autoglm.task._phrases import phrases

LimitField = Literal["time_limit_s", "latency_ms", "size_mb", "memory_mb"]

_WORD_NUMBERS = {
    "a tenth of a": 0.1, "a hundredth of a": 0.01,
    "half a": 0.5, "half an": 0.5, "half": 0.5, "a": 1, "an": 1, "one": 1, "two": 2, "three": 3,
    "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12,
    "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "forty-five": 45, "fifty": 50,
    "sixty": 60, "ninety": 90, "hundred": 100, "a hundred": 100, "one hundred": 100,
    "a couple of": 2, "a few": 3, "a quarter of an": 0.25, "one and a half": 1.5, "半": 0.5,
    "半个": 0.5, "几": 3, "数": 3,
}  # fmt: skip
_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_PLACES = {"十": 10, "百": 100, "千": 1000}
_SECONDS = {
    "ms": 1e-3, "毫秒": 1e-3, "s": 1.0, "秒": 1.0, "m": 60.0, "分": 60.0, "刻": 900.0,
    "h": 3600.0, "小": 3600.0, "钟": 3600.0,
}  # fmt: skip
_MEGABYTES = {"k": 1e-3, "m": 1.0, "g": 1e3, "兆": 1.0, "t": 1e6}

_english = "|".join(sorted((w for w in _WORD_NUMBERS if w.isascii()), key=len, reverse=True))
_NUMBER = (
    rf"(?P<n>\d+(?:\.\d+)?|(?<![a-z])(?:{_english})(?=[\s-])"
    r"|半个?|[零一二两三四五六七八九十百千几数]+)"
)
_DURATION = re.compile(
    _NUMBER + r"[\s-]*个?(?P<half>半)?"
    r"(?P<u>毫秒|秒钟?|分钟|刻钟|小时|钟头|分(?=内|之内|以内|半)"
    r"|(?:ms|milli-?seconds?|seconds?|secs?|s|minutes?|minuts?|mins?|min|hours?|hrs?|h)(?![a-z0-9_]))"
    r"(?P<later>半钟?|\s+and\s+a\s+half\b)?",
    re.IGNORECASE,
)
_SIZE = re.compile(
    r"(?P<n>\d+(?:\.\d+)?)\s*(?P<u>[kmgt])(?:i?b|(?=内存|以?内|之内|的?显存))(?![a-z])"
    r"|(?P<n2>\d+(?:\.\d+)?)\s*(?P<u2>(?:mega|giga|kilo)bytes?|兆|个g)",
    re.IGNORECASE,
)
_BOUND_BEFORE, _BOUND_AFTER = phrases("limit.bound_before"), phrases("limit.bound_after")
_HORIZON_BEFORE = phrases("limit.horizon_before")
_PER_PREDICTION, _ANSWER = phrases("limit.per_prediction"), phrases("limit.answer")
_MEMORY, _MODEL_SIZE = phrases("limit.memory"), phrases("limit.model_size")
_AGAIN = re.compile(
    r"(?:\b(?:make|call)\s+(?:it|that)\s+|\b(?:better|rather)\s+(?:say\s+|make\s+it\s+)?"
    r"|(?:改|换)(?:成|为)|还是(?:给|改成)?)"
    rf"{_NUMBER.replace('(?=[' + chr(92) + 's-])', chr(92) + 'b')}",
    re.IGNORECASE,
)
_EACH = re.compile(r"\s*(?:per|a|an|each|every|/|每)\s*\w", re.IGNORECASE)
_EDGES = re.compile(r"[,;!?。;\n]|\.(?=\s|$)")


@dataclass(frozen=True)
class Limit:
    """One limit found: its field, its value in the field's unit, and the words that say it."""

    field: LimitField
    value: float
    words: str
    start: int
    end: int


def find(text: str) -> list[Limit]:
    """Return the limits that a normalised sentence sets, in order."""
    found = _said(text)
    kept = [x for x in found if not any(_replaces(x, other) for other in found)]
    return sorted(kept, key=lambda limit: limit.start)


def _said(text: str) -> list[Limit]:
    """Return every limit that is said, those taken back too."""
    found = [*_durations(text), *_sizes(text)]
    return found + [again for limit in found for again in _said_again(text, limit)]


def _said_again(text: str, limit: Limit) -> Iterator[Limit]:
    """Yield what a second thought puts in place of a limit: "10 minutes ... make it three"."""
    again = _AGAIN.search(text, limit.end)
    first = re.match(_NUMBER, limit.words)
    if again is None or first is None or number(first["n"]) <= 0:
        return
    for later in _DURATION.finditer(text, limit.end):
        if later.start() <= again.end("n") and later.end() >= again.start("n"):
            return  # it has a unit of its own
    unit = limit.value / number(first["n"])
    value = round(number(again["n"]) * unit, 6)
    yield Limit(limit.field, value, again.group().strip(), *again.span())


def _replaces(limit: Limit, other: Limit) -> bool:
    """Return whether a later limit takes the place of an earlier one."""
    return limit.field == other.field and limit.end <= other.start


@dataclass(frozen=True)
class Amount:
    """A quantity in a text, and where it stands."""

    value: float
    start: int
    end: int


def durations(text: str) -> Iterator[Amount]:
    """Yield every length of time in a normalised sentence, seconds, whatever it is said of."""
    for found in _DURATION.finditer(text):
        yield Amount(_seconds(found), found.start(), found.end())


def amounts(text: str) -> Iterator[Amount]:
    """Yield every size in a normalised sentence, megabytes, whatever it is said of."""
    for found in _SIZE.finditer(text):
        yield Amount(_megabytes(found), found.start(), found.end())


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where limits are said."""
    for limit in _said(text):
        yield limit.start, limit.end


def number(words: str) -> float:
    """Return the value of a number in figures, English words or Chinese numerals.

    Examples
    --------
    >>> number("2.5"), number("half an"), number("四十五"), number("两百"), number("十")
    (2.5, 0.5, 45.0, 200.0, 10.0)
    """
    key = re.sub(r"\s+", " ", words.strip().lower())
    if key in _WORD_NUMBERS:
        return float(_WORD_NUMBERS[key])
    if re.fullmatch(r"\d+(?:\.\d+)?", key):
        return float(key)
    total = digit = 0
    for character in key:
        if character in _PLACES:
            total += (digit or 1) * _PLACES[character]
            digit = 0
        else:
            digit = _DIGITS.get(character, 0)
    return float(total + digit)


def _durations(text: str) -> Iterator[Limit]:
    matches = list(_DURATION.finditer(text))
    position = 0
    while position < len(matches):
        first = last = matches[position]
        seconds = _seconds(first)
        while (
            position + 1 < len(matches)
            and not text[last.end() : matches[position + 1].start()].strip()
        ):
            position += 1
            last = matches[position]
            seconds += _seconds(last)  # "1 hour 30 minutes"
        position += 1
        field = _duration_field(text, first.start(), last.end(), seconds)
        if field is not None and seconds > 0:
            value = seconds * 1e3 if field == "latency_ms" else seconds
            words = text[first.start() : last.end()].strip()
            yield Limit(field, round(value, 6), words, first.start(), last.end())


def _seconds(found: re.Match[str]) -> float:
    unit = found["u"].lower()
    key = "ms" if unit.startswith(("ms", "milli")) else "毫秒" if unit == "毫秒" else unit[0]
    half = 0.5 if found["half"] or found["later"] else 0.0
    return (number(found["n"]) + half) * _SECONDS[key]


def _duration_field(text: str, start: int, end: int, seconds: float) -> LimitField | None:
    before, after = text[:start], text[end:]
    clause = _around(text, start, end)
    if _HORIZON_BEFORE.search(before):
        return None
    bounded = _BOUND_BEFORE.search(before) or _BOUND_AFTER.search(after)
    alone = len(re.findall(r"[\u3400-\u9fff]|[A-Za-z]+", clause.replace(text[start:end], ""))) <= 3
    if seconds < 0.2 and _EACH.match(after):
        return "latency_ms"  # "10 ms per frame"
    if not (bounded or alone):
        return None
    if seconds < 0.2 or _PER_PREDICTION.search(clause) or (_ANSWER.search(clause) and seconds <= 2):
        return "latency_ms"
    return "time_limit_s"


def _sizes(text: str) -> Iterator[Limit]:
    for found in _SIZE.finditer(text):
        clause = _around(text, found.start(), found.end())
        memory = _MEMORY.search(clause) is not None
        alone = len(clause) - (found.end() - found.start()) <= 12
        if not (memory or alone or _MODEL_SIZE.search(clause)):
            continue
        field: LimitField = "memory_mb" if memory else "size_mb"
        yield Limit(field, _megabytes(found), found.group().strip(), found.start(), found.end())


def _megabytes(found: re.Match[str]) -> float:
    unit = (found["u"] or found["u2"]).lower().lstrip("个")
    return float(found["n"] or found["n2"]) * _MEGABYTES[unit[0]]


def _around(text: str, start: int, end: int) -> str:
    first = max((m.end() for m in _EDGES.finditer(text, 0, start)), default=0)
    last = _EDGES.search(text, end)
    return text[first : last.start() if last else len(text)]
