"""Piecewise-linear functions of numbers and their products, by which a linear model bends.

Every number is cut at quantiles; each piece is a ramp from 0 to 1, and one ramp spans them
all. Ridge coefficients of ramps are the steps of a random walk: a curve through the knots,
flat beyond the outermost. The encoding is that of Gorishniy, Rubachev and Babenko, "On
Embeddings for Numerical Features in Tabular Deep Learning" (2022). Pairs of columns are
chosen by what they explain of the residual, as in Lou et al., "Accurate Intelligible Models
with Pairwise Interactions" (2013).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]

_SAMPLE = 20_000
_RARE_GAPS = 0.005
_LEAST_SPREAD = 0.02
#: Pieces of a number, marks of a category, within a pair; cells a column is cut into to choose.
COARSE, _MARKS, _CELLS = 3, 8, 8
_MOST_COLUMNS, _CHOICE_ROWS, _MOST_TARGETS = 40, 10_000, 6
#: A cell counts as if it held so many more rows of no effect.
_PRIOR = 10.0
#: Standard errors by which a pair must explain more than chance.
_LEAST_Z = 3.0


@dataclass(frozen=True)
class Basis:
    """Ramps and marks of gaps.

    Attributes
    ----------
    source, start, slope
        (b,) column of each ramp, where it leaves 0, and how fast it rises to 1.
    centre, size
        (b,) mean of each ramp over the rows that it was made from, and its factor.
    gaps
        (g,) columns of which a further column says where they are missing.
    """

    source: Ints
    start: Matrix
    slope: Matrix
    centre: Matrix
    size: Matrix
    gaps: Ints

    @classmethod
    def fit(cls, X: NDArray[Any], columns: Sequence[int], pieces: int, bend: float) -> Basis:
        """Choose knots from the rows of a view.

        Parameters
        ----------
        X
            (n, p) rows, NaN where missing; targets are not looked at.
        columns
            The numbers among its columns.
        pieces
            Pieces of each number, fewer where it has few values.
        bend
            Weight of the pieces beside the ramp that spans them: small for nearly straight.
        """
        some = np.asarray(X[:: max(1, len(X) // _SAMPLE)], np.float32)
        ramps: list[tuple[int, float, float, float]] = []
        for j in columns:
            knots = _knots(some[:, j], pieces)
            if len(knots) > 1:
                ramps.append((j, knots[0], knots[-1], 1.0))
            if len(knots) > 2:
                weight = bend / np.sqrt(len(knots) - 1)
                ramps += [(j, a, b, weight) for a, b in itertools.pairwise(knots)]
        table = np.array(ramps, np.float64).reshape(-1, 4)
        start = table[:, 1].astype(np.float32)
        slope = (1.0 / np.maximum(table[:, 2] - table[:, 1], 1e-30)).astype(np.float32)
        gaps = [j for j in columns if np.isnan(some[:, j]).mean() > _RARE_GAPS]
        source, none = table[:, 0].astype(np.int64), np.zeros(len(table), np.float32)
        raw = cls(source, start, slope, none, none + 1, np.array(gaps, np.int64))
        values = raw.ramps(some)
        centre = np.nan_to_num(np.nanmean(values, axis=0)) if len(some) else none
        spread = np.nan_to_num(np.nanstd(values, axis=0)) if len(some) else none
        size = (table[:, 3] / np.maximum(spread, _LEAST_SPREAD)).astype(np.float32)
        return cls(source, start, slope, centre.astype(np.float32), size, raw.gaps)

    @property
    def columns(self) -> int:
        """Number of columns."""
        return len(self.source) + len(self.gaps)

    def ramps(self, X: NDArray[Any]) -> Matrix:
        """Return the bare ramps of rows (n, b), NaN in a gap."""
        ramps: Matrix = X[:, self.source]
        ramps -= self.start
        with np.errstate(over="ignore"):  # bounded below
            ramps *= self.slope
        np.clip(ramps, 0.0, 1.0, out=ramps)
        return ramps

    def __call__(self, X: NDArray[Any]) -> Matrix:
        """Return the columns of rows (n, p): (n, b + g) float32; a gap lies at the mean."""
        ramps = self.ramps(X)
        ramps -= self.centre
        ramps *= self.size
        ramps[ramps != ramps] = 0.0
        if not len(self.gaps):
            return ramps
        return np.concatenate([ramps, np.isnan(X[:, self.gaps]).astype(np.float32)], axis=1)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to store."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]]) -> Basis:
        """Return the basis that `arrays` describes.

        Raises
        ------
        ValueError
            When the arrays do not fit together.
        """
        found = cls(*(arrays[name] for name in cls.__dataclass_fields__))
        if len({len(a) for name, a in vars(found).items() if name != "gaps"}) != 1:
            raise ValueError("the ramps of the model do not fit together")
        return found

    def same(self, other: Basis) -> bool:
        """Return whether the other has the same columns."""
        pairs = zip(self.arrays().values(), other.arrays().values(), strict=True)
        return all(np.array_equal(a, b) for a, b in pairs)


def _knots(values: Matrix, pieces: int) -> list[float]:
    """Return the ends of the pieces: every value where there are few, else quantiles."""
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    if len(distinct) <= pieces + 1:
        return [float(v) for v in distinct]
    at = np.quantile(known, np.linspace(0, 1, pieces + 1))
    return [float(v) for v in np.unique(at.astype(np.float32))]


# --- products --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Products:
    """Products of coarse pieces and marks of pairs of columns.

    Attributes
    ----------
    basis
        Coarse pieces of the numbers in pairs.
    column, code
        (k,) marks: where a category column has a code.
    left, right
        (m,) factors of each product among the columns of `basis`, then the marks.
    """

    basis: Basis
    column: Ints
    code: Matrix
    left: Ints
    right: Ints

    @classmethod
    def fit(
        cls, X: NDArray[Any], pairs: Sequence[tuple[int, int]], categorical: Mapping[int, int]
    ) -> Products:
        """Return the products of pairs of columns; pieces and marks are chosen on all rows."""
        used = sorted({c for pair in pairs for c in pair})
        basis = Basis.fit(X, [c for c in used if c not in categorical], COARSE, np.sqrt(COARSE))
        marks = [(c, code) for c in used if c in categorical for code in _common(X[:, c])]
        column = np.array([c for c, _ in marks], np.int64)
        owner = np.concatenate([basis.source, basis.gaps, column])
        factors = [
            (i, j)
            for a, b in pairs
            for i in np.flatnonzero(owner == a).tolist()
            for j in np.flatnonzero(owner == b).tolist()
        ]
        left, right = np.array(factors, np.int64).reshape(-1, 2).T
        code = np.array([code for _, code in marks], np.float32)
        return cls(basis, column, code, left.copy(), right.copy())

    def __call__(self, X: NDArray[Any]) -> Matrix:
        """Return the products of rows (n, p): (n, m) float32."""
        factors = self.basis(X)
        if len(self.column):
            marks = X[:, self.column] == self.code
            factors = np.concatenate([factors, marks.astype(np.float32)], axis=1)
        products: Matrix = factors[:, self.left]
        products *= factors[:, self.right]
        return products

    def atoms(self) -> list[tuple[float, ...]]:
        """Return what each factor is, so that factors of two models can be compared."""
        b = self.basis
        ramps = zip(*(a.tolist() for a in (b.source, b.start, b.slope, b.centre, b.size)),
                    strict=True)  # fmt: skip
        gaps = [(c, np.inf) for c in b.gaps.tolist()]
        return [*ramps, *gaps, *zip(self.column.tolist(), self.code.tolist(), strict=True)]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to store."""
        own: dict[str, NDArray[Any]] = {
            "column": self.column, "code": self.code, "left": self.left, "right": self.right,
        }  # fmt: skip
        return own | {f"ramp_{name}": a for name, a in self.basis.arrays().items()}

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]]) -> Products:
        """Return the products that `arrays` describes."""
        ramps = {n.removeprefix("ramp_"): a for n, a in arrays.items() if n.startswith("ramp_")}
        own = (arrays[name] for name in ("column", "code", "left", "right"))
        return cls(Basis.load(ramps), *own)


