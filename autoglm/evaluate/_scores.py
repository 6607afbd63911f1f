"""The formulas behind `autoglm.evaluate.metrics`.

Every function takes the truth, a prediction and row weights (or None), and returns one
number. Class truths are codes 0..k-1. A sample in which a score has no meaning, such as one
class for a ranking score, gives the score of a guess, so that a small fold never stops a run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.core.errors import DataError
from autoglm.core.text import say

Array = NDArray[Any]
Weight = NDArray[np.float64] | None

_EPS = float(np.finfo(np.float64).eps)


def mean(values: Array, weight: Weight) -> float:
    """Return the weighted mean; NaN of nothing."""
    if len(values) == 0:
        return float("nan")
    return float(values.mean() if weight is None else np.average(values, weights=weight))


def positive(proba: Array) -> Array:
    """Return the probability of class 1 from (n, 2) or (n,) probabilities."""
    return proba[:, 1] if proba.ndim == 2 else proba


# --- rankings and probabilities ---------------------------------------------------------


def roc_auc(y: Array, proba: Array, weight: Weight = None) -> float:
    """Area under the ROC curve, ties counted half; 0.5 when a class is absent."""
    score, is_positive = positive(proba), np.asarray(y) == 1
    if np.isnan(score).any():
        return float("nan")
    if weight is not None:
        return _weighted_auc(is_positive, score, weight)
    high, low = np.sort(score[is_positive]), np.sort(score[~is_positive])
    if not len(high) or not len(low):
        return 0.5
    # Look up the smaller class in the larger one: sorted needles make this nearly linear.
    flip = len(high) > len(low)
    needles, hay = (low, high) if flip else (high, low)
    below = hay.searchsorted(needles, "left").sum() + hay.searchsorted(needles, "right").sum()
    area = float(below) / 2.0 / len(high) / len(low)
    return 1.0 - area if flip else area


def _weighted_auc(is_positive: Array, score: Array, weight: Array) -> float:
    order = np.argsort(score, kind="stable")
    value, gain = score[order], weight[order]
    high = np.where(is_positive[order], gain, 0.0)
    low = gain - high
    starts = np.flatnonzero(np.r_[True, value[1:] != value[:-1]])
    high, low = np.add.reduceat(high, starts), np.add.reduceat(low, starts)
    total = high.sum() * low.sum()
    if not total:
        return 0.5
    return float((high * (np.cumsum(low) - low / 2.0)).sum() / total)


def roc_auc_ovr(y: Array, proba: Array, weight: Weight = None) -> float:
    """Mean over classes of the area under the ROC curve of one class against the rest."""
    codes = np.asarray(y)
    present = np.unique(codes)
    if len(present) < 2:
        return 0.5
    areas = [roc_auc(codes == code, proba[:, int(code)], weight) for code in present]
    return float(np.mean(areas))


def average_precision(y: Array, proba: Array, weight: Weight = None) -> float:
    """Area under the precision-recall steps; the share of positives when none can be ranked."""
    score, is_positive = positive(proba), np.asarray(y) == 1
    if np.isnan(score).any():
        return float("nan")
    order_high, order_low = np.argsort(score[is_positive]), np.argsort(score[~is_positive])
    high, low = score[is_positive][order_high], score[~is_positive][order_low]
    if not len(high):
        return 0.0
    gain = np.ones(len(high)) if weight is None else weight[is_positive][order_high]
    loss = np.ones(len(low)) if weight is None else weight[~is_positive][order_low]
    # Recall rises only at scores of positives, so the area is the mean of their precisions.
    true = _tail_sums(gain)[high.searchsorted(high, "left")]
    false = _tail_sums(loss)[low.searchsorted(high, "left")]
    return float(np.average(true / (true + false), weights=gain))


def _tail_sums(values: Array) -> Array:
    """Return the sum of `values[i:]` for every i, with 0 at the end."""
    sums = np.zeros(len(values) + 1)
    sums[:-1] = np.cumsum(values[::-1])[::-1]
    return sums


def log_loss(y: Array, proba: Array, weight: Weight = None) -> float:
    """Mean negative log-likelihood, in nats."""
    codes = np.asarray(y).astype(np.int64, copy=False)
    if proba.ndim == 1:
        chosen = np.where(codes == 1, proba, 1.0 - proba)
    else:
        chosen = proba[np.arange(len(codes)), codes]
    return -mean(np.log(np.clip(chosen, _EPS, 1.0 - _EPS)), weight)


def brier(y: Array, proba: Array, weight: Weight = None) -> float:
    """Mean squared difference between the probability of class 1 and the outcome."""
    return mean((positive(proba) - np.asarray(y)) ** 2, weight)


# --- labels -----------------------------------------------------------------------------


def confusion(y: Array, labels: Array, weight: Weight = None, n_classes: int = 0) -> Array:
    """Return (k, k) counts or weights, a row for each true class, a column for each label."""
    true = np.asarray(y).astype(np.int64, copy=False)
    said = np.asarray(labels).astype(np.int64, copy=False)
    k = max(n_classes, int(max(true.max(initial=0), said.max(initial=0))) + 1)
    counts = np.bincount(true * k + said, weights=weight, minlength=k * k)
    return counts.reshape(k, k).astype(np.float64)


def _ratio(above: Array, below: Array) -> Array:
    """Return above / below, 0 where nothing is below."""
    return np.divide(above, below, out=np.zeros_like(above, dtype=np.float64), where=below > 0)


def accuracy(y: Array, labels: Array, weight: Weight = None) -> float:
    """Share of rows labelled correctly."""
    return mean((np.asarray(y) == labels).astype(np.float64), weight)


def balanced_accuracy(y: Array, labels: Array, weight: Weight = None) -> float:
    """Mean over the classes present of the share of their rows labelled correctly."""
    counts = confusion(y, labels, weight)
    rows = counts.sum(axis=1)
    there = rows > 0
    return float(np.mean(counts.diagonal()[there] / rows[there])) if there.any() else float("nan")


def _class_f1(counts: Array) -> tuple[Array, Array, Array]:
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    return _ratio(2.0 * counts.diagonal(), rows + columns), rows, columns


def macro_f1(y: Array, labels: Array, weight: Weight = None) -> float:
    """Mean over classes of F1; classes neither present nor predicted are left out."""
    f1, rows, columns = _class_f1(confusion(y, labels, weight))
    seen = rows + columns > 0
    return float(np.mean(f1[seen])) if seen.any() else float("nan")


def weighted_f1(y: Array, labels: Array, weight: Weight = None) -> float:
    """Mean over classes of F1, weighted by their rows."""
    f1, rows, _ = _class_f1(confusion(y, labels, weight))
    return float(np.average(f1, weights=rows)) if rows.sum() else float("nan")


def mcc(y: Array, labels: Array, weight: Weight = None) -> float:
    """Matthews correlation coefficient, in Gorodkin's form for several classes; 0 if undefined."""
    counts = confusion(y, labels, weight)
    total, rows, columns = counts.sum(), counts.sum(axis=1), counts.sum(axis=0)
    shared = counts.trace() * total - rows @ columns
    spread = (total**2 - rows @ rows) * (total**2 - columns @ columns)
    return float(shared / np.sqrt(spread)) if spread > 0 else 0.0


