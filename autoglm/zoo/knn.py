"""Nearest neighbours by brute force on the dense view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.core.space import Choice, Int, Params, Space
from autoglm.zoo._arrays import dump_arrays, load_arrays
from autoglm.zoo._labels import loss, require_rows, weights_of
from autoglm.zoo.contract import Array, Facts, Fold, Learner, Limits, Model

_MAX_ROWS, _MAX_COLUMNS = 20_000, 200
_GRID = (3, 5, 8, 12, 20, 32, 50, 80)
_BLOCK_CELLS = 4_000_000


class NeighbourModel(Model):
    """Training rows and targets, and how many neighbours vote.

    Parameters
    ----------
    rows
        (n, q) float32.
    target
        (n, k) class indicators times row weights, or (n, 1) values.
    k
        Neighbours to ask.
    by_distance
        Whether nearer neighbours count more.
    prior
        (k,) class shares mixed in with the weight of one neighbour; empty for regression.
    """

    def __init__(
        self, rows: Any, target: Any, k: int, *, by_distance: bool, prior: NDArray[Any]
    ) -> None:
        self.rows = np.ascontiguousarray(rows, dtype=np.float32)
        self.target = np.asarray(target, dtype=np.float32)
        self.k, self.by_distance = min(k, len(self.rows)), by_distance
        self.prior = np.asarray(prior, dtype=np.float64)
        self.learned: Params = {"k": k, "by_distance": by_distance}

    def predict(self, X: Any) -> Array:
        """Predict rows of the dense view (n, q)."""
        return self.vote(*nearest(self.rows, X, self.k, self._square))

    @cached_property
    def _square(self) -> NDArray[np.float32]:
        """Squared length of each kept row (n,)."""
        square: NDArray[np.float32] = (self.rows**2).sum(axis=1)
        return square

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

    @property
    def row_us(self) -> float:
        """Every cell of every kept row is looked at."""
        return 0.0003 * self.rows.size

    def dump(self) -> dict[str, bytes]:
        """Return the rows and the settings as files."""
        header = {"k": self.k, "by_distance": self.by_distance}
        arrays: dict[str, NDArray[Any]] = {"rows": self.rows, "target": self.target}
        arrays["prior"] = self.prior
        return dump_arrays(header, arrays)


class NearestNeighbours(Learner):
    """k nearest neighbours, k and the weighting chosen on validation rows."""

    name, view = "knn", "dense"
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
        rows = fold.X[fold.train]
        k, by_distance = params.get("k"), params.get("by_distance")
        grid = _GRID if k is None else (int(k),)
        ways = (True, False) if by_distance is None else (bool(by_distance),)
        candidates = [
            NeighbourModel(rows, target, n, by_distance=way, prior=prior)
            for n in grid
            for way in ways
            if n <= len(rows) or n == grid[0]
        ]
        return _best(candidates, fold, limits)

    def load(self, files: Mapping[str, bytes], facts: Facts) -> NeighbourModel:
        """Read the rows and the settings."""
        header, arrays = load_arrays(files)
        try:
            return NeighbourModel(
                arrays["rows"], arrays["target"], int(header["k"]),
                by_distance=bool(header["by_distance"]), prior=arrays["prior"],
            )  # fmt: skip
        except KeyError as error:
            raise ValueError(f"not a neighbour model: {error} is missing") from error


def nearest(
    rows: NDArray[Any], X: Any, k: int, square: NDArray[Any] | None = None
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return numbers (n, k) and Euclidean distances of the nearest rows, nearest first.

    `square` holds the squared length of each of `rows`, where it is known already.
    """
    X = np.asarray(X, dtype=np.float32)
    square = (rows**2).sum(axis=1) if square is None else square
    step = max(1, _BLOCK_CELLS // max(1, len(rows)))
    found, far = [], []
    for start in range(0, len(X), step):
        block = X[start : start + step]
        distance = square - 2.0 * (block @ rows.T)
        near = np.argpartition(distance, min(k, len(rows)) - 1, axis=1)[:, :k]
        part = np.take_along_axis(distance, near, axis=1)
        order = np.argsort(part, axis=1, kind="stable")
        part = np.take_along_axis(part, order, axis=1) + (block**2).sum(axis=1)[:, None]
        found.append(np.take_along_axis(near, order, axis=1))
        far.append(np.sqrt(np.maximum(part, 0.0)))
    if not found:
        return np.zeros((0, k), dtype=np.int64), np.zeros((0, k), dtype=np.float32)
    return np.vstack(found), np.vstack(far)


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
    near, distance = nearest(most.rows, fold.X[fold.valid], most.k)
    y, weight = fold.y[fold.valid], weights_of(fold, fold.valid)
    scores = [loss(y, model.vote(near, distance), weight) for model in candidates]
    return candidates[int(np.argmin(scores))]
