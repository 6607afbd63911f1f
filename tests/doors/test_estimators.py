"""The estimators keep scikit-learn's whole contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from autoglm import AutoClassifier, AutoRegressor

QUICK: dict[str, Any] = {"time_limit": None, "max_trials": 2, "workers": 0}


@parametrize_with_checks([AutoClassifier(**QUICK), AutoRegressor(**QUICK)])
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_contract(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


def test_works_inside_scikit_learn() -> None:
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = make_pipeline(FunctionTransformer(), AutoClassifier(**QUICK))
    assert cross_val_score(model, X, y, cv=3).mean() > 0.9
    search = GridSearchCV(AutoRegressor(**QUICK), {"max_trials": [1, 2]}, cv=2)
    search.fit(*load_diabetes(return_X_y=True))
    assert search.best_score_ > 0.3


def test_text_labels_and_mixed_columns() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"城市": rng.choice(["北京", "上海", "广州"], 300), "a[0]": rng.normal(size=300)}
    )
    y = np.where((frame["城市"] == "北京") ^ (frame["a[0]"] > 0), "是", "否")
    model = AutoClassifier(time_limit=None, max_trials=4, workers=0).fit(frame, y)
    assert list(model.classes_) == ["否", "是"]
    assert model.score(frame, y) > 0.9
    assert model.predict_proba(frame).shape == (300, 2)
    assert model.predictor_.leaderboard()["score"].notna().any()
