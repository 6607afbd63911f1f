"""What can be read off truth and prediction alone: scores, a guess to compare with, certainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.core.spec import TaskType
from autoglm.evaluate._scores import confusion
from autoglm.evaluate.charts import calibration_bins
from autoglm.evaluate.metrics import Metric, all_metrics
from autoglm.evaluate.threshold import LabelRule

Array = NDArray[Any]

_RESAMPLES = 200
_MAX_ROWS = 4_000


@dataclass(frozen=True)
class ClassScore:
    """How one class fares.

    Attributes
    ----------
    name
        The class.
    n_rows
        Rows of it.
    precision, recall
        Share of its labels that are right; share of its rows that are found.
    """

    name: str
    n_rows: int
    precision: float
    recall: float


def as_needed(metric: Metric, prediction: Array, rule: LabelRule | None) -> Array:
    """Return labels for a metric of labels, the prediction itself for any other."""
    if metric.needs == "label" and prediction.ndim == 2:
        return (rule or LabelRule()).labels(prediction)
    return prediction


def all_scores(
    task_type: TaskType, y: Array, prediction: Array, rule: LabelRule | None = None
) -> dict[str, float]:
    """Return every finite score of the kind of task; "cost" is left out, it needs a cost."""
    scores = {}
    for metric in all_metrics(task_type):
        if metric.name == "cost" or (metric.name == "rmsle" and y.min(initial=0.0) < 0):
            continue
        score = metric.score(y, as_needed(metric, prediction, rule))
        if np.isfinite(score):
            scores[metric.name] = score
    return scores


def baseline_score(metric: Metric, y: Array, n_classes: int) -> float:
    """Return the best score that a constant prediction reaches on these rows."""
    if metric.needs == "value":
        guesses = [np.full(len(y), v) for v in (y.mean(), np.median(y))]
    elif metric.needs == "proba":
        share = np.bincount(y.astype(np.int64), minlength=n_classes) / max(len(y), 1)
        guesses = [np.tile(share, (len(y), 1))]
    else:
        guesses = [np.full(len(y), code) for code in range(n_classes)]
    return metric.to_utility(max(metric.utility(y, guess) for guess in guesses))


def score_interval(metric: Metric, y: Array, needed: Array, *, seed: int = 0) -> float:
    """Return half the width of a 95 % interval of the score, by the bootstrap.

    Parameters
    ----------
    y, needed
        Truth and what the metric looks at. Above 4,000 rows, samples of that size are drawn
        and the width is scaled by the root of the number of rows.
    """
    rng = np.random.default_rng(seed)
    size = min(len(y), _MAX_ROWS)
    if size < 2:
        return float("nan")
    draws = []
    for _ in range(_RESAMPLES):
        rows = rng.integers(0, len(y), size)
        draws.append(metric.score(y[rows], needed[rows]))
    return 1.96 * float(np.std(draws, ddof=1)) * float(np.sqrt(size / len(y)))


def class_scores(y: Array, labels: Array, names: Sequence[str]) -> tuple[ClassScore, ...]:
    """Return precision and recall of every class."""
    counts = confusion(y, labels, n_classes=len(names))
    rows, columns, right = counts.sum(axis=1), counts.sum(axis=0), counts.diagonal()
    return tuple(
        ClassScore(name, int(n), float(hit / max(said, 1)), float(hit / max(n, 1)))
        for name, n, said, hit in zip(names, rows, columns, right, strict=False)
    )


def calibration_error(y: Array, proba: Array) -> float:
    """Return the mean gap between predicted probability and what came true, in ten bins.

    Two classes: of the probability of class 1. More: of the most probable class.
    """
    score, hit = confidence(y, proba)
    xs, ys, counts = calibration_bins(score, hit)
    return float(np.average(np.abs(xs - ys), weights=counts)) if len(xs) else 0.0


def confidence(y: Array, proba: Array) -> tuple[Array, Array]:
    """Return the probability that calibration is about, and whether it came true."""
    if proba.shape[1] == 2:
        return proba[:, 1], np.asarray(y) == 1
    return proba.max(axis=1), proba.argmax(axis=1) == y
