"""Which trials a blend would use, on the rows that they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autoglm.tuner.ensemble import select
from autoglm.tuner.scoring import Scorer
from autoglm.tuner.trials import Trial, out_of_fold
from autoglm.tuner.workspace import Workspace


def choose_members(trials: Sequence[Trial], work: Workspace, scorer: Scorer) -> list[Trial]:
    """Return the trials that a blend of those given would use, heaviest first."""
    predictions, rows = common_rows(trials, work)
    parts = [p[rows] for p in predictions]
    weights = select(parts, work.y[rows], scorer, learners=[t.learner for t in trials])
    chosen = [trials[i] for i in weights.members]
    # The best of each learner first: the others of its bag are much like it.
    best = sorted(chosen, key=lambda t: -t.score())
    place = {t.key: [o.key for o in best if o.learner == t.learner].index(t.key) for t in chosen}
    return sorted(chosen, key=lambda t: place[t.key])


def common_rows(
    trials: Sequence[Trial], work: Workspace
) -> tuple[list[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    """Return out-of-fold predictions of each trial and the rows that all of them cover.

    Only folds that all of them have are used: a mean over repeats is better than a single
    prediction, and would make whoever has it look better than the others.
    """
    folds = set.intersection(*(set(t.done()) for t in trials))
    pairs = [out_of_fold(t, work, folds) for t in trials]
    covered = np.logical_and.reduce([mask for _, mask in pairs])
    return [p for p, _ in pairs], np.flatnonzero(covered)
