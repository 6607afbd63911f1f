"""Nearest neighbours by brute force on the dense view.

Cells are kept in whole steps of 1/256, so that squared distances are sums of whole numbers and
exact in double precision: who is near never depends on the rows asked beside, and of equal
distances the earlier row is the nearer one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.core.space import Choice, Int, Params, Space
from autoglm.zoo._arrays import dump_arrays, load_arrays
from autoglm.zoo._labels import loss, require_rows, weights_of
from autoglm.zoo._threads import in_blocks
from autoglm.zoo.contract import Array, Facts, Fold, Learner, Limits, Model, RowAnswer

_MAX_ROWS, _MAX_COLUMNS = 20_000, 200
_GRID = (3, 5, 8, 12, 20, 32, 50, 80)
_BLOCK_CELLS = 1_000_000
#: Steps of a cell, and its bound in steps: with it, 200 columns and 20,000 rows, a squared
#: distance and a row number fit into the 53 bits of a double.
_STEPS, _FAR = 256.0, 4096.0


class NeighbourModel(Model):
    """Training rows and targets, and how many neighbours vote.

    Parameters
    ----------
    rows
        (n, q) float32 in whole steps, see `in_steps`.
    target
        (n, k) class indicators times row weights, or (n, 1) values.
    k
        Neighbours to ask.
    by_distance
        Whether nearer neighbours count more.
    prior
        (k,) class shares mixed in with the weight of one neighbour; empty for regression.
    numbers
        (n,) numbers of the rows in the table; empty where they are not known.
    """

    def __init__(
        self, rows: Any, target: Any, k: int, *, by_distance: bool, prior: NDArray[Any],
        numbers: Any = (),
    ) -> None:  # fmt: skip
        self.rows = np.ascontiguousarray(rows, dtype=np.float32)
        self.target = np.asarray(target, dtype=np.float32)
        self.k, self.by_distance = min(k, len(self.rows)), by_distance
        self.prior = np.asarray(prior, dtype=np.float64)
        self.numbers = np.asarray(numbers, dtype=np.int64)
        self.learned: Params = {"k": k, "by_distance": by_distance}

    def predict(self, X: Any) -> Array:
        """Predict rows of the dense view (n, q)."""
        return self.vote(*self._near(X))

    @cached_property
    def _near(self) -> Neighbours:
        return Neighbours(self.rows, self.k)

    def vote(self, near: NDArray[np.int64], distance: NDArray[Any]) -> Array:
        """Average the targets of neighbours (n, >= k), nearest first."""
        near, distance = near[:, : self.k], distance[:, : self.k]
        share = np.ones(near.shape)
        if self.by_distance:
            share = 1.0 / (distance + 0.1 * distance[:, -1:] + 1e-6)
            share *= self.k / share.sum(axis=1, keepdims=True)
        total: Array = np.einsum("nj,njk->nk", share, self.target[near].astype(np.float64))
        if self.prior.size == 0:
            total /= self.k
            return total[:, 0]
        total += self.prior
        total /= total.sum(axis=1, keepdims=True)
        return total

    def one_row(self) -> Callable[[Any], RowAnswer] | None:
        """Return a function of one row of the dense view."""
        answers = self.of_bags([[self]])
        return lambda row: answers(row)[0]

    @property
    def kin(self) -> Hashable:
        """The rows."""
        return NeighbourModel, self._digest

    @cached_property
    def _digest(self) -> bytes:
        return hashlib.sha256(self.rows.tobytes()).digest()

    def of_bags(
        self, bags: Sequence[Sequence[NeighbourModel]]
    ) -> Callable[[Any], Sequence[RowAnswer]]:
        """Return a function of one row that looks for neighbours once."""
        most = max(model.k for bag in bags for model in bag)
        neighbours = self._near if most == self.k else Neighbours(self.rows, most)

        def answers(row: Any) -> Sequence[RowAnswer]:
            near = neighbours(row[None])
            return [_plain(np.mean([m.vote(*near)[0] for m in bag], axis=0)) for bag in bags]

        return answers

    @property
    def row_us(self) -> float:
        """Every cell of every kept row is looked at."""
        return 0.0003 * self.rows.size

    def dump(self) -> dict[str, bytes]:
        """Return the rows and the settings as files."""
        header = {"k": self.k, "by_distance": self.by_distance}
        arrays: dict[str, NDArray[Any]] = {"rows": self.rows, "target": self.target}
        arrays |= {"prior": self.prior, "numbers": self.numbers}
        return dump_arrays(header, arrays)


class NearestNeighbours(Learner):
    """k nearest neighbours, k and the weighting chosen on validation rows."""

    name, view = "knn", "dense"
    seeded = False
    title = "Nearest neighbours on scaled columns."

    def suits(self, facts: Facts) -> bool:
        """Few enough rows and columns for brute force."""
        return facts.n_rows <= _MAX_ROWS and facts.n_features.get("dense", 0) <= _MAX_COLUMNS

    def space(self, facts: Facts) -> Space:
        """Neighbours and their weighting."""
        return {"k": Int(1, 100, log=True), "by_distance": Choice((False, True))}

    def defaults(self, facts: Facts) -> Sequence[Params]:
        """One configuration that tries a grid on the validation rows inside the fit."""
        return [{}]

    def fit(self, fold: Fold, params: Params, facts: Facts, limits: Limits) -> NeighbourModel:
        """Keep the rows; choose what `params` leaves open on `fold.valid`."""
        require_rows(fold, facts)
        y, weight = fold.y[fold.train], weights_of(fold, fold.train)
        target, prior = _targets(y, weight, facts)
        rows = (in_steps(fold.X[fold.train]) / _STEPS).astype(np.float32)
        k, by_distance = params.get("k"), params.get("by_distance")
        grid = _GRID if k is None else (int(k),)
        ways = (True, False) if by_distance is None else (bool(by_distance),)
        candidates = [
            NeighbourModel(rows, target, n, by_distance=way, prior=prior, numbers=fold.train)
            for n in grid
            for way in ways
            if n <= len(rows) or n == grid[0]
        ]
        return _best(candidates, fold, limits)

    def load(self, files: Mapping[str, bytes], facts: Facts) -> NeighbourModel:
        """Read the rows and the settings."""
        header, arrays = load_arrays(files)
        try:
            rows, target, k = arrays["rows"], arrays["target"], int(header["k"])
            by_distance, prior = bool(header["by_distance"]), arrays["prior"]
        except KeyError as error:
            raise ValueError(f"not a neighbour model: {error} is missing") from error
        outputs = 1 if facts.regression else facts.n_classes
        sound = rows.ndim == 2 and target.shape == (len(rows), outputs) and len(rows) and k > 0
        if not sound or not np.isfinite(rows).all() or prior.size not in (0, outputs):
            raise ValueError("the rows of the neighbour model do not fit together")
        numbers = arrays.get("numbers", ())
        return NeighbourModel(rows, target, k, by_distance=by_distance, prior=prior,
                              numbers=numbers)  # fmt: skip

    def merge(self, models: Sequence[Model]) -> NeighbourModel | None:
        """Return one model that knows the rows of all, and asks as large a share of them."""
        parts = [m for m in models if isinstance(m, NeighbourModel)]
        if len(parts) != len(models) or any(len(m.numbers) != len(m.rows) for m in parts):
            return None
        together = [np.concatenate([getattr(m, name) for m in parts])
                    for name in ("numbers", "rows", "target")]  # fmt: skip
        numbers, at = np.unique(together[0], return_index=True)
        asked = np.mean([m.k / len(m.rows) for m in parts])
        return NeighbourModel(
            together[1][at], together[2][at], max(1, round(asked * len(at))),
            by_distance=sum(m.by_distance for m in parts) * 2 > len(parts),
            prior=np.mean([m.prior for m in parts], axis=0), numbers=numbers,
        )  # fmt: skip


def in_steps(X: Any) -> Array:
    """Return cells (n, q) as whole numbers of steps."""
    steps = np.rint(np.asarray(X, np.float64) * _STEPS)
    return np.clip(steps, -_FAR, _FAR, out=steps)


class Neighbours:
    """Finds the nearest of some rows.

    Parameters
    ----------
    rows
        (n, q) rows of the dense view.
    k
        How many to find; at most n.
    """

    def __init__(self, rows: Any, k: int) -> None:
        steps = in_steps(rows)
        self.k, self._n = k, float(len(steps))
        # Distances times n plus the row's number: all different, and in order of both.
        self._turned = np.ascontiguousarray(-2.0 * self._n * steps.T)
        self._start = self._n * (steps**2).sum(axis=1) + np.arange(len(steps))

    def __call__(self, X: Any) -> tuple[NDArray[np.int64], Array]:
        """Return numbers (m, k) and Euclidean distances of the nearest rows, nearest first."""
        size = max(1, _BLOCK_CELLS // len(self._start))
        keys = np.concatenate(in_blocks(lambda a, b: self._keys(X[a:b]), len(X), size))
        square = np.floor(keys / self._n)
        return (keys - square * self._n).astype(np.int64), np.sqrt(square) / _STEPS

    def _keys(self, X: Any) -> Array:
        """Return squared distances times n plus row numbers (m, k), in order."""
        block = in_steps(X)
        keys: Array = block @ self._turned
        keys += self._start
        if self.k < keys.shape[1]:
            keys.partition(self.k - 1, axis=1)
        near = np.sort(keys[:, : self.k], axis=1)
        near += self._n * (block**2).sum(axis=1)[:, None]
        return near


def _plain(answer: Any) -> RowAnswer:
    """Return a value as it is, two probabilities as the second, more as they are."""
    if np.ndim(answer) == 0:
        return float(answer)
    shares: Array = answer
    return float(shares[1]) if len(shares) == 2 else shares


def _targets(y: Any, weight: Array | None, facts: Facts) -> tuple[Any, Any]:
    if facts.regression:
        return np.asarray(y, dtype=np.float32)[:, None], np.zeros(0)
    hit = np.eye(facts.n_classes, dtype=np.float32)[y]
    if weight is not None:
        hit = hit * (weight / weight.mean())[:, None].astype(np.float32)
    return hit, (hit.sum(axis=0) + 1.0 / facts.n_classes) / (hit.sum() + 1.0)


def _best(candidates: list[NeighbourModel], fold: Fold, limits: Limits) -> NeighbourModel:
    if len(candidates) == 1 or len(fold.valid) == 0 or limits.left() <= 0:
        return candidates[len(candidates) // 2]
    most = max(candidates, key=lambda model: model.k)
    near, distance = Neighbours(most.rows, most.k)(fold.X[fold.valid])
    y, weight = fold.y[fold.valid], weights_of(fold, fold.valid)
    scores = [loss(y, model.vote(near, distance), weight) for model in candidates]
    return candidates[int(np.argmin(scores))]
