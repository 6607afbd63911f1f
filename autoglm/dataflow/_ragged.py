"""Rows of unequal length: repaired where one repair is evident, else refused by line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autoglm.core.errors import DataError
from autoglm.core.text import say
from autoglm.dataflow._sniff import is_value

_PREAMBLE_MOST = 30


@dataclass(frozen=True)
class EvenTable:
    """Rows of one width; `names` where the unequal rows themselves showed the header."""

    names: list[str] | None
    rows: list[list[str]]
    notes: list[str]


def even_out(
    rows: list[list[str]], line_numbers: Callable[[], list[int]], separator: str
) -> EvenTable:
    """Bring rows to one width.

    Lines above the table are left out, short rows are filled up, empty cells beyond the
    width are cut, and separators inside a last column of free text are taken as text.
    Each repair is a note.

    Parameters
    ----------
    rows
        Cells of each row, the header included.
    line_numbers
        Gives the line in the file of each row; called only when something is wrong.
    separator
        What stood between the cells.

    Raises
    ------
    DataError
        When rows have more cells than the table has columns, or no width prevails.
    """
    widths = Counter(map(len, rows))
    if len(widths) <= 1:
        return EvenTable(None, rows, [])
    lines = line_numbers()
    width = max(widths, key=lambda w: (widths[w], w))
    notes: list[str] = []
    skipped = _preamble(rows, width)
    if skipped:
        notes.append(
            say(
                en=f"{skipped} lines above the table were left out.",
                zh=f"已略去表格上方的 {skipped} 行。",
            )
        )
        rows, lines = rows[skipped:], lines[skipped:]
    names, rows, lines, width = _header_of_other_width(rows, lines, width, notes)
    _refuse_shapeless(rows, width)
    rows = _fit(rows, lines, width, separator, notes)
    return EvenTable(names, rows, notes)


def _preamble(rows: Sequence[Sequence[str]], width: int) -> int:
    """Return how many one-cell lines stand above the first row of the table's width."""
    if width < 2:
        return 0
    for i, row in enumerate(rows[: _PREAMBLE_MOST + 1]):
        if len([cell for cell in row if cell.strip()]) > 1 and not row[0].startswith("#"):
            return i
    return 0


def _header_of_other_width(
    rows: list[list[str]], lines: list[int], width: int, notes: list[str]
) -> tuple[list[str] | None, list[list[str]], list[int], int]:
    """Take a first row of names that is shorter or longer than all others as the header."""
    first = rows[0]
    body = rows[1:]
    if len(first) == width or not body or any(is_value(cell) for cell in first):
        return None, rows, lines, width
    if len(first) > width:
        if not any(first[width:]):
            return None, [first[:width], *body], lines, width
        return first, body, lines[1:], len(first)
    if len(first) != width - 1:
        return None, rows, lines, width
    if not any(row[-1] for row in body if len(row) == width):
        notes.append(trailing_separator())
        cut = [row[:-1] if len(row) == width else row for row in body]
        return first, cut, lines[1:], width - 1
    notes.append(
        say(
            en="The header has one name less than the rows have cells: the first column has none.",
            zh="列名比数据少一个:第一列没有名称。",
        )
    )
    return ["", *first], body, lines[1:], width


def trailing_separator() -> str:
    """Return the note on an empty last column made by a separator at each line's end."""
    return say(
        en="An empty last column without a name was left out.", zh="已略去没有名称的空白末列。"
    )


def _refuse_shapeless(rows: Sequence[Sequence[str]], width: int) -> None:
    fitting = sum(len(row) == width for row in rows)
    shorter = sum(len(row) < width for row in rows)
    if fitting >= 0.5 * len(rows) or (shorter == len(rows) and _alike(rows)):
        return
    raise DataError(
        say(
            en="The rows have very different numbers of cells; this does not look like a table.",
            zh="各行的单元格数相差很大,不像是一张表格。",
        ),
        hint=say(
            en="Check the separator and the quotes, or save the table again as CSV.",
            zh="请检查分隔符和引号,或重新另存为 CSV。",
        ),
    )


def _alike(rows: Sequence[Sequence[str]]) -> bool:
    return Counter(map(len, rows)).most_common(1)[0][1] >= 0.8 * len(rows)


def _fit(
    rows: list[list[str]], lines: list[int], width: int, separator: str, notes: list[str]
) -> list[list[str]]:
    short = [line for row, line in zip(rows, lines, strict=True) if len(row) < width]
    spare = [n for r, n in zip(rows, lines, strict=True) if len(r) > width and not any(r[width:])]
    over = [n for r, n in zip(rows, lines, strict=True) if len(r) > width and any(r[width:])]
    if over:
        _refuse_long(rows, over, width)
        notes.append(
            say(
                en=f"{len(over):,} rows have separators inside the last, free-text column"
                f" ({_first(over)}); they were taken as text.",
                zh=f"{len(over):,} 行的末列文本中含有分隔符({_first(over)}),已当作文本。",
            )
        )
    if short:
        notes.append(
            say(
                en=f"{len(short):,} rows have fewer than {width} cells ({_first(short)});"
                " the missing ones were left empty.",
                zh=f"{len(short):,} 行不足 {width} 个单元格({_first(short)}),缺少的按空值处理。",
            )
        )
    if spare:
        notes.append(
            say(
                en=f"{len(spare):,} rows have empty cells beyond the last column"
                f" ({_first(spare)}); these were left out.",
                zh=f"{len(spare):,} 行在末列之后有空单元格({_first(spare)}),已略去。",
            )
        )
    return [_cut_or_fill(row, width, separator) for row in rows]


def _cut_or_fill(row: list[str], width: int, separator: str) -> list[str]:
    if len(row) < width:
        return row + [""] * (width - len(row))
    if any(row[width:]):
        return [*row[: width - 1], separator.join(row[width - 1 :])]
    return row[:width]


def _refuse_long(rows: Sequence[Sequence[str]], over: list[int], width: int) -> None:
    """Raise unless the last column is free text, in which a separator may well stand."""
    last = [row[-1] for row in rows[:2000] if len(row) == width]
    free = sum((len(cell) > 20 and " " in cell.strip()) or len(cell) > 40 for cell in last)
    if width > 1 and last and free >= 0.5 * len(last):
        return
    raise DataError(
        say(
            en=f"{len(over):,} rows have more than {width} cells ({_first(over)}).",
            zh=f"{len(over):,} 行超过 {width} 个单元格({_first(over)})。",
        ),
        hint=say(
            en="Put cells that contain the separator in double quotes, or correct these lines.",
            zh="请把含分隔符的单元格放进双引号,或修正这些行。",
        ),
    )


def _first(lines: list[int]) -> str:
    shown = ", ".join(map(str, lines[:3])) + (", ..." if len(lines) > 3 else "")
    return say(en=f"line {shown}", zh=f"第 {shown} 行")
