"""Which columns the model leans on.

Permutation importance (Breiman, 2001; model-agnostic form of Fisher, Rudin & Dominici,
2019): how much worse the score gets when one raw column is shuffled, so that it keeps its
values but tells nothing of the row.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.dataflow.columns import Column, Columns
from autoglm.evaluate.metrics import Metric

Array = NDArray[Any]
#: From canonical columns to what the metric looks at (probabilities, labels or values).
Predict = Callable[[Columns], Array]

_MAX_ROWS = 5_000
_MIN_ROWS = 200


@dataclass(frozen=True)
class Importance:
    """How much a column matters.

    Attributes
    ----------
    column
        Its name.
    mean
        Mean loss of utility when it is shuffled, in the metric's own unit; about 0 or below
        for a column that does not matter.
    std
        Standard deviation of that loss over the repeats; None after a single one.
    repeats
        How often it was shuffled.
    """

    column: str
    mean: float
    std: float | None
    repeats: int


def permutation_importance(
    predict: Predict,
    columns: Columns,
    y: Array,
    metric: Metric,
    *,
    n_repeats: int = 5,
    time_limit_s: float = 10.0,
    seed: int = 0,
) -> tuple[Importance, ...]:
    """Measure every column, the most important first.

    Rows are sampled to 5,000, and further, down to 200, when the time would not suffice.
    Every column is shuffled once before any is shuffled twice; when time runs out the
    columns not reached are left out.

    Parameters
    ----------
    predict
        The model, from raw canonical columns to what `metric` looks at.
    columns
        Rows the model was not fitted on, where there are such.
    y
        (n,) truth, as `metric` takes it.
    metric
        What a loss is measured in.
    n_repeats
        Shuffles of each column, at most.
    time_limit_s
        Wall-clock seconds, at most; the first prediction is always made.
    seed
        Seed of sampling and shuffles.
    """
    if not columns.n_rows:
        return ()
    deadline = time.monotonic() + time_limit_s
    rng = np.random.default_rng(seed)
    columns, y = _sample(columns, y, _MAX_ROWS, rng)
    started = time.monotonic()
    base = metric.utility(y, predict(columns))
    seconds = time.monotonic() - started
    fits = (deadline - time.monotonic()) / max(seconds, 1e-9) / max(len(columns.by_name), 1)
    if fits < 1.0:
        smaller = max(_MIN_ROWS, int(columns.n_rows * max(fits, 0.0)))
        if smaller < columns.n_rows:
            columns, y = _sample(columns, y, smaller, rng)
            base = metric.utility(y, predict(columns))
    losses = _losses(predict, columns, y, metric, base, _Plan(n_repeats, deadline, rng))
    found = [_summary(name, values) for name, values in losses.items() if values]
    return tuple(sorted(found, key=lambda i: -i.mean))


@dataclass(frozen=True)
class _Plan:
    repeats: int
    deadline: float
    rng: np.random.Generator


def _losses(
    predict: Predict, columns: Columns, y: Array, metric: Metric, base: float, plan: _Plan
) -> dict[str, list[float]]:
    losses: dict[str, list[float]] = {name: [] for name, _ in columns}
    longest = 0.0
    for _ in range(plan.repeats):
        for name, column in columns:
            started = time.monotonic()
            if started + longest > plan.deadline:
                return losses
            values = column.values[plan.rng.permutation(columns.n_rows)]
            losses[name].append(base - metric.utility(y, predict(replaced(columns, name, values))))
            longest = max(longest, time.monotonic() - started)
    return losses


def replaced(columns: Columns, name: str, values: Array) -> Columns:
    """Return the columns with other values in one of them."""
    changed = dict(columns.by_name)
    changed[name] = Column(columns[name].kind, values)
    return Columns(changed, columns.n_rows)


def _sample(
    columns: Columns, y: Array, limit: int, rng: np.random.Generator
) -> tuple[Columns, Array]:
    if columns.n_rows <= limit:
        return columns, y
    rows = np.sort(rng.choice(columns.n_rows, limit, replace=False))
    return columns.take(rows), y[rows]


def _summary(name: str, values: list[float]) -> Importance:
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Importance(name, float(np.mean(values)), std, len(values))
