from __future__ import annotations

import numpy as np
import pytest

from autoglm.dataflow.columns import Column, Columns
from autoglm.evaluate.explain import permutation_importance
from autoglm.evaluate.metrics import metric


def table(n: int = 600, seed: int = 0) -> tuple[Columns, np.ndarray]:
    """Two columns that matter, one twice as much, a category that matters a little, and noise."""
    rng = np.random.default_rng(seed)
    strong, weak, noise = rng.normal(size=(3, n))
    city = rng.choice(np.array(["北京", "Rome", None], dtype=object), n)
    made = {
        "strong": Column("number", strong),
        "weak": Column("number", weak),
        "城市": Column("category", city),
        "noise": Column("number", noise),
    }
    y = 2 * strong + weak + 0.5 * (city == "北京")
    return Columns(made, n), y


def model(columns: Columns) -> np.ndarray:
    known = columns["strong"].values, columns["weak"].values, columns["城市"].values == "北京"
    return 2 * known[0] + known[1] + 0.5 * known[2]


def test_columns_come_in_the_order_of_what_they_do():
    columns, y = table()
    found = permutation_importance(model, columns, y, metric("rmse"), seed=1)
    assert [i.column for i in found] == ["strong", "weak", "城市", "noise"]
    strong, weak, _, noise = found
    assert strong.mean == pytest.approx(2 * weak.mean, rel=0.15)
    assert noise.mean == 0.0
    assert strong.repeats == 5
    assert strong.std is not None and 0 < strong.std < strong.mean / 5


def test_importance_is_in_utility_for_every_kind_of_metric():
    columns, y = table()
    classes = (y > 0).astype(int)

    def proba(given: Columns) -> np.ndarray:
        high = 1 / (1 + np.exp(-model(given)))
        return np.column_stack([1 - high, high])

    for name in ("roc_auc", "log_loss", "accuracy"):
        found = permutation_importance(proba, columns, classes, metric(name))
        assert found[0].column == "strong"
        assert found[0].mean > 0.05


def test_rows_given_are_not_changed_and_a_seed_repeats():
    columns, y = table()
    before = columns["strong"].values.copy()
    first = permutation_importance(model, columns, y, metric("r2"), seed=3, n_repeats=2)
    assert first == permutation_importance(model, columns, y, metric("r2"), seed=3, n_repeats=2)
    np.testing.assert_array_equal(columns["strong"].values, before)


def test_no_time_still_ends_with_what_was_measured():
    columns, y = table()
    calls = []

    def counted(given: Columns) -> np.ndarray:
        calls.append(given.n_rows)
        return model(given)

    assert permutation_importance(counted, columns, y, metric("rmse"), time_limit_s=0.0) == ()
    assert len(calls) <= 2 and calls[-1] == 200


def test_nothing_to_measure():
    empty = Columns({}, 0)
    assert permutation_importance(model, empty, np.array([]), metric("rmse")) == ()
    one = Columns({"a": Column("number", np.arange(3.0))}, 3)
    (only,) = permutation_importance(
        lambda c: c["a"].values, one, np.arange(3.0), metric("mae"), n_repeats=1
    )
    assert only.std is None
