"""`AutoReasoner`: questions in, answers out that say what they rest on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from autoglm.core.budget import parse_duration
from autoglm.core.config import Settings, resolve
from autoglm.core.errors import ConfigError
from autoglm.core.text import Language, say
from autoglm.llm.account import Account, Spent
from autoglm.llm.contract import LanguageModel
from autoglm.llm.engines import open_model
from autoglm.reason.expression import show_value
from autoglm.reason.gate import METHODS, Method
from autoglm.reason.plan import Estimate, Plan
from autoglm.reason.question import Question
from autoglm.reason.solver import Retrieve, Solver, Watch
from autoglm.reason.trace import Trace

#: Limits of one question: tokens, an account, or its limits by name.
Budget = int | Account | Mapping[str, Any]


@dataclass(frozen=True)
class Cost:
    """What an answer took.

    Attributes
    ----------
    tokens
        Of prompts and answers; of calls that broke, the most they can have cost.
    calls
        Of the model.
    seconds
        Of the model's calls, one after another.
    money
        None when the model has no price.
    """

    tokens: int
    calls: int
    seconds: float
    money: float | None = None


@dataclass(frozen=True)
class Result:
    """An answer and what it rests on.

    Attributes
    ----------
    question
        As asked.
    answer
        With its unit; None when nothing checked out.
    guess
        The likeliest answer, even when it did not check out.
    value
        The number of the answer, exact; None when it is no number.
    verified
        Whether every check passed and a second derivation came to the same.
    confidence
        From 0 to 1.
    why
        What it rests on, or why there is no answer.
    trace
        Everything that was tried.
    cost
        What it took.
    language
        Of the question.
    """

    question: str
    answer: str | None
    guess: str
    value: Fraction | None
    verified: bool
    confidence: float
    why: str
    trace: Trace
    cost: Cost
    language: Language = "en"

    @property
    def reasoning_trace(self) -> list[str]:
        """Return the steps that the answer rests on, one a line."""
        return [line for node in self.trace.path() for line in node.lines]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, the trace among them."""
        return {
            "question": self.question,
            "answer": self.answer,
            "guess": self.guess,
            "value": None if self.value is None else show_value(self.value),
            "verified": self.verified,
            "confidence": round(self.confidence, 4),
            "why": self.why,
            "steps": self.reasoning_trace,
            "cost": asdict(self.cost),
            "trace": self.trace.to_dict()["nodes"],
        }

    def save_trace(self, path: Path | str) -> None:
        """Write the trace as one self-contained HTML page.

        Raises
        ------
        StorageError
            When it cannot be written.
        """
        from autoglm.reason.page import write_trace

        write_trace(self, Path(path))

    def __str__(self) -> str:
        return self.answer if self.answer is not None else ""


class AutoReasoner:
    r"""Answers questions in checked steps.

    Parameters
    ----------
    model
        A language model, or its name; by default the one that the settings name.
    budget
        Limits of everything this reasoner does: tokens, an `Account`, or a mapping with "tokens",
        "money" and "seconds".
    retrieve
        Gives passages for a question; questions of facts are then answered from them.
    settings
        Instead of those in force.

    Examples
    --------
    >>> from autoglm.llm.scripted import ScriptedModel
    >>> model = ScriptedModel(["6 / 3 = 2 元\n2 * 5 = 10 元\n答案:10元", "answer = 6 / 3 * 5"])
    >>> result = AutoReasoner(model).solve(question="如果3个苹果等于6元,那么5个苹果多少钱?")
    >>> result.answer, result.verified
    ('10元', True)
    """

    def __init__(
        self,
        model: LanguageModel | str | None = None,
        *,
        budget: Budget | None = None,
        retrieve: Retrieve | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.account = account_of(budget)
        if isinstance(model, LanguageModel):
            self.model = model
        else:
            found = settings or resolve().settings
            self.model = open_model(found, name=model, account=self.account)
        self.retrieve = retrieve

    def solve(
        self,
        question: str,
        method: Method = "auto",
        enable_self_refine: bool = True,
        *,
        budget: Budget | None = None,
        plan: Plan | None = None,
        watch: Watch | None = None,
    ) -> Result:
        """Answer a question.

        Parameters
        ----------
        question
            In English or Chinese.
        method
            "auto" decides; "direct" asks for the answer alone, "cot" derives in steps first,
            "program" as arithmetic first, "decompose" splits into sub-questions.
        enable_self_refine
            Whether a failed check leads to another derivation from the failing step.
        budget
            Limits of this question, within those of the reasoner.
        plan
            Everything else: rounds, votes, tokens of an answer.
        watch
            Called with each piece of text as the model writes it.

        Raises
        ------
        SpecError
            When the question is empty or too long.
        ConfigError
            When the method is unknown.
        ModelError
            When the model cannot be asked. When the budget ends, there is a result all the same.
        """
        if method not in METHODS:
            raise ConfigError(
                say(en=f"There is no method {method!r}.", zh=f"没有方法 {method!r}。"),
                hint=say(en=f"Methods are: {', '.join(METHODS)}.",
                         zh=f"可用的方法:{', '.join(METHODS)}。"),
            )  # fmt: skip
        plan = replace(plan or Plan(), method=method, refine=enable_self_refine)
        own = account_of(budget, parent=self.account)
        read = Question.read(question)
        solver = Solver(self.model, read, plan, own, self.retrieve, watch)
        verdict = solver.solve()
        return Result(
            read.text, verdict.answer, verdict.guess, verdict.value, verdict.verified,
            verdict.confidence, verdict.why, solver.trace, _cost(solver.trace, own.spent),
            read.language,
        )  # fmt: skip

    def estimate(
        self, question: str, method: Method = "auto", enable_self_refine: bool = True
    ) -> Estimate:
        """Return what a question could take, without asking the model.

        Raises
        ------
        SpecError
            When the question is empty or too long.
        """
        plan = replace(Plan(), method=method, refine=enable_self_refine)
        return Solver(self.model, Question.read(question), plan, retrieve=self.retrieve).estimate()

    async def asolve(self, question: str, method: Method = "auto", **options: Any) -> Result:
        """Answer a question without blocking the event loop; options as in `solve`."""
        return await asyncio.to_thread(self.solve, question, method, **options)

    def close(self) -> None:
        """Let go of the model's connections."""
        self.model.close()


def account_of(budget: Budget | None, parent: Account | None = None) -> Account:
    """Return the account of a budget.

    Raises
    ------
    ConfigError
        When a limit is unknown or no number.
    """
    if isinstance(budget, Account):
        return budget if parent is None or budget.parent else replace(budget, parent=parent)
    if isinstance(budget, int):
        return Account(tokens=budget, parent=parent)
    limits = dict(budget or {})
    if unknown := set(limits) - {"tokens", "money", "seconds"}:
        raise ConfigError(
            say(en=f"A budget has no {min(unknown)!r}.", zh=f"预算没有 {min(unknown)!r} 一项。"),
            hint=say(en="Limits are: tokens, money, seconds.", zh="可用:tokens、money、seconds。"),
        )
    if isinstance(limits.get("seconds"), str):
        limits["seconds"] = parse_duration(limits["seconds"])
    return Account(**limits, parent=parent)


def _cost(trace: Trace, spent: Spent) -> Cost:
    priced = [n.cost for n in trace.nodes if n.cost is not None]
    return Cost(
        spent.tokens,
        spent.calls,
        round(sum(n.seconds for n in trace.nodes), 6),
        sum(priced) if priced else None,
    )
