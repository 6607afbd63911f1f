"""Elastic net: linear models that leave columns out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from autoglm.core.space import Float, Params, Space
from autoglm.zoo._descent import Problem, Step
from autoglm.zoo._labels import require_rows
from autoglm.zoo.contract import Array, Facts, Fold, Limits
from autoglm.zoo.linear import Linear, LinearModel, best_on_valid

_MAX_ROWS = 20_000
_MAX_COLUMNS = 2000
_STEPS, _ITERATIONS = 12, 40
_WEAKEST = 1e-3
_FALLBACK = 1e-3


class Elastic(Linear):
    """Logistic or linear regression with L1 and L2 penalties on the dense view."""

    name = "elastic"
    seeded = False
    directed = False  # its steps know no bounds
    title = "Elastic net: a linear model of few columns."

    def suits(self, facts: Facts) -> bool:
        """Not for very many columns."""
        return facts.n_features.get("dense", 0) <= _MAX_COLUMNS

    def space(self, facts: Facts) -> Space:
        """Share of the L1 part; the strength is walked through inside a fit."""
        return {"l1_ratio": Float(0.1, 1.0)}

    def defaults(self, facts: Facts) -> Sequence[Params]:
        """One configuration, mostly L1."""
        return [{"l1_ratio": 0.7}]

    def fit(self, fold: Fold, params: Params, facts: Facts, limits: Limits) -> LinearModel:
        """Walk from no column to many and keep the best on `fold.valid`."""
        require_rows(fold, facts)
        train = fold.train
        if len(train) > _MAX_ROWS:
            rng = np.random.default_rng(limits.seed)
            train = np.sort(rng.choice(train, _MAX_ROWS, replace=False))
        problem = Problem.of(Fold(fold.X, fold.y, train, fold.valid, fold.weight), facts)
        fixed = params.get("penalty")
        if fixed is None and len(fold.valid) == 0:
            fixed = _FALLBACK
        steps = _path(problem, float(params.get("l1_ratio", 0.7)), fixed, limits)
        return best_on_valid(fold, facts, steps)


def _path(problem: Problem, l1_ratio: float, fixed: float | None, limits: Limits) -> Iterator[Step]:
    """Solve by accelerated proximal gradient (Beck and Teboulle, 2009) along the path."""
    flat = problem.start().astype(np.float64).ravel()
    gradient = problem.value(flat, 0.0)[1].reshape(problem.columns + 1, -1)
    strongest = float(np.abs(gradient[:-1]).max(initial=1e-6)) / l1_ratio
    path = np.geomspace(strongest, strongest * _WEAKEST, _STEPS).tolist()
    if fixed is not None:
        path = [p for p in path if p > fixed] + [fixed]
    bound = _lipschitz(problem)
    for number, penalty in enumerate(path):
        flat = _solve(problem, flat, penalty, l1_ratio, bound, limits)
        late = limits.left() <= 0
        if fixed is None or late or number == len(path) - 1:
            coef = flat.reshape(problem.columns + 1, -1)
            yield penalty, coef[:-1].copy(), coef[-1].copy()
        if late:
            return


def _solve(
    problem: Problem, flat: Array, penalty: float, l1_ratio: float, bound: float, limits: Limits
) -> Array:
    l1, l2 = penalty * l1_ratio, penalty * (1 - l1_ratio)
    step = 1.0 / (bound + l2)
    ahead, momentum = flat, 1.0
    for _ in range(_ITERATIONS):
        moved = ahead - step * problem.value(ahead, l2)[1]
        table = moved.reshape(problem.columns + 1, -1)
        table[:-1] = np.sign(table[:-1]) * np.maximum(np.abs(table[:-1]) - step * l1, 0.0)
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        change = moved - flat
        ahead = moved + (momentum - 1) / following * change
        flat, momentum = moved, following
        if limits.left() <= 0 or np.abs(change).max() < 1e-5:
            break
    return flat


def _lipschitz(problem: Problem) -> float:
    """Return a bound on the curvature of the loss, by power iteration."""
    vector = np.ones(problem.columns + 1, dtype=np.float32)
    size = 1.0
    for _ in range(15):
        vector /= max(float(np.linalg.norm(vector)), 1e-12)
        image = problem.weight * (problem.X @ vector[:-1] + vector[-1])
        image = image.astype(np.float32)
        vector = np.append(problem.X.T @ image, image.sum()).astype(np.float32)
        size = float(np.linalg.norm(vector))
    share = 1.0 if problem.regression else 0.25 if problem.target.shape[1] == 1 else 0.5
    return 1.1 * share * max(size, 1e-6)
