"""Answers that are kept: a cache in a file, and cassettes for tests.

The key of a request holds all that its answer depends on, the number of the draw too, so that ten
draws of one question stay ten draws.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autoglm.core.errors import ModelError, StorageError
from autoglm.core.text import say
from autoglm.llm.contract import FINISHES, Delta, LanguageModel, Message, Reply, Request, Usage

_TABLE = """
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, reply TEXT NOT NULL, created REAL NOT NULL
) WITHOUT ROWID
"""


def request_key(identity: str, request: Request) -> str:
    """Return the SHA-256 of a request to a model, in hexadecimal digits."""
    facts = {
        "model": identity,
        "messages": [m.to_dict() for m in request.messages],
        "sampling": request.sampling.model_dump(mode="json", by_alias=True),
    }
    text = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def reply_to_dict(reply: Reply) -> dict[str, Any]:
    """Return a reply as plain JSON values."""
    return asdict(reply)


def reply_from_dict(data: dict[str, Any]) -> Reply:
    """Return the reply in JSON values.

    Raises
    ------
    TypeError
        When they are not those of a reply.
    """
    kinds = (("text", ""), ("model", ""), ("reasoning", ""))
    if any(not isinstance(data.get(name, other), str) for name, other in kinds):
        raise TypeError("a text of the reply is none")
    if not isinstance(data.get("logprob", 0.0), float | int | None):
        raise TypeError("a log-probability is no number")
    if data.get("finish", "stop") not in FINISHES:
        raise TypeError(f"{data['finish']!r} is no way to end")
    usage = data.get("usage")
    known = data | {
        "usage": None if usage is None else Usage(**usage),
        "tool_calls": tuple(data.get("tool_calls", ())),
    }
    return Reply(**known)


class KeptModel(LanguageModel):
    """Base of models that look an answer up before they ask another model."""

    def __init__(self, model: LanguageModel) -> None:
        self.model, self.name = model, model.name
        self.prompt_set, self.certainty = model.prompt_set, model.certainty

    @property
    def identity(self) -> str:
        return self.model.identity

    def find(self, request: Request) -> Reply | None:
        """Return the kept answer, if there is one."""
        raise NotImplementedError

    def keep(self, request: Request, reply: Reply) -> None:
        """Keep an answer."""
        raise NotImplementedError

    def generate(self, request: Request) -> Reply:
        if (kept := self.find(request)) is not None:
            return kept
        reply = self.model.generate(request)
        self.keep(request, reply)
        return reply

    def stream(self, request: Request) -> Generator[Delta, None, None]:
        if (kept := self.find(request)) is not None:
            yield Delta(kept.text, kept.reasoning)
            yield Delta(reply=kept)
            return
        with closing(self.model.stream(request)) as deltas:
            for delta in deltas:
                if delta.reply is not None and delta.reply.finish != "cut":
                    self.keep(request, delta.reply)
                yield delta

    def score(
        self, prompt: str | Sequence[Message], continuations: Sequence[str]
    ) -> list[list[float]]:
        return self.model.score(prompt, continuations)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.model.embed(texts)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self.model.count_tokens(messages)

    def close(self) -> None:
        self.model.close()


class CachedModel(KeptModel):
    """A model whose answers are kept in a SQLite file; the same request is paid for once.

    Parameters
    ----------
    model
        Answers what is not kept.
    path
        The file; made when it is not there. Several processes may share it.

    Raises
    ------
    StorageError
        When the file cannot be used.
    """

    def __init__(self, model: LanguageModel, path: Path) -> None:
        super().__init__(model)
        self._lock = threading.Lock()
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path, timeout=30, check_same_thread=False)
            self._file.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    def find(self, request: Request) -> Reply | None:
        try:
            with self._lock:
                row = self._file.execute(
                    "SELECT reply FROM replies WHERE key = ?", (self._key(request),)
                ).fetchone()
            kept = None if row is None else reply_from_dict(json.loads(row[0]))
        except (sqlite3.Error, ValueError, TypeError, RecursionError) as error:
            raise self._unusable(error) from error
        return kept and replace(kept, cached=True, cost=0.0, seconds=0.0, attempts=0)

    def keep(self, request: Request, reply: Reply) -> None:
        text = json.dumps(reply_to_dict(reply), ensure_ascii=False)
        try:
            with self._lock, self._file:
                self._file.execute(
                    "INSERT OR REPLACE INTO replies VALUES (?, ?, ?)",
                    (self._key(request), text, time.time()),
                )
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def close(self) -> None:
        super().close()
        self._file.close()

    def _key(self, request: Request) -> str:
        return request_key(self.identity, request)

    def _unusable(self, error: Exception) -> StorageError:
        return StorageError(
            say(en=f"The cache {self._path} cannot be used: {error}.",
                zh=f"缓存 {self._path} 无法使用:{error}。"),
            hint=say(en="Remove the file, or choose another with llm_cache.",
                     zh="请删除该文件,或用 llm_cache 另选。"),
        )  # fmt: skip


class Cassette(KeptModel):
    """Recorded answers: a file of JSON lines that is replayed, and fails on what it does not hold.

    Parameters
    ----------
    model
        Answers while recording; never called in replay.
    path
        The file, one line a request: ``key``, ``request`` (for people), ``reply``.
    mode
        "replay", or "record" to ask the model and write what is not there yet.

    Raises
    ------
    StorageError
        When the file cannot be read.
    """

    def __init__(
        self, model: LanguageModel, path: Path, mode: Literal["replay", "record"] = "replay"
    ) -> None:
        super().__init__(model)
        self._path, self._mode, self._lock = path, mode, threading.Lock()
        self._kept: dict[str, Reply] = {}
        if mode == "replay" or path.exists():
            self._load()

    def find(self, request: Request) -> Reply | None:
        key = request_key(self.identity, request)
        if (kept := self._kept.get(key)) is not None or self._mode == "record":
            return kept
        asked = request.messages[-1].content[:200] if request.messages else ""
        raise ModelError(
            say(en=f"{self._path} has no answer to this request to {self.name}: {asked!r}",
                zh=f"{self._path} 中没有对 {self.name} 的此请求的回答:{asked!r}"),
            hint=say(en="Record it again: the request has changed.", zh="请求已变,请重新录制。"),
        )  # fmt: skip

    def keep(self, request: Request, reply: Reply) -> None:
        key = request_key(self.identity, request)
        line = {
            "key": key,
            "request": [m.to_dict() for m in request.messages],
            "reply": reply_to_dict(reply),
        }
        with self._lock:
            self._kept[key] = reply
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def _load(self) -> None:
        try:
            # JSON may hold other ends of lines than this one.
            for line in filter(None, self._path.read_text(encoding="utf-8").split("\n")):
                record = json.loads(line)
                self._kept[record["key"]] = reply_from_dict(record["reply"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise StorageError(
                say(en=f"The cassette {self._path} cannot be read: {error}.",
                    zh=f"无法读取录制文件 {self._path}:{error}。"),
                hint=say(en="Record it again.", zh="请重新录制。"),
            ) from error  # fmt: skip
