"""What a language model is to the rest of the program.

An engine implements `LanguageModel.generate`; `stream`, `score` and `embed` where it can. The
asynchronous calls come from the base class, so that there is one implementation of each.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from autoglm.core.errors import ModelError
from autoglm.core.text import say
from autoglm.llm.certainty import Certainty

Role = Literal["system", "user", "assistant", "tool"]
#: Why an answer ended: by itself, at the length limit, for a tool, by a filter, or cut off.
Finish = Literal["stop", "length", "tool_calls", "content_filter", "cut"]
FINISHES: tuple[Finish, ...] = ("stop", "length", "tool_calls", "content_filter", "cut")


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str

    def to_dict(self) -> dict[str, str]:
        """Return the turn as the wire has it."""
        return {"role": self.role, "content": self.content}


def as_messages(prompt: str | Sequence[Message]) -> tuple[Message, ...]:
    """Return a conversation; text is one turn of the user.

    Examples
    --------
    >>> as_messages("2 + 3 = ?")
    (Message(role='user', content='2 + 3 = ?'),)
    """
    return (Message("user", prompt),) if isinstance(prompt, str) else tuple(prompt)


class Sampling(BaseModel):
    """How an answer is drawn. Unknown names are refused.

    Attributes
    ----------
    max_tokens
        Most tokens of the answer, hidden reasoning included.
    temperature
        0 takes the likeliest token; 1 draws from the model's own distribution.
    top_p, top_k
        Draw among the fewest tokens that have this probability; among so many tokens.
    seed
        Seed of the draw, for engines that know one.
    stop
        Texts at which the answer ends; they are not part of it.
    sample
        Number of the draw among several of the same request; the cache tells them apart by it.
    thinking
        Whether a reasoning model thinks before it answers; None leaves it to the engine.
    schema
        JSON Schema that the answer follows, where the engine can hold it to one.
    tools
        Tools the model may call, as the wire has them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_tokens: int = Field(default=1024, ge=1, le=1_000_000)
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    top_k: int = Field(default=0, ge=0, le=1_000_000)
    seed: int | None = Field(default=None, ge=0, lt=2**31)
    stop: tuple[str, ...] = Field(default=(), max_length=4)
    sample: int = Field(default=0, ge=0)
    thinking: bool | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    tools: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Usage:
    """Tokens of a call; `prompt_tokens` counts those that the server had cached too."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def total(self) -> int:
        """Return all tokens."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes
    ----------
    text
        The answer itself.
    model
        The model that gave it, as the engine names it.
    reasoning
        What the model thought before it, when the engine tells.
    finish
        Why it ended; "cut" when the connection broke.
    usage
        Tokens, as the engine counted them; None where it did not.
    tool_calls
        Calls the model asks for, as the wire has them.
    seconds
        From request to answer, retries included.
    cost
        Money, in the currency of the price table; None when no price is known.
    attempts
        Requests it took.
    cached
        Whether it came from the cache and cost nothing.
    logprob
        Natural log-probability of the whole answer; None when the engine does not tell.
    """

    text: str
    model: str = ""
    reasoning: str = ""
    finish: Finish = "stop"
    usage: Usage | None = None
    tool_calls: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0
    cost: float | None = None
    attempts: int = 1
    cached: bool = False
    logprob: float | None = None


@dataclass(frozen=True)
class Delta:
    """A piece of an answer that is being written; the last one carries the finished `reply`."""

    text: str = ""
    reasoning: str = ""
    reply: Reply | None = None


@dataclass(frozen=True)
class Request:
    """A conversation and how its answer is drawn."""

    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)

    def with_sample(self, number: int) -> Request:
        """Return the same request as draw `number`."""
        return replace(self, sampling=self.sampling.model_copy(update={"sample": number}))


class LanguageModel(ABC):
    """A language model.

    Attributes
    ----------
    name
        How people name it.
    identity
        What distinguishes its answers from those of other models; part of a cache's key.
    prompt_set
        Folder of prompts it was trained on, within the templates; empty for the general ones.
    certainty
        How often its answers were right, by their probability; None when that was not measured.
    """

    name: str = ""
    prompt_set: str = ""
    certainty: Certainty | None = None

    @property
    def identity(self) -> str:
        """Return what its answers depend on besides the request."""
        return self.name

    @abstractmethod
    def generate(self, request: Request) -> Reply:
        """Answer a request.

        Raises
        ------
        ModelError
            When there is no answer; `retryable` says whether trying again may help.
        BudgetError
            When the account does not hold what the call could cost. Nothing was sent.
        """

    def stream(self, request: Request) -> Generator[Delta, None, None]:
        """Answer a request piece by piece; the last piece has the whole reply."""
        reply = self.generate(request)
        if reply.text or reply.reasoning:
            yield Delta(reply.text, reply.reasoning)
        yield Delta(reply=reply)

    def score(
        self, prompt: str | Sequence[Message], continuations: Sequence[str]
    ) -> list[list[float]]:
        """Return the natural log-probability of each token of each continuation.

        Raises
        ------
        ModelError
            When the engine cannot.
        """
        raise self._cannot(say(en="score texts", zh="给文本打分"))

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector a text, shape (texts, dimensions).

        Raises
        ------
        ModelError
            When the engine cannot.
        """
        raise self._cannot(say(en="embed texts", zh="把文本变成向量"))

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Return a number of tokens that the conversation cannot exceed as a prompt."""
        return most_tokens(messages)

    async def agenerate(self, request: Request) -> Reply:
        """Answer a request without blocking the event loop."""
        return await asyncio.to_thread(self.generate, request)

    async def astream(self, request: Request) -> AsyncIterator[Delta]:
        """Answer piece by piece without blocking the event loop."""
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[Delta | BaseException | None] = asyncio.Queue()
        left = threading.Event()

        def work() -> None:
            last: BaseException | None = None
            try:
                with closing(self.stream(request)) as deltas:
                    for delta in deltas:
                        if left.is_set():
                            return
                        loop.call_soon_threadsafe(pieces.put_nowait, delta)
            except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
                last = error
            loop.call_soon_threadsafe(pieces.put_nowait, last)

        worker = asyncio.create_task(asyncio.to_thread(work))
        try:
            while (piece := await pieces.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            left.set()
            await worker

    def close(self) -> None:  # noqa: B027 - most engines hold nothing
        """Let go of connections and memory; calls after it are errors."""

    def _cannot(self, what: str) -> ModelError:
        return ModelError(
            say(en=f"{self.name} cannot {what}.", zh=f"{self.name} 不能{what}。"),
            hint=say(en="Choose an engine that can: see the documentation of language models.",
                     zh="请换用支持此功能的引擎,见语言模型文档。"),
        )  # fmt: skip


class StreamingModel(LanguageModel):
    """Base of models whose answers are written piece by piece in any case."""

    def generate(self, request: Request) -> Reply:
        reply: Reply | None = None
        for delta in self.stream(request):
            reply = delta.reply or reply
        assert reply is not None  # a stream ends with its reply
        return reply


#: Tokens that a chat template puts around a turn, and around a conversation, at the most.
TURN_TOKENS, FRAME_TOKENS = 16, 32


def most_tokens(messages: Sequence[Message]) -> int:
    """Return a bound of the tokens of a conversation: byte-level tokens are never more than bytes.

    Examples
    --------
    >>> most_tokens(as_messages("苹果"))
    54
    """
    return FRAME_TOKENS + sum(len(m.content.encode()) + TURN_TOKENS for m in messages)
