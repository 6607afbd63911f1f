"""A language model that says what it was told to: for tests, and for trying things offline."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from autoglm.core.errors import ModelError
from autoglm.core.text import say
from autoglm.llm.account import Account, Price, paid
from autoglm.llm.contract import LanguageModel, Message, Reply, Request, Usage, as_messages

#: An answer: its text, the whole reply, or the error to raise.
Scripted = str | Reply | Exception
Script = Sequence[Scripted] | Callable[[Request], Scripted]


class ScriptedModel(LanguageModel):
    """Answers from a list, one a call, or from a function of the request.

    Parameters
    ----------
    script
        The answers. An `Exception` among them is raised.
    account
        Pays for the calls, a token a byte.
    price
        For accounts of money.

    Attributes
    ----------
    requests
        What was asked, in order.

    Examples
    --------
    >>> from autoglm.llm.contract import Request, as_messages
    >>> model = ScriptedModel(["10元"])
    >>> model.generate(Request(as_messages("3个苹果6元,5个多少钱?"))).text
    '10元'
    """

    def __init__(
        self,
        script: Script,
        *,
        name: str = "scripted",
        account: Account | None = None,
        price: Price | None = None,
    ) -> None:
        self.name, self.account, self.price = name, account or Account(), price
        self.requests: list[Request] = []
        self._script, self._lock = script, threading.Lock()

    def generate(self, request: Request) -> Reply:
        prompt = self.count_tokens(request.messages)
        most = Usage(prompt, request.sampling.max_tokens)
        with paid(self.account, most, self.price) as hold:
            with self._lock:
                self.requests.append(request)
                number = len(self.requests) - 1
            given = self._answer(request, number)
            if isinstance(given, Exception):
                raise given
            reply = given if isinstance(given, Reply) else Reply(given)
            used = reply.usage or Usage(prompt, len(reply.text.encode()))
            hold.settle(used)
        cost = self.price.of(used) if self.price else None
        return Reply(
            reply.text, self.name, reply.reasoning, reply.finish, used, reply.tool_calls,
            cost=cost, logprob=reply.logprob,
        )  # fmt: skip

    def _answer(self, request: Request, number: int) -> Scripted:
        if callable(self._script):
            return self._script(request)
        if number >= len(self._script):
            raise ModelError(
                say(en=f"The script has {len(self._script)} answers; one more was asked for.",
                    zh=f"脚本只有 {len(self._script)} 个回答,又被多问了一次。"),
                hint=say(en="Add the answer to the script.", zh="请在脚本中补充回答。"),
            )  # fmt: skip
        return self._script[number]

    def score(
        self, prompt: str | Sequence[Message], continuations: Sequence[str]
    ) -> list[list[float]]:
        """Score a continuation by whether the script would give it: 0, else -1 a byte."""
        said = self.generate(Request(as_messages(prompt))).text
        return [[0.0 if text == said else -1.0] * len(text.encode()) for text in continuations]

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return counts of the bytes of each text, as unit vectors."""
        counts = np.stack([np.bincount(list(t.encode()), minlength=256) for t in texts])
        norms = np.linalg.norm(counts, axis=1, keepdims=True)
        return np.asarray(counts / np.maximum(norms, 1.0), dtype=np.float32)
