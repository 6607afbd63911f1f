"""Penalised linear problems solved along a path of penalties, each from the last solution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.zoo._labels import softmax, weights_of
from autoglm.zoo.contract import Array, Facts, Fold, Limits

Step = tuple[float, NDArray[Any], NDArray[Any]]

_ITERATIONS = 60


@dataclass
class Problem:
    """Rows and targets of one fit.

    Attributes
    ----------
    X
        (n, q) float32, dense or csr.
    target
        (n, m): class indicators, or the value; m is 1 for two classes and for regression.
    weight
        (n,) row weights that sum to 1.
    regression
        Whether the loss is half the square instead of the log loss.
    directions
        Columns whose coefficient must not be below 0 (1) or above it (-1).
    """

    X: Any
    target: NDArray[np.float32]
    weight: Array
    regression: bool
    directions: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, fold: Fold, facts: Facts) -> Problem:
        """Gather the training rows of a fold."""
        y = fold.y[fold.train]
        if facts.regression or facts.n_classes == 2:
            target = np.asarray(y, dtype=np.float32)[:, None]
        else:
            target = np.eye(facts.n_classes, dtype=np.float32)[y]
        weight = weights_of(fold, fold.train)
        weight = np.ones(len(y)) if weight is None else weight
        shares = weight / weight.sum()
        return cls(fold.X[fold.train], target, shares, facts.regression, facts.directions)

    @property
    def columns(self) -> int:
        """Number of columns of X."""
        return int(self.X.shape[1])

    def bounds(self) -> list[tuple[float | None, float | None]] | None:
        """Return the bounds of the flattened coefficients, or None without a direction."""
        if not self.directions:
            return None
        sides = {1: (0.0, None), -1: (None, 0.0)}
        rows = [sides.get(self.directions.get(i, 0), (None, None)) for i in range(self.columns + 1)]
        return [side for side in rows for _ in range(self.target.shape[1])]

    def start(self) -> NDArray[np.float32]:
        """Return coefficients (q + 1, m), intercepts last, that predict class shares."""
        coef = np.zeros((self.columns + 1, self.target.shape[1]), dtype=np.float32)
        mean = self.weight @ self.target
        if self.regression:
            coef[-1] = mean
        elif len(mean) == 1:
            share = np.clip(mean, 1e-4, 1 - 1e-4)
            coef[-1] = np.log(share / (1 - share))
        else:
            coef[-1] = np.log(np.maximum(mean, 1e-4))
        return coef

    def value(self, flat: Array, penalty: float) -> tuple[float, Array]:
        """Return the penalised loss and its gradient at flattened coefficients."""
        coef = flat.reshape(self.columns + 1, -1).astype(np.float32)
        scores = np.asarray(self.X @ coef[:-1]) + coef[-1]
        each, residual = self._loss(scores)
        residual = (residual * self.weight[:, None]).astype(np.float32)
        gradient = np.empty(coef.shape, dtype=np.float64)
        gradient[:-1] = np.asarray(self.X.T @ residual)
        gradient[-1] = residual.sum(axis=0)
        body = flat.reshape(coef.shape)[:-1]
        gradient[:-1] += penalty * body
        total = float(self.weight @ each) + 0.5 * penalty * float((body**2).sum())
        return total, gradient.ravel()

    def _loss(self, scores: NDArray[Any]) -> tuple[Array, Array]:
        if self.regression:
            residual = scores.astype(np.float64) - self.target
            return 0.5 * residual[:, 0] ** 2, residual
        if self.target.shape[1] == 1:
            raw = scores[:, 0].astype(np.float64)
            each = np.logaddexp(0.0, raw) - raw * self.target[:, 0]
            return each, softmax(scores)[:, 1:] - self.target
        shares = softmax(scores)
        hit = np.maximum((shares * self.target).sum(axis=1), 1e-12)
        return -np.log(hit), shares - self.target


def descend(
    problem: Problem, path: Sequence[float], limits: Limits, iterations: int = _ITERATIONS
) -> Iterator[Step]:
    """Solve by L-BFGS along the path; a step that meets the deadline is given as it stands."""
    import scipy.optimize

    # Its stubs know no function with a bound argument.
    minimize: Any = scipy.optimize.minimize

    def check(_: Array) -> None:
        if limits.left() <= 0:
            raise StopIteration

    flat = problem.start().astype(np.float64).ravel()
    options = {"maxiter": iterations, "gtol": 1e-5, "ftol": 1e-7}
    for penalty in path:
        found = minimize(
            partial(problem.value, penalty=penalty),
            flat,
            method="L-BFGS-B",
            jac=True,
            bounds=problem.bounds(),
            options=options,
            callback=check,
        )
        flat = found.x
        coef = flat.reshape(problem.columns + 1, -1)
        yield penalty, coef[:-1].copy(), coef[-1].copy()
        if limits.left() <= 0:
            return


def ridge_path(problem: Problem, path: Sequence[float]) -> Iterator[Step]:
    """Solve least squares exactly for every penalty from one eigendecomposition."""
    X, weight = problem.X, problem.weight
    X = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
    mean = weight @ X
    centre = float(weight @ problem.target[:, 0])
    shifted = (X - mean.astype(np.float32)) * np.sqrt(weight, dtype=np.float32)[:, None]
    residual = (problem.target[:, 0] - centre) * np.sqrt(weight)
    gram = (shifted.T @ shifted).astype(np.float64)
    values, vectors = np.linalg.eigh(gram)
    values = np.maximum(values, 0.0)
    projected = vectors.T @ (shifted.T @ residual.astype(np.float32)).astype(np.float64)
    for penalty in path:
        coef = vectors @ (projected / (values + max(penalty, 1e-9)))
        yield penalty, coef[:, None], np.array([centre - mean @ coef])
