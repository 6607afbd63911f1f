"""Any OpenAI-compatible service as a language model: GLM cloud, OpenAI, vLLM, Ollama, llama.cpp."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from autoglm.core.errors import ConfigError, ModelError, ModelUnavailable
from autoglm.core.text import say
from autoglm.llm import wire
from autoglm.llm.account import Account, Hold, Price, paid, time_left
from autoglm.llm.contract import (
    Delta,
    LanguageModel,
    Message,
    Reply,
    Request,
    Usage,
    most_tokens,
)
from autoglm.llm.patience import Parallel, Patience, Wait, wait

if TYPE_CHECKING:
    import httpx

#: Bytes of a response that are read at the most.
MOST_BYTES = 64_000_000
#: Bytes of an error that are looked at.
ERROR_BYTES = 64_000
Result = TypeVar("Result")


class HttpOptions(BaseModel):
    """How a service is called. Unknown names are refused.

    Attributes
    ----------
    base_url
        Where the service is, up to and with its version: ``https://host/v1``.
    key
        Sent as a bearer token; never shown.
    dialect
        See `autoglm.llm.wire`; None finds it by the host, or by asking the service.
    timeout_s
        From request to the end of the answer.
    parallel
        Calls at a time.
    price
        Of the model, for budgets of money.
    patience
        When to try again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    base_url: str
    key: str = Field(default="", repr=False)
    dialect: wire.Dialect | None = None
    timeout_s: float = Field(default=120.0, gt=0)
    parallel: int = Field(default=8, ge=1, le=1024)
    price: Price | None = None
    patience: Patience = Patience()

    @property
    def shown_url(self) -> str:
        """Return the address as people may see it, without a password in it."""
        return re.sub(r"//[^/@]*@", "//***@", self.base_url.rstrip("/"))


