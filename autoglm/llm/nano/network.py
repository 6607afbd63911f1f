"""The GLM network on numpy: the architecture of `transformers`' ``GlmForCausalLM``, with a cache.

A decoder of RMS norms, grouped-query attention with a bias, rotary positions on a part of each head
with neighbouring pairs turned together, and gated SiLU layers. Weights are read from safetensors;
the names are those of the Hub.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from autoglm.core.errors import BundleError
from autoglm.core.text import say

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

#: Behind the name of a matrix of whole numbers: the scales of its rows.
SCALE = ".scale"
#: Bytes of a configuration file.
MOST_CONFIG_BYTES = 1_000_000


class GlmConfig(BaseModel):
    """The numbers of a network, as ``config.json`` has them; other fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model_type: str = "glm"
    vocab_size: int = Field(gt=0, le=1_000_000)
    hidden_size: int = Field(gt=0, le=65_536)
    intermediate_size: int = Field(gt=0, le=262_144)
    num_hidden_layers: int = Field(gt=0, le=256)
    num_attention_heads: int = Field(gt=0, le=1024)
    num_key_value_heads: int = Field(gt=0, le=1024)
    head_dim: int = Field(gt=0, le=1024)
    rms_norm_eps: float = Field(default=1.5625e-07, gt=0)
    rope_theta: float = Field(default=10_000.0, gt=0)
    partial_rotary_factor: float = Field(default=0.5, gt=0, le=1)
    tie_word_embeddings: bool = False
    attention_bias: bool = True
    max_position_embeddings: int = Field(default=8192, gt=0, le=10_000_000)

    @classmethod
    def read(cls, path: Path) -> GlmConfig:
        """Read ``config.json``.

        Raises
        ------
        BundleError
            When it cannot be read or is that of another architecture.
        """
        try:
            if path.stat().st_size > MOST_CONFIG_BYTES:
                raise ValueError(f"{path.stat().st_size} bytes")
            data = json.loads(path.read_bytes())
            rope = data.pop("rope_parameters", None) or {}
            found = cls.model_validate(rope | data)
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise _damaged(path, str(error).splitlines()[0]) from error
        turned = int(found.head_dim * found.partial_rotary_factor)
        if found.num_attention_heads % found.num_key_value_heads or turned % 2 or not turned:
            raise _damaged(path, "heads that do not go together")
        if found.model_type != "glm" or rope.get("rope_type", "default") != "default":
            raise _damaged(path, f"model_type {found.model_type}, rope {rope.get('rope_type')}")
        return found


@dataclass
class Cache:
    """Keys and values of the tokens so far.

    Attributes
    ----------
    keys, values
        One array a layer, shape (rows, key heads, room, head size).
    lengths
        Tokens of each row.
    """

    keys: list[Floats]
    values: list[Floats]
    lengths: Integers

    def take(self, rows: Integers) -> Cache:
        """Return a cache of other rows, as beams need it."""
        return Cache(
            [k[rows] for k in self.keys], [v[rows] for v in self.values], self.lengths[rows]
        )


@dataclass(frozen=True)
class Layer:
    """Weights of a layer, ready for multiplication from the right."""

    norm_in: Floats
    qkv: Floats
    qkv_bias: Floats | None
    out: Floats
    norm_mlp: Floats
    gate_up: Floats
    down: Floats


