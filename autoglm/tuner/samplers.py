"""Samplers: which configuration to try next. Optuna is the engine of "random" and "tpe".

A proposal depends only on the seed, its number and the finished trials it is given, so a
resumed run proposes what the undisturbed one would have.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from autoglm.core.errors import ConfigError
from autoglm.core.space import Choice, Float, Int, Params, Space
from autoglm.core.text import say
from autoglm.tuner._gp import propose_by_gp, random_params
from autoglm.tuner._nearby import propose_nearby

SamplerName = Literal["grid", "random", "tpe", "gp", "auto"]
SAMPLERS: tuple[SamplerName, ...] = ("grid", "random", "tpe", "gp", "auto")

GRID_POINTS = 3
START_UP_TRIALS = 6
#: "auto" mostly starts from configurations that are known to be good.
START_UP_AUTO = 3
#: "auto" draws one configuration in so many at random, whatever the model says.
EXPLORE_EVERY = 12


@dataclass(frozen=True)
class Observation:
    """A finished trial: its parameters and its value, higher is better."""

    params: Params
    value: float


def propose(
    sampler: SamplerName, space: Space, past: Sequence[Observation], *, number: int, seed: int
) -> Params:
    """Return the parameters of trial `number`.

    Parameters
    ----------
    sampler
        "grid": evenly spaced values, in an order shuffled by the seed; "random"; "tpe":
        tree-structured Parzen estimator (Bergstra et al., 2011), multivariate; "gp":
        Gaussian process with expected improvement; "auto": a Gaussian process that also looks
        near the best ones, and now and then draws a random one. In a `Study` it also starts from
        known good configurations and gives up trials that trail.
    space
        The dimensions.
    past
        Finished trials, in order. Those with parameters outside the space are left out ("auto"
        takes them for the nearest ones inside), and those with a value that is not finite.
    number
        0 for the first trial of this space.
    seed
        Seed of the whole search.

    Raises
    ------
    ConfigError
        When there is no such sampler, or the grid is used up.
    """
    if sampler == "grid":
        return _grid_point(space, number, seed)
    if sampler == "auto":
        past = [Observation(projected(one.params, space), one.value) for one in past]
    known = [one for one in past if inside(one.params, space) and np.isfinite(one.value)]
    if sampler in ("gp", "auto"):
        rng = np.random.default_rng((seed, number))
        auto = sampler == "auto"
        at_random = len(known) < (START_UP_AUTO if auto else START_UP_TRIALS)
        if at_random or (auto and number % EXPLORE_EVERY == 0):
            return random_params(space, rng)
        pairs = [(one.params, one.value) for one in known]
        return (propose_nearby if auto else propose_by_gp)(space, pairs, rng)
    return _ask_optuna(sampler, space, known, seed * 10_007 + number)


def _ask_optuna(sampler: str, space: Space, past: Sequence[Observation], seed: int) -> Params:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(direction="maximize", sampler=_engine(sampler, seed))
        dimensions = {name: _distribution(d) for name, d in space.items()}
        for one in past:
            params = {name: one.params[name] for name in space}
            study.add_trial(
                optuna.trial.create_trial(params=params, distributions=dimensions, value=one.value)
            )
        return dict(study.ask(dimensions).params)


def grid_size(space: Space, points: int = GRID_POINTS) -> int:
    """Return how many configurations the grid has."""
    size = 1
    for dimension in space.values():
        size *= len(dimension.grid(points))
    return size


def _grid_point(space: Space, number: int, seed: int) -> Params:
    size = grid_size(space)
    if number >= size:
        raise ConfigError(
            say(en=f"The grid has only {size} points.", zh=f"网格只有 {size} 个点。"),
            hint=say(en="Ask for fewer trials, or use the sampler tpe.",
                     zh="请减少试验次数,或改用 tpe。"),
        )  # fmt: skip
    # A full permutation of a huge grid would not fit in memory; a random walk through it does.
    step = _coprime_step(size, seed)
    place = (int(np.random.default_rng(seed).integers(size)) + number * step) % size
    params: Params = {}
    for name, dimension in space.items():
        values = dimension.grid(GRID_POINTS)
        place, at = divmod(place, len(values))
        params[name] = values[at]
    return params


def _coprime_step(size: int, seed: int) -> int:
    rng = np.random.default_rng(seed + 1)
    step = int(rng.integers(1, size + 1))
    while np.gcd(step, size) != 1:
        step += 1
    return step


def _engine(sampler: str, seed: int) -> Any:
    import optuna.samplers as engines

    if sampler == "random":
        return engines.RandomSampler(seed=seed)
    if sampler == "tpe":
        return engines.TPESampler(seed=seed, n_startup_trials=START_UP_TRIALS, multivariate=True)
    raise ConfigError(
        say(en=f"There is no sampler {sampler!r}.", zh=f"没有名为 {sampler!r} 的采样器。"),
        hint=say(en=f"Use one of {', '.join(SAMPLERS)}.", zh=f"可用:{', '.join(SAMPLERS)}。"),
    )


def _distribution(dimension: Float | Int | Choice) -> Any:
    import optuna.distributions as kinds

    if isinstance(dimension, Float):
        return kinds.FloatDistribution(dimension.low, dimension.high, log=dimension.log)
    if isinstance(dimension, Int):
        return kinds.IntDistribution(dimension.low, dimension.high, log=dimension.log)
    return kinds.CategoricalDistribution(dimension.options)


def inside(params: Params, space: Space) -> bool:
    """Return whether a configuration has all dimensions of a space, each within its bounds."""
    for name, dimension in space.items():
        if name not in params:
            return False
        value = params[name]
        if isinstance(dimension, Choice):
            if value not in dimension.options:
                return False
        elif not dimension.low <= value <= dimension.high:
            return False
    return True


def projected(params: Params, space: Space) -> Params:
    """Return the configuration of a space that is nearest to another.

    A dimension that is not given counts as its lowest value or first option, which is how
    learners take a penalty or switch that is not named.
    """
    near: Params = {}
    for name, dimension in space.items():
        value = params.get(name)
        if isinstance(dimension, Choice):
            near[name] = value if value in dimension.options else dimension.options[0]
        else:
            number = dimension.low if value is None else value
            near[name] = min(max(number, dimension.low), dimension.high)
    return near