def _common(values: NDArray[Any]) -> list[float]:
    """Return the most frequent codes of a category column."""
    codes, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    return [float(c) for c in np.sort(codes[np.argsort(-counts, kind="stable")[:_MARKS]])]


def merge_products(
    parts: Sequence[tuple[Products, Matrix]],
) -> tuple[Products, Matrix]:
    """Return the products of all parts and the sum of their coefficients (m, k)."""
    atoms = sorted({atom for p, _ in parts for atom in p.atoms()}, key=lambda a: (-len(a), a))
    place = {atom: i for i, atom in enumerate(atoms)}
    total: dict[tuple[int, int], Matrix] = {}
    for products, coef in parts:
        own = [place[atom] for atom in products.atoms()]
        for i, j, row in zip(products.left, products.right, coef, strict=True):
            key = (own[i], own[j])
            total[key] = total.get(key, np.zeros_like(row)) + row
    ramps = np.array([a for a in atoms if len(a) == 5], np.float64).reshape(-1, 5)
    rest = [a for a in atoms if len(a) == 2]
    gaps = [int(a[0]) for a in rest if a[1] == np.inf]
    marks = [a for a in rest if a[1] != np.inf]
    # Ramps come first, then gaps, then marks, as `Products` has them.
    order = {a: i for i, a in enumerate([*(a for a in atoms if len(a) == 5),
                                         *((c, np.inf) for c in gaps), *marks])}  # fmt: skip
    moved = [order[atom] for atom in atoms]
    start, slope, centre, size = ramps[:, 1:].T.astype(np.float32)
    source, missing = ramps[:, 0].astype(np.int64), np.array(gaps, np.int64)
    basis = Basis(source, start, slope, centre, size, missing)
    pairs = np.array([(moved[i], moved[j]) for i, j in total], np.int64).reshape(-1, 2)
    whole = Products(
        basis,
        np.array([int(a[0]) for a in marks], np.int64),
        np.array([a[1] for a in marks], np.float32),
        pairs[:, 0].copy(),
        pairs[:, 1].copy(),
    )
    return whole, np.array(list(total.values()), np.float32)


