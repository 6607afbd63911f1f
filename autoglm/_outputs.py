"""The two outputs of a run, "best" and "fast", within the limits of the task.

"best" is the blend of fold bags, or under a preference the point of the frontier that is worth
most. "fast" has at most three members with one model each, fitted again on all rows when there
is time for it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from autoglm.core.budget import TimeBudget
from autoglm.core.spec import TaskSpec
from autoglm.tuner.allowance import SIZE_SHARE, Allowance
from autoglm.tuner.blend import DEFAULT_PREDICT_US, DEFAULT_SIZE_MB, Outcome, assemble
from autoglm.tuner.board import available_learners
from autoglm.tuner.executor import Executor
from autoglm.tuner.frontier import FAST, SAMPLE_ROWS, Point, pick, survey, weighed
from autoglm.tuner.library import choose_best, folds_kept
from autoglm.tuner.refit import Refits
from autoglm.tuner.trials import Trial
from autoglm.tuner.workspace import Workspace
from autoglm.zoo.contract import Facts

#: Megabytes of models that can be finished in a second, about.
MB_PER_SECOND = 3.0
#: Share of the size that the fast output may take, and the least size for two outputs.
FAST_SHARE, TWO_OUTPUTS_MB = 0.2, 1.0
#: Share of the size that may be kept for drawing the report.
TOLD_SHARE = 0.25
#: Bound on the prediction time of a row by the models of the fast output, microseconds; so
#: much again for every six classes.
FAST_PREDICT_US = 100.0
#: Shares of the time left that small blends, and fits on all rows, may take.
SURVEY_SHARE, REFIT_SHARE = 0.15, 0.5
#: Seconds that saving takes in any case.
SAVE_S = 0.25

#: What is limited of a point.
Kind = Literal["row_us", "size_mb"]


@dataclass(frozen=True)
class Room:
    """What the models of an output may take: microseconds for a row, and megabytes."""

    row_us: float
    size_mb: float


@dataclass(frozen=True)
class Outputs:
    """What was chosen, and what could have been.

    Attributes
    ----------
    best, fast
        The points chosen; the same one where there is room for one output only.
    points
        All that was weighed, both of them among it.
    """

    best: Point
    fast: Point
    points: tuple[Point, ...]

    def role(self, point: Point) -> str:
        """Return "best", "fast" or ""."""
        return "best" if point is self.best else "fast" if point is self.fast else ""

    def cheaper(
        self, kind: Kind, taken: float, wanted: float | None, held: Sequence[Kind] = ()
    ) -> Outputs | None:
        """Return outputs with the most accurate "best" that clearly takes less.

        Parameters
        ----------
        kind
            What it must take less of.
        taken, wanted
            What was measured, and what may be, in one unit.
        held
            What it must not take more of.

        Returns
        -------
        Outputs or None
            None when what was measured is good enough, or nothing takes less.
        """
        if wanted is None or taken <= wanted:
            return None
        now = self.best
        share = min(max(0.2, 0.9 * wanted / taken), 0.7)
        known = [p for p in self.points if all(getattr(p, h) <= getattr(now, h) for h in held)]
        for most in (share, 0.95):
            able = [p for p in known if getattr(p, kind) < most * getattr(now, kind)]
            if able:
                best = min(able, key=lambda p: p.loss)
                # "fast" is never the slower one.
                follows = self.one or self.fast.row_us >= best.row_us
                return replace(self, best=best, fast=best if follows else self.fast)
        return None

    @property
    def one(self) -> bool:
        """Whether both outputs are one."""
        return self.best is self.fast


def rooms(
    spec: TaskSpec, allowance: Allowance, facts: Facts, fixed_mb: float, budget: TimeBudget
) -> tuple[Room, Room]:
    """Return what the models may take: all of them, and those of "fast".

    Parameters
    ----------
    spec, allowance
        The task and what its contracts allow.
    facts
        Classes have trees of their own.
    fixed_mb
        What prepares rows and what is told of the run, which is part of the saved model.
    budget
        Large models take their time to be read, merged and written.
    """
    more = 1 + (facts.n_classes / 6 if facts.n_classes > 2 else 0.0)
    limit = DEFAULT_SIZE_MB if spec.size_mb.value is None else spec.size_mb.value
    # Predictions that the report is drawn from; where they find no room they are left out.
    told = 4e-6 * min(facts.n_rows, 20_000) * max(1, facts.n_classes)
    whole = SIZE_SHARE * limit - fixed_mb - min(told, TOLD_SHARE * limit)
    whole = max(0.3 * limit, whole)
    whole = min(whole, max(1.5, MB_PER_SECOND * budget.remaining()))
    small = FAST_SHARE * whole if whole >= TWO_OUTPUTS_MB else whole
    best = Room(min(more * DEFAULT_PREDICT_US, allowance.row_us), whole)
    return best, Room(min(more * FAST_PREDICT_US, allowance.row_us), small)


def choose_outputs(
    trials: Sequence[Trial],
    work: Workspace,
    allowance: Allowance,
    both: tuple[Room, Room],
    budget: TimeBudget,
) -> Outputs:
    """Choose both outputs.

    Parameters
    ----------
    trials
        Complete trials; at least one.
    work
        Their workspace.
    allowance
        The preference in it steers what is "best".
    both
        Room of all models, and of those of "fast".
    budget
        Small blends are looked for in a share of the time left.
    """
    wide, narrow = both
    mix, library = choose_best(trials, work, wide.row_us, wide.size_mb)
    thin = library.thinned(SAMPLE_ROWS)
    small = survey(thin, time.monotonic() + SURVEY_SHARE * budget.remaining())
    single = weighed([(m, (1,) * len(m.trials)) for m in small], thin, len(work.y))
    fast = pick(single, FAST, most_us=narrow.row_us, most_mb=narrow.size_mb)
    left = wide.size_mb - (fast.size_mb if narrow.size_mb < wide.size_mb else 0.0)
    kept = tuple(folds_kept(mix.trials, mix.weights, wide.row_us, left))
    choices = [(thin.blended(mix), kept), *((p.mix, p.folds) for p in single)]
    if allowance.prefer is not None:
        choices += [(m, tuple(len(t.models()) for t in m.trials)) for m in small]
    points = weighed(choices, thin, len(work.y))
    best = points[0]
    # Where every bag has one model both may be the same.
    fast = next((p for p in points if p.mix is fast.mix and p.folds == fast.folds), best)
    if allowance.prefer is not None:
        best = pick(points, allowance.prefer, most_us=wide.row_us, most_mb=left,
                    timed=allowance.timed)  # fmt: skip
    elif narrow.size_mb >= wide.size_mb:
        best = fast
    whole = {id(p): replace(p, mix=library.blended(p.mix)) for p in (best, fast)}
    points = [whole.get(id(p), p) for p in points]
    return Outputs(whole[id(best)], whole[id(fast)], tuple(points))


def fast_models(
    outputs: Outputs, executor: Executor, work: Workspace, budget: TimeBudget
) -> Refits:
    """Start to fit the members of "fast" again on all rows, as far as there is time."""
    seconds = None
    if budget.limit_s is not None:
        seconds = REFIT_SHARE * (budget.remaining() - SAVE_S)
    return Refits(outputs.fast.mix.trials, executor, work, seconds)


def built(point: Point, work: Workspace, seed: int, refits: Refits | None = None) -> Outcome:
    """Return a point as a finished blend, with the models that were fitted again."""
    refitted = refits.models(available_learners()) if refits is not None else None
    return assemble(point.mix, point.folds, work, seed=seed, refitted=refitted)
