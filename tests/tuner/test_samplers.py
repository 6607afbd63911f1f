"""Every sampler keeps the same contract, and finds what it should."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autoglm.core.errors import ConfigError
from autoglm.core.space import Choice, Float, Int, Params
from autoglm.tuner.samplers import SAMPLERS, Observation, SamplerName, grid_size, propose
from autoglm.tuner.study import Pruned, Study, Trial

SPACE = {"x": Float(-1.0, 1.0), "n": Int(1, 64, log=True), "kind": Choice(("a", "b"))}


def value(params: Params) -> float:
    """A smooth peak at x = 0.3, n = 8, kind = b."""
    n = abs(float(params["n"]) - 8) / 64
    return -((params["x"] - 0.3) ** 2) - n + (0.5 if params["kind"] == "b" else 0.0)


@pytest.mark.parametrize("name", SAMPLERS)
def test_proposals_lie_in_the_space_and_repeat_with_the_seed(name: SamplerName) -> None:
    past: list[Observation] = []
    for number in range(12):
        params = propose(name, SPACE, past, number=number, seed=3)
        assert params == propose(name, SPACE, past, number=number, seed=3)
        assert -1 <= params["x"] <= 1
        assert 1 <= params["n"] <= 64
        assert params["kind"] in ("a", "b")
        past.append(Observation(params, value(params)))


@pytest.mark.parametrize("name", ["tpe", "gp", "auto"])
def test_bayesian_samplers_beat_random(name: SamplerName) -> None:
    def best(sampler: SamplerName, seed: int) -> float:
        past: list[Observation] = []
        for number in range(25):
            params = propose(sampler, SPACE, past, number=number, seed=seed)
            past.append(Observation(params, value(params)))
        return max(o.value for o in past)

    ours = sum(best(name, seed) for seed in range(4))
    assert ours > sum(best("random", seed) for seed in range(4))


@pytest.mark.parametrize("name", SAMPLERS)
def test_values_that_are_not_finite_teach_nothing(name: SamplerName) -> None:
    known = [
        Observation(params, value(params))
        for params in (propose("random", SPACE, [], number=i, seed=1) for i in range(8))
    ]
    broken = [Observation(known[i].params, bad) for i, bad in enumerate((np.nan, np.inf, -np.inf))]
    with np.errstate(invalid="raise"):
        among = propose(name, SPACE, [*broken, *known], number=9, seed=1)
    assert among == propose(name, SPACE, known, number=9, seed=1)


def test_grid_visits_every_point_once() -> None:
    size = grid_size(SPACE)
    points = [propose("grid", SPACE, [], number=i, seed=1) for i in range(size)]
    assert len({tuple(p.items()) for p in points}) == size
    with pytest.raises(ConfigError):
        propose("grid", SPACE, [], number=size, seed=1)


def test_an_unknown_sampler_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        propose("magic", SPACE, [], number=0, seed=0)  # type: ignore[arg-type]
    assert "tpe" in caught.value.hint


def test_a_study_resumes_where_its_journal_ends(tmp_path: Path) -> None:
    path = tmp_path / "study.log"
    whole = Study(SPACE, seed=5)
    whole.optimize(lambda t: value(t.params), n_trials=12)
    first = Study(SPACE, seed=5, journal=path)
    first.optimize(lambda t: value(t.params), n_trials=7)
    first.close()
    second = Study(SPACE, seed=5, journal=path)
    assert len(second.trials) == 7
    second.optimize(lambda t: value(t.params), n_trials=12)
    second.close()
    assert [t.params for t in second.trials] == [t.params for t in whole.trials]
    assert second.best.params == whole.best.params


def test_pruned_and_failed_trials_do_not_count() -> None:
    def objective(trial: Trial) -> float:
        if trial.number % 3 == 2:
            raise ValueError("no")
        for _ in range(3):
            trial.report(value(trial.params))
            if trial.should_prune():
                raise Pruned
        return value(trial.params)

    study = Study(SPACE, sampler="random", seed=0)
    study.optimize(objective, n_trials=30, workers=2)
    states = {t.state for t in study.trials}
    assert states == {"complete", "pruned", "failed"}
    assert study.best.state == "complete"


def test_a_study_without_a_complete_trial_says_so() -> None:
    with pytest.raises(ConfigError):
        _ = Study(SPACE).best
