"""Which computed columns pay: a paired test out of fold, with a correction for many tries.

The same boosted trees are fitted with and without a column on the same folds. A column pays when
the differences of a proper score, row by row, are no luck (Student's t, one-sided, its level
divided by the number of columns that were tried: Bonferroni) and nearly every fold is better for
it, which a lucky fit or two would not give. Of those that pay, each has to add to the ones before.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoglm.zoo.contract import Facts

#: Rounds of boosting, folds and repeats.
ROUNDS, FOLDS, REPEATS = 80, 5, 2
#: Columns that pass the screening by how much trees use them, and those that are kept.
SCREENED, MOST_KEPT = 12, 6
LEVEL = 0.05
#: Share of the loss that a column has to take away, of folds that it has to make better, and of
#: folds that it has to make better beside those kept before it.
LEAST_GAIN, MOST_FOLDS, MORE_FOLDS = 0.002, 0.9, 0.7
_PARAMS = {
    "learning_rate": 0.12, "num_leaves": 15, "min_data_in_leaf": 20, "feature_fraction": 1.0,
    "verbosity": -1, "deterministic": True, "force_row_wise": True, "max_bin": 127,
}  # fmt: skip

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Gain:
    """What a column brought: its place among those given, gain, and the chance of luck.

    Attributes
    ----------
    index
        Which column.
    gain
        Share of the loss that it takes away.
    p
        Probability of such a gain without any effect, not corrected.
    better
        Share of the folds that are better for it.
    """

    index: int
    gain: float
    p: float
    better: float


def gains(
    matrix: Matrix,
    added: Matrix,
    y: NDArray[np.float64],
    facts: Facts,
    *,
    deadline: float,
    seed: int = 0,
    threads: int = 2,
) -> list[Gain]:
    """Return the columns that pay, the best first.

    Parameters
    ----------
    matrix
        (n, p) the columns there are.
    added
        (n, q) those that are tried.
    y
        (n,) class codes or standardised values.
    facts
        The task.
    deadline
        `time.monotonic()` after which no further column is tried; what was tried counts as tries.
    seed, threads
        Of folds and trees, and for each fit.
    """
    test = _Test(matrix, added, y, facts, seed, threads)
    order = test.screened()
    base, found = test.losses(()), []
    for index in order:
        if time.monotonic() > deadline:
            break
        found.append(base.beside(test.losses([index]), index))
    tries = max(1, added.shape[1])  # those that were screened away were tried too
    paying = [g for g in found if g.gain > LEAST_GAIN and g.better >= MOST_FOLDS
              and g.p * tries < LEVEL]  # fmt: skip
    kept: list[Gain] = []
    before = base
    for one in sorted(paying, key=lambda g: -g.gain):
        if kept and (len(kept) == MOST_KEPT or time.monotonic() > deadline):
            break
        losses = test.losses([*(k.index for k in kept), one.index])
        more = before.beside(losses, one.index)
        if not kept or (more.gain > LEAST_GAIN and more.better >= MORE_FOLDS):
            kept.append(one)
            before = losses
    return kept


@dataclass(frozen=True)
class _Losses:
    """Losses out of fold: of each row, the mean over repeats, and of each fold."""

    rows: NDArray[np.float64]
    folds: NDArray[np.float64]

    def beside(self, other: _Losses, index: int) -> Gain:
        """Return what the other one gains."""
        from scipy import stats

        difference = self.rows - other.rows
        gain = float(difference.mean() / max(self.rows.mean(), 1e-12))
        better = float((other.folds < self.folds).mean())
        spread = float(difference.std(ddof=1))
        if spread <= 0.0:
            return Gain(index, 0.0, 1.0, better)
        t = float(difference.mean()) / (spread / np.sqrt(len(difference)))
        return Gain(index, gain, float(stats.t.sf(t, len(difference) - 1)), better)


class _Test:
    def __init__(
        self, matrix: Matrix, added: Matrix, y: NDArray[np.float64], facts: Facts, seed: int,
        threads: int,
    ) -> None:  # fmt: skip
        rng = np.random.default_rng(seed)
        self._X, self._Z, self._y = matrix, added, y
        self._facts = facts
        self._params = {**_PARAMS, "num_threads": threads, "seed": seed, **_objective(facts)}
        self._folds = [
            (np.setdiff1d(np.arange(len(y)), part), part)
            for _ in range(REPEATS)
            for part in np.array_split(rng.permutation(len(y)), FOLDS)
        ]

    def screened(self) -> list[int]:
        """Return the columns that trees use most when they have all of them."""
        import lightgbm

        q = self._Z.shape[1]
        if q <= SCREENED:
            return list(range(q))
        whole = np.hstack([self._X, self._Z])
        booster = lightgbm.train(self._params, lightgbm.Dataset(whole, self._y), ROUNDS)
        used = booster.feature_importance("gain")[self._X.shape[1] :]
        order: list[int] = np.argsort(-used, kind="stable")[:SCREENED].tolist()
        return order

    def losses(self, columns: Sequence[int]) -> _Losses:
        """Return the losses with some of the columns added."""
        import lightgbm

        X = np.hstack([self._X, self._Z[:, list(columns)]]) if columns else self._X
        rows, folds = np.zeros(len(self._y)), []
        for train, valid in self._folds:
            data = lightgbm.Dataset(X[train], self._y[train])
            booster = lightgbm.train(self._params, data, ROUNDS)
            lost = self._loss(self._y[valid], np.asarray(booster.predict(X[valid])))
            rows[valid] += lost / REPEATS
            folds.append(float(lost.mean()))
        return _Losses(rows, np.array(folds))

    def _loss(self, y: NDArray[np.float64], said: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._facts.regression:
            return np.asarray((y - said) ** 2)
        codes = y.astype(np.int64)
        shares = np.column_stack([1 - said, said]) if said.ndim == 1 else said
        own = np.clip(shares[np.arange(len(y)), codes], 1e-6, 1.0)
        return np.asarray(-np.log(own))


def _objective(facts: Facts) -> dict[str, object]:
    if facts.regression:
        return {"objective": "l2"}
    if facts.n_classes == 2:
        return {"objective": "binary"}
    return {"objective": "multiclass", "num_class": facts.n_classes}
