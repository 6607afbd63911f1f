"""What one run could give: accuracy against the time for a row, size and cost.

From the trials of a run every single model and blends of few models under growing bounds on
their time are weighed beside the full ensemble. A point is on the frontier when no other is at
least as good in accuracy, latency and size, and better in one of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from autoglm.core.contracts import Preference
from autoglm.tuner.allowance import DOOR_US
from autoglm.tuner.library import Array, Library, Mix
from autoglm.tuner.trials import Trial

#: Members of the small blends, and of the "fast" output.
FEW = 3
#: Rows that small blends are chosen on.
SAMPLE_ROWS = 5000
#: Bounds on the time of a row under which small blends are chosen.
LEVELS = 5
#: How the "fast" output weighs time against accuracy: three times quicker is worth half of
#: one per cent.
FAST = Preference(accuracy=1.0, latency=0.5, cost=0.0, size=0.1)


#: What a bag of many models gains over one of them, times the rows: measured on tables of a
#: few hundred to a few thousand rows as a share of what the model gains over a guess.
BAG_GAIN, MOST_GAIN = 18.0, 0.06


@dataclass(frozen=True)
class Point:
    """A model that the run could give.

    Attributes
    ----------
    mix
        Its members and their weights.
    folds
        How many models of each member's bag it has.
    loss
        Share of accuracy that it is expected to lack beside the best point; 1 is a constant
        guess.
    row_us, size_mb, cost_s
        What its models take: microseconds for a row, megabytes, seconds to fit them and to
        predict as many rows as they learned from.
    """

    mix: Mix
    folds: tuple[int, ...]
    loss: float
    row_us: float
    size_mb: float
    cost_s: float

    @property
    def title(self) -> str:
        """The learners in it, heaviest first."""
        names = [t.learner for t in self.mix.trials]
        return " + ".join(f"{names.count(n)} {n}" if names.count(n) > 1 else n
                          for n in dict.fromkeys(names))  # fmt: skip

    @property
    def models(self) -> int:
        """Fitted models in it."""
        return sum(self.folds)


def survey(library: Library, deadline: float = float("inf")) -> list[Mix]:
    """Return every candidate alone, and blends of few under growing bounds on their time.

    Parameters
    ----------
    library
        The candidates.
    deadline
        `time.monotonic()` time after which no further blend is looked for.
    """
    costs = [one_us(t) for t in library.trials]
    mixes = [_alone(library, i) for i in range(len(library.trials))]
    for level in _levels(np.array(costs), np.array([m.score for m in mixes])):
        if time.monotonic() > deadline:
            break
        mixes.append(library.select(costs, level, FEW))
    return mixes


def _levels(costs: Array, scores: Array) -> list[float]:
    """Return bounds between the quickest useful model and the slowest few, the widest first."""
    few = float(np.sort(costs)[-FEW:].sum())
    good = costs[scores >= np.median(scores)]
    low = max(float(good.min()), few / 300.0, 1e-3)
    if few <= low:
        return [few]
    return [float(level) for level in np.geomspace(few, low, LEVELS)]


def _alone(library: Library, index: int) -> Mix:
    prediction = library.predictions[index].astype(np.float64)
    score = library.scorer.utility(library.y, prediction)
    return Mix((library.trials[index],), (1.0,), score, library.rows, prediction)


def weighed(
    choices: Sequence[tuple[Mix, tuple[int, ...]]], library: Library, n_rows: int
) -> list[Point]:
    """Return choices of mixes, with so many models of each bag, as points; equal ones once.

    Their scores are those of single models, which is what predicts the rows out of fold; what
    more models of a bag add is expected, see `bag_gain`, where `n_rows` is that of the table.
    """
    floor = library.floor()
    span = max(max(m.score for m, _ in choices) - floor, 1e-12)
    gains = [bag_gain(f, n_rows) for _, f in choices]
    top = max(m.score / span + g for (m, _), g in zip(choices, gains, strict=True))
    found: dict[tuple[object, ...], Point] = {}
    for (mix, folds), gain in zip(choices, gains, strict=True):
        parts = list(zip(mix.trials, folds, strict=True))
        us = sum(k * one_us(t) for t, k in parts)
        point = Point(
            mix,
            folds,
            loss=top - mix.score / span - gain,
            row_us=us,
            size_mb=sum(k * one_mb(t) for t, k in parts),
            cost_s=sum(k * t.seconds() for t, k in parts) + n_rows * us / 1e6,
        )
        weights = tuple(round(w, 3) for w in mix.weights)
        found.setdefault((tuple(t.key for t in mix.trials), weights, folds), point)
    return list(found.values())


def bag_gain(folds: Sequence[int], n_rows: int) -> float:
    """Return what more than one model of a bag gains, as a share of the gain over a guess.

    The errors that a model owes to its rows are averaged away: all but 1 / k of what an
    endless bag would gain, which is less the more rows there are.
    """
    k = sum(folds) / len(folds)
    endless = min(BAG_GAIN / max(1, n_rows), MOST_GAIN)
    return float(endless * (1 - 1 / k) / np.sqrt(len(folds)))


def on_frontier(points: Sequence[Point]) -> list[bool]:
    """Return which points no other one beats in accuracy, time and size together."""
    table = np.array([[p.loss, p.row_us, p.size_mb] for p in points])
    marks = []
    for row in table:
        no_worse = (table <= row).all(axis=1)
        better = (table < row).any(axis=1)
        marks.append(not (no_worse & better).any())
    return marks


def pick(
    points: Sequence[Point],
    prefer: Preference,
    *,
    door_us: float = DOOR_US,
    most_us: float = float("inf"),
    most_mb: float = float("inf"),
    timed: bool = True,
) -> Point:
    """Return the point that a preference values most; of equals the quicker one.

    Parameters
    ----------
    points
        At least one.
    prefer
        The weights; its `most_loss` bounds the loss.
    door_us
        What a row takes beside the models.
    most_us, most_mb
        Bounds on the models; when no point keeps them the quickest is taken.
    timed
        Whether seconds of fits count as cost.
    """
    able = [p for p in points if p.row_us <= most_us and p.size_mb <= most_mb]
    if not able:
        return min(points, key=lambda p: max(p.row_us / most_us, p.size_mb / most_mb))
    best = min(able, key=lambda p: p.loss)
    if prefer.most_loss is not None:
        able = [p for p in able if p.loss - best.loss <= prefer.most_loss]
    value = _value_beside(best, prefer, door_us, timed)
    return max(able, key=lambda p: (round(value(p), 9), -p.row_us))


def _value_beside(
    best: Point, prefer: Preference, door_us: float, timed: bool
) -> Callable[[Point], float]:
    def value(p: Point) -> float:
        cost = (p.cost_s + 0.01) / (best.cost_s + 0.01) if timed else 1.0
        return prefer.value(
            loss=p.loss - best.loss,
            latency=(door_us + p.row_us) / (door_us + best.row_us),
            cost=cost,
            size=(p.size_mb + 1e-3) / (best.size_mb + 1e-3),
        )

    return value


def one_us(trial: Trial) -> float:
    """Return the time of one of a trial's models for a row, microseconds."""
    return trial.bag()["predict_us"] / max(1, len(trial.models()))


def one_mb(trial: Trial) -> float:
    """Return the size of one of a trial's models, megabytes."""
    return trial.bag()["size_mb"] / max(1, len(trial.models()))
