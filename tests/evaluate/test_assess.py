from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from autoglm.evaluate.assess import (
    all_scores,
    baseline_score,
    calibration_error,
    class_scores,
    score_interval,
)
from autoglm.evaluate.charts import Ranking, calibration_bins
from autoglm.evaluate.metrics import all_metrics, metric
from autoglm.evaluate.threshold import LabelRule


def two_classes(n: int = 500, seed: int = 0):
    rng = np.random.default_rng(seed)
    high = np.round(rng.random(n), 2)
    return (rng.random(n) < high).astype(int), np.column_stack([1 - high, high])


def test_curves_agree_with_scikit_learn():
    y, proba = two_classes()
    ranking = Ranking(y, proba[:, 1])
    false_rate, recall, cuts = reference.roc_curve(y, proba[:, 1], drop_intermediate=False)
    np.testing.assert_allclose(ranking.false_rate, false_rate[1:])
    np.testing.assert_allclose(ranking.recall, recall[1:])
    np.testing.assert_allclose(ranking.cut, cuts[1:])
    precision, _, _ = reference.precision_recall_curve(y, proba[:, 1])
    np.testing.assert_allclose(ranking.precision[::-1], precision[:-1])


def test_the_point_of_a_threshold_is_what_its_labels_score():
    y, proba = two_classes()
    ranking = Ranking(y, proba[:, 1])
    for cut in (0.0, 0.31, 0.5, 0.77):
        labels = LabelRule(cut).labels(proba)
        at = ranking.at(cut)
        assert ranking.recall[at] == pytest.approx(reference.recall_score(y, labels))
        assert ranking.precision[at] == pytest.approx(reference.precision_score(y, labels))
    assert ranking.at(1.1) == -1


def test_thinned_curves_keep_their_ends():
    y, proba = two_classes(20_000)
    ranking = Ranking(y, proba[:, 1] + np.arange(20_000) * 1e-9)
    places = ranking.thin(ranking.recall)
    assert len(places) < 200
    assert places[0] == 0 and places[-1] == len(ranking.cut) - 1


def test_calibration_bins_and_error():
    y, proba = two_classes(20_000)
    xs, ys, counts = calibration_bins(proba[:, 1], y == 1)
    assert counts.sum() == 20_000 and len(xs) == 10
    np.testing.assert_allclose(xs, ys, atol=0.04)
    assert calibration_error(y, proba) < 0.02
    assert calibration_error(y, proba[:, ::-1]) > 0.4
    certain = np.eye(3)[np.arange(30) % 3]
    assert calibration_error(np.arange(30) % 3, certain) == 0.0


@pytest.mark.parametrize("task_type", ["binary", "multiclass", "regression"])
def test_no_constant_guess_beats_the_baseline(task_type):
    rng = np.random.default_rng(0)
    k = {"binary": 2, "multiclass": 4, "regression": 1}[task_type]
    y = rng.gamma(2.0, 2.0, 300) if k == 1 else rng.choice(k, 300, p=np.full(k, 1 / k))
    for found in all_metrics(task_type):
        base = found.to_utility(baseline_score(found, y, k))
        guesses = [np.full(300, c) for c in range(k)]
        if found.needs == "proba":
            guesses = [np.tile(rng.dirichlet(np.ones(k)), (300, 1)) for _ in range(20)]
        elif found.needs == "value":
            guesses = [np.full(300, y.mean())]
        assert max(found.utility(y, g) for g in guesses) <= base + 1e-12, found.name


def test_the_interval_covers_the_score_of_fresh_rows():
    found = metric("accuracy")
    inside = 0
    for seed in range(40):
        y, proba = two_classes(300, seed)
        width = score_interval(found, y, LabelRule().labels(proba), seed=seed)
        inside += abs(found.score(y, proba) - 0.75) <= width
    assert inside >= 33


def test_the_interval_of_many_rows_is_that_of_few_scaled():
    y, proba = two_classes(16_000)
    wide = score_interval(metric("brier"), y[:4000], proba[:4000])
    assert score_interval(metric("brier"), y, proba) == pytest.approx(wide / 2, rel=0.2)


def test_class_scores_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    y, labels = rng.integers(0, 3, 200), rng.integers(0, 3, 200)
    found = class_scores(y, labels, ["a", "b", "c"])
    precision = reference.precision_score(y, labels, average=None)
    recall = reference.recall_score(y, labels, average=None)
    assert [c.precision for c in found] == pytest.approx(precision)
    assert [c.recall for c in found] == pytest.approx(recall)
    assert [c.n_rows for c in found] == list(np.bincount(y))


def test_all_scores_use_the_rule_and_leave_out_what_has_no_meaning():
    y, proba = two_classes()
    plain = all_scores("binary", y, proba)
    tuned = all_scores("binary", y, proba, LabelRule(0.2))
    assert "cost" not in plain and "roc_auc" in plain
    assert tuned["recall"] > plain["recall"]
    assert tuned["roc_auc"] == plain["roc_auc"]
    assert "rmsle" not in all_scores("regression", np.array([-3.0, 1.0]), np.zeros(2))
