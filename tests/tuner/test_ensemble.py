"""Greedy selection on predictions whose best blend is known."""

from __future__ import annotations

import numpy as np
import pytest

from autoglm.tuner.ensemble import select
from autoglm.tuner.scoring import MetricChoice, Scorer


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(0).normal(size=5000)


def test_independent_errors_are_averaged_away(truth: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    guesses = [(truth + rng.normal(size=len(truth))).astype(np.float32) for _ in range(4)]
    scorer = Scorer(MetricChoice("rmse", low=-10, high=10))
    found = select(guesses, truth, scorer)
    assert len(found.members) == 4
    assert sum(found.weights) == pytest.approx(1.0)
    assert found.score == pytest.approx(-0.5, abs=0.03)


def test_a_bound_on_cost_is_kept(truth: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    guesses = [(truth + rng.normal(size=len(truth))).astype(np.float32) for _ in range(6)]
    scorer = Scorer(MetricChoice("rmse", low=-10, high=10))
    costs = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    found = select(guesses, truth, scorer, costs=costs, max_cost=6.5)
    assert sum(costs[i] for i in found.members) <= 6.5
    cheapest = select(guesses, truth, scorer, costs=costs, max_cost=0.1)
    assert cheapest.members == (0,)


def test_one_good_model_among_noise_stands_alone(truth: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    noise = [rng.normal(size=len(truth)).astype(np.float32) * 9 for _ in range(5)]
    good = (truth + 0.01 * rng.normal(size=len(truth))).astype(np.float32)
    found = select([*noise, good], truth, Scorer(MetricChoice("rmse", low=-10, high=10)))
    assert found.members == (5,)
