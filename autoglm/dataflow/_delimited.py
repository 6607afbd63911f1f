"""Text tables: CSV, TSV and their relatives."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from autoglm.core.errors import DataError
from autoglm.core.text import say
from autoglm.dataflow._limits import ReadLimits
from autoglm.dataflow._names import repair_names
from autoglm.dataflow._ragged import even_out, trailing_separator
from autoglm.dataflow._sniff import (
    FIELD_LIMIT,
    Dialect,
    has_header,
    head_of,
    sniff,
    split,
    tidy_quotes,
)

Cells = NDArray[Any]

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")


def read_delimited(text: str, limits: ReadLimits) -> tuple[pd.DataFrame, list[str]]:
    """Read a text table; every cell is str, or None where it is empty.

    Returns
    -------
    frame, notes

    Raises
    ------
    DataError
        When the text is no table or its rows cannot be brought to one width.
    """
    if not text.strip():
        raise DataError(
            say(en="The file is empty.", zh="文件是空的。"),
            hint=say(
                en="Give a file with a row of column names and rows of values.",
                zh="请给出带有列名行和数据行的文件。",
            ),
        )
    head = head_of(text)
    dialect = sniff(head)
    sample = split(head, dialect)
    limits.check_columns(max(map(len, sample), default=0))
    plain = _read_plain(text, dialect, sample)
    names, columns, notes = plain if plain else _read_any(text, dialect)
    if dialect.separator is None and _many_separators(sample):
        notes = [*notes, _one_column()]
    return to_frame(names, columns, notes, limits)


def to_frame(
    names: Sequence[str] | None, columns: list[Cells], notes: list[str], limits: ReadLimits
) -> tuple[pd.DataFrame, list[str]]:
    """Make a frame of text columns; `names` is None where the file has no header."""
    if names is None:
        notes = [*notes, _unnamed(len(columns))]
        names = [f"column {i + 1}" for i in range(len(columns))]
    limits.check_cells(len(columns[0]) if columns else 0, len(columns))
    columns, notes = _cut_empty_end(columns, notes)
    if not columns or not len(columns[0]):
        raise no_rows()
    if len(names) > 1 and not names[-1].strip() and _all_missing(columns[-1]):
        names, columns = names[:-1], columns[:-1]
        notes = [*notes, trailing_separator()]
    fixed, more = repair_names(names)
    frame = pd.DataFrame(dict(zip(fixed, columns, strict=True)), dtype=object)
    return frame, [*notes, *more]


def no_rows() -> DataError:
    """Return the error for a table without rows."""
    return DataError(
        say(en="The table has column names but no rows.", zh="表格只有列名,没有数据行。"),
        hint=say(en="Give a file with rows of values.", zh="请给出含有数据行的文件。"),
    )


def _many_separators(sample: list[list[str]]) -> bool:
    return sum(any(sign in row[0] for sign in ",;|\t") for row in sample) > 0.5 * len(sample)


def _one_column() -> str:
    return say(
        en="No separator divides the lines evenly; each line was read as one cell.",
        zh="没有分隔符能均匀划分各行,已把每行读作一个单元格。",
    )


def _unnamed(columns: int) -> str:
    return say(
        en=f'No column names were found; the columns were named "column 1" to "column {columns}".',
        zh=f"没有找到列名,各列已命名为 column 1 至 column {columns}。",
    )


def _all_missing(column: Cells) -> bool:
    return all(cell is None for cell in column)


def _cut_empty_end(columns: list[Cells], notes: list[str]) -> tuple[list[Cells], list[str]]:
    """Leave out rows without any value at the end, as spreadsheets save them."""
    rows = len(columns[0]) if columns else 0
    end = rows
    while end and all(column[end - 1] is None for column in columns):
        end -= 1
    if end == rows:
        return columns, notes
    note = say(
        en=f"{rows - end:,} empty rows at the end were left out.",
        zh=f"已略去末尾的 {rows - end:,} 个空行。",
    )
    return [column[:end] for column in columns], [*notes, note]


def _read_plain(
    text: str, dialect: Dialect, sample: list[list[str]]
) -> tuple[list[str] | None, list[Cells], list[str]] | None:
    """Read an even table with tidy quotes or none by Arrow; None where it is not that simple."""
    simple = dialect.separator and not dialect.blanks and not dialect.skip_blank
    if not simple or len({len(row) for row in sample}) != 1:
        return None
    assert dialect.separator is not None
    data = text.encode("utf-8", errors="replace")
    quoted = dialect.quote in text
    if quoted and not tidy_quotes(data, dialect):
        return None
    named = has_header(sample)
    names = [str(i) for i in range(len(sample[0]))]
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(data),
            read_options=pa_csv.ReadOptions(
                column_names=names, skip_rows=int(named), block_size=8 << 20
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=dialect.separator,
                quote_char=dialect.quote if quoted else False,
                double_quote=False,
                newlines_in_values=quoted,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid:
        return None  # ragged: the careful reader tells where
    columns = [np.asarray(column.to_numpy(), dtype=object) for column in table.columns]
    return (sample[0] if named else None), columns, []


@dataclass(frozen=True)
class _Rows:
    rows: list[list[str]]
    line_numbers: Callable[[], list[int]]
    notes: list[str]


def _read_any(text: str, dialect: Dialect) -> tuple[list[str] | None, list[Cells], list[str]]:
    if dialect.blanks:
        text = "\n".join(" ".join(line.split()) for line in text.splitlines())
    parsed = _parse(text, dialect)
    separator = dialect.separator or ""
    table = even_out(parsed.rows, parsed.line_numbers, separator)
    names: list[str] | None = table.names
    rows = table.rows
    if names is None and has_header(rows):
        names, rows = rows[0], rows[1:]
    return names, _columns(rows), [*parsed.notes, *table.notes]


def _columns(rows: list[list[str]]) -> list[Cells]:
    if not rows:
        return []
    columns = []
    for cells in zip(*rows, strict=True):
        column = np.array(cells, dtype=object)
        column[column == ""] = None
        columns.append(column)
    return columns


def _parse(text: str, dialect: Dialect) -> _Rows:
    """Parse strictly; where quotes are broken, by the nearest reading that holds."""
    strict = _strict(text, dialect, escape=None)
    if isinstance(strict, _Rows):
        return strict
    if "\\" + dialect.quote in text:
        escaped = _strict(text, dialect, escape="\\")
        if isinstance(escaped, _Rows):
            return escaped
    return _by_line(text, dialect, strict)


def _strict(text: str, dialect: Dialect, escape: str | None) -> _Rows | int:
    """Return the rows, or the number of the line where strict parsing ends."""
    csv.field_size_limit(FIELD_LIMIT)

    def reader() -> Any:
        return csv.reader(
            _lines(text),
            delimiter=dialect.separator or "\x01",
            quotechar=dialect.quote,
            escapechar=escape,
            skipinitialspace=dialect.skip_blank,
            strict=True,
        )

    def line_numbers() -> list[int]:
        again = reader()
        return [again.line_num for row in again if row]

    lines = reader()
    try:
        return _Rows([row for row in lines if row], line_numbers, [])
    except csv.Error:
        return int(lines.line_num)


def _lines(text: str) -> Iterator[str]:
    """Yield lines with their ends; `io.StringIO` would take four bytes a character."""
    return (line.group() for line in _LINE.finditer(text))


def _by_line(text: str, dialect: Dialect, broken: int) -> _Rows:
    """Take each line as a row; a quote closes a field only before a separator or line end."""
    numbered = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line]
    rows = [list(_fields(line, dialect)) for _, line in numbered]
    widths = Counter(map(len, rows)).most_common(1)
    if not widths or widths[0][1] < 0.95 * len(rows):
        raise DataError(
            say(
                en=f"A quote near line {broken} is opened or closed in the wrong place.",
                zh=f"第 {broken} 行附近的引号不配对。",
            ),
            hint=say(
                en='Write quotes inside a quoted cell twice (""), or save the table again'
                " from the program it comes from.",
                zh='引号内的引号须写两次(""),或用原程序重新导出表格。',
            ),
        )
    note = say(
        en=f"Quotes are broken (first near line {broken}); each line was read as one row.",
        zh=f"引号不配对(首处约在第 {broken} 行),已按每行一条记录读取。",
    )
    return _Rows(rows, lambda: [i for i, _ in numbered], [note])


def _fields(line: str, dialect: Dialect) -> Iterator[str]:
    separator, quote = dialect.separator or "\x01", dialect.quote
    at, closable = 0, True
    while True:
        while dialect.skip_blank and line.startswith(" ", at):
            at += 1
        opened = closable and line.startswith(quote, at)
        end = _closing(line, at + 1, separator, quote) if opened else -1
        closable = closable and not (opened and end < 0)  # none from here on: do not look again
        if end >= 0:
            yield line[at + 1 : end].replace(quote * 2, quote)
            at = end + 2
        else:
            end = line.find(separator, at)
            end = len(line) if end < 0 else end
            yield line[at:end]
            at = end + 1
        if at > len(line):
            return


def _closing(line: str, start: int, separator: str, quote: str) -> int:
    """Return where the quoted field that begins at `start` ends, -1 when it never does."""
    at = start
    while True:
        at = line.find(quote + separator, at)
        last = at < 0
        if last:
            at = len(line) - 1
            if at < start or not line.endswith(quote):
                return -1
        run = at - len(line[start:at].rstrip(quote)) - start
        if run % 2 == 0:
            return at  # not the second half of a doubled quote
        if last:
            return -1
        at += 1
