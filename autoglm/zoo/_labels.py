"""Arithmetic on targets that several learners share."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.zoo.contract import Array, Facts, Fold

_TINY = 1e-12


def softmax(scores: NDArray[Any]) -> Array:
    """Return probabilities (n, k) of raw scores (n, k), or of one logit a row (n, 1)."""
    raw = np.asarray(scores, dtype=np.float64)
    if raw.shape[1] == 1:
        # Two classes from one logit: the first class has logit 0.
        raw = np.hstack([np.zeros_like(raw), raw])
    raw = np.exp(raw - raw.max(axis=1, keepdims=True))
    shares: Array = raw / raw.sum(axis=1, keepdims=True)
    return shares


def sigmoid(score: float) -> float:
    """Return the probability of class 1 of one logit."""
    if score >= 0.0:
        return 1.0 / (1.0 + math.exp(-score))
    odds = math.exp(score)
    return odds / (1.0 + odds)


def loss(y: NDArray[Any], prediction: Array, weight: Array | None = None) -> float:
    """Return the mean log loss of probabilities (n, k), or the mean square of residuals (n,)."""
    if prediction.ndim == 1:
        each = (y - prediction) ** 2
    else:
        each = -np.log(np.maximum(prediction[np.arange(len(y)), y], _TINY))
    return float(np.average(each, weights=weight))


def weights_of(fold: Fold, rows: NDArray[np.int64]) -> Array | None:
    """Return the weights of `rows`, or None when the fold has none."""
    return None if fold.weight is None else np.asarray(fold.weight[rows], dtype=np.float64)


def require_rows(fold: Fold, facts: Facts) -> None:
    """Refuse a fold that nothing can be learned from.

    Raises
    ------
    ValueError
        Without training rows, or with class numbers outside 0..k-1.
    """
    if len(fold.train) == 0:
        raise ValueError("no rows to train on")
    if not facts.regression:
        y = fold.y[fold.train]
        if y.min() < 0 or y.max() >= facts.n_classes:
            raise ValueError("class numbers outside 0..k-1")
