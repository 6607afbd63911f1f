"""A model of the Hub, or of a folder, run in this process by `transformers`.

Weights come from safetensors alone and code from `transformers` alone: a model that would run code
of its own, or whose weights are pickled, is refused.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.core.errors import ModelError
from autoglm.core.imports import need
from autoglm.core.text import say
from autoglm.llm.account import Account, paid
from autoglm.llm.contract import Delta, Message, Reply, Request, StreamingModel, Usage, as_messages


class LocalModel(StreamingModel):
    """A causal language model run by `transformers`.

    Parameters
    ----------
    name
        Of the Hub, or the path of a folder.
    account
        Pays for the calls, in tokens of its tokenizer.

    Raises
    ------
    MissingDependency
        Without the extra ``llm``.
    ModelError
        When it is not there, cannot be loaded, or is not safe to load.
    """

    def __init__(self, name: str, *, account: Account | None = None) -> None:
        library = need("transformers", extra="llm", feature=say(en="a local model", zh="本地模型"))
        self._torch = need("torch", extra="llm", feature=say(en="a local model", zh="本地模型"))
        self.name = Path(name).name if Path(name).is_dir() else name
        self.account = account or Account()
        safe = {"trust_remote_code": False}
        try:
            self._tokenizer: Any = library.AutoTokenizer.from_pretrained(name, **safe)
            self._model: Any = library.AutoModelForCausalLM.from_pretrained(
                name, use_safetensors=True, **safe
            ).eval()
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            raise _unusable(name, error) from error
        self._streamer = library.TextIteratorStreamer
        self._lock = threading.Lock()  # one row at a time: two would share the cores
        self._path = name

    @property
    def identity(self) -> str:
        return f"local {self._path}"

    def tokens_of(self, messages: Sequence[Message]) -> list[int]:
        """Return a conversation as tokens, by the tokenizer's own chat template if it has one."""
        turns = [m.to_dict() for m in messages]
        if getattr(self._tokenizer, "chat_template", None):
            goes_on = bool(messages) and messages[-1].role == "assistant"
            found = self._tokenizer.apply_chat_template(
                turns, add_generation_prompt=not goes_on, continue_final_message=goes_on,
                return_dict=False,
            )  # fmt: skip
            return list(found)
        text = "\n".join(m.content for m in messages)
        return list(self._tokenizer(text)["input_ids"])

    def stream(self, request: Request) -> Generator[Delta, None, None]:
        prompt, how = self.tokens_of(request.messages), request.sampling
        started = time.monotonic()
        with self._lock, paid(self.account, Usage(len(prompt), how.max_tokens), None) as hold:
            hold.settle(None)
            streamer = self._streamer(self._tokenizer, skip_prompt=True, skip_special_tokens=True)
            found: dict[str, Any] = {}
            stop = threading.Event()
            worker = threading.Thread(target=self._write, args=(prompt, how, streamer, found, stop))
            worker.start()
            text, ended = "", False
            try:
                for piece in streamer:
                    text += piece
                    cut = [at for s in how.stop if (at := text.find(s)) >= 0]
                    if cut:
                        text, ended = text[: min(cut)], True
                        break
                    if piece:
                        yield Delta(piece)
            finally:
                stop.set()
                worker.join()
                if "tokens" in found:
                    hold.settle(Usage(len(prompt), int(found["tokens"])))
            if "error" in found:
                raise _failed(self.name, found["error"]) from found["error"]
            usage = Usage(len(prompt), int(found["tokens"]))
        ended = ended or found["tokens"] < how.max_tokens
        yield Delta(
            reply=Reply(
                text, self.name, finish="stop" if ended else "length", usage=usage,
                seconds=time.monotonic() - started, cost=0.0,
            )
        )  # fmt: skip

    def _write(
        self, prompt: list[int], how: Any, streamer: Any, found: dict[str, Any],
        stop: threading.Event,
    ) -> None:  # fmt: skip
        """Generate in a thread of its own, while the streamer is read."""
        torch = self._torch
        drawn = how.temperature > 0
        options: dict[str, Any] = {"do_sample": drawn, "max_new_tokens": how.max_tokens}
        if drawn:
            options |= {"temperature": how.temperature, "top_p": how.top_p, "top_k": how.top_k}
            torch.manual_seed((how.seed or 0) * 1_000 + how.sample)
        try:
            with torch.no_grad():
                ids = self._model.generate(
                    torch.tensor([prompt]), streamer=streamer,
                    stopping_criteria=[lambda *_, **__: torch.tensor([stop.is_set()])], **options,
                )  # fmt: skip
            found["tokens"] = ids.shape[1] - len(prompt)
        except Exception as error:  # noqa: BLE001 - raised again by the thread that reads
            found["error"] = error
            streamer.end()

    def score(
        self, prompt: str | Sequence[Message], continuations: Sequence[str]
    ) -> list[list[float]]:
        torch, before = self._torch, self.tokens_of(as_messages(prompt))
        found = []
        for text in continuations:
            after = list(self._tokenizer(text, add_special_tokens=False)["input_ids"])
            with torch.no_grad():
                logits = self._model(torch.tensor([[*before, *after]])).logits[0].float()
            logprobs = torch.log_softmax(logits[len(before) - 1 : -1], dim=-1)
            found.append([float(logprobs[at, token]) for at, token in enumerate(after)])
        return found

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the mean of the last hidden states of each text, as unit vectors."""
        torch, rows = self._torch, []
        for text in texts:
            ids = self._tokenizer(text or " ", return_tensors="pt")["input_ids"]
            with torch.no_grad():
                hidden = self._model(ids, output_hidden_states=True).hidden_states[-1]
            mean = hidden[0].float().mean(dim=0).numpy()
            rows.append(mean / max(float(np.linalg.norm(mean)), 1e-12))
        return np.asarray(rows, dtype=np.float32)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return len(self.tokens_of(messages))


def _unusable(name: str, error: Exception) -> ModelError:
    why = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
    return ModelError(
        say(en=f"{name} cannot be loaded: {why}", zh=f"无法加载 {name}:{why}"),
        hint=say(en="Give the folder of a model in safetensors whose architecture transformers "
                 "knows; a name needs the network once.",
                 zh="请给出 safetensors 格式、transformers 支持的模型文件夹;名称需联网下载一次。"),
    )  # fmt: skip


def _failed(name: str, error: Exception) -> ModelError:
    return ModelError(
        say(en=f"{name} failed: {error}", zh=f"{name} 出错:{error}"),
        hint=say(
            en="Shorten the question, or lower max_tokens.", zh="请缩短问题或降低 max_tokens。"
        ),
    )
