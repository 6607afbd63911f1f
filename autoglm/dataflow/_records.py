"""Records and nested values to the columns of a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from autoglm.core.errors import DataError
from autoglm.core.text import say
from autoglm.dataflow._limits import ReadLimits
from autoglm.dataflow._names import repair_names
from autoglm.dataflow._typed import nested_note, typed_column

Named = list[tuple[Any, Sequence[Any]]]


def records_frame(records: Sequence[Any], limits: ReadLimits) -> tuple[pd.DataFrame, list[str]]:
    """Make a frame of records; a nested record gives one column a field, named ``a.b``.

    Raises
    ------
    DataError
        When an element is not a record, or there are too many columns.
    """
    keys: dict[Any, None] = {}
    for number, record in enumerate(records, 1):
        if not isinstance(record, Mapping):
            raise _not_a_record(number, record)
        keys.update(dict.fromkeys(record))
    limits.check_cells(len(records), len(keys))
    named: Named = []
    for key in keys:
        values = [record.get(key) for record in records]
        named += _flattened(key, values) if _any_record(values) else [(key, values)]
    limits.check_cells(len(records), len(named))
    return columns_frame(named, limits)


def columns_frame(named: Named, limits: ReadLimits) -> tuple[pd.DataFrame, list[str]]:
    """Make a frame of named columns of Python values.

    Raises
    ------
    DataError
        When their lengths differ.
    """
    lengths = {len(values) for _, values in named}
    if len(lengths) > 1:
        raise DataError(
            say(
                en=f"The columns have different lengths: {_lengths(named)}.",
                zh=f"各列长度不同:{_lengths(named)}。",
            ),
            hint=say(en="Give columns of equal length.", zh="请给出等长的列。"),
        )
    limits.check_cells(max(lengths, default=0), len(named))
    names, notes = repair_names(name for name, _ in named)
    columns = {}
    nested = []
    for name, (_, values) in zip(names, named, strict=True):
        columns[name] = _series(values)
        if any(isinstance(v, Mapping | list | tuple | set) for v in values):
            nested.append(name)
    if nested:
        notes.append(nested_note(nested))
    return pd.DataFrame(columns), notes


def _series(values: Sequence[Any]) -> pd.Series:
    column = typed_column(values)
    return pd.Series(column, dtype=column.dtype)


def rows_frame(rows: Sequence[Sequence[Any]], limits: ReadLimits) -> tuple[pd.DataFrame, list[str]]:
    """Make a frame of rows that are lists; the first names the columns when it is all text.

    Raises
    ------
    DataError
        When the rows have different lengths.
    """
    first = rows[0]
    others = [v for row in rows[1:200] for v in row]
    named = all(isinstance(v, str) for v in first) and not all(isinstance(v, str) for v in others)
    if len({len(row) for row in rows}) > 1:
        odd = next(i for i, row in enumerate(rows, 1) if len(row) != len(first))
        raise DataError(
            say(
                en=f"Row {odd} has {len(rows[odd - 1])} values, the first has {len(first)}.",
                zh=f"第 {odd} 行有 {len(rows[odd - 1])} 个值,第一行有 {len(first)} 个。",
            ),
            hint=say(en="Give rows of equal length.", zh="请给出等长的行。"),
        )
    limits.check_cells(len(rows), len(first))
    names = list(first) if named else [f"column {i + 1}" for i in range(len(first))]
    columns = list(zip(*rows[int(named) :], strict=True)) or [()] * len(first)
    return columns_frame(list(zip(names, columns, strict=True)), limits)


def _any_record(values: Sequence[Any]) -> bool:
    return any(isinstance(v, Mapping) for v in values)


def _flattened(key: Any, values: Sequence[Any]) -> Named:
    inner: dict[Any, None] = {}
    for value in values:
        if isinstance(value, Mapping):
            inner.update(dict.fromkeys(value))
    named: Named = [
        (f"{key}.{k}", [v.get(k) if isinstance(v, Mapping) else None for v in values])
        for k in inner
    ]
    if any(v is not None and not isinstance(v, Mapping) for v in values):
        named.insert(0, (key, [None if isinstance(v, Mapping) else v for v in values]))
    return named


def _lengths(named: Named) -> str:
    return ", ".join(f"{name} {len(values)}" for name, values in named[:6])


def _not_a_record(number: int, record: Any) -> DataError:
    kind = type(record).__name__
    return DataError(
        say(en=f"Element {number} is a {kind}, not a record.",
            zh=f"第 {number} 个元素是 {kind},不是记录。"),
        hint=say(
            en='Give a list of records such as [{"x": 1}, {"x": 2}].',
            zh='请给出记录的列表,如 [{"x": 1}, {"x": 2}]。',
        ),
    )  # fmt: skip
