"""Probability calibration on out-of-fold predictions.

Two classes: ``p' = sigmoid(a logit(p) + b)`` (Platt, 1999, on the model's own logit). More:
one temperature, ``p' ~ p ** a`` (Guo et al., 2017). Both keep the order of rows within a
class, and are used only when they gain on rows they were not fitted on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autoglm.core.errors import BundleError
from autoglm.core.text import say
from autoglm.evaluate._scores import log_loss

Array = NDArray[np.float64]

_FLOOR = 1e-7
_RIDGE = 1e-3  # pulls (a, b) to (1, 0): a perfect separation must not send a to infinity
_MIN_ROWS = 50


@dataclass(frozen=True)
class Calibrator:
    """A change of probabilities.

    Attributes
    ----------
    slope
        Factor on log-odds (two classes) or log-probabilities (more); 1 changes nothing.
    offset
        Added to the log-odds of class 1; always 0 for more than two classes.
    """

    slope: float = 1.0
    offset: float = 0.0

    @property
    def identity(self) -> bool:
        """Whether it changes nothing."""
        return self.slope == 1.0 and self.offset == 0.0

    def apply(self, proba: Array) -> Array:
        """Return the calibrated (n, k) probabilities."""
        if self.identity:
            return proba
        if proba.shape[1] == 2:
            high = _sigmoid(self.slope * _logit(proba) + self.offset)
            return np.column_stack([1.0 - high, high])
        return _softmax(self.slope * np.log(np.maximum(proba, _FLOOR)))

    def to_json(self) -> str:
        """Return it as JSON text."""
        return json.dumps({"slope": self.slope, "offset": self.offset})

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        BundleError
            When the text is something else.
        """
        try:
            data: dict[str, Any] = json.loads(text)
            made = cls(float(data["slope"]), float(data["offset"]))
        except (ValueError, TypeError, KeyError) as error:
            raise _damaged() from error
        if not (np.isfinite(made.slope) and np.isfinite(made.offset)):
            raise _damaged()
        return made


def fit_calibrator(y: NDArray[Any], proba: Array, *, seed: int = 0) -> Calibrator:
    """Fit by log loss on out-of-fold probabilities.

    Parameters
    ----------
    y
        (n,) class codes 0..k-1.
    proba
        (n, k) out-of-fold probabilities.
    seed
        Seed of the halving.

    Returns
    -------
    Calibrator
        The identity unless fitting on either half lowers the log loss of the other half.
    """
    if len(y) < _MIN_ROWS or proba.shape[1] < 2 or not np.isfinite(proba).all():
        return Calibrator()
    codes = np.asarray(y).astype(np.int64)
    half = _stratified_half(codes, seed)
    gains = [_gain(codes, proba, half), _gain(codes, proba, ~half)]
    return _fit(codes, proba) if min(gains) > 0.0 else Calibrator()


def _gain(codes: NDArray[np.int64], proba: Array, fitted: NDArray[np.bool_]) -> float:
    """Return how much a fit on some rows lowers the log loss of the others."""
    rest = ~fitted
    after = _fit(codes[fitted], proba[fitted]).apply(proba[rest])
    return log_loss(codes[rest], proba[rest]) - log_loss(codes[rest], after)


def _stratified_half(codes: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    shuffled = np.random.default_rng(seed).permutation(len(codes))
    by_class = shuffled[np.argsort(codes[shuffled], kind="stable")]
    half = np.zeros(len(codes), dtype=bool)
    half[by_class[::2]] = True
    return half


def _fit(codes: NDArray[np.int64], proba: Array) -> Calibrator:
    if proba.shape[1] == 2:
        return _fit_two(codes, _logit(proba))
    return _fit_many(codes, np.log(np.maximum(proba, _FLOOR)))


def _fit_two(codes: NDArray[np.int64], logit: Array) -> Calibrator:
    """Newton's method on slope and offset; the loss is convex."""
    X = np.column_stack([logit, np.ones_like(logit)])
    start = np.array([1.0, 0.0])
    theta = start.copy()
    for _ in range(25):
        p = _sigmoid(X @ theta)
        slope = X.T @ (p - codes) / len(codes) + _RIDGE * (theta - start)
        curve = (X * (p * (1.0 - p))[:, None]).T @ X / len(codes) + _RIDGE * np.eye(2)
        step = np.clip(np.linalg.solve(curve, slope), -1.0, 1.0)
        theta = theta - step
        if np.abs(step).max() < 1e-8:
            break
    # A slope of 0 or less would turn the ranking round.
    return Calibrator(float(theta[0]), float(theta[1])) if theta[0] > 0.05 else Calibrator()


def _fit_many(codes: NDArray[np.int64], logs: Array) -> Calibrator:
    """Newton's method on the one slope; the loss is convex in it."""
    rows = np.arange(len(codes))
    slope = 1.0
    for _ in range(25):
        p = _softmax(slope * logs)
        mean = (p * logs).sum(axis=1)
        gradient = float((mean - logs[rows, codes]).mean()) + _RIDGE * (slope - 1.0)
        curve = float(((p * logs**2).sum(axis=1) - mean**2).mean()) + _RIDGE
        step = float(np.clip(gradient / curve, -0.5, 0.5))
        slope -= step
        if abs(step) < 1e-8:
            break
    return Calibrator(slope) if slope > 0.05 else Calibrator()


def _logit(proba: Array) -> Array:
    high = np.clip(proba[:, 1], _FLOOR, 1.0 - _FLOOR)
    return np.asarray(np.log(high / (1.0 - high)))


def _sigmoid(x: Array) -> Array:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


def _softmax(x: Array) -> Array:
    raised = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _damaged() -> BundleError:
    return BundleError(
        say(en="The stored calibration is damaged.", zh="保存的校准参数已损坏。"),
        hint=say(en="Save the model again.", zh="请重新保存模型。"),
    )
