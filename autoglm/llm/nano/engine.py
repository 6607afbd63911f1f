"""A folder with a small GLM as a language model: weights, tokenizer and the GLM's chat format."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.core.errors import BundleError
from autoglm.core.text import say
from autoglm.llm.account import Account, paid
from autoglm.llm.certainty import Certainty
from autoglm.llm.contract import Delta, Message, Reply, Request, StreamingModel, Usage, as_messages
from autoglm.llm.nano.decode import Decoding, score, steps
from autoglm.llm.nano.network import Glm
from autoglm.llm.nano.tokenizer import Tokenizer

#: Special tokens of the GLM family, in the order of our own tokenizers.
SPECIAL = ("<|endoftext|>", "[MASK]", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>",
           "<|observation|>")  # fmt: skip
#: Tokens that end an answer.
ENDS = ("<|endoftext|>", "<|user|>", "<|observation|>")


class NanoModel(StreamingModel):
    """A GLM that runs in this process on numpy, without `transformers`.

    Parameters
    ----------
    folder
        With ``config.json``, ``model.safetensors`` and ``tokenizer.json`` as the Hub has them.
    name
        How people name it; the folder's name by default.
    account
        Pays for the calls, in tokens of its tokenizer.

    Attributes
    ----------
    stop
        Tokens that end an answer.

    Raises
    ------
    BundleError
        When a file is missing, damaged, or of another kind of model.
    """

    def __init__(self, folder: Path, *, name: str = "", account: Account | None = None) -> None:
        self.folder, self.name = folder, name or folder.name
        self.account = account or Account()
        self.network = Glm.read(folder)
        self.tokenizer = Tokenizer.read(folder / "tokenizer.json")
        missing = [text for text in SPECIAL if text not in self.tokenizer.added]
        if missing or self.tokenizer.size > self.network.config.vocab_size:
            raise BundleError(
                say(en=f"The tokenizer in {folder} does not fit the weights.",
                    zh=f"{folder} 中的分词器与权重不匹配。"),
                hint=say(en="Get the folder again.", zh="请重新获取该文件夹。"),
            )  # fmt: skip
        self.stop = tuple(self.tokenizer.added[text] for text in ENDS)
        about = _about(folder / "nano.json")
        self.prompt_set = "nano" if about.get("prompts") == "nano" else ""
        self.certainty = _certainty(about, folder)
        self._lock = threading.Lock()  # one row at a time: two would share the cores

    @property
    def identity(self) -> str:
        return f"{self.name} {self.folder}"

    def tokens_of(self, messages: Sequence[Message]) -> list[int]:
        """Return a conversation as tokens, in the GLM's chat format.

        An assistant's turn at the end is continued. What people wrote never becomes special tokens.
        """
        added, text = self.tokenizer.added, self.tokenizer.encode
        found = [added["[gMASK]"], added["<sop>"]]
        for message in messages:
            role = "observation" if message.role == "tool" else message.role
            found += [added[f"<|{role}|>"], *text("\n" + message.content)]
        if not messages or messages[-1].role != "assistant":
            found += [added["<|assistant|>"], *text("\n")]
        return found

    def stream(self, request: Request) -> Generator[Delta, None, None]:
        prompt, how = self.tokens_of(request.messages), request.sampling
        started, written = time.monotonic(), list[int]()
        room = min(self.network.config.max_position_embeddings, self.network.places) - len(prompt)
        longest = max(1, min(how.max_tokens, room))
        most = Usage(len(prompt), longest)
        shown, finish, taken, logprob = "", "length", 0, 0.0
        with self._lock, paid(self.account, most, None) as hold:
            hold.settle(Usage(len(prompt)))
            decoding = Decoding(
                max_tokens=longest, temperature=how.temperature, top_k=how.top_k,
                top_p=how.top_p, seed=(how.seed or 0) * 1_000 + how.sample, stop=self.stop,
            )  # fmt: skip
            for step in steps(self.network, [prompt], decoding):
                _, token, sure = step[0]
                taken, logprob = taken + 1, logprob + sure
                hold.settle(Usage(len(prompt), taken))
                if token in self.stop:
                    finish = "stop"
                    break
                written.append(token)
                text = self.tokenizer.decode(written).rstrip("\ufffd")
                if cut := _first(text, how.stop):
                    text, finish = text[: cut[0]], "stop"
                if len(text) > len(shown):
                    yield Delta(text[len(shown) :])
                    shown = text
                if cut:
                    break
        usage = Usage(len(prompt), taken)
        yield Delta(
            reply=Reply(
                shown, self.name, finish="stop" if finish == "stop" else "length", usage=usage,
                seconds=time.monotonic() - started, cost=0.0, logprob=logprob,
            )
        )  # fmt: skip

    def score(
        self, prompt: str | Sequence[Message], continuations: Sequence[str]
    ) -> list[list[float]]:
        before = self.tokens_of(as_messages(prompt))
        return [score(self.network, before, self.tokenizer.encode(t)) for t in continuations]

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the mean of the last hidden states of each text, as unit vectors."""
        rows = []
        for text in texts:
            tokens = np.array([self.tokenizer.encode(text) or [self.stop[0]]])
            count = np.array([tokens.shape[1]])
            hidden = self.network.forward(tokens, count, self.network.cache(1, tokens.shape[1]))
            mean = hidden[0].mean(axis=0)
            rows.append(mean / max(float(np.linalg.norm(mean)), 1e-12))
        return np.asarray(rows, dtype=np.float32)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return len(self.tokens_of(messages))


def _about(path: Path) -> dict[str, Any]:
    """Return what ``nano.json`` beside a model says; a GLM that knows general prompts has none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _certainty(about: Mapping[str, Any], folder: Path) -> Certainty | None:
    given = about.get("certainty")
    if given is None:
        return None
    try:
        return Certainty.from_dict(given)
    except (ValueError, AttributeError) as error:
        raise BundleError(
            say(en=f"{folder / 'nano.json'} cannot be read: {error}.",
                zh=f"无法读取 {folder / 'nano.json'}:{error}。"),
            hint=say(en="Get the folder again.", zh="请重新获取该文件夹。"),
        ) from error  # fmt: skip


def _first(text: str, stops: Sequence[str]) -> tuple[int] | None:
    """Return where the first of some texts begins; None when none is there."""
    found = [at for stop in stops if (at := text.find(stop)) >= 0]
    return (min(found),) if found else None
