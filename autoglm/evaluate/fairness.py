"""Whether groups of rows are selected alike, and the threshold under which they are.

A group is selected where the positive class is predicted. The least rate of selection is to be at
least four fifths of the highest: the rule of thumb of the Uniform Guidelines on Employee Selection
Procedures (29 CFR 1607.4 D, 1978). One threshold serves all groups, so nothing has to be known of a
new row's group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.evaluate.metrics import Metric
from autoglm.evaluate.threshold import LabelRule

#: What the least rate may lack of the highest.
MOST_GAP = 0.2
#: Groups of fewer rows have no rate worth the name.
LEAST_ROWS = 30
#: Thresholds that are tried, and the share of rows that may be selected for fairness' sake.
_TRIED, _MOST_SELECTED = 199, 0.95

Codes = NDArray[np.int64]


def selection_gap(selected: NDArray[np.bool_], groups: Sequence[Codes]) -> float:
    """Return what the least rate of selection lacks of the highest, 0 to 1.

    Parameters
    ----------
    selected
        (n,) whether a row is selected.
    groups
        For each column (n,) codes of its groups; below 0 of none. The worst column counts.
    """
    return max((_gap(selected, codes) for codes in groups), default=0.0)


def _gap(selected: NDArray[np.bool_], codes: Codes) -> float:
    known = codes >= 0
    sizes = np.bincount(codes[known])
    hits = np.bincount(codes[known], weights=selected[known], minlength=len(sizes))
    large = sizes >= LEAST_ROWS
    if large.sum() < 2:
        return 0.0
    rates = hits[large] / sizes[large]
    highest = float(rates.max())
    return 1.0 - float(rates.min()) / highest if highest > 0 else 0.0


def fair_rule(
    metric: Metric,
    y: NDArray[Any],
    proba: NDArray[np.float64],
    rule: LabelRule,
    groups: Sequence[Codes],
) -> LabelRule:
    """Return the best rule under which two classes are selected alike, else the nearest to it.

    Parameters
    ----------
    metric
        What the labels are for; of metrics of probabilities the rule stays near the one given.
    y, proba
        (n,) class codes and (n, 2) out-of-fold probabilities.
    rule
        The best rule without the constraint.
    groups
        As in `selection_gap`.
    """
    score = proba[:, 1]
    if proba.shape[1] != 2 or selection_gap(score >= rule.threshold, groups) <= MOST_GAP:
        return rule
    cuts = np.unique(np.quantile(score, np.linspace(1 - _MOST_SELECTED, 1, _TRIED)))
    tried = [(selection_gap(score >= cut, groups), float(cut)) for cut in cuts]
    allowed = [cut for gap, cut in tried if gap <= MOST_GAP]
    if not allowed:
        return LabelRule(min(tried)[1])
    share = float((score >= rule.threshold).mean())

    def worth(cut: float) -> float:
        if metric.needs == "label":
            return metric.utility(y, (score >= cut).astype(np.int64))
        return -abs(float((score >= cut).mean()) - share)

    return LabelRule(max(allowed, key=worth))
