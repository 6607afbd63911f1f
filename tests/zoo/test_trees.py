"""Foreign ensembles as LightGBM text predict what their own libraries predict."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from autoglm.zoo import catboost, hist_gbm
from autoglm.zoo._boosters import TreeModel, between_floats, booster_of, merge_trees
from autoglm.zoo._trees import ensemble_text, forest_tree, oblivious_tree
from autoglm.zoo.contract import Facts, Fold, Limits

FORESTS = [
    (ExtraTreesClassifier, 2),
    (RandomForestClassifier, 4),
    (ExtraTreesRegressor, 1),
    (RandomForestRegressor, 1),
]


def table(n_classes: int, n: int = 500) -> tuple[Any, Any]:
    """Return float32 rows with gaps, ties and whole numbers, and a target."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, 6)).astype(np.float32)
    X[:, 1] = np.round(X[:, 1] * 2)
    X[:, 2] = X[:, 2] * 1e-30
    X[:, 3] = X[:, 3] * 1e30
    X[rng.random((n, 6)) < 0.15] = np.nan
    score = np.nan_to_num(X[:, 0]) + 0.5 * np.isnan(X[:, 1]) + 0.2 * rng.normal(size=n)
    if n_classes == 1:
        return X, score
    edges = np.quantile(score, np.arange(1, n_classes) / n_classes)
    return X, np.searchsorted(edges, score)


def hard_rows(X: Any, thresholds: Any, features: Any) -> Any:
    """Return rows that lie on thresholds, beside them, and on nothing at all."""
    near = np.repeat(np.nan_to_num(X[:1]), 3 * len(thresholds), axis=0)
    # A split of missing from present values has an infinite threshold; forests refuse that.
    on = np.clip(thresholds, -3e38, 3e38).astype(np.float32)
    for i, values in enumerate(
        (on, np.nextafter(on, np.float32(np.inf)), np.nextafter(on, np.float32(-np.inf)))
    ):
        near[np.arange(len(on)) + i * len(on), features] = values
    nothing = np.full((1, X.shape[1]), np.nan, dtype=np.float32)
    return np.vstack([X, near, nothing, np.zeros_like(nothing), np.full_like(nothing, 1e38)])


@pytest.mark.parametrize(("kind", "n_classes"), FORESTS)
def test_forest_text_equals_the_forest(kind: Any, n_classes: int) -> None:
    X, y = table(n_classes)
    forest = kind(20, min_samples_leaf=2, random_state=0).fit(X, y)
    trees = [forest_tree(t.tree_) for t in forest.estimators_]
    outputs = 1 if n_classes == 1 else n_classes
    text = ensemble_text(trees, n_features=6, n_outputs=outputs, link="average")
    rows = hard_rows(
        X,
        np.concatenate([t.threshold for t in trees])[:400],
        np.concatenate([t.feature for t in trees])[:400],
    )
    got = booster_of(text).predict(rows)
    want = forest.predict(rows) if n_classes == 1 else forest.predict_proba(rows)
    if n_classes > 1:
        got = got / got.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_histogram_text_equals_the_model(n_classes: int) -> None:
    X, y = table(n_classes)
    kind = HistGradientBoostingRegressor if n_classes == 1 else HistGradientBoostingClassifier
    # The same settings as the learner's own, so that both grow the same trees.
    params = {"learning_rate": 0.1, "max_leaf_nodes": 12, "min_samples_leaf": 5}
    own = kind(**params, max_iter=25, early_stopping=False, random_state=0).fit(X, y)
    task: Any = {1: "regression", 2: "binary"}.get(n_classes, "multiclass")
    facts = Facts(task, n_classes, len(y), {"tree": 6})
    fold = Fold(X, y, np.arange(len(y)), np.arange(0))
    ours = hist_gbm.HistGBM().fit(fold, params | {"rounds": 25}, facts, Limits())
    split = [p.nodes[p.nodes["is_leaf"] == 0] for trees in own._predictors for p in trees]
    thresholds = np.concatenate([s["num_threshold"] for s in split])[:400]
    finite = np.isfinite(thresholds)
    features = np.concatenate([s["feature_idx"] for s in split])[:400]
    rows = hard_rows(X, thresholds[finite], features[finite])
    want = own.predict(rows) if n_classes == 1 else own.predict_proba(rows)
    np.testing.assert_allclose(ours.predict(rows), want, atol=1e-6)


