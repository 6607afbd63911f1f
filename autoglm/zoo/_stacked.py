"""Networks of one shape side by side: one row through all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autoglm.zoo._labels import sigmoid, softmax
from autoglm.zoo._members import Floats, Members, silu
from autoglm.zoo.contract import Array, RowAnswer


class StackedRow:
    """Raw scores (nets * members, outputs) of one row.

    The first layer of all networks is one matrix for the columns themselves, as all see the
    same; sums of periodic features and later layers are multiplied as a stack.

    Parameters
    ----------
    nets
        Networks that are alike, see `alike`.
    """

    def __init__(self, nets: Sequence[Members]) -> None:
        shape = nets[0].shape
        self._numeric, self._n_nets, self._members = shape.numeric, len(nets), shape.members
        first = [net.first() for net in nets]
        self._plain = np.ascontiguousarray(np.hstack([w[: shape.inputs] for w in first]))
        self._wavy = np.stack([w[shape.inputs :] for w in first])
        self._wave, self._phase = _stack(nets, "wave"), _stack(nets, "phase")
        self._mix = _stack(nets, "mix")
        own = (len(nets), shape.members, -1)
        self._biases = [_stack(nets, f"bias{i}").reshape(own) for i in range(len(shape.hidden))]
        # The shifts of the sums are as good as biases of the first layer.
        shift = _stack(nets, "shift").reshape(len(nets), 1, -1)
        self._biases[0] = self._biases[0] + (shift @ self._wavy).reshape(own)
        self._weights = [_stack(nets, f"weight{i}") for i in range(1, len(shape.hidden))]
        self._head = _stack(nets, "head").reshape(-1, shape.hidden[-1], shape.outputs)
        self._offset = _stack(nets, "offset").reshape(-1, shape.outputs)

    def __call__(self, row: Floats) -> Floats:
        """Return the raw scores of a row (p,) of the dense view."""
        layer: Any = row @ self._plain
        if len(self._numeric):
            angle = row[self._numeric][:, None] * self._wave
            angle += self._phase
            np.cos(angle, out=angle)
            sums = angle[:, :, None, :] @ self._mix
            layer += (sums.reshape(self._n_nets, 1, -1) @ self._wavy).reshape(-1)
        layer = layer.reshape(self._n_nets, self._members, -1)
        layer += self._biases[0]
        layer = silu(layer)
        for weight, bias in zip(self._weights, self._biases[1:], strict=True):
            layer = layer @ weight
            layer += bias
            layer = silu(layer)
        scores: Floats = (layer.reshape(len(self._head), 1, -1) @ self._head)[:, 0]
        scores += self._offset
        return scores


def alike(nets: Sequence[Members]) -> bool:
    """Return whether the networks have one shape and look at the same numbers."""
    first = nets[0].shape
    return all(
        net.shape.parts() == first.parts() and np.array_equal(net.shape.numeric, first.numeric)
        for net in nets
    )


def mean_of_nets(nets: Sequence[Members], *, regression: bool) -> Callable[[Floats], RowAnswer]:
    """Return the function that gives the mean prediction of networks that are alike."""
    scores = StackedRow(nets)
    if regression:
        return lambda row: float(scores(row)[:, 0].mean())
    if nets[0].shape.outputs == 1:
        share = 1.0 / (len(nets) * nets[0].shape.members)
        return lambda row: share * sum(map(sigmoid, scores(row)[:, 0].tolist()))

    def shares(row: Floats) -> Array:
        mean: Array = softmax(scores(row)).mean(axis=0)
        return mean

    return shares


def _stack(nets: Sequence[Members], name: str) -> Floats:
    return np.ascontiguousarray(np.stack([net.part[name] for net in nets]))
