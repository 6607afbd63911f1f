"""Which `ParseRule` fits a column, found from its distinct values and their counts."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autoglm.dataflow._parse_date import day_order, read_date
from autoglm.dataflow._parse_number import (
    NUMBER_MARKERS,
    Reading,
    is_marker,
    normalised,
    plain_number,
    read_number,
    shows_decimal_comma,
    unit_factors,
)
from autoglm.dataflow.parse import (
    FALSE_WORDS,
    TRUE_WORDS,
    ParseRule,
    parse_booleans,
    parse_dates,
    parse_numbers,
)

#: Share of the cells with a value that must be readable for a column to be of that kind.
READABLE = 0.97
#: Cells that mean "no value" in a column of names, where "none" or "unknown" may be a category.
NAME_MARKERS = frozenset(
    ["?", "na", "n/a", "#n/a", "null", "nan", "<na>", "-", "--", "\\n", "缺失", "缺失值", "？"]
)
_PROBE = 100
_MAX_UNITS = 6
_MAX_DIGITS = 15
_DATE_NAME = re.compile(
    r"(?i)(date|(?<![a-z])time(?![a-z])|timestamp|(?<![a-z])(ts|dt|day|at|created|updated)(?![a-z])"
    r"|日期|时间|时刻|日$)"
)
_BOOLEAN_PAIRS = [frozenset(pair) for pair in zip(TRUE_WORDS, FALSE_WORDS, strict=False)] + [
    frozenset(("有", "无")), frozenset(("有", "没有")), frozenset(("对", "错"))
]  # fmt: skip
_LONE_BOOLEANS = frozenset(("yes", "no", "true", "false", "是", "否"))


@dataclass(frozen=True)
class Inference:
    """A rule and what it makes of the distinct values.

    Attributes
    ----------
    rule
        The rule found.
    values
        float64 (u,) reading of each distinct value; None for kind "string".
    unreadable
        Cells with a value that the rule cannot read.
    notes
        As in `ColumnProfile.notes`.
    """

    rule: ParseRule
    values: NDArray[np.float64] | None
    unreadable: int = 0
    notes: tuple[str, ...] = ()


def infer_rule(uniques: list[Any], counts: NDArray[np.int64]) -> Inference:
    """Return the rule that fits distinct values (none of them missing) best.

    Parameters
    ----------
    uniques
        Distinct cells of a column: text, or Python objects of any type.
    counts
        (u,) cells of each.
    """
    kinds = set(map(type, uniques))
    notes = ("mixed_types",) if len({_family(k) for k in kinds}) > 1 else ()
    if not kinds:
        return Inference(ParseRule(), None)
    if kinds == {str}:
        found = _infer_text(uniques, counts)
    elif kinds <= {bool, np.bool_}:
        found = Inference(ParseRule(kind="boolean"), parse_booleans(uniques))
    elif all(issubclass(k, (dt.date, np.datetime64)) for k in kinds):
        found = _as_dates(uniques, counts, plain=True)
    elif all(issubclass(k, (int, float, np.number)) or _family(k) == "number" for k in kinds):
        found = Inference(ParseRule(kind="number"), parse_numbers(uniques))
    else:
        found = _infer_mixed(uniques, counts)
    return Inference(found.rule, found.values, found.unreadable, notes + found.notes)


def dates_by_name(values: NDArray[np.float64], name: str) -> Literal["s", "ms", "ymd"] | None:
    """Return how numbers are to be read as dates, when the name says they are some."""
    present = values[~np.isnan(values)]
    if not len(present) or not _DATE_NAME.search(name):
        return None
    low, high = float(present.min()), float(present.max())
    if low >= 19000101 and high <= 21001231:
        days = parse_dates(present[:_PROBE], ParseRule(kind="date", epoch="ymd"))
        if np.isfinite(days).mean() >= READABLE:
            return "ymd"
    if low >= 3e8 and high <= 5e9:
        return "s"
    return "ms" if low >= 3e11 and high <= 5e12 else None


def _family(kind: type) -> str:
    if kind is bool or kind is np.bool_:
        return "boolean"
    if issubclass(kind, (dt.date, np.datetime64)):
        return "date"
    if issubclass(kind, str):
        return "text"
    number = issubclass(kind, (int, float, np.number, dt.timedelta, dt.time))
    return "number" if number or kind.__name__ in ("Decimal", "Fraction") else kind.__name__


def _infer_text(texts: list[str], counts: NDArray[np.int64]) -> Inference:
    found = _as_booleans(texts) or _as_numbers(texts, counts)
    if found is not None:
        return found
    if sum(_may_be_date(t) for t in texts[:_PROBE]) >= 0.5 * len(texts[:_PROBE]):
        dates = _as_dates(texts, counts, plain=False)
        if dates.values is not None:
            return dates
    lowered = {t.strip().casefold() for t in (texts if len(texts) < 5000 else _short(texts))}
    return Inference(ParseRule(missing=tuple(sorted(lowered & NAME_MARKERS))), None)


def _short(texts: list[str]) -> list[str]:
    return [t for t in texts if len(t) < 6]


def _infer_mixed(uniques: list[Any], counts: NDArray[np.int64]) -> Inference:
    """Read a column of several Python types as numbers or dates when nearly all can be."""
    numbers = parse_numbers(uniques, ParseRule(kind="number"))
    texts = [str(u) for u in uniques]
    valued = np.array([not is_marker(normalised(t)) for t in texts])
    if _share(np.isfinite(numbers), counts, valued) >= READABLE:
        unreadable = int(counts[valued & ~np.isfinite(numbers)].sum())
        return Inference(ParseRule(kind="number", plain=False), numbers, unreadable)
    dates = _as_dates(uniques, counts, plain=False)
    if dates.values is not None:
        return dates
    found = _as_booleans(texts)
    if found is not None:
        return found
    lowered = {t.strip().casefold() for t in texts}
    return Inference(ParseRule(missing=tuple(sorted(lowered & NAME_MARKERS))), None)


def _share(ok: NDArray[np.bool_], counts: NDArray[np.int64], valued: NDArray[np.bool_]) -> float:
    total = counts[valued].sum()
    return float(counts[ok & valued].sum() / total) if total else 0.0


def _as_booleans(texts: list[str]) -> Inference | None:
    if len(texts) > 12:
        return None
    lowered = [normalised(t).casefold() for t in texts]
    words = {t for t in lowered if t not in NAME_MARKERS}
    fits = any(words <= pair for pair in _BOOLEAN_PAIRS)
    if not fits or not (len(words) == 2 or (words and words <= _LONE_BOOLEANS)):
        return None
    true = tuple(sorted(words & set(TRUE_WORDS)))
    false = tuple(sorted(words & set(FALSE_WORDS)))
    missing = tuple(sorted(set(lowered) & NAME_MARKERS))
    rule = ParseRule(kind="boolean", plain=False, true=true, false=false, missing=missing)
    return Inference(rule, parse_booleans(texts, rule))


def _is_code(text: str) -> bool:
    """Return whether digits name something: a leading zero, or more than a float can hold."""
    digits = text.strip()
    return digits.isdigit() and (
        (len(digits) > 1 and digits[0] == "0") or _MAX_DIGITS < len(digits) < 40
    )


def _as_numbers(texts: list[str], counts: NDArray[np.int64]) -> Inference | None:
    probe = texts[:: max(1, len(texts) // _PROBE)][:_PROBE]
    readable = sum(plain_number(t) is not None or _might_be_number(t) for t in probe)
    if readable < 0.5 * len(probe):
        return None
    if any(map(_is_code, probe)) and sum(map(_is_code, texts)) > 0.01 * len(texts):
        return None
    try:
        values = np.array(texts, dtype=object).astype(np.float64)
    except ValueError:
        return _as_decorated(texts, counts)
    values[np.isinf(values)] = np.nan
    return Inference(ParseRule(kind="number"), values)


def _might_be_number(text: str) -> bool:
    text = normalised(text)
    return is_marker(text) or read_number(text) is not None or shows_decimal_comma(text)


def _as_decorated(texts: list[str], counts: NDArray[np.int64]) -> Inference | None:
    """Find separators, currency, magnitudes and units; None when too little can be read."""
    values = np.array([np.nan if (v := plain_number(t)) is None else v for t in texts])
    odd = np.flatnonzero(np.isnan(values))
    clean = {i: normalised(texts[i]) for i in odd.tolist()}
    markers = {i for i, t in clean.items() if is_marker(t)}
    words = [t for i, t in clean.items() if i not in markers]
    decimal: Literal[".", ","] = "," if any(map(shows_decimal_comma, words)) else "."
    readings = {i: read_number(t, decimal) for i, t in clean.items() if i not in markers}
    units: Counter[str] = Counter()
    clocks = 0
    for i, reading in readings.items():
        if reading is not None:
            units[reading.unit] += int(counts[i])
            clocks += reading.clock
    named = {unit: float(n) for unit, n in units.items() if unit}
    factors, related = unit_factors(named) if named else ({}, True)
    # "5B" beside "5A" is a code, not five billion.
    codes = bool(named) and any(r is not None and r.letter for r in readings.values())
    some_clocks = clocks and clocks < len(texts) - len(markers)
    if len(factors) > _MAX_UNITS or codes or some_clocks:
        return None
    missing = tuple(sorted({clean[i].casefold() for i in markers}))
    rule = ParseRule(kind="number", plain=False, missing=missing, units=factors,
                     decimal=decimal, clock=bool(clocks))  # fmt: skip
    values = parse_numbers(texts, rule)
    valued = np.ones(len(texts), dtype=bool)
    valued[list(markers)] = False
    ok = np.isfinite(values)
    if _share(ok, counts, valued) < READABLE or not _keeps_apart(values, readings, related=related):
        return None
    notes = () if related else ("mixed_units",)
    return Inference(rule, values, int(counts[valued & ~ok].sum()), notes)


def _keeps_apart(
    values: NDArray[np.float64], readings: dict[int, Reading | None], *, related: bool
) -> bool:
    """Return whether what differs in more than notation stays different as a number.

    "5A" and "5B", or "<=50K" and ">50K", must not become one number.
    """
    ok = np.flatnonzero(np.isfinite(values)).tolist()
    meant = set()
    for i in ok:
        reading = readings.get(i)
        unit = "" if reading is None or related else reading.unit
        meant.add((values[i], unit, reading is not None and reading.bound))
    return len({value for value, _, _ in meant}) >= 0.9 * len(meant)


def _may_be_date(text: str) -> bool:
    text = normalised(text)
    return is_marker(text) or (any(c.isdigit() for c in text) and read_date(text) is not None)


def _as_dates(uniques: list[Any], counts: NDArray[np.int64], *, plain: bool) -> Inference:
    texts = [normalised(u) for u in uniques if isinstance(u, str)]
    orders = Counter(map(day_order, texts))
    missing = {t.casefold() for t in texts if len(t) < 16} & NUMBER_MARKERS
    shapes: Counter[str] = Counter()
    day_first = orders["day"] > orders["month"]
    for text in texts[:: max(1, len(texts) // 2000)]:
        found = read_date(text, day_first)
        if found is not None:
            shapes[found[1]] += 1
    rule = ParseRule(kind="date", plain=plain, missing=tuple(sorted(missing)), day_first=day_first,
                     formats=tuple(shape for shape, _ in shapes.most_common()))  # fmt: skip
    values = parse_dates(uniques, rule)
    valued = np.array([not (isinstance(u, str) and is_marker(normalised(u))) for u in uniques])
    ok = np.isfinite(values)
    if _share(ok, counts, valued) < READABLE:
        return Inference(ParseRule(), None)
    notes = ("mixed_dates",) if len(shapes) > 1 else ()
    return Inference(rule, values, int(counts[valued & ~ok].sum()), notes)
