"""The order of trying that similar past runs suggest.

Configurations that won in similar runs come first, and the portfolio is sorted by what is
expected of each step, its place in the portfolio counting as the prior. Weights of runs fall
with their distance, weights of trials with how unlike the configuration is.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autoglm.core.space import Choice, Float, Int, Params, Space
from autoglm.core.text import say
from autoglm.task._store import PastRun, PastTrial, RunStore, TaskFeatures, hashed
from autoglm.tuner._gp import place_of
from autoglm.tuner.portfolio import Step
from autoglm.zoo.contract import Facts, Learner

__all__ = ["Advice", "advise", "distance"]

#: Similar runs that are listened to, and how far they may be.
NEAREST, FARTHEST = 5, 1.3
#: Distance at which a run's word counts for less than half.
BANDWIDTH = 0.7
#: Distance of two configurations, per parameter, at which one says little about the other.
ALIKE = 0.2
#: Weight of the portfolio's own order, in runs like this one.
PRIOR = 1.5
#: How much less is expected of the last step of the portfolio than of the first.
PRIOR_FALL = 0.6
#: Past winners that are put first, and how good one must have been.
WINNERS, WINNING = 4, 0.6
#: Steps that begin the portfolio and take so much less time than a winner stay before it.
CHEAP_STEPS, CHEAP = 3, 0.15
#: A weight in the ensemble that counts as much as being the best.
FULL_WEIGHT = 0.25
#: A past winner may take this share of the time, all folds together.
MOST_OF_TIME = 0.25

_Near = Sequence[tuple[float, PastRun]]


@dataclass(frozen=True)
class Advice:
    """An order of trying things, and why.

    Attributes
    ----------
    steps
        (learner, parameters) in order.
    reasons
        A sentence for each of the first steps that stands where it does for a reason.
    used
        Numbers of the past runs that were listened to.
    """

    steps: tuple[Step, ...]
    reasons: tuple[str, ...] = ()
    used: tuple[int, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Return it as a record of a run's journal."""
        return {"kind": "order", "steps": self.steps, "reasons": self.reasons, "used": self.used}

    @classmethod
    def from_records(cls, records: Iterable[Mapping[str, Any]]) -> Advice | None:
        """Return the advice in a journal, or None when the run had none."""
        for record in records:
            if record["kind"] == "order":
                steps = tuple((name, params) for name, params in record["steps"])
                return cls(steps, tuple(record["reasons"]), tuple(record["used"]))
        return None


def advise(
    store: RunStore | None,
    features: TaskFeatures,
    names: Sequence[str],
    steps: Sequence[Step],
    learners: Mapping[str, Learner],
    facts: Facts,
    seconds: float | None,
) -> Advice:
    """Return the steps in the order that similar past runs suggest.

    Parameters
    ----------
    store
        Where past runs are; None for no advice.
    features, names
        The task, and the names of its columns.
    steps
        The portfolio. Its first step keeps its place: it costs nothing, and is what the
        others are compared with.
    learners, facts
        The learners that may be used, by name, and what they know of the task.
    seconds
        Seconds of all workers together; None without a limit.
    """
    near = _nearest(store, features, names) if store else []
    if not near or not steps:
        return Advice(tuple(steps))
    spaces = {n: one.space(facts) for n, one in learners.items() if one.can(facts)}
    known = {n: {*spaces[n], *(k for p in learners[n].defaults(facts) for k in p)} for n in spaces}
    winners = _winners(near, known, spaces, features.rows, seconds)
    cheap = _cheap(steps, near, winners)
    lead, rest = list(steps[:cheap]), list(steps[cheap:])
    ranked = _ranked(rest, near, spaces)
    reasons = [_why_winner(step, near, spaces) for step in winners]
    for place, step in enumerate(ranked[:5]):
        if rest.index(step) > place and step not in winners:
            reasons += _why_moved(step, near, spaces)
    order: list[Step] = []
    for step in [*lead, *winners, *ranked]:
        if step not in order:
            order.append(step)
    return Advice(tuple(order), tuple(reasons), tuple(run.number for _, run in near))


def distance(one: TaskFeatures, other: TaskFeatures) -> float:
    """Return how different two tasks are; 0 for tasks alike, infinite for other kinds."""
    if one.kind != other.kind:
        return math.inf
    parts = [
        math.log10(one.rows / other.rows),
        math.log10(one.columns / other.columns) / 0.7,
        (one.categories - other.categories) / 0.6,
        (one.texts - other.texts) / 0.5,
        (one.missing - other.missing) / 0.4,
        (one.imbalance - other.imbalance) / 0.5,
        math.log2(one.classes / other.classes) / 2.5,
        0.3 * (one.metric != other.metric),
        0.2 * len(set(one.wishes) ^ set(other.wishes)),
        0.5 * (1 - _overlap(one.names, other.names)),
    ]
    return math.sqrt(sum(p * p for p in parts))


def _overlap(one: Sequence[str], other: Sequence[str]) -> float:
    union = set(one) | set(other)
    return len(set(one) & set(other)) / len(union) if union else 0.0


def _nearest(
    store: RunStore, features: TaskFeatures, names: Sequence[str]
) -> list[tuple[float, PastRun]]:
    """Return (weight, run) of the most similar past runs with their trials, nearest first."""
    past = store.runs(features.kind)
    if not past:
        return []
    features = replace(features, names=hashed(tuple(names), store.salt()))
    found = [(distance(features, run.features), run) for run in past]
    # The newest first where tasks are equally far: learners change.
    found.sort(key=lambda pair: (pair[0], -pair[1].number))
    near = [
        (math.exp(-((far / BANDWIDTH) ** 2)),
         replace(run, trials=store.trials(run.number)))
        for far, run in found[:NEAREST]
        if far < FARTHEST
    ]  # fmt: skip
    return [(weight, run) for weight, run in near if run.trials]


