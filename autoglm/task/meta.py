"""Learning from past runs: the most similar ones say what is tried first.

A run that finished leaves the features of its task and how its configurations did, relative
to each other, in a file of the user (setting `meta_store`). A new run looks for similar tasks
there, see `autoglm.task._advice`. An empty file changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from autoglm.core.config import Settings
from autoglm.core.events import emit
from autoglm.core.spec import TaskSpec
from autoglm.dataflow.profile import TableProfile
from autoglm.task._advice import Advice, advise
from autoglm.task._store import PastRun, PastTrial, RunStore, TaskFeatures, hashed
from autoglm.tuner.portfolio import portfolio
from autoglm.tuner.search import available_learners
from autoglm.tuner.workspace import Workspace
from autoglm.zoo.contract import Facts

__all__ = ["Advice", "RunContext", "describe", "keep", "open_store", "recall", "remember"]

#: Trials of a run that are kept.
KEPT_TRIALS = 60


@dataclass(frozen=True)
class RunContext:
    """What a run is, for the store.

    Attributes
    ----------
    spec, profile
        The task and the profile of its table.
    learners
        Names of the learners that may be tried, or None for all.
    time_limit_s, workers
        What the run has; no time limit when trials alone bound it.
    """

    spec: TaskSpec
    profile: TableProfile | None
    learners: tuple[str, ...] | None
    time_limit_s: float | None
    workers: int

    def names(self) -> tuple[str, ...]:
        """Return the names of the table's columns."""
        return tuple(self.profile.columns) if self.profile else ()

    def seconds(self) -> float | None:
        """Return the seconds of all workers together; None without a limit."""
        return None if self.time_limit_s is None else self.time_limit_s * max(1, self.workers)

    def store(self, settings: Settings) -> RunStore | None:
        """Return the store that this run listens to."""
        return open_store(settings, fixed_trials=self.time_limit_s is None)


def recall(work: Workspace, context: RunContext, settings: Settings) -> Advice:
    """Return what to try first in a run that is about to begin, and tell it.

    The advice belongs into the run's journal: a resumed run must go on in the same order,
    whatever other runs have been kept since.
    """
    learners = available_learners(context.learners)
    steps = portfolio(learners, work.facts)
    features = describe(context.spec, work.facts, context.profile, work.y)
    store = context.store(settings)
    advice = advise(
        store, features, context.names(), steps, learners, work.facts, context.seconds()
    )
    emit("order_chosen", first=[name for name, _ in advice.steps[:8]],
         past_runs=len(advice.used), reasons=list(advice.reasons))  # fmt: skip
    return advice


def keep(
    work: Workspace,
    context: RunContext,
    settings: Settings,
    trials: Sequence[Mapping[str, Any]],
    weights: Mapping[str, float],
) -> None:
    """Keep what a finished run has taught.

    Parameters
    ----------
    work, context, settings
        The run.
    trials
        Its leaderboard: "key", "learner", "params", "state", "score" (a utility), "fit_s",
        "folds".
    weights
        Weight in the final ensemble by key.
    """
    past = [
        PastTrial(t["learner"], t["params"], float(t["score"]), weights.get(t["key"], 0.0),
                  t["fit_s"] / max(1, t["folds"]))
        for t in trials
        if t["state"] == "complete" and t["score"] is not None and math.isfinite(t["score"])
    ]  # fmt: skip
    features = describe(context.spec, work.facts, context.profile, work.y)
    remember(open_store(settings), str(work.folder.resolve()), features, context, past)


def open_store(settings: Settings, *, fixed_trials: bool = False) -> RunStore | None:
    """Return the store that the settings name, or None when there is to be none.

    Parameters
    ----------
    settings
        `meta_store` is "on" for a file in the user's data folder, "off", or a file.
    fixed_trials
        Whether the run is bounded by its trials alone. Such a run is a function of data and
        seed, so only a store that was named is listened to.
    """
    wanted = settings.meta_store
    if wanted.lower() in ("off", "false"):
        return None
    if wanted.lower() not in ("on", "true"):
        return RunStore(Path(wanted).expanduser())
    return None if fixed_trials else RunStore(default_path())


def default_path() -> Path:
    """Return the file of the user, in the user's data folder."""
    return platformdirs.user_data_path("autoglm") / "past-runs.sqlite"


def describe(
    spec: TaskSpec, facts: Facts, profile: TableProfile | None, y: NDArray[Any]
) -> TaskFeatures:
    """Return what is remembered of a task.

    Parameters
    ----------
    spec, facts
        The task as asked for, and as learners know it.
    profile
        The table's profile; without it shares of kinds and gaps are taken as zero.
    y
        (n,) targets on the learners' scale.
    """
    found = profile.columns.values() if profile else ()
    columns = [c for c in found if c.name != spec.target.value]
    count = max(1, len(columns))
    wishes = {
        "latency": spec.latency_ms.value is not None,
        "size": spec.size_mb.value is not None,
        "interpretable": spec.interpretable.value,
        "fair": bool(spec.fair_to.value),
        "directions": bool(spec.increasing.value or spec.decreasing.value),
        "cost": spec.false_negative_cost.value is not None,
    }
    return TaskFeatures(
        kind=facts.task_type,
        metric=facts.metric,
        rows=facts.n_rows,
        columns=max(1, len(columns) or facts.n_features.get("tree", 1)),
        classes=facts.n_classes,
        categories=round(sum(c.kind == "category" for c in columns) / count, 4),
        texts=round(sum(c.kind == "text" for c in columns) / count, 4),
        missing=round(sum(c.missing_share for c in columns) / count, 4),
        imbalance=0.0 if facts.regression else round(_imbalance(y), 4),
        wishes=tuple(name for name, wanted in wishes.items() if wanted),
    )


def remember(
    store: RunStore | None,
    key: str,
    features: TaskFeatures,
    context: RunContext,
    trials: Sequence[PastTrial],
) -> None:
    """Keep a finished run.

    Parameters
    ----------
    store
        Where; None keeps nothing.
    key
        Tells the run from others; only a hash of it is kept.
    features, context
        The task and the run; of the names of its columns only salted hashes are kept.
    trials
        What was tried, with `relative` holding utilities, higher is better; they are made
        relative here.
    """
    if store is None or not trials:
        return
    best = max(t.relative for t in trials)
    middle = float(np.median([t.relative for t in trials]))
    span = max(2 * (best - middle), 1e-12)
    kept = sorted(trials, key=lambda t: -t.relative)[:KEPT_TRIALS]
    scaled = tuple(
        PastTrial(t.learner, t.params, float(np.clip(0.5 + (t.relative - middle) / span, 0, 1)),
                  t.weight, t.seconds)
        for t in kept
    )  # fmt: skip
    digest = hashed((key,), "run")[0]
    run = PastRun(digest, features, scaled, context.time_limit_s, context.workers)
    store.add(run, context.names())


def _imbalance(y: NDArray[Any]) -> float:
    shares = np.bincount(y.astype(np.int64)) / max(1, len(y))
    shares = shares[shares > 0]
    if len(shares) < 2:
        return 1.0
    return float(1 + (shares * np.log(shares)).sum() / np.log(len(shares)))
