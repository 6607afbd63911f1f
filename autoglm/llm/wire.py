"""The wire of OpenAI-compatible services: requests, answers, streams and errors, without a socket.

Dialects are what services add or leave out:

openai   as the reference has it
zhipu    GLM cloud (bigmodel.cn, z.ai): ``thinking: {type}``, or ``reasoning_effort`` alone for
         GLM-5 and later; ``do_sample`` for greedy; JSON objects, no schema; no seed, no top-k
vllm     vLLM and SGLang: ``chat_template_kwargs.enable_thinking``, top-k
plain    any other server (Ollama, llama.cpp ...): what all understand
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from autoglm.core.errors import ContentRefused, ModelError, ModelUnavailable
from autoglm.core.text import say
from autoglm.llm.contract import FINISHES, Delta, Finish, Reply, Request, Usage

Dialect = Literal["openai", "zhipu", "vllm", "plain"]

#: Error codes of the GLM cloud (docs.bigmodel.cn, "api-code"). Too many calls at a time:
_CROWDED = {"1302"}
#: Overloaded or limited for a while.
_BUSY = {"500", "1120", "1230", "1234", "1303", "1305", "1312"}
_REFUSED = {"1301", "content_filter", "content_policy_violation", "data_inspection_failed"}
#: Money or a quota is used up: no patience helps.
_UNPAID = {"1113", "1304", "1308", "1309", "1310", "insufficient_quota"}
_KEY = {"1000", "1001", "1002", "1003", "1004", "invalid_api_key"}
_NO_MODEL = {"1211", "model_not_found"}
_TOO_LONG = {"1261", "context_length_exceeded"}

_REASONING = re.compile(r"\s*<think>(.*?)</think>\s*", re.DOTALL)
_FINISH = {"sensitive": "content_filter", "network_error": "cut", "function_call": "tool_calls"}


def dialect_of(base_url: str) -> Dialect | None:
    """Return the dialect a host is known for; None when only asking it can tell.

    Examples
    --------
    >>> dialect_of("https://open.bigmodel.cn/api/paas/v4"), dialect_of("http://localhost:8000/v1")
    ('zhipu', None)
    """
    host = urlsplit(base_url).hostname or ""
    if host.endswith((".bigmodel.cn", ".z.ai")) or host in ("bigmodel.cn", "z.ai"):
        return "zhipu"
    return "openai" if host == "api.openai.com" else None


def chat(request: Request, model: str, dialect: Dialect, *, stream: bool = False) -> dict[str, Any]:
    """Return the body of a request to ``/chat/completions``."""
    how = request.sampling
    length = "max_completion_tokens" if dialect == "openai" else "max_tokens"
    body: dict[str, Any] = {
        "model": model,
        "messages": [m.to_dict() for m in request.messages],
        length: how.max_tokens,
        "temperature": how.temperature,
    }
    if how.top_p < 1:
        body["top_p"] = how.top_p
    if how.stop:
        body["stop"] = list(how.stop)
    if how.tools:
        body |= {"tools": list(how.tools), "tool_choice": "auto"}
    if stream:
        body["stream"] = True
        if dialect != "zhipu":  # it always counts in its last piece
            body["stream_options"] = {"include_usage": True}
    if how.schema_ is not None:
        body["response_format"] = _format(how.schema_, dialect)
    return body | _thinking(how.thinking, model, dialect) | _drawing(request, dialect)


def _format(schema: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    if dialect in ("zhipu", "plain"):
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def _thinking(thinking: bool | None, model: str, dialect: Dialect) -> dict[str, Any]:
    if thinking is None:
        return {}
    if dialect == "vllm":
        return {"chat_template_kwargs": {"enable_thinking": thinking}}
    if dialect == "zhipu" and not re.match(r"glm-([5-9]|\d\d)", model.lower()):
        return {"thinking": {"type": "enabled" if thinking else "disabled"}}
    if dialect == "zhipu":
        return {"reasoning_effort": "high" if thinking else "none"}
    return {"reasoning_effort": "medium" if thinking else "none"} if dialect == "openai" else {}


def _drawing(request: Request, dialect: Dialect) -> dict[str, Any]:
    how = request.sampling
    if dialect == "zhipu":
        return {"do_sample": False} if how.temperature == 0 else {}
    found: dict[str, Any] = {}
    if how.seed is not None:
        found["seed"] = (how.seed + how.sample) % 2**31
    if how.top_k and dialect != "openai":
        found["top_k"] = how.top_k
    return found


def reply_of(data: Any, model: str) -> Reply:
    """Return the answer in a response to a request that was not streamed.

    Raises
    ------
    ModelUnavailable
        When the response is none; `usage_of` may still tell what it cost.
    """
    if isinstance(data, Mapping) and data.get("error"):
        raise error_of(200, data)
    choices = data.get("choices") if isinstance(data, Mapping) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise broken(say(en="it has no choices", zh="没有 choices"))
    message = choices[0].get("message")
    message = message if isinstance(message, Mapping) else {}
    calls = message.get("tool_calls")
    return finished(
        _text(message.get("content")),
        _text(message.get("reasoning_content") or message.get("reasoning")),
        _finish(choices[0].get("finish_reason")),
        Reply(
            "",
            str(data.get("model") or model),
            usage=usage_of(data),
            tool_calls=tuple(calls) if isinstance(calls, list) else (),
        ),
    )


def finished(text: str, reasoning: str, finish: Finish, reply: Reply) -> Reply:
    """Return `reply` with its text, thinking apart, wherever the service put either.

    Raises
    ------
    ContentRefused
        When a filter took the whole answer.
    ModelUnavailable
        When there is no answer at all.
    """
    if found := _REASONING.match(text):
        reasoning, text = reasoning + found[1].strip(), text[found.end() :]
    if not text.strip() and not reply.tool_calls:
        if finish == "content_filter":
            raise refused(say(en="the answer was filtered", zh="回答被过滤"))
        if reasoning.strip() and finish == "stop":
            text, reasoning = reasoning, ""  # the whole answer was taken for thinking
        elif not reasoning.strip():
            raise ModelUnavailable(
                say(en="The model gave an empty answer.", zh="模型给出了空回答。"),
                hint=say(en="Ask again, or raise max_tokens.", zh="请重试或提高 max_tokens。"),
            )
    return Reply(text, reply.model, reasoning, finish, reply.usage, reply.tool_calls, reply.seconds)


def _text(content: Any) -> str:
    if isinstance(content, list):  # parts
        return "".join(_text(p.get("text")) for p in content if isinstance(p, Mapping))
    return content if isinstance(content, str) else ""


def _finish(reason: Any) -> Finish:
    name = _FINISH.get(str(reason), str(reason))
    return name if name in FINISHES else "stop"


def usage_of(data: Any) -> Usage | None:
    """Return the tokens that a response reports; None when it does not."""
    found = data.get("usage") if isinstance(data, Mapping) else None
    if not isinstance(found, Mapping):
        return None
    counts = [found.get("prompt_tokens"), found.get("completion_tokens", 0)]
    if any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in counts):
        return None
    return Usage(*cast(list[int], counts))


@dataclass
class Assembly:
    """An answer that arrives in pieces."""

    model: str
    text: str = ""
    reasoning: str = ""
    finish: Finish | None = None
    usage: Usage | None = None
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    ended: bool = False

    def add(self, line: str) -> Delta | None:
        """Take a line of the stream; return the piece of answer in it, if any.

        Raises
        ------
        ModelError
            When the line reports an error or is no JSON.
        """
        name, _, value = line.partition(":")
        value = value.strip()
        if name != "data" or self.ended:
            return None  # comments, event names, blank lines
        if value == "[DONE]":
            self.ended = True
            return None
        data = parsed(value)
        if data.get("error"):
            raise error_of(200, data)
        self.model = str(data.get("model") or self.model)
        self.usage = usage_of(data) or self.usage
        choices = data.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
            return None
        if choices[0].get("finish_reason"):
            self.finish = _finish(choices[0]["finish_reason"])
        delta = choices[0].get("delta")
        return self._take(delta) if isinstance(delta, Mapping) else None

    def _take(self, delta: Mapping[str, Any]) -> Delta | None:
        text = _text(delta.get("content"))
        reasoning = _text(delta.get("reasoning_content") or delta.get("reasoning"))
        self.text, self.reasoning = self.text + text, self.reasoning + reasoning
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            place = call.get("index", 0) if isinstance(call, Mapping) else None
            if isinstance(place, int):
                _join(self.calls.setdefault(place, {}), call)
        return Delta(text, reasoning) if text or reasoning else None

    @property
    def begun(self) -> bool:
        """Return whether any part of the answer has come."""
        return bool(self.text or self.reasoning or self.calls)

    def reply(self) -> Reply:
        """Return the whole answer; one that ended without a reason was cut."""
        calls = tuple(self.calls[i] for i in sorted(self.calls))
        base = Reply("", self.model, usage=self.usage, tool_calls=calls)
        return finished(self.text, self.reasoning, self.finish or "cut", base)


def _join(whole: dict[str, Any], piece: Mapping[str, Any]) -> None:
    """Add a piece of a tool call: names replace, arguments grow."""
    for key, value in piece.items():
        if key == "function":
            function = whole.setdefault("function", {"name": "", "arguments": ""})
            named = value if isinstance(value, Mapping) else {}
            function["name"] = _text(named.get("name")) or function["name"]
            function["arguments"] += _text(named.get("arguments"))
        elif key != "index" and value is not None:
            whole[key] = value


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    r"""Split a byte stream into lines, whatever ends them and wherever chunks break.

    Examples
    --------
    >>> list(lines([b"data: \xe8", b"\x8b\xb9\r\n\ndata: [DO", b"NE]"]))
    ['data: 苹', '', 'data: [DONE]']
    """
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (one.rstrip(b"\r").decode("utf-8", "replace") for one in whole)
    if rest:
        yield rest.decode("utf-8", "replace")


def parsed(text: str | bytes) -> Mapping[str, Any]:
    """Return the JSON object in a text.

    Raises
    ------
    ModelUnavailable
        When it is none.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise broken(say(en="it is no JSON", zh="不是 JSON")) from None
    if not isinstance(data, Mapping):
        raise broken(say(en="it is no object", zh="不是 JSON 对象"))
    return data


