"""Weights on predictions whose best blend is known."""

from __future__ import annotations

import numpy as np
import pytest

from autoglm.tuner.ensemble import Pool, Weights, select
from autoglm.tuner.scoring import MetricChoice, Scorer


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(0).normal(size=5000)


def rmse() -> Scorer:
    return Scorer(MetricChoice("rmse", low=-10, high=10))


def guesses(truth: np.ndarray, n: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [(truth + rng.normal(size=len(truth))).astype(np.float32) for _ in range(n)]


def shown(odds: np.ndarray) -> np.ndarray:
    """Return the probabilities (n, 2) of log-odds."""
    high = 1.0 / (1.0 + np.exp(-odds))
    return np.column_stack([1.0 - high, high]).astype(np.float32)


def test_independent_errors_are_averaged_away(truth: np.ndarray) -> None:
    found = select(guesses(truth, 4, 1), truth, rmse())
    assert len(found.members) == 4
    assert sum(found.weights) == pytest.approx(1.0)
    # Four guesses of variance 2 around one truth of variance 1: shares of 0.2 are the best.
    assert found.score == pytest.approx(-np.sqrt(0.2), abs=0.03)
    assert found.pool.scale == pytest.approx(0.8, abs=0.05)


def test_a_bound_on_cost_is_kept(truth: np.ndarray) -> None:
    some = guesses(truth, 6, 2)
    costs = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    found = select(some, truth, rmse(), costs=costs, max_cost=6.5)
    assert sum(costs[i] for i in found.members) <= 6.5
    assert set(found.members) == {0, 1, 2}  # the cheap are as good as the dear
    cheapest = select(some, truth, rmse(), costs=costs, max_cost=0.1)
    assert cheapest.members == (0,)


def test_a_bound_on_members_is_kept(truth: np.ndarray) -> None:
    for most in (1, 2, 3):
        found = select(guesses(truth, 6, 3), truth, rmse(), max_members=most)
        assert len(found.members) == most


def test_one_good_model_among_noise_stands_alone(truth: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    noise = [rng.normal(size=len(truth)).astype(np.float32) * 9 for _ in range(5)]
    good = (truth + 0.01 * rng.normal(size=len(truth))).astype(np.float32)
    found = select([*noise, good], truth, rmse())
    assert found.members == (5,)


def test_evidence_of_independent_models_adds_up(truth: np.ndarray) -> None:
    """Three views of log-odds, each with a third of them: the sum, not the mean, is right."""
    rng = np.random.default_rng(4)
    parts = [rng.normal(size=len(truth)) * 1.2 for _ in range(3)]
    y = (rng.random(len(truth)) < 1.0 / (1.0 + np.exp(-np.sum(parts, axis=0)))).astype(np.int64)
    found = select([shown(p) for p in parts], y, Scorer(MetricChoice("log_loss")))
    assert len(found.members) == 3
    assert found.pool.log
    assert found.pool.scale == pytest.approx(3.0, rel=0.15)
    linear = Pool()([shown(p) for p in parts], [1 / 3] * 3)
    assert found.score > Scorer(MetricChoice("log_loss")).utility(y, linear)


def test_two_classes_and_many_are_pooled_alike() -> None:
    rng = np.random.default_rng(5)
    parts = [rng.dirichlet(np.ones(3), size=400) for _ in range(3)]
    pooled = Pool(log=True, scale=1.4)(parts, [0.5, 0.3, 0.2])
    assert pooled.shape == (400, 3)
    np.testing.assert_allclose(pooled.sum(axis=1), 1.0)
    two = [shown(rng.normal(size=50)) for _ in range(2)]
    odds = sum(w * np.log(p[:, 1] / p[:, 0]) for w, p in zip((0.6, 0.4), two, strict=True))
    expected = 1 / (1 + np.exp(-1.4 * odds))
    found = Pool(log=True, scale=1.4)(two, [0.6, 0.4])[:, 1]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_twin_is_left_out(truth: np.ndarray) -> None:
    one, two = guesses(truth, 2, 7)
    found = select([one, one, two], truth, rmse())
    assert set(found.members) in ({0, 2}, {1, 2})
    alone = select([one, two], truth, rmse())
    assert found.weights == pytest.approx(alone.weights, abs=1e-6)


def test_several_classes_find_the_informed_model() -> None:
    rng = np.random.default_rng(6)
    y = rng.integers(0, 4, size=1500)
    good = np.full((1500, 4), 0.1)
    good[np.arange(1500), y] = 0.7
    blind = rng.dirichlet(np.ones(4) * 5, size=1500)
    found = select(
        [blind.astype(np.float32), good.astype(np.float32)], y, Scorer(MetricChoice("log_loss"))
    )
    assert found.members[0] == 1
    assert found.weights[0] > 0.8


def drawn(truth: np.ndarray, n: int, seed: int) -> list[np.ndarray]:
    """Configurations of one learner: what they share is wrong alike, the rest is luck."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=len(truth))
    return [
        (truth + shared + 0.6 * rng.normal(size=len(truth))).astype(np.float32) for _ in range(n)
    ]


def test_few_rows_take_the_best_few_of_a_learner_and_not_the_luckiest(truth: np.ndarray) -> None:
    some = [*drawn(truth, 12, 7), *drawn(truth, 12, 8)]
    known, fresh = slice(0, 200), slice(200, 5000)
    learners = ["tree"] * 12 + ["net"] * 12
    told = [p[known] for p in some]
    bags = select(told, truth[known], rmse(), learners=learners)
    alone = select(told, truth[known], rmse())
    assert {learners[i] for i in bags.members} == {"tree", "net"}
    assert len(bags.members) == 10
    for learner in ("tree", "net"):
        shares = {w for i, w in zip(bags.members, bags.weights, strict=True)
                  if learners[i] == learner}  # fmt: skip
        assert max(shares) == pytest.approx(min(shares))

    def error(found: Weights) -> float:
        return -rmse().utility(
            truth[fresh], found.pool([some[i][fresh] for i in found.members], found.weights)
        )

    assert error(bags) < error(alone)


def test_bags_shrink_to_the_bound_on_cost_and_many_rows_have_none(truth: np.ndarray) -> None:
    some = [*drawn(truth, 6, 7), *drawn(truth, 6, 8)]
    learners = ["tree"] * 6 + ["net"] * 6
    few = [p[:200] for p in some]
    tight = select(few, truth[:200], rmse(), learners=learners, costs=[1.0] * 12, max_cost=2.9)
    assert len(tight.members) == 6
    single = select(few, truth[:200], rmse(), learners=learners, costs=[1.0] * 12, max_cost=2.0)
    assert len(single.members) <= 2
    whole = select(some, truth, rmse(), learners=learners)
    assert whole == select(some, truth, rmse())


def test_a_few_rows_of_a_large_table_form_no_bags(truth: np.ndarray) -> None:
    few = [p[:200] for p in (*drawn(truth, 6, 7), *drawn(truth, 6, 8))]
    learners = ["tree"] * 6 + ["net"] * 6
    part = select(few, truth[:200], rmse(), learners=learners, n_rows=5000)
    assert part == select(few, truth[:200], rmse())
    assert part != select(few, truth[:200], rmse(), learners=learners)
