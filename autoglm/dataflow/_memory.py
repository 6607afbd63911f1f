"""Tables that are in memory already: pandas, polars, Arrow, numpy, lists and mappings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from autoglm.core.errors import DataError
from autoglm.core.text import say
from autoglm.dataflow._arrow import arrow_column, arrow_frame
from autoglm.dataflow._limits import ReadLimits
from autoglm.dataflow._names import repair_names
from autoglm.dataflow._records import columns_frame, records_frame, rows_frame
from autoglm.dataflow._typed import typed_column

_PLAIN = (str, bool, int, float, type(None), np.integer, np.floating, np.bool_)


def read_memory(source: Any, limits: ReadLimits) -> tuple[pd.DataFrame, str, list[str]]:
    """Return a frame of an object in memory; the object is not changed.

    Returns
    -------
    frame, source, notes

    Raises
    ------
    DataError
        When the object is no table.
    """
    if isinstance(source, pd.Series):
        source = source.to_frame()
    if isinstance(source, pd.DataFrame):
        frame, notes = _from_pandas(source, limits)
        return frame, "pandas", notes
    if hasattr(source, "collect") and hasattr(source, "lazy"):
        source = source.collect()  # a lazy polars frame
    if isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    kind = type(source).__module__.partition(".")[0]
    if hasattr(source, "__arrow_c_stream__"):
        frame, notes = arrow_frame(pa.table(source), limits)
        return frame, kind, notes
    if isinstance(source, np.ndarray):
        frame, notes = _from_array(source, limits)
        return frame, kind, notes
    frame, notes = _from_values(source, limits)
    return frame, type(source).__name__, notes


def _from_pandas(frame: pd.DataFrame, limits: ReadLimits) -> tuple[pd.DataFrame, list[str]]:
    limits.check_cells(len(frame), len(frame.columns))
    notes = []
    if any(name is not None for name in frame.index.names):
        frame = frame.rename_axis(columns=None).reset_index(allow_duplicates=True)
        notes.append(say(en="The named index was made a column.", zh="已把有名称的索引变为列。"))
    names, more = repair_names(
        ".".join(map(str, name)) if isinstance(name, tuple) else name for name in frame.columns
    )
    columns = {name: _plain_series(frame.iloc[:, i]) for i, name in enumerate(names)}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(frame))), [*notes, *more]


def _plain_series(series: pd.Series) -> pd.Series:
    """Return a column as numpy, `str` or categorical values; object cells are made plain."""
    series = series.reset_index(drop=True)
    kind: Any = series.dtype
    if isinstance(kind, pd.CategoricalDtype | pd.StringDtype) and kind.na_value is not pd.NA:
        return series
    if isinstance(kind, pd.CategoricalDtype):
        return series
    if isinstance(kind, pd.DatetimeTZDtype):
        utc: pd.Series = series.dt.tz_convert(None)
        return utc
    if isinstance(kind, pd.SparseDtype):
        return _plain_series(pd.Series(np.asarray(series)))
    if not isinstance(kind, np.dtype):
        if isinstance(kind, pd.PeriodDtype | pd.IntervalDtype):
            series = series.astype(str)
        return arrow_column(pa.chunked_array([pa.array(series, from_pandas=True)]))
    if kind.kind in "biufM":
        return series
    values = series.to_numpy()
    if kind.kind == "O" and all(isinstance(v, _PLAIN) for v in values):
        return series
    cells = [None if v is pd.NaT or v is pd.NA else v for v in series]
    column = typed_column(cells)
    return pd.Series(column, dtype=column.dtype)


def _from_array(array: np.ndarray[Any, Any], limits: ReadLimits) -> tuple[pd.DataFrame, list[str]]:
    if array.dtype.names:
        return columns_frame([(n, array[n].tolist()) for n in array.dtype.names], limits)
    if array.ndim == 1:
        array = array.reshape(-1, 1)
    if array.ndim != 2:
        raise DataError(
            say(en=f"An array of {array.ndim} dimensions is no table.",
                zh=f"{array.ndim} 维数组不是表格。"),
            hint=say(en="Give an array of shape (rows, columns).",
                     zh="请给出形状为(行数, 列数)的数组。"),
        )  # fmt: skip
    limits.check_cells(*array.shape)
    columns = {
        f"column {i + 1}": _plain_series(pd.Series(array[:, i])) for i in range(len(array.T))
    }
    return pd.DataFrame(columns), []


def _from_values(source: Any, limits: ReadLimits) -> tuple[pd.DataFrame, list[str]]:
    if isinstance(source, Mapping):
        named = {k: v for k, v in source.items() if hasattr(v, "__len__") and not _scalar(v)}
        if source and not named:
            return records_frame([source], limits)
        if len(named) == len(source):
            return columns_frame([(k, _values(v)) for k, v in source.items()], limits)
        raise _no_table("dict", say(en="some values are lists, some are not", zh="值的形式不一致"))
    if isinstance(source, Iterator):
        source = list(source)
    if not isinstance(source, Sequence) or _scalar(source):
        raise _no_table(type(source).__name__, say(en="it has no rows", zh="没有行"))
    if source and all(isinstance(row, list | tuple) for row in source):
        return rows_frame(source, limits)
    return records_frame(source, limits)


def _scalar(value: Any) -> bool:
    return isinstance(value, str | bytes | bytearray)


def _values(column: Any) -> Sequence[Any]:
    """Return a column's values as Python objects."""
    if hasattr(column, "to_list"):
        return list(column.to_list())
    return list(column.tolist() if hasattr(column, "tolist") else column)


def _no_table(kind: str, reason: str) -> DataError:
    return DataError(
        say(en=f"A {kind} is no table: {reason}.", zh=f"{kind} 不是表格:{reason}。"),
        hint=say(
            en="Give a path, a frame, a list of records or a mapping of columns.",
            zh="请给出路径、数据框、记录列表或由列组成的映射。",
        ),
    )
