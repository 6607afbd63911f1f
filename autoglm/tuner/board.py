"""What a search knows at any moment: its trials, its bounds, and what is running."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from autoglm.core import hooks
from autoglm.core.budget import TimeBudget
from autoglm.core.space import Params
from autoglm.tuner.allowance import ANYTHING, Allowance
from autoglm.tuner.plan import Plan
from autoglm.tuner.samplers import SamplerName
from autoglm.tuner.scoring import Scorer
from autoglm.tuner.trials import Trial
from autoglm.tuner.workspace import Workspace
from autoglm.zoo.contract import Learner
from autoglm.zoo.costs import beside_lightgbm

#: Trials after the portfolio without a better one that end the search.
PATIENCE = 150
#: The learner whose time is the unit of cost, and those that fit a plan into the time given.
UNIT, ADAPTING = "lightgbm", frozenset({"mlp"})

StoppedBy = Literal["time", "trials", "patience", "interrupt"]
#: A trial and the fold of it to fit next.
Step = tuple[Trial, int]


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
    allowance
        What the contracts of the task allow one model, and what may be given up for what.
    order
        (learner, parameters) to try first, in order; None for the portfolio.
    open_trials
        How many trials may be open at a time when their number bounds the search; each choice
        knows the trials at least so many places before it.
    """

    seed: int = 0
    max_trials: int | None = None
    sampler: SamplerName = "auto"
    learners: tuple[str, ...] | None = None
    order: tuple[tuple[str, Params], ...] | None = None
    allowance: Allowance = ANYTHING
    open_trials: int = 2


@dataclass
class Board:
    """The state that policies decide by.

    Attributes
    ----------
    work, plan, options, budget
        The data, the division of the time, and the bounds.
    slots
        Fits at a time.
    learners
        The learners that may be tried, by name.
    scorer
        The task's utility.
    trials
        All trials, in order of starting.
    running
        The trial of each (configuration, fold) that was submitted and has not come back.
    """

    work: Workspace
    plan: Plan
    options: SearchOptions
    budget: TimeBudget
    slots: int
    learners: dict[str, Learner]
    scorer: Scorer
    trials: list[Trial] = field(default_factory=list)
    running: dict[tuple[str, int], Trial] = field(default_factory=dict)

    @property
    def compared(self) -> range:
        """The folds that configurations are compared on."""
        return range(self.plan.depth)

    @property
    def full(self) -> bool:
        """Whether there are as many trials as allowed."""
        limit = self.options.max_trials
        return limit is not None and len(self.trials) >= limit

    def open(self) -> list[Trial]:
        """Return the trials that are still being compared."""
        return [t for t in self.trials if t.state == "open"]

    def complete(self) -> list[Trial]:
        """Return the trials that have all the folds they are compared on."""
        return [t for t in self.trials if t.state == "complete"]

    def best(self) -> Trial | None:
        """Return the best complete trial."""
        return max(self.complete(), key=lambda t: t.score(self.compared), default=None)

    def stale(self) -> bool:
        """Return whether the last better trial lies more than `PATIENCE` trials back."""
        best = self.best()
        return best is not None and len(self.trials) - best.index > PATIENCE

    def expected_seconds(self, learner: str) -> float:
        """Return how long a fit of a learner takes, about: as its last one did, if it had one.

        A learner that has had none is judged by its usual time beside LightGBM's, as far as
        that is known; one that adapts to its time is taken at what is planned for a fit.
        """
        known = [t.seconds() for t in self.trials if t.learner == learner and t.results]
        if known:
            return known[-1]
        planned = self.plan.fit_seconds or 0.0
        unit = self.unit_seconds()
        if unit is None:
            return planned
        expected = unit * beside_lightgbm(learner, self.work.facts)
        return min(expected, max(planned, unit)) if learner in ADAPTING else expected

    def unit_seconds(self) -> float | None:
        """Return the time of the first LightGBM fit, or None before it."""
        return next((t.seconds() for t in self.trials if t.learner == UNIT and t.results), None)

    def start(self, learner: str, params: Params) -> Trial:
        """Add a trial."""
        trial = Trial(len(self.trials), learner, params, self.options.seed)
        if not self.learners[learner].seeded:
            trial.enough = 1
        self.trials.append(trial)
        return trial


def available_learners(only: tuple[str, ...] | None = None) -> dict[str, Learner]:
    """Return the registered learners by name, all or the named ones."""
    found = {one.name: one for group in hooks.manager().hook.autoglm_learners() for one in group}
    return {n: one for n, one in found.items() if only is None or n in only}
