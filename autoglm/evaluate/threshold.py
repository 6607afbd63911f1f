"""From probabilities to labels: the rule that serves a label metric best.

Two classes: a threshold on the probability of class 1. More: class ``k`` with the highest
``weight_k p_k``, the weights a power of the inverse class shares (power 0 is the plain
most probable class, power 1 treats all classes alike). One parameter either way, so that
little is overfitted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autoglm.core.errors import BundleError
from autoglm.core.text import say
from autoglm.evaluate.metrics import Metric

Array = NDArray[Any]

_POWERS = (0.25, 0.5, 0.75, 1.0)
_DRAWS = 9


@dataclass(frozen=True)
class LabelRule:
    """How probabilities become labels.

    Attributes
    ----------
    threshold
        For two classes: class 1 from this probability on.
    weights
        For more classes: factors on the probabilities, or None for the plain maximum.
    """

    threshold: float = 0.5
    weights: tuple[float, ...] | None = None

    def labels(self, proba: Array) -> NDArray[np.int64]:
        """Return the (n,) class codes of (n, k) probabilities."""
        if proba.shape[1] == 2:
            return np.asarray(proba[:, 1] >= self.threshold, dtype=np.int64)
        weighted = proba if self.weights is None else proba * np.asarray(self.weights)
        return np.asarray(weighted.argmax(axis=1), dtype=np.int64)

    def to_json(self) -> str:
        """Return it as JSON text."""
        return json.dumps({"threshold": self.threshold, "weights": self.weights})

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
            given = data["weights"]
            weights = None if given is None else tuple(float(w) for w in given)
            return cls(float(data["threshold"]), weights)
        except (ValueError, TypeError, KeyError) as error:
            raise BundleError(
                say(en="The stored decision threshold is damaged.", zh="保存的决策阈值已损坏。"),
                hint=say(en="Save the model again.", zh="请重新保存模型。"),
            ) from error


def choose_rule(
    metric: Metric, y: NDArray[Any], proba: Array, *, seed: int = 0, weight: Array | None = None
) -> LabelRule:
    """Choose the rule on out-of-fold probabilities.

    The threshold is the median of those that are best on random halves of the rows, which
    varies less than the best one on all rows; it is kept only if it beats 0.5 there.

    Parameters
    ----------
    metric
        What the labels are for. Metrics of probabilities keep the plain rule.
    y
        (n,) class codes.
    proba
        (n, k) out-of-fold probabilities, calibrated if the model's are.
    seed
        Seed of the halves.
    weight
        (n,) row weights, or None.
    """
    codes = np.asarray(y).astype(np.int64)
    if metric.needs != "label" or not len(codes) or np.isnan(proba).any():
        return LabelRule()
    if proba.shape[1] == 2:
        return _choose_threshold(metric, codes, proba[:, 1], seed, weight)
    return _choose_weights(metric, codes, proba, weight)


def best_utility(metric: Metric, y: NDArray[Any], proba: Array) -> float:
    """Return the utility of (n, k) probabilities under their best rule.

    For ranking models by a label metric: it does not depend on where each model's
    probabilities happen to cross one half. Recall and precision are ranked by F2 and F0.5.
    """
    two = metric.counts is not None and proba.ndim == 2 and proba.shape[1] == 2
    if not two or not len(y) or np.isnan(proba).any():
        return metric.utility(y, proba)
    return float(_sweep(metric, np.asarray(y), proba[:, 1], None)[1].max())


def _choose_threshold(
    metric: Metric, codes: NDArray[np.int64], score: Array, seed: int, weight: Array | None
) -> LabelRule:
    if metric.counts is None or len(np.unique(codes)) < 2:
        return LabelRule()
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(_DRAWS):
        rows = np.flatnonzero(rng.random(len(codes)) < 0.5)
        if len(np.unique(codes[rows])) == 2:
            found.append(_best(metric, codes[rows], score[rows], _part(weight, rows)))
    cut = float(np.median(found)) if found else _best(metric, codes, score, weight)
    tuned, plain = (_at(metric, codes, score, t, weight) for t in (cut, 0.5))
    return LabelRule(cut) if tuned > plain else LabelRule()


def _best(metric: Metric, codes: Array, score: Array, weight: Array | None) -> float:
    """Return the middle of the best stretch of thresholds."""
    cuts, curve = _sweep(metric, codes, score, weight)
    top = int(curve.argmax())
    # Rows at or above a cut are positive; any cut down to the next lower score does the same.
    below = cuts[top + 1] if top + 1 < len(cuts) else 0.0
    return float((cuts[top] + below) / 2.0)


def _sweep(
    metric: Metric, codes: NDArray[Any], score: Array, weight: Array | None
) -> tuple[Array, Array]:
    """Return the distinct scores, highest first, and the utility of each as threshold."""
    assert metric.counts is not None
    order = np.argsort(-score, kind="stable")
    value, gain = score[order], (np.ones(len(score)) if weight is None else weight[order])
    high = np.where(codes[order] == 1, gain, 0.0)
    last = np.flatnonzero(np.r_[value[1:] != value[:-1], True])
    # First of all a threshold that no row reaches.
    tp = np.r_[0.0, np.cumsum(high)[last]]
    fp = np.r_[0.0, np.cumsum(gain - high)[last]]
    scores = metric.counts(tp, fp, tp[-1] - tp, fp[-1] - fp)
    cuts = np.r_[np.nextafter(value[0], np.inf), value[last]]
    return cuts, scores if metric.greater_is_better else -scores


def _at(metric: Metric, codes: Array, score: Array, cut: float, weight: Array | None) -> float:
    """Return the utility, by what the threshold is chosen by, of one threshold."""
    assert metric.counts is not None
    gain = np.ones(len(score)) if weight is None else weight
    said, true = score >= cut, codes == 1
    cells = ((said, true), (said, ~true), (~said, true), (~said, ~true))
    found = float(metric.counts(*(np.array(gain[a & b].sum()) for a, b in cells)))
    return found if metric.greater_is_better else -found


def _choose_weights(
    metric: Metric, codes: NDArray[np.int64], proba: Array, weight: Array | None
) -> LabelRule:
    k = proba.shape[1]
    share = (np.bincount(codes, minlength=k)[:k] + 1.0) / (len(codes) + k)
    rules = [LabelRule()]
    for power in _POWERS:
        factors = share**-power
        rules.append(LabelRule(weights=tuple(float(f) for f in factors / factors.max())))
    scored = [metric.utility(codes, rule.labels(proba), weight) for rule in rules]
    return rules[int(np.argmax(scored))]  # the first of equals: the plain rule


def _part(weight: Array | None, rows: NDArray[np.int64]) -> Array | None:
    return None if weight is None else weight[rows]
