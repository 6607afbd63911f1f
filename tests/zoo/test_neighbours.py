"""Nearest neighbours: one row is answered as a batch is, and bags become one model."""

from __future__ import annotations

import numpy as np
import pytest

from autoglm.zoo.contract import Facts, Fold, Limits
from autoglm.zoo.knn import NearestNeighbours, NeighbourModel


def gridded(n: int) -> tuple[Fold, Facts]:
    """Return rows of few distinct values, most of which occur many times over."""
    rng = np.random.default_rng(3)
    X = (rng.integers(0, 3, size=(n, 4)) / 1.7).astype(np.float32)
    y = (X.sum(axis=1) + rng.normal(size=n) > 2.4).astype(np.int64)
    rows = np.arange(n)
    facts = Facts("binary", 2, n, {"dense": 4})
    return Fold(X, y, rows[: n * 3 // 4], rows[n * 3 // 4 :]), facts


@pytest.mark.parametrize("by_distance", [False, True])
def test_ties_are_broken_alike_in_rows_and_batches(by_distance: bool) -> None:
    fold, facts = gridded(900)
    params = {"k": 7, "by_distance": by_distance}
    model = NearestNeighbours().fit(fold, params, facts, Limits())
    batch = model.predict(fold.X)
    single = np.concatenate([model.predict(fold.X[[i]]) for i in range(len(fold.X))])
    np.testing.assert_allclose(single, batch, rtol=0, atol=1e-12)


def test_the_nearest_are_those_of_a_plain_search() -> None:
    fold, facts = gridded(400)
    model = NearestNeighbours().fit(fold, {"k": 9, "by_distance": False}, facts, Limits())
    asked = np.rint(fold.X[fold.valid] * 256.0) / 256.0  # what the model takes them for
    distance = ((asked[:, None] - model.rows[None]) ** 2).sum(axis=2)
    near = np.argsort(distance, axis=1, kind="stable")[:, :9]
    votes = (model.target[near].sum(axis=1) + model.prior) / 10
    np.testing.assert_allclose(model.predict(fold.X[fold.valid]), votes, rtol=0, atol=1e-6)


def test_members_on_the_same_rows_look_for_neighbours_once() -> None:
    fold, facts = gridded(600)
    learner = NearestNeighbours()
    few, many = (
        learner.fit(fold, {"k": k, "by_distance": k > 5}, facts, Limits()) for k in (3, 20)
    )
    assert few.kin == many.kin
    answers = few.of_bags([[few], [many]])
    found = np.array([answers(row) for row in fold.X[:40]])
    for column, model in zip(found.T, (few, many), strict=True):
        np.testing.assert_allclose(column, model.predict(fold.X[:40])[:, 1], rtol=0, atol=1e-12)


def test_a_bag_becomes_one_model_of_all_rows() -> None:
    fold, facts = gridded(800)
    parts = [fold.train[fold.train % 4 != i] for i in range(4)]
    learner = NearestNeighbours()
    params = {"k": 12, "by_distance": False}
    models = [
        learner.fit(Fold(fold.X, fold.y, p, fold.valid), params, facts, Limits()) for p in parts
    ]
    merged = learner.merge(models)
    assert isinstance(merged, NeighbourModel)
    np.testing.assert_array_equal(merged.numbers, fold.train)
    assert merged.k == 16  # the same share of a third more rows
    mean = np.mean([m.predict(fold.X[fold.valid]) for m in models], axis=0)
    assert np.abs(merged.predict(fold.X[fold.valid]) - mean).mean() < 0.03
    again = learner.load(merged.dump(), facts)
    np.testing.assert_array_equal(again.predict(fold.X), merged.predict(fold.X))


@pytest.mark.parametrize("harm", ["short target", "gap", "no neighbours", "flat"])
def test_rows_that_do_not_fit_together_are_refused(harm: str) -> None:
    fold, facts = gridded(80)
    learner = NearestNeighbours()
    model = learner.fit(fold, {"k": 5, "by_distance": True}, facts, Limits())
    if harm == "short target":
        model.target = model.target[:-1]
    elif harm == "gap":
        model.rows[0, 0] = np.nan
    elif harm == "no neighbours":
        model.k = 0
    else:
        model.rows = model.rows.ravel()
    with pytest.raises(ValueError, match="do not fit together"):
        learner.load(model.dump(), facts)
