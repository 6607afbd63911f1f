"""Rows in any accepted form, as one sequence of cells for each wanted column."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from autoglm.core.errors import DataError
from autoglm.core.text import say
from autoglm.dataflow._distinct import cells_of
from autoglm.dataflow.parse import Cells

#: A pandas frame, a list of records, a mapping of columns, or one record.
Rows = pd.DataFrame | Sequence[Mapping[str, Any]] | Mapping[str, Any]
#: Up to this many rows of a frame are taken cell by cell, which costs less than by column.
_FEW = 64


def take_cells(rows: Rows, names: Sequence[str]) -> tuple[list[Cells], int]:
    """Return the cells of each named column, and the number of rows.

    Raises
    ------
    DataError
        When a column is not there, columns differ in length, or `rows` is of no accepted form.
    """
    if not isinstance(rows, (pd.DataFrame, Mapping, list, tuple)) and hasattr(rows, "to_pandas"):
        rows = rows.to_pandas()
    if isinstance(rows, pd.DataFrame):
        return _of_frame(rows, names), len(rows)
    if isinstance(rows, Mapping):
        return _of_mapping(rows, names)
    if isinstance(rows, (list, tuple)) and all(isinstance(row, Mapping) for row in rows):
        return _of_records(rows, names), len(rows)
    raise DataError(
        say(en=f"Rows of type {type(rows).__name__} cannot be read.",
            zh=f"无法读取类型为 {type(rows).__name__} 的行。"),
        hint=say(en="Give a data frame, a list of records, or a mapping of columns.",
                 zh="请提供数据框、记录列表或列的映射。"),
    )  # fmt: skip


def missing_columns(wanted: Sequence[str], given: Sequence[str]) -> DataError:
    """Return the error that names absent columns and what is nearest to them."""
    near: list[str] = []
    lowered = {g.casefold(): g for g in reversed(given)}
    for name in wanted[:5]:
        found = difflib.get_close_matches(name.casefold(), list(lowered), n=2, cutoff=0.6)
        near += [lowered[f] for f in found]
    listed = ", ".join(repr(name) for name in wanted[:5]) + (" …" if len(wanted) > 5 else "")
    close = ", ".join(repr(name) for name in dict.fromkeys(near))
    there = ", ".join(map(repr, given[:12]))
    return DataError(
        say(en=f"There is no column {listed}.", zh=f"没有这一列:{listed}。"),
        hint=say(en=f"Did you mean {close}?", zh=f"是否指 {close}?")
        if near
        else say(en=f"The table has: {there}.", zh=f"表中有:{there}。"),
    )


def _of_frame(frame: pd.DataFrame, names: Sequence[str]) -> list[Cells]:
    labels = frame.columns.tolist()
    at = {label if type(label) is str else str(label): i for i, label in enumerate(labels)}
    absent = [name for name in names if name not in at]
    if absent:
        raise missing_columns(absent, list(at))
    if len(frame) <= _FEW:
        cells = frame.to_numpy(dtype=object)
        return [cells[:, at[name]] for name in names]
    return [_cells(frame.iloc[:, at[name]]) for name in names]


def _cells(series: pd.Series[Any]) -> Cells:
    values, dtype = cells_of(series)
    return series.to_numpy(dtype=object) if dtype == "category" else values


def _of_mapping(columns: Mapping[str, Any], names: Sequence[str]) -> tuple[list[Cells], int]:
    absent = [name for name in names if name not in columns]
    if absent:
        raise missing_columns(absent, list(map(str, columns)))
    if not any(is_column(columns[name]) for name in names):
        return [[columns[name]] for name in names], 1
    cells: list[Cells] = []
    for name in names:
        value = columns[name]
        if isinstance(value, pd.Series):
            value = _cells(value)
        cells.append(value if isinstance(value, np.ndarray) else _listed(value, name))
    lengths = {len(c) for c in cells}
    if len(lengths) > 1:
        raise DataError(
            say(en=f"The columns differ in length: {sorted(lengths)}.",
                zh=f"各列长度不一致:{sorted(lengths)}。"),
            hint=say(en="Give one value a row in every column.", zh="每列每行须有一个值。"),
        )  # fmt: skip
    return cells, lengths.pop() if lengths else 0


def _listed(value: Any, name: str) -> list[Any]:
    if is_column(value):
        return list(value)
    raise DataError(
        say(en=f"Column {name!r} is not a list of values.", zh=f"列 {name!r} 不是值的列表。"),
        hint=say(en="Give a list for each column, or a single value for each.",
                 zh="请为每列都提供列表,或都只提供一个值。"),
    )  # fmt: skip


def is_column(value: Any) -> bool:
    """Return whether a value of a mapping is a column and not one cell."""
    return isinstance(value, (list, tuple, np.ndarray, pd.Series)) or (
        hasattr(value, "__len__") and hasattr(value, "__iter__") and hasattr(value, "dtype")
    )


def _of_records(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[Cells]:
    if not rows:
        return [[] for _ in names]
    absent = [n for n in names if n not in rows[0] and not any(n in row for row in rows)]
    if absent:
        raise missing_columns(absent, list(map(str, rows[0])))
    return [[row.get(name) for row in rows] for name in names]
