"""The numbers in a text, in English and Chinese, as exact fractions.

Digits in every spelling (1,250.5; １２; 25%; 3/4; 1 1/2; 2(1/3); 1.5亿; 3 million), number words
(three; twenty-five; a dozen; half), Chinese numerals (十二; 一百零五; 三分之一; 百分之二十; 半).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

#: Circled numbers count points of a list, or stand for numbers; they are none themselves.
CIRCLED = "".join(map(chr, [*range(0x2460, 0x2474), *range(0x3251, 0x3260)]))
#: Characters of a text that are looked at, and digits of a number.
MOST_CHARACTERS, MOST_DIGITS = 200_000, 60

_SCALES_ZH = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}
_DIGITS_ZH = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_SCALES_EN = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_SMALL_EN = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TIMES_TEN_EN = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_UNITS_EN = {word: value for value, word in enumerate(_SMALL_EN)}
_TENS_EN = {word: 10 * value for value, word in enumerate(_TIMES_TEN_EN, start=2)}
_OTHER_EN = {
    "dozen": Fraction(12), "half": Fraction(1, 2), "halves": Fraction(1, 2),
    "quarter": Fraction(1, 4), "quarters": Fraction(1, 4), "third": Fraction(1, 3),
    "thirds": Fraction(1, 3), "fourth": Fraction(1, 4), "fourths": Fraction(1, 4),
    "fifth": Fraction(1, 5), "fifths": Fraction(1, 5), "sixths": Fraction(1, 6),
    "eighths": Fraction(1, 8), "tenths": Fraction(1, 10), "once": Fraction(1),
    "twice": Fraction(2), "double": Fraction(2), "triple": Fraction(3), "thrice": Fraction(3),
    "pair": Fraction(2), "couple": Fraction(2), "single": Fraction(1),
}  # fmt: skip
_WORD_EN = "|".join(sorted([*_UNITS_EN, *_TENS_EN, *_OTHER_EN], key=len, reverse=True))
_SCALE_EN = "|".join(_SCALES_EN)

_ZH = "一二两三四五六七八九十百千万"
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
_PATTERN = re.compile(
    rf"""
    (?P<mixed>\d+)(?:\s*\(\s*|\s+)(?P<mixed_top>\d+)\s*/\s*(?P<mixed_low>\d+)\)?
  | \(?(?<![\d.])(?P<top>\d+)\s*/\s*(?P<low>\d+)(?![\d.])\)?
  | (?P<digits>{_DIGITS})(?:[eE](?P<power>[+-]?\d{{1,2}}))?
      (?:\s*(?P<scale>[万亿]|(?:{_SCALE_EN})\b))?(?P<percent>\s*(?:%|％|‰|percent\b))?
  | 百分之(?P<zh_percent>[零〇{_ZH}]+|{_DIGITS})
  | (?P<zh_low>[{_ZH}]+|\d+)分之(?P<zh_top>[{_ZH}]+|\d+)
  | (?P<zh>[零〇一二两三四五六七八九十](?:[零〇一二两三四五六七八九十百万亿]|千(?![克米瓦卡帕焦]))*)
  | (?P<half>半)
  | \b(?P<words>(?:{_WORD_EN})(?:(?:[\s-]+(?:and[\s-]+)?(?:{_WORD_EN}|{_SCALE_EN}))\b)*)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True)
class Quantity:
    """A number in a text.

    Attributes
    ----------
    value
        As a fraction; "25%" is 1/4.
    start, end
        Where it stands, in characters of the text as given.
    text
        How it is written.
    written
        Whether it has digits; number words may be part of other words.
    percent
        Whether it is a share of a hundred.
    """

    value: Fraction
    start: int
    end: int
    text: str
    written: bool
    percent: bool = False


def narrow(text: str) -> str:
    """Return a text of the same length with full-width digits and signs made narrow.

    Examples
    --------
    >>> narrow("１２％，（３）")
    '12%,(3)'
    """
    return "".join(
        n
        if len(n := unicodedata.normalize("NFKC", c)) == 1 and not c.isspace() and c not in CIRCLED
        else c
        for c in text
    )


