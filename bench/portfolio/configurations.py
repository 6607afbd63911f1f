"""The configurations that are run: every learner's defaults, then draws from its space.

A configuration is named "lightgbm/d2" (its third default) or "lightgbm/r7" (its eighth draw)
and means the same relative to every table: draws are places in the learner's ranges, which
grow with the table. Every second draw starts from a default and changes some of it.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autoglm.core.space import Choice, Space
from autoglm.core.spec import TaskType
from autoglm.tuner._gp import value_at
from autoglm.tuner.portfolio import Entry
from autoglm.zoo.contract import Facts, Learner

#: Draws of a learner that is not named in the job's options.
USUAL_DRAWS = 12
#: Draws of one learner on one table before the next table's turn.
BATCH = 4
#: Share of a default's parameters that a draw around it changes.
CHANGED = 0.4


@dataclass(frozen=True)
class Configuration:
    """A named configuration of a learner.

    Attributes
    ----------
    name
        "learner/d<n>" or "learner/r<n>".
    entry
        How it is resolved on a table.
    """

    name: str
    entry: Entry


def reference(kind: TaskType, n_rows: int = 4000) -> Facts:
    """Return facts of a typical table, to ask a learner what it offers."""
    return Facts(
        task_type=kind,
        n_classes={"binary": 2, "multiclass": 5, "regression": 1}[kind],
        n_rows=n_rows,
        n_features={"tree": 20, "dense": 40, "sparse": 40},
        categorical={0: 5, 1: 12, 2: 40},
        metric={"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}[kind],
    )


def rounds(
    learners: Mapping[str, Learner], kind: TaskType, draws: Mapping[str, int]
) -> Iterator[list[Configuration]]:
    """Yield what is run on every table before the next begins, the most useful first."""
    counts = {n: len(one.defaults(reference(kind))) for n, one in learners.items()}
    yield [default(n, 0) for n in learners]
    yield [default(n, i) for n, count in counts.items() for i in range(1, count)]
    most = {n: draws.get(n, USUAL_DRAWS) for n in learners if learners[n].space(reference(kind))}
    for start in range(0, max(most.values(), default=0), BATCH):
        yield [
            draw(learners[n], number, kind)
            for n, limit in most.items()
            for number in range(start, min(start + BATCH, limit))
        ]


def default(learner: str, number: int) -> Configuration:
    """Return a learner's own default."""
    return Configuration(f"{learner}/d{number}", Entry(learner, default=number))


def draw(learner: Learner, number: int, kind: TaskType) -> Configuration:
    """Return a random draw of a learner's space; the same number, the same draw."""
    facts = reference(kind)
    names = list(learner.space(facts))
    places = {name: _uniform(f"{learner.name}/{number}/{name}") for name in names}
    start: int | None = None
    if number % 2:
        start = (number // 2) % len(learner.defaults(facts))
        keep = {n: _uniform(f"{learner.name}/{number}/{n}/changed") for n in names}
        least = min(keep, key=lambda n: keep[n])
        places = {n: u for n, u in places.items() if keep[n] < CHANGED or n == least}
    params: dict[str, Any] = {name: {"share": round(u, 3)} for name, u in places.items()}
    params |= _beyond_the_space(learner, facts, number) if start is None else {}
    return Configuration(f"{learner.name}/r{number}", Entry(learner.name, start, params))


def _beyond_the_space(learner: Learner, facts: Facts, number: int) -> dict[str, Any]:
    """Return parameters that only defaults have, like a recipe of features, in half of draws."""
    space, found = learner.space(facts), dict[str, list[Any]]()
    for one in learner.defaults(facts):
        for name, value in one.items():
            if name not in space and value not in found.setdefault(name, []):
                found[name].append(value)
    drawn = {}
    for name, values in found.items():
        u = 2 * _uniform(f"{learner.name}/{number}/{name}")
        if u < 1:
            drawn[name] = values[int(u * len(values))]
    return drawn


def named(name: str, learners: Mapping[str, Learner], kind: TaskType) -> Configuration:
    """Return the configuration of a name."""
    learner, _, number = name.partition("/")
    if number.startswith("d"):
        return default(learner, int(number[1:]))
    return draw(learners[learner], int(number[1:]), kind)


def readable(entry: Entry, learner: Learner, kind: TaskType) -> Entry:
    """Return the entry with plain values where a range is the same for every table."""
    tables = [reference(kind, n) for n in (200, 2_000, 40_000)]
    tables.append(replace(tables[1], categorical={}))
    spaces: list[Space] = [learner.space(facts) for facts in tables]
    params = {}
    for name, value in entry.params.items():
        dimensions = [space.get(name) for space in spaces]
        params[name] = value
        if not isinstance(value, Mapping):
            continue
        if dimensions[0] is not None and dimensions.count(dimensions[0]) == len(dimensions):
            found = value_at(dimensions[0], float(value["share"]))
            if isinstance(dimensions[0], Choice):
                params[name] = value if found is None else found
            else:
                params[name] = float(f"{found:.3g}") if isinstance(found, float) else found
    return Entry(entry.learner, entry.default, params, entry.gain, entry.cost)


def code_of(learner: Learner) -> str:
    """Return a short name for the learner's source, to tell results of another version."""
    source = inspect.getsourcefile(type(learner))
    assert source is not None
    with open(source, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:8]


def _uniform(text: str) -> float:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return float(np.random.default_rng(seed).random())
