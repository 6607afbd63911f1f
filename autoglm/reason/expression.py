"""Arithmetic as text, evaluated exactly and safely: fractions, bounded, nothing else.

    expression = term {("+" | "-") term}
    term       = factor {("*" | "/") factor | implied factor}
    factor     = ["+" | "-"] power
    power      = atom ["^" factor]
    atom       = number ["%"] | name | "(" expression ")"

Names are unknowns or slots for numbers of a question (``n0``, ``n1``). The signs × ÷ · − and
full-width forms are understood. Values are exact; what grows beyond `MOST_DIGITS` digits is
refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from autoglm.core.errors import SpecError
from autoglm.core.text import say
from autoglm.reason.numbers import narrow

#: Bounds of an expression: characters, depth of brackets, digits of a value, exponents.
MOST_CHARACTERS, MOST_DEPTH, MOST_DIGITS, MOST_POWER = 2_000, 60, 200, 64

Operator = Literal["+", "-", "*", "/", "^"]
_SIGNS = str.maketrans({"×": "*", "÷": "/", "·": "*", "−": "-", "–": "-", "∶": "/", "⁄": "/",
                        "[": "(", "]": ")", "{": "(", "}": ")", "π": "3.14"})  # fmt: skip
_TOKEN = re.compile(r"\s*(?:(?P<number>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)"
                    r"|(?P<name>[A-Za-z_]\w*)|(?P<sign>\*\*|[-+*/^()%:]))")  # fmt: skip


class ExpressionError(SpecError):
    """A text is no arithmetic, or has no value."""

    code = "expression"


@dataclass(frozen=True)
class Number:
    """A number as written."""

    value: Fraction


@dataclass(frozen=True)
class Name:
    """An unknown, or a slot for a number."""

    name: str


@dataclass(frozen=True)
class Operation:
    """Two expressions and what joins them."""

    operator: Operator
    left: Expression
    right: Expression


Expression = Number | Name | Operation


def parse(text: str) -> Expression:
    """Return the expression in a text.

    Raises
    ------
    ExpressionError
        When it is none, or is too long or too deep.

    Examples
    --------
    >>> evaluate(parse("(3 + 5) × 2 ÷ 4% "))
    Fraction(400, 1)
    >>> show(parse("n0/n1*n2"))
    'n0 / n1 * n2'
    """
    if len(text) > MOST_CHARACTERS:
        raise _wrong(say(en="it is too long", zh="过长"))
    return _Parser(narrow(text.translate(_SIGNS))).whole()


class _Parser:
    """Recursive descent over the tokens of a text."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = self._depth = 0

    def whole(self) -> Expression:
        found = self._sum()
        if self._next:
            raise _wrong(say(en=f"{self._next!r} is out of place", zh=f"{self._next!r} 位置不对"))
        return found

    @property
    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _sum(self) -> Expression:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise _wrong(say(en="it is nested too deeply", zh="嵌套过深"))
        left = self._term()
        while self._next in ("+", "-"):
            sign: Operator = "+" if self._take() == "+" else "-"
            left = Operation(sign, left, self._term())
        self._depth -= 1
        return left

    def _term(self) -> Expression:
        left = self._factor()
        while True:
            if self._next in ("*", "/", ":"):
                sign: Operator = "*" if self._take() == "*" else "/"
                left = Operation(sign, left, self._factor())
            elif self._next == "(" or re.match(r"[A-Za-z_]", self._next):
                left = Operation("*", left, self._power())  # 2(3 + 4), 2x
            else:
                return left

    def _factor(self) -> Expression:
        negative = False
        while self._next in ("+", "-"):
            negative ^= self._take() == "-"
        found = self._power()
        return Operation("-", Number(Fraction(0)), found) if negative else found

    def _power(self) -> Expression:
        base = self._atom()
        if self._next in ("^", "**"):
            self._take()
            return Operation("^", base, self._factor())
        return base

    def _atom(self) -> Expression:
        if not self._next:
            raise _wrong(say(en="it breaks off", zh="不完整"))
        token = self._take()
        found: Expression
        if token == "(":
            found = self._sum()
            if self._next != ")":
                raise _wrong(say(en="a bracket is not closed", zh="括号未闭合"))
            self._take()
        elif token[0].isdigit() or token[0] == ".":
            found = Number(Fraction(token.replace(",", "")))
        elif re.match(r"[A-Za-z_]", token):
            found = Name(token)
        else:
            raise _wrong(say(en=f"{token!r} is out of place", zh=f"{token!r} 位置不对"))
        while self._next == "%":
            self._take()
            found = _percent(found)
        return found


