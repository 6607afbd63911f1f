"""The prior-fitted network: what it learns in context, what a saved model needs, its symmetries."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest

from autoglm.core.errors import BundleError
from autoglm.core.spec import TaskType
from autoglm.zoo import _prior_net
from autoglm.zoo._prior_cells import Cells, mirrored
from autoglm.zoo.contract import Facts, Fold, Limits
from autoglm.zoo.prior_fitted import PriorFitted


def crossed(n: int = 500, seed: int = 0) -> tuple[Fold, Facts]:
    """Return a table whose classes no single column tells apart, with columns that say nothing."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6)).astype(np.float32)
    y = ((X[:, 0] * X[:, 1] > 0) ^ (rng.random(n) < 0.02)).astype(np.int64)
    order = np.arange(n)
    return Fold(X, y, order[: n * 3 // 4], order[n * 3 // 4 :]), facts_of("binary", 2, X)


def facts_of(task: TaskType, k: int, X: Any, **more: Any) -> Facts:
    return Facts(task, k, len(X), {"tree": X.shape[1], "dense": X.shape[1]}, **more)


def fit(fold: Fold, facts: Facts, seed: int = 0) -> Any:
    return PriorFitted().fit(fold, {}, facts, Limits(seed=seed))


def test_finds_an_interaction_that_no_column_shows_alone() -> None:
    fold, facts = crossed()
    found = fit(fold, facts).predict(fold.X[fold.valid])
    assert np.mean(found.argmax(axis=1) == fold.y[fold.valid]) > 0.8


def test_exchanged_classes_exchange_the_answer() -> None:
    fold, facts = crossed()
    other = Fold(fold.X, 1 - fold.y, fold.train, fold.valid)
    one, two = (fit(f, facts).predict(fold.X[fold.valid]) for f in (fold, other))
    np.testing.assert_allclose(one, two[:, ::-1], atol=1e-4)


def test_the_order_of_columns_and_of_rows_does_not_matter() -> None:
    fold, facts = crossed()
    columns, rows = np.array([4, 2, 0, 5, 1, 3]), fold.train[::-1]
    moved = Fold(fold.X[:, columns], fold.y, rows, fold.valid)
    one = fit(fold, facts).predict(fold.X[fold.valid])
    two = fit(moved, facts).predict(moved.X[fold.valid])
    np.testing.assert_allclose(one, two, atol=1e-3)


def test_a_large_table_is_sampled_by_class_and_the_seed() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2400, 40)).astype(np.float32)
    y = (np.arange(2400) % 100 == 0).astype(np.int64)
    fold, facts = Fold(X, y, np.arange(2400), np.arange(0)), facts_of("binary", 2, X)
    kept = [fit(fold, facts, seed).context for seed in (0, 0, 1)]
    assert kept[0].X.shape == (1024, 32)
    assert kept[0].y.sum() >= 10
    np.testing.assert_array_equal(kept[0].X, kept[1].X)
    assert not np.array_equal(kept[0].X, kept[2].X)


def test_telling_columns_are_kept_of_too_many() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 80)).astype(np.float32)
    y = (X[:, 61] + X[:, 7] > 0).astype(np.int64)
    model = fit(Fold(X, y, np.arange(400), np.arange(0)), facts_of("binary", 2, X))
    assert {7, 61} <= set(model.context.columns.tolist())


def test_suits_small_tables_without_text_only() -> None:
    ours, X = PriorFitted(), np.zeros((300, 5), np.float32)
    assert ours.suits(facts_of("multiclass", 10, X))
    assert not ours.suits(facts_of("multiclass", 11, X))
    assert not ours.suits(facts_of("binary", 2, np.zeros((5000, 5))))
    assert not ours.suits(facts_of("binary", 2, np.zeros((300, 500))))
    assert not ours.suits(facts_of("binary", 2, X, has_text=True))


def test_a_model_of_other_weights_is_refused_with_a_reason() -> None:
    fold, facts = crossed(100)
    files = fit(fold, facts).dump()
    header = json.loads(files["model.json"])
    changed = files | {"model.json": json.dumps(header | {"sha256": "0" * 64}).encode()}
    with pytest.raises(BundleError, match="not those"):
        PriorFitted().load(changed, facts)
    missing = files | {"model.json": json.dumps(header | {"weights": "gone"}).encode()}
    with pytest.raises(BundleError, match="not in this version"):
        PriorFitted().load(missing, facts)


def test_damaged_weights_are_refused() -> None:
    with pytest.raises(ValueError):
        _prior_net.read_weights(b"no archive")


def test_the_saved_model_holds_the_rows_and_not_the_weights() -> None:
    fold, facts = crossed(200)
    files = fit(fold, facts).dump()
    assert sum(map(len, files.values())) < 8 * fold.X[fold.train].nbytes / 4
    loaded = PriorFitted().load(files, facts)
    np.testing.assert_array_equal(loaded.context.X, fold.X[fold.train])


def test_evidence_leaves_the_row_itself_out() -> None:
    # A column of names, each seen once, says nothing about the rows that it was learned from.
    y = np.arange(40, dtype=np.int64) % 2
    names = np.arange(40, dtype=np.float32)[:, None]
    cells = Cells(names, y, [40])
    own, _ = cells.context()
    assert np.abs(own[:, 0, 3]).max() < 0.2
    assert cells.gain.max() < 0.01


def test_large_scores_do_not_overflow() -> None:
    fold, _ = crossed(80)
    net, _ = _prior_net.shipped()
    channels = Cells(fold.X, fold.y, [0] * 6).context()
    wild = copy.copy(net)
    wild.part = {n: 40 * a if n.endswith("value.weight") else a for n, a in net.part.items()}
    assert np.isfinite(wild.answer(wild.read(*channels), *channels)).all()


def test_merged_folds_show_all_rows() -> None:
    fold, facts = crossed(300)
    parts = [fold.train[fold.train % 3 != i] for i in range(3)]
    models = [fit(Fold(fold.X, fold.y, rows, fold.valid), facts) for rows in parts]
    merged = PriorFitted().merge(models)
    assert merged is not None
    np.testing.assert_array_equal(merged.context.rows, fold.train)
    whole = fit(fold, facts).predict(fold.X[fold.valid])
    np.testing.assert_allclose(merged.predict(fold.X[fold.valid]), whole, atol=1e-4)


def test_mirrored_twice_is_the_same() -> None:
    fold, _ = crossed(50)
    channels = Cells(fold.X, fold.y, [0] * 6).context()
    for once, twice in zip(channels, mirrored(*mirrored(*channels)), strict=True):
        np.testing.assert_array_equal(once, twice)
