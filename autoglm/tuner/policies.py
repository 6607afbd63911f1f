"""Who decides what a free slot does next.

`Steady` decides by trials alone, `Anytime` also by the clock. A search that is bounded by a
number of trials is steady: every choice depends only on trials with an index at least
`SearchOptions.open_trials` smaller, which must be closed by then; so neither the order in which
workers finish nor their number changes anything, and the outcome is a function of the data and
the seed. A search that is bounded by time never lets a slot wait for another one, and starts
nothing that would not end in time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from autoglm.tuner.board import Board, Step
from autoglm.tuner.members import choose_members
from autoglm.tuner.proposals import Proposals
from autoglm.tuner.racing import cleared
from autoglm.tuner.refit import SLOWER
from autoglm.tuner.trials import Trial

#: What is started must be expected to end in this share of the time left.
MARGIN = 0.87
#: A step of the portfolio waits while others are cheaper, when a fit would take more than this
#: share of the time left of all slots, and more than so many times LightGBM's first.
THRIFT, USUAL = 0.06, 1.25
#: So many of the best trials get all folds when time is left over.
RUNNERS_UP = 6
#: Share of the room for more folds that the chosen may take together.
ROOM = 0.85


class Policy(Protocol):
    """Decides what to do next."""

    def next(self) -> Step | None:
        """Return the next trial and fold to fit; None when nothing can be begun now."""
        ...


class Steady:
    """Decides by trials alone."""

    def __init__(self, board: Board) -> None:
        self.board, self.proposals = board, Proposals(board)
        self._lag = board.options.open_trials

    def next(self) -> Step | None:
        """Return a fold of an open trial, or a new trial's first."""
        for trial in self.board.open():
            fold = self._next_fold(trial)
            if fold is not None:
                return trial, fold
        board = self.board
        if board.full or len(board.open()) >= self._lag:
            return None
        if not self._closed_up_to(len(board.trials) - self._lag) or self._out_of_patience():
            return None
        closed = board.trials[: max(0, len(board.trials) - self._lag + 1)]
        new = self.proposals.next(closed, lambda _: True)
        return None if new is None else (new, 0)

    def _next_fold(self, trial: Trial) -> int | None:
        if 0 not in trial.submitted:
            return 0
        if 0 not in trial.results or not self._closed_up_to(trial.index - self._lag):
            return None
        earlier = self.board.trials[: max(0, trial.index - self._lag + 1)]
        if not cleared(trial, [t for t in earlier if t.state == "complete"], self.board):
            return None
        return next((f for f in self.board.compared if f not in trial.submitted), None)

    def _closed_up_to(self, index: int) -> bool:
        return all(t.state != "open" for t in self.board.trials[: max(0, index + 1)])

    def _out_of_patience(self) -> bool:
        bounded = self.board.options.max_trials is not None
        return not bounded and not self.proposals.from_portfolio and self.board.stale()


class Anytime:
    """Decides by the clock as well: compares configurations, then gives the best more folds."""

    def __init__(self, board: Board) -> None:
        self.board, self.proposals = board, Proposals(board)
        limit = board.budget.limit_s
        start = board.budget.elapsed()
        share = board.plan.explore
        self._explore_until = start + share * ((limit if limit is not None else start) - start)
        self._queue: deque[Step] = deque()
        self._chosen_from = -1

    def next(self) -> Step | None:
        """Return a fold of an open trial, a new trial's first, or one more of the best."""
        for trial in self.board.open():
            fold = self._next_fold(trial)
            if fold is not None and self._ends_in_time(trial.seconds()):
                return trial, fold
        if self.board.budget.elapsed() < self._explore_until:
            return self._something_new() or self._next_to_deepen()
        return self._next_to_deepen() or self._something_new()

    def _next_fold(self, trial: Trial) -> int | None:
        if 0 not in trial.submitted:
            return 0
        if 0 not in trial.results or not cleared(trial, self.board.complete(), self.board):
            return None
        return next((f for f in self.board.compared if f not in trial.submitted), None)

    def _something_new(self) -> Step | None:
        board = self.board
        if board.full or (not self.proposals.from_portfolio and board.stale()):
            return None
        new = self.proposals.next(board.trials, self._affordable, self._cheap)
        return None if new is None else (new, 0)

    def _ends_in_time(self, seconds: float) -> bool:
        return seconds < MARGIN * self.board.budget.remaining()

    def _affordable(self, learner: str) -> bool:
        """Return whether all compared folds of a trial are likely to end in time."""
        turns = max(1.0, self.board.plan.depth / self.board.slots)
        return self._ends_in_time(self.board.expected_seconds(learner) * turns)

    def _cheap(self, learner: str) -> bool:
        """Return whether a fit takes little of the time left, or about the usual time."""
        unit = self.board.unit_seconds()
        if unit is None:
            return True
        share = THRIFT * self.board.budget.remaining() * self.board.slots
        return self.board.expected_seconds(learner) <= max(share, USUAL * unit)

    # --- more folds for the best ------------------------------------------------------------

    def _next_to_deepen(self) -> Step | None:
        complete = [t for t in self.board.complete() if t.learner != "constant"]
        if not complete or not (self._more_folds() or self.board.plan.whole):
            return None
        if len(complete) != self._chosen_from:
            # Who is best is seen anew whenever another trial is complete.
            self._queue = deque(self._chosen(complete) + self._runners_up(complete))
            self._chosen_from = len(complete)
        while self._queue:
            trial, fold = self._queue.popleft()
            seconds = trial.seconds() * (SLOWER if fold < 0 else 1.0)
            if fold not in trial.submitted and self._ends_in_time(seconds):
                return trial, fold
        return None

    def _more_folds(self) -> range:
        return range(self.board.plan.depth, self.board.plan.total_folds)

    def _chosen(self, complete: Sequence[Trial]) -> list[Step]:
        """Return the missing fits of the trials that a blend would use, one of each at a time.

        First the folds of one cross-validation, then fits on all rows, then more folds.
        """
        board, plan = self.board, self.board.plan
        room = ROOM * board.budget.remaining() * board.slots
        once = [f for f in self._more_folds() if f < plan.n_folds]
        again = [f for f in self._more_folds() if f >= plan.n_folds]
        kept: list[Trial] = []
        for trial in choose_members(complete, board.work, board.scorer):
            missing = [f for f in (*once, *self._whole(trial)) if f not in trial.submitted]
            if not plan.whole and not once:
                missing = [f for f in again if f not in trial.submitted]
            room -= trial.seconds() * sum(SLOWER if f < 0 else 1.0 for f in missing)
            if kept and room < 0:
                break
            kept.append(trial)
        steps = [(t, f) for f in once for t in kept]
        steps += [(t, -n) for n in range(1, plan.whole + 1) for t in kept if -n in self._whole(t)]
        return steps + [(t, f) for f in again for t in kept]

    def _whole(self, trial: Trial) -> range:
        """Return the numbers of a trial's fits on all rows; one where seeds change nothing."""
        most = self.board.plan.whole
        return range(-1, -1 - (most if trial.enough > 1 else min(1, most)), -1)

    def _runners_up(self, complete: Sequence[Trial]) -> list[Step]:
        """Return the missing folds of the next best trials, for time that is left over."""
        ranked = sorted(complete, key=lambda t: -t.score(self.board.compared))
        return [(t, f) for t in ranked[:RUNNERS_UP] for f in self._more_folds()]