def _percent(found: Expression) -> Expression:
    if isinstance(found, Number):
        return Number(found.value / 100)
    return Operation("/", found, Number(Fraction(100)))


def _tokens(text: str) -> Iterator[str]:
    at, text = 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _wrong(say(en=f"{text[at]!r} is no arithmetic", zh=f"{text[at]!r} 不是算式"))
        if len(match[0].strip()) > MOST_DIGITS:
            raise _wrong(say(en="a number is too long", zh="数字过长"))
        at = match.end()
        yield match[0].strip()


def evaluate(expression: Expression, values: Mapping[str, Fraction] | None = None) -> Fraction:
    """Return the exact value of an expression.

    Parameters
    ----------
    expression
        What is evaluated.
    values
        Of its names.

    Raises
    ------
    ExpressionError
        When a name has no value, a divisor is zero, or a value grows too long.
    """
    if isinstance(expression, Number):
        return expression.value
    if isinstance(expression, Name):
        if values is None or expression.name not in values:
            raise _wrong(say(en=f"{expression.name} has no value", zh=f"{expression.name} 没有值"))
        return values[expression.name]
    left, right = evaluate(expression.left, values), evaluate(expression.right, values)
    found = _OPERATIONS[expression.operator](left, right)
    if max(abs(found.numerator), found.denominator) >= 10**MOST_DIGITS:
        raise _wrong(say(en="a value grows too long", zh="数值过大"))
    return found


def _divide(left: Fraction, right: Fraction) -> Fraction:
    if right == 0:
        raise _wrong(say(en="it divides by zero", zh="除数为零"))
    return left / right


def _raise(left: Fraction, right: Fraction) -> Fraction:
    if right.denominator != 1 or abs(right) > MOST_POWER:
        raise _wrong(say(en="its exponent is not a small whole number", zh="指数不是较小的整数"))
    if left == 0 and right < 0:
        raise _wrong(say(en="it divides by zero", zh="除数为零"))
    digits = len(str(max(abs(left.numerator), left.denominator)))
    if digits * abs(right) > 2 * MOST_DIGITS:
        raise _wrong(say(en="a value grows too long", zh="数值过大"))
    return Fraction(left ** int(right))


_OPERATIONS: dict[Operator, Callable[[Fraction, Fraction], Fraction]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divide,
    "^": _raise,
}
_RANK: dict[Operator, int] = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}


def show(expression: Expression, write: Callable[[Fraction], str] | None = None) -> str:
    """Return an expression as text, with no more brackets than it needs.

    Parameters
    ----------
    expression
        What is shown.
    write
        Writes its numbers; exactly by default.
    """
    return _show(expression, write or show_value)[0]


def _show(expression: Expression, write: Callable[[Fraction], str]) -> tuple[str, int]:
    """Return the text and how tightly it binds."""
    if isinstance(expression, Name):
        return expression.name, 4
    if isinstance(expression, Number):
        text = write(expression.value)
        return text, 2 if "/" in text else 1 if text.startswith("-") else 4
    rank = _RANK[expression.operator]
    left, left_rank = _show(expression.left, write)
    right, right_rank = _show(expression.right, write)
    if left_rank < rank + (expression.operator == "^"):
        left = f"({left})"
    if right_rank < rank + (expression.operator in "-/") or (right_rank == rank == 2):
        right = f"({right})"
    return f"{left} {expression.operator} {right}", rank


def names(expression: Expression) -> frozenset[str]:
    """Return the names in an expression."""
    if isinstance(expression, Operation):
        return names(expression.left) | names(expression.right)
    return frozenset([expression.name]) if isinstance(expression, Name) else frozenset()


def numbers(expression: Expression) -> list[Fraction]:
    """Return the numbers written in an expression, from left to right."""
    if isinstance(expression, Operation):
        return numbers(expression.left) + numbers(expression.right)
    return [expression.value] if isinstance(expression, Number) else []


