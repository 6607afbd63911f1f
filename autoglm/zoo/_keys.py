"""Statistics of the target and counts by category, and by pairs of categories.

A key is the code of one category column, or of two taken together. Training rows get
statistics of other training rows only (inner folds), so that a value's own target is never
part of its encoding. Means of few rows are drawn towards the mean of all by empirical Bayes:
Micci-Barreca, "A Preprocessing Scheme for High-Cardinality Categorical Attributes" (2001).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]

INNER_FOLDS = 5
#: Bounds on how many rows the mean of all counts for.
_LEAST_PRIOR, _MOST_PRIOR = 0.5, 300.0


@dataclass(frozen=True)
class Slots:
    """Which columns make keys.

    Attributes
    ----------
    left, right
        (s,) columns of the view; `right` is -1 where a key is one code alone.
    left_size, right_size
        (s,) codes of each, which is also the code of a gap; 0 without a right column.
    """

    left: Ints
    right: Ints
    left_size: Ints
    right_size: Ints

    @classmethod
    def of(
        cls, singles: Sequence[int], pairs: Sequence[tuple[int, int]], sizes: Mapping[int, int]
    ) -> Slots:
        """Return slots for single columns, then for pairs of columns."""
        left = [*singles, *(a for a, _ in pairs)]
        right = [*(-1 for _ in singles), *(b for _, b in pairs)]
        return cls(
            np.array(left, np.int64),
            np.array(right, np.int64),
            np.array([sizes[c] for c in left], np.int64),
            np.array([sizes[c] if c >= 0 else 0 for c in right], np.int64),
        )

    def __len__(self) -> int:
        return len(self.left)

    def specs(self) -> list[tuple[int, int]]:
        """Return the (left, right) columns of each slot."""
        return list(zip(self.left.tolist(), self.right.tolist(), strict=True))

    @cached_property
    def base(self) -> Floats:
        """Smallest key of each slot (s,)."""
        room = (self.left_size + 1) * (self.right_size + 1)
        return np.concatenate([[0], np.cumsum(room)[:-1]]).astype(np.float64)

    @cached_property
    def _used(self) -> tuple[Ints, Floats, Floats]:
        """Columns (c,), the code of a gap in each, and what a code adds to keys (c, s)."""
        sizes = dict(zip(self.left.tolist(), self.left_size.tolist(), strict=True))
        sizes |= dict(zip(self.right.tolist(), self.right_size.tolist(), strict=True))
        sizes.pop(-1, None)
        columns = sorted(sizes)
        mix = np.zeros((len(columns), len(self)))
        for slot, (a, b) in enumerate(self.specs()):
            mix[columns.index(a), slot] = self.right_size[slot] + 1
            if b >= 0:
                mix[columns.index(b), slot] += 1
        gaps = np.array([sizes[c] for c in columns], np.float64)
        return np.array(columns, np.int64), gaps, mix

    def keys(self, X: NDArray[Any]) -> Floats:
        """Return the key of every slot (n, s): whole numbers, exact in double precision."""
        columns, gaps, mix = self._used
        codes = X[:, columns].astype(np.float64)
        codes = np.where(codes == codes, codes, gaps)
        keys: Floats = codes @ mix
        keys += self.base
        return keys


@dataclass(frozen=True)
class KeyTable:
    """Values of known keys.

    Attributes
    ----------
    slots
        How keys are made.
    known
        (K + 1,) sorted keys, infinity last.
    values
        (K + s, w) float32: a row for each key, then one for unknown keys of each slot.
    """

    slots: Slots
    known: Floats
    values: Matrix

    @property
    def width(self) -> int:
        """Values of one key."""
        return int(self.values.shape[1])

    @property
    def columns(self) -> int:
        """Values of one row: those of all its keys."""
        return len(self.slots) * self.width

    @cached_property
    def _unknown(self) -> Ints:
        return np.arange(len(self.slots)) + (len(self.known) - 1)

    def rows_of(self, X: NDArray[Any]) -> Ints:
        """Return the row of `values` for every key (n, s)."""
        keys = self.slots.keys(X)
        at = self.known.searchsorted(keys)
        found: Ints = np.where(self.known[at] == keys, at, self._unknown)
        return found

    def lookup(self, X: NDArray[Any]) -> Matrix:
        """Return the values of all keys side by side (n, s * w)."""
        found: Matrix = self.values[self.rows_of(X)].reshape(len(X), self.columns)
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to store."""
        slots = self.slots
        return {
            "left": slots.left, "right": slots.right, "left_size": slots.left_size,
            "right_size": slots.right_size, "known": self.known[:-1].astype(np.int64),
            "values": self.values,
        }  # fmt: skip

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]]) -> KeyTable:
        """Return the table that `arrays` describes.

        Raises
        ------
        ValueError
            When the arrays do not fit together.
        """
        parts = [arrays[n].astype(np.int64) for n in ("left", "right", "left_size", "right_size")]
        slots = Slots(*parts)
        known = np.append(arrays["known"].astype(np.float64), np.inf)
        values = arrays["values"].astype(np.float32)
        fits = len({len(p) for p in parts}) == 1 and values.ndim == 2 and len(slots) > 0
        if not fits or len(values) != len(known) - 1 + len(slots) or slots.left.min() < 0:
            raise ValueError("the keys of the model do not fit together")
        return cls(slots, known, values)


