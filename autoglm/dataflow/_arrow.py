"""Parquet, Arrow IPC and Feather, and the way from an Arrow table to a frame."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from autoglm.core.errors import DataError
from autoglm.core.text import say
from autoglm.dataflow._bytes import damaged
from autoglm.dataflow._limits import ReadLimits
from autoglm.dataflow._names import repair_names
from autoglm.dataflow._typed import nested_note, typed_column

_STREAM = b"\xff\xff\xff\xff"
#: Values of few kinds pack well in these formats; a table may grow more than a text does.
_COLUMNAR_RATIO = 4
_BROKEN = (pa.ArrowException, EOFError, IndexError, KeyError, OSError, ValueError, struct.error)


def is_arrow(data: bytes) -> bool:
    """Return whether bytes begin like Parquet, an Arrow file or an Arrow stream."""
    if data.startswith(_STREAM):
        return 0 < int.from_bytes(data[4:8], "little") < len(data)
    return data.startswith((b"PAR1", b"PARE", b"ARROW1"))


def read_arrow(name: str, data: bytes, limits: ReadLimits) -> tuple[pd.DataFrame, list[str]]:
    """Read Parquet, Arrow or Feather bytes, looking at the sizes they declare first.

    Raises
    ------
    DataError
        When the bytes are damaged or encrypted, or hold too much.
    """
    if data.startswith(b"PARE"):
        raise DataError(
            say(en=f"{name} is encrypted.", zh=f"{name} 已加密。"),
            hint=say(en="Decrypt it first.", zh="请先解密。"),
        )
    try:
        table = _parquet(name, data, limits) if data[:4] == b"PAR1" else _ipc(name, data, limits)
        table.validate(full=True)
        return arrow_frame(table, limits)
    except _BROKEN as error:
        raise damaged(name, str(error).split("\n", 1)[0][:200]) from error


def _parquet(name: str, data: bytes, limits: ReadLimits) -> pa.Table:
    file = pq.ParquetFile(pa.BufferReader(data))
    facts = file.metadata
    limits.check_cells(facts.num_rows, facts.num_columns)
    groups = [facts.row_group(i) for i in range(facts.num_row_groups)]
    declared = sum(group.total_byte_size for group in groups)
    needed = max(declared, facts.num_rows * facts.num_columns * 8)
    limits.check_bytes(needed, len(data) * _COLUMNAR_RATIO, name)
    return file.read()


def _ipc(name: str, data: bytes, limits: ReadLimits) -> pa.Table:
    buffer = pa.py_buffer(data)
    if not data.startswith(b"ARROW1"):
        _check_messages(name, pa.ipc.MessageReader.open_stream(buffer), len(data), limits)
        return _within(pa.ipc.open_stream(buffer).read_all(), len(data), name, limits)
    file = pa.ipc.open_file(buffer)
    limits.check_columns(len(file.schema))
    _check_messages(name, _file_messages(buffer), len(data), limits)
    return _within(file.read_all(), len(data), name, limits)


def _check_messages(
    name: str, messages: Iterable[pa.ipc.Message], packed: int, limits: ReadLimits
) -> None:
    """Sum the sizes that the messages declare, before any of them is unpacked."""
    total = rows = 0
    for message in messages:
        if message.type not in ("record batch", "dictionary"):
            continue
        length, size = _declared(message)
        total += size
        rows += length if message.type == "record batch" else 0
        limits.check_bytes(max(total, rows), packed * _COLUMNAR_RATIO, name)
        limits.check_cells(rows, 1)


def _within(table: pa.Table, packed: int, name: str, limits: ReadLimits) -> pa.Table:
    """Check the table: a column of nulls takes no bytes until it is made a numpy array."""
    limits.check_cells(table.num_rows, table.num_columns)
    cells = table.num_rows * table.num_columns
    limits.check_bytes(cells, packed * _COLUMNAR_RATIO, name)
    return table


def _file_messages(buffer: pa.Buffer) -> Iterator[pa.ipc.Message]:
    """Yield the messages that an Arrow file's footer lists (Footer in File.fbs)."""
    data = memoryview(buffer)
    length = int(struct.unpack_from("<i", data, len(data) - 10)[0])
    footer = bytes(data[len(data) - 10 - length : len(data) - 10])
    table = _follow(footer, 0)
    for number in (2, 3):  # dictionaries, then record batches
        field = _field(footer, table, number)
        blocks = _follow(footer, field) if field else 0
        count = struct.unpack_from("<I", footer, blocks)[0] if field else 0
        for i in range(count):
            at, head, body = struct.unpack_from("<qi4xq", footer, blocks + 4 + 24 * i)
            if min(at, head, body) < 0 or at + head + body > len(data):
                raise ValueError("a block lies outside the file")
            yield pa.ipc.read_message(buffer.slice(at, head + body))


