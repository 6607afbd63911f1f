from __future__ import annotations

import numpy as np
import pytest

from autoglm.dataflow.columns import Column, Columns
from autoglm.evaluate.metrics import metric
from autoglm.evaluate.robustness import robustness, subgroup_scores

N = 2000


def table(seed: int = 0) -> Columns:
    rng = np.random.default_rng(seed)
    number = rng.normal(50.0, 10.0, N)
    number[:200] = np.nan
    words = np.array(["very good thing", "quite bad thing"], dtype=object)
    made = {
        "number": Column("number", number),
        "plan": Column("category", rng.choice(np.array(["a", "b"], dtype=object), N)),
        "note": Column("text", rng.choice(words, N)),
        "since": Column("date", 1.6e9 + 86400.0 * np.arange(N)),
        "vip": Column("boolean", (np.arange(N) % 2).astype(float)),
    }
    return Columns(made, N)


def by_number(columns: Columns) -> np.ndarray:
    return np.nan_to_num(columns["number"].values, nan=50.0)


def test_damage_hurts_the_column_it_is_done_to():
    columns = table()
    y = by_number(columns)
    found = {s.name: s for s in robustness(by_number, columns, y, metric("r2"))}
    assert set(found) == {"number_noise", "category_swap", "missing_cells", "text_typos"}
    # Noise of 0.1 standard deviations takes 1 % of the variance.
    assert found["number_noise"].noisy == pytest.approx(0.99, abs=0.002)
    assert found["missing_cells"].noisy == pytest.approx(0.95, abs=0.02)
    assert found["category_swap"].ratio == found["text_typos"].ratio == 1.0
    assert all(s.clean == 1.0 and s.agreement is None for s in found.values())


def test_an_error_that_doubles_is_a_ratio_of_one_half():
    columns = table()
    y = by_number(columns) + np.where(np.arange(N) % 2, 1.0, -1.0)
    found = {s.name: s for s in robustness(by_number, columns, y, metric("mae"), noise=0.5)}
    stress = found["number_noise"]
    assert stress.ratio == pytest.approx(stress.clean / stress.noisy)
    assert stress.ratio is not None and stress.ratio < 0.5


def test_labels_that_stay_are_counted_for_text_and_categories():
    columns = table()

    def by_words(given: Columns) -> np.ndarray:
        note, plan = given["note"].values, given["plan"].values
        good = np.array([t is not None and "good" in t for t in note])
        high = np.where(good, 0.9, 0.1) * np.where(plan == "a", 1.0, 0.5)
        return np.column_stack([1 - high, high])

    y = by_words(columns).argmax(1)
    found = {s.name: s for s in robustness(by_words, columns, y, metric("accuracy"))}
    for name in ("text_typos", "category_swap", "missing_cells"):
        assert 0.8 < found[name].noisy == found[name].agreement < 1.0
    assert found["number_noise"].agreement == 1.0


def test_only_damage_that_can_happen_and_nothing_is_changed_in_place():
    only = Columns({"n": Column("number", np.arange(50.0))}, 50)
    found = robustness(lambda c: c["n"].values, only, np.arange(50.0), metric("rmse"))
    assert [s.name for s in found] == ["number_noise", "missing_cells"]
    assert found[0].ratio == 0.0  # a perfect score was lost
    np.testing.assert_array_equal(only["n"].values, np.arange(50.0))
    assert robustness(lambda c: c, Columns({}, 0), np.array([]), metric("rmse")) == ()


def test_a_weak_subgroup_comes_first_and_beyond_chance():
    columns = table()
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, N)
    right = np.where(columns["plan"].values == "b", 0.6, 0.9)
    high = np.where(rng.random(N) < right, y, 1 - y).astype(float)
    proba = np.column_stack([1 - high, high])
    found = subgroup_scores(columns, y, proba, metric("accuracy"))
    worst = found[0]
    assert (worst.column, worst.group) == ("plan", "b")
    assert worst.score == pytest.approx(0.6, abs=0.05)
    assert worst.gap == pytest.approx(-0.15, abs=0.04)
    assert worst.z < -4
    rest = [g for g in found if g.column != "plan"]
    assert rest and all(abs(g.z) < 4 for g in rest)


def test_groups_are_values_ranges_and_missing_cells():
    columns = table()
    y = np.arange(N) % 2
    found = subgroup_scores(columns, y, y.astype(float), metric("brier"))
    groups = {(g.column, g.group): g.n_rows for g in found}
    assert groups[("number", "missing")] == 200
    assert sum(n for (c, _), n in groups.items() if c == "number") == N
    assert sum(n for (c, _), n in groups.items() if c == "since") == N
    assert ("since", "2020-09-13 … 2022-01-26") in groups
    assert groups[("vip", "yes")] == N // 2
    assert not any(c == "note" for c, _ in groups)


def test_a_group_of_the_rare_class_is_not_weak_for_that():
    """F1 is lower where positives are rarer; the model is as good there as elsewhere."""
    rng = np.random.default_rng(0)
    plan = rng.choice(np.array(["a", "b"], dtype=object), N)
    y = (rng.random(N) < np.where(plan == "a", 0.5, 0.1)).astype(int)
    labels = np.where(rng.random(N) < 0.85, y, 1 - y)
    only = Columns({"plan": Column("category", plan)}, N)
    found = {g.group: g for g in subgroup_scores(only, y, labels, metric("f1"))}
    assert found["b"].score < found["a"].score - 0.2
    assert abs(found["b"].z) < 3


def test_groups_too_small_or_of_one_class_are_left_out():
    columns = table()
    y = (columns["vip"].values == 1.0).astype(int)
    assert not any(
        g.column == "vip" for g in subgroup_scores(columns, y, y * 1.0, metric("roc_auc"))
    )
    few = columns.take(np.arange(40))
    assert subgroup_scores(few, y[:40], y[:40] * 1.0, metric("brier")) == ()
    found = subgroup_scores(columns, y, y * 1.0, metric("brier"), min_rows=300)
    assert all(g.n_rows >= 300 for g in found)