def broken(why: str) -> ModelUnavailable:
    """Return the error of a response that cannot be read."""
    return ModelUnavailable(
        say(en=f"The service's response cannot be read: {why}.", zh=f"无法读取服务的响应:{why}。"),
        hint=say(en="Check that the base URL is that of an OpenAI-compatible service.",
                 zh="请确认基础网址指向兼容 OpenAI 的服务。"),
    )  # fmt: skip


def refused(why: str) -> ContentRefused:
    """Return the error of a content policy."""
    return ContentRefused(
        say(en=f"The service's content policy refuses this: {why}.",
            zh=f"服务的内容策略拒绝了此请求:{why}。"),
        hint=say(en="Put it in other words.", zh="请换一种说法。"),
    )  # fmt: skip


def error_of(status: int, data: Any, wait_s: float | None = None) -> ModelError:
    """Return the error that a response tells of.

    Parameters
    ----------
    status
        Of HTTP; 200 when the error came in the body or in a stream.
    data
        The body, parsed if it is JSON.
    wait_s
        Seconds of a ``Retry-After`` header.
    """
    found = data.get("error", data) if isinstance(data, Mapping) else {}
    found = found if isinstance(found, Mapping) else {"message": found}
    codes = {str(found.get(k)) for k in ("code", "type")}
    why = str(found.get("message") or f"HTTP {status}").strip().rstrip(".。")[:300]
    if codes & _REFUSED:
        return refused(why)
    if codes & _UNPAID or status == 402:
        return ModelError(
            say(en=f"The service's quota is used up: {why}.", zh=f"服务额度已用尽:{why}。"),
            hint=say(en="Top up the account, or choose another engine.",
                     zh="请充值或换用其他引擎。"),
        )  # fmt: skip
    if codes & (_CROWDED | _BUSY) or status in (408, 409, 425, 429) or status >= 500:
        return ModelUnavailable(
            say(en=f"The service is busy: {why}.", zh=f"服务繁忙:{why}。"),
            hint=say(en="Try again later, or lower llm_parallel.",
                     zh="请稍后再试,或降低 llm_parallel。"),
            wait_s=wait_s,
            crowded=bool(codes & _CROWDED),
        )  # fmt: skip
    return ModelError(
        say(en=f"The service refuses the request: {why}.", zh=f"服务拒绝了请求:{why}。"),
        hint=_advice(status, codes),
    )


def _advice(status: int, codes: set[str]) -> str:
    if status in (401, 403) or codes & _KEY:
        return say(en="Check the key: OPENAI_API_KEY, or ZHIPUAI_API_KEY for the GLM cloud.",
                   zh="请检查密钥:OPENAI_API_KEY,GLM 云用 ZHIPUAI_API_KEY。")  # fmt: skip
    if status == 404 or codes & _NO_MODEL:
        return say(en="Check the model's name and the base URL: autoglm llm check",
                   zh="请检查模型名与基础网址:autoglm llm check")  # fmt: skip
    if codes & _TOO_LONG:
        return say(en="Shorten the question, or choose a model with a longer context.",
                   zh="请缩短问题,或选用上下文更长的模型。")  # fmt: skip
    return say(en="Check the request: autoglm llm check", zh="请检查请求:autoglm llm check")
