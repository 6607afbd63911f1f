"""Which trials a blend would use, on the rows that they have in common."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from autoglm.tuner.ensemble import bagged, select
from autoglm.tuner.scoring import Scorer
from autoglm.tuner.trials import Trial, out_of_fold
from autoglm.tuner.workspace import Workspace


def choose_members(trials: Sequence[Trial], work: Workspace, scorer: Scorer) -> list[Trial]:
    """Return the trials that a blend of those given would use, what matters most first.

    That is the heaviest; where the best of each learner stand together, the best of each, then
    the second of each, and so on, as those of one bag are much alike.
    """
    predictions, rows = common_rows(trials, work)
    parts = [p[rows] for p in predictions]
    learners = [t.learner for t in trials]
    weights = select(parts, work.y[rows], scorer, learners=learners, n_rows=len(work.y))
    if not bagged(len(work.y), scorer):
        return [trials[i] for i in weights.members]
    seen: Counter[str] = Counter()
    rounds: defaultdict[int, list[Trial]] = defaultdict(list)
    for i in sorted(weights.members, key=lambda i: -scorer.utility(work.y[rows], parts[i])):
        rounds[seen[learners[i]]].append(trials[i])
        seen[learners[i]] += 1
    return [trial for turn in sorted(rounds) for trial in rounds[turn]]


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
