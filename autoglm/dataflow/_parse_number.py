"""One cell of text to a number: the slow, thorough reading behind `parse.parse_numbers`."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

#: Cells, in lower case, that mean "no value" where numbers or dates are expected.
NUMBER_MARKERS = frozenset(
    [
        "na",
        "n/a",
        "n.a.",
        "#n/a",
        "#na",
        "#value!",
        "#div/0!",
        "#ref!",
        "null",
        "none",
        "nan",
        "<na>",
        "nil",
        "nat",
        "-",
        "--",
        "---",
        "—",
        "–",
        "―",
        "?",
        "??",
        "？",
        "missing",
        "unknown",
        "undefined",
        "unavailable",
        ".",
        "..",
        "*",
        "/",
        "\\n",
        "缺失",
        "缺失值",
        "未知",
        "无",
        "暂无",
        "空",
        "空值",
        "不详",
        "未填",
        "未填写",
        "无数据",
    ]
) | {"", "not available", "not applicable", "no data"}

_MAGNITUDES = {
    "十": 1e1, "百": 1e2, "千": 1e3, "万": 1e4, "萬": 1e4, "十万": 1e5, "百万": 1e6, "千万": 1e7,
    "亿": 1e8, "億": 1e8, "十亿": 1e9, "百亿": 1e10, "千亿": 1e11, "万亿": 1e12,
    "k": 1e3, "K": 1e3, "M": 1e6, "MM": 1e6, "mn": 1e6, "mln": 1e6, "million": 1e6,
    "B": 1e9, "bn": 1e9, "billion": 1e9, "%": 1e-2, "‰": 1e-3, "‱": 1e-4,
    "lakh": 1e5, "lac": 1e5, "crore": 1e7,
}  # fmt: skip
_CURRENCY = (
    r"US\$|HK\$|NT\$|A\$|C\$|R\$|[¥￥$€£₹₩₽₺฿₫₪]|"
    r"(?:USD|CNY|RMB|EUR|GBP|JPY|HKD|INR|TWD|KRW|AUD|CAD|CHF|SGD|RUB|BRL|MXN|SEK|NOK|DKK|PLN|Rs\.?)"
    r"(?![A-Za-z])"
)
_CURRENCY_WORDS = r"人民币|美元|美金|欧元|英镑|日元|港元|港币|元整|元|圆|块钱|块|dollars?|euros?"
_NUMBER = re.compile(
    rf"""(?P<bound>[<>≤≥~≈]|约|近|超过|大于|小于)?\s*
    (?P<sign>[+\-−])?\s*(?:{_CURRENCY})?\s*(?P<sign2>[+\-−])?
    (?P<digits>\d[\d,.'\ \u00a0\u202f]*|\.\d+)(?P<exponent>[eE][+\-]?\d+)?\s*
    (?P<magnitude>百万|千万|十万|十亿|百亿|千亿|万亿|[十百千万萬亿億]|[%‰‱]|
      (?:k|K|MM|M|B|bn|mn|mln|million|billion|lakh|lac|crore)(?![A-Za-z/]))?\s*
    (?:{_CURRENCY})?\s*(?P<money>{_CURRENCY_WORDS})?\s*
    (?P<unit>(?:[^\W\d_]|[°µ℃℉"'/²³%])(?:[^\d]{{0,18}}|[^\d]{{0,16}}[23]))?
    (?P<more>\+|余|多|左右|以上|以下)?""",
    re.VERBOSE,
)
_GROUPED = re.compile(r"\d{1,3}(?:[,' \u00a0\u202f]\d{2,3})*[,' \u00a0\u202f]\d{3}(?:\.\d*)?")
_GROUPED_COMMA = re.compile(r"\d{1,3}(?:[.' \u00a0\u202f]\d{3})+(?:,\d*)?")
_PLAIN = re.compile(r"\d*\.?\d+|\d+\.")
_PLAIN_COMMA = re.compile(r"\d*,?\d+|\d+,")
_SEPARATORS = re.compile(r"[,' \u00a0\u202f]")
_CLOCK = re.compile(r"(-)?(\d{1,3}):([0-5]\d)(?::([0-5]\d(?:\.\d+)?))?")


@dataclass(frozen=True)
class Reading:
    """What one cell says.

    Attributes
    ----------
    value
        The number, magnitudes such as 万 and K multiplied in, without its unit.
    unit
        The unit in lower case; "" for none.
    bound
        Whether it is said to be more, less or about that.
    clock
        Whether it is a time of day or a duration, in seconds.
    letter
        Whether its magnitude is a single letter, which may as well be part of a code.
    """

    value: float
    unit: str = ""
    bound: bool = False
    clock: bool = False
    letter: bool = False


def normalised(text: str) -> str:
    """Return the text without outer blanks and with full-width characters made narrow."""
    text = text.strip().strip("\x00\ufeff")
    return text if text.isascii() else unicodedata.normalize("NFKC", text).strip()


def is_marker(text: str, markers: frozenset[str] = NUMBER_MARKERS) -> bool:
    """Return whether the (normalised) cell means "no value"."""
    return text.casefold() in markers


def plain_number(text: str) -> float | None:
    """Return the number that the cell is as Python writes it, NaN for infinities, else None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else float("nan")


def read_number(text: str, decimal: str = ".") -> Reading | None:
    """Read a (normalised) cell with separators, currency, magnitude or unit; None if it is none.

    Examples
    --------
    >>> read_number("¥1.2万").value, read_number("(1,234)").value, read_number("12.5%").value
    (12000.0, -1234.0, 0.125)
    >>> read_number("23.4 kmpl").unit
    'kmpl'
    """
    if len(text) > 60:
        return None
    if found := _CLOCK.fullmatch(text):
        return _read_clock(found)
    negative = len(text) > 2 and text[0] == "(" and text[-1] == ")"
    found = _NUMBER.fullmatch(text[1:-1].strip() if negative else text)
    if found is None or (found["sign"] and found["sign2"]):
        return None
    value = _digits(found["digits"].strip(), found["exponent"] or "", decimal)
    if value is None:
        return None
    if negative or "-" in (sign := (found["sign"] or found["sign2"] or "")) or "−" in sign:
        value = -value
    if found["magnitude"]:
        # Times ten to the minus n is a division: 3 % is then 0.03 to the last bit.
        factor = _MAGNITUDES[found["magnitude"]]
        value = value * factor if factor > 1 else value / round(1 / factor)
    if not abs(value) < float("inf"):
        value = float("nan")
    letter = (found["magnitude"] or "-") in "kKMB"
    unit = re.sub(r"\s+", " ", found["unit"] or "").strip().casefold()
    return Reading(value, unit, bool(found["bound"] or found["more"]), letter=letter)


def shows_decimal_comma(text: str) -> bool:
    """Return whether the cell can only be read with a comma as decimal mark.

    Examples
    --------
    >>> shows_decimal_comma("3,5"), shows_decimal_comma("1.234,50"), shows_decimal_comma("1,234")
    (True, True, False)
    """
    found = re.search(r"(\d[\d.]*),(\d+)(?![\d,.])", text)
    if found is None or text.count(",") > 1:
        return False
    return len(found[2]) != 3 or "." in found[1] or found[1] == "0"


def _read_clock(found: re.Match[str]) -> Reading:
    hours, minutes, seconds = int(found[2]), int(found[3]), float(found[4] or 0)
    value = 3600 * hours + 60 * minutes + seconds
    return Reading(-value if found[1] else value, clock=True)


def _digits(digits: str, exponent: str, decimal: str) -> float | None:
    grouped, plain = (_GROUPED, _PLAIN) if decimal == "." else (_GROUPED_COMMA, _PLAIN_COMMA)
    if plain.fullmatch(digits):
        digits = digits.replace(",", ".")
    elif grouped.fullmatch(digits):
        if decimal == ",":
            digits = digits.replace(".", "").replace(",", ".")
        digits = _SEPARATORS.sub("", digits)
    else:
        return None
    return float(digits + exponent)


#: Units of one dimension with their size; a column that mixes them is brought to one.
FAMILIES: tuple[dict[str, float], ...] = (
    {"mm": 1e-3, "cm": 1e-2, "dm": 0.1, "m": 1.0, "km": 1e3, "毫米": 1e-3, "厘米": 1e-2, "米": 1.0,
     "公里": 1e3, "千米": 1e3, "in": 0.0254, "inch": 0.0254, "inches": 0.0254, "ft": 0.3048,
     "feet": 0.3048, "mi": 1609.344, "mile": 1609.344, "miles": 1609.344},
    {"mg": 1e-6, "g": 1e-3, "kg": 1.0, "kgs": 1.0, "t": 1e3, "毫克": 1e-6, "克": 1e-3, "公斤": 1.0,
     "千克": 1.0, "斤": 0.5, "吨": 1e3, "lb": 0.45359237, "lbs": 0.45359237, "oz": 0.028349523125},
    {"ms": 1e-3, "毫秒": 1e-3, "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0,
     "秒": 1.0, "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0, "分": 60.0,
     "分钟": 60.0, "h": 3600.0, "hr": 3600.0, "hrs": 3600.0, "hour": 3600.0, "hours": 3600.0,
     "小时": 3600.0, "day": 86400.0, "days": 86400.0, "天": 86400.0, "日": 86400.0,
     "week": 604800.0, "weeks": 604800.0, "周": 604800.0, "month": 2629800.0, "months": 2629800.0,
     "月": 2629800.0, "个月": 2629800.0, "year": 31557600.0, "years": 31557600.0,
     "yr": 31557600.0, "yrs": 31557600.0, "年": 31557600.0},
    {"kb": 1.0, "mb": 1024.0, "gb": 1024.0**2, "tb": 1024.0**3},
    {"ml": 1e-3, "cl": 1e-2, "l": 1.0, "毫升": 1e-3, "升": 1.0},
    {"w": 1.0, "kw": 1e3, "mw": 1e6, "hz": 1e-3},
    {"㎡": 1.0, "m2": 1.0, "m²": 1.0, "平": 1.0, "平米": 1.0, "平方米": 1.0, "sqm": 1.0,
     "亩": 666.6666666666666, "公顷": 1e4, "sqft": 0.09290304, "sq ft": 0.09290304},
    {"岁": 1.0, "周岁": 1.0},
    {"个": 1.0, "件": 1.0, "只": 1.0, "台": 1.0, "次": 1.0, "人": 1.0},
)  # fmt: skip


def unit_factors(counts: dict[str, float]) -> tuple[dict[str, float], bool]:
    """Return each unit's factor to the most frequent one, and whether they belong together.

    Parameters
    ----------
    counts
        Units with the number of cells they stand in.
    """
    main = max(counts, key=lambda unit: counts[unit])
    for family in FAMILIES:
        if main in family:
            known = {u: family[u] / family[main] for u in counts if u in family}
            if len(known) == len(counts):
                return known, True
    return dict.fromkeys(counts, 1.0), len(counts) == 1
