"""From problems to what the model reads and writes, in three modes.

program   the question with its numbers as circled marks, and their order; the answer is arithmetic
          over the marks, which a parser computes
steps     the question as it is; one calculation a line, then the answer
direct    the question as it is; the answer alone

The mode is the system's turn. `autoglm/llm/templates/nano` has the same shapes for the reasoner.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from families import PEOPLE
from sets import Problem

from autoglm.core.text import has_chinese
from autoglm.reason.expression import (
    Expression,
    ExpressionError,
    Name,
    Number,
    Operation,
    evaluate,
    show,
    show_value,
)
from autoglm.reason.numbers import CIRCLED
from autoglm.reason.slots import marked, order_of, slots_of, values_of

Mode = Literal["program", "steps", "direct"]
MODES: tuple[Mode, ...] = ("program", "steps", "direct")
#: Digits of a number that the steps may write.
MOST_DIGITS = 9
#: Share of the problems that get other numbers each time they are drawn.
RENUMBERED = 0.5


@dataclass(frozen=True)
class Example:
    """A conversation of three turns."""

    mode: Mode
    question: str
    answer: str
    source: str


def asked(text: str, mode: Mode) -> str:
    """Return the user's turn of a question."""
    if mode != "program":
        return text
    slots = slots_of(text)
    return f"{marked(text, slots)}\n{order_of(slots)}"


def example(problem: Problem, mode: Mode, draw: random.Random | None = None) -> Example | None:
    """Return a problem in a mode; None when its numbers are too long for steps.

    With `draw`, sums and products are written in a random order and people get other names, both of
    which change nothing; half of the problems get other numbers.
    """
    text, program = problem.text, problem.program
    if draw is not None:
        if draw.random() < RENUMBERED:
            text = renumbered(text, program, draw)
        text, program = renamed(text, draw), shuffled(program, draw)
    if mode == "program":
        answer = written(program)
    else:
        values = values_of(slots_of(text))
        lines = list(dict.fromkeys(calculations(program, values)))
        if any(len(part) > MOST_DIGITS for line in lines for part in re.findall(r"[\d.]+", line)):
            return None
        last = ("答案:" if has_chinese(text) else "Answer: ") + show_value(
            evaluate(program, values)
        )
        answer = "\n".join([*lines, last]) if mode == "steps" else last
    return Example(mode, asked(text, mode), answer, problem.source)


def written(program: Expression) -> str:
    """Return a program over circled marks, without blanks."""
    text = re.sub(r"\bn(\d+)\b", lambda m: CIRCLED[int(m[1])], show(program))
    return text.replace(" ", "")


def calculations(program: Expression, values: dict[str, Fraction]) -> Iterator[str]:
    """Yield each operation of a program with its numbers and its result, inner ones first."""
    if isinstance(program, Operation):
        yield from calculations(program.left, values)
        yield from calculations(program.right, values)
        left, right = evaluate(program.left, values), evaluate(program.right, values)
        whole = Operation(program.operator, Number(left), Number(right))
        yield f"{_part(left)} {program.operator} {_part(right)} = {show_value(evaluate(whole))}"


def _part(value: Fraction) -> str:
    shown = show_value(value)
    return f"({shown})" if "/" in shown or shown.startswith("-") else shown


def shuffled(program: Expression, draw: random.Random) -> Expression:
    """Return a program that is the same, with sums and products in a random order."""
    if not isinstance(program, Operation):
        return program
    left, right = shuffled(program.left, draw), shuffled(program.right, draw)
    if program.operator in "+*" and draw.random() < 0.25:
        left, right = right, left
    return Operation(program.operator, left, right)


_NAMES_EN = re.compile(r"\b(?:" + "|".join(PEOPLE["en"]) + r")\b")
_CAPITAL = re.compile(
    r"(?<=[a-z,] )([A-Z][a-z]{2,9})\b|^([A-Z][a-z]{2,9})(?= (?:had|has|was|bought|went))"
)


def renamed(text: str, draw: random.Random) -> str:
    """Return an English question with other names of people, consistently."""
    if has_chinese(text):
        return text
    found = {m[1] or m[2] for m in _CAPITAL.finditer(text)} | set(_NAMES_EN.findall(text))
    for name in sorted(found):
        other = draw.choice(PEOPLE["en"])
        if other not in text and not re.search(rf"\b{name}\b", other):
            text = re.sub(rf"\b{name}\b", other, text)
    return text


def renumbered(text: str, program: Expression, draw: random.Random) -> str:
    """Return a question with other whole numbers in digits, to which the same program is an answer.

    Numbers keep their size, about, and what came out whole or positive still does. As it was where
    no such numbers are found, or the question would be read in another way.
    """
    slots = slots_of(text)
    free = [n for n, slot in enumerate(slots) if slot.text.isdigit() and slot.value > 1]
    if not free:
        return text
    answer = evaluate(program, values_of(slots))
    for _ in range(12):
        new = {n: draw.randint(2, max(9, 2 * int(slots[n].value))) for n in free}
        values = values_of(slots) | {f"n{n}": Fraction(value) for n, value in new.items()}
        try:
            found = evaluate(program, values)
        except ExpressionError:
            continue
        if found <= 0 or (answer.denominator == 1 and found.denominator != 1):
            continue
        pieces, at = [], 0
        for n in free:
            pieces += [text[at : slots[n].start], str(new[n])]
            at = slots[n].end
        other = "".join([*pieces, text[at:]])
        if values_of(slots_of(other)) == values:
            return other
    return text


def same(program: str, expected: Expression, text: str) -> bool:
    """Return whether a program that was written comes to the value of another."""
    from autoglm.reason.program import run_program

    values = values_of(slots_of(text))
    found = run_program(f"answer = {program}", values).value
    try:
        return found is not None and found == evaluate(expected, values)
    except ExpressionError:
        return False


def used(program: Expression) -> set[str]:
    """Return the slots that a program uses."""
    if isinstance(program, Operation):
        return used(program.left) | used(program.right)
    return {program.name} if isinstance(program, Name) else set()
