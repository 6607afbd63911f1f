"""Classes of texts by what the classes are called, without a row to learn from.

By vectors: a text belongs to the label whose description is nearest. Where many texts are given at
a time, the labels move to the texts that are theirs and are asked again: expectation maximisation
for directions (von Mises-Fisher, Banerjee et al. 2005), started from the descriptions.

By prompts: a language model chooses among the labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autoglm.core.errors import AutoGLMError, ConfigError, ModelError
from autoglm.core.text import has_chinese, say
from autoglm.llm.contract import LanguageModel, Reply, Request, Sampling
from autoglm.llm.many import generate_many
from autoglm.llm.prompts import template
from autoglm.llm.structured import read_json

Array = NDArray[np.float64]

#: Ways to put a description.
_FRAMES = {"en": ("{}", "This text is about {}."), "zh": ("{}", "这是关于{}的内容。")}
#: How sharply a text belongs to its nearest label; rounds; texts that make moving worthwhile.
_SHARPNESS, _ROUNDS, _LEAST_TEXTS = 30.0, 12, 50
#: How many texts a description counts for beside those that are its own.
_ANCHOR = 0.02
_MOST_CHARACTERS = 4_000


@dataclass(frozen=True)
class ZeroShot:
    """A classifier that is told what its labels mean.

    Attributes
    ----------
    labels
        Description of each label, in a few words of the texts' language.
    model
        A sentence encoder, or a language model.
    how
        "embed" compares vectors, "ask" asks the model.
    adapt
        Whether labels move to the texts that are given, see above; "embed" alone.
    parallel
        Questions at a time; "ask" alone.

    Examples
    --------
    >>> from autoglm.llm.encoder import SentenceEncoder  # doctest: +SKIP
    >>> topics = {"sport": "sport and games", "world": "politics and war"}  # doctest: +SKIP
    >>> ZeroShot(topics, SentenceEncoder("minilm")).predict(["The cup final"])  # doctest: +SKIP
    ['sport']
    """

    labels: Mapping[str, str]
    model: LanguageModel
    how: Literal["embed", "ask"] = "embed"
    adapt: bool = True
    parallel: int = 8

    def __post_init__(self) -> None:
        if len(self.labels) < 2 or not all(text.strip() for text in self.labels.values()):
            raise ConfigError(
                say(en="At least two labels are needed, each with a description.",
                    zh="至少需要两个标签,且每个都要有描述。"),
                hint=say(en='For example {"sport": "sport and games", "world": "politics, war"}.',
                         zh='例如 {"体育": "体育比赛", "国际": "国际政治、战争"}。'),
            )  # fmt: skip

    def predict(self, texts: Sequence[str]) -> list[str]:
        """Return the label of each text.

        Raises
        ------
        ModelError
            When the model cannot be asked, or names no label.
        """
        names = list(self.labels)
        return [names[i] for i in self.predict_proba(texts).argmax(axis=1)]

    def predict_proba(self, texts: Sequence[str]) -> Array:
        """Return (n, k) shares of the labels, in the order of `labels`.

        They tell the likeliest from the next; they are not calibrated.

        Raises
        ------
        ModelError
            When the model cannot be asked, or names no label.
        """
        if not texts:
            return np.zeros((0, len(self.labels)))
        return self._by_vectors(texts) if self.how == "embed" else self._by_prompts(texts)

    def _by_vectors(self, texts: Sequence[str]) -> Array:
        frames = _FRAMES["zh" if has_chinese("".join(self.labels.values())) else "en"]
        said = [frame.format(text) for text in self.labels.values() for frame in frames]
        told = self.model.embed(said).astype(np.float64)
        start = _unit(told.reshape(len(self.labels), len(frames), -1).mean(axis=1))
        found = self.model.embed([text[:_MOST_CHARACTERS] for text in texts]).astype(np.float64)
        if not self.adapt or len(texts) < _LEAST_TEXTS:
            return _shares(found @ start.T)
        # What all texts have in common says nothing of their labels.
        middle = found.mean(axis=0)
        found, anchors = _unit(found - middle), _unit(start - start.mean(axis=0))
        centres = anchors
        weight = _ANCHOR * len(texts) / len(self.labels)
        for _ in range(_ROUNDS):
            shares = _shares(found @ centres.T)
            moved = _unit(shares.T @ found + weight * anchors)
            if np.abs(moved - centres).max() < 1e-4:
                break
            centres = moved
        return _shares(found @ centres.T)

    def _by_prompts(self, texts: Sequence[str]) -> Array:
        names = list(self.labels)
        language: Any = "zh" if has_chinese("".join(self.labels.values())) else "en"
        page = template("label", language, Path(__file__).with_name("templates"))
        listed = "\n".join(f"{name}: {text}" for name, text in self.labels.items())
        schema = {
            "type": "object",
            "properties": {"label": {"enum": names}},
            "required": ["label"],
            "additionalProperties": False,
        }
        sampling = Sampling(max_tokens=40, thinking=False, schema=schema)
        requests = [
            Request(page.fill({"labels": listed, "text": text[:_MOST_CHARACTERS]}), sampling)
            for text in texts
        ]
        replies = generate_many(self.model, requests, parallel=self.parallel)
        shares = np.zeros((len(texts), len(names)))
        for row, reply in enumerate(replies):
            shares[row, self._chosen(reply, names, schema)] = 1.0
        return shares

    def _chosen(self, reply: Reply | AutoGLMError, names: list[str], schema: dict[str, Any]) -> int:
        """Return the place of the label that an answer names.

        Raises
        ------
        ModelError
            When it names none.
        """
        if isinstance(reply, AutoGLMError):
            raise reply
        shaped = read_json(reply.text, schema)
        if not isinstance(shaped, str):
            return names.index(shaped[0]["label"])
        said = [i for i, name in enumerate(names) if name.casefold() in reply.text.casefold()]
        if len(said) == 1:
            return said[0]
        raise ModelError(
            say(en=f"{self.model.name} named no label: {reply.text[:80]!r}.",
                zh=f"{self.model.name} 没有给出标签:{reply.text[:80]!r}。"),
            hint=say(en="Make the descriptions clearer, or ask a larger model.",
                     zh="请把描述写得更清楚,或换更大的模型。"),
        )  # fmt: skip


def _unit(vectors: Array) -> Array:
    unit: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit


def _shares(likeness: Array) -> Array:
    raised = _SHARPNESS * (likeness - likeness.max(axis=1, keepdims=True))
    shares: Array = np.exp(raised)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares
