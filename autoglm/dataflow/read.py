"""Read a table from wherever it is: file, URL, database or memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from autoglm.core.errors import DataError
from autoglm.core.text import say
from autoglm.dataflow import _arrow, _bytes, _delimited, _encoding, _excel, _fetch, _json, _memory
from autoglm.dataflow._arff import is_arff, read_arff
from autoglm.dataflow._limits import ReadLimits
from autoglm.dataflow._sql import is_database, read_sql, read_sqlite_file

__all__ = ["ReadLimits", "Table", "read_table"]

#: First bytes of files that hold no table, or one that is not read here, and their names.
_OTHER: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "PDF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"\x80\x02", "pickle"),
    (b"\x80\x03", "pickle"),
    (b"\x80\x04", "pickle"),
    (b"\x80\x05", "pickle"),
    (b"\x89HDF", "HDF5"),
    (b"\x93NUMPY", "NumPy"),
    (b"\xd0\xcf\x11\xe0", "Excel 97 (.xls)"),
    (b"\x7fELF", "ELF"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!", "RAR"),
    (b"ORC", "ORC"),
    (b"Obj\x01", "Avro"),
    (b"FEA1", "Feather V1"),
)


@dataclass(frozen=True)
class Table:
    """A table as read, before any cleaning.

    Parameters
    ----------
    frame
        The rows. Text formats give every cell as str and None where it is empty; typed
        formats keep their types.
    source
        Where it came from, without passwords.
    notes
        What was found or repaired while reading, a sentence each.
    """

    frame: pd.DataFrame
    source: str
    notes: tuple[str, ...] = ()


def read_table(
    source: Any,
    *,
    query: str | None = None,
    sheet: str | int | None = None,
    limits: ReadLimits | None = None,
) -> Table:
    r"""Read a table from a file, an address, a database or memory.

    Files are CSV, TSV and the like, JSON, JSON lines, Parquet, Arrow, Feather, Excel, ARFF
    and SQLite, plain or in gzip, zip, zstd, bzip2 or xz. Format, encoding, separator, quotes
    and header are found from the bytes; a file's ending is not relied on.

    Parameters
    ----------
    source
        A path, an http(s) or file URL, a database URL as SQLAlchemy writes it, bytes, an
        open binary file, a pandas or polars frame, anything that exports Arrow data, a
        numpy array, a list of records, or a mapping of columns.
    query
        SQL for a database. It runs in a transaction that is never committed.
    sheet
        Name or number (from 0) of an Excel sheet; name of the file in a zip with several;
        name of the table in a database.
    limits
        Bounds on size; see `ReadLimits`.

    Raises
    ------
    DataError
        When there is nothing there, it is no table, is damaged or too large.
    MissingDependency
        When the format needs an extra that is not installed.

    Examples
    --------
    >>> read_table({"x": [1, 2], "y": ["a", None]}).frame.shape
    (2, 2)
    >>> read_table(b"x;y\n1;a\n2;").frame["y"].tolist()
    ['a', None]
    """
    limits = limits or ReadLimits()
    options = _Options(query, sheet, limits)
    try:
        frame, shown, notes = _read(source, options)
    except MemoryError as error:
        raise DataError(
            say(en="The table does not fit into memory.", zh="内存放不下这张表格。"),
            hint=say(en="Give a sample of its rows.", zh="请给出其中一部分行。"),
        ) from error
    except RecursionError as error:
        raise DataError(
            say(en="The data is nested too deeply.", zh="数据嵌套过深。"),
            hint=say(en="Give a flat table.", zh="请给出平面表格。"),
        ) from error
    if not len(frame.columns):
        raise DataError(
            say(en="The table has no columns.", zh="表格没有列。"),
            hint=say(en="Give a table with named columns.", zh="请给出带列名的表格。"),
        )
    if not len(frame):
        raise _delimited.no_rows()
    return Table(frame, shown, tuple(notes))


@dataclass(frozen=True)
class _Options:
    query: str | None
    sheet: str | int | None
    limits: ReadLimits


_Read = tuple[pd.DataFrame, str, list[str]]


def _read(source: Any, options: _Options) -> _Read:
    if isinstance(source, Table):
        return source.frame, source.source, list(source.notes)
    if isinstance(source, str | os.PathLike):
        return _read_named(os.fspath(source), options)
    if isinstance(source, bytes | bytearray | memoryview):
        frame, notes = _read_bytes("data", bytes(source), options)
        return frame, "bytes", notes
    if hasattr(source, "read"):
        return _read_open(source, options)
    frame, shown, notes = _memory.read_memory(source, options.limits)
    return frame, shown, notes


def _read_named(source: str | bytes, options: _Options) -> _Read:
    name = os.fsdecode(source)
    scheme = name.split("://", 1)[0].lower() if "://" in name else ""
    if scheme in ("http", "https"):
        file, data = _fetch.download(name, options.limits)
        frame, notes = _read_bytes(file, data, options)
        return frame, _fetch.shown_url(name), notes
    if scheme not in ("", "file") and is_database(scheme):
        return read_sql(name, options.query, _table_name(options.sheet), options.limits)
    path = _fetch.file_url_path(name) if scheme == "file" else Path(name).expanduser()
    data = _fetch.read_file(path, options.limits)
    if data.startswith(b"SQLite format 3\x00"):
        return read_sqlite_file(path, options.query, _table_name(options.sheet), options.limits)
    frame, notes = _read_bytes(path.name, data, options)
    return frame, str(path), notes


def _table_name(sheet: str | int | None) -> str | None:
    return sheet if isinstance(sheet, str) else None


def _read_open(source: Any, options: _Options) -> _Read:
    content = source.read(options.limits.max_bytes + 1)
    data = content.encode("utf-8") if isinstance(content, str) else bytes(content)
    shown = str(getattr(source, "name", "") or "stream")
    frame, notes = _read_bytes(Path(shown).name, data, options)
    return frame, shown, notes


def _read_bytes(name: str, data: bytes, options: _Options) -> tuple[pd.DataFrame, list[str]]:
    member = options.sheet if isinstance(options.sheet, str) else None
    inner, content = _bytes.unpack(name, data, options.limits, member)
    limits = options.limits
    if _bytes.is_workbook(content):
        sheet = None if member is not None and inner.endswith(member) else options.sheet
        return _excel.read_excel(inner, content, sheet, limits)
    if _arrow.is_arrow(content):
        return _arrow.read_arrow(inner, content, limits)
    _refuse_other(inner, content)
    text, notes = _encoding.decode(content)
    frame, more = _read_text(text)(text, limits)
    return frame, [*notes, *more]


_TextReader = Callable[[str, ReadLimits], tuple[pd.DataFrame, list[str]]]


def _read_text(text: str) -> _TextReader:
    """Return the reader for a text, by how it begins."""
    head = text[:4096].lstrip()
    if head.startswith("{") or (head.startswith("[") and _json.is_json(head)):
        return _json.read_json
    if is_arff(text):
        return read_arff
    start = head[:200].lower()
    if start.startswith(("<!doctype", "<html", "<?xml", "<svg", "{\\rtf")):
        raise _other("HTML/XML")
    return _delimited.read_delimited


def _refuse_other(name: str, data: bytes) -> None:
    for mark, kind in _OTHER:
        if data.startswith(mark):
            raise _other(kind)


def _other(kind: str) -> DataError:
    return DataError(
        say(en=f"This is a {kind} file, not a table that can be read.",
            zh=f"这是 {kind} 文件,不是可读取的表格。"),
        hint=say(
            en="Save the table as CSV, Parquet or .xlsx and give that file.",
            zh="请把表格另存为 CSV、Parquet 或 .xlsx 后再给出。",
        ),
    )  # fmt: skip
