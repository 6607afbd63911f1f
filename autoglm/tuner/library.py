"""What an ensemble is chosen from: finished trials and their out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.tuner.ensemble import LINEAR, Pool, Weights, bagged, select
from autoglm.tuner.members import common_rows
from autoglm.tuner.scoring import Scorer
from autoglm.tuner.trials import Trial
from autoglm.tuner.workspace import Workspace

Array = NDArray[np.float64]

#: Models of a bag that are worth having; repeats of the cross-validation bring more.
BAG_FOLDS = 5
#: Share of the bounds that a candidate with heavy models is reckoned with at the most.
HEAVIEST = 0.8
#: What a bag of all folds gains over its first model, as a share of the gain over a guess, about.
BAG_GAIN = 0.005


@dataclass(frozen=True)
class Mix:
    """Chosen trials and their weights.

    Attributes
    ----------
    trials, weights
        Heaviest first; the weights sum to 1.
    score
        Utility on the rows it was chosen on.
    rows
        Numbers (m,) of the rows that have an out-of-fold prediction of all candidates.
    raw
        Its blended predictions of these rows, before calibration: (m, k) or (m,).
    pool
        How the predictions of members become one.
    """

    trials: tuple[Trial, ...]
    weights: tuple[float, ...]
    score: float
    rows: NDArray[np.int64]
    raw: Array
    pool: Pool = LINEAR


@dataclass(frozen=True)
class Library:
    """Candidates with their predictions of the same rows.

    Attributes
    ----------
    trials
        The candidates.
    rows
        Numbers (m,) of the rows that all of them cover.
    y
        (m,) targets of these rows, on the learners' scale.
    predictions
        Out-of-fold predictions of each candidate: (m, k) or (m,).
    scorer
        The task's utility.
    n_rows
        Rows of the whole table.
    """

    trials: tuple[Trial, ...]
    rows: NDArray[np.int64]
    y: NDArray[np.generic]
    predictions: tuple[NDArray[np.float32], ...]
    scorer: Scorer
    n_rows: int

    @classmethod
    def of(cls, trials: Sequence[Trial], work: Workspace) -> Library:
        """Read the predictions of complete trials; at least one."""
        predictions, rows = common_rows(trials, work)
        parts = tuple(p[rows] for p in predictions)
        return cls(tuple(trials), rows, work.y[rows], parts, Scorer(work.metric), len(work.y))

    def thinned(self, most: int) -> Library:
        """Return a library of at most so many of the rows, the same ones every time."""
        if len(self.rows) <= most:
            return self
        kept = np.sort(np.random.default_rng(0).permutation(len(self.rows))[:most])
        parts = tuple(p[kept] for p in self.predictions)
        return replace(self, rows=self.rows[kept], y=self.y[kept], predictions=parts)

    def select(
        self,
        costs: Sequence[float],
        max_cost: float,
        max_members: int | None = None,
    ) -> Mix:
        """Choose members whose costs sum to at most `max_cost`, see `ensemble.select`.

        With a bound on their number every member is a single candidate.
        """
        more: dict[str, Any] = {"n_rows": self.n_rows}
        if max_members is None:
            more["learners"] = [t.learner for t in self.trials]
        else:
            more["max_members"] = max_members
        found = select(
            self.predictions, self.y, self.scorer, costs=costs, max_cost=max_cost, **more
        )
        return self.mix(found)

    def mix(self, weights: Weights) -> Mix:
        """Return the chosen trials with their blended predictions."""
        raw = weights.pool([self.predictions[i] for i in weights.members], weights.weights)
        chosen = tuple(self.trials[i] for i in weights.members)
        return Mix(chosen, weights.weights, weights.score, self.rows, raw, weights.pool)

    def blended(self, mix: Mix) -> Mix:
        """Return a mix of candidates of this library as it does on the library's rows."""
        place = {t.key: i for i, t in enumerate(self.trials)}
        members = tuple(place[t.key] for t in mix.trials)
        found = self.mix(Weights(members, mix.weights, 0.0, mix.pool))
        return replace(found, score=self.scorer.utility(self.y, found.raw))

    def floor(self) -> float:
        """Return the utility of a constant guess on these rows."""
        if self.predictions[0].ndim == 2:
            k = self.predictions[0].shape[1]
            share = np.bincount(self.y.astype(np.int64), minlength=k) / max(1, len(self.y))
            guess = np.tile(share, (len(self.y), 1))
        else:
            guess = np.full(len(self.y), self.y.astype(np.float64).mean())
        return self.scorer.utility(self.y, guess)


