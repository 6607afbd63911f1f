"""A table as typed columns: the form between cleaning and encoding.

Rows arrive as a pandas frame, a list of records or a mapping of lists; cleaning turns each
wanted column into one canonical array, the same way in training and in prediction, without
pandas on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

#: Kinds of column.
#:
#: number    float64, NaN where missing (infinities are missing).
#: boolean   float64 0/1, NaN where missing.
#: date      float64 seconds since 1970-01-01 UTC, NaN where missing.
#: category  object array of str, None where missing.
#: text      object array of str, None where missing; free text, several words or many characters.
#: id        object array of str; names rows, says nothing of them.
#: constant  one value or none.
Kind = Literal["number", "boolean", "date", "category", "text", "id", "constant"]

NUMERIC_KINDS: frozenset[str] = frozenset({"number", "boolean", "date"})


@dataclass(frozen=True)
class Column:
    """One canonical column: its kind and its values, as described at `Kind`."""

    kind: Kind
    values: NDArray[Any]


@dataclass(frozen=True)
class Columns:
    """Canonical columns of equal length, by name, in table order."""

    by_name: Mapping[str, Column]
    n_rows: int

    def __iter__(self) -> Iterator[tuple[str, Column]]:
        return iter(self.by_name.items())

    def __getitem__(self, name: str) -> Column:
        return self.by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self.by_name

    def take(self, rows: NDArray[Any]) -> Columns:
        """Return the given rows, by number or by mask."""
        taken = {n: Column(c.kind, c.values[rows]) for n, c in self.by_name.items()}
        return Columns(taken, len(np.arange(self.n_rows)[rows]))
