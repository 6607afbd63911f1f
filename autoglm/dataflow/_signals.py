"""Measurements on a sample of rows that `findings` turns into words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoglm.core.spec import TaskType
from autoglm.dataflow._distinct import cells_of
from autoglm.dataflow._target_cells import read_target
from autoglm.dataflow.columns import NUMERIC_KINDS
from autoglm.dataflow.parse import parse_booleans, parse_dates, parse_numbers
from autoglm.dataflow.profile import ColumnProfile, TableProfile

_MAX_ROWS = 20_000
_MAX_BINS = 256
_NEIGHBOUR_ROWS = 1500
_NEIGHBOURS = 5
_MIXER = np.uint64(0x9E3779B97F4A7C15)
_READERS = {"number": parse_numbers, "date": parse_dates, "boolean": parse_booleans}

Values = NDArray[Any]


@dataclass(frozen=True)
class Sample:
    """Rows with a target, drawn without order.

    Attributes
    ----------
    target, task_type
        Name and kind of the target.
    n_table
        Rows of the whole table.
    classes
        Classes with their rows in the whole table; empty for regression.
    y
        (n,) int64 class codes or float64 values.
    features
        (n,) float64 numbers (NaN where missing) or int64 codes (-1) of each column that may
        tell something; texts and ids are not among them.
    row_keys
        (n,) uint64, equal where rows are equal in all columns but ids and the target.
    """

    target: str
    task_type: TaskType
    n_table: int
    classes: tuple[tuple[str, int], ...]
    y: Values
    features: dict[str, Values]
    row_keys: NDArray[np.uint64]

    @cached_property
    def ranks(self) -> NDArray[np.float64]:
        """(n,) ranks of the target values; equal values share the lowest."""
        return np.searchsorted(np.sort(self.y), self.y).astype(np.float64)

    @property
    def n_rows(self) -> int:
        """Rows of the sample."""
        return len(self.y)

    def rare_classes(self, below: int = 10) -> list[tuple[str, int]]:
        """Return classes with fewer rows in the table than `below`, rarest first."""
        return sorted([c for c in self.classes if c[1] < below], key=lambda c: c[1])

    def n_conflicts(self) -> int:
        """Return how many rows equal another one but for the target."""
        _, group = np.unique(self.row_keys, return_inverse=True)
        order = np.lexsort((self.y, group))
        same = group[order][1:] == group[order][:-1]
        differs = same & (self.y[order][1:] != self.y[order][:-1])
        torn = np.unique(group[order][1:][differs])
        return int(np.isin(group, torn).sum())

    def recodes_target(self, column: Values) -> bool:
        """Return whether the column is the target in other words, or a linear copy of it."""
        known = ~np.isnan(column) if column.dtype == np.float64 else column >= 0
        if known.mean() < 0.95:
            return False
        x, y = column[known], self.y[known]
        if self.task_type == "regression":
            return column.dtype == np.float64 and abs(_correlation(x, y)) > 1 - 1e-9
        values, codes = np.unique(x[:1000], return_inverse=True)
        n_classes = len(np.unique(y))
        if len(values) > n_classes or n_classes < 2:
            return False
        values, codes = np.unique(x, return_inverse=True)
        pairs = np.unique(codes * n_classes + y)
        return len(values) == n_classes == len(pairs)

    def strength(self, column: Values) -> float:
        """Return how well the column alone predicts rows it was not fitted on.

        R2 of bin means for regression (of the values or of their ranks, the better), area
        under the ROC curve for two classes, and for more the accuracy of the commonest class
        of a bin on a scale where always guessing the commonest class of all is 0.
        """
        bins = _binned(column)
        n_bins = int(bins.max()) + 1
        half = np.arange(self.n_rows) % 2 == 0
        forms = [self.y] if self.task_type != "regression" else [self.y, self.ranks]
        return max(
            (self._halves(y, bins, n_bins, half) + self._halves(y, bins, n_bins, ~half)) / 2
            for y in forms
        )

    def _halves(self, y: Values, bins: Values, n_bins: int, fit: NDArray[np.bool_]) -> float:
        seen, new = bins[fit], bins[~fit]
        if self.task_type != "multiclass":
            prior = float(y[fit].mean())
            sums = np.bincount(seen, weights=y[fit], minlength=n_bins) + prior * 1e-3
            guess = (sums / (np.bincount(seen, minlength=n_bins) + 1e-3))[new]
            return _r2(y[~fit], guess) if self.task_type == "regression" else _auc(y[~fit], guess)
        n_classes = int(y.max()) + 1
        table = np.bincount(seen * n_classes + y[fit], minlength=n_bins * n_classes)
        table = table.reshape(n_bins, n_classes).astype(np.float64)
        table += 1e-3 * np.bincount(y[fit], minlength=n_classes) / fit.sum()
        hits = float((table.argmax(axis=1)[new] == y[~fit]).mean())
        base = float((y[~fit] == np.bincount(y[fit]).argmax()).mean())
        return (hits - base) / (1 - base) if base < 1 else 0.0

    def parts(self) -> list[str]:
        """Return two or more number columns whose plain sum is the target, if there are any."""
        names = [n for n, v in self.features.items() if v.dtype == np.float64]
        if self.task_type != "regression" or not 2 <= len(names) <= 64:
            return []
        X = np.column_stack([self.features[n] for n in names])
        whole = np.isfinite(X).all(axis=1)
        X, y = X[whole][:4000], self.y[whole][:4000]
        if len(y) < 4 * len(names) or y.std() == 0:
            return []
        spread = X.std(axis=0)
        X, names = X[:, spread > 0], [n for n, s in zip(names, spread, strict=True) if s > 0]
        spread = spread[spread > 0]
        scaled = (X - X.mean(axis=0)) / spread
        weights = np.linalg.lstsq(scaled, y - y.mean(), rcond=1e-10)[0]
        if _r2(y, y.mean() + scaled @ weights) < 0.9999:
            return []
        part = np.abs(weights / spread - 1) < 0.01
        others = np.abs(weights[~part]) < 0.01 * y.std()
        found = [n for n, p in zip(names, part.tolist(), strict=True) if p]
        return found if len(found) > 1 and others.all() else []

    def noise(self) -> float:
        """Return the share of rows whose nearest rows all agree on another class.

        0 when near rows say nothing of the class, so that disagreement would prove nothing.
        """
        if self.task_type == "regression":
            return 0.0
        X = self._dense(_NEIGHBOUR_ROWS)
        y = self.y[: len(X)]
        if X.shape[1] == 0 or len(X) < 50:
            return 0.0
        length = (X**2).sum(axis=1)
        distance = length[:, None] + length - 2 * (X @ X.T)
        np.fill_diagonal(distance, np.inf)
        near = np.argpartition(distance, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
        labels = np.sort(y[near], axis=1)
        middle = labels[:, _NEIGHBOURS // 2]
        base = np.bincount(y).max() / len(y)
        if ((middle == y).mean() - base) < 0.4 * (1 - base):
            return 0.0
        unanimous = labels[:, 0] == labels[:, -1]
        return float((unanimous & (middle != y)).mean())

    def _dense(self, n: int) -> NDArray[np.float32]:
        """Return standardised numbers beside one-hot categories of few values, (n, p)."""
        blocks = []
        for values in list(self.features.values())[:200]:
            part = values[:n]
            if part.dtype == np.float64:
                spread = np.nanstd(part) if np.isfinite(part).any() else 0.0
                if spread > 0:
                    scaled = np.nan_to_num((part - np.nanmean(part)) / spread)
                    blocks.append(np.clip(scaled, -4, 4)[:, None])
            elif 0 < (k := int(part.max(initial=-1)) + 1) <= 50:
                blocks.append((part[:, None] == np.arange(k)) / np.sqrt(2))
        rows = len(self.y[:n])
        return np.hstack(blocks or [np.empty((rows, 0))]).astype(np.float32)


def draw(
    frame: pd.DataFrame, profile: TableProfile, target: str, task_type: TaskType
) -> Sample | None:
    """Draw up to 20,000 rows that have a target; None when there are none."""
    named = frame.set_axis([str(c) for c in frame.columns], axis=1)
    y, names = read_target(named[target], profile.columns[target], task_type)
    rows = np.flatnonzero(~np.isnan(y) if task_type == "regression" else y >= 0)
    if not len(rows):
        return None
    counts = np.bincount(y[rows]) if names else np.empty(0, dtype=np.int64)
    classes = tuple(zip(names, counts.tolist(), strict=True))
    rows = np.random.default_rng(0).permutation(rows)[:_MAX_ROWS]
    keys = np.zeros(len(rows), dtype=np.uint64)
    features: dict[str, Values] = {}
    whole = len(rows) == len(frame)
    for name, column in profile.columns.items():
        if name == target or column.kind in ("id", "constant"):
            continue
        values = _values(named[name] if whole else named[name].iloc[rows], column)
        values = values[rows] if whole else values
        bits = values.view(np.uint64)
        keys = (keys ^ bits) * _MIXER
        keys ^= keys >> np.uint64(29)
        if column.kind != "text":
            features[name] = values
    return Sample(target, task_type, len(frame), classes, y[rows], features, keys)


def named_like(name: str, target: str) -> bool:
    """Return whether a name holds the target's name, or the other way round.

    Examples
    --------
    >>> named_like("log_price", "price"), named_like("age", "price")
    (True, False)
    """
    a, b = (re.sub(r"[\W_]+", "", s.casefold()) for s in (name, target))
    short = min(len(a), len(b))
    return short >= (3 if min(a, b, key=len).isascii() else 2) and (a in b or b in a)


def _values(series: pd.Series[Any], column: ColumnProfile) -> Values:
    cells, dtype = cells_of(series)
    if column.kind in NUMERIC_KINDS and dtype != "category":
        return _READERS[column.kind](cells, column.rule)
    if dtype == "category":
        return series.cat.codes.to_numpy().astype(np.int64)
    try:
        return pd.factorize(cells)[0].astype(np.int64)
    except TypeError:
        return pd.factorize(np.array([str(c) for c in cells], dtype=object))[0].astype(np.int64)


def _binned(column: Values) -> Values:
    """Return bin numbers: the codes of a category, tied ranks cut evenly for numbers."""
    if column.dtype != np.float64:
        return column + 1
    known = column[~np.isnan(column)]
    n_bins = max(2, min(_MAX_BINS, len(known) // 20))
    if not len(known):
        return np.zeros(len(column), dtype=np.int64)
    edges = np.unique(np.sort(known)[np.linspace(0, len(known) - 1, n_bins + 1).astype(np.int64)])
    bins = np.searchsorted(edges, column, side="right")
    return np.where(np.isnan(column), 0, bins).astype(np.int64)


def _correlation(x: Values, y: Values) -> float:
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x**2).sum() * (y**2).sum()))
    return float((x * y).sum()) / scale if scale > 0 else 0.0


def _r2(y: Values, guess: Values) -> float:
    total = float(((y - y.mean()) ** 2).sum())
    return 1 - float(((y - guess) ** 2).sum()) / total if total > 0 else 0.0


def _auc(y: Values, guess: Values) -> float:
    """Return the area under the ROC curve, by mean ranks of ties."""
    _, tie, counts = np.unique(guess, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[tie]
    n_true = int((y == 1).sum())
    n_false = len(y) - n_true
    if not n_true or not n_false:
        return 0.5
    return float((ranks[y == 1].sum() - n_true * (n_true + 1) / 2) / (n_true * n_false))