def choose_best(
    trials: Sequence[Trial], work: Workspace, max_predict_us: float, max_size_mb: float
) -> tuple[Mix, Library]:
    """Choose among the trials with most folds, unless others are clearly better.

    Where time was short some trials have more folds than others, and only rows of folds that
    all candidates have can be compared. A bag of many folds predicts better than its first
    model, which is what rows of a fold compare; so candidates with fewer folds come in only
    when the blend is better by more than `BAG_GAIN` of what it gains over a guess, on the rows
    that both choices cover.

    Parameters
    ----------
    trials
        Complete trials; at least one.
    work
        Their workspace.
    max_predict_us, max_size_mb
        Bounds on the whole blend: microseconds a row on one thread, megabytes.

    Returns
    -------
    tuple
        The choice, and the candidates that it was chosen from.
    """
    # What says the same of every row can only soak up what the weights leave.
    trials = [t for t in trials if t.learner != "constant"] or trials
    found: tuple[Mix, Library] | None = None
    once = _folds_of_all(work)
    depths = {len(t.done()) for t in trials}
    if bagged(len(work.y), Scorer(work.metric)):
        # Where several of a learner stand together, repeats are not worth more than company.
        depths = {min(depth, once) for depth in depths}
    for least in sorted(depths, reverse=True):
        library = Library.of([t for t in trials if len(t.done()) >= least], work)
        mix = _chosen(library, max_predict_us, max_size_mb)
        if found is None or _clearly_better(mix, found[0], library):
            found = mix, library
    assert found is not None
    return found


def _folds_of_all(work: Workspace) -> int:
    """Return how many folds of one cross-validation there are; all where rows are never asked."""
    asked = np.cumsum([len(valid) for _, valid in work.folds])
    whole = np.flatnonzero(asked >= len(work.y))
    return int(whole[0]) + 1 if len(whole) else len(work.folds)


def _clearly_better(new: Mix, old: Mix, library: Library) -> bool:
    """Return whether a mix of more trials is better than one of trials with more folds."""
    _, mine, theirs = np.intersect1d(new.rows, old.rows, return_indices=True)
    y, scorer = library.y[mine], library.scorer
    before, after = scorer.utility(y, old.raw[theirs]), scorer.utility(y, new.raw[mine])
    return after > before + BAG_GAIN * max(0.0, before - library.floor())


def _chosen(library: Library, max_us: float, max_mb: float) -> Mix:
    return library.select([_price(t, max_us, max_mb) for t in library.trials], 1.0)


def _price(trial: Trial, max_us: float, max_mb: float) -> float:
    """Return what a candidate takes of the bounds when members are chosen.

    One whose models are so heavy that half of them do not fit is not kept out for that: it may
    stand with fewer.
    """
    one = fold_price(trial, max_us, max_mb)
    return max(one, min(one * _counted_folds(trial), HEAVIEST))


def fold_price(trial: Trial, max_us: float, max_mb: float) -> float:
    """Return what one model of a bag takes of the bounds: the larger of its two shares."""
    bag = trial.bag()
    return max(bag["predict_us"] / max_us, bag["size_mb"] / max_mb) / max(1, len(trial.models()))


def _counted_folds(trial: Trial) -> float:
    """Return how many models of a bag are reckoned with when members are chosen.

    Half of one cross-validation: few members with most of their models predict better than
    many that are cut down to one each.
    """
    return max(1.0, min(len(trial.models()), BAG_FOLDS) / 2)


def folds_kept(
    trials: Sequence[Trial], weights: Sequence[float], max_us: float, max_mb: float
) -> list[int]:
    """Return how many models of each bag are kept, the costliest for its weight cut first."""
    kept = [len(t.models()) for t in trials]
    price = [fold_price(t, max_us, max_mb) for t in trials]
    while sum(k * p for k, p in zip(kept, price, strict=True)) > 1.0 and max(kept) > 1:
        able = [i for i, k in enumerate(kept) if k > 1]
        cut = max(able, key=lambda i: kept[i] * price[i] / weights[i])
        kept[cut] -= 1
    return kept
