"""Random forest: bagged trees with random features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoglm.core.space import Params
from autoglm.zoo._forests import Forest
from autoglm.zoo.contract import Facts


class RandomForest(Forest):
    """Trees on bootstrap samples, best split among random features (Breiman, 2001)."""

    name = "random_forest"
    title = "Random forest, kept as LightGBM text."

    def defaults(self, facts: Facts) -> Sequence[Params]:
        """One configuration, about a third of the features at a split."""
        if facts.regression:
            return [{"n_estimators": 100, "min_samples_leaf": 2, "max_features": 0.4}]
        return [{"n_estimators": 100, "min_samples_leaf": 4, "max_features": 0.3}]

    def _forest(self, settings: Params, facts: Facts) -> Any:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        kind = RandomForestRegressor if facts.regression else RandomForestClassifier
        return kind(**settings)
