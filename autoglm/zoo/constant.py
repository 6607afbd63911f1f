"""The floor that every other learner has to beat: class shares, or the mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoglm.core.space import Params, Space
from autoglm.zoo._arrays import dump_arrays, load_arrays
from autoglm.zoo._labels import require_rows, weights_of
from autoglm.zoo.contract import Array, Facts, Fold, Learner, Limits, Model

_MEDIAN_METRICS = frozenset({"mae", "median_ae", "mape", "smape"})


class ConstantModel(Model):
    """Predict the same for every row.

    Parameters
    ----------
    value
        (k,) class shares, or (1,) a number.
    """

    def __init__(self, value: Array, *, regression: bool) -> None:
        self.value, self.regression = value, regression

    def predict(self, X: Any) -> Array:
        """Repeat the value for each row."""
        n = X.shape[0]
        return np.full(n, self.value[0]) if self.regression else np.tile(self.value, (n, 1))

    def dump(self) -> dict[str, bytes]:
        """Return the value as files."""
        return dump_arrays({"regression": self.regression}, {"value": self.value})


class Constant(Learner):
    """Class shares, or the mean (the median for metrics of absolute error)."""

    name, view = "constant", "tree"
    seeded, directed = False, True
    title = "The same answer for every row: the floor to beat."

    def space(self, facts: Facts) -> Space:
        """Nothing to choose."""
        return {}

    def defaults(self, facts: Facts) -> Sequence[Params]:
        """One configuration."""
        return [{}]

    def fit(self, fold: Fold, params: Params, facts: Facts, limits: Limits) -> ConstantModel:
        """Take class shares smoothed by one row in all, or the mean or median."""
        require_rows(fold, facts)
        y, weight = fold.y[fold.train], weights_of(fold, fold.train)
        if facts.regression:
            middle = facts.metric in _MEDIAN_METRICS
            value = np.median(y) if middle else np.average(y, weights=weight)
            return ConstantModel(np.array([value], dtype=np.float64), regression=True)
        counts = np.bincount(y, weights=weight, minlength=facts.n_classes)
        shares = (counts + 1.0 / facts.n_classes) / (counts.sum() + 1.0)
        return ConstantModel(shares, regression=False)

    def load(self, files: Mapping[str, bytes], facts: Facts) -> ConstantModel:
        """Read the value."""
        header, arrays = load_arrays(files)
        return ConstantModel(arrays["value"], regression=bool(header["regression"]))

    def merge(self, models: Sequence[Model]) -> Model | None:
        """Average the values."""
        values = [m.value for m in models if isinstance(m, ConstantModel)]
        if not values or len(values) != len(models):
            return None
        mean = np.mean(values, axis=0)
        return ConstantModel(mean, regression=len(mean) == 1)
