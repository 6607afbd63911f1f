"""How the time of a search is divided, from the size of the task and the budget."""

from __future__ import annotations

from dataclasses import dataclass

from autoglm.zoo.contract import Facts
from autoglm.zoo.costs import boosting_seconds

#: Fits that should find room: a dozen configurations on all folds; or, where that is out of
#: reach, five on one fold and the other folds of the best one.
FITS_OF_SMALL = 60
FITS_OF_LARGE = 12
#: Fits may be made so many times cheaper than a default one before they are too coarse.
MOST_HASTE = 2.5
#: Fits on all rows for each of the chosen. With few rows repeats of the cross-validation are
#: better: more models, and weights that noise has less of a hand in. With many, all rows show
#: little more than four fifths of them.
WHOLE = 5
FEW_ROWS, MANY_ROWS = 800, 10_000


@dataclass(frozen=True)
class Plan:
    """The division of a search.

    Attributes
    ----------
    n_folds
        Folds of one cross-validation.
    repeats
        How many times the cross-validation may be repeated, with other folds.
    depth
        Folds that a configuration gets while configurations are compared; the chosen ones
        get the rest afterwards.
    explore
        Share of the search time for comparing; the rest deepens the chosen.
    fit_seconds
        What one fit may take, about, so that enough of them find room.
    whole
        Fits on all rows, each with a seed of its own, for the chosen ones.
    """

    n_folds: int
    repeats: int
    depth: int
    explore: float
    fit_seconds: float | None = None
    whole: int = 0

    @property
    def total_folds(self) -> int:
        """Folds of all repeats."""
        return self.n_folds * self.repeats


def make_plan(facts: Facts, time_limit_s: float | None, workers: int, time_split: bool) -> Plan:
    """Return the plan for a task.

    Parameters
    ----------
    facts
        Size and kind of the task.
    time_limit_s
        Time for the search; None when the number of trials bounds it instead.
    workers
        Fits at a time.
    time_split
        Folds are expanding windows: they cannot be repeated, and the last is the longest.
    """
    n_folds = 5 if facts.n_rows >= 25 else max(2, facts.n_rows // 5)
    if time_limit_s is None:
        return Plan(n_folds, 1, n_folds, 1.0)
    seconds = time_limit_s * max(1, workers)
    if boosting_seconds(facts) > MOST_HASTE * seconds / FITS_OF_SMALL:
        return Plan(n_folds, 1, 1, 0.5, seconds / FITS_OF_LARGE)
    if facts.n_rows < FEW_ROWS and not time_split:
        return Plan(n_folds, 3, n_folds, 0.65, seconds / FITS_OF_SMALL)
    if facts.n_rows < MANY_ROWS and not time_split:
        return Plan(n_folds, 1, n_folds, 0.75, seconds / FITS_OF_SMALL, whole=WHOLE)
    return Plan(n_folds, 1, n_folds, 1.0, seconds / FITS_OF_SMALL)
