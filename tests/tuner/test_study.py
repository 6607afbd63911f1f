"""The sampler "auto" of a `Study`: known starts, a model of the space, early ends."""

from __future__ import annotations

from math import log10

import pytest

from autoglm.core.space import Choice, Float, Int, Params
from autoglm.tuner.samplers import inside
from autoglm.tuner.study import Pruned, Study, Trial

SPACE = {
    "x": Float(-1.0, 1.0),
    "rate": Float(1e-4, 1.0, log=True),
    "n": Int(1, 64, log=True),
    "kind": Choice(("a", "b")),
}
SEEDS = range(5)


def value(params: Params) -> float:
    """A smooth peak of 0 at x = 0.3, rate = 0.01, n = 8, kind = b."""
    away = (params["x"] - 0.3) ** 2 + 0.3 * (log10(params["rate"]) + 2) ** 2
    return -(away + 0.5 * log10(params["n"] / 8) ** 2 + 0.3 * (params["kind"] == "a"))


def in_steps(trial: Trial) -> float:
    """Tell the value a little too low first, as a fit on a part of the data would."""
    for missing in (0.2, 0.1):
        trial.report(value(trial.params) - missing)
        if trial.should_prune():
            raise Pruned
    return value(trial.params)


def test_auto_finds_a_better_optimum_than_random_in_as_many_trials() -> None:
    best = {}
    for sampler in ("auto", "random"):
        studies = [Study(SPACE, sampler, seed=seed) for seed in SEEDS]  # type: ignore[arg-type]
        for study in studies:
            study.optimize(lambda t: value(t.params), n_trials=20)
        best[sampler] = [float(study.best.value or 0.0) for study in studies]
    assert sum(best["auto"]) > sum(best["random"])
    better = sum(ours > other for ours, other in zip(best["auto"], best["random"], strict=True))
    assert better >= 4, best


def test_auto_repeats_with_the_seed_early_ends_included() -> None:
    studies = [Study(SPACE, "auto", seed=seed) for seed in (3, 3, 4)]
    for study in studies:
        study.optimize(in_steps, n_trials=18)
    told = [[(t.params, t.state, t.reports) for t in study.trials] for study in studies]
    assert told[0] == told[1] != told[2]
    assert all(inside(t.params, SPACE) for study in studies for t in study.trials)
    assert {t.state for t in studies[0].trials} == {"complete", "pruned"}


def test_a_trial_that_trails_is_given_up_and_a_better_one_is_not() -> None:
    study = Study(SPACE, "auto")
    good, bad = {"x": 0.3, "rate": 0.01, "n": 8, "kind": "b"}, {"x": -1.0, "rate": 1.0, "n": 64}
    study.first = [good] * 6 + [bad | {"kind": "a"}, good]
    study.optimize(in_steps, n_trials=8)
    assert [t.state for t in study.trials] == ["complete"] * 6 + ["pruned", "complete"]


@pytest.mark.parametrize("seed", SEEDS)
def test_known_configurations_come_first_and_may_lie_outside(seed: int) -> None:
    # The range ends before it: learners' defaults are not always in their own space.
    known: Params = {"x": 0.3, "rate": 0.01, "n": 200, "kind": "b", "beyond": True}
    study = Study(SPACE, "auto", seed=seed, first=[known])
    study.optimize(lambda t: value(t.params), n_trials=12)
    assert study.trials[0].params == known
    assert all(inside(t.params, SPACE) for t in study.trials[1:])
    assert study.best.value >= study.trials[0].value  # type: ignore[operator]