@dataclass(frozen=True)
class Glm:
    """A network with its weights.

    Attributes
    ----------
    config
        Its numbers.
    embedding
        Shape (vocabulary, hidden size).
    layers
        In order.
    norm
        Of the last hidden state.
    head
        Shape (hidden size, vocabulary).
    """

    config: GlmConfig
    embedding: Floats
    layers: tuple[Layer, ...]
    norm: Floats
    head: Floats
    _turns: Floats = field(repr=False, default_factory=lambda: np.zeros(0, np.float32))

    @classmethod
    def read(cls, folder: Path) -> Glm:
        """Read ``config.json`` and ``model.safetensors`` of a folder.

        Raises
        ------
        BundleError
            When a file is missing, damaged, or does not fit the other.
        """
        config = GlmConfig.read(folder / "config.json")
        path = folder / "model.safetensors"
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            tensors = load_file(path)
        except (OSError, ValueError, TypeError, SafetensorError) as error:
            raise _damaged(path, str(error)) from error
        return cls.of(config, tensors, path)

    @classmethod
    def of(cls, config: GlmConfig, tensors: dict[str, Any], path: Path = Path("weights")) -> Glm:
        """Build the network from named tensors.

        Raises
        ------
        BundleError
            When one is missing or has another shape.
        """
        take = _Tensors(tensors, path)
        size, heads, keys = (
            config.hidden_size,
            config.num_attention_heads,
            config.num_key_value_heads,
        )
        wide = {
            "q": heads * config.head_dim,
            "k": keys * config.head_dim,
            "v": keys * config.head_dim,
        }
        layers = []
        for number in range(config.num_hidden_layers):
            at = f"model.layers.{number}"
            parts = [take(f"{at}.self_attn.{n}_proj.weight", (w, size)) for n, w in wide.items()]
            bias = None
            if config.attention_bias:
                found = [take(f"{at}.self_attn.{n}_proj.bias", (w,)) for n, w in wide.items()]
                bias = np.concatenate(found)
            inner = config.intermediate_size
            layers.append(
                Layer(
                    take(f"{at}.input_layernorm.weight", (size,)),
                    np.ascontiguousarray(np.concatenate(parts).T),
                    bias,
                    _turned(take(f"{at}.self_attn.o_proj.weight", (size, wide["q"]))),
                    take(f"{at}.post_attention_layernorm.weight", (size,)),
                    _turned(take(f"{at}.mlp.gate_up_proj.weight", (2 * inner, size))),
                    _turned(take(f"{at}.mlp.down_proj.weight", (size, inner))),
                )
            )
        embedding = take("model.embed_tokens.weight", (config.vocab_size, size))
        head = embedding
        if not config.tie_word_embeddings:
            head = take("lm_head.weight", (config.vocab_size, size))
        norm = take("model.norm.weight", (size,))
        return cls(config, embedding, tuple(layers), norm, _turned(head), _angles(config))

    def cache(self, rows: int, room: int) -> Cache:
        """Return an empty cache for so many rows of at most so many tokens."""
        shape = (rows, self.config.num_key_value_heads, room, self.config.head_dim)
        empty = [np.zeros(shape, np.float32) for _ in range(2 * len(self.layers))]
        half = len(self.layers)
        return Cache(empty[:half], empty[half:], np.zeros(rows, np.int64))

    @property
    def places(self) -> int:
        """Return the tokens that a row may have."""
        return len(self._turns)

    def forward(self, tokens: Integers, counts: Integers, cache: Cache) -> Floats:
        """Read tokens behind those in the cache.

        Parameters
        ----------
        tokens
            Shape (rows, width); what is beyond a row's count is ignored.
        counts
            Tokens of each row, at least one.
        cache
            Grows by them; it must have room.

        Returns
        -------
        array
            Hidden states of each token, shape (rows, width, hidden size).
        """
        config = self.config
        rows, width = tokens.shape
        places = cache.lengths[:, None] + np.arange(width)
        turn = self._turns[places][:, :, None]
        hidden = self.embedding[tokens]
        end = int(cache.lengths.max()) + width
        # A token sees those before it; the room beyond a row's tokens is never seen.
        unseen = np.arange(end)[None, None, :] > places[:, :, None]
        mask = np.where(unseen, np.float32(-1e30), np.float32(0))[:, None, None]
        into = np.arange(rows)[:, None], places
        for number, layer in enumerate(self.layers):
            state = _normed(hidden, layer.norm_in, config.rms_norm_eps)
            mixed = self._attend(layer, number, state, turn, mask, (into, end), cache)
            hidden = hidden + mixed @ layer.out
            state = _normed(hidden, layer.norm_mlp, config.rms_norm_eps)
            gate, up = np.split(state @ layer.gate_up, 2, axis=-1)
            hidden = hidden + (up * _silu(gate)) @ layer.down
        cache.lengths += counts
        return _normed(hidden, self.norm, config.rms_norm_eps)

    def _attend(
        self, layer: Layer, number: int, state: Floats, turn: Floats, mask: Floats,
        where: tuple[Any, int], cache: Cache,
    ) -> Floats:  # fmt: skip
        config = self.config
        rows, width = state.shape[:2]
        heads, groups = config.num_attention_heads, config.num_key_value_heads
        mixed = state @ layer.qkv
        if layer.qkv_bias is not None:
            mixed += layer.qkv_bias
        mixed = mixed.reshape(rows, width, heads + 2 * groups, config.head_dim)
        query = _rotated(mixed[:, :, :heads], turn)
        (row, place), end = where
        keys, values = cache.keys[number], cache.values[number]
        keys[row, :, place] = _rotated(mixed[:, :, heads : heads + groups], turn)
        values[row, :, place] = mixed[:, :, heads + groups :]
        query = query.reshape(rows, width, groups, heads // groups, config.head_dim)
        query = query.transpose(0, 2, 3, 1, 4) * np.float32(config.head_dim**-0.5)
        scores = query @ keys[:, :, None, :end].swapaxes(-1, -2) + mask
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        found = scores @ values[:, :, None, :end]
        found = found.transpose(0, 3, 1, 2, 4)
        return np.asarray(found.reshape(rows, width, heads * config.head_dim))

    def logits(self, hidden: Floats) -> Floats:
        """Return the scores of all tokens, shape (..., vocabulary)."""
        return np.asarray(hidden @ self.head)


def _normed(state: Floats, weight: Floats, eps: float) -> Floats:
    power = np.einsum("...i,...i->...", state, state)[..., None] / np.float32(state.shape[-1])
    return np.asarray(state / np.sqrt(power + np.float32(eps)) * weight, dtype=np.float32)


def _silu(gate: Floats) -> Floats:
    with np.errstate(over="ignore"):  # the exponential of a large number is infinite, its share 0
        return np.asarray(gate / (1 + np.exp(-gate)), dtype=np.float32)


def _angles(config: GlmConfig) -> Floats:
    """Return cosine and sine of each place and pair, shape (places, 2, pairs)."""
    turned = int(config.head_dim * config.partial_rotary_factor)
    powers = np.arange(0, turned, 2, dtype=np.float32) / np.float32(turned)
    steps = (np.float32(1) / np.float32(config.rope_theta) ** powers).astype(np.float32)
    places = np.arange(min(config.max_position_embeddings, 16_384), dtype=np.float32)
    angle = places[:, None] * steps[None]
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def _rotated(part: Floats, turn: Floats) -> Floats:
    """Turn neighbouring pairs of the first entries of each head by the angles of their places."""
    cosine, sine = turn[..., 0, :], turn[..., 1, :]
    size = 2 * cosine.shape[-1]
    even, odd = part[..., 0:size:2], part[..., 1:size:2]
    done = part.copy()
    done[..., 0:size:2] = even * cosine - odd * sine
    done[..., 1:size:2] = odd * cosine + even * sine
    return done


def _turned(weight: Floats) -> Floats:
    return np.ascontiguousarray(weight.T)


def packed(weights: Mapping[str, Floats], levels: int = 127) -> dict[str, NDArray[Any]]:
    """Return matrices as whole numbers of a byte with a scale a row, the rest as it is.

    A quarter of the bytes, and less again when compressed with fewer levels; `Glm.read` takes both.

    Parameters
    ----------
    weights
        By name.
    levels
        Largest whole number, 1 to 127.
    """
    found: dict[str, NDArray[Any]] = {}
    for name, values in weights.items():
        if values.ndim < 2:
            found[name] = np.asarray(values, np.float32)
            continue
        scale = np.maximum(np.abs(values).max(axis=1), 1e-12) / levels
        found[name] = np.rint(values / scale[:, None]).astype(np.int8)
        found[name + SCALE] = scale.astype(np.float32)
    return found


class _Tensors:
    """Named tensors of known shapes."""

    def __init__(self, tensors: dict[str, Any], path: Path) -> None:
        self._tensors, self._path = tensors, path

    def __call__(self, name: str, shape: tuple[int, ...]) -> Floats:
        found = self._tensors.get(name)
        if found is None or tuple(found.shape) != shape:
            has = None if found is None else tuple(found.shape)
            raise _damaged(self._path, f"{name}: {has} instead of {shape}")
        values = np.asarray(found, dtype=np.float32)
        if found.dtype == np.int8 and not name.endswith(SCALE):
            values *= self(name + SCALE, shape[:1]).reshape(-1, *[1] * (len(shape) - 1))
        if not np.isfinite(values).all():
            raise _damaged(self._path, f"{name}: not finite")
        return values


def _damaged(path: Path, why: str) -> BundleError:
    return BundleError(
        say(en=f"{path} is no GLM that can be used: {why}.", zh=f"{path} 不是可用的 GLM:{why}。"),
        hint=say(en="Get the folder again.", zh="请重新获取该文件夹。"),
    )