def encode(
    slots: Slots,
    X: NDArray[Any],
    target: Floats,
    seed: int,
    *,
    weight: Floats | None = None,
    counts: bool = True,
) -> tuple[KeyTable, Matrix]:
    """Learn the statistics of every key.

    Parameters
    ----------
    slots
        How keys are made.
    X
        Training rows (n, p) of the tree view.
    target
        (n, t) numbers to average: values, or class indicators.
    seed
        Seed of the inner folds.
    weight
        (n,) row weights, or None.
    counts
        Whether the logarithm of the number of rows is a statistic too, the last one.

    Returns
    -------
    KeyTable
        For other rows: statistics of all training rows.
    ndarray
        (n, s * w) for the training rows: means of the inner folds that a row is not in.
    """
    keys = slots.keys(X)
    known, place = np.unique(keys, return_inverse=True)
    place = place.reshape(keys.shape)
    slot = np.searchsorted(slots.base, known, side="right") - 1
    fold = _inner_folds(len(X), seed)
    tally = _Tally(place, fold, slot, len(known), np.ones(len(X)) if weight is None else weight)
    values = [tally.means(column) for column in target.T]
    if counts:
        values.append(tally.log_counts())
    table = np.column_stack([whole for whole, _ in values]).astype(np.float32)
    inner = np.stack([own for _, own in values], axis=2).astype(np.float32)
    return KeyTable(slots, np.append(known, np.inf), table), inner.reshape(len(X), -1)


def _inner_folds(n: int, seed: int) -> Ints:
    return np.random.default_rng(seed).permutation(n) % min(INNER_FOLDS, max(2, n))


