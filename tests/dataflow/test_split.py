"""Folds keep their promises and are the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from autoglm.core.errors import DataError
from autoglm.dataflow.split import make_folds


def check_partition(folds: list, n: int) -> None:
    assert sorted(np.concatenate([valid for _, valid in folds]).tolist()) == list(range(n))
    for train, valid in folds:
        assert len(np.intersect1d(train, valid)) == 0 and len(train) + len(valid) == n


def test_stratified_keeps_shares() -> None:
    y = np.random.default_rng(0).choice(3, 1000, p=[0.9, 0.09, 0.01])
    folds = make_folds(y, split="stratified", n_folds=5, seed=0)
    check_partition(folds, 1000)
    for _, valid in folds:
        counts, whole = np.bincount(y[valid], minlength=3), np.bincount(y)
        assert (np.abs(counts - whole / 5) < 1).all()


def test_rare_class_stays_in_training_wherever_it_can() -> None:
    y = np.array([0] * 50 + [1] * 2)
    for train, _ in make_folds(y, split="stratified", n_folds=5, seed=1):
        assert 1 in y[train]


def test_regression_folds_have_like_targets() -> None:
    y = np.random.default_rng(0).lognormal(size=500)
    means = [y[v].mean() for _, v in make_folds(y, split="stratified", n_folds=5, seed=0)]
    random = [y[v].mean() for _, v in make_folds(y, split="random", n_folds=5, seed=0)]
    assert np.std(means) < np.std(random)


def test_seed_decides() -> None:
    y = np.arange(60) % 2
    a, b, c = (make_folds(y, split="random", n_folds=3, seed=s) for s in (1, 1, 2))
    assert all((p[1] == q[1]).all() for p, q in zip(a, b, strict=True))
    assert any((p[1] != q[1]).any() for p, q in zip(a, c, strict=True))


def test_groups_stay_together_in_even_folds() -> None:
    groups = np.array([f"g{i}" for i in np.random.default_rng(0).integers(0, 40, 400)], object)
    folds = make_folds(np.zeros(400), split="grouped", n_folds=4, seed=0, groups=groups)
    check_partition(folds, 400)
    for train, valid in folds:
        assert not set(groups[train]) & set(groups[valid])
        assert 80 <= len(valid) <= 120


def test_missing_groups_are_groups_of_one() -> None:
    groups = np.array([1.0, 1.0, np.nan, np.nan])
    folds = make_folds(np.zeros(4), split="grouped", n_folds=3, seed=0, groups=groups)
    assert sorted(len(v) for _, v in folds) == [1, 1, 2]


def test_time_validates_later_than_it_trains() -> None:
    times = np.random.default_rng(0).integers(0, 50, 300).astype(float)
    times[:5] = np.nan
    folds = make_folds(np.zeros(300), split="time", n_folds=4, seed=0, times=times)
    assert len(folds) == 4
    for train, valid in folds:
        assert np.nanmax(times[train]) < np.nanmin(times[valid])


@pytest.mark.parametrize(("n", "split"), [(1, "random"), (0, "stratified"), (5, "grouped")])
def test_what_cannot_be_split_is_an_error_with_a_hint(n: int, split: str) -> None:
    with pytest.raises(DataError) as caught:
        make_folds(np.zeros(n), split=split, n_folds=3, seed=0, groups=np.zeros(n))  # type: ignore[arg-type]
    assert caught.value.hint


def test_few_rows_give_fewer_folds() -> None:
    assert len(make_folds(np.array([0, 1, 0]), split="stratified", n_folds=5, seed=0)) == 3