class HttpModel(LanguageModel):
    """A model behind an OpenAI-compatible service.

    Parameters
    ----------
    model
        Its name at the service.
    options
        Where the service is and how it is called.
    account
        Pays for the calls.
    wait
        Called to wait before another attempt.
    """

    def __init__(
        self,
        model: str,
        options: HttpOptions,
        *,
        account: Account | None = None,
        wait: Wait = wait,
    ) -> None:
        import httpx

        if not re.match(r"https?://[^/\s]+", options.base_url):
            raise ConfigError(
                say(en=f"{options.shown_url!r} is no address of a service.",
                    zh=f"{options.shown_url!r} 不是服务地址。"),
                hint=say(en="Write it like http://localhost:8000/v1",
                         zh="写法示例:http://localhost:8000/v1"),
            )  # fmt: skip
        self.name, self.options, self.account = model, options, account or Account()
        self.parallel, self._wait = Parallel(options.parallel), wait
        self._dialect = options.dialect or wire.dialect_of(options.base_url)
        headers = {"Authorization": f"Bearer {options.key}"} if options.key else {}
        self._client = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(options.timeout_s, connect=min(10.0, options.timeout_s)),
            limits=httpx.Limits(max_connections=options.parallel),
        )

    @property
    def identity(self) -> str:
        return f"{self.options.shown_url} {self.name}"

    @property
    def dialect(self) -> wire.Dialect:
        """Return the service's dialect; an unknown host is asked once what it is."""
        if self._dialect is None:
            owners = {str(m.get("owned_by")) for m in self.models()}
            self._dialect = "vllm" if owners & {"vllm", "sglang"} else "plain"
        return self._dialect

    def models(self) -> list[dict[str, Any]]:
        """Return the models that the service lists; none when it has no list."""
        try:
            data = self._read("GET", "/models", None, time.monotonic() + self.options.timeout_s)
        except ModelUnavailable:
            raise
        except ModelError:
            return []
        found = data.get("data")
        return [m for m in found if isinstance(m, dict)] if isinstance(found, list) else []

    def generate(self, request: Request) -> Reply:
        started, body = time.monotonic(), self._chat(request)

        def call(hold: Hold, until: float) -> Reply:
            data = self._post("/chat/completions", body, hold, until)
            hold.settle(wire.usage_of(data))
            return wire.reply_of(data, self.name)

        reply, attempts = self._persist(_most(request, body), call)
        return self._told(reply, started, attempts)

    def stream(self, request: Request) -> Generator[Delta, None, None]:
        started, body = time.monotonic(), self._chat(request, stream=True)
        most, attempt = _most(request, body), 0
        while True:
            attempt += 1
            whole = wire.Assembly(self.name)
            try:
                with self.parallel.slot(), paid(self.account, most, self.options.price) as hold:
                    yield from self._pieces(whole, body, hold)
                    reply = whole.reply()
            except ModelUnavailable as error:
                if whole.begun:
                    reply = whole.reply()
                else:
                    self._rest(attempt, error)
                    continue
            else:
                self.parallel.good()
            yield Delta(reply=self._told(reply, started, attempt))
            return

    def _pieces(self, whole: wire.Assembly, body: dict[str, Any], hold: Hold) -> Iterator[Delta]:
        until = self._deadline()
        with self._open("POST", "/chat/completions", body, hold, until) as response:
            hold.settle(None)
            try:
                for line in wire.lines(_bounded(response, until)):
                    if (delta := whole.add(line)) is not None:
                        yield delta
                    if whole.ended:
                        break
            finally:
                hold.settle(whole.usage)

    def score(
        self, prompt: str | Sequence[Message], continuations: Sequence[str]
    ) -> list[list[float]]:
        """Score by an echo of the prompt, which vLLM and llama.cpp give; text prompts only."""
        if not isinstance(prompt, str) or self.dialect in ("openai", "zhipu"):
            return super().score(prompt, continuations)
        return [self._score(prompt, text) for text in continuations]

    def _score(self, prompt: str, continuation: str) -> list[float]:
        body = {"model": self.name, "prompt": prompt + continuation, "max_tokens": 1,
                "echo": True, "logprobs": 1, "temperature": 0}  # fmt: skip
        data = self._ask("/completions", body, len((prompt + continuation).encode()) + 1)
        try:
            found = data["choices"][0]["logprobs"]
            pairs = zip(found["text_offset"], found["token_logprobs"], strict=True)
            end = len(prompt) + len(continuation)
            return [float(p) for at, p in pairs if len(prompt) <= at < end]
        except (KeyError, IndexError, TypeError, ValueError):
            raise self._cannot(say(en="score texts", zh="给文本打分")) from None

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        body = {"model": self.name, "input": list(texts)}
        data = self._ask("/embeddings", body, sum(len(t.encode()) + 16 for t in texts))
        try:
            rows = sorted(data["data"], key=lambda row: int(row["index"]))
            vectors = np.asarray([row["embedding"] for row in rows], dtype=np.float32)
        except (KeyError, TypeError, ValueError):
            raise wire.broken(say(en="it has no vectors", zh="没有向量")) from None
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise wire.broken(say(en="a vector is missing", zh="缺少向量"))
        return vectors

    def close(self) -> None:
        self._client.close()

    def _ask(self, path: str, body: dict[str, Any], most: int) -> Any:
        def call(hold: Hold, until: float) -> Any:
            data = self._post(path, body, hold, until)
            hold.settle(wire.usage_of(data))
            return data

        return self._persist(Usage(most), call)[0]

    def _chat(self, request: Request, *, stream: bool = False) -> dict[str, Any]:
        how = request.sampling
        asks = how.thinking is not None or how.top_k or how.schema_ is not None
        dialect = self.dialect if asks else self._dialect or "plain"
        return wire.chat(request, self.name, dialect, stream=stream)

    def _told(self, reply: Reply, started: float, attempts: int) -> Reply:
        price = self.options.price
        cost = price.of(reply.usage) if price and reply.usage else None
        return replace(reply, seconds=time.monotonic() - started, cost=cost, attempts=attempts)

    def _deadline(self) -> float:
        return time.monotonic() + min(self.options.timeout_s, time_left(self.account))

    def _persist(self, most: Usage, call: Callable[[Hold, float], Result]) -> tuple[Result, int]:
        """Call, and call again while that may help; each attempt is paid for."""
        attempt = 0
        while True:
            attempt += 1
            try:
                with self.parallel.slot(), paid(self.account, most, self.options.price) as hold:
                    result = call(hold, self._deadline())
            except ModelUnavailable as error:
                self._rest(attempt, error)
            else:
                self.parallel.good()
                return result, attempt

    def _rest(self, attempt: int, error: ModelUnavailable) -> None:
        """Wait before another attempt, or give up."""
        if error.crowded:
            self.parallel.crowded()
        seconds = self.options.patience.pause(attempt, error)
        if seconds is None or seconds > time_left(self.account):
            raise error
        self._wait(seconds)

    def _post(self, path: str, body: dict[str, Any], hold: Hold, until: float) -> Any:
        return self._read("POST", path, body, until, hold)

    def _read(
        self, method: str, path: str, body: Any, until: float, hold: Hold | None = None
    ) -> Any:
        with self._open(method, path, body, hold, until) as response:
            if hold is not None:
                hold.settle(None)  # sent and taken: until it is counted, it may cost all
            return wire.parsed(b"".join(_bounded(response, until)))

    @contextmanager
    def _open(
        self, method: str, path: str, body: Any, hold: Hold | None, until: float
    ) -> Iterator[httpx.Response]:
        """Send a request; what goes wrong on the way becomes an error of ours."""
        import httpx

        url = self.options.base_url.rstrip("/") + path
        left = max(0.001, until - time.monotonic())
        timeout = httpx.Timeout(left, connect=min(10.0, left))
        try:
            with self._client.stream(method, url, json=body, timeout=timeout) as response:
                if response.status_code != 200:
                    if hold is not None:
                        hold.settle(Usage())  # refused: nothing was generated
                    raise self._refusal(response, until)
                yield response
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise self._unreachable(error) from error
        except (httpx.TimeoutException, httpx.TransportError, httpx.StreamError) as error:
            if hold is not None and not hold.sent:
                hold.settle(None)
            raise self._lost(error) from error

    def _refusal(self, response: httpx.Response, until: float) -> ModelError:
        raw = b""
        for chunk in _bounded(response, until):
            raw += chunk
            if len(raw) > ERROR_BYTES:
                break
        text = raw[:ERROR_BYTES].decode("utf-8", "replace")
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            data = {"message": re.sub(r"<[^>]*>|\s+", " ", text).strip()}
        error = wire.error_of(response.status_code, data, _retry_after(response))
        if self.options.key:
            error.message = error.message.replace(self.options.key, "***")
        return error

    def _unreachable(self, error: Exception) -> ModelUnavailable:
        where = self.options.shown_url
        return ModelUnavailable(
            say(en=f"The service at {where} cannot be reached: {error}.",
                zh=f"无法连接服务 {where}:{error}。"),
            hint=say(en="Check the base URL and that the service runs.",
                     zh="请检查基础网址,并确认服务已启动。"),
        )  # fmt: skip

    def _lost(self, error: Exception) -> ModelUnavailable:
        why = str(error) or type(error).__name__
        return ModelUnavailable(
            say(en=f"The connection to {self.options.shown_url} broke: {why}.",
                zh=f"与 {self.options.shown_url} 的连接中断:{why}。"),
            hint=say(en="Try again, or raise llm_timeout.", zh="请重试,或提高 llm_timeout。"),
        )  # fmt: skip


def _most(request: Request, body: dict[str, Any]) -> Usage:
    """Return what a call can cost at the most; schema and tools are part of the prompt."""
    more = {k: body[k] for k in ("tools", "response_format") if k in body}
    extra = len(json.dumps(more, ensure_ascii=False).encode()) if more else 0
    return Usage(most_tokens(request.messages) + extra, request.sampling.max_tokens)


def _bounded(response: httpx.Response, until: float) -> Iterator[bytes]:
    """Yield what comes until a deadline, and not without end."""
    import httpx

    size = 0
    for chunk in response.iter_bytes():
        size += len(chunk)
        if size > MOST_BYTES:
            raise wire.broken(say(en="it is too long", zh="内容过长"))
        yield chunk
        if time.monotonic() > until:
            raise httpx.ReadTimeout(say(en="the time is up", zh="时间已到"))


def _retry_after(response: httpx.Response) -> float | None:
    """Return the seconds of a ``Retry-After`` header, which has seconds or a date."""
    raw = response.headers.get("retry-after", "")
    if re.fullmatch(r"\d{1,9}(\.\d+)?", raw.strip()):
        return float(raw)
    try:
        return max(0.0, parsedate_to_datetime(raw).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