class _Tally:
    """Sums by key and inner fold.

    Parameters
    ----------
    place
        (n, s) number of each row's key.
    fold
        (n,) inner fold of each row.
    slot
        (K,) slot of each key.
    n_keys
        Number of keys K.
    weight
        (n,) row weights.
    """

    def __init__(self, place: Ints, fold: Ints, slot: Ints, n_keys: int, weight: Floats) -> None:
        self.place, self.slot, self.n_keys, self.weight = place, slot, n_keys, weight
        self.n_folds = int(fold.max()) + 1
        self.fold = fold[:, None]
        self.cell = (place * self.n_folds + self.fold).ravel()
        self.rows = self._sums(weight)
        self.rows_in_fold = np.bincount(fold, weights=weight, minlength=self.n_folds)

    def _sums(self, values: Floats) -> Floats:
        """Return the sum of one value a row by key and inner fold (K, F)."""
        spread = np.repeat(values, self.place.shape[1])
        sums = np.bincount(self.cell, weights=spread, minlength=self.n_keys * self.n_folds)
        return sums.astype(np.float64).reshape(self.n_keys, self.n_folds)

    def means(self, column: Floats) -> tuple[Floats, Floats]:
        """Return the smoothed mean of each key and slot (K + s,), and inner ones (n, s)."""
        value = self.weight * column
        sums, rows = self._sums(value), self.rows
        in_fold = np.bincount(self.fold[:, 0], weights=value, minlength=self.n_folds)
        total, n = value.sum(), self.weight.sum()
        strength = self._strength(sums.sum(axis=1), float((value * column).sum()), total / n)
        each = strength[self.slot]
        mean = (sums.sum(axis=1) + each * total / n) / (rows.sum(axis=1) + each)
        unknown = np.full(len(strength), total / n)
        prior = (total - in_fold) / np.maximum(n - self.rows_in_fold, 1e-12)
        others = sums.sum(axis=1, keepdims=True) - sums + each[:, None] * prior
        others /= rows.sum(axis=1, keepdims=True) - rows + each[:, None]
        return np.concatenate([mean, unknown]), others[self.place, self.fold]

    def _strength(self, sums: Floats, squares: float, mean: float) -> Floats:
        """Return, by slot, how many rows the mean of all counts for: variance within / between."""
        s = self.place.shape[1]
        rows, n = self.rows.sum(axis=1), float(self.weight.sum())
        groups = np.bincount(self.slot, minlength=s)
        explained = np.bincount(self.slot, sums**2 / np.maximum(rows, 1e-12), s)
        within = np.maximum(squares - explained, 1e-9) / np.maximum(n - groups, 1.0)
        room = n - np.bincount(self.slot, rows**2, s) / n
        between = (explained - n * mean**2 - (groups - 1) * within) / np.maximum(room, 1e-9)
        strength: Floats = within / np.maximum(between, 1e-12)
        return strength.clip(_LEAST_PRIOR, _MOST_PRIOR)

    def log_counts(self) -> tuple[Floats, Floats]:
        """Return log1p of the rows of each key and slot, and for a row of the rows beside it."""
        rows = self.rows.sum(axis=1)
        own = np.maximum(rows[self.place] - self.weight[:, None], 0.0)
        known = np.concatenate([rows, np.zeros(self.place.shape[1])])
        return np.log1p(known), np.log1p(own)


def merged(tables: Sequence[KeyTable]) -> tuple[KeyTable, list[Ints]]:
    """Return one table with the values of all tables side by side.

    Returns
    -------
    KeyTable
        Every slot of any table, every key of any table.
    list of ndarray
        For each table, where its columns are among those of the whole.
    """
    specs = sorted({spec for t in tables for spec in t.slots.specs()}, key=lambda s: (s[1] >= 0, s))
    sizes: dict[int, int] = {}
    for t in tables:
        sizes |= dict(zip(t.slots.left.tolist(), t.slots.left_size.tolist(), strict=True))
        sizes |= dict(zip(t.slots.right.tolist(), t.slots.right_size.tolist(), strict=True))
    slots = Slots.of([a for a, b in specs if b < 0], [p for p in specs if p[1] >= 0], sizes)
    moved = [_moved_keys(t, slots) for t in tables]
    known = np.unique(np.concatenate(moved))
    width = sum(t.width for t in tables)
    values = np.zeros((len(known) + len(slots), width), np.float32)
    places, first = [], 0
    for t, keys in zip(tables, moved, strict=True):
        at = slice(first, first + t.width)
        to = np.array([specs.index(spec) for spec in t.slots.specs()])
        unknown = np.zeros((len(slots), t.width), np.float32)
        unknown[to] = t.values[len(keys) :]
        values[: len(known), at] = unknown[np.searchsorted(slots.base, known, side="right") - 1]
        values[np.searchsorted(known, keys), at] = t.values[: len(keys)]
        values[len(known) :, at] = unknown
        places.append((to[:, None] * width + first + np.arange(t.width)).ravel())
        first += t.width
    return KeyTable(slots, np.append(known, np.inf), values), places


def mean_of(tables: Sequence[KeyTable], count: int) -> KeyTable:
    """Return the sum of tables of equal width over `count`; what a table lacks is unknown to it."""
    whole, _ = merged(tables)
    parts = whole.values.reshape(len(whole.values), -1, tables[0].width)
    return KeyTable(whole.slots, whole.known, parts.sum(axis=1) / np.float32(count))


def _moved_keys(table: KeyTable, slots: Slots) -> Floats:
    """Return the known keys of a table as `slots` would make them."""
    keys, own = table.known[:-1], table.slots
    slot = np.searchsorted(own.base, keys, side="right") - 1
    to = np.array([slots.specs().index(spec) for spec in own.specs()], np.int64)
    shifted: Floats = keys - own.base[slot] + slots.base[to[slot]]
    return shifted
