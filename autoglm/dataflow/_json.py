"""JSON in its usual table shapes, and JSON lines."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from autoglm.core.errors import DataError
from autoglm.core.text import say
from autoglm.dataflow._limits import ReadLimits
from autoglm.dataflow._records import columns_frame, records_frame, rows_frame

_LONGEST_INT = 400
_BEGIN = re.compile(r'\[\s*($|[\[{"\]\d-]|true|false|null|NaN)')
_BLANK = re.compile(r"[\s,]*")


def is_json(head: str) -> bool:
    """Return whether a text that begins with a bracket begins a JSON array."""
    return _BEGIN.match(head) is not None


def read_json(text: str, limits: ReadLimits) -> tuple[pd.DataFrame, list[str]]:
    """Read records, columns, rows, or one JSON value a line.

    Nested records become one column a field; deeper nesting stays as JSON text.

    Raises
    ------
    DataError
        When it is not JSON, naming line and column, or has no table in it.
    """
    value, notes = _parse(text)
    frame, more = _frame(value, limits)
    return frame, [*notes, *more]


def _parse(text: str) -> tuple[Any, list[str]]:
    try:
        return _values(text, json.JSONDecoder()), []
    except json.JSONDecodeError as error:
        raise _not_json(error) from error
    except ValueError:  # an integer longer than Python converts
        long: list[str] = []
        value = _values(text, json.JSONDecoder(parse_int=lambda s: _integer(s, long)))
        note = say(
            en=f"{len(long)} integers of more than {_LONGEST_INT} digits were kept as text.",
            zh=f"{len(long)} 个超过 {_LONGEST_INT} 位的整数已按文本保留。",
        )
        return value, [note]


def _integer(digits: str, long: list[str]) -> int | str:
    if len(digits) <= _LONGEST_INT:
        return int(digits)
    long.append("")
    return digits


def _values(text: str, decoder: json.JSONDecoder) -> Any:
    """Return the one JSON value in a text, or the list of them when there are several."""
    values = []
    at = _start(text, 0)
    while at < len(text):
        value, end = decoder.raw_decode(text, at)
        values.append(value)
        at = _start(text, end)
    if len(values) == 1:
        return values[0]
    return values


def _start(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at


def _not_json(error: json.JSONDecodeError) -> DataError:
    place = say(
        en=f"line {error.lineno}, column {error.colno}",
        zh=f"第 {error.lineno} 行第 {error.colno} 列",
    )
    return DataError(
        say(en=f"This is not valid JSON at {place}: {error.msg}.",
            zh=f"JSON 在{place}处无效:{error.msg}。"),
        hint=say(
            en="The file may be cut off, or have single quotes or comments; export it again.",
            zh="文件可能不完整,或含有单引号、注释;请重新导出。",
        ),
    )  # fmt: skip


def _frame(value: Any, limits: ReadLimits) -> tuple[pd.DataFrame, list[str]]:
    if isinstance(value, list) and value:
        if isinstance(value[0], list) and all(isinstance(v, list) for v in value):
            return rows_frame(value, limits)
        if not any(isinstance(v, dict | list) for v in value):
            return columns_frame([("value", value)], limits)
        return records_frame(value, limits)
    if isinstance(value, dict) and value:
        return _from_object(value, limits)
    raise DataError(
        say(en="The JSON holds no table.", zh="该 JSON 中没有表格。"),
        hint=say(
            en='Give a list of records such as [{"x": 1}, {"x": 2}].',
            zh='请给出记录的列表,如 [{"x": 1}, {"x": 2}]。',
        ),
    )


def _from_object(value: Mapping[str, Any], limits: ReadLimits) -> tuple[pd.DataFrame, list[str]]:
    columns, data = value.get("columns"), value.get("data")
    if isinstance(columns, list) and isinstance(data, list) and _list_of(data, list):
        width = len(columns)
        if all(len(row) == width for row in data):
            cells = zip(*data, strict=True)
            return columns_frame(list(zip(columns, cells, strict=True)), limits)
    tables = [key for key, part in value.items() if _list_of(part, dict)]
    if len(tables) == 1 and sum(isinstance(part, list) for part in value.values()) == 1:
        frame, notes = records_frame(value[tables[0]], limits)
        note = say(en=f"The rows are those under {tables[0]!r}.", zh=f"数据行取自 {tables[0]!r}。")
        return frame, [note, *notes]
    parts = list(value.values())
    if all(isinstance(part, list) for part in parts):
        return columns_frame(list(value.items()), limits)
    if all(isinstance(part, dict) for part in parts) and len(parts) > 1:
        return _from_index(value, limits)
    return records_frame([value], limits)


def _list_of(part: Any, kind: type) -> bool:
    return isinstance(part, list) and bool(part) and all(isinstance(p, kind) for p in part)


def _from_index(
    value: Mapping[str, Mapping[str, Any]], limits: ReadLimits
) -> tuple[pd.DataFrame, list[str]]:
    """Read columns of values by row name, as pandas writes them."""
    rows: dict[str, None] = {}
    for part in value.values():
        rows.update(dict.fromkeys(part))
    limits.check_cells(len(rows), len(value))
    named: Sequence[tuple[str, list[Any]]] = [
        (name, [part.get(row) for row in rows]) for name, part in value.items()
    ]
    return columns_frame(list(named), limits)
