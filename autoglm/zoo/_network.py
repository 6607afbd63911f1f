"""A small network in plain numpy: one thread, no framework, float32 throughout.

The habits are those that Holzmüller et al. (RealMLP, 2024) and Gorishniy et al. (numerical
embeddings, 2022) found to matter on tables: inputs bounded smoothly, periodic features of
numbers with learned frequencies, Adam with a short memory of squares, a learning rate that
warms up and then falls to zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.zoo._labels import softmax

Floats = NDArray[np.float32]

_BETA1, _BETA2, _EPSILON = 0.9, 0.95, np.float32(1e-8)
_TAU = np.float32(2 * np.pi)
_BOUND = np.float32(3.0)


@dataclass(frozen=True)
class Shape:
    """Sizes of a network.

    Attributes
    ----------
    inputs
        Columns of the view.
    numeric
        Numbers of the columns that get periodic features.
    frequencies
        Periodic features of each.
    hidden
        Width of each hidden layer.
    outputs
        Raw scores a row.
    """

    inputs: int
    numeric: NDArray[np.int64]
    frequencies: int
    hidden: tuple[int, ...]
    outputs: int

    @property
    def waves(self) -> int:
        """Number of periodic features in all."""
        return len(self.numeric) * self.frequencies

    def parts(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter, by name."""
        p = len(self.numeric)
        widths = (self.inputs + self.waves, *self.hidden, self.outputs)
        parts: dict[str, tuple[int, ...]] = {
            "wave": (p, self.frequencies),
            "phase": (p, self.frequencies),
        }
        for i in range(len(widths) - 1):
            parts[f"weight{i}"], parts[f"bias{i}"] = (widths[i], widths[i + 1]), (widths[i + 1],)
        return parts


class Network:
    """Parameters as views into one vector, with forward and backward passes.

    Parameters
    ----------
    shape
        Sizes.
    flat
        All parameters in the order of `Shape.parts`.
    """

    def __init__(self, shape: Shape, flat: Floats) -> None:
        self.shape, self.flat = shape, flat
        self.part = split(flat, shape)
        self.n_layers = len(shape.hidden) + 1

    @classmethod
    def random(cls, shape: Shape, rng: np.random.Generator, spread: float) -> Network:
        """Draw starting parameters; frequencies have standard deviation `spread`."""
        size = sum(int(np.prod(s)) for s in shape.parts().values())
        net = cls(shape, np.zeros(size, dtype=np.float32))
        for name, values in net.part.items():
            if name == "wave":
                values[...] = rng.normal(0.0, spread, values.shape)
            elif name == "phase":
                values[...] = rng.uniform(-0.5, 0.5, values.shape)
            elif name.startswith("weight"):
                values[...] = rng.normal(0.0, np.sqrt(1.5 / values.shape[0]), values.shape)
        net.part[f"weight{net.n_layers - 1}"][...] *= 0.1
        return net

    def forward(self, X: Floats, rng: np.random.Generator | None = None, drop: float = 0.0) -> Any:
        """Return raw scores (n, m) and what `backward` needs."""
        bounded = X / np.sqrt(1 + (X / _BOUND) ** 2)
        numbers = bounded[:, self.shape.numeric]
        angle = _TAU * (numbers[:, :, None] * self.part["wave"] + self.part["phase"])
        layer = np.hstack([bounded, np.cos(angle).reshape(len(X), self.shape.waves)])
        kept: list[Any] = []
        for i in range(self.n_layers - 1):
            raw = layer @ self.part[f"weight{i}"] + self.part[f"bias{i}"]
            gate = 1 / (1 + np.exp(-np.maximum(raw, np.float32(-30))))
            out = raw * gate
            slope = gate + out * (1 - gate)
            if drop and rng is not None:
                mask = (rng.random(out.shape, dtype=np.float32) >= drop) / np.float32(1 - drop)
                out, slope = out * mask, slope * mask
            kept.append((layer, slope))
            layer = out
        last = self.n_layers - 1
        scores = layer @ self.part[f"weight{last}"] + self.part[f"bias{last}"]
        return scores, (numbers, angle, kept, layer)

    def backward(self, error: Floats, memory: Any, gradient: Mapping[str, Floats]) -> None:
        """Write the gradient for the derivative `error` (n, m) of the loss in the scores."""
        numbers, angle, kept, layer = memory
        for i in range(self.n_layers - 1, -1, -1):
            np.matmul(layer.T, error, out=gradient[f"weight{i}"])
            gradient[f"bias{i}"][...] = error.sum(axis=0)
            if i == 0 and self.shape.frequencies == 0:
                return
            error = error @ self.part[f"weight{i}"].T
            if i:
                layer, slope = kept[i - 1]
                error = error * slope
        wave = error[:, self.shape.inputs :].reshape(angle.shape) * np.sin(angle) * -_TAU
        gradient["phase"][...] = wave.sum(axis=0)
        gradient["wave"][...] = np.einsum("npf,np->pf", wave, numbers)


def split(flat: Floats, shape: Shape) -> dict[str, Floats]:
    """Return named views into a vector of all parameters."""
    views, start = {}, 0
    for name, size in shape.parts().items():
        stop = start + int(np.prod(size))
        views[name] = flat[start:stop].reshape(size)
        start = stop
    return views


class Adam:
    """Adam with decoupled decay of weights, on one vector of parameters."""

    def __init__(self, net: Network, decay: float) -> None:
        self.net, self.steps = net, 0
        self.gradient = np.zeros_like(net.flat)
        self.part = split(self.gradient, net.shape)
        self.mean = np.zeros_like(net.flat)
        self.square = np.zeros_like(net.flat)
        self.decay, self.rate = np.zeros_like(net.flat), np.ones_like(net.flat)
        for name, view in split(self.decay, net.shape).items():
            view[...] = decay if name.startswith("weight") else 0.0
        for name, view in split(self.rate, net.shape).items():
            view[...] = 0.1 if name in ("wave", "phase") else 1.0

    def step(self, learning_rate: float) -> None:
        """Move the parameters along `gradient`."""
        self.steps += 1
        g = self.gradient
        self.mean += (1 - _BETA1) * (g - self.mean)
        self.square += (1 - _BETA2) * (g * g - self.square)
        fix = np.sqrt(1 - _BETA2**self.steps) / (1 - _BETA1**self.steps)
        move = self.mean / (np.sqrt(self.square) + _EPSILON)
        move *= np.float32(fix)
        move += self.decay * self.net.flat
        move *= self.rate
        self.net.flat -= np.float32(learning_rate) * move


def error_of(scores: Floats, target: Floats, *, regression: bool) -> Floats:
    """Return the derivative of the loss in the raw scores.

    Parameters
    ----------
    scores, target
        (n, m); one column for two classes and for numbers, class indicators otherwise.
    """
    if regression:
        return scores - target
    shares = softmax(scores)
    if target.shape[1] == 1:
        shares = shares[:, 1:]
    return (shares - target).astype(np.float32)