def read_numbers(text: str) -> list[Quantity]:
    """Return the numbers in a text, in order.

    Examples
    --------
    >>> [str(q.value) for q in read_numbers("3个苹果等于6元,打八折,占百分之二十和三分之一,共1.5万")]
    ['3', '6', '8', '1/5', '1/3', '15000']
    >>> [str(q.value) for q in read_numbers("Twenty-five of 1,250.5 and 3/4, half a dozen")]
    ['25', '2501/2', '3/4', '1/2', '12']
    """
    found = []
    for match in _PATTERN.finditer(narrow(text[:MOST_CHARACTERS])):
        value = _value(match)
        if value is not None:
            written = any(c.isdigit() for c in match[0])
            percent = bool(match["percent"] or match["zh_percent"])
            start, end = _trimmed(match)
            found.append(Quantity(value, start, end, text[start:end], written, percent))
    return found


def _trimmed(match: re.Match[str]) -> tuple[int, int]:
    """Return where the number stands without brackets that do not belong to it."""
    start, end, text = match.start(), match.end(), match[0]
    if text.startswith("(") and not text.endswith(")"):
        start += 1
    if text.endswith(")") and "(" not in text:
        end -= 1
    return start, end


def _value(match: re.Match[str]) -> Fraction | None:
    group = match.groupdict()
    if max(len(part) for part in re.findall(r"\d+", match[0]) or ["0"]) > MOST_DIGITS:
        return None
    if group["mixed"]:
        low = int(group["mixed_low"])
        return int(group["mixed"]) + Fraction(int(group["mixed_top"]), low) if low else None
    if group["top"]:
        return Fraction(int(group["top"]), int(group["low"])) if int(group["low"]) else None
    if group["digits"]:
        return _written(group)
    if group["zh_percent"]:
        share = group["zh_percent"]
        value = chinese_number(share)
        return Fraction(share.replace(",", "")) / 100 if value is None else value / 100
    if group["zh_low"]:
        part, whole = (chinese_number(group[k]) or Fraction(0) for k in ("zh_top", "zh_low"))
        return part / whole if whole else None
    if group["half"]:
        return Fraction(1, 2)
    return chinese_number(group["zh"]) if group["zh"] else _english(group["words"].lower())


def _written(group: dict[str, str | None]) -> Fraction:
    value = Fraction((group["digits"] or "").replace(",", ""))
    value *= Fraction(10) ** int(group["power"] or 0)
    if scale := group["scale"]:
        value *= _SCALES_ZH.get(scale) or _SCALES_EN[scale.lower()]
    if sign := group["percent"]:
        value /= 1000 if "‰" in sign else 100
    return value


@lru_cache(maxsize=4096)
def chinese_number(text: str) -> Fraction | None:
    """Return the value of a Chinese numeral or digits; None when it is neither.

    Examples
    --------
    >>> [int(chinese_number(t)) for t in ("十二", "一百零五", "两万三千", "三亿", "二〇二六")]
    [12, 105, 23000, 300000000, 2026]
    """
    if len(text) > MOST_DIGITS:
        return None
    if text.isascii() and text.isdigit():
        return Fraction(int(text))
    if all(c in _DIGITS_ZH for c in text):  # digit by digit, as years are read
        return Fraction(int("".join(str(_DIGITS_ZH[c]) for c in text)))
    high = total = section = digit = 0  # above 亿, above 万, below it
    last, skipped = 1, False  # the scale before a digit, and whether 零 stands between
    for character in text:
        if character in _DIGITS_ZH:
            digit, skipped = _DIGITS_ZH[character], skipped or character in "零〇"
            continue
        if (scale := _SCALES_ZH.get(character)) is None:
            return None
        if scale == 10**8:
            high, total, section = (high + total + section + digit or 1) * scale, 0, 0
        elif scale == 10**4:
            total, section = (total + section + digit or 1) * scale, 0
        else:
            section += (digit or 1) * scale
        digit, last, skipped = 0, scale, False
    if digit and last >= 100 and not skipped:
        digit *= last // 10  # 三百五 is 350
    return Fraction(high + total + section + digit)


def _english(text: str) -> Fraction | None:
    """Return the value of number words; the longest beginning that makes a number."""
    total = Fraction(0)
    part: Fraction | None = None
    for word in re.split(r"[\s-]+", text):
        if word == "and":
            continue
        if word in _SCALES_EN:
            scale = _SCALES_EN[word]
            part = (part or Fraction(1)) * scale
            if scale > 100:
                total, part = total + part, None
        elif word in _OTHER_EN:
            part = _OTHER_EN[word] if part is None else part * _OTHER_EN[word]
        else:
            value = Fraction(_UNITS_EN.get(word, _TENS_EN.get(word, 0)))
            part = value if part is None else part + value
    return total + (part or 0)
