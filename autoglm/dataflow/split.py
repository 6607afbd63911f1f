"""Folds for cross-validation."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.core.errors import DataError
from autoglm.core.spec import Split
from autoglm.core.text import say
from autoglm.dataflow.parse import is_missing

FoldRows = tuple[NDArray[np.int64], NDArray[np.int64]]
_REGRESSION_STRATA = 10


def make_folds(
    y: NDArray[Any],
    *,
    split: Split,
    n_folds: int,
    seed: int,
    groups: NDArray[Any] | None = None,
    times: NDArray[Any] | None = None,
) -> list[FoldRows]:
    """Return (training rows, validation rows) of each fold; the same seed, the same folds.

    Parameters
    ----------
    y
        (n,) class codes (integers) or target values (floats).
    split
        "stratified" keeps the share of each class (of each tenth of the values) in every fold;
        "random" does not look at `y`; "grouped" keeps the rows of a group together; "time"
        validates each fold on rows later than those it trains on, so that the earliest rows
        are never validated on.
    n_folds
        Number of folds, at least 2. Less are made when there are not enough rows or groups.
    seed
        Seed of the shuffle.
    groups
        (n,) group of each row; needed by "grouped". A missing group is a group of its own row.
    times
        (n,) time of each row as numbers; "time" without it takes the rows in their order. A
        row without a time counts as the earliest.

    Raises
    ------
    DataError
        When there are fewer than two rows or groups, or "grouped" has no groups.
    """
    n = len(y)
    if n < 2:
        raise _too_few(say(en=f"{n} row(s) cannot be split.", zh=f"{n} 行无法划分。"))
    if n_folds < 2:
        raise ValueError("n_folds must be at least 2")
    n_folds = min(n_folds, n)
    rng = np.random.default_rng(seed)
    if split == "time":
        return _expanding(n, n_folds, times)
    if split == "grouped":
        if groups is None:
            raise _too_few(
                say(en="A grouped split needs a group column.", zh="分组划分需要分组列。")
            )
        fold_of = _grouped(groups, n_folds, rng)
    elif split == "stratified":
        fold_of = _dealt(_strata(y, rng), n_folds, rng)
    else:
        fold_of = _dealt(np.zeros(n, dtype=np.int64), n_folds, rng)
    present = np.unique(fold_of)
    return [(np.flatnonzero(fold_of != k), np.flatnonzero(fold_of == k)) for k in present]


def _strata(y: NDArray[Any], rng: np.random.Generator) -> NDArray[np.int64]:
    if not np.issubdtype(y.dtype, np.floating):
        return np.unique(y, return_inverse=True)[1].astype(np.int64)
    # Equal values share no stratum border that depends on row order: ties are shuffled.
    rank = np.empty(len(y), dtype=np.int64)
    rank[np.lexsort((rng.random(len(y)), y))] = np.arange(len(y))
    return rank * min(_REGRESSION_STRATA, max(1, len(y) // 2)) // len(y)


def _dealt(strata: NDArray[np.int64], n_folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Shuffle each stratum and deal all strata out in turn, like cards.

    Dealing goes on from stratum to stratum, so fold sizes differ by one at most and a class
    with fewer rows than folds has at most one row in each fold.
    """
    order = np.lexsort((rng.random(len(strata)), strata))
    fold_of = np.empty(len(strata), dtype=np.int64)
    fold_of[order] = np.arange(len(strata)) % n_folds
    return fold_of


def _grouped(groups: NDArray[Any], n_folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Put the largest groups first, each into the smallest fold; equal sizes are shuffled."""
    numbers: dict[Any, int] = {}
    lone = map(is_missing, groups.tolist())
    keys = [
        ("row", i) if alone else ("group", v)
        for i, (v, alone) in enumerate(zip(groups.tolist(), lone, strict=True))
    ]
    code = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
    size = np.bincount(code)
    if len(size) < 2:
        raise _too_few(say(en="All rows are of one group.", zh="所有行同属一个组。"))
    load = np.zeros(min(n_folds, len(size)))
    fold_of_group = np.empty(len(size), dtype=np.int64)
    for group in np.lexsort((rng.random(len(size)), -size)):
        fold = int(np.argmin(load))
        fold_of_group[group] = fold
        load[fold] += size[group]
    return fold_of_group[code]


def _expanding(n: int, n_folds: int, times: NDArray[Any] | None) -> list[FoldRows]:
    """Cut the time line into n_folds + 1 spans; fold k trains on the first k, validates the next.

    Rows of one moment are never on both sides of a cut.
    """
    time = np.arange(n, dtype=np.float64) if times is None else np.asarray(times, dtype=np.float64)
    time = np.where(np.isnan(time), -np.inf, time)
    order = np.argsort(time, kind="stable")
    ordered = time[order]
    cuts = [0]
    for k in range(1, n_folds + 1):
        cut = int(np.searchsorted(ordered, ordered[k * n // (n_folds + 1)], side="left"))
        if cut > cuts[-1]:
            cuts.append(cut)
    cuts.append(n)
    folds = [
        (np.sort(order[:start]), np.sort(order[start:stop]))
        for start, stop in itertools.pairwise(cuts[1:])
    ]
    if not folds:
        raise _too_few(say(en="All rows are of one moment.", zh="所有行的时间相同。"))
    return folds


def _too_few(message: str) -> DataError:
    return DataError(
        message,
        hint=say(
            en="Give more rows, or choose another split.", zh="请提供更多行,或换一种划分方式。"
        ),
    )