def _declared(message: pa.ipc.Message) -> tuple[int, int]:
    """Return rows and unpacked bytes of a record or dictionary batch.

    Field numbers are those of Message.fbs and Schema.fbs in the Arrow columnar format: a
    packed buffer begins with its unpacked size as int64, -1 where it is not packed.
    """
    meta, body = message.metadata.to_pybytes(), message.body
    batch = _follow(meta, _field(meta, _follow(meta, 0), 2))
    if message.type == "dictionary":
        batch = _follow(meta, _field(meta, batch, 1))
    at = _field(meta, batch, 0)
    length = struct.unpack_from("<q", meta, at)[0] if at else 0
    if not _field(meta, batch, 3):
        return length, body.size
    vector = _follow(meta, _field(meta, batch, 2))
    size = 0
    for i in range(struct.unpack_from("<I", meta, vector)[0]):
        offset, packed = struct.unpack_from("<qq", meta, vector + 4 + 16 * i)
        if packed >= 8:
            size += max(packed, struct.unpack_from("<q", body, offset)[0])
    return length, size


def _follow(meta: bytes, at: int) -> int:
    return at + int(struct.unpack_from("<I", meta, at)[0])


def _field(meta: bytes, table: int, number: int) -> int:
    """Return where a flatbuffer table keeps a field, 0 when it has none."""
    slots = table - int(struct.unpack_from("<i", meta, table)[0])
    if 4 + 2 * number >= struct.unpack_from("<H", meta, slots)[0]:
        return 0
    offset = int(struct.unpack_from("<H", meta, slots + 4 + 2 * number)[0])
    return table + offset if offset else 0


def arrow_frame(table: pa.Table, limits: ReadLimits) -> tuple[pd.DataFrame, list[str]]:
    """Turn an Arrow table into a frame; a struct gives one column a field."""
    if any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    limits.check_cells(table.num_rows, table.num_columns)
    names, notes = repair_names(table.column_names)
    columns: dict[str, Any] = {}
    nested = []
    for name, column in zip(names, table.columns, strict=True):
        columns[name] = arrow_column(column)
        if pa.types.is_nested(column.type):
            nested.append(name)
    if nested:
        notes.append(nested_note(nested))
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows)), notes


def arrow_column(column: pa.ChunkedArray) -> pd.Series:
    """Return an Arrow column as a numpy or categorical series."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        coded: pd.Series = column.to_pandas()
        return coded
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64(), safe=False)
    elif pa.types.is_date(kind):
        column = column.cast(pa.timestamp("ms"))
    kind = column.type
    if pa.types.is_timestamp(kind):
        dates: pd.Series = column.to_pandas()
        if dates.dt.tz is not None:
            dates = dates.dt.tz_convert(None)
        return dates
    if pa.types.is_floating(kind) or (pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        return _numbers(column)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _objects(np.asarray(column.to_numpy(), dtype=object))
    return _objects(typed_column(column.to_pylist()))


def _numbers(column: pa.ChunkedArray) -> pd.Series:
    if not column.null_count:
        return pd.Series(column.to_numpy())
    if pa.types.is_boolean(column.type):
        return _objects(np.asarray(column.to_pylist(), dtype=object))
    if pa.types.is_integer(column.type):
        column = column.cast(pa.float64(), safe=False)
    return pd.Series(column.to_numpy())


def _objects(values: NDArray[Any]) -> pd.Series:
    return pd.Series(values, dtype=values.dtype)
