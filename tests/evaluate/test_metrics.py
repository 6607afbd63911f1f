from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from autoglm.core.errors import ConfigError, DataError
from autoglm.evaluate.metrics import Metric, all_metrics, cost_metric, metric

N = 700


def f_beta(beta, **more):
    return lambda y, p, w: reference.fbeta_score(y, p, beta=beta, sample_weight=w, **more)


def with_weight(function, **more):
    return lambda y, p, w: function(y, p, sample_weight=w, **more)


def smape(y, p, w):
    size = np.abs(y) + np.abs(p)
    return np.average(2 * np.abs(y - p) / np.where(size == 0, 1, size), weights=w)


BINARY = {
    "roc_auc": with_weight(reference.roc_auc_score),
    "average_precision": with_weight(reference.average_precision_score),
    "log_loss": with_weight(reference.log_loss),
    "brier": with_weight(reference.brier_score_loss),
    "accuracy": with_weight(reference.accuracy_score),
    "balanced_accuracy": with_weight(reference.balanced_accuracy_score),
    "f1": f_beta(1),
    "f2": f_beta(2),
    "precision": with_weight(reference.precision_score),
    "recall": with_weight(reference.recall_score),
    "mcc": with_weight(reference.matthews_corrcoef),
}
MULTICLASS = {
    "log_loss": with_weight(reference.log_loss),
    "accuracy": with_weight(reference.accuracy_score),
    "balanced_accuracy": with_weight(reference.balanced_accuracy_score),
    "macro_f1": f_beta(1, average="macro"),
    "weighted_f1": f_beta(1, average="weighted"),
    "roc_auc_ovr": None,
    "mcc": with_weight(reference.matthews_corrcoef),
    "quadratic_kappa": with_weight(reference.cohen_kappa_score, weights="quadratic"),
}
REGRESSION = {
    "rmse": with_weight(reference.root_mean_squared_error),
    "mae": with_weight(reference.mean_absolute_error),
    "r2": with_weight(reference.r2_score),
    "mape": with_weight(reference.mean_absolute_percentage_error),
    "smape": smape,
    "rmsle": with_weight(reference.root_mean_squared_log_error),
    "median_ae": with_weight(reference.median_absolute_error),
}


def sample(kind: str, seed: int = 0):
    """Truth, probabilities or values with ties, and weights."""
    rng = np.random.default_rng(seed)
    weight = rng.uniform(0.1, 3.0, N)
    if kind == "regression":
        y = rng.gamma(2.0, 3.0, N)
        return y, np.round(np.abs(y + rng.normal(0, 2, N)), 1), weight
    k = 2 if kind == "binary" else 4
    y = rng.choice(k, N, p=[0.8, 0.2] if k == 2 else [0.5, 0.3, 0.15, 0.05])
    raw = rng.normal(size=(N, k)) + 1.2 * np.eye(k)[y]
    proba = np.round(np.exp(raw) / np.exp(raw).sum(1, keepdims=True), 2) + 0.005
    return y, proba / proba.sum(1, keepdims=True), weight


CASES = [
    (kind, name)
    for kind, table in (("binary", BINARY), ("multiclass", MULTICLASS), ("regression", REGRESSION))
    for name in table
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_agrees_with_scikit_learn(kind, name, weighted):
    y, prediction, weight = sample(kind)
    weight = weight if weighted else None
    found = metric(name, task_type=kind)
    if found.needs == "label":
        given = expected_of = prediction.argmax(axis=1)
    else:
        given = prediction
        expected_of = prediction[:, 1] if kind == "binary" else prediction
    if name == "roc_auc_ovr":
        expected = np.mean(
            [
                reference.roc_auc_score(y == c, prediction[:, c], sample_weight=weight)
                for c in range(prediction.shape[1])
            ]
        )
    else:
        table = {"binary": BINARY, "multiclass": MULTICLASS, "regression": REGRESSION}[kind]
        expected = table[name](y, expected_of, weight)
    assert found.score(y, given, weight) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    if found.needs == "label":
        assert found.score(y, prediction, weight) == pytest.approx(expected)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_better_prediction_has_a_higher_utility(kind, name):
    y, prediction, _ = sample(kind)
    found = metric(name, task_type=kind)
    perfect = y if kind == "regression" else np.eye(prediction.shape[1])[y]
    low, high = found.bounds
    assert found.utility(y, perfect) > found.utility(y, prediction)
    assert low <= found.score(y, prediction) <= high


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_bad_samples_give_a_number_and_never_the_best_one(kind, name):
    found = metric(name, task_type=kind)
    y, prediction, _ = sample(kind)
    one_class = np.zeros(5, dtype=int) if kind != "regression" else np.full(5, 2.0)
    assert np.isfinite(found.score(one_class, prediction[:5]))
    broken = prediction.copy()
    broken[3] = np.nan
    assert found.utility(y, broken) == float("-inf")


def test_every_contracted_metric_is_there_and_found_through_the_hook():
    assert {m.name for m in all_metrics("binary")} == {*BINARY, "cost"}
    assert {m.name for m in all_metrics("multiclass")} == set(MULTICLASS)
    assert {m.name for m in all_metrics("regression")} == set(REGRESSION)


def test_ranking_needs_both_classes():
    assert metric("roc_auc").score(np.ones(4, dtype=int), np.full((4, 2), 0.5)) == 0.5
    assert metric("roc_auc_ovr").score(np.ones(4, dtype=int), np.full((4, 3), 1 / 3)) == 0.5
    assert metric("roc_auc").score(np.array([0, 1]), np.array([0.5, 0.5])) == 0.5


def test_cost_counts_misses_and_false_alarms():
    y = np.array([1, 1, 0, 0, 0])
    labels = np.array([0, 1, 1, 0, 0])
    assert metric("cost", false_negative_cost=7.0).score(y, labels) == pytest.approx(8 / 5)
    assert cost_metric(0.5).utility(y, labels) == pytest.approx(-1.5 / 5)
    with pytest.raises(ConfigError):
        cost_metric(0.0)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("AUC", "roc_auc"),
        ("neg_root_mean_squared_error", "rmse"),
        ("root-mean-squared error", "rmse"),
        ("neg_log_loss", "log_loss"),
        ("F1 macro", "macro_f1"),
        ("QWK", "quadratic_kappa"),
        ("召回率", "recall"),
    ],
)
def test_other_spellings(given, name):
    assert metric(given).name == name


def test_names_that_depend_on_the_task():
    assert metric("auc", task_type="multiclass").name == "roc_auc_ovr"
    assert metric("f1", task_type="multiclass").name == "macro_f1"
    with pytest.raises(ConfigError, match="log_loss"):
        metric("rmse", task_type="binary")


def test_an_unknown_name_is_answered_with_near_ones():
    with pytest.raises(ConfigError) as caught:
        metric("acuracy")
    assert "accuracy" in caught.value.hint


def test_rmsle_refuses_a_target_below_minus_one():
    with pytest.raises(DataError) as caught:
        metric("rmsle").score(np.array([-2.0, 1.0]), np.array([1.0, 1.0]))
    assert caught.value.hint


def test_utility_and_score_turn_into_each_other():
    for found in (metric("rmse"), metric("roc_auc")):
        assert isinstance(found, Metric)
        assert found.to_utility(found.to_utility(0.25)) == 0.25
