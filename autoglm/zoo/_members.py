"""A small network in plain numpy: one thread, no framework, float32 throughout.

Several members share one network and are averaged (Gorishniy et al., "TabM", 2024): each
scales the inputs in its own way and has biases and a head of its own, the large matrices are
common. Numbers come with periodic features of learned frequencies (Gorishniy et al., "On
Embeddings for Numerical Features", 2022; Holzmüller et al., "RealMLP", 2024).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.zoo.contract import Array

Floats = NDArray[np.float32]

_TAU = 2 * np.pi


@dataclass(frozen=True)
class Shape:
    """Sizes of a network.

    Attributes
    ----------
    inputs
        Columns of the view.
    numeric
        Numbers of the columns that get periodic features.
    frequencies, embedding
        Periodic features of each, and how many sums of them the layers see.
    members
        Networks that share the large matrices.
    hidden
        Width of each hidden layer; at least one layer.
    outputs
        Raw scores a row.
    """

    inputs: int
    numeric: NDArray[np.int64]
    frequencies: int
    embedding: int
    members: int
    hidden: tuple[int, ...]
    outputs: int

    @property
    def width(self) -> int:
        """Columns that the first layer sees."""
        return self.inputs + len(self.numeric) * self.embedding

    def parts(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter, by name."""
        p, f, e, k = len(self.numeric), self.frequencies, self.embedding, self.members
        widths = (self.width, *self.hidden)
        parts: dict[str, tuple[int, ...]] = {
            "wave": (p, f), "phase": (p, f), "mix": (p, f, e), "shift": (p, e),
            "scale": (self.width,), "adapter": (k, self.width),
        }  # fmt: skip
        for i in range(len(self.hidden)):
            parts[f"weight{i}"], parts[f"bias{i}"] = (widths[i], widths[i + 1]), (k, widths[i + 1])
        return parts | {"head": (k, widths[-1], self.outputs), "offset": (k, self.outputs)}

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(int(np.prod(s)) for s in self.parts().values())

    @property
    def work(self) -> int:
        """Multiplications for one row."""
        widths = (self.width, *self.hidden, self.outputs)
        dense = sum(a * b for a, b in pairwise(widths))
        return self.members * dense + len(self.numeric) * self.frequencies * (self.embedding + 10)


def split(flat: Floats, shape: Shape) -> dict[str, Floats]:
    """Return named views into a vector of all parameters.

    Raises
    ------
    ValueError
        When the vector has another length.
    """
    if flat.shape != (shape.size,):
        raise ValueError("the parameters do not fit the shape of the network")
    views, start = {}, 0
    for name, size in shape.parts().items():
        stop = start + int(np.prod(size))
        views[name] = flat[start:stop].reshape(size)
        start = stop
    return views