def quadratic_kappa(y: Array, labels: Array, weight: Weight = None) -> float:
    """Cohen's kappa with squared distances between class numbers; 0 if undefined."""
    counts = confusion(y, labels, weight)
    codes = np.arange(len(counts))
    distance = (codes[:, None] - codes[None, :]) ** 2
    chance = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / max(counts.sum(), _EPS)
    expected = float((distance * chance).sum())
    return 1.0 - float((distance * counts).sum()) / expected if expected > 0 else 0.0


# --- two classes, from the four counts; arrays give a score for each threshold ------------


def count_accuracy(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    """Accuracy of confusion counts."""
    return _ratio(tp + tn, tp + fp + fn + tn)


def count_balanced_accuracy(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    """Balanced accuracy of confusion counts, over the classes present."""
    present = (tp + fn > 0).astype(np.float64) + (fp + tn > 0)
    return _ratio(_ratio(tp, tp + fn) + _ratio(tn, fp + tn), present)


def count_f(tp: Array, fp: Array, fn: Array, tn: Array, beta: float) -> Array:
    """F score of confusion counts: recall counts `beta` times as much as precision."""
    b = beta * beta
    return _ratio((1.0 + b) * tp, (1.0 + b) * tp + b * fn + fp)


def count_precision(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    """Precision of confusion counts; 0 when nothing is called positive."""
    return _ratio(tp, tp + fp)


def count_recall(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    """Recall of confusion counts; 0 when nothing is positive."""
    return _ratio(tp, tp + fn)


def count_mcc(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    """Matthews correlation of confusion counts; 0 if undefined."""
    # Products of square roots: the plain product of four counts overflows no float this way.
    below = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
    return _ratio(tp * tn - fp * fn, below)


def count_cost(tp: Array, fp: Array, fn: Array, tn: Array, false_negative_cost: float) -> Array:
    """Mean cost of a row: a false alarm costs 1, a miss `false_negative_cost`."""
    return _ratio(fp + false_negative_cost * fn, tp + fp + fn + tn)


# --- numbers ----------------------------------------------------------------------------


def rmse(y: Array, value: Array, weight: Weight = None) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(mean((value - y) ** 2, weight)))


def mae(y: Array, value: Array, weight: Weight = None) -> float:
    """Mean absolute error."""
    return mean(np.abs(value - y), weight)


def r2(y: Array, value: Array, weight: Weight = None) -> float:
    """Share of variance explained; 0 for a constant truth, 1 when that is hit exactly."""
    error = mean((value - y) ** 2, weight)
    spread = mean((y - mean(y, weight)) ** 2, weight)
    if spread > 0:
        return 1.0 - error / spread
    return 1.0 if error == 0 else 0.0 * error  # keeps a NaN a NaN


def mape(y: Array, value: Array, weight: Weight = None) -> float:
    """Mean absolute error as a share of the truth; 0.1 is ten per cent."""
    return mean(np.abs(value - y) / np.maximum(np.abs(y), _EPS), weight)


def smape(y: Array, value: Array, weight: Weight = None) -> float:
    """Mean of ``2 |p - y| / (|p| + |y|)``, 0 to 2; 0 where both are 0."""
    size = np.abs(value) + np.abs(y)
    return mean(2.0 * np.abs(value - y) / np.where(size > 0, size, 1.0), weight)


def rmsle(y: Array, value: Array, weight: Weight = None) -> float:
    """Root mean squared error of ``log(1 + x)``; negative predictions count as 0.

    Raises
    ------
    DataError
        When the truth goes down to -1 or below.
    """
    truth = np.asarray(y, dtype=np.float64)
    if truth.min(initial=0.0) <= -1.0:
        raise DataError(
            say(en="rmsle needs a target above -1.", zh="rmsle 要求目标值大于 -1。"),
            hint=say(en="Use --metric rmse or mae.", zh="请用 --metric rmse 或 mae。"),
        )
    return rmse(np.log1p(truth), np.log1p(np.maximum(value, 0.0)), weight)


def median_ae(y: Array, value: Array, weight: Weight = None) -> float:
    """Median absolute error; with weights, the error with half the weight on either side."""
    error = np.abs(value - y)
    if weight is None or not len(error):
        return float(np.median(error)) if len(error) else float("nan")
    order = np.argsort(error)
    share = np.cumsum(weight[order])
    half = share[-1] / 2.0
    lower = int(np.searchsorted(share, half, "left"))
    upper = int(np.searchsorted(share, half, "right"))
    return float((error[order][lower] + error[order][min(upper, len(error) - 1)]) / 2.0)
