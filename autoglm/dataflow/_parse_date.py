"""One cell of text to a moment: the slow, thorough reading behind `parse.parse_dates`."""

from __future__ import annotations

import datetime as dt
import re

_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
_MONTHS = {
    name: number
    for number, names in enumerate(
        ["jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july",
         "aug august", "sep sept september", "oct october", "nov november", "dec december"], 1)
    for name in names.split()
}  # fmt: skip
_TIME = re.compile(
    r"""[T ,]*(?P<noon>上午|下午|晚上|早上|中午|凌晨)?\s*
    (?:(?P<h>\d{1,2})[::时点](?P<m>\d{1,2})?[分]?(?::?(?P<s>\d{1,2})秒?(?P<f>[.,]\d+)?)?|
       (?P<h2>\d{2})(?P<m2>\d{2})(?P<s2>\d{2})?)
    \s*(?P<half>[AaPp]\.?[Mm]\.?)?
    \s*(?P<zone>Z|UTC|GMT|[+\-]\d{2}(?::?\d{2})?)?""",
    re.VERBOSE,
)
_YEAR_FIRST = re.compile(
    r"(?P<y>\d{4})(?:(?P<sep>[-/.])(?P<m>\d{1,2})(?:(?P=sep)(?P<d>\d{1,2}))?"
    r"|\s*年\s*(?P<m2>\d{1,2})\s*月(?:\s*(?P<d2>\d{1,2})\s*[日号]?)?|(?P<m3>\d{2})(?P<d3>\d{2}))"
    r"(?![\d./-])"
)
_YEAR_LAST = re.compile(
    r"(?P<a>\d{1,2})(?P<sep>[-/.])(?P<b>\d{1,2})(?P=sep)(?P<y>\d{4}|\d{2})(?!\d)"
)
_WORDS = re.compile(
    r"(?:[A-Za-z]{3,9},?\s+)?(?:(?P<d>\d{1,2})(?:st|nd|rd|th)?[\s\-/]*(?:of\s+)?(?P<mon>[A-Za-z]{3,9})"
    r"|(?P<mon2>[A-Za-z]{3,9})\.?\s+(?P<d2>\d{1,2})(?:st|nd|rd|th)?)"
    r"[\s,.\-/]*(?P<y>\d{4}|\d{2})(?!\d)"
)
_MONTH_YEAR = re.compile(r"(?P<mon>[A-Za-z]{3,9})[\s,.\-/]*(?P<y>\d{4})(?!\d)")


def read_date(text: str, day_first: bool = False) -> tuple[float, str] | None:
    """Return (seconds since 1970-01-01 UTC, shape of the date), or None when it is no date.

    Shapes are "y-m-d", "y/m/d", "y.m.d", "yyyymmdd", "年月日", "d/m/y", "m/d/y" (with the
    separator used) and "words". A time without a zone is UTC.

    Examples
    --------
    >>> read_date("1970-01-02"), read_date("1970年1月1日 8:00"), read_date("02.01.1970")
    ((86400.0, 'y-m-d'), (28800.0, '年月日'), (86400.0, 'd.m.y'))
    """
    if not 6 <= len(text) <= 48:
        return None
    found = _read_day(text, day_first)
    if found is None:
        return None
    year, month, day, shape, end = found
    try:
        seconds = (dt.date(year, month, day).toordinal() - _EPOCH_DAY) * 86400.0
    except ValueError:
        return None
    time = _read_time(text[end:])
    return None if time is None else (seconds + time, shape)


def day_order(text: str) -> str:
    """Return "day" or "month" when the cell shows which comes first, else "".

    Examples
    --------
    >>> day_order("25/12/2024"), day_order("12/25/2024"), day_order("1/2/2024")
    ('day', 'month', '')
    """
    found = _YEAR_LAST.match(text)
    if found is None:
        return ""
    first, second = int(found["a"]), int(found["b"])
    return "day" if first > 12 >= second else "month" if second > 12 >= first else ""


def read_ymd(value: float) -> float:
    """Return seconds since 1970 of a number like 20240105; NaN when it is no such date."""
    if not 19000101 <= value <= 21001231 or value != int(value):
        return float("nan")
    number = int(value)
    try:
        day = dt.date(number // 10000, number // 100 % 100, number % 100)
    except ValueError:
        return float("nan")
    return (day.toordinal() - _EPOCH_DAY) * 86400.0


def _read_day(text: str, day_first: bool) -> tuple[int, int, int, str, int] | None:
    if found := _YEAR_FIRST.match(text):
        month = found["m"] or found["m2"] or found["m3"]
        day = found["d"] or found["d2"] or found["d3"] or 1
        separator = found["sep"]
        shape = (
            f"y{separator}m{separator}d" if separator else "年月日" if found["m2"] else "yyyymmdd"
        )
        return int(found["y"]), int(month), int(day), shape, found.end()
    if found := _YEAR_LAST.match(text):
        first, second, separator = int(found["a"]), int(found["b"]), found["sep"]
        swap = day_first or separator == "."
        if first > 12 or second > 12:
            swap = first > 12
        month, day = (second, first) if swap else (first, second)
        order = "dmy" if swap else "mdy"
        return _full_year(found["y"]), month, day, separator.join(order), found.end()
    return _read_words(text)


def _read_words(text: str) -> tuple[int, int, int, str, int] | None:
    found = _WORDS.match(text)
    if found:
        name, day = found["mon"] or found["mon2"], int(found["d"] or found["d2"])
    else:
        found = _MONTH_YEAR.match(text)
        if not found:
            return None
        name, day = found["mon"], 1
    month = _MONTHS.get(name.casefold())
    return None if month is None else (_full_year(found["y"]), month, day, "words", found.end())


def _full_year(text: str) -> int:
    year = int(text)
    # POSIX: 69-99 are of the last century.
    return year if len(text) == 4 else year + (1900 if year >= 69 else 2000)


def _read_time(text: str) -> float | None:
    text = text.strip()
    if not text:
        return 0.0
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    hour, minute = int(found["h"] or found["h2"]), int(found["m"] or found["m2"] or 0)
    second = int(found["s"] or found["s2"] or 0) + float((found["f"] or "0").replace(",", "."))
    half = (found["half"] or "").lower().replace(".", "")
    if (half == "pm" or found["noon"] in ("下午", "晚上")) and hour < 12:
        hour += 12
    elif half == "am" and hour == 12:
        hour = 0
    if hour > 24 or minute > 59 or second >= 61:
        return None
    return hour * 3600 + minute * 60 + second - _zone_seconds(found["zone"])


def _zone_seconds(zone: str | None) -> float:
    if zone is None or not zone[1:].replace(":", "").isdigit():
        return 0.0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds
