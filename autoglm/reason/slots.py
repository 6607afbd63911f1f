"""Numbers of a question as slots ``n0``, ``n1`` ...: a derivation then holds for any numbers.

A small model learns what to do with numbers far sooner than to copy and compute them. It reads the
question with marks for numbers and writes arithmetic over the marks, which is computed here.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

from autoglm.core.text import has_chinese
from autoglm.reason.expression import (
    Expression,
    ExpressionError,
    Name,
    Number,
    Operation,
    evaluate,
    parse,
)
from autoglm.reason.numbers import CIRCLED, Quantity, narrow, read_numbers

_POINTS = str.maketrans({sign: f"({number})" for number, sign in enumerate(CIRCLED, 1)})
_NAMES = str.maketrans({sign: f"n{number}" for number, sign in enumerate(CIRCLED)})
#: Slots of a question.
MOST_SLOTS = 24
_SCALE = re.compile(r"\s*(?:[万亿]|hundred|thousand|million|billion)$", re.IGNORECASE)
#: A mixed number as sets of Chinese problems write it: 1(1/2).
_MIXED = re.compile(r"(\d+)\s*\(\s*(\d+)\s*/\s*(\d+)\s*\)")


def slots_of(text: str) -> list[Quantity]:
    """Return the numbers of a question that have slots, in order.

    Digits always; number words in English; Chinese numerals but "一", which is an article more
    often than a number, and "零". A scale behind digits ("15.4万", "3 million") is a unit.

    Examples
    --------
    >>> [q.text for q in slots_of("一个班有三十人,其中(2/5)是女生,男生比女生多几人?")]
    ['三十', '(2/5)']
    """
    chinese = has_chinese(text)
    found = [q for q in read_numbers(text) if q.written or not chinese or _counts(q.text)]
    return [_unscaled(q) for q in found[:MOST_SLOTS]]


def _unscaled(slot: Quantity) -> Quantity:
    scale = _SCALE.search(slot.text)
    if scale is None or not slot.written:
        return slot
    text = slot.text[: scale.start()]
    plain = read_numbers(text)
    if len(plain) != 1:
        return slot
    return replace(slot, value=plain[0].value, end=slot.start + len(text), text=text)


def _counts(text: str) -> bool:
    return text not in ("一", "零", "〇") and not (len(text) > 1 and set(text) <= set("零〇一"))


def marked(text: str, slots: list[Quantity]) -> str:
    """Return a question with a circled number in the place of each slot.

    Behind it stands "%" for a percentage and "/" for a fraction, which are read differently.
    Circled numbers that the question has are points of a list; they become "(1)" and so on.

    Examples
    --------
    >>> marked("6元的(2/5),再打九五折,涨20%", slots_of("6元的(2/5),再打九五折,涨20%"))
    '①元的②/,再打③折,涨④%'
    """
    pieces, at = [], 0
    for number, slot in enumerate(slots):
        kind = "%" if slot.percent else "/" if "/" in slot.text or "分之" in slot.text else ""
        pieces += [text[at : slot.start].translate(_POINTS), CIRCLED[number] + kind]
        at = slot.end
    return "".join([*pieces, text[at:].translate(_POINTS)])


def order_of(slots: list[Quantity]) -> str:
    """Return the circled numbers of slots from the largest value to the smallest.

    Examples
    --------
    >>> order_of(slots_of("3个苹果6元,5个多少钱?"))
    '②③①'
    """
    ranked = sorted(range(len(slots)), key=lambda n: (-slots[n].value, n))
    return "".join(CIRCLED[number] for number in ranked)


def with_names(text: str) -> str:
    """Return a text with the names of slots in the place of circled numbers.

    Examples
    --------
    >>> with_names("② / ① * ③")
    'n1 / n0 * n2'
    """
    return text.translate(_NAMES)


def values_of(slots: list[Quantity]) -> dict[str, Fraction]:
    """Return the value of each slot by its name."""
    return {f"n{number}": slot.value for number, slot in enumerate(slots)}


def with_slots(equation: str, slots: list[Quantity]) -> Expression:
    """Return arithmetic with the numbers that stand in the question replaced by their slots.

    A number that several slots have is given to the first one that is not used yet.

    Raises
    ------
    ExpressionError
        When it is no arithmetic.

    Examples
    --------
    >>> from autoglm.reason.expression import show
    >>> show(with_slots("6/(2/5)-6", slots_of("剪去6米,正好剪去这段布的(2/5)")))
    'n0 / n1 - n0'
    """
    mixed: dict[str, Fraction] = {}

    def keep(match: re.Match[str]) -> str:
        whole, top, low = map(int, match.groups())
        if low == 0:
            return match[0]
        name = f"mixed{len(mixed)}"
        mixed[name] = whole + Fraction(top, low)
        return f"({name})"

    tree = parse(_MIXED.sub(keep, narrow(equation)))
    return _Slots(slots, mixed).put(tree)


class _Slots:
    """Slots that are given away from left to right."""

    def __init__(self, slots: list[Quantity], mixed: dict[str, Fraction]) -> None:
        self._slots, self._mixed = slots, mixed
        self._used: set[int] = set()

    def put(self, tree: Expression) -> Expression:
        if isinstance(tree, Number):
            return self._slot(tree.value) or tree
        if isinstance(tree, Name):
            value = self._mixed.get(tree.name)
            return tree if value is None else self._slot(value) or Number(value)
        if (found := self._fraction(tree)) is not None:
            return found
        return Operation(tree.operator, self.put(tree.left), self.put(tree.right))

    def _fraction(self, tree: Operation) -> Name | None:
        """Return the slot of a fraction that is written as a division."""
        whole = isinstance(tree.left, Number) and isinstance(tree.right, Number)
        if tree.operator != "/" or not whole:
            return None
        try:
            return self._slot(evaluate(tree), fraction=True)
        except ExpressionError:
            return None

    def _slot(self, value: Fraction, *, fraction: bool = False) -> Name | None:
        fits = [
            number
            for number, slot in enumerate(self._slots)
            if slot.value == value and (not fraction or "/" in slot.text or "分之" in slot.text)
        ]
        if not fits:
            return None
        number = next((n for n in fits if n not in self._used), fits[0])
        self._used.add(number)
        return Name(f"n{number}")