def show_value(value: Fraction) -> str:
    """Return a value as people write it: whole, as a decimal that ends, else as a fraction.

    Examples
    --------
    >>> show_value(Fraction(10)), show_value(Fraction(5, 4)), show_value(Fraction(-1, 3))
    ('10', '1.25', '-1/3')
    """
    if value.denominator == 1:
        return str(value.numerator)
    rest, places = value.denominator, 0
    while rest % 10 == 0:
        rest, places = rest // 10, places + 1
    twos = fives = 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    places += max(twos, fives)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    whole = f"{digits[:-places]}.{digits[-places:]}".rstrip("0")
    return f"-{whole}" if value < 0 else whole


def solve_linear(left: Expression, right: Expression, name: str = "x") -> Fraction:
    """Return the value of an unknown for which two expressions are equal.

    The difference of both is a ratio of polynomials in the unknown; it is solved when its numerator
    is of the first degree.

    Raises
    ------
    ExpressionError
        When there is no such value, more than one, or the equation is of a higher degree.

    Examples
    --------
    >>> solve_linear(parse("x/2 + 3"), parse("x - 4"))
    Fraction(14, 1)
    """
    top, low = _ratio(Operation("-", left, right), name)
    if len(top) == 2:
        found = -top[0] / top[1]
        if sum(c * found**i for i, c in enumerate(low)) != 0:
            return found
    raise _wrong(say(en="the equation has no single solution of the first degree",
                     zh="方程没有唯一的一次解"))  # fmt: skip


#: Coefficients of a polynomial, the constant first; no zeros at the end.
_Polynomial = tuple[Fraction, ...]


def _ratio(expression: Expression, name: str) -> tuple[_Polynomial, _Polynomial]:
    """Return numerator and denominator as polynomials of degree three at the most."""
    one = (Fraction(1),)
    if isinstance(expression, Number):
        return _trim((expression.value,)), one
    if isinstance(expression, Name):
        if expression.name != name:
            raise _wrong(say(en=f"{expression.name} has no value", zh=f"{expression.name} 没有值"))
        return (Fraction(0), Fraction(1)), one
    (a, b), (c, d) = _ratio(expression.left, name), _ratio(expression.right, name)
    if expression.operator == "^":
        if len(c) > 1 or len(d) > 1 or len(a) > 1 or len(b) > 1:
            raise _wrong(say(en="it has powers of the unknown", zh="含有未知数的幂"))
        value = _raise(_constant(a) / b[0], _constant(c) / d[0])
        return _trim((value,)), one
    if expression.operator == "*":
        return _times(a, c), _times(b, d)
    if expression.operator == "/":
        if not c:
            raise _wrong(say(en="it divides by zero", zh="除数为零"))
        return _times(a, d), _times(b, c)
    sign = 1 if expression.operator == "+" else -1
    return _plus(_times(a, d), _times(c, b), sign), _times(b, d)


def _constant(polynomial: _Polynomial) -> Fraction:
    return polynomial[0] if polynomial else Fraction(0)


def _trim(values: tuple[Fraction, ...]) -> _Polynomial:
    while values and values[-1] == 0:
        values = values[:-1]
    return values


def _plus(a: _Polynomial, b: _Polynomial, sign: int) -> _Polynomial:
    size = max(len(a), len(b))
    a, b = a + (Fraction(0),) * (size - len(a)), b + (Fraction(0),) * (size - len(b))
    return _trim(tuple(x + sign * y for x, y in zip(a, b, strict=True)))


def _times(a: _Polynomial, b: _Polynomial) -> _Polynomial:
    if len(a) + len(b) > 5:
        raise _wrong(say(en="it has powers of the unknown", zh="含有未知数的幂"))
    found = [Fraction(0)] * max(0, len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            found[i + j] += x * y
    if any(len(str(v.numerator)) + len(str(v.denominator)) > 2 * MOST_DIGITS for v in found):
        raise _wrong(say(en="a value grows too long", zh="数值过大"))
    return _trim(tuple(found))


def _wrong(why: str) -> ExpressionError:
    return ExpressionError(
        say(en=f"This is no arithmetic that can be evaluated: {why}.", zh=f"算式无法计算:{why}。"),
        hint=say(
            en="Use numbers, + - * / ^ %, and brackets.", zh="请使用数字、+ - * / ^ % 与括号。"
        ),
    )