def interacting(
    X: Matrix, residual: Floats, categorical: Mapping[int, int], most: int, seed: int
) -> list[tuple[int, int]]:
    """Return the pairs of columns whose cells explain the residual beyond chance, best first.

    Parameters
    ----------
    X
        (n, p) training rows.
    residual
        (n, t) what an additive model leaves.
    categorical
        Category columns with their numbers of codes.
    most
        Pairs to return at most.
    seed
        Seed of the sample of rows.
    """
    rows = np.random.default_rng(seed).permutation(len(X))[:_CHOICE_ROWS]
    X, residual = X[rows], residual[rows]
    residual = residual[:, np.argsort(-residual.var(axis=0), kind="stable")[:_MOST_TARGETS]]
    cells = {j: _cells(X[:, j], j in categorical) for j in range(X.shape[1])}
    alone = {j: _z(c, residual) for j, c in cells.items() if c.max(initial=0) > 0}
    columns = sorted(sorted(alone, key=lambda j: -alone[j])[:_MOST_COLUMNS])
    width = _CELLS + 2
    found = [
        (_z(cells[a] * width + cells[b], residual), a, b)
        for a, b in itertools.combinations(columns, 2)
    ]
    found.sort(key=lambda f: (-f[0], f[1:]))
    return [(a, b) for z, a, b in found[:most] if z > _LEAST_Z]


def _cells(values: Matrix, category: bool) -> Ints:
    """Return the number of the cell of each value: frequent codes, or equal shares; then gaps."""
    gap = np.isnan(values)
    if category:
        codes = np.array(_common(values), np.float32)
        at = np.searchsorted(codes, values) if len(codes) else np.zeros(len(values), np.int64)
        known = codes[np.minimum(at, len(codes) - 1)] == values if len(codes) else gap & False
        return np.where(gap, _CELLS + 1, np.where(known, at, _CELLS)).astype(np.int64)
    known = values[~gap]
    distinct = np.unique(known)
    if len(distinct) <= _CELLS:
        cuts = (distinct[1:] + distinct[:-1]) / 2
    else:
        cuts = np.unique(np.quantile(known, np.arange(1, _CELLS) / _CELLS))
    return np.where(gap, _CELLS + 1, np.searchsorted(cuts, values)).astype(np.int64)


def _z(cell: Ints, residual: Floats) -> float:
    """Return by how many standard errors cells explain more of the residual than chance."""
    rows = np.bincount(cell)
    trust = rows / (rows + _PRIOR)
    sums = np.stack([np.bincount(cell, column) for column in residual.T])
    explained = float((sums**2 / (rows + _PRIOR)).sum())
    variance = max(float(residual.var(axis=0).sum()), 1e-12)
    expected = float(trust.sum())
    return (explained / variance - expected) / float(np.sqrt(2 * expected))
