"""Arithmetic that a model wrote as a program: one quantity a line, run exactly, never as code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from autoglm.core.text import say
from autoglm.reason.expression import (
    Expression,
    ExpressionError,
    Name,
    Number,
    Operation,
    evaluate,
    parse,
    show,
    show_value,
)
from autoglm.reason.slots import with_names
from autoglm.reason.steps import Claim, Step, Steps

#: Lines of a program.
MOST_LINES = 100
_LINE = re.compile(r"\s*(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<side>[^=]+?)\s*(?:=[^=]*)?$")
_UNIT = re.compile(r"\s*(?:unit|单位)\s*[:：=]\s*(?P<unit>\S{1,20})\s*$", re.IGNORECASE)
_ANSWER = "answer"


@dataclass(frozen=True)
class Program:
    """A program that was run.

    Attributes
    ----------
    steps
        Its lines as steps, each with its calculation and result.
    value
        What ``answer`` came to; None when it has no value.
    unit
        Of the answer, when the program says.
    error
        Why it has no value.
    """

    steps: Steps
    value: Fraction | None
    unit: str = ""
    error: str = ""


def run_program(text: str, known: Mapping[str, Fraction] | None = None) -> Program:
    r"""Run a program line by line.

    Parameters
    ----------
    text
        One quantity a line, or nothing but the arithmetic of the answer.
    known
        Values of names it may use: the slots of the question.

    Examples
    --------
    >>> program = run_program("each = 6 / 3\nanswer = each * 5\nunit: 元")
    >>> str(program.value), program.unit, [step.text for step in program.steps.lines]
    ('10', '元', ['each = 6 / 3 = 2', 'answer = 2 * 5 = 10'])
    >>> str(run_program("②/①*③", {"n0": Fraction(3), "n1": Fraction(6), "n2": Fraction(5)}).value)
    '10'
    """
    if _is_arithmetic(text):
        text = f"{_ANSWER} = {text}"
    values: dict[str, Fraction] = dict(known or {})
    lines: list[Step] = []
    unit = error = last = ""
    for raw in with_names(text.replace("`", "")).splitlines()[:MOST_LINES]:
        line = raw.split("#")[0]
        if found := _UNIT.match(line):
            unit = found["unit"]
        elif found := _LINE.match(line):
            try:
                step, value = _step(found["name"], found["side"], values)
            except ExpressionError as wrong:
                error = wrong.message
                break
            lines.append(step)
            last = found["name"]
            values[last] = value
    value_of = values.get(_ANSWER, values.get(last) if last else None)
    if error or value_of is None:
        error = error or say(en="there is no program", zh="没有算式程序")
        return Program(Steps(tuple(lines), ""), None, unit, error)
    return Program(Steps(tuple(lines), show_value(value_of)), value_of, unit)


def _is_arithmetic(text: str) -> bool:
    if "=" in text or len(text.strip().splitlines()) != 1:
        return False
    try:
        parse(with_names(text))
    except ExpressionError:
        return False
    return True


def _step(name: str, side: str, values: dict[str, Fraction]) -> tuple[Step, Fraction]:
    expression = filled(parse(side), values)
    value = evaluate(expression)
    shown = f"{name} = {show(expression)}"
    if isinstance(expression, Number):
        return Step(shown, (Claim(expression, value, shown),)), value
    return Step(f"{shown} = {show_value(value)}", (Claim(expression, value, shown),)), value


def filled(expression: Expression, values: dict[str, Fraction]) -> Expression:
    """Return an expression with the values of its names in place.

    Raises
    ------
    ExpressionError
        When a name has no value.
    """
    if isinstance(expression, Operation):
        left, right = filled(expression.left, values), filled(expression.right, values)
        return Operation(expression.operator, left, right)
    return Number(evaluate(expression, values)) if isinstance(expression, Name) else expression
