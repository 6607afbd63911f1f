"""The cells of a single row, whatever it comes in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from autoglm.dataflow._rows import is_column

#: Types of most cells: a mapping that holds only these is one row and no mapping of columns.
_SCALARS = frozenset(
    {str, int, float, bool, type(None), np.float64, np.float32, np.int64, np.int32, np.bool_}
)


class RowCells:
    """Takes the cells of one row in a fixed order.

    Parameters
    ----------
    names
        The columns that are wanted, at least one.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._get = itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
        # Labels of the last frame and where the wanted ones are: frames of one kind follow
        # each other. Replaced as a whole, so that threads cannot see half of it.
        self._last: tuple[pd.Index, Any] | None = None

    def of_mapping(self, row: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Return the cells of a mapping of scalars; None when it holds columns or lacks some."""
        cells = self.of_record(row)
        if cells is None or _SCALARS.issuperset(map(type, cells)):
            return cells
        return None if any(map(is_column, cells)) else cells

    def of_record(self, row: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Return the cells of a record; None when it lacks some."""
        # Mappings of other kinds may make up what they do not have.
        if type(row) is not dict and any(name not in row for name in self._names):
            return None
        try:
            return self._get(row)
        except KeyError:
            return None

    def of_frame(self, frame: pd.DataFrame) -> Sequence[Any] | None:
        """Return the cells of a frame of one row; None when it lacks some."""
        labels, last = frame.columns, self._last
        if last is None or not labels.is_(last[0]):
            at = {str(label): i for i, label in enumerate(labels.tolist())}
            if any(name not in at for name in self._names):
                return None
            places = [at[name] for name in self._names]
            last = self._last = (labels, places)
        cells = _cells_of(frame)
        return [cells[i] for i in last[1]]


def _cells_of(frame: pd.DataFrame) -> list[Any]:
    """Return all cells of a frame of one row.

    Frames keep columns of one type together. Looked at block by block a frame of many types
    costs a third of what `DataFrame.to_numpy` does.
    """
    blocks = getattr(getattr(frame, "_mgr", None), "blocks", None)
    if blocks is None:
        listed: list[Any] = frame.to_numpy(dtype=object)[0].tolist()
        return listed
    cells: list[Any] = [None] * frame.shape[1]
    for block in blocks:
        values = block.values
        if isinstance(values, np.ndarray):
            found = values[:, 0].tolist()
        else:
            found = list(values[:, 0]) if values.ndim == 2 else [values[0]]
        for place, cell in zip(block.mgr_locs, found, strict=True):
            cells[place] = cell
    return cells
