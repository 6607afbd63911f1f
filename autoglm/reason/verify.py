"""Checks of an answer that need no model: what is recomputed, and where the numbers come from.

A check passes, fails at a step, or does not apply. Checking arithmetic alone accepts confident
nonsense, whose sums are right and whose numbers are invented: so the operands are traced too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from autoglm.core.text import say
from autoglm.reason.expression import (
    Operation,
    numbers,
    show_value,
)
from autoglm.reason.question import Question
from autoglm.reason.steps import Claim, Steps, agrees

Status = Literal["passed", "failed", "skipped"]

#: Numbers that everyday knowledge gives: parts of a whole, days, months, hours, degrees.
_KNOWN = (0, 1, 2, 3, 4, 7, 10, 12, 24, 30, 52, 60, 100, 180, 360, 365, 1000, 3600, 10_000)
KNOWN = frozenset([*map(Fraction, _KNOWN), Fraction("3.14"), Fraction("0.5")])


@dataclass(frozen=True)
class Check:
    """What a check found.

    Attributes
    ----------
    name
        Of the check.
    status
        Whether it passed; "skipped" when it does not apply.
    detail
        What is wrong, for people and for the model.
    step
        Place of the first failing step; None when it is no single one.
    """

    name: str
    status: Status
    detail: str = ""
    step: int | None = None


#: A check of steps against their question.
Verifier = Callable[[Question, Steps], Check]


def arithmetic(question: Question, steps: Steps) -> Check:
    """Compute every calculation again."""
    if not _calculates(steps):
        return Check("arithmetic", "skipped", say(en="no calculation", zh="没有算式"))
    for place, step in enumerate(steps.lines):
        for claim in step.claims:
            if not claim.holds:
                return Check("arithmetic", "failed", _mistake(claim), place)
    return Check("arithmetic", "passed")


def _calculates(steps: Steps) -> bool:
    """Return whether anything is calculated; to name a number is not to derive it."""
    return any(isinstance(claim.expression, Operation) for claim in steps.claims)


def _mistake(claim: Claim) -> str:
    value = claim.value
    if value is None:
        return say(en=f"{claim.text}: this has no value", zh=f"{claim.text}:无法计算")
    right = show_value(value)
    return say(en=f"{claim.text} is wrong, it is {right}", zh=f"{claim.text} 算错了,应为 {right}")


def operands(question: Question, steps: Steps) -> Check:
    """Trace each number of a calculation to the question, an earlier result, or what all know."""
    if not _calculates(steps):
        return Check("operands", "skipped", say(en="no calculation", zh="没有算式"))
    known = given(question)
    for place, step in enumerate(steps.lines):
        for claim in step.claims:
            for number in numbers(claim.expression):
                if number not in known and number not in KNOWN:
                    shown = show_value(number)
                    why = say(en=f"{shown} in {claim.text} comes from nowhere",
                              zh=f"{claim.text} 中的 {shown} 没有来源")  # fmt: skip
                    return Check("operands", "failed", why, place)
            known |= _forms(claim.stated) | _forms(claim.value)
    return Check("operands", "passed")


def given(question: Question) -> set[Fraction]:
    """Return the numbers of a question in the forms in which a calculation may use them."""
    known: set[Fraction] = set()
    for quantity in question.numbers:
        known |= _forms(quantity.value)
        if quantity.percent:
            known |= {quantity.value * 100, 1 - quantity.value, 1 + quantity.value}
    for slot in question.slots:  # without the scale behind it
        known |= _forms(slot.value)
    return known


def _forms(value: Fraction | None) -> set[Fraction]:
    if value is None:
        return set()
    found = {value, -value}
    if value:
        found |= {value / 100, Fraction(value.numerator), Fraction(value.denominator)}
    return found


def conclusion(question: Question, steps: Steps) -> Check:
    """See whether the answer is a result of the steps: the last one, or an earlier one named."""
    value = steps.value
    if not steps.answer:
        return Check("conclusion", "failed", say(en="there is no answer", zh="没有写出答案"),
                     len(steps.lines) - 1 if steps.lines else None)  # fmt: skip
    if not _calculates(steps) or value is None:
        return Check("conclusion", "skipped", say(en="no number", zh="不是数"))
    results = [r for c in steps.claims for r in (c.stated, c.value) if r is not None]
    same = [r for r in results if agrees(r, value, exact=False) or agrees(100 * r, value)]
    if same or any(agrees(r / 100, value) for r in results):
        return Check("conclusion", "passed")
    last = show_value(steps.claims[-1].stated)
    why = say(en=f"the answer {steps.answer} is not the result of the steps, {last}",
              zh=f"答案 {steps.answer} 不是步骤的结果 {last}")  # fmt: skip
    return Check("conclusion", "failed", why, len(steps.lines) - 1)


def plausible(question: Question, steps: Steps) -> Check:
    """See whether a count is whole and nothing that is counted or measured is negative."""
    value = steps.value
    if question.kind != "problem" or value is None:
        return Check("plausible", "skipped")
    text = question.text
    if value < 0 and not any(s in text for s in ("-", "−", "零下", "below", "negative", "负")):
        return Check("plausible", "failed",
                     say(en=f"{steps.answer} is negative", zh=f"{steps.answer} 是负数"),
                     _last(steps))  # fmt: skip
    if value.denominator != 1 and _counts(question):
        return Check("plausible", "failed",
                     say(en=f"{steps.answer} is no whole number of {question.unit}",
                         zh=f"{steps.answer} 不是整{question.unit}"),
                     _last(steps))  # fmt: skip
    return Check("plausible", "passed")


#: Chinese measure words that count whole things.
_COUNTED_ZH = frozenset("个只条头名位人本辆棵件张块枝支颗架艘匹座盏")


def _counts(question: Question) -> bool:
    """Return whether things are counted, and the question has whole numbers alone."""
    whole = all(q.value.denominator == 1 for q in question.numbers)
    return whole and question.unit in _COUNTED_ZH and bool(question.unit)


def _last(steps: Steps) -> int | None:
    return len(steps.lines) - 1 if steps.lines else None


def choice(question: Question, steps: Steps) -> Check:
    """See whether the answer is one of the options."""
    if not question.options:
        return Check("choice", "skipped")
    if option_of(question, steps.answer):
        return Check("choice", "passed")
    letters = ", ".join(letter for letter, _ in question.options)
    return Check("choice", "failed",
                 say(en=f"the answer is none of {letters}", zh=f"答案不在 {letters} 之中"),
                 _last(steps))  # fmt: skip


def option_of(question: Question, answer: str) -> str:
    """Return the letter of the option that an answer names; empty when it names none."""
    text = answer.strip(" ().。、:：*")
    for letter, option in question.options:
        if text.upper() == letter or text.casefold() == option.casefold():
            return letter
    first = text[:1].upper()
    letters = [letter for letter, _ in question.options]
    return first if first in letters and not text[1:2].isalpha() else ""


#: In the order in which a reader would look.
VERIFIERS: tuple[Verifier, ...] = (arithmetic, operands, conclusion, plausible, choice)


def check_steps(
    question: Question, steps: Steps, verifiers: Sequence[Verifier] = VERIFIERS
) -> list[Check]:
    """Return what every check found."""
    return [verifier(question, steps) for verifier in verifiers]


def first_failure(checks: Iterable[Check]) -> Check | None:
    """Return the failed check at the earliest step; None when all is well."""
    failed = [c for c in checks if c.status == "failed"]
    return min(failed, key=lambda c: 10**6 if c.step is None else c.step, default=None)
