"""How the score holds when the data get worse, and for whom it is lower.

The stress tests change rows the way real data decay: numbers read off a little wrong,
categories entered wrongly, cells left empty, text mistyped. The subgroups are the values,
value ranges and missing cells of single columns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autoglm.dataflow.columns import NUMERIC_KINDS, Column, Columns
from autoglm.evaluate._svg import number
from autoglm.evaluate.explain import Predict
from autoglm.evaluate.metrics import Metric

Array = NDArray[Any]
GroupKind = Literal["value", "range", "missing", "present", "yes", "no"]
_Group = tuple[GroupKind, str, NDArray[np.bool_]]

_MAX_ROWS = 5_000


@dataclass(frozen=True)
class Stress:
    """The score under one kind of damage.

    Attributes
    ----------
    name
        "number_noise", "category_swap", "missing_cells" or "text_typos".
    level
        Standard deviations of noise, or the share of cells changed.
    clean, noisy
        The score before and after, in the metric's own unit.
    ratio
        noisy / clean, or clean / noisy for an error that should be low: 1 means no harm, 0.9
        that a tenth is lost. None when the clean score is below 0 or the noisy one undefined.
    agreement
        Share of rows that keep their label; None for regression.
    """

    name: str
    level: float
    clean: float
    noisy: float
    ratio: float | None
    agreement: float | None


@dataclass(frozen=True)
class Subgroup:
    """The score of some of the rows.

    Attributes
    ----------
    column, group
        The rows are those whose `column` is `group`: a value, a range, or the `kind` itself.
    kind
        "value", "range", or one of "missing", "present", "yes" and "no", which a report
        writes in its own language.
    n_rows
        How many they are.
    score
        Their score.
    gap
        Their utility less the mean utility of random rows with the same truths (classes, or
        fifths of the target): below 0 means that the model does worse here, not merely that
        the rows are of a harder class.
    z
        The gap in standard deviations of the utility of such random rows; beyond -3 it is
        hardly chance.
    """

    column: str
    group: str
    n_rows: int
    score: float
    gap: float
    z: float
    kind: GroupKind = "value"


def robustness(
    predict: Predict,
    columns: Columns,
    y: Array,
    metric: Metric,
    *,
    noise: float = 0.1,
    share: float = 0.05,
    seed: int = 0,
) -> tuple[Stress, ...]:
    """Score the model on damaged copies of the rows; one prediction for each kind of damage.

    Parameters
    ----------
    predict
        The model, from raw canonical columns to what `metric` looks at.
    columns
        Rows the model was not fitted on, where there are such; at most 5,000 are used.
    y
        (n,) truth, as `metric` takes it.
    metric
        The score.
    noise
        Gaussian noise on numbers, in standard deviations of each column.
    share
        Share of category and other cells, and of characters of text, that are changed.
    seed
        Seed of all damage.

    Returns
    -------
    tuple of Stress
        Only the kinds of damage that the table's columns can suffer.
    """
    rng = np.random.default_rng(seed)
    if columns.n_rows > _MAX_ROWS:
        rows = np.sort(rng.choice(columns.n_rows, _MAX_ROWS, replace=False))
        columns, y = columns.take(rows), y[rows]
    kinds = {column.kind for _, column in columns}
    if not columns.n_rows or not kinds:
        return ()
    tests: list[tuple[str, float, frozenset[str], Callable[[Column], Array]]] = [
        ("number_noise", noise, frozenset({"number", "date"}), lambda c: _jitter(c, noise, rng)),
        (
            "category_swap",
            share,
            frozenset({"category", "boolean"}),
            lambda c: _swap(c, share, rng),
        ),
        ("missing_cells", share, frozenset(kinds), lambda c: _blank(c, share, rng)),
        ("text_typos", share, frozenset({"text"}), lambda c: _mistype(c, share, rng)),
    ]
    clean = predict(columns)
    return tuple(
        _stress(name, level, metric, y, (clean, predict(_damaged(columns, hit, damage))))
        for name, level, hit, damage in tests
        if kinds & hit
    )


def _stress(
    name: str, level: float, metric: Metric, y: Array, predictions: tuple[Array, Array]
) -> Stress:
    clean, noisy = (metric.score(y, p) for p in predictions)
    above, below = (noisy, clean) if metric.greater_is_better else (clean, noisy)
    ratio = above / below if clean >= 0 and below > 0 else 1.0 if clean == noisy else None
    return Stress(name, level, clean, noisy, ratio, _agreement(metric, *predictions))


def _agreement(metric: Metric, before: Array, after: Array) -> float | None:
    if metric.needs == "value":
        return None
    if before.ndim == 2:
        before, after = before.argmax(axis=1), after.argmax(axis=1)
    return float(np.mean(before == after))


def _damaged(columns: Columns, kinds: frozenset[str], damage: Callable[[Column], Array]) -> Columns:
    changed = {n: Column(c.kind, damage(c)) if c.kind in kinds else c for n, c in columns}
    return Columns(changed, columns.n_rows)


def _jitter(column: Column, noise: float, rng: np.random.Generator) -> Array:
    known = column.values[np.isfinite(column.values)]
    scale = float(known.std()) if len(known) else 0.0
    return np.asarray(column.values + noise * scale * rng.normal(size=len(column.values)))


def _swap(column: Column, share: float, rng: np.random.Generator) -> Array:
    other = rng.permutation(column.values)
    return np.where(rng.random(len(other)) < share, other, column.values)


def _blank(column: Column, share: float, rng: np.random.Generator) -> Array:
    empty: float | None = np.nan if column.kind in NUMERIC_KINDS else None
    values = column.values.copy()
    values[rng.random(len(values)) < share] = empty
    return values


def _mistype(column: Column, share: float, rng: np.random.Generator) -> Array:
    """Drop some characters and exchange others with the next one."""
    values = column.values.copy()
    for row, text in enumerate(values):
        if not text:
            continue
        letters = list(text)
        for at in np.flatnonzero(rng.random(len(letters)) < share):
            if at + 1 < len(letters) and rng.random() < 0.5:
                letters[at], letters[at + 1] = letters[at + 1], letters[at]
            else:
                letters[at] = ""
        values[row] = "".join(letters) or None
    return values


# --- subgroups --------------------------------------------------------------------------

_MAX_GROUPED_ROWS = 20_000
_MAX_VALUES = 12
_BINS = 4
_FEW_VALUES = 12
_DRAWS = 30
#: Scores that say nothing when a group holds one class only.
_NEED_TWO_CLASSES = frozenset(
    {"roc_auc", "roc_auc_ovr", "average_precision", "balanced_accuracy", "f1", "f2", "precision",
     "recall", "mcc", "macro_f1", "quadratic_kappa"}
)  # fmt: skip


def subgroup_scores(
    columns: Columns,
    y: Array,
    prediction: Array,
    metric: Metric,
    *,
    min_rows: int = 30,
    time_limit_s: float = 5.0,
    seed: int = 0,
) -> tuple[Subgroup, ...]:
    """Score groups of rows, the one most surely worse than rows like them first.

    Parameters
    ----------
    columns
        The raw canonical columns of the rows.
    y, prediction
        Truth and (out-of-fold) prediction of the same rows, as `metric` takes them.
    metric
        The score.
    min_rows
        Smaller groups are left out, as are groups of one class where the score needs two.
    time_limit_s
        Wall-clock seconds, at most; columns not reached are left out.
    seed
        Seed of sampling and of the random groups.
    """
    deadline = time.monotonic() + time_limit_s
    rng = np.random.default_rng(seed)
    if columns.n_rows > _MAX_GROUPED_ROWS:
        rows = np.sort(rng.choice(columns.n_rows, _MAX_GROUPED_ROWS, replace=False))
        columns, y, prediction = columns.take(rows), y[rows], prediction[rows]
    if columns.n_rows < 2 * min_rows:
        return ()
    chance = _Chance(metric, y, prediction, rng)
    found = []
    for name, column in columns:
        if time.monotonic() > deadline:
            break
        for kind, group, mask in _groups(column):
            n = int(mask.sum())
            if not min_rows <= n < columns.n_rows or not _defined(metric, y[mask]):
                continue
            score = metric.score(y[mask], prediction[mask])
            expected, spread = chance.like(mask)
            gap = metric.to_utility(score) - expected
            if np.isfinite(gap):
                found.append(Subgroup(name, group, n, score, gap, gap / spread, kind))
    return tuple(sorted(found, key=lambda g: g.z))


@dataclass
class _Chance:
    """The utility of random rows whose truths are like those of a group."""

    metric: Metric
    y: Array
    prediction: Array
    rng: np.random.Generator

    def __post_init__(self) -> None:
        if self.metric.needs == "value":
            edges = np.quantile(self.y, [0.2, 0.4, 0.6, 0.8])
            self._stratum = np.searchsorted(edges, self.y, "right")
        else:
            self._stratum = self.y.astype(np.int64)
        strata = range(int(self._stratum.max()) + 1)
        self._rows = [np.flatnonzero(self._stratum == s) for s in strata]

    def like(self, mask: NDArray[np.bool_]) -> tuple[float, float]:
        """Return mean and standard deviation, the latter never 0."""
        counts = np.bincount(self._stratum[mask], minlength=len(self._rows))
        draws = []
        for _ in range(_DRAWS):
            pairs = zip(self._rows, counts, strict=True)
            rows = np.concatenate([r[self.rng.integers(0, len(r), n)] for r, n in pairs if n])
            draws.append(self.metric.utility(self.y[rows], self.prediction[rows]))
        return float(np.mean(draws)), max(float(np.std(draws, ddof=1)), 1e-12)


def _defined(metric: Metric, y: Array) -> bool:
    return metric.name not in _NEED_TWO_CLASSES or bool((y != y[0]).any())


def _groups(column: Column) -> Iterator[_Group]:
    if column.kind not in NUMERIC_KINDS:
        missing = np.array([v is None for v in column.values])
    else:
        missing = np.isnan(column.values)
    if column.kind == "category":
        yield from _values(column.values, missing)
    elif column.kind == "boolean":
        yield "yes", "yes", column.values == 1.0
        yield "no", "no", column.values == 0.0
    elif column.kind in NUMERIC_KINDS and not missing.all():
        yield from _ranges(column, missing)
    if missing.any():
        yield "missing", "missing", missing
        if column.kind == "text":
            yield "present", "present", ~missing


def _values(values: Array, missing: NDArray[np.bool_]) -> Iterator[_Group]:
    names, counts = np.unique(values[~missing].astype(str), return_counts=True)
    for name in names[np.argsort(-counts, kind="stable")][:_MAX_VALUES]:
        yield "value", str(name), values == str(name)


def _ranges(column: Column, missing: NDArray[np.bool_]) -> Iterator[_Group]:
    known = column.values[~missing]
    few = np.unique(known)
    if len(few) <= _FEW_VALUES and column.kind == "number":
        for value in few:
            yield "value", number(float(value), 6), column.values == value
        return
    edges = np.unique(np.quantile(known, np.linspace(0.0, 1.0, _BINS + 1)))
    if len(edges) < 3:
        return
    # The last range holds its upper edge; NaN falls in none of them.
    place = np.searchsorted(edges, column.values, "right") - 1
    part = np.where(missing, -1, np.clip(place, 0, len(edges) - 2))
    for i in range(len(edges) - 1):
        name = _range_name(column.kind, float(edges[i]), float(edges[i + 1]))
        yield "range", name, part == i


def _range_name(kind: str, low: float, high: float) -> str:
    if kind == "date":
        days = (np.datetime64(int(t), "s").astype("datetime64[D]") for t in (low, high))
        return " … ".join(map(str, days))
    digits = 3 if f"{low:.3g}" != f"{high:.3g}" else 8
    return " … ".join(number(v, digits) for v in (low, high))
