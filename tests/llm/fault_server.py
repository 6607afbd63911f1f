"""An OpenAI-compatible service on this machine that fails on purpose.

Each request to ``/chat/completions`` takes the next behaviour of the script, then "ok". What the
service would bill is counted: all tokens of answers that it finished or began.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER = "每个苹果 6/3=2 元, 5 个 10 元"


class FaultServer(ThreadingHTTPServer):
    """The service; `url` is its base address.

    Attributes
    ----------
    told, untold
        Tokens billed in answers that reported them, and in answers that broke before.
    requests
        Bodies of all requests, with their path.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, script: Iterable[str] = (), answer: str = ANSWER) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.answer = list(script), answer
        self.owner = "fault-server"
        self.requests: list[tuple[str, Any]] = []
        self.told = self.untold = self.running = self.most_running = 0
        self.lock = threading.Lock()
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients hang up here all the time."""

    def next_behaviour(self) -> str:
        with self.lock:
            return self.script.pop(0) if self.script else "ok"

    def bill(self, usage: dict[str, int], *, told: bool) -> None:
        with self.lock:
            if told:
                self.told += usage["total_tokens"]
            else:
                self.untold += usage["total_tokens"]


@contextmanager
def serving(script: Iterable[str] = (), answer: str = ANSWER) -> Iterator[FaultServer]:
    """Run the service in a thread."""
    server = FaultServer(script, answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def words(text: str) -> list[str]:
    """Split as the service's tokenizer does: a few characters a token."""
    return [text[i : i + 3] for i in range(0, len(text), 3)]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: FaultServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        if self.path.endswith("/models"):
            listed = [{"id": "m", "object": "model", "created": 0, "owned_by": self.server.owner}]
            self.send_json(200, {"object": "list", "data": listed})
        else:
            self.send_json(404, {"error": {"message": "no such path"}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.requests.append((self.path, body))
            self.server.running += 1
            self.server.most_running = max(self.server.most_running, self.server.running)
        try:
            if self.path.endswith("/embeddings"):
                self.embeddings(body)
            elif self.path.endswith("/v1/completions"):
                self.echo(body)
            else:
                self.chat(body)
        finally:
            with self.server.lock:
                self.server.running -= 1

    def chat(self, body: dict[str, Any]) -> None:
        behaviour = self.server.next_behaviour()
        prompt = sum(len(words(m["content"])) + 4 for m in body["messages"])
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or 10**6
        tokens = words(self.server.answer)[:limit]
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": len(tokens),
            "total_tokens": prompt + len(tokens),
        }
        fail = FAULTS.get(behaviour)
        if fail is not None:
            fail(self, usage)
            return
        reason = "length" if len(tokens) < len(words(self.server.answer)) else "stop"
        message = SHAPES.get(behaviour, _plain)("".join(tokens))
        if body.get("stream"):
            self.stream(behaviour, message, reason, usage)
            return
        self.server.bill(usage, told=True)
        choice = {"index": 0, "message": {"role": "assistant"} | message, "finish_reason": reason}
        if behaviour == "filtered":
            choice["finish_reason"] = "sensitive"
        self.send_json(200, {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": "m",
            "choices": [choice], "usage": usage,
        })  # fmt: skip

    def stream(
        self, behaviour: str, message: dict[str, Any], reason: str, usage: dict[str, int]
    ) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        deltas = [{"role": "assistant", "content": ""}]
        for key in ("reasoning_content", "content"):
            deltas += [{key: piece} for piece in words(message.get(key) or "")]
        if behaviour == "cut stream":
            self.server.bill(usage, told=False)
            deltas = deltas[: len(deltas) // 2]
        for delta in deltas:
            self.event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        if behaviour == "cut stream":
            return
        self.server.bill(usage, told=True)
        self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        self.event({"choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def event(self, data: dict[str, Any]) -> None:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
        text = json.dumps(head | data, ensure_ascii=False)
        self.wfile.write(f"data: {text}\r\n\r\n: keep-alive\n".encode())
        self.wfile.flush()

    def embeddings(self, body: dict[str, Any]) -> None:
        rows = [
            {"object": "embedding", "index": i, "embedding": [float(len(text)), 1.0]}
            for i, text in enumerate(body["input"])
        ]
        used = {"prompt_tokens": 3, "total_tokens": 3}
        self.server.bill({"total_tokens": 3}, told=True)
        self.send_json(200, {"object": "list", "data": rows[::-1], "model": "m", "usage": used})

    def echo(self, body: dict[str, Any]) -> None:
        """Answer as vLLM does with ``echo``: each character is a token here."""
        text = body["prompt"] + "!"
        logprobs = {
            "tokens": list(text),
            "text_offset": list(range(len(text))),
            "token_logprobs": [None] + [-0.5 * i for i in range(1, len(text))],
        }
        self.send_json(200, {"choices": [{"text": text, "index": 0, "logprobs": logprobs}]})

    def send_json(self, status: int, data: Any, headers: dict[str, str] | None = None) -> None:
        self.send_raw(status, json.dumps(data, ensure_ascii=False).encode(), headers)

    def send_raw(self, status: int, raw: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)


def _plain(text: str) -> dict[str, Any]:
    return {"content": text}


#: Answers that are well, but not where one expects them.
SHAPES: dict[str, Callable[[str], dict[str, Any]]] = {
    "reasoning": lambda text: {"content": text, "reasoning_content": "先想一想"},
    "all reasoning": lambda text: {"content": "", "reasoning_content": text},
    "think tags": lambda text: {"content": f"<think>\n先想一想\n</think>\n\n{text}"},
    "parts": lambda text: {"content": [{"type": "text", "text": text}]},
    "empty": lambda _: {"content": ""},
    "nothing": lambda _: {"content": None},
    "filtered": lambda _: {"content": ""},
}


def _error(status: int, code: str, message: str, **headers: str) -> Callable[..., None]:
    def fail(handler: Handler, _: dict[str, int]) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.send_json(status, {"error": {"code": code, "message": message}}, named)

    return fail


def _hang_up(handler: Handler, _: dict[str, int]) -> None:
    handler.close_connection = True
    handler.connection.close()


def _cut_body(handler: Handler, usage: dict[str, int]) -> None:
    handler.server.bill(usage, told=False)
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [{"message": {"content": "ab')
    handler.close_connection = True


def _broken_json(handler: Handler, usage: dict[str, int]) -> None:
    handler.server.bill(usage, told=False)
    handler.send_raw(200, b'{"choices": [{"message": ')


def _no_usage(handler: Handler, usage: dict[str, int]) -> None:
    handler.server.bill(usage, told=False)
    choice = {"index": 0, "message": {"content": "10"}, "finish_reason": "stop"}
    handler.send_json(200, {"choices": [choice]})


def _silent(handler: Handler, usage: dict[str, int]) -> None:
    handler.server.bill(usage, told=False)
    handler.server.closing.wait(30)
    handler.close_connection = True


def _dripping(handler: Handler, usage: dict[str, int]) -> None:
    handler.server.bill(usage, told=False)
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while not handler.server.closing.wait(0.02):
        handler.wfile.write(b" ")
        handler.wfile.flush()


FAULTS: dict[str, Callable[[Handler, dict[str, int]], None]] = {
    "429": _error(429, "1303", "您当前使用该 API 的频率过高", Retry_After="0.01"),
    "429 an hour": _error(429, "1303", "Too many requests", Retry_After="3600"),
    "429 a date": _error(429, "1303", "Slow down", Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"),
    "1302": _error(429, "1302", "您当前使用该 API 的并发数过高"),
    "1301": _error(400, "1301", "系统检测到输入或生成内容可能包含不安全或敏感内容"),
    "1113": _error(429, "1113", "您的账户已欠费"),
    "401": _error(401, "1000", "身份验证失败 sk-secret-123"),
    "404": _error(404, "1211", "模型不存在"),
    "400 too long": _error(400, "1261", "Prompt 超长"),
    "500": _error(500, "500", "内部错误"),
    "200 with an error": _error(200, "1305", "该 API 已触发流量限制"),
    "502 page": lambda handler, _: handler.send_raw(502, b"<html><b>Bad gateway</b></html>"),
    "hang up": _hang_up,
    "cut body": _cut_body,
    "broken json": _broken_json,
    "a list": lambda handler, usage: (
        handler.server.bill(usage, told=False), handler.send_json(200, [1, 2])
    )[-1],
    "no usage": _no_usage,
    "silent": _silent,
    "dripping": _dripping,
}  # fmt: skip

#: Faults after which another attempt gets an answer.
PASSING = (
    "429", "429 a date", "1302", "500", "502 page", "200 with an error", "hang up", "cut body",
    "broken json", "a list", "empty", "nothing",
)  # fmt: skip


def random_script(count: int, seed: int) -> list[str]:
    """Return behaviours of so many requests, half of them well."""
    draw = random.Random(seed)
    shapes = ["ok", "reasoning", "all reasoning", "think tags", "parts", "no usage", "cut stream"]
    return [draw.choice(shapes if draw.random() < 0.5 else PASSING) for _ in range(count)]
