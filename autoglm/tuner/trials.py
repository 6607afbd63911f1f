"""A trial: one configuration, its folds, and what became of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autoglm.core.space import Params
from autoglm.tuner.executor import Result
from autoglm.tuner.workspace import Workspace

State = Literal["open", "complete", "pruned", "failed"]

#: Fits on all rows that stand for a bag of folds: with fewer the folds stay beside them.
ENOUGH = 3


def trial_key(learner: str, params: Params, seed: int) -> str:
    """Return the name of a configuration: equal configurations have equal names."""
    text = json.dumps([learner, params, seed], sort_keys=True, ensure_ascii=False)
    return f"{learner}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


@dataclass
class Trial:
    """One configuration.

    Attributes
    ----------
    index
        Order of starting, 0 first.
    learner, params, seed
        The configuration.
    results
        What came back, by fold.
    submitted
        Folds that were given to the executor.
    state
        "open" while folds are missing; "pruned" and "failed" trials are in no ensemble.
    reason
        Why it was pruned or failed.
    enough
        Fits on all rows that stand for the bag of its folds.
    """

    index: int
    learner: str
    params: Params
    seed: int
    results: dict[int, Result] = field(default_factory=dict)
    submitted: set[int] = field(default_factory=set)
    state: State = "open"
    reason: str = ""
    cleared: bool = False
    enough: int = ENOUGH

    @property
    def key(self) -> str:
        """Name of the configuration, and of its folder."""
        return trial_key(self.learner, self.params, self.seed)

    def scores(self, folds: range | None = None) -> list[float]:
        """Return the scores of the finished folds, in fold order."""
        return [
            r.score
            for f, r in sorted(self.results.items())
            if f >= 0 and r.score is not None and (folds is None or f in folds)
        ]

    def score(self, folds: range | None = None) -> float:
        """Return the mean utility over finished folds; -inf without any."""
        scores = self.scores(folds)
        return float(np.mean(scores)) if scores else float("-inf")

    def done(self) -> list[int]:
        """Return the folds that finished well, in order."""
        return sorted(f for f, r in self.results.items() if f >= 0 and r.score is not None)

    def whole(self) -> list[int]:
        """Return the fits on all rows that finished well, by their fold numbers, -1 first."""
        return sorted((f for f, r in self.results.items() if f < 0 and r.score is not None),
                      reverse=True)  # fmt: skip

    def models(self) -> list[int]:
        """Return the fits whose models stand for the trial.

        Those on all rows when there are enough of them, else those of folds beside them.
        """
        whole = self.whole()
        return whole if len(whole) >= self.enough else [*self.done(), *whole]

    def seconds(self) -> float:
        """Return the mean time of a fold."""
        times = [r.seconds for f, r in self.results.items() if f >= 0 and r.score is not None]
        return float(np.mean(times)) if times else 0.0

    def bag(self) -> dict[str, float]:
        """Return what all its models together cost: microseconds a row, megabytes."""
        good = [self.results[f] for f in self.models()]
        return {
            "predict_us": sum(r.predict_us for r in good),
            "size_mb": sum(r.size for r in good) / 1e6,
        }

    def to_record(self, compared: range | None = None) -> dict[str, Any]:
        """Return the trial as plain values, for the leaderboard; scored on the folds given."""
        return {
            "trial": self.index,
            "learner": self.learner,
            "params": self.params,
            "state": self.state,
            "reason": self.reason,
            "score": self.score(compared) if self.scores(compared) else None,
            "folds": len(self.done()),
            "fit_s": sum(r.seconds for r in self.results.values()),
            **self.bag(),
        }


def out_of_fold(
    trial: Trial, work: Workspace, folds: Collection[int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return out-of-fold predictions of all rows by the given folds, and which rows have one.

    Repeats of the cross-validation are averaged.
    """
    n, k = len(work.y), work.facts.n_classes
    shape = (n,) if work.facts.regression else (n, k)
    total = np.zeros(shape, np.float32)
    count = np.zeros(n, np.int64)
    for fold in sorted(folds):
        rows = work.folds[fold][1]
        total[rows] += work.out_of_fold(trial.key, fold).astype(np.float32)
        count[rows] += 1
    divisor = np.maximum(count, 1)
    mean = total / (divisor if total.ndim == 1 else divisor[:, None])
    return mean.astype(np.float32), count > 0
