"""Excel workbooks (.xlsx, .xlsm)."""

from __future__ import annotations

import dataclasses
import io
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from autoglm.core.errors import DataError
from autoglm.core.text import say
from autoglm.dataflow._bytes import damaged, open_zip, read_member
from autoglm.dataflow._limits import MB, ReadLimits
from autoglm.dataflow._records import columns_frame
from autoglm.dataflow._sniff import has_header

_ERRORS = frozenset(
    {"#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#GETTING_DATA"}
)
#: XML of a sheet rarely packs more than 30 to 1, so the ratio is looked at early.
_RATIO_FROM = 20 * MB
#: A sheet with one cell far to the right in many rows would cost hours to walk through.
_WALK = 5_000_000
#: Cells of a sheet from which on one in 200 must be filled.
_SPARSE = 50_000
# What openpyxl lets through when the parts of a workbook do not fit together.
_BROKEN = (
    AttributeError, EOFError, IndexError, KeyError, OSError, SyntaxError, TypeError, ValueError,
    NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip

Row = tuple[Any, ...]


def read_excel(
    name: str, data: bytes, sheet: str | int | None, limits: ReadLimits
) -> tuple[pd.DataFrame, list[str]]:
    """Read one sheet; formulas give the values they were saved with.

    Parameters
    ----------
    name
        The file's name, for messages.
    data
        The workbook's bytes.
    sheet
        Name or number (from 0) of the sheet; None takes the first that has cells.
    limits
        Bounds on size.

    Raises
    ------
    DataError
        When the workbook is damaged, too large, or has no such sheet.
    """
    _check_parts(name, data, limits)
    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # styles and extensions that openpyxl leaves out
        try:
            book = openpyxl.load_workbook(
                io.BytesIO(data), read_only=True, data_only=True, keep_links=False
            )
            rows, notes = _rows(book, sheet, limits)
        except _BROKEN as error:
            raise damaged(name, str(error)[:200]) from error
    names, rows, more = _layout(rows)
    columns, errors = _columns(rows, len(names))
    frame, others = columns_frame(list(zip(names, columns, strict=True)), limits)
    return frame, [*notes, *more, *errors, *others]


def _check_parts(name: str, data: bytes, limits: ReadLimits) -> None:
    """Unpack every part once, counted, before the workbook is opened."""
    strict = dataclasses.replace(limits, ratio_from=min(limits.ratio_from, _RATIO_FROM))
    total = 0
    with open_zip(name, data) as archive:
        if "xl/workbook.xml" not in archive.namelist():
            raise DataError(
                say(en=f"{name} is not an Excel workbook of the .xlsx kind.",
                    zh=f"{name} 不是 .xlsx 工作簿。"),
                hint=say(en="Save the table as .xlsx or CSV.", zh="请另存为 .xlsx 或 CSV。"),
            )  # fmt: skip
        for info in archive.infolist():
            part = read_member(name, archive, info, len(data), strict)
            total += len(part)
            strict.check_bytes(total, len(data), name)
            if b"<!DOCTYPE" in part or b"<!ENTITY" in part:
                raise damaged(name, "DTD")  # no spreadsheet program writes one


def _rows(book: Any, sheet: str | int | None, limits: ReadLimits) -> tuple[list[Row], list[str]]:
    names: list[str] = list(book.sheetnames)
    if sheet is not None:
        return _sheet_rows(book[_sheet_name(names, sheet)], limits), []
    for name in names:
        if not hasattr(book[name], "iter_rows"):
            continue  # a chart sheet
        rows = _sheet_rows(book[name], limits)
        if rows:
            return rows, [_which(name, names)] if len(names) > 1 else []
    return [], []


def _sheet_name(names: list[str], sheet: str | int) -> str:
    if isinstance(sheet, int) and -len(names) <= sheet < len(names):
        return names[sheet]
    if isinstance(sheet, str) and sheet in names:
        return sheet
    raise DataError(
        say(en=f"There is no sheet {sheet!r}.", zh=f"没有工作表 {sheet!r}。"),
        hint=say(en=f"The sheets are: {', '.join(names[:20])}.",
                 zh=f"工作表有:{', '.join(names[:20])}。"),
    )  # fmt: skip


def _which(name: str, names: list[str]) -> str:
    others = ", ".join(repr(n) for n in names[:8] if n != name)
    return say(
        en=f"Read sheet {name!r}; the workbook also has {others}.",
        zh=f"读取了工作表 {name!r};另有 {others}。",
    )


def _sheet_rows(sheet: Any, limits: ReadLimits) -> list[Row]:
    """Return the rows that have a value, cut after their last."""
    sheet.reset_dimensions()  # the declared size may be wrong, or huge
    rows: list[Row] = []
    walked = filled = 0
    for row in sheet.iter_rows(values_only=True):
        walked += len(row) + 1
        end = len(row)
        while end and row[end - 1] in (None, ""):
            end -= 1
        if end:
            rows.append(row[:end])
            filled += sum(value is not None for value in row)
            limits.check_cells(len(rows), end)
        if walked > _WALK and walked > 100 * filled:
            raise _nearly_empty()
    width = max(map(len, rows), default=0)
    if len(rows) * width > _SPARSE and len(rows) * width > 200 * filled:
        raise _nearly_empty()
    return rows


def _nearly_empty() -> DataError:
    return DataError(
        say(en="The sheet is huge and nearly empty.", zh="工作表极大但几乎为空。"),
        hint=say(
            en="Delete the stray cells far from the table, or save it as CSV.",
            zh="请删除远离表格的零散单元格,或另存为 CSV。",
        ),
    )


def _layout(rows: list[Row]) -> tuple[list[Any], list[Row], list[str]]:
    """Find the header: return names, rows of values, and notes."""
    notes = []
    width = max(map(len, rows), default=0)
    skipped = _title_rows(rows) if width > 1 else 0
    if skipped:
        rows = rows[skipped:]
        notes.append(
            say(
                en=f"{skipped} lines above the table were left out.",
                zh=f"已略去表格上方的 {skipped} 行。",
            )
        )
    if not rows:
        return [], [], notes
    rows = [row + (None,) * (width - len(row)) for row in rows]
    names: list[Any]
    if _named(rows):
        names, rows = list(rows[0]), rows[1:]
    else:
        names = [f"column {i + 1}" for i in range(width)]
        notes.append(say(en="No column names were found.", zh="没有找到列名。"))
    kept = [i for i in range(width) if names[i] is not None or _any_value(rows, i)]
    if len(kept) < width:
        notes.append(
            say(
                en=f"{width - len(kept)} empty columns without a name were left out.",
                zh=f"已略去 {width - len(kept)} 个没有名称的空白列。",
            )
        )
        names, rows = [names[i] for i in kept], [tuple(row[i] for i in kept) for row in rows]
    return names, rows, notes


def _title_rows(rows: Sequence[Row]) -> int:
    for i, row in enumerate(rows[:30]):
        if sum(value is not None for value in row) > 1:
            return i
    return 0


def _any_value(rows: Iterable[Row], column: int) -> bool:
    return any(row[column] is not None for row in rows)


def _named(rows: list[Row]) -> bool:
    first = [value for value in rows[0] if value is not None]
    text = sum(isinstance(value, str) for value in first)
    if text < 0.5 * len(first):
        return False
    kept = [i for i in range(len(rows[0])) if rows[0][i] is not None]
    return has_header([["" if r[i] is None else str(r[i]) for i in kept] for r in rows[:300]])


def _columns(rows: list[Row], width: int) -> tuple[list[list[Any]], list[str]]:
    """Return the columns, with Excel's error values as missing."""
    errors = 0
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * width
    for column in columns:
        for i, value in enumerate(column):
            if type(value) is str and (value in _ERRORS or not value):
                column[i] = None
                errors += bool(value)
    if not errors:
        return columns, []
    note = say(
        en=f"{errors:,} cells hold an Excel error such as #N/A; they were taken as missing.",
        zh=f"{errors:,} 个单元格是 #N/A 之类的 Excel 错误,已按缺失处理。",
    )
    return columns, [note]
