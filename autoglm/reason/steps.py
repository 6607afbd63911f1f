"""What a model wrote, as steps: the calculations in each line, and the answer at the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from autoglm.reason.expression import (
    Expression,
    ExpressionError,
    Number,
    evaluate,
    parse,
    show,
    show_value,
)
from autoglm.reason.numbers import narrow, read_numbers

#: Lines of an answer that are read, and characters of a line.
MOST_LINES, MOST_LINE = 200, 2_000
#: Numbers and signs of one side of a calculation.
MOST_WORDS = 80
_ANSWER = re.compile(r"(?:^|[\s*#。.;；])(?:最终)?(?:答案|答|the answer|final answer|answer)\s*"
                     r"(?:是|为|is|=|[:：])+\s*(?P<answer>[^\n]*)", re.IGNORECASE)  # fmt: skip
_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
_HASHES = re.compile(r"####\s*(\S[^\n]*)")
_LATEX = (
    (re.compile(r"\\d?frac\{([^{}]*)\}\{([^{}]*)\}"), r"((\1)/(\2))"),
    (re.compile(r"\\times|\\cdot"), "*"),
    (re.compile(r"\\div"), "/"),
    (re.compile(r"\\left|\\right|\\[,;!]|\\\(|\\\)|\\\[|\\\]|\\text\{[^{}]*\}"), " "),
    (re.compile(r"\\([$%])"), r"\1"),
    (re.compile(r"<<[^<>]*>>"), " "),
)
#: A number with what may stand around it: a currency before, a unit after.
_NUMBER = r"[-+]?[$¥€£]?\s*(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?\d*\s*[%％]?"
_UNIT = re.compile(r"(?<=[\d)%])\s*(?:(?!(?:x|and|plus|times)\b)[A-Za-z°²³]+(?:\s*/\s*[A-Za-z]+)?"
                   r"|[\u4e00-\u9fff]{1,4}(?:/[\u4e00-\u9fff]{1,3})?)")  # fmt: skip
_SCALED = re.compile(r"(?<=\d)\s*(?:[万亿]|thousand|million|billion)", re.IGNORECASE)
#: A colon that is no ratio.
_COLON = re.compile(r":(?!\s*\d)|(?<!\d):|:(?=\s)")
_SIGNS = re.compile(r"[=≈]")
_SIDE = re.compile(r"[\d\s.,+\-*/×÷·−^()\[\]%:∶⁄]+")


@dataclass(frozen=True)
class Claim:
    """A calculation that a step states.

    Attributes
    ----------
    expression
        What is calculated.
    stated
        The result that the step gives.
    text
        As it is written.
    exact
        False after "≈".
    """

    expression: Expression
    stated: Fraction
    text: str
    exact: bool = True

    @property
    def value(self) -> Fraction | None:
        """Return what the expression is worth; None when it has no value."""
        try:
            return evaluate(self.expression)
        except ExpressionError:
            return None

    @property
    def holds(self) -> bool:
        """Return whether the stated result is right, to the digits it has."""
        value = self.value
        return value is not None and agrees(value, self.stated, exact=self.exact)


@dataclass(frozen=True)
class Step:
    """A line of an answer."""

    text: str
    claims: tuple[Claim, ...] = ()

    @property
    def corrected(self) -> Step | None:
        """Return its calculations with the right results; None when one of them has none."""
        right = []
        for claim in self.claims:
            value = claim.value
            if value is None:
                return None
            text = f"{show(claim.expression)} = {show_value(value)}"
            right.append(Claim(claim.expression, value, text))
        return Step("; ".join(claim.text for claim in right), tuple(right)) if right else None


@dataclass(frozen=True)
class Steps:
    """An answer with its steps.

    Attributes
    ----------
    lines
        The steps, in order, without the answer's line.
    answer
        The answer as written; empty when there is none.
    """

    lines: tuple[Step, ...]
    answer: str

    @property
    def claims(self) -> list[Claim]:
        """Return all calculations, in order."""
        return [claim for line in self.lines for claim in line.claims]

    @property
    def value(self) -> Fraction | None:
        """Return the number in the answer; None when it has none.

        "36.6万" is 36.6 where that is a result of the steps and 366,000 is not.
        """
        value = answer_value(self.answer)
        plain = answer_value(_SCALED.sub("", narrow(self.answer)))
        if value is None or plain is None or plain == value:
            return value
        results = [r for c in self.claims for r in (c.stated, c.value) if r is not None]
        near = [v for v in (value, plain) if any(agrees(r, v, exact=False) for r in results)]
        return near[0] if near else value


def agrees(value: Fraction, stated: Fraction, *, exact: bool = True) -> bool:
    """Return whether a stated number is a value, or the value rounded to the digits it has.

    A value that ends within six places must be stated exactly; one that does not may be rounded to
    two places or more, or to any after "≈".

    Examples
    --------
    >>> agrees(Fraction(10, 3), Fraction("3.33")), agrees(Fraction(10, 3), Fraction("3.3"))
    (True, False)
    >>> agrees(Fraction(5, 4), Fraction("1.2")), agrees(Fraction("0.30001"), Fraction("0.3"))
    (False, False)
    """
    if value == stated:
        return True
    places = _places(stated)
    if places is None:
        return False
    ends = _places(value)
    if exact and ((ends is not None and ends <= 6) or places < 2):
        return False
    return bool(abs(value - stated) * 10**places <= Fraction(1, 2))


def _places(value: Fraction) -> int | None:
    """Return the decimal places of a number; None when it does not end."""
    text = show_value(value)
    return None if "/" in text else len(text.partition(".")[2])


def read_steps(text: str) -> Steps:
    r"""Return the steps in what a model wrote.

    Examples
    --------
    >>> found = read_steps("每个苹果 6 / 3 = 2 元\n5 个: 2 × 5 = 10 元\n答案:10元")
    >>> [claim.text for claim in found.claims], found.answer
    (['6 / 3 = 2', '2 × 5 = 10'], '10元')
    """
    lines = [line[:MOST_LINE] for line in text.splitlines() if line.strip()][:MOST_LINES]
    steps, answer = [], ""
    for line in lines:
        if (found := _ANSWER.search(line)) and found["answer"].strip():
            answer = found["answer"].strip(" *`。.$\\")
            rest = line[: found.start()].strip()
            if rest:
                steps.append(Step(rest, tuple(_claims(rest))))
        else:
            steps.append(Step(line.strip(), tuple(_claims(line))))
    marked = [*_BOXED.findall(text), *_HASHES.findall(text)]
    if marked:
        answer = marked[-1].strip()
    elif not answer and lines:
        answer = lines[-1].strip(" *`。.") if len(lines) == 1 else ""
    return Steps(tuple(steps), answer)


def answer_value(answer: str) -> Fraction | None:
    """Return the number that an answer is; None when it is none.

    Examples
    --------
    >>> [str(answer_value(a)) for a in ("10元", "$1,250.50", "3/4", "25%", "x = 7", "about -3 m")]
    ['10', '2501/2', '3/4', '1/4', '7', '-3']
    """
    text = narrow(_plain(answer))
    found = [q for q in read_numbers(text) if q.written] or read_numbers(text)
    if not found:
        return None
    first = found[-1] if "=" in text else found[0]
    negative = re.search(r"(?:^|[\s=(:])[-−]\s*[$¥€£]?\s*\(?$", text[: first.start])
    return -first.value if negative else first.value


def _plain(text: str) -> str:
    for pattern, put in _LATEX:
        text = pattern.sub(put, text)
    return text


def _claims(line: str) -> Iterator[Claim]:
    """Yield the calculations in a line: sides of "=" that are arithmetic once units are gone."""
    text = _COLON.sub(";", narrow(_plain(line)))
    signs = list(_SIGNS.finditer(text))
    bounds = [0, *(s.end() for s in signs)], [*(s.start() for s in signs), len(text)]
    sides = [text[a:b] for a, b in zip(*bounds, strict=True)]
    for number, sign in enumerate(signs):
        left, right = _last(sides[number]), _first(sides[number + 1])
        if left is None or right is None or isinstance(left[0], Number):
            continue
        try:
            stated = evaluate(right[0])
        except ExpressionError:
            continue
        shown = f"{left[1]} {sign[0]} {right[1]}"
        yield Claim(left[0], stated, shown, exact=sign[0] == "=")


def _bare(side: str) -> str:
    """Return a side without currencies and units."""
    return re.sub(r"[$¥€£]", "", _UNIT.sub(" ", side))


def _last(side: str) -> tuple[Expression, str] | None:
    """Return the longest arithmetic at the end of a text."""
    return _longest(_bare(side), at_end=True)


def _first(side: str) -> tuple[Expression, str] | None:
    """Return the longest arithmetic at the beginning of a text."""
    return _longest(_bare(side), at_end=False)


def _longest(text: str, *, at_end: bool) -> tuple[Expression, str] | None:
    runs = [m for m in _SIDE.finditer(text) if any(c.isdigit() for c in m[0])]
    if not runs:
        return None
    run = runs[-1] if at_end else runs[0]
    if at_end and text[run.end() :].strip():
        return None
    if not at_end and text[: run.start()].strip():
        return None
    words = re.findall(r"[\d.,]*\d[\d.,]*%?|\S", run[0])
    words = words[-MOST_WORDS:] if at_end else words[:MOST_WORDS]
    for drop in range(len(words)):
        kept = words[drop:] if at_end else words[: len(words) - drop]
        try:
            piece = " ".join(kept).strip(" .,:")
            return parse(piece.replace(" %", "%")), piece
        except ExpressionError:
            continue
    return None
