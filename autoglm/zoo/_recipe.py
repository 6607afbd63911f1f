"""Columns that a member adds to its view: learned from its own training rows, for itself alone.

A recipe is named by words joined with "+":

target      smoothed mean of the target and number of rows of every category
cross       the same of the pairs of categories that interact most
arithmetic  differences, products and ratios of the numbers that matter most
gaps        number of missing cells in the row
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.zoo._arrays import dump_arrays, load_arrays
from autoglm.zoo._keys import KeyTable, merged

Ints = NDArray[np.int64]
Matrix = NDArray[np.float32]

WORDS = ("target", "cross", "arithmetic", "gaps")
MINUS, TIMES, OVER = 0, 1, 2


@dataclass(frozen=True)
class Arithmetic:
    """Differences, products and ratios of pairs of columns, in this order.

    Attributes
    ----------
    first, second
        (m,) columns of the view.
    counts
        How many differences, products and ratios there are; they sum to m.
    """

    first: Ints
    second: Ints
    counts: tuple[int, int, int]

    @classmethod
    def of(cls, wanted: Sequence[tuple[int, int, int]]) -> Arithmetic:
        """Return the arithmetic of (operation, first, second) triples, sorted."""
        table = np.array(sorted(set(wanted)), np.int64).reshape(-1, 3)
        minus, times, over = (int((table[:, 0] == op).sum()) for op in (MINUS, TIMES, OVER))
        return cls(table[:, 1].copy(), table[:, 2].copy(), (minus, times, over))

    def triples(self) -> list[tuple[int, int, int]]:
        """Return (operation, first, second) of each column."""
        ops = np.repeat((MINUS, TIMES, OVER), self.counts).tolist()
        return list(zip(ops, self.first.tolist(), self.second.tolist(), strict=True))

    def __call__(self, X: Matrix) -> Matrix:
        """Return the columns (n, m); what is not finite is missing."""
        a, b = X[:, self.first], X[:, self.second]
        out = np.empty_like(a)
        i, j = self.counts[0], self.counts[0] + self.counts[1]
        with np.errstate(all="ignore"):
            np.subtract(a[:, :i], b[:, :i], out[:, :i])
            np.multiply(a[:, i:j], b[:, i:j], out[:, i:j])
            np.divide(a[:, j:], b[:, j:], out[:, j:])
        out[~np.isfinite(out)] = np.nan
        return out


@dataclass(frozen=True)
class Recipe:
    """Fitted extra columns: those of keys, of arithmetic, and the number of gaps.

    Attributes
    ----------
    width
        Columns of the view.
    keys, arithmetic
        None without such columns.
    gaps
        Columns of the view whose missing cells are counted; empty for no such column.
    """

    width: int
    keys: KeyTable | None
    arithmetic: Arithmetic | None
    gaps: Ints

    @property
    def columns(self) -> int:
        """Number of extra columns."""
        keys = self.keys.columns if self.keys else 0
        return keys + (len(self.arithmetic.first) if self.arithmetic else 0) + bool(len(self.gaps))

    def append(self, X: NDArray[Any], keys: Matrix | None = None) -> Matrix:
        """Return rows of the view (n, p) with the extra columns behind (n, p + e).

        Parameters
        ----------
        X
            Rows of the tree view.
        keys
            Values of the rows' keys where they are not those of the table: the training
            rows'.

        Raises
        ------
        ValueError
            When the rows are not those of the view.
        """
        X = np.asarray(X, dtype=np.float32)
        if X.shape[1] != self.width:
            raise ValueError(f"{X.shape[1]} columns where the recipe has {self.width}")
        parts = [X]
        if self.keys is not None:
            parts.append(self.keys.lookup(X) if keys is None else keys)
        if self.arithmetic is not None:
            parts.append(self.arithmetic(X))
        if len(self.gaps):
            missing = np.isnan(X[:, self.gaps]).sum(axis=1, dtype=np.float32)
            parts.append(missing[:, None])
        return np.concatenate(parts, axis=1)

    def sources(self) -> list[tuple[int, ...]]:
        """Return the columns of the view that each extra column is made of."""
        found: list[tuple[int, ...]] = []
        if self.keys is not None:
            for a, b in self.keys.slots.specs():
                found += [(a,) if b < 0 else (a, b)] * self.keys.width
        if self.arithmetic is not None:
            found += [(a, b) for _, a, b in self.arithmetic.triples()]
        return found + ([tuple(self.gaps.tolist())] if len(self.gaps) else [])

    @property
    def row_us(self) -> float:
        """About 0.1 microseconds a key and a hundredth a column, in a batch."""
        slots = len(self.keys.slots) if self.keys else 0
        return 0.1 * slots + 0.01 * self.columns

    def dump(self) -> dict[str, bytes]:
        """Return the recipe as files."""
        arrays: dict[str, NDArray[Any]] = {"gaps": self.gaps}
        if self.keys is not None:
            arrays |= self.keys.arrays()
        if self.arithmetic is not None:
            arrays["arithmetic"] = np.array(self.arithmetic.triples(), np.int64)
        return dump_arrays({"width": self.width}, arrays)

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Recipe:
        """Read what `dump` wrote.

        Raises
        ------
        ValueError
            When the files are not those of a recipe.
        """
        header, arrays = load_arrays(files)
        try:
            keys = KeyTable.load(arrays) if "known" in arrays else None
            arithmetic = None
            if "arithmetic" in arrays:
                arithmetic = Arithmetic.of([tuple(t) for t in arrays["arithmetic"].tolist()])
            found = cls(int(header["width"]), keys, arithmetic, arrays["gaps"].astype(np.int64))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a recipe: {error!r}") from error
        used = {c for source in found.sources() for c in source}
        if used and not 0 <= min(used) <= max(used) < found.width:
            raise ValueError("the recipe names columns that the view does not have")
        return found


def merge_recipes(recipes: Sequence[Recipe]) -> tuple[Recipe, list[Ints]]:
    """Return one recipe with the columns of all, what is the same only once.

    Returns
    -------
    Recipe
        The whole.
    list of ndarray
        For each recipe (p + e,): where its columns are among those of the whole.
    """
    width = recipes[0].width
    with_keys = [r.keys for r in recipes if r.keys is not None]
    keys, key_places = merged(with_keys) if with_keys else (None, [])
    triples = sorted({t for r in recipes if r.arithmetic for t in r.arithmetic.triples()})
    gaps = next((r.gaps for r in recipes if len(r.gaps)), np.zeros(0, np.int64))
    whole = Recipe(width, keys, Arithmetic.of(triples) if triples else None, gaps)
    after_keys = width + (keys.columns if keys else 0)
    rest, places = iter(key_places), []
    for r in recipes:
        parts = [np.arange(width)]
        if r.keys is not None:
            parts.append(width + next(rest))
        if r.arithmetic is not None:
            own = [triples.index(t) for t in r.arithmetic.triples()]
            parts.append(after_keys + np.array(own, np.int64))
        if len(r.gaps):
            parts.append(np.array([after_keys + len(triples)]))
        places.append(np.concatenate(parts))
    return whole, places
