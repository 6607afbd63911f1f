"""Next tokens from a network: greedy, drawn, or by beams; constrained where asked.

What `transformers`' ``generate`` does with the same weights and settings is done here token for
token; draws come from numpy's generator, from the same distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from autoglm.core.errors import ModelError
from autoglm.core.text import say
from autoglm.llm.nano.network import Floats, Glm, Integers

#: Tokens that may come next after those so far; None allows all.
Allowed = Callable[[Sequence[int]], NDArray[np.bool_] | None]


class Decoding(BaseModel):
    """How tokens are chosen. Unknown names are refused.

    Attributes
    ----------
    max_tokens
        New tokens of a row at the most.
    temperature
        0 takes the likeliest.
    top_k, top_p
        Draw among so many; among the fewest that have this probability.
    seed
        Of the draws.
    beams
        Sequences kept at a time; 1 for no beam search. Beams are not drawn.
    length_penalty
        Power of the length by which a beam's log-probability is divided.
    stop
        Tokens that end a row; they are not part of it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_tokens: int = Field(default=256, ge=1, le=100_000)
    temperature: float = Field(default=0.0, ge=0, le=10)
    top_k: int = Field(default=0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    seed: int = Field(default=0, ge=0)
    beams: int = Field(default=1, ge=1, le=64)
    length_penalty: float = 1.0
    stop: tuple[int, ...] = ()


@dataclass
class Row:
    """What a row came to.

    Attributes
    ----------
    tokens
        New ones, without the one that ended it.
    logprobs
        Natural log-probabilities of the tokens chosen, before temperature; the ending one too.
    stopped
        Whether a stop token ended it.
    """

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    stopped: bool = False


def log_softmax(logits: Floats) -> Floats:
    """Return log-probabilities over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def warped(logits: Floats, how: Decoding) -> Floats:
    """Return the probabilities that a draw is made from, shape as `logits`.

    Temperature first, then the `top_k` largest, then the fewest that have `top_p` together.
    """
    scores = logits.astype(np.float64) / max(how.temperature, 1e-6)
    if 0 < how.top_k < scores.shape[-1]:
        least = np.partition(scores, -how.top_k, axis=-1)[..., -how.top_k, None]
        scores = np.where(scores < least, -np.inf, scores)
    chance = np.exp(scores - scores.max(axis=-1, keepdims=True))
    chance /= chance.sum(axis=-1, keepdims=True)
    if how.top_p < 1:
        order = np.argsort(-chance, axis=-1, kind="stable")
        ranked = np.take_along_axis(chance, order, axis=-1)
        before = np.cumsum(ranked, axis=-1) - ranked
        kept = np.where(before < how.top_p, ranked, 0.0)
        np.put_along_axis(chance, order, kept, axis=-1)
        chance /= chance.sum(axis=-1, keepdims=True)
    return np.asarray(chance)


def generate(
    network: Glm, prompts: Sequence[Sequence[int]], how: Decoding, allowed: Allowed | None = None
) -> list[Row]:
    """Continue each prompt.

    Raises
    ------
    ModelError
        When a prompt is empty or longer than the network reads, or nothing may come next.
    """
    if how.beams > 1:
        return [_beams(network, prompt, how) for prompt in prompts]
    rows = [Row() for _ in prompts]
    for step in steps(network, prompts, how, allowed):
        for place, token, logprob in step:
            rows[place].logprobs.append(logprob)
            if token in how.stop:
                rows[place].stopped = True
            else:
                rows[place].tokens.append(token)
    return rows


def steps(
    network: Glm, prompts: Sequence[Sequence[int]], how: Decoding, allowed: Allowed | None = None
) -> Iterator[list[tuple[int, int, float]]]:
    """Yield (row, token, log-probability) of the rows that go on, one token at a time."""
    tokens, counts = _padded(network, prompts, how.max_tokens)
    cache = network.cache(len(prompts), int(counts.max()) + how.max_tokens)
    hidden = network.forward(tokens, counts, cache)
    last = hidden[np.arange(len(prompts)), counts - 1]
    generators = [np.random.default_rng([how.seed, place]) for place in range(len(prompts))]
    written: list[list[int]] = [[] for _ in prompts]
    going = np.arange(len(prompts))
    for _ in range(how.max_tokens):
        logits = network.logits(last)
        if allowed is not None:
            logits = _masked(logits, [written[place] for place in going], allowed)
        logprobs = log_softmax(logits)
        chosen = _chosen(logits, how, [generators[place] for place in going])
        yield [
            (int(place), int(token), float(logprobs[at, token]))
            for at, (place, token) in enumerate(zip(going, chosen, strict=True))
        ]
        for place, token in zip(going, chosen, strict=True):
            written[place].append(int(token))
        on = ~np.isin(chosen, how.stop)
        if not on.any():
            return
        if not on.all():
            going, chosen, cache = going[on], chosen[on], cache.take(np.flatnonzero(on))
        ones = np.ones(len(going), np.int64)
        last = network.forward(chosen[:, None], ones, cache)[:, -1]


def _chosen(logits: Floats, how: Decoding, generators: Sequence[np.random.Generator]) -> Integers:
    if how.temperature == 0:
        return np.asarray(logits.argmax(axis=-1))
    chances = np.cumsum(warped(logits, how), axis=-1)
    draws = np.array([g.random() for g in generators])[:, None] * chances[:, -1:]
    return np.asarray((chances <= draws).sum(axis=-1).clip(max=logits.shape[-1] - 1))


def _masked(logits: Floats, written: Sequence[Sequence[int]], allowed: Allowed) -> Floats:
    for at, tokens in enumerate(written):
        mask = allowed(tokens)
        if mask is not None:
            if not mask.any():
                raise ModelError(
                    say(en="No token fits what the answer must look like.",
                        zh="没有符合格式要求的 token。"),
                    hint=say(en="Loosen the format.", zh="请放宽格式。"),
                )  # fmt: skip
            logits[at, ~mask] = -np.inf
    return logits


def _padded(network: Glm, prompts: Sequence[Sequence[int]], more: int) -> tuple[Integers, Integers]:
    counts = np.array([len(p) for p in prompts], np.int64)
    most = min(network.config.max_position_embeddings, network.places)
    if not len(prompts) or counts.min() == 0 or counts.max() + more > most:
        raise ModelError(
            say(en=f"A prompt of {counts.max(initial=0)} tokens and an answer of {more} do not "
                f"fit: {most} tokens are the most.",
                zh=f"提示 {counts.max(initial=0)} 个 token 加回答 {more} 个超出上限 {most}。"),
            hint=say(en="Shorten the question.", zh="请缩短问题。"),
        )  # fmt: skip
    tokens = np.zeros((len(prompts), int(counts.max())), np.int64)
    for place, prompt in enumerate(prompts):
        tokens[place, : len(prompt)] = prompt
    return tokens, counts


@dataclass(frozen=True)
class _Beam:
    score: float
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]


def _beams(network: Glm, prompt: Sequence[int], how: Decoding) -> Row:
    """Keep the likeliest sequences; those that end compete by score over length."""
    width, stop = how.beams, set(how.stop)
    tokens, counts = _padded(network, [prompt], how.max_tokens)
    cache = network.cache(1, len(prompt) + how.max_tokens)
    hidden = network.forward(tokens, counts, cache)[:, -1]
    running, done = [_Beam(0.0, (), ())], []
    kept = width * max(2, 1 + len(stop))
    for length in range(1, how.max_tokens + 1):
        logprobs = log_softmax(network.logits(hidden))
        scores = (logprobs + np.array([b.score for b in running], np.float32)[:, None]).ravel()
        best = np.argpartition(-scores, min(kept, len(scores) - 1))[:kept]
        best = best[np.argsort(-scores[best], kind="stable")]
        going: list[tuple[_Beam, int]] = []
        for rank, at in enumerate(best):
            row, token = divmod(int(at), logprobs.shape[1])
            old, logprob = running[row], float(logprobs[row, token])
            beam = _Beam(float(scores[at]), (*old.tokens, token), (*old.logprobs, logprob))
            if token in stop or length == how.max_tokens:
                if rank < width:
                    done.append(replace(beam, score=beam.score / length**how.length_penalty))
            else:
                going.append((beam, row))
        done = sorted(done, key=lambda b: -b.score)[:width]
        going = going[:width]
        if not going:
            break
        if len(done) == width and going[0][0].score / length**how.length_penalty <= done[-1].score:
            break
        running = [beam for beam, _ in going]
        cache = cache.take(np.array([row for _, row in going]))
        last = np.array([[b.tokens[-1]] for b in running])
        hidden = network.forward(last, np.ones(len(running), np.int64), cache)[:, -1]
    first = done[0]
    stopped = first.tokens[-1] in stop
    return Row(list(first.tokens[: len(first.tokens) - stopped]), list(first.logprobs), stopped)


def score(network: Glm, prompt: Sequence[int], continuation: Sequence[int]) -> list[float]:
    """Return the natural log-probability of each token of a continuation."""
    whole = [*prompt, *continuation]
    tokens, counts = _padded(network, [whole], 0)
    hidden = network.forward(tokens, counts, network.cache(1, len(whole)))[0]
    logprobs = log_softmax(network.logits(hidden[len(prompt) - 1 : -1]))
    return [float(logprobs[at, token]) for at, token in enumerate(continuation)]
