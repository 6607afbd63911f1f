"""How the time of a search is divided, from the size of the task and the budget."""

from __future__ import annotations

from dataclasses import dataclass

from autoglm.zoo.contract import Facts

#: Seconds for 100 rounds of 31-leaf LightGBM at 10,000 rows and 30 columns on one thread.
ANCHOR_S = 0.42
ANCHOR_ROUNDS = 3.0  # hundreds of rounds that a default fit takes
#: Fits that should find room: a dozen configurations on all folds; or, where that is out of
#: reach, eight on one fold and the other folds of the best three.
FITS_OF_SMALL = 60
FITS_OF_LARGE = 20


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
    """

    n_folds: int
    repeats: int
    depth: int
    explore: float
    fit_seconds: float | None = None

    @property
    def total_folds(self) -> int:
        """Folds of all repeats."""
        return self.n_folds * self.repeats


def fold_seconds(facts: Facts) -> float:
    """Return a guess of how long one default LightGBM fit takes on one thread."""
    columns = facts.n_features.get("tree", 1)
    trees = facts.n_classes if facts.n_classes > 2 else 1
    rows = 0.1 + 0.9 * facts.n_rows / 10_000
    return ANCHOR_S * ANCHOR_ROUNDS * rows * (0.2 + 0.8 * columns / 30) * trees


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
    if n_folds * fold_seconds(facts) > 0.12 * seconds:
        return Plan(n_folds, 1, 1, 0.5, seconds / FITS_OF_LARGE)
    if facts.n_rows < 3000 and not time_split:
        return Plan(n_folds, 3, n_folds, 0.65, seconds / FITS_OF_SMALL)
    return Plan(n_folds, 1, n_folds, 1.0, seconds / FITS_OF_SMALL)
