"""What a question is before anything is asked: its language, numbers, unit, options."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal

from autoglm.core.errors import SpecError
from autoglm.core.text import Language, has_chinese, say
from autoglm.reason.expression import ExpressionError, evaluate, parse
from autoglm.reason.numbers import Quantity, narrow, read_numbers
from autoglm.reason.slots import marked, slots_of

#: Characters of a question.
MOST_CHARACTERS = 100_000
Kind = Literal["arithmetic", "problem", "choice", "open"]

_MONEY_ZH = re.compile(r"多少钱|几元|多少元|几块钱|多少块")
_ASKED_ZH = re.compile(r"(?:多少|几)\s*(?P<unit>[^\s,，。.?？、;；:：()（）0-9a-zA-Z%]{1,3})")
#: What follows "多少" or "几" without being a unit.
_NO_UNIT_ZH = ("?", "呢", "的", "了", "是", "和", "倍", "比", "分之")
#: Units of more than one character.
_LONG_ZH = re.compile(
    "平方(?:千米|分米|厘米|毫米|米)|立方(?:分米|厘米|米)|千米|千克|千瓦|分米|厘米|毫米|毫升|公里"
    "|公斤|公顷|公亩|小时|分钟|人民币"
)
_MONEY_EN = re.compile(
    r"how much (?:money|does|do|did|will|would|is|are|was|were)|how many dollars"
    r"|what (?:is|was) the (?:total )?(?:price|cost)",
    re.IGNORECASE,
)
_MANY_EN = re.compile(r"how many (?:more |fewer |less |total )?(?P<unit>[a-z]+)", re.IGNORECASE)
#: Operations in words, and what asks for the value of a calculation.
_OPERATIONS = {
    r"\bplus\b|加上?": "+", r"\bminus\b|减去?": "-",
    r"\btimes\b|\bmultiplied\s+by\b|乘以?": "*", r"\bdivided\s+by\b|除以": "/",
}  # fmt: skip
_ASIDE = re.compile(
    r"等于多少|等于几|是多少|得多少|的?结果|的值|请|计算|算一下|算出|求"
    r"|\b(?:how\s+much\s+is|what\s+is|what's|calculate|compute|evaluate|work\s+out|please"
    r"|the\s+(?:value|result)\s+of|equals?)\b|[=?!:。]|(?<![\d\s)]),|,(?!\s*[-+\d(.])|\.(?!\d)",
    re.IGNORECASE,
)
#: What a calculation itself is made of.
#: A calendar date alone, which asks for no difference.
_DATE = re.compile(r"\d{4}([-/.])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])[?？]?")
_ARITHMETIC = re.compile(r"[\s0-9.+\-*/×÷^()%]+")
_ASKS_A_NUMBER = re.compile(
    r"多少|几(?!乎)|百分|percent|how (?:many|much|long|far|old|tall|fast|heavy)", re.IGNORECASE
)
_ASKS_A_NAME = re.compile(
    r"\b(?:who|whose|whom|when|where|which|why)\b|谁|哪|什么时候|何时|为什么", re.IGNORECASE
)
_OPTION = re.compile(r"\s*\(?([A-Ha-h])[).、．。:：\s]\s*(\S.*?)\s*")
_CURRENCY = {"$": "$", "¥": "元", "€": "€", "£": "£"}


def _options(text: str) -> tuple[tuple[str, str], ...]:
    """Return the options at the end of a question, by letter; none when letters are missing."""
    found: dict[str, str] = {}
    for line in reversed(text.splitlines()):
        match = _OPTION.fullmatch(line)
        if line.strip() and (match is None or match[1].upper() in found):
            break
        if match:
            found[match[1].upper()] = match[2]
    letters = sorted(found)
    all_there = letters == [chr(ord("A") + i) for i in range(len(letters))]
    if len(found) < 2 or not all_there:
        return ()
    return tuple((letter, found[letter]) for letter in letters)


@dataclass(frozen=True)
class Question:
    """A question and what can be seen of it.

    Attributes
    ----------
    text
        As asked.
    options
        Letters and texts, when it offers some.
    """

    text: str
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(cls, text: str) -> Question:
        """Look at a question.

        Raises
        ------
        SpecError
            When it is empty or too long.
        """
        text = text.replace("\x00", "").strip()
        if not text:
            raise SpecError(
                say(en="The question is empty.", zh="问题是空的。"),
                hint=say(en="Write the question.", zh="请写出问题。"),
            )
        if len(text) > MOST_CHARACTERS:
            size = f"{len(text):,}"
            raise SpecError(
                say(en=f"The question has {size} characters; {MOST_CHARACTERS:,} are the most.",
                    zh=f"问题有 {size} 个字符,最多 {MOST_CHARACTERS:,} 个。"),
                hint=say(en="Shorten it, or ask over documents.",
                         zh="请缩短问题,或改为对文档提问。"),
            )  # fmt: skip
        return cls(text, _options(text))

    @cached_property
    def language(self) -> Language:
        """Return the language it is asked in."""
        return "zh" if has_chinese(self.text) else "en"

    @cached_property
    def numbers(self) -> list[Quantity]:
        """Return its numbers, in order."""
        return read_numbers(self.text)

    @cached_property
    def slots(self) -> list[Quantity]:
        """Return those of its numbers that have slots."""
        return slots_of(self.text)

    @cached_property
    def marked(self) -> str:
        """Return the question with a mark in the place of each slot."""
        return marked(self.text, self.slots)

    @cached_property
    def kind(self) -> Kind:
        """Return what sort of question it is."""
        if self.options:
            return "choice"
        if self.arithmetic is not None:
            return "arithmetic"
        return "problem" if self.numbers and self._asks_a_number else "open"

    @cached_property
    def asks_how_many(self) -> bool:
        """Return whether its words ask for a number."""
        return bool(_ASKS_A_NUMBER.search(self.text))

    @cached_property
    def _asks_a_number(self) -> bool:
        if self.asks_how_many:
            return True
        return sum(q.written for q in self.numbers) >= 2 and not _ASKS_A_NAME.search(self.text)

    @cached_property
    def arithmetic(self) -> Fraction | None:
        """Return the value of a question that is nothing but arithmetic; None for others."""
        text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", narrow(self.text))
        for words, sign in _OPERATIONS.items():
            text = re.sub(words, sign, text, flags=re.IGNORECASE)
        side = _ASIDE.sub(" ", text)
        counted = _ARITHMETIC.fullmatch(side) and re.search(r"\d\s*[^\s\d.]", side)
        if not counted or _DATE.fullmatch(self.text):
            return None
        try:
            return evaluate(parse(side))
        except ExpressionError:
            return None

    @cached_property
    def unit(self) -> str:
        """Return the unit that is asked for, as far as the words tell; else an empty text."""
        return self._unit_zh() if self.language == "zh" else self._unit_en()

    def _unit_zh(self) -> str:
        if _MONEY_ZH.search(self.text):
            found = re.findall(r"\d\s*(元|块|角|分|美元|港元|欧元|日元)", narrow(self.text))
            return found[-1].replace("块", "元") if found else "元"
        asked = list(_ASKED_ZH.finditer(self.text))
        if not asked:
            return ""
        near = asked[-1]["unit"]
        if known := _LONG_ZH.match(self.text, asked[-1].start("unit")):
            return known[0]
        used = re.findall(r"\d\s*([^\s\d,，。.?？、;；:：()（）%]{1,3})", self.text)
        for size in (3, 2, 1):
            if any(u.startswith(near[:size]) for u in used) and len(near) >= size:
                return near[:size]
        return "" if near.startswith(_NO_UNIT_ZH) else near[:1]

    def _unit_en(self) -> str:
        if many := list(_MANY_EN.finditer(self.text)):
            word = str(many[-1]["unit"]).lower()
            return "" if word in ("of", "are", "times", "dollars") else word
        for sign, unit in _CURRENCY.items():
            if sign in self.text and _MONEY_EN.search(self.text):
                return unit
        return ""

    def with_unit(self, value: str) -> str:
        """Return a number with the unit that is asked for, as it is written in the language."""
        if not self.unit or not value[-1:].isdigit():
            return value
        if self.unit in ("$", "€", "£"):
            return self.unit + value
        return value + self.unit if self.language == "zh" else f"{value} {self.unit}"
