"""Whether a question needs steps at all: tokens are saved where a direct answer is as good."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from autoglm.core.text import say
from autoglm.reason.question import Question

Method = Literal["auto", "direct", "cot", "program", "decompose"]
METHODS: tuple[Method, ...] = ("auto", "direct", "cot", "program", "decompose")

#: Characters of a question that are searched for words; the search may take their square.
LOOKED_AT = 2_000
#: Words by which one fact is asked for through another.
_HOPS = re.compile(
    r"\b(?:who|which|that|whose|where)\b.*\b(?:who|which|that|whose|of the|same)\b"
    r"|\bboth\b|\bthan\b|的.{1,12}的|哪个更|哪一个更|比较|相同|同一",
    re.IGNORECASE | re.DOTALL,
)
_WHY = re.compile(
    r"\b(?:why|explain|prove)\b|\bhow (?:do|does|did|can|to)\b|为什么|如何|怎样|证明|解释",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Decision:
    """How a question is answered, and why."""

    method: Method
    reason: str


def _written(question: Question) -> int:
    return sum(quantity.written for quantity in question.numbers)


def decide(question: Question, *, documents: bool = False) -> Decision:
    """Decide how to answer a question.

    Parameters
    ----------
    question
        What is asked.
    documents
        Whether there are passages to look things up in.

    Examples
    --------
    >>> decide(Question.read("3个苹果6元,5个多少钱?")).method
    'cot'
    >>> decide(Question.read("中国的首都是哪里?")).method
    'direct'
    """
    if question.kind == "arithmetic":
        return Decision("program", say(en="nothing but arithmetic: computed, no model is asked",
                                       zh="纯算式:直接计算,不问模型"))  # fmt: skip
    if question.kind == "choice":
        return Decision("cot", say(en="options to weigh: steps", zh="需要比较选项:分步思考"))
    looked_up = documents and not (question.asks_how_many and _written(question) > 1)
    if question.kind == "problem" and not looked_up:
        return Decision("cot", say(en="numbers to combine: steps", zh="需要组合数字:分步计算"))
    if documents:
        return Decision("decompose", say(en="documents at hand: one fact at a time",
                                         zh="有文档可查:逐个查证"))  # fmt: skip
    head = question.text[:LOOKED_AT]
    if _HOPS.search(head) or _WHY.search(head):
        return Decision("cot", say(en="one thing leads to another: steps", zh="环环相扣:分步思考"))
    return Decision("direct", say(en="one fact is asked for: no steps", zh="只问一个事实:直接回答"))
