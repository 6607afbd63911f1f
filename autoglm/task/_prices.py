"""What mistakes cost, said as two amounts, or as so many false alarms for one miss."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from autoglm.task._limits import number
from autoglm.task._phrases import phrases

_TIMES = phrases("price.miss")
_MISS, _ALARM = phrases("price.of_miss"), phrases("price.of_alarm")
_SAME, _RATHER = phrases("price.same"), phrases("price.rather")
_WORDS = (
    r"(?:a|one)\s+hundred|one|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty"
    r"|thirty|forty|fifty|a\s+dozen"
)
_CHINESE = "一二两三四五六七八九十百千"
_COUNT = re.compile(
    rf"\b(?:\d+|{_WORDS})\b|\d+|[{_CHINESE}]+(?=[次个回名位条起件张例倍台封单只])", re.I
)
#: An amount of money, or a bare number of some size; no time, share or size.
_AMOUNT = re.compile(
    r"(?<![A-Za-z0-9.])(?P<sign>[$€£¥]\s?)?(?P<n>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"\s?(?P<scale>k\b|m\b|thousand\b|million\b|千|万|亿)?"
    r"(?!\s*(?:%|percent|ms\b|s\b|sec|min|hour|day|week|month|year|[kmg]b\b|times|x\b|fold)"
    r"|[\d.]*\d|\s*[个]?(?:倍|毫秒|秒|分钟|小时|天|周|月|年|兆|岁|次|人|位|名|条|行|列))",
    re.IGNORECASE,
)
#: Money in Chinese numerals: "两万", "四千块"; "一笔" and "两个" count things.
_NUMERALS = re.compile(
    r"(?P<n>[一二两三四五六七八九十]+[百千]?[一二两三四五六七八九十百千]*)(?P<scale>万|亿)"
    r"|(?P<n2>[一二两三四五六七八九十]+[百千][一二两三四五六七八九十百]*|[一二两三四五六七八九十百千]+(?=元|块)|(?<=[亏赔花失])[一二两三四五六七八九十百千]+(?![个次笔名位]))"
)
_SCALES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "千": 1e3, "万": 1e4, "亿": 1e8}
_BREAK = re.compile(
    r"[,;。!?]|\.(?=\s|$)|\b(?:while|but|whereas|and|against|versus|vs|compared)\b|而|但|比",
    re.IGNORECASE,
)
_STOP = re.compile(r"[;:。!?\n]|\.(?=\s|$)")
_FULL_STOP = re.compile(r"[;。!?\n]|\.(?=\s|$)")
_COSTS = phrases("price.costs")


@dataclass(frozen=True)
class Price:
    """How many times worse a miss is than a false alarm, and where that is said."""

    ratio: float
    start: int
    end: int


def find(text: str) -> Price | None:
    """Return the price of a miss that a normalised sentence states, or None.

    Examples
    --------
    >>> find("a missed fault costs $5,000, a needless visit $250").ratio
    20.0
    """
    return _told_outright(text) or _by_amounts(text) or _by_count(text) or _rather(text)


def _told_outright(text: str) -> Price | None:
    found = _TIMES.search(text)
    if found is None:
        return None
    times = number(next(value for value in found.groupdict().values() if value))
    return Price(times, *found.span())


def _by_amounts(text: str) -> Price | None:
    """Read "a miss costs 5000, a false alarm 250", in either order."""
    found = [*_AMOUNT.finditer(text), *_NUMERALS.finditer(text)]
    amounts = sorted(found, key=lambda amount: amount.start())
    for first, second in pairwise(amounts):
        middle = _BREAK.search(text, first.end(), second.start())
        if middle is None or not _COSTS.search(text, _start(text, first.start()), second.end()):
            continue
        begin = _start(text, first.start())
        ahead = _STOP.search(text, second.end())
        end = ahead.start() if ahead else len(text)
        named = max((m.end() for m in _FULL_STOP.finditer(text, 0, first.start())), default=0)
        kinds = _kinds(text[named : middle.start()], text[middle.start() : end])
        if kinds is None:
            continue
        miss, alarm = (first, second) if kinds[0] == "miss" else (second, first)
        if _value(alarm) > 0 and _value(miss) > 0:
            return Price(round(_value(miss) / _value(alarm), 6), begin, end)
    return None


def _start(text: str, before: int) -> int:
    return max((m.end() for m in _STOP.finditer(text, 0, before)), default=0)


def _kinds(first: str, second: str) -> tuple[str, str] | None:
    """Return which of two parts speaks of a miss; one that says neither is the other kind."""
    said = [_kind(first), _kind(second)]
    if said[0] == said[1]:
        return None
    if not said[0]:
        said[0] = "miss" if said[1] == "alarm" else "alarm"
    return (said[0], "alarm" if said[0] == "miss" else "miss")


def _kind(part: str) -> str:
    """Return "miss", "alarm" or "", by what is named first."""
    miss, alarm = _MISS.search(part), _ALARM.search(part)
    if miss and alarm:
        return "miss" if miss.start() < alarm.start() else "alarm"
    return "miss" if miss else "alarm" if alarm else ""


def _value(amount: re.Match[str]) -> float:
    scale = _SCALES[amount["scale"].lower()] if amount["scale"] else 1.0
    figures = amount["n"] or amount["n2"]
    return number(figures.replace(",", "")) * scale


def _by_count(text: str) -> Price | None:
    """Read "one miss is as bad as eight false alarms", in either order."""
    for same in _SAME.finditer(text):
        begin = _start(text, same.start())
        ahead = _STOP.search(text, same.end())
        end = ahead.start() if ahead else len(text)
        kinds = _kind(text[begin : same.start()]), _kind(text[same.end() : end])
        if set(kinds) != {"miss", "alarm"}:
            continue
        counted = _COUNT.search(text, same.end(), end)
        before = list(_COUNT.finditer(text, begin, same.start()))
        left = number(before[-1].group()) if before else 1.0
        right = number(counted.group()) if counted else 1.0
        if left <= 0 or right <= 0 or left == right:
            continue
        ratio = right / left if kinds[0] == "miss" else left / right
        return Price(round(ratio, 6), begin, end)
    return None


def _rather(text: str) -> Price | None:
    """Read "rather twenty false alarms than one miss"."""
    for found in _RATHER.finditer(text):
        said, missed = found["alarms"] or found["alarms2"], found["misses"] or found["misses2"]
        alarms, misses = _COUNT.search(said), _COUNT.search(missed)
        if alarms and _kind(said) != "miss":
            many, few = number(alarms.group()), number(misses.group()) if misses else 1.0
            if many > few > 0:
                return Price(round(many / few, 6), *found.span())
    return None


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the price of mistakes is stated."""
    price = find(text)
    if price is not None:
        yield price.start, price.end
