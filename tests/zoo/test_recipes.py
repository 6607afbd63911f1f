"""Columns of a member's own: honest on the training rows, the same after storing and merging."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autoglm.zoo._cook import cook
from autoglm.zoo._cooked import CookedTrees
from autoglm.zoo._keys import KeyTable, Slots, encode, merged
from autoglm.zoo._recipe import MINUS, OVER, TIMES, Arithmetic, Recipe
from autoglm.zoo.contract import Facts, Fold, Limits
from autoglm.zoo.lightgbm import LightGBM
from autoglm.zoo.linear import Linear
from autoglm.zoo.spline_linear import SplineLinear

SIZES = {0: 4, 1: 6}
FEATURES = ("target", "cross", "arithmetic", "gaps", "target+cross+arithmetic+gaps")
SMALL = {"learning_rate": 0.2, "num_leaves": 8, "rounds": 25, "min_data_in_leaf": 5}


def codes(n: int = 600, seed: int = 0) -> np.ndarray[Any, Any]:
    """Return two columns of codes with gaps."""
    rng = np.random.default_rng(seed)
    X = np.stack([rng.integers(0, size, n) for size in SIZES.values()], axis=1).astype(np.float32)
    X[rng.random(X.shape) < 0.05] = np.nan
    return X


def task(kind: str, n: int = 600) -> tuple[Fold, Facts]:
    """Return codes and numbers, a target of a pair of codes and of a ratio, two folds' worth."""
    rng = np.random.default_rng(1)
    X = np.hstack([codes(n), rng.uniform(1, 3, (n, 3)).astype(np.float32)])
    X[rng.random(n) < 0.1, 3] = np.nan
    pair = np.nan_to_num((X[:, 0] + X[:, 1]) % 2)
    signal = 2 * pair + X[:, 2] / X[:, 4] + 0.1 * rng.normal(size=n)
    classes = {"binary": 2, "multiclass": 3}.get(kind, 1)
    y: Any = (signal - signal.mean()) / signal.std()
    if classes > 1:
        edges = np.quantile(signal, np.arange(1, classes) / classes)
        y = np.searchsorted(edges, signal).astype(np.int64)
    facts = Facts(kind, classes, n, {"tree": 5}, SIZES)  # type: ignore[arg-type]
    order = rng.permutation(n)
    return Fold(X, y, order[: 2 * n // 3], order[2 * n // 3 :]), facts


def swapped(fold: Fold) -> Fold:
    """Return the fold with half of its training rows changed for the validation rows."""
    cut = len(fold.valid)
    train = np.concatenate([fold.train[cut:], fold.valid])
    return Fold(fold.X, fold.y, train, fold.train[:cut])


def test_the_encoding_of_a_training_row_does_not_know_its_own_target() -> None:
    X, rng = codes(), np.random.default_rng(2)
    slots = Slots.of([0, 1], [(0, 1)], SIZES)
    y = rng.normal(size=(len(X), 1))
    table, before = encode(slots, X, y, seed=3, counts=False)
    for row in (0, 17, 300):
        changed = y.copy()
        changed[row] += 1e-3
        _, after = encode(slots, X, changed, seed=3, counts=False)
        np.testing.assert_allclose(after[row], before[row], atol=1e-6)
        other, _ = encode(slots, X, changed, seed=3, counts=False)
        assert not np.array_equal(other.values, table.values)


def test_noise_by_category_stays_near_the_mean_and_signal_does_not() -> None:
    rng = np.random.default_rng(4)
    X = rng.integers(0, 100, (800, 1)).astype(np.float32)
    slots = Slots.of([0], [], {0: 100})
    noise = rng.normal(size=(800, 1))
    signal = X.astype(np.float64) / 30
    flat, _ = encode(slots, X, noise, seed=0, counts=False)
    steep, inner = encode(slots, X, signal, seed=0, counts=False)
    assert flat.values.std() < 0.1
    np.testing.assert_allclose(steep.lookup(X), signal, atol=0.5)
    assert np.corrcoef(inner[:, 0], signal[:, 0])[0, 1] > 0.99


def test_unknown_keys_get_the_mean_and_no_rows() -> None:
    X = codes()[:, :1]
    y = np.random.default_rng(5).random((len(X), 1))
    table, _ = encode(Slots.of([0], [], {0: 9}), X, y, seed=0)
    got = table.lookup(np.array([[7.0], [8.0]], np.float32))
    np.testing.assert_allclose(got, [[y.mean(), 0.0]] * 2, rtol=1e-5)
    gap = table.lookup(np.array([[np.nan]], np.float32))
    assert gap[0, 1] == pytest.approx(np.log1p(np.isnan(X).sum()), rel=1e-5)


def test_tables_side_by_side_say_what_each_says() -> None:
    X, y = codes(), np.random.default_rng(6).normal(size=(600, 2))
    one, _ = encode(Slots.of([0], [(0, 1)], SIZES), X[:300], y[:300], seed=0)
    two, _ = encode(Slots.of([1, 0], [], SIZES), X[300:], y[300:], seed=1)
    whole, places = merged([one, two])
    together = whole.lookup(X)
    for table, at in zip((one, two), places, strict=True):
        np.testing.assert_array_equal(together[:, at], table.lookup(X))


def test_what_cannot_be_computed_is_missing() -> None:
    X = np.array([[1, 0, 3], [np.nan, 2, 3e38], [4, 2, -3e38]], np.float32)
    made = Arithmetic.of([(OVER, 0, 1), (TIMES, 2, 1), (MINUS, 2, 0)])
    got = made(X)
    np.testing.assert_array_equal(got[0], np.array([2, 0, np.nan], np.float32))
    assert np.isnan(got[1]).all()
    np.testing.assert_array_equal(got[2], np.array([-3e38, np.nan, 2], np.float32))
    assert made.triples() == [(MINUS, 2, 0), (TIMES, 2, 1), (OVER, 0, 1)]


def test_a_cross_is_found_where_two_categories_interact() -> None:
    fold, facts = task("binary", 1500)
    made = cook("cross", fold, facts, Limits())
    assert made is not None
    keys = made[0].keys
    assert keys is not None
    assert keys.slots.specs() == [(0, 1)]
    alone = Fold(fold.X, (fold.X[:, 2] > 2).astype(np.int64), fold.train, fold.valid)
    assert cook("cross", alone, facts, Limits()) is None


def test_a_ratio_is_found_where_it_matters() -> None:
    fold, facts = task("regression", 1500)
    made = cook("arithmetic", fold, facts, Limits())
    assert made is not None
    arithmetic = made[0].arithmetic
    assert arithmetic is not None
    assert {(op, *sorted((a, b))) for op, a, b in arithmetic.triples()} & {(OVER, 2, 4)}


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_a_member_with_a_recipe_is_stored_and_merged(kind: str, features: str) -> None:
    learner = LightGBM()
    fold, facts = task(kind)
    params = SMALL | {"features": features}
    folds = (fold, swapped(fold))
    models = [learner.fit(f, params, facts, Limits(seed=i)) for i, f in enumerate(folds)]
    for model in models:
        assert isinstance(model, CookedTrees)
        again = learner.load(model.dump(), facts)
        np.testing.assert_allclose(again.predict(fold.X), model.predict(fold.X), rtol=1e-12)
        alone = np.concatenate([model.predict(fold.X[i : i + 1]) for i in range(5)])
        np.testing.assert_allclose(alone, model.predict(fold.X[:5]), atol=1e-9)
        share = model.importance
        assert share is not None
        assert share.shape == (5,)
        assert share.sum() == pytest.approx(1.0)
    whole = learner.merge(models)
    assert isinstance(whole, CookedTrees)
    raw = np.mean([scores(m.predict(fold.X)) for m in models], axis=0)
    np.testing.assert_allclose(scores(whole.predict(fold.X)), raw, atol=2e-6)
    kept = learner.load(whole.dump(), facts)
    np.testing.assert_allclose(kept.predict(fold.X), whole.predict(fold.X), atol=1e-12)


def scores(prediction: Any) -> Any:
    """Return what boosters add up: values, or logarithms of probabilities less their mean."""
    if prediction.ndim == 1:
        return prediction
    logs = np.log(prediction)
    return logs - logs.mean(axis=1, keepdims=True)


def test_a_fold_without_a_recipe_is_merged_with_one_that_has_it() -> None:
    learner = LightGBM()
    fold, facts = task("regression")
    with_it = learner.fit(fold, SMALL | {"features": "target"}, facts, Limits())
    without = learner.fit(fold, SMALL, facts, Limits())
    whole = learner.merge([without, with_it])
    assert whole is not None
    mean = (with_it.predict(fold.X) + without.predict(fold.X)) / 2
    np.testing.assert_allclose(whole.predict(fold.X), mean, atol=2e-6)


def test_without_validation_rows_a_member_with_a_recipe_is_fitted_too() -> None:
    fold, facts = task("binary")
    everything = Fold(fold.X, fold.y, np.arange(len(fold.y)), np.arange(0))
    model = LightGBM().fit(everything, SMALL | {"features": "target+cross"}, facts, Limits())
    assert np.mean(model.predict(fold.X).argmax(axis=1) == fold.y) > 0.8


def test_unknown_words_and_damaged_recipes_are_refused() -> None:
    fold, facts = task("binary")
    with pytest.raises(ValueError, match="unknown features"):
        LightGBM().fit(fold, {"features": "target+magic"}, facts, Limits())
    model = LightGBM().fit(fold, SMALL | {"features": "target"}, facts, Limits())
    files = model.dump()
    far = Recipe(5, None, Arithmetic.of([(MINUS, 0, 99)]), np.zeros(0, np.int64))
    for wrong in (far.dump(), {"arrays.npz": b"not a zip file"}):
        with pytest.raises(ValueError, match=r"recipe|arrays"):
            LightGBM().load(files | wrong, facts)
    table = KeyTable.load({**made_keys(model).arrays()})
    with pytest.raises(ValueError, match="fit together"):
        KeyTable.load({**table.arrays(), "values": table.values[:-1]})
    with pytest.raises(ValueError, match="columns"):
        model.predict(fold.X[:, :3])


def made_keys(model: Any) -> KeyTable:
    """Return the keys of a model's recipe."""
    assert model.recipe.keys is not None
    keys: KeyTable = model.recipe.keys
    return keys


def test_a_curve_is_learned_by_a_linear_model_with_pieces() -> None:
    rng = np.random.default_rng(7)
    X = rng.uniform(-3, 3, (1200, 2)).astype(np.float32)
    X[rng.random(1200) < 0.1, 0] = np.nan
    y = np.where(np.isnan(X[:, 0]), 2.0, np.sin(2 * X[:, 0])) + 0.1 * rng.normal(size=1200)
    y = (y - y.mean()) / y.std()
    facts = Facts("regression", 1, 1200, {"tree": 2, "dense": 2})
    fold = Fold(X, y, np.arange(800), np.arange(800, 1200))
    dense = Fold(np.nan_to_num(X), y, fold.train, fold.valid)
    learner = SplineLinear()
    model = learner.fit(fold, learner.defaults(facts)[0], facts, Limits())
    straight = Linear().fit(dense, {}, facts, Limits())

    def error(prediction: Any) -> float:
        return float(np.mean((prediction - y[fold.valid]) ** 2))

    assert error(model.predict(X[fold.valid])) < 0.1
    assert error(straight.predict(dense.X[fold.valid])) > 0.5


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_spline_models_merge_into_their_mean(kind: str) -> None:
    fold, facts = task(kind)
    learner = SplineLinear()
    params = learner.defaults(facts)[0]
    models = [learner.fit(f, params, facts, Limits()) for f in (fold, swapped(fold))]
    whole = learner.merge(models)
    assert whole is not None
    raw = np.mean([scores(m.predict(fold.X)) for m in models], axis=0)
    np.testing.assert_allclose(scores(whole.predict(fold.X)), raw, atol=1e-5)
    again = learner.load(whole.dump(), facts)
    np.testing.assert_allclose(again.predict(fold.X), whole.predict(fold.X), atol=1e-7)
