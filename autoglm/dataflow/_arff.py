"""ARFF, the format of Weka and of many published data sets."""

from __future__ import annotations

import csv
import re

import numpy as np
import pandas as pd

from autoglm.core.errors import DataError
from autoglm.core.text import say
from autoglm.dataflow._delimited import to_frame
from autoglm.dataflow._limits import ReadLimits
from autoglm.dataflow._sniff import FIELD_LIMIT

_BEGIN = re.compile(r"(?:\s*(?:%[^\n\r]*)?[\r\n])*\s*@relation\b", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    r"""@attribute\s+('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s{]+)\s*(.*)""", re.IGNORECASE
)


def is_arff(text: str) -> bool:
    """Return whether a text begins, after comments, with ``@relation``."""
    return text.lstrip()[:1] in ("%", "@") and _BEGIN.match(text) is not None


def read_arff(text: str, limits: ReadLimits) -> tuple[pd.DataFrame, list[str]]:
    """Read dense or sparse ARFF; every cell is str, or None where it is missing (``?``).

    Raises
    ------
    DataError
        When there is no data part, or a row has another number of cells than attributes.
    """
    lines = text.splitlines()
    names, start = _attributes(lines)
    limits.check_columns(len(names))
    rows = _rows(lines, start, len(names))
    limits.check_cells(len(rows), len(names))
    columns = []
    for cells in zip(*rows, strict=True):
        column = np.array([c if type(c) is str else None for c in cells], dtype=object)
        column[(column == "?") | (column == "")] = None
        columns.append(column)
    return to_frame(names, columns, [], limits)


def _attributes(lines: list[str]) -> tuple[list[str], int]:
    """Return the attributes' names and the number of the line after ``@data``."""
    names: list[str] = []
    for at, line in enumerate(lines, 1):
        mark = line.lstrip()[:10].lower()
        if mark.startswith("@attribute"):
            found = _ATTRIBUTE.match(line.strip())
            names.append(_plain_name(found.group(1)) if found else f"column {len(names) + 1}")
        elif mark.startswith("@data"):
            return names, at
    raise _refused(len(lines), say(en="there is no @data line", zh="没有 @data 行"))


def _plain_name(name: str) -> str:
    if name[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", name[1:-1])
    return name


def _rows(lines: list[str], start: int, width: int) -> list[list[str | None]]:
    csv.field_size_limit(FIELD_LIMIT)
    kept = [
        (i, line)
        for i, line in enumerate(lines[start:], start + 1)
        if line.strip() and not line.lstrip().startswith("%")
    ]
    single = any("'" in line for _, line in kept)
    reader = csv.reader(
        (line.strip() for _, line in kept),
        delimiter="\t" if kept and "\t" in kept[0][1] and "," not in kept[0][1] else ",",
        quotechar="'" if single else '"',
        escapechar="\\",
        skipinitialspace=True,
    )
    rows: list[list[str | None]] = []
    try:
        for cells in reader:
            number = kept[len(rows)][0]
            row = _sparse(cells, width) if cells and cells[0].startswith("{") else list(cells)
            if row is None or len(row) != width:
                detail = say(en=f"{len(cells)} cells for {width} attributes",
                             zh=f"{width} 个属性却有 {len(cells)} 个单元格")  # fmt: skip
                raise _refused(number, detail)
            rows.append([cell.strip() if cell else cell for cell in row])
    except (csv.Error, IndexError) as error:
        number = kept[min(len(rows), len(kept) - 1)][0]
        raise _refused(number, say(en="a quote is not closed", zh="引号不配对")) from error
    return rows


def _sparse(cells: list[str], width: int) -> list[str | None] | None:
    """Return a row given as ``{index value, ...}``; what is left out is 0."""
    row: list[str | None] = ["0"] * width
    inner = ",".join(cells).strip().removeprefix("{").removesuffix("}")
    for part in filter(None, (p.strip() for p in inner.split(","))):
        index, _, value = part.partition(" ")
        if not index.isdecimal() or int(index[:9]) >= width:
            return None
        row[int(index[:9])] = value.strip()
    return row


def _refused(line: int, detail: str) -> DataError:
    return DataError(
        say(en=f"The ARFF file is wrong at line {line}: {detail}.",
            zh=f"ARFF 文件第 {line} 行有误:{detail}。"),
        hint=say(en="Correct that line, or save the table as CSV.",
                 zh="请修正该行,或另存为 CSV。"),
    )  # fmt: skip