def test_oblivious_tree_counts_passed_splits() -> None:
    values = np.arange(8.0)[:, None]
    tree = oblivious_tree([0, 1, 0], [0.5, 1.5, 2.5], [False, True, False], values)
    text = ensemble_text([tree], n_features=2, n_outputs=1, link="identity")
    X = np.array(
        [[0, 0], [1, 0], [3, 0], [0, 2], [3, 2], [0.5, 1.5], [np.nan, 0], [0, np.nan]],
        dtype=np.float32,
    )
    np.testing.assert_allclose(booster_of(text).predict(X), [0, 1, 5, 2, 7, 0, 0, 2])


@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_catboost_text_equals_the_model(n_classes: int) -> None:
    library = pytest.importorskip("catboost", reason="needs the extra 'catboost'")
    X, y = table(n_classes)
    task: Any = {1: "regression", 2: "binary"}.get(n_classes, "multiclass")
    facts = Facts(task, n_classes, len(y), {"tree": 6})
    fold = Fold(X, y, np.arange(len(y)), np.arange(0))
    ours = catboost.CatBoost().fit(fold, {"depth": 4, "rounds": 30}, facts, Limits())
    own = library.CatBoost(
        {"depth": 4, "iterations": 30, "loss_function": catboost._goal(facts), "random_seed": 0,
         "thread_count": 1, "allow_writing_files": False, "verbose": False}
    ).fit(X, y)  # fmt: skip
    borders = [(f, b) for f, column in own.get_borders().items() for b in column]
    features, thresholds = (np.array(part) for part in zip(*borders, strict=True))
    rows = hard_rows(X, thresholds, features.astype(int))
    want = own.predict(rows, prediction_type="Probability" if n_classes > 1 else "RawFormulaVal")
    np.testing.assert_allclose(ours.predict(rows), want, atol=1e-6)


def test_a_tree_of_one_leaf() -> None:
    tree = oblivious_tree([], [], [], np.array([[3.5]]))
    text = ensemble_text([tree, tree], n_features=2, n_outputs=1, link="identity")
    np.testing.assert_allclose(booster_of(text).predict(np.zeros((3, 2))), 7.0)


def test_moved_thresholds_separate_the_same_float32_numbers() -> None:
    rng = np.random.default_rng(0)
    thresholds = rng.normal(size=2000) * 10.0 ** rng.integers(-30, 30, 2000)
    thresholds[:500] = thresholds[:500].astype(np.float32)
    moved = np.array([float(f"{t:.9g}") for t in between_floats(thresholds)])
    for shift in (-np.inf, 0.0, np.inf):
        values = thresholds.astype(np.float32)
        if shift:
            values = np.nextafter(values, np.float32(shift))
        np.testing.assert_array_equal(values <= thresholds, values <= moved)


def test_merging_native_boosters_with_categories_keeps_the_mean() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(600, 3)).astype(np.float32)
    X[:, 2] = rng.integers(0, 30, 600)
    y = X[:, 0] + np.isin(X[:, 2], [3, 7, 11, 20])
    models = []
    for seed in range(3):
        data = lightgbm.Dataset(X[seed::2], y[seed::2], categorical_feature=[2])
        booster = lightgbm.train({"verbosity": -1, "seed": seed}, data, 20 + seed)
        booster.best_iteration = 20 + seed
        models.append(TreeModel(booster, 1))
    merged = merge_trees(models)
    assert merged is not None
    rows = np.vstack([X, np.array([[0, 0, 99], [np.nan, 0, np.nan]], dtype=np.float32)])
    mean = np.mean([m.predict(rows) for m in models], axis=0)
    np.testing.assert_allclose(merged.predict(rows), mean, atol=1e-7)
    assert len(merged.text) < sum(len(m.text) for m in models)


def test_models_of_other_shapes_are_not_merged() -> None:
    def one(n_features: int) -> TreeModel:
        tree = oblivious_tree([0], [0.5], [False], np.array([[0.0], [1.0]]))
        text = ensemble_text([tree], n_features=n_features, n_outputs=1, link="identity")
        return TreeModel(text, 1)

    assert merge_trees([one(2), one(3)]) is None
    assert merge_trees([one(2), one(2)]) is not None


def test_text_with_wrong_tree_sizes_is_an_error_not_a_crash() -> None:
    tree = oblivious_tree([0], [0.5], [False], np.array([[0.0], [1.0]]))
    text = ensemble_text([tree] * 4, n_features=1, n_outputs=1, link="identity")
    with pytest.raises(ValueError, match="LightGBM"):
        booster_of(text.replace("leaf_value", "leaf_walue", 1))
    lying = text.replace("\n\nTree=0", "\ntree_sizes=5 5 5 5\n\nTree=0", 1)
    assert booster_of(lying).num_trees() == 4