class Members:
    """Parameters as views into one vector.

    Parameters
    ----------
    shape
        Sizes.
    flat
        All parameters in the order of `Shape.parts`.
    """

    def __init__(self, shape: Shape, flat: Floats) -> None:
        self.shape, self.flat = shape, np.ascontiguousarray(flat, dtype=np.float32)
        self.part = split(self.flat, shape)

    @classmethod
    def random(cls, shape: Shape, rng: np.random.Generator, spread: float) -> Members:
        """Draw starting parameters; frequencies have standard deviation `spread`."""
        net = cls(shape, np.zeros(shape.size, dtype=np.float32))
        for name, values in net.part.items():
            if name == "wave":
                values[...] = rng.normal(0.0, _TAU * spread, values.shape)
            elif name == "phase":
                values[...] = rng.uniform(-np.pi, np.pi, values.shape)
            elif name in ("mix", "shift"):
                values[...] = rng.uniform(-1, 1, values.shape) / np.sqrt(max(1, shape.frequencies))
            elif name == "adapter" and shape.members > 1:
                values[...] = rng.normal(0.0, 1.0, values.shape)
            elif name in ("scale", "adapter"):
                values[...] = 1.0
            elif name == "head":
                values[...] = rng.normal(0.0, 0.1 * np.sqrt(1.5 / values.shape[1]), values.shape)
            elif name.startswith("weight"):
                values[...] = rng.normal(0.0, np.sqrt(1.5 / values.shape[0]), values.shape)
        return net

    def first(self, out: Floats | None = None) -> Floats:
        """Return the first layer of all members side by side (width, members * hidden)."""
        shape, part = self.shape, self.part
        if out is None:
            out = np.empty((shape.width, shape.members, shape.hidden[0]), dtype=np.float32)
        own = (part["adapter"] * part["scale"]).T
        np.multiply(own[:, :, None], part["weight0"][:, None, :], out=out)
        return out.reshape(shape.width, -1)

    def scores(self, X: Floats, first: Floats | None = None) -> Floats:
        """Return the raw scores of every member (members, n, outputs).

        Parameters
        ----------
        X
            Rows of the dense view (n, inputs).
        first
            What `first` returned, where it is known already.
        """
        shape, part = self.shape, self.part
        k, n = shape.members, len(X)
        layer = (X if not len(shape.numeric) else self._embedded(X)) @ (
            self.first() if first is None else first
        )
        layer = silu(layer.reshape(n, k, shape.hidden[0]) + part["bias0"])
        for i in range(1, len(shape.hidden)):
            layer = layer.reshape(n * k, shape.hidden[i - 1]) @ part[f"weight{i}"]
            layer = silu(layer.reshape(n, k, shape.hidden[i]) + part[f"bias{i}"])
        scores: Floats = np.matmul(layer.transpose(1, 0, 2), part["head"])
        return scores + part["offset"][:, None, :]

    def _embedded(self, X: Floats) -> Floats:
        part = self.part
        angle = X[:, self.shape.numeric].T[:, :, None] * part["wave"][:, None, :]
        angle += part["phase"][:, None, :]
        waves = np.matmul(np.cos(angle), part["mix"]) + part["shift"][:, None, :]
        sums = self.shape.width - self.shape.inputs
        return np.hstack([X, waves.transpose(1, 0, 2).reshape(len(X), sums)])


def silu(raw: Floats) -> Floats:
    """Return x / (1 + exp(-x)), in the place of `raw`."""
    # The same by tanh, which costs half of what exp does.
    gate = raw * np.float32(0.5)
    np.tanh(gate, out=gate)
    gate += 1
    gate *= np.float32(0.5)
    raw *= gate
    return raw


def mean_answer(scores: Floats, *, regression: bool) -> Array:
    """Average the members' answers: probabilities (n, k), or values (n,).

    Parameters
    ----------
    scores
        (members, n, outputs).
    """
    raw = scores.astype(np.float64)
    if regression:
        return np.asarray(raw[:, :, 0].mean(axis=0))
    if raw.shape[2] == 1:
        # Two classes from one logit: the first class has logit 0.
        raw = np.concatenate([np.zeros_like(raw), raw], axis=2)
    raw -= raw.max(axis=2, keepdims=True)
    np.exp(raw, out=raw)
    raw /= raw.sum(axis=2, keepdims=True)
    return np.asarray(raw.mean(axis=0))


def header_of(shape: Shape) -> dict[str, Any]:
    """Return the sizes as JSON values, without the list of columns."""
    return {
        "inputs": shape.inputs,
        "frequencies": shape.frequencies,
        "embedding": shape.embedding,
        "members": shape.members,
        "hidden": list(shape.hidden),
        "outputs": shape.outputs,
    }


def shape_of(header: Mapping[str, Any], numeric: NDArray[Any]) -> Shape:
    """Return the sizes that `header_of` described.

    Raises
    ------
    ValueError
        When they are no sizes of a network.
    """
    hidden = tuple(int(h) for h in header["hidden"])
    names = ("inputs", "frequencies", "embedding", "members", "outputs")
    sizes = {name: int(header[name]) for name in names}
    sound = numeric.ndim == 1 and hidden and min(*hidden, *sizes.values()) >= 0
    if not sound or not sizes["members"] or not sizes["outputs"]:
        raise ValueError("not the sizes of a network")
    if len(numeric) and not (numeric.min() >= 0 and numeric.max() < sizes["inputs"]):
        raise ValueError("periodic features of columns that are not there")
    return Shape(numeric=numeric.astype(np.int64), hidden=hidden, **sizes)
