"""What to try next: the portfolio first, then a sampler around the best learners."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence

import numpy as np

from autoglm.core.events import emit
from autoglm.core.space import Params
from autoglm.tuner.board import Board
from autoglm.tuner.portfolio import portfolio
from autoglm.tuner.samplers import Observation, grid_size, propose
from autoglm.tuner.trials import Trial, trial_key

#: Proposals that may repeat an earlier trial before the space counts as used up.
MOST_ATTEMPTS = 20
#: The sampler takes turns with so many of the best learners.
LEARNERS_SEARCHED = 2


class Proposals:
    """Proposes configurations for one search."""

    def __init__(self, board: Board) -> None:
        self.board = board
        order = board.options.order
        if order is None:
            order = tuple(portfolio(board.learners, board.work.facts))
        self._portfolio = deque(order)
        self._put_off: deque[tuple[str, Params]] = deque()

    @property
    def from_portfolio(self) -> bool:
        """Whether the portfolio is not used up yet."""
        return bool(self._portfolio or self._put_off)

    def next(
        self,
        closed: Sequence[Trial],
        affordable: Callable[[str], bool],
        cheap: Callable[[str], bool] = lambda _: True,
    ) -> Trial | None:
        """Add a trial to the board; None when there is nothing more to try.

        Parameters
        ----------
        closed
            The trials that the choice may depend on.
        affordable
            Whether another trial of a learner is likely to end in time.
        cheap
            Whether its turn in the portfolio has come; what is not cheap waits for the end.
        """
        self._put_off_the_dear(cheap)
        seen = {t.key for t in self.board.trials}
        for attempt in range(MOST_ATTEMPTS):
            proposal = self.board.options.allowance.again(closed, seen)
            if proposal is None or not affordable(proposal[0]):
                proposal = self._proposal(closed, affordable, attempt)
            if proposal is None:
                return None
            learner, params = proposal
            if trial_key(learner, params, self.board.options.seed) not in seen:
                trial = self.board.start(learner, params)
                emit("trial_started", trial=trial.index, learner=learner, params=params)
                return trial
        return None  # a space so small that all of it was tried

    def _put_off_the_dear(self, cheap: Callable[[str], bool]) -> None:
        """Move what is not cheap from the head of the portfolio behind all the rest."""
        while self._portfolio and not cheap(self._portfolio[0][0]):
            self._put_off.append(self._portfolio.popleft())
        if not self._portfolio:
            self._portfolio, self._put_off = self._put_off, self._portfolio

    def _proposal(
        self, closed: Sequence[Trial], affordable: Callable[[str], bool], attempt: int
    ) -> tuple[str, Params] | None:
        while self._portfolio:
            learner, params = self._portfolio.popleft()
            shaped = self.board.options.allowance.shaped(learner, params, closed)
            if shaped is not None and affordable(learner) and not _fails(learner, closed):
                return learner, shaped
        return self._sampled(closed, affordable, attempt)

    def _sampled(
        self, closed: Sequence[Trial], affordable: Callable[[str], bool], attempt: int
    ) -> tuple[str, Params] | None:
        """Sample around the best learners in turn."""
        board = self.board
        drawn = Counter(t.learner for t in board.trials)
        allowance = board.options.allowance
        ranked = [
            n for n in self._ranked(closed)
            if not _fails(n, closed) and self._has_more(n, drawn[n] + attempt)
            and allowance.shaped(n, {}, closed) is not None
        ]  # fmt: skip
        # What is left of the time does not go to learners that only recommend themselves by haste.
        able = [n for n in ranked[:LEARNERS_SEARCHED] if affordable(n)]
        if not able:
            return None
        learner = able[(len(board.trials) + attempt) % len(able)]
        past = self._observations(learner, closed)
        space = board.learners[learner].space(board.work.facts)
        sampler, seed = board.options.sampler, board.options.seed
        params = propose(sampler, space, past, number=drawn[learner] + attempt, seed=seed)
        return learner, allowance.shaped(learner, params, closed) or params

    def _observations(self, learner: str, closed: Sequence[Trial]) -> list[Observation]:
        """Return what the sampler may learn from.

        A trial that was given up counts too, at what it would have ended with if it had gone on
        like the complete ones did: nearly all are given up once a good one is found.
        """
        board, allowance = self.board, self.board.options.allowance
        complete = [t for t in closed if t.state == "complete"]
        rises = {"complete": 0.0, "pruned": 0.0}
        if complete and allowance.prefer is None:
            steps = [t.score(board.compared) - t.score(range(1)) for t in complete]
            rises["pruned"] = float(np.mean(steps))
        return [
            Observation(t.params, allowance.worth(t, complete, board.compared) + rises[t.state])
            for t in closed
            if t.learner == learner and t.state in rises and t.done()
        ]

    def _ranked(self, closed: Sequence[Trial]) -> list[str]:
        """Return the learners that have something to choose, the best so far first.

        While nothing is closed, those that were tried, in order of trial.
        """
        best: dict[str, float] = {}
        complete = [t for t in closed if t.state == "complete"]
        for t in complete or self.board.trials:
            if self.board.learners[t.learner].space(self.board.work.facts):
                worth = -float(t.index)
                if complete:
                    allowance = self.board.options.allowance
                    worth = allowance.worth(t, complete, self.board.compared)
                best[t.learner] = max(best.get(t.learner, -np.inf), worth)
        return sorted(best, key=lambda n: -best[n])

    def _has_more(self, learner: str, number: int) -> bool:
        """Return whether the sampler can still propose: a grid comes to an end."""
        space = self.board.learners[learner].space(self.board.work.facts)
        return self.board.options.sampler != "grid" or number < grid_size(space)


def _fails(learner: str, closed: Sequence[Trial]) -> bool:
    return sum(t.learner == learner and t.state == "failed" for t in closed) >= 2
