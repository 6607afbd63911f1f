"""The search: tries configurations on folds until the time or the trials are used up.

A policy (see `autoglm.tuner.policies`) says what to do next. Every finished fold is in the
journal before it counts. A resumed run walks its path again and takes finished folds from the
journal instead of fitting them again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from autoglm.core.budget import TimeBudget
from autoglm.core.errors import StorageError
from autoglm.core.events import emit
from autoglm.core.journal import Journal
from autoglm.tuner.board import Board, SearchOptions, StoppedBy, available_learners
from autoglm.tuner.executor import Executor, Job, Result
from autoglm.tuner.plan import Plan
from autoglm.tuner.policies import Anytime, Policy, Steady
from autoglm.tuner.refit import refit_params
from autoglm.tuner.scoring import Scorer
from autoglm.tuner.trials import Trial
from autoglm.tuner.workspace import ALL_ROWS, Workspace

__all__ = ["Search", "SearchOptions", "SearchOutcome", "available_learners"]

NO_LIMIT_S = 1e8
#: Fits on all rows have seeds of their own.
WHOLE_SEED = 1000
#: A fit may take so many times what is planned for one, or what an earlier fold took.
FIRST_FIT, NEXT_FIT = 3.0, 2.5
#: ... but at least this long, seconds.
LEAST_S, FIRST_LEAST_S = 0.5, 1.5


@dataclass
class SearchOutcome:
    """What a search leaves.

    Attributes
    ----------
    trials
        All trials, in order.
    stopped_by
        What ended it.
    compared
        The folds that all complete trials have, and are ranked by.
    """

    trials: list[Trial]
    stopped_by: StoppedBy
    compared: range


class Search:
    """One search over one workspace.

    Parameters
    ----------
    work
        The encoded data.
    journal
        Where finished folds are kept; those already in it are not run again.
    executor
        Runs the fits.
    budget
        Time for the search alone, without what comes after it.
    plan, options
        How to divide it.
    """

    def __init__(
        self,
        work: Workspace,
        journal: Journal,
        executor: Executor,
        budget: TimeBudget,
        plan: Plan,
        options: SearchOptions,
    ) -> None:
        self.journal, self.executor = journal, executor
        self.board = Board(
            work, plan, options, budget, executor.slots,
            available_learners(options.learners), Scorer(work.metric),
        )  # fmt: skip
        bounded = budget.limit_s is not None
        self.policy: Policy = Anytime(self.board) if bounded else Steady(self.board)
        self._known = _finished_folds(journal)
        self._stopped_by: StoppedBy | None = None

    def run(self) -> SearchOutcome:
        """Search until something ends it; Ctrl-C ends it too, with what there is."""
        budget = self.board.budget
        try:
            while self._stopped_by is None:
                self._give_work()
                if not self.executor.busy:
                    self._stopped_by = self._why_nothing_is_left()
                else:
                    for result in self.executor.wait(budget.remaining()):
                        self._take(result)
                if budget.expired():
                    self._stopped_by = "time"
        except KeyboardInterrupt:
            self._stopped_by = "interrupt"
        return SearchOutcome(self.board.trials, self._stopped_by, self.board.compared)

    def _why_nothing_is_left(self) -> StoppedBy:
        if self.board.full:
            return "trials"
        if self.board.budget.limit_s is None or self.board.stale():
            return "patience"
        return "time"  # what could still be tried would not end in time

    def _give_work(self) -> None:
        """Fill free slots; finished folds of an earlier run are taken on the way."""
        budget = self.board.budget
        while self.executor.busy < self.executor.slots and not budget.expired():
            step = self.policy.next()
            if step is None:
                return
            trial, fold = step
            trial.submitted.add(fold)
            known = self._known.get((trial.key, fold))
            if known is not None:
                self._count(trial, known)
                continue
            self.board.running[trial.key, fold] = trial
            seconds = self._time_for(trial)
            params, seed = trial.params, trial.seed + fold
            if fold <= ALL_ROWS:
                params, seed = refit_params(trial), trial.seed + WHOLE_SEED - fold
            self.executor.submit(Job(trial.key, fold, trial.learner, params, seed, seconds))

    def _time_for(self, trial: Trial) -> float:
        left = min(self.board.budget.remaining(), NO_LIMIT_S)
        planned = self.board.plan.fit_seconds
        if left == NO_LIMIT_S or (planned is None and not trial.results):
            return left
        wanted = NEXT_FIT * trial.seconds() if trial.results else FIRST_FIT * (planned or 0.0)
        return min(left, max(LEAST_S if trial.results else FIRST_LEAST_S, wanted))

    def _take(self, result: Result) -> None:
        """Acknowledge a result: into the journal first, then into the trial."""
        if result.code == StorageError.code:
            message, _, hint = result.error.partition("\n")
            raise StorageError(message, hint=hint)
        trial = self.board.running.pop((result.key, result.fold))
        self.journal.append({"kind": "fold", "trial": trial.index, "learner": trial.learner,
                             "params": trial.params, "at": time.time(),
                             "elapsed_s": self.board.budget.elapsed(),
                             **asdict(result)})  # fmt: skip
        self._count(trial, result)

    def _count(self, trial: Trial, result: Result) -> None:
        board = self.board
        trial.results[result.fold] = result
        if result.score is None:
            if trial.state == "open":
                trial.state, trial.reason = "failed", result.error
                emit("trial_failed", trial=trial.index, learner=trial.learner, error=result.error)
            return
        if result.fold <= ALL_ROWS:
            return  # its score is of rows that it knows
        unit = board.scorer.metric.to_utility  # people see the metric's own unit
        emit("fold_finished", trial=trial.index, learner=trial.learner, fold=result.fold,
             score=unit(result.score), seconds=result.seconds)  # fmt: skip
        if trial.state == "open" and len(trial.done()) >= board.plan.depth:
            trial.state = "complete"
            best = max(t.score(board.compared) for t in board.complete())
            emit("trial_finished", trial=trial.index, learner=trial.learner,
                 score=unit(trial.score(board.compared)), folds=len(trial.done()),
                 best_score=unit(best), elapsed_s=board.budget.elapsed(),
                 remaining_s=board.budget.remaining())  # fmt: skip


def _finished_folds(journal: Journal) -> Mapping[tuple[str, int], Result]:
    names = Result.__dataclass_fields__
    return {
        (r["key"], r["fold"]): Result(**{n: r[n] for n in names if n in r})
        for r in journal.records
        if r.get("kind") == "fold" and r.get("score") is not None
    }
