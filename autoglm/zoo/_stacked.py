"""Networks of one shape side by side: one row through all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autoglm.zoo._labels import sigmoid, softmax
from autoglm.zoo._members import Floats, Members, silu
from autoglm.zoo.contract import RowAnswer


class StackedRow:
    """Raw scores (nets * members, outputs) of one row.

    What a row costs is mostly the parameters that are read for it. So the members of a network
    share its first matrix here too, and columns that are 0 are left out: of an encoded category
    that is all but one.

    Parameters
    ----------
    nets
        Networks that are alike, see `form_of`.
    """

    def __init__(self, nets: Sequence[Members]) -> None:
        shape = nets[0].shape
        p, n = shape.inputs, len(nets)
        self._numeric = shape.numeric
        weight = _stack(nets, "weight0")
        own = _stack(nets, "adapter") * _stack(nets, "scale")[:, None, :]
        # Columns first: what a column needs lies together.
        self._weight = np.ascontiguousarray(weight[:, :p].transpose(1, 0, 2))
        self._own = np.ascontiguousarray(own[:, :, :p].transpose(2, 0, 1))
        self._wavy_weight = np.ascontiguousarray(weight[:, p:])
        self._wavy_own = np.ascontiguousarray(own[:, :, p:])
        self._wave, self._phase = _stack(nets, "wave"), _stack(nets, "phase")
        self._mix, self._shift = _stack(nets, "mix"), _stack(nets, "shift").reshape(n, 1, -1)
        # (nets, members, width) of the first layer; later matrices are common to the members.
        self._biases = [_stack(nets, f"bias{i}") for i in range(len(shape.hidden))]
        self._weights = [_stack(nets, f"weight{i}") for i in range(1, len(shape.hidden))]
        self._head = _stack(nets, "head").reshape(-1, shape.hidden[-1], shape.outputs)
        self._offset = _stack(nets, "offset").reshape(-1, shape.outputs)

    def __call__(self, row: Floats) -> Floats:
        """Return the raw scores of a row (p,) of the dense view."""
        layer = self._first(row)
        if len(self._numeric):
            angle = row[self._numeric][:, None] * self._wave
            angle += self._phase
            np.cos(angle, out=angle)
            sums = (angle[:, :, None, :] @ self._mix).reshape(self._shift.shape)
            sums += self._shift
            layer += (sums * self._wavy_own) @ self._wavy_weight
        layer += self._biases[0]
        layer = silu(layer)
        for weight, bias in zip(self._weights, self._biases[1:], strict=True):
            layer = layer @ weight
            layer += bias
            layer = silu(layer)
        scores: Floats = (layer.reshape(len(self._head), 1, -1) @ self._head)[:, 0]
        scores += self._offset
        return scores

    def _first(self, row: Floats) -> Any:
        """Return what the columns themselves add to the first layer (nets, members, width)."""
        own, weight = self._own, self._weight
        seen = np.flatnonzero(row)
        if 2 * len(seen) < len(row):
            row, own, weight = row[seen], own[seen], weight[seen]
        return (own * row[:, None, None]).transpose(1, 2, 0) @ weight.transpose(1, 0, 2)


def form_of(net: Members) -> tuple[Any, ...]:
    """Return what networks must have in common to stand side by side."""
    return (*net.shape.parts().items(), net.shape.numeric.tobytes())


def means_of_nets(
    bags: Sequence[Sequence[Members]], *, regression: bool
) -> Callable[[Floats], list[RowAnswer]]:
    """Return the function that gives the mean prediction of each bag of networks, all alike."""
    scores = StackedRow([net for bag in bags for net in bag])
    shape = bags[0][0].shape
    ends = np.cumsum([len(bag) * shape.members for bag in bags]).tolist()
    spans = list(zip([0, *ends[:-1]], ends, strict=True))

    def values(row: Floats) -> list[RowAnswer]:
        found = scores(row)[:, 0]
        return [float(found[a:b].mean()) for a, b in spans]

    def odds(row: Floats) -> list[RowAnswer]:
        found = list(map(sigmoid, scores(row)[:, 0].tolist()))
        return [sum(found[a:b]) / (b - a) for a, b in spans]

    def shares(row: Floats) -> list[RowAnswer]:
        found = softmax(scores(row))
        return [found[a:b].mean(axis=0) for a, b in spans]

    if regression:
        return values
    return odds if shape.outputs == 1 else shares


def _stack(nets: Sequence[Members], name: str) -> Floats:
    return np.ascontiguousarray(np.stack([net.part[name] for net in nets]))
