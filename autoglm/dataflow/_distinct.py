"""The distinct cells of a column: everything a profile needs is found on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_SAMPLE = 100


@dataclass(frozen=True)
class Distinct:
    """Distinct cells, numbered in order of appearance.

    Attributes
    ----------
    codes
        int64 (n,) number of each cell's value; -1 where it has none.
    uniques
        (u,) values: an array for typed columns, else Python objects.
    counts
        int64 (u,) cells of each.
    dtype
        "number", "boolean", "date" or "category" for typed columns, else "object".
    memory_mb
        Estimated size of the column in memory.
    """

    codes: NDArray[np.int64]
    uniques: NDArray[Any] | list[Any]
    counts: NDArray[np.int64]
    dtype: str
    memory_mb: float

    @property
    def n_missing(self) -> int:
        """Cells without a value."""
        return len(self.codes) - int(self.counts.sum())

    def fingerprint(self) -> int:
        """Return a number that is equal for equal columns and hardly ever for others."""
        if isinstance(self.uniques, np.ndarray):
            return hash((self.codes.tobytes(), self.uniques.tobytes()))
        return hash((self.codes.tobytes(), *map(str, self.uniques[:3] + self.uniques[-3:])))

    def same_values(self, other: Distinct) -> bool:
        """Return whether the distinct values are equal, in the same order."""
        if len(self.uniques) != len(other.uniques):
            return False
        if isinstance(self.uniques, np.ndarray) and isinstance(other.uniques, np.ndarray):
            return bool(np.array_equal(self.uniques, other.uniques))
        return list(self.uniques) == list(other.uniques)


def distinct_of(series: pd.Series[Any]) -> Distinct:
    """Return the distinct cells of a column; blank text is missing.

    Cells that cannot be compared (lists, mappings) are taken as text.
    """
    values, dtype = cells_of(series)
    if dtype == "category":
        return _of_categories(series)
    try:
        codes, uniques = pd.factorize(values)
    except TypeError:
        as_text = [v if v is None or isinstance(v, float) else str(v) for v in values.tolist()]
        codes, uniques = pd.factorize(np.array(as_text, dtype=object))
    codes = codes.astype(np.int64, copy=False)
    if dtype == "object":
        return _without_blanks(codes, uniques.tolist(), len(series))
    counts = np.bincount(codes[codes >= 0], minlength=len(uniques))
    return Distinct(codes, uniques, counts, dtype, values.nbytes / 1e6)


def cells_of(series: pd.Series[Any]) -> tuple[NDArray[Any], str]:
    """Return the cells as an array, and "number", "boolean", "date", "category" or "object".

    Dates with a time zone are brought to UTC.
    """
    dtype: Any = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return np.empty(0), "category"
    if isinstance(dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
        return series.to_numpy(), "date"
    if isinstance(dtype, np.dtype):
        kind = {"b": "boolean", "M": "date"}.get(dtype.kind)
        if kind is None:
            kind = "number" if dtype.kind in "iufm" else "object"
        return series.to_numpy(), kind
    nothing: Any = None  # taken by pandas for na_value, though its stubs do not know
    return series.to_numpy(dtype=object, na_value=nothing), "object"


def _of_categories(series: pd.Series[Any]) -> Distinct:
    codes = series.cat.codes.to_numpy().astype(np.int64)
    counts = np.bincount(codes[codes >= 0], minlength=len(series.cat.categories))
    used = np.flatnonzero(counts)
    renumber = np.full(len(counts) + 1, -1, dtype=np.int64)
    renumber[used] = np.arange(len(used))
    uniques = series.cat.categories.to_numpy(dtype=object)[used].tolist()
    return Distinct(renumber[codes], uniques, counts[used], "category", len(codes) / 1e6)


def _without_blanks(codes: NDArray[np.int64], uniques: list[Any], n_rows: int) -> Distinct:
    blank = [i for i, u in enumerate(uniques) if isinstance(u, str) and (not u or u.isspace())]
    if blank:
        keep = np.ones(len(uniques) + 1, dtype=bool)
        keep[blank] = False
        renumber = np.where(keep, np.cumsum(keep) - 1, -1)
        renumber[-1] = -1
        codes = renumber[codes]
        uniques = [u for u, kept in zip(uniques, keep[:-1].tolist(), strict=True) if kept]
    counts = np.bincount(codes[codes >= 0], minlength=len(uniques))
    sample = uniques[:_SAMPLE]
    mean_bytes = 57 + 2 * sum(len(str(u)) for u in sample) / max(1, len(sample))
    return Distinct(codes, uniques, counts, "object", n_rows * mean_bytes / 1e6)
