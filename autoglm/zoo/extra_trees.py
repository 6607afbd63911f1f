"""Extremely randomised trees: cheap, stable, unlike boosting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoglm.core.space import Params
from autoglm.zoo._forests import Forest
from autoglm.zoo.contract import Facts


class ExtraTrees(Forest):
    """Trees that split at random thresholds, each on all rows (Geurts et al., 2006)."""

    name = "extra_trees"
    title = "Extremely randomised trees, kept as LightGBM text."

    def defaults(self, facts: Facts) -> Sequence[Params]:
        """All features at a split for numbers, half of them for classes."""
        if facts.regression:
            return [{"n_estimators": 100, "min_samples_leaf": 2, "max_features": 0.8}]
        return [
            {"n_estimators": 100, "min_samples_leaf": 3, "max_features": 0.5},
            {"n_estimators": 100, "min_samples_leaf": 8, "max_features": 0.8,
             "criterion": "entropy"},
        ]  # fmt: skip

    def _forest(self, settings: Params, facts: Facts) -> Any:
        from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

        kind = ExtraTreesRegressor if facts.regression else ExtraTreesClassifier
        return kind(**settings)
