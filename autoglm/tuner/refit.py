"""Fits on all rows: one model that stands for a whole bag.

What early stopping found out on the folds (rounds, a penalty) is kept by each fit as its
`learned` parameters; with these a configuration can be fitted again without validation rows.
The fits run in the workers while the rest of the model is made.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from autoglm.core.space import Params
from autoglm.tuner.executor import Executor, Job
from autoglm.tuner.trials import Trial
from autoglm.tuner.workspace import ALL_ROWS, Workspace
from autoglm.zoo.contract import Learner, Model

#: A fit on all rows takes longer than one on a fold; so many times as long, and then some.
SLOWER = 1.3


def refit_params(trial: Trial) -> Params:
    """Return the parameters of a trial with what its folds learned, in the middle of them."""
    learned = [trial.results[f].learned for f in trial.done()]
    names = set.intersection(*(set(one) for one in learned)) if learned else set()
    return trial.params | {name: _middle([one[name] for one in learned]) for name in sorted(names)}


def _middle(values: Sequence[Any]) -> Any:
    if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
        middle = float(np.median([float(v) for v in values]))
        return round(middle) if all(isinstance(v, int) for v in values) else middle
    return Counter(values).most_common(1)[0][0]


class Refits:
    """Fits of some trials on all rows, under way.

    Parameters
    ----------
    trials
        The heaviest first; those that would not end in time are left out.
    executor
        Where they run.
    work
        The workspace.
    seconds
        How long all of them may take; None for as long as it takes.
    """

    def __init__(
        self, trials: Sequence[Trial], executor: Executor, work: Workspace, seconds: float | None
    ) -> None:
        self._executor, self._work = executor, work
        self._until = float("inf") if seconds is None else time.monotonic() + seconds
        self._seconds = seconds
        self._done = [t for t in trials if ALL_ROWS in t.whole()]
        self._waiting = deque(t for t in trials if t not in self._done and self._ends_in_time(t))
        self._running: dict[str, Trial] = {}
        if seconds is None or seconds > 0:
            executor.wait(0.0) if executor.busy else None
            self._start()

    def _ends_in_time(self, trial: Trial) -> bool:
        return time.monotonic() + SLOWER * trial.seconds() < self._until

    def _start(self) -> None:
        while self._waiting and self._executor.busy < self._executor.slots:
            trial = self._waiting.popleft()
            if not self._ends_in_time(trial):
                continue
            left = min(self._until - time.monotonic(), 1e8)
            job = Job(trial.key, ALL_ROWS, trial.learner, refit_params(trial), trial.seed, left)
            self._executor.submit(job)
            self._running[trial.key] = trial

    def models(self, learners: dict[str, Learner]) -> dict[str, Model]:
        """Wait until time is up; return the finished models by the key of their trial."""
        while self._running or self._waiting:
            left = self._until - time.monotonic()
            if left <= 0:
                break
            for result in self._executor.wait(min(left, 60.0)):
                trial = self._running.pop(result.key, None) if result.fold == ALL_ROWS else None
                if trial is not None and result.score is not None:
                    self._done.append(trial)
            self._start()
            if not self._running:
                break
        files = {t.key: self._work.model_files(t.key, ALL_ROWS) for t in self._done}
        return {t.key: learners[t.learner].load(files[t.key], self._work.facts) for t in self._done}
