"""The proposals of "auto": a small Gaussian process that also looks near the best so far.

Expected improvement as in Jones, Schonlau and Welch, "Efficient Global Optimization of
Expensive Black-Box Functions" (1998). A search that fits models in a fraction of a second asks
many times a second: so scales are chosen from a few, and a dimension that tells nothing gets a
long one, instead of a descent over all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoglm.core.space import Choice, Params, Space
from autoglm.tuner._gp import place_of, random_params, value_at

#: Candidates from the whole space, and near each of the best configurations, of so many.
ANYWHERE, NEARBY, BEST = 150, 100, 3
#: How far a step goes from there.
STEPS = (0.05, 0.15)
#: Observations that are looked at: the best ones, and the latest.
MOST_BEST, MOST_LATEST = 50, 30
#: Values that lie further below the median than so many times what the best lies above it
#: tell no more than that they are bad.
_TAIL = 3.0
_SCALES, _NOISES, _LONGER = (0.3, 0.6, 1.2, 2.4), (1e-3, 1e-2, 1e-1), 3.0
#: How far apart two different options are.
_APART = 0.6

Array = NDArray[np.float64]


def propose_nearby(
    space: Space, past: Sequence[tuple[Params, float]], rng: np.random.Generator
) -> Params:
    """Return the new candidate with the highest expected improvement over the best so far.

    Parameters
    ----------
    space
        The dimensions.
    past
        Configurations of the space and their values, higher is better; at least two.
    rng
        Draws the candidates.
    """
    from scipy.stats import norm

    rows = _points([params for params, _ in past], space)
    values = np.array([value for _, value in past])
    order = np.argsort(-values, kind="stable")
    kept = np.union1d(order[:MOST_BEST], np.arange(len(past))[-MOST_LATEST:])
    y = _tamed(values[kept])
    options = np.array([len(d.options) if isinstance(d, Choice) else 0 for d in space.values()])
    process = _Process.fit(rows[kept], y, options > 0)
    drawn = _candidates(rows[order[:BEST]], options, rng)
    mean, deviation = process.predict(drawn)
    z = (mean - y.max()) / deviation
    gain = deviation * (z * norm.cdf(z) + norm.pdf(z))
    known = [params for params, _ in past]
    promising = (_params(drawn[i], space) for i in np.argsort(-gain, kind="stable"))
    return next((p for p in promising if p not in known), random_params(space, rng))


def _points(params: Sequence[Params], space: Space) -> Array:
    """Return places 0..1 of numbers, and numbers of options, (n, dimensions)."""
    return np.array([
        [
            float(d.options.index(one[name])) if isinstance(d, Choice)
            else place_of(d, float(one[name]))
            for name, d in space.items()
        ]
        for one in params
    ])  # fmt: skip


def _params(point: Array, space: Space) -> Params:
    return {
        name: d.options[int(u)] if isinstance(d, Choice) else value_at(d, float(u))
        for u, (name, d) in zip(point, space.items(), strict=True)
    }


def _candidates(best: Array, options: NDArray[np.int64], rng: np.random.Generator) -> Array:
    """Draw points from everywhere, and near the best ones."""
    shape = (len(best) * NEARBY, len(options))
    anywhere = _drawn((ANYWHERE, len(options)), options, rng)
    near = np.repeat(best, NEARBY, axis=0)
    size = rng.choice(STEPS, size=(shape[0], 1))
    moved = rng.random(shape) < 0.5
    moved[np.arange(shape[0]), rng.integers(shape[1], size=shape[0])] = True
    stepped = np.clip(near + size * rng.normal(size=shape), 0.0, 1.0)
    other = np.where(rng.random(shape) < 2 * size, _drawn(shape, options, rng), near)
    stepped = np.where(options > 0, other, stepped)
    return np.concatenate([anywhere, np.where(moved, stepped, near)])


def _drawn(shape: tuple[int, int], options: NDArray[np.int64], rng: np.random.Generator) -> Array:
    u = rng.random(shape)
    return np.where(options > 0, np.floor(u * options), u)


def _tamed(values: Array) -> Array:
    """Return values with mean 0 and variance 1, after those far below the rest were lifted."""
    middle = float(np.median(values))
    floor = middle - _TAIL * max(float(values.max()) - middle, 1e-12)
    lifted = np.maximum(values, floor)
    result: Array = (lifted - lifted.mean()) / (lifted.std() + 1e-12)
    return result


@dataclass(frozen=True)
class _Process:
    """A Gaussian process with a Matern 5/2 kernel.

    Attributes
    ----------
    rows
        (n, dimensions) points with a value.
    scales
        (dimensions,) length scales.
    options
        (dimensions,) which are options, that are equal or not.
    factor, weights
        Lower Cholesky factor of the kernel matrix with noise, and its solution for the values.
    fitness
        Log marginal likelihood.
    """

    rows: Array
    scales: Array
    options: NDArray[np.bool_]
    factor: Array
    weights: Array
    fitness: float

    @classmethod
    def fit(cls, rows: Array, y: Array, options: NDArray[np.bool_]) -> _Process:
        """Choose one scale and the noise, then lengthen the scales that are better longer."""
        ones = np.ones(rows.shape[1])
        tried = [
            (cls._of(rows, y, options, scale * ones, noise), noise)
            for scale in _SCALES
            for noise in _NOISES
        ]
        best, noise = max(tried, key=lambda one: one[0].fitness)
        for dimension in range(rows.shape[1]):
            scales = best.scales.copy()
            scales[dimension] *= _LONGER
            longer = cls._of(rows, y, options, scales, noise)
            best = max(best, longer, key=lambda one: one.fitness)
        return best

    @classmethod
    def _of(
        cls, rows: Array, y: Array, options: NDArray[np.bool_], scales: Array, noise: float
    ) -> _Process:
        from scipy.linalg import cho_solve

        kernel = _matern(_distances(rows, rows, options, scales)) + noise * np.eye(len(y))
        factor: Array = np.linalg.cholesky(kernel + 1e-9 * np.eye(len(y))).astype(np.float64)
        weights = cho_solve((factor, True), y)
        fitness = -0.5 * float(y @ weights) - float(np.log(np.diag(factor)).sum())
        return cls(rows, scales, options, factor, weights, fitness)

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation at points (m, dimensions)."""
        from scipy.linalg import solve_triangular

        across = _matern(_distances(points, self.rows, self.options, self.scales))
        known = solve_triangular(self.factor, across.T, lower=True)
        return across @ self.weights, np.sqrt(np.maximum(1.0 - (known**2).sum(axis=0), 1e-12))


def _distances(a: Array, b: Array, options: NDArray[np.bool_], scales: Array) -> Array:
    apart = a[:, None, :] - b[None, :, :]
    apart = np.where(options, _APART * (apart != 0), apart) / scales
    result: Array = np.sqrt((apart**2).sum(axis=2))
    return result


def _matern(distance: Array) -> Array:
    r = np.sqrt(5.0) * distance
    result: Array = (1.0 + r + r**2 / 3.0) * np.exp(-r)
    return result