def _worth(trial: PastTrial) -> float:
    """Return how useful a configuration was, 0..1: alone, or in the ensemble."""
    return max(trial.relative, min(1.0, trial.weight / FULL_WEIGHT))


def _winners(
    near: _Near,
    known: Mapping[str, Collection[str]],
    spaces: Mapping[str, Space],
    rows: int,
    seconds: float | None,
) -> list[Step]:
    """Return configurations that won in similar runs, each unlike the others, the best first.

    `known` are the names of the parameters of each learner that may be used: a past run may be
    of another version.
    """
    votes: list[tuple[float, Step]] = []
    for weight, run in near:
        for trial in run.trials:
            if not spaces.get(trial.learner) or weight * _worth(trial) < WINNING:
                continue  # nothing to choose means that the portfolio has it as it is
            if not set(trial.params) <= set(known[trial.learner]):
                continue
            expected = trial.seconds * max(1.0, rows / run.features.rows)
            if seconds is not None and 5 * expected > MOST_OF_TIME * seconds:
                continue
            votes.append((weight * _worth(trial), (trial.learner, dict(trial.params))))
    chosen: list[Step] = []
    for _, (learner, params) in sorted(votes, key=lambda vote: -vote[0]):
        alike = [p for n, p in chosen if n == learner]
        if all(_unlikeness(params, p, spaces[learner]) > ALIKE for p in alike):
            chosen.append((learner, params))
    return chosen[:WINNERS]


def _cheap(steps: Sequence[Step], near: _Near, winners: Sequence[Step]) -> int:
    """Return how many of the first steps stay first, as they cost next to nothing."""
    spent: dict[str, float] = {}
    for _, run in near:
        for trial in run.trials:
            spent[trial.learner] = min(spent.get(trial.learner, math.inf), trial.seconds)
    least = min((spent[name] for name, _ in winners), default=0.0)
    for count, (name, _) in enumerate(steps[1:CHEAP_STEPS], 1):
        if spent.get(name, math.inf) > CHEAP * least:
            return count
    return min(CHEAP_STEPS, len(steps))


def _ranked(steps: Sequence[Step], near: _Near, spaces: Mapping[str, Space]) -> list[Step]:
    """Return steps by what is expected of them, those of equal worth in their order."""
    worth = []
    for place, (learner, params) in enumerate(steps):
        prior = 1 - PRIOR_FALL * place / max(1, len(steps) - 1)
        total, mass = PRIOR * prior, PRIOR
        for weight, value in _evidence(learner, params, near, spaces):
            total, mass = total + weight * value, mass + weight
        worth.append(total / mass)
    order = sorted(range(len(steps)), key=lambda i: (-worth[i], i))
    return [steps[i] for i in order]


def _evidence(
    learner: str, params: Params, near: _Near, spaces: Mapping[str, Space]
) -> list[tuple[float, float]]:
    """Return (weight, worth) of the past trial of each run that is most like a step."""
    found = []
    for weight, run in near:
        same = [t for t in run.trials if t.learner == learner]
        if not same:
            continue
        unlike = [_unlikeness(params, t.params, spaces.get(learner, {})) for t in same]
        best = int(np.argmin(unlike))
        found.append((weight * math.exp(-((unlike[best] / ALIKE) ** 2)), _worth(same[best])))
    return found


def _unlikeness(one: Params, other: Params, space: Space) -> float:
    """Return the mean difference of two configurations over all parameters, 0..1."""
    names = sorted(set(one) | set(other))
    if not names:
        return 0.0
    total = 0.0
    for name in names:
        first, second = one.get(name), other.get(name)
        dimension = space.get(name)
        if first == second:
            continue
        if dimension is None or isinstance(dimension, Choice):
            total += 1.0
        else:
            total += abs(_place(dimension, first) - _place(dimension, second))
    return total / len(names)


def _place(dimension: Float | Int, value: Any) -> float:
    """Return the place of a number in a range; one that is not given counts as the lowest."""
    number = float(value) if isinstance(value, int | float) else float(dimension.low)
    return place_of(dimension, min(max(number, dimension.low), dimension.high))


def _why_winner(step: Step, near: _Near, spaces: Mapping[str, Space]) -> str:
    learner, params = step
    count = sum(
        any(t.learner == learner and _worth(t) >= WINNING
            and _unlikeness(params, t.params, spaces[learner]) <= ALIKE for t in run.trials)
        for _, run in near
    )  # fmt: skip
    return say(
        en=f"{learner}: such a configuration did well in {count} of {len(near)} similar past runs",
        zh=f"{learner}:类似配置在 {len(near)} 次相似的历史运行中有 {count} 次表现良好",
    )


def _why_moved(step: Step, near: _Near, spaces: Mapping[str, Space]) -> list[str]:
    """Return why a step comes earlier than usual; nothing when others only fell behind it."""
    found = _evidence(*step, near, spaces)
    mass = sum(w for w, _ in found)
    mean = sum(w * v for w, v in found) / max(mass, 1e-12)
    if mass < 0.2 or mean < 0.5:
        return []
    return [
        say(
            en=f"{step[0]}: earlier than usual, worth {mean:.2f} of 1 in similar past runs",
            zh=f"{step[0]}:比通常更早,在相似的历史运行中价值 {mean:.2f}(满分 1)",
        )
    ]
