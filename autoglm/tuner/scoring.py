"""How candidates are compared: utilities on out-of-fold predictions.

Predictions travel on the learners' scale (class probabilities; regression targets with mean
0 and variance 1); scores are always on the scale of the user's target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.evaluate.metrics import Metric, metric
from autoglm.evaluate.threshold import best_utility

Array = NDArray[np.float64]

#: How far beyond the training targets a regression may predict, in shares of their range.
MARGIN = 0.1


@dataclass(frozen=True)
class MetricChoice:
    """The metric of a task and the scale of its target, as JSON values.

    Attributes
    ----------
    name
        A metric's name.
    false_negative_cost
        For "cost": what a miss costs, in false alarms.
    mean, scale
        regression: value = code * scale + mean.
    low, high
        regression: smallest and largest training target, as codes.
    """

    name: str
    false_negative_cost: float | None = None
    mean: float = 0.0
    scale: float = 1.0
    low: float = 0.0
    high: float = 0.0


class Scorer:
    """Scores predictions for one task."""

    def __init__(self, choice: MetricChoice) -> None:
        self.choice = choice
        self.metric: Metric = metric(choice.name, false_negative_cost=choice.false_negative_cost)
        self._margin = MARGIN * (choice.high - choice.low)

    def bounded(self, prediction: NDArray[Any]) -> Array:
        """Keep regression predictions near the range of the training targets.

        A linear model on an outlying row can be off by orders of magnitude; no row of the
        training data supports such a value.
        """
        prediction = np.asarray(prediction, np.float64)
        if prediction.ndim == 2:
            return prediction
        low, high = self.choice.low - self._margin, self.choice.high + self._margin
        return np.asarray(np.clip(prediction, low, high))

    def utility(self, y: NDArray[Any], prediction: Array) -> float:
        """Return the utility, higher is better, of predictions on the learners' scale.

        Labels are scored under the best threshold, so that candidates are ranked by what they
        separate and not by where their probabilities cross one half.
        """
        if prediction.ndim == 2:
            return best_utility(self.metric, y, prediction)
        mean, scale = self.choice.mean, self.choice.scale
        return self.metric.utility(y * scale + mean, prediction * scale + mean)
