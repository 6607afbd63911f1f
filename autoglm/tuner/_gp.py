"""Bayesian optimisation by a Gaussian process with expected improvement.

Jones, Schonlau and Welch, "Efficient Global Optimization of Expensive Black-Box Functions"
(1998), with a Matern 5/2 kernel on the unit cube. Optuna's own needs torch; this one runs on
scikit-learn's regressor.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autoglm.core.space import Choice, Dimension, Float, Int, Params, Space, Value

CANDIDATES = 1000

Array = NDArray[np.float64]


def propose_by_gp(
    space: Space, past: Sequence[tuple[Params, float]], rng: np.random.Generator
) -> Params:
    """Return the candidate with the highest expected improvement over the best so far."""
    from scipy.stats import norm
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    X = np.array([_to_cube(params, space) for params, _ in past])
    y = np.array([value for _, value in past])
    y = (y - y.mean()) / (y.std() + 1e-12)
    kernel = ConstantKernel(1.0) * Matern(np.ones(X.shape[1]), nu=2.5) + WhiteKernel(1e-2)
    model = GaussianProcessRegressor(kernel, random_state=int(rng.integers(2**31)))
    drawn = [random_params(space, rng) for _ in range(CANDIDATES)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a kernel bound being reached is no news here
        mean, deviation = model.fit(X, y).predict(
            np.array([_to_cube(p, space) for p in drawn]), return_std=True
        )
    deviation = np.maximum(deviation, 1e-9)
    z = (mean - y.max()) / deviation
    gain = deviation * (z * norm.cdf(z) + norm.pdf(z))
    return drawn[int(np.argmax(gain))]


def random_params(space: Space, rng: np.random.Generator) -> Params:
    """Return one configuration drawn evenly on each dimension's own scale."""
    return {name: value_at(dimension, rng.random()) for name, dimension in space.items()}


def value_at(dimension: Dimension, u: float) -> Value:
    """Return the value at the place `u`, 0..1, on the dimension's own scale."""
    if isinstance(dimension, Choice):
        return dimension.options[min(int(u * len(dimension.options)), len(dimension.options) - 1)]
    low, high = float(dimension.low), float(dimension.high)
    if isinstance(dimension, Int):
        low, high = low - 0.499, high + 0.499
    value = low * (high / low) ** u if dimension.log and low > 0 else low + (high - low) * u
    if isinstance(dimension, Int):
        return int(np.clip(round(value), dimension.low, dimension.high))
    return float(value)


def _to_cube(params: Params, space: Space) -> list[float]:
    point: list[float] = []
    for name, dimension in space.items():
        value = params[name]
        if isinstance(dimension, Choice):
            point += [float(value == option) for option in dimension.options]
        else:
            point.append(place_of(dimension, float(value)))
    return point


def place_of(dimension: Float | Int, value: float) -> float:
    """Return the place, 0..1, of a value on the dimension's own scale."""
    low, high = float(dimension.low), float(dimension.high)
    if high == low:
        return 0.0
    if dimension.log:
        return float(np.log(value / low) / np.log(high / low))
    return (value - low) / (high - low)
