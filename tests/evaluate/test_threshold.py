from __future__ import annotations

import numpy as np
import pytest

from autoglm.core.errors import BundleError
from autoglm.evaluate.metrics import metric
from autoglm.evaluate.threshold import LabelRule, best_utility, choose_rule


def rare(n: int, seed: int):
    """Calibrated probabilities of a class that one row in ten has."""
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-rng.normal(-2.8, 1.3, n)))
    return (rng.random(n) < p).astype(int), np.column_stack([1 - p, p])


@pytest.mark.parametrize("name", ["f1", "f2", "balanced_accuracy", "mcc", "cost"])
def test_a_tuned_threshold_gains_on_new_rows(name):
    wanted = metric(name)
    y, proba = rare(3000, 0)
    rule = choose_rule(wanted, y, proba)
    fresh_y, fresh = rare(20000, 1)
    assert wanted.utility(fresh_y, rule.labels(fresh)) > wanted.utility(fresh_y, fresh)
    assert rule.threshold < 0.45


def test_the_cost_threshold_is_the_one_theory_gives():
    y, proba = rare(30000, 2)
    rule = choose_rule(metric("cost", false_negative_cost=4.0), y, proba)
    assert rule.threshold == pytest.approx(1 / 5, abs=0.05)


def test_recall_alone_does_not_call_everything_positive():
    y, proba = rare(3000, 0)
    labels = choose_rule(metric("recall"), y, proba).labels(proba)
    assert y.mean() < labels.mean() < 0.6


def test_a_threshold_that_gains_nothing_stays_at_one_half():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    high = np.where(y == 1, 0.8, 0.2)
    assert choose_rule(metric("f1"), y, np.column_stack([1 - high, high])) == LabelRule()


def test_weights_help_rare_classes():
    rng = np.random.default_rng(0)
    share = np.array([0.85, 0.1, 0.05])
    y = rng.choice(3, 6000, p=share)
    raw = share * np.exp(1.5 * np.eye(3)[y] + rng.normal(0, 0.7, (6000, 3)))
    proba = raw / raw.sum(1, keepdims=True)
    train, test = slice(0, 3000), slice(3000, None)
    wanted = metric("balanced_accuracy")
    rule = choose_rule(wanted, y[train], proba[train])
    assert rule.weights is not None
    gained = wanted.utility(y[test], rule.labels(proba[test]))
    assert gained > wanted.utility(y[test], proba[test]) + 0.05


def test_metrics_of_probabilities_keep_the_plain_rule():
    y, proba = rare(500, 0)
    assert choose_rule(metric("roc_auc"), y, proba) == LabelRule()
    assert choose_rule(metric("f1"), y[:0], proba[:0]) == LabelRule()
    assert choose_rule(metric("f1"), np.zeros(50, dtype=int), proba[:50]) == LabelRule()


def test_best_utility_bounds_what_a_rule_reaches():
    y, proba = rare(2000, 3)
    for name in ("f1", "mcc", "cost", "accuracy"):
        wanted = metric(name)
        every = [wanted.utility(y, LabelRule(t).labels(proba)) for t in np.unique(proba[:, 1])]
        assert best_utility(wanted, y, proba) == pytest.approx(max(every))
    assert best_utility(metric("roc_auc"), y, proba) == metric("roc_auc").utility(y, proba)


def test_json_round_trip_and_damage():
    for rule in (LabelRule(0.25), LabelRule(weights=(1.0, 0.5, 2.0))):
        assert LabelRule.from_json(rule.to_json()) == rule
    for text in ("", "{}", '{"threshold": null, "weights": null}'):
        with pytest.raises(BundleError):
            LabelRule.from_json(text)
