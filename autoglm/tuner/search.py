"""The search: tries configurations on folds until the time or the trials are used up.

Every decision (what to try next, whether to go on with a trial) depends only on trials with an
index at least `LAG` smaller, which must be closed by then; so the order in which workers
finish changes nothing, and with a fixed number of trials the outcome is a function of the
data and the seed. Every finished fold is in the journal before it counts. A resumed run walks
the same path and takes finished folds from the journal instead of fitting them again.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from autoglm.core import hooks
from autoglm.core.budget import TimeBudget
from autoglm.core.errors import StorageError
from autoglm.core.events import emit
from autoglm.core.journal import Journal
from autoglm.core.space import Params
from autoglm.tuner.ensemble import select
from autoglm.tuner.executor import Executor, Job, Result
from autoglm.tuner.plan import Plan
from autoglm.tuner.portfolio import portfolio
from autoglm.tuner.samplers import Observation, SamplerName, grid_size, propose
from autoglm.tuner.scoring import Scorer
from autoglm.tuner.trials import Trial, out_of_fold, trial_key
from autoglm.tuner.workspace import Workspace
from autoglm.zoo.contract import Learner

LAG = 2
#: A trial more than this many standard errors behind after one fold is given up.
PRUNE_SE = 2.0
#: ... unless a blend with the best one is better by this many standard errors.
BLEND_GAIN_SE = 0.25
#: Trials after the portfolio without a better one that end the search.
PATIENCE = 60
#: Proposals that may repeat an earlier trial before the space counts as used up.
MOST_ATTEMPTS = 20
NO_LIMIT_S = 1e8
#: So many of the best trials get all folds when time is left over.
RUNNERS_UP = 6

StoppedBy = Literal["time", "trials", "patience", "interrupt"]


@dataclass(frozen=True)
class SearchOptions:
    """What bounds and steers a search.

    Attributes
    ----------
    seed
        Seed of folds, learners and samplers.
    max_trials
        Trials in all, or None.
    sampler
        How configurations are proposed after the portfolio.
    learners
        Names of the only learners to use, or None for all.
    """

    seed: int = 0
    max_trials: int | None = None
    sampler: SamplerName = "tpe"
    learners: tuple[str, ...] | None = None


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


def available_learners(only: Sequence[str] | None = None) -> dict[str, Learner]:
    """Return the registered learners by name, all or the named ones."""
    found = {one.name: one for group in hooks.manager().hook.autoglm_learners() for one in group}
    return {n: one for n, one in found.items() if only is None or n in only}


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
        self.work, self.journal, self.executor = work, journal, executor
        self.budget, self.plan, self.options = budget, plan, options
        self.learners = available_learners(options.learners)
        self.scorer = Scorer(work.metric)
        self.trials: list[Trial] = []
        self._portfolio = deque(portfolio(self.learners, work.facts))
        self._known = _finished_folds(journal)
        self._by_job: dict[tuple[str, int], Trial] = {}
        self._deepening: deque[tuple[Trial, int]] | None = None
        self._explore_until = _share_of(budget, plan.explore)
        self._stopped_by: StoppedBy | None = None

    def run(self) -> SearchOutcome:
        """Search until something ends it; Ctrl-C ends it too, with what there is."""
        try:
            while self._stopped_by is None:
                self._give_work()
                if self._stopped_by is None and not self.executor.busy:
                    self._stopped_by = self._why_nothing_is_left()
                elif self._stopped_by is None:
                    for result in self.executor.wait(self.budget.remaining()):
                        self._take(result)
                if self.budget.expired():
                    self._stopped_by = "time"
        except KeyboardInterrupt:
            self._stopped_by = "interrupt"
        return SearchOutcome(self.trials, self._stopped_by, self._compared())

    def _why_nothing_is_left(self) -> StoppedBy:
        if self.options.max_trials is not None and len(self.trials) >= self.options.max_trials:
            return "trials"
        if self.budget.limit_s is None or self._out_of_patience():
            return "patience"
        return "time"  # what could still be tried would not end in time

    # --- what to do next -----------------------------------------------------------------

    def _give_work(self) -> None:
        """Fill free slots; finished folds of an earlier run are taken on the way."""
        while self.executor.busy < self.executor.slots and not self.budget.expired():
            step = self._next()
            if step is None:
                return
            trial, fold = step
            trial.submitted.add(fold)
            known = self._known.get((trial.key, fold))
            if known is not None:
                self._count(trial, known)
                continue
            self._by_job[trial.key, fold] = trial
            seconds = self._time_for(trial, fold)
            self.executor.submit(
                Job(trial.key, fold, trial.learner, trial.params, trial.seed + fold, seconds)
            )

    def _next(self) -> tuple[Trial, int] | None:
        if self._deepening is None and self._exploring():
            step = self._next_to_explore()
            if step is not None or self._waiting():
                return step
        if self._waiting():
            return None  # the choice of what to deepen needs all that was tried
        if self._deepening is None:
            self._deepening = deque(self._choose_to_deepen())
        return self._next_to_deepen(self._deepening) or self._next_to_deepen(self._runners_up())

    def _next_to_deepen(self, queue: deque[tuple[Trial, int]]) -> tuple[Trial, int] | None:
        while queue:
            trial, fold = queue.popleft()
            if fold not in trial.submitted and self._fits(trial.seconds()):
                return trial, fold
        return None

    def _exploring(self) -> bool:
        limit = self.options.max_trials
        if limit is not None and len(self.trials) >= limit and not self._open():
            return False
        if self.budget.elapsed() >= self._explore_until:
            return False
        return not self._out_of_patience()

    def _open(self) -> list[Trial]:
        return [t for t in self.trials if t.state == "open"]

    def _waiting(self) -> bool:
        return bool(self._by_job)

    def _next_to_explore(self) -> tuple[Trial, int] | None:
        for trial in self._open():
            fold = self._next_fold(trial)
            if fold is not None:
                return trial, fold
        limit = self.options.max_trials
        full = limit is not None and len(self.trials) >= limit
        if full or len(self._open()) >= LAG or not self._closed_up_to(len(self.trials) - LAG):
            return None
        new = self._new_trial()
        return None if new is None else (new, 0)

    def _next_fold(self, trial: Trial) -> int | None:
        if 0 not in trial.submitted:
            return 0
        if 0 not in trial.results or not self._cleared(trial):
            return None
        missing = [f for f in range(self.plan.depth) if f not in trial.submitted]
        return missing[0] if missing else None

    def _closed_up_to(self, index: int) -> bool:
        return all(t.state != "open" for t in self.trials[: max(0, index + 1)])

    # --- proposals -----------------------------------------------------------------------

    def _new_trial(self) -> Trial | None:
        seen = {t.key for t in self.trials}
        for attempt in range(MOST_ATTEMPTS):
            proposal = self._proposal(attempt)
            if proposal is None:
                return None
            learner, params = proposal
            if trial_key(learner, params, self.options.seed) not in seen:
                trial = Trial(len(self.trials), learner, params, self.options.seed)
                self.trials.append(trial)
                emit("trial_started", trial=trial.index, learner=learner, params=params)
                return trial
        return None  # a space so small that all of it was tried

    def _proposal(self, attempt: int) -> tuple[str, Params] | None:
        while self._portfolio:
            learner, params = self._portfolio.popleft()
            if self._affordable(learner):
                return learner, params
        return self._searched_proposal(attempt)

    def _affordable(self, learner: str) -> bool:
        """Return whether another trial of the learner is likely to end in time."""
        closed = self.trials[: max(0, len(self.trials) - LAG + 1)]
        same = [t.seconds() for t in closed if t.learner == learner and t.scores()]
        if sum(t.learner == learner and t.state == "failed" for t in closed) >= 2:
            return False
        if not same:
            return True
        folds = self.plan.depth / min(self.plan.depth, self.executor.slots)
        return bool(same[-1] * folds < self._explore_until - self.budget.elapsed())

    def _searched_proposal(self, attempt: int) -> tuple[str, Params] | None:
        """Sample around the best two learners in turn."""
        closed = self.trials[: max(0, len(self.trials) - LAG + 1)]
        drawn = Counter(t.learner for t in self.trials)
        ranked = [n for n in self._ranked_learners(closed) if self._has_more(n, drawn[n] + attempt)]
        if not ranked:
            return None
        learner = ranked[(len(self.trials) + attempt) % min(2, len(ranked))]
        number = drawn[learner] + attempt
        past = [
            Observation(t.params, t.score(self._compared()))
            for t in closed
            if t.learner == learner and t.state == "complete"
        ]
        space = self.learners[learner].space(self.work.facts)
        params = propose(self.options.sampler, space, past, number=number, seed=self.options.seed)
        return learner, params

    def _ranked_learners(self, closed: Sequence[Trial]) -> list[str]:
        """Return the learners that have something to choose, the best so far first.

        While nothing is closed, those that were tried, in order of trial.
        """
        best: dict[str, float] = {}
        complete = [t for t in closed if t.state == "complete"]
        for t in complete or self.trials:
            if self.learners[t.learner].space(self.work.facts):
                score = t.score(self._compared()) if complete else -float(t.index)
                best[t.learner] = max(best.get(t.learner, -np.inf), score)
        names = sorted(best, key=lambda n: -best[n])
        return [n for n in names if self._affordable(n)]

    def _has_more(self, learner: str, number: int) -> bool:
        """Return whether the sampler can still propose: a grid comes to an end."""
        space = self.learners[learner].space(self.work.facts)
        return self.options.sampler != "grid" or number < grid_size(space)

    def _out_of_patience(self) -> bool:
        if self._portfolio or self.options.max_trials is not None:
            return False
        complete = [t for t in self.trials if t.state == "complete"]
        if not complete:
            return False
        best = max(complete, key=lambda t: t.score(self._compared()))
        return len(self.trials) - best.index > PATIENCE

    def _compared(self) -> range:
        """The folds that configurations are compared on."""
        return range(self.plan.depth)

    # --- pruning -------------------------------------------------------------------------

    def _cleared(self, trial: Trial) -> bool:
        """Decide, once it can be decided, whether a trial is worth its other folds."""
        if trial.cleared or self.plan.depth == 1:
            return True
        if not self._closed_up_to(trial.index - LAG):
            return False
        rivals = [t for t in self.trials[: max(0, trial.index - LAG + 1)] if t.state == "complete"]
        if rivals and self._hopeless(trial, rivals):
            trial.state = "pruned"
            return False
        trial.cleared = True
        return True

    def _hopeless(self, trial: Trial, rivals: Sequence[Trial]) -> bool:
        best = max(rivals, key=lambda t: t.score(self._compared()))
        first, rival = trial.score(range(1)), best.score(range(1))
        error = float(np.std(best.scores(self._compared()))) / np.sqrt(self.plan.depth)
        if first >= rival - PRUNE_SE * max(error, 1e-12):
            return False
        y = self.work.y[self.work.folds[0][1]]
        mine = self.work.out_of_fold(trial.key, 0)
        theirs = self.work.out_of_fold(best.key, 0)
        mixed = [self.scorer.utility(y, w * mine + (1 - w) * theirs) for w in (0.1, 0.3)]
        if max(mixed) > rival + BLEND_GAIN_SE * error:
            return False  # worse alone, but it would help the blend
        trial.reason = f"{rival - first:.4g} behind after one fold"
        emit("trial_pruned", trial=trial.index, learner=trial.learner,
             score=self.scorer.metric.to_utility(first), reason=trial.reason)  # fmt: skip
        return True

    # --- deepening -----------------------------------------------------------------------

    def _choose_to_deepen(self) -> list[tuple[Trial, int]]:
        """Return the missing folds of the trials that a blend would use, fold by fold."""
        done = [t for t in self.trials if t.state == "complete" and t.scores()]
        missing = range(self.plan.depth, self.plan.total_folds)
        if not done or not missing or self.budget.limit_s is None:
            return []
        chosen = choose_members(done, self.work, self.scorer)
        # What cannot finish one more fold each is left as it is.
        room = self.budget.remaining() * self.executor.slots
        rest = self.plan.n_folds - self.plan.depth or self.plan.n_folds
        kept: list[Trial] = []
        spent = 0.0
        for trial in chosen:
            spent += trial.seconds() * rest
            if kept and spent > 0.85 * room:
                break
            kept.append(trial)
        return [(t, f) for f in missing for t in kept]

    def _runners_up(self) -> deque[tuple[Trial, int]]:
        """Return the missing folds of the next best trials, for time that is left over."""
        if self.budget.limit_s is None:
            return deque()
        ranked = sorted(
            (t for t in self.trials if t.state == "complete" and t.learner != "constant"),
            key=lambda t: -t.score(self._compared()),
        )
        missing = range(self.plan.depth, self.plan.total_folds)
        return deque((t, f) for t in ranked[:RUNNERS_UP] for f in missing)

    def _fits(self, seconds: float) -> bool:
        return 1.15 * seconds < self.budget.remaining()

    # --- results -------------------------------------------------------------------------

    def _time_for(self, trial: Trial, fold: int) -> float:
        left = min(self.budget.remaining(), NO_LIMIT_S)
        if left == NO_LIMIT_S:
            return left
        if trial.results:
            return min(left, max(1.0, 2.5 * trial.seconds()))
        if self.plan.fit_seconds is None:
            return left
        return min(left, max(1.0, 3.0 * self.plan.fit_seconds))

    def _take(self, result: Result) -> None:
        """Acknowledge a result: into the journal first, then into the trial."""
        if result.code == StorageError.code:
            message, _, hint = result.error.partition("\n")
            raise StorageError(message, hint=hint)
        trial = self._by_job.pop((result.key, result.fold))
        self.journal.append({"kind": "fold", "trial": trial.index, "learner": trial.learner,
                             "params": trial.params, "at": time.time(),
                             "elapsed_s": self.budget.elapsed(), **asdict(result)})  # fmt: skip
        self._count(trial, result)

    def _count(self, trial: Trial, result: Result) -> None:
        trial.results[result.fold] = result
        if result.score is None:
            if trial.state == "open":
                trial.state, trial.reason = "failed", result.error
                emit("trial_failed", trial=trial.index, learner=trial.learner, error=result.error)
            return
        unit = self.scorer.metric.to_utility  # people see the metric's own unit
        emit("fold_finished", trial=trial.index, learner=trial.learner, fold=result.fold,
             score=unit(result.score), seconds=result.seconds)  # fmt: skip
        if trial.state == "open" and len(trial.done()) >= self.plan.depth:
            trial.state = "complete"
            scores = [t.score(self._compared()) for t in self.trials if t.state == "complete"]
            emit("trial_finished", trial=trial.index, learner=trial.learner,
                 score=unit(trial.score(self._compared())), folds=len(trial.done()),
                 best_score=unit(max(scores)), elapsed_s=self.budget.elapsed(),
                 remaining_s=self.budget.remaining())  # fmt: skip


def choose_members(trials: Sequence[Trial], work: Workspace, scorer: Scorer) -> list[Trial]:
    """Return the trials that a blend of those given would use, heaviest first."""
    predictions, rows = common_rows(trials, work)
    weights = select([p[rows] for p in predictions], work.y[rows], scorer)
    return [trials[i] for i in weights.members]


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


def _share_of(budget: TimeBudget, share: float) -> float:
    if budget.limit_s is None:
        return float("inf")
    start = budget.elapsed()
    return start + share * (budget.limit_s - start)


def _finished_folds(journal: Journal) -> Mapping[tuple[str, int], Result]:
    names = Result.__dataclass_fields__
    return {
        (r["key"], r["fold"]): Result(**{n: r[n] for n in names})
        for r in journal.records
        if r.get("kind") == "fold" and r.get("score") is not None
    }
