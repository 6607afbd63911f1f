"""How a text file separates, quotes and names its columns, found from its head."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np

#: Longest field the csv module may give; its own default of 128 KB is less than a long review.
FIELD_LIMIT = 1 << 30

_HEAD = 64 * 1024
_HEAD_LINES = 21
_HEAD_MOST = 8 << 20
_LINE_END = re.compile(r"\r\n|\n|\r")
_VALUE = re.compile(
    r"[\s￥¥$€£]*[-+]?(\d[\d,.]*|\.\d+)([eE][-+]?\d+)?\s*[%％万亿‰]?"
    r"|\d{1,4}[-/.年]\d{1,2}([-/.月]\d{1,4}日?)?([T ]?\d{1,2}:\d{2}.*)?"
    r"|\d{1,2}:\d{2}(:\d{2})?(\.\d+)?"
)
_MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none", "-", "--", "nil", "."})
_LONG_NAME = 120


@dataclass(frozen=True)
class Dialect:
    """How fields are told apart.

    `separator` is None for one column; `blanks` stands for any run of blanks; with
    `skip_blank` a blank after a separator is no part of the field.
    """

    separator: str | None
    quote: str = '"'
    blanks: bool = False
    skip_blank: bool = False


def head_of(text: str) -> str:
    """Return the first lines: 64 KB, or 21 lines when these are longer, at most 8 MB."""
    if len(text) <= _HEAD:
        return text
    lines = islice(_LINE_END.finditer(text, 0, _HEAD_MOST), _HEAD_LINES)
    ends = [line.end() for line in lines]
    if len(ends) < _HEAD_LINES:
        return text[:_HEAD_MOST]
    if ends[-1] >= _HEAD:
        return text[: ends[-1]]
    last = max(text.rfind("\n", 0, _HEAD), text.rfind("\r", 0, _HEAD)) + 1
    return text[: max(last, ends[-1])]


def sniff(head: str) -> Dialect:
    """Return how the fields of a text table are told apart."""
    separator = _separator(head)
    if separator is None:
        return Dialect(" ", blanks=True) if _blank_separated(head) else Dialect(None)
    rows = split(head, Dialect(separator, quote="\x00"))
    later = [cell for row in rows for cell in row[1:] if cell.strip()]
    spaced = sum(cell.startswith(" ") for cell in later)
    skip = separator != "\t" and spaced >= 0.9 * len(later) > 0
    return Dialect(separator, _quote(rows, head), skip_blank=skip)


def split(text: str, dialect: Dialect) -> list[list[str]]:
    """Return the rows of `text`, forgiving and without blank lines."""
    csv.field_size_limit(FIELD_LIMIT)
    lines = text.splitlines(keepends=True) if "\r" in text else text.split("\n")
    reader = csv.reader(
        lines,
        delimiter=dialect.separator or "\x01",
        quotechar=dialect.quote,
        skipinitialspace=dialect.skip_blank,
    )
    try:
        return [row for row in reader if row]
    except csv.Error:
        return []


def _separator(head: str) -> str | None:
    found: dict[str, tuple[float, int]] = {}
    for sign in "\t;|,":
        if sign not in head:
            continue
        widths = Counter(map(len, split(head, Dialect(sign))))
        wide = {w: n for w, n in widths.items() if w > 1}
        if wide:
            width = max(wide, key=lambda w: (wide[w], w))
            found[sign] = wide[width] / widths.total(), width
    # A preamble or a few broken rows must not hide the separator; prose with commas must.
    found = {sign: fit for sign, fit in found.items() if fit[0] >= 0.4}
    if not found:
        return None
    top = max(share for share, _ in found.values())
    good = {sign: width for sign, (share, width) in found.items() if share >= 0.9 * top}
    if "," in good and ";" in good and good[","] <= good[";"] + 1:
        return ";"  # the commas are decimal commas
    return max(good, key=lambda sign: (good[sign], "|;,\t".index(sign)))


def _blank_separated(head: str) -> bool:
    rows = [line.split() for line in _LINE_END.split(head) if line.strip()]
    if len(rows) < 2:
        return False
    width, count = Counter(map(len, rows)).most_common(1)[0]
    cells = [cell for row in rows[1:] for cell in row]
    numbers = sum(is_value(cell) for cell in cells)
    return width > 1 and count >= 0.95 * len(rows) and numbers >= 0.5 * len(cells)


def tidy_quotes(data: bytes, dialect: Dialect) -> bool:
    """Return whether quotes only open and close whole fields, in turn.

    Then every parser reads the same; quotes inside fields are read one way here, another there.
    """
    signs = np.frombuffer(b"\n" + data + b"\n", dtype=np.uint8)
    edges = [ord(sign) for sign in (dialect.separator or "\n", "\n", "\r")]
    at = np.flatnonzero(signs == ord(dialect.quote))
    opens, closes = np.isin(signs[at - 1], edges), np.isin(signs[at + 1], edges)
    turn = np.arange(len(at)) % 2 == 0
    return len(at) % 2 == 0 and bool(np.all((opens == turn) & (closes == ~turn)))


def _quote(rows: list[list[str]], head: str) -> str:
    """Return the single quote when some column is always in single quotes, else the double."""
    if '"' in head or "'" not in head or len(rows) < 2:
        return '"'
    width = min(len(row) for row in rows)
    for i in range(width):
        cells = [row[i].strip() for row in rows[1:]]
        if all(len(c) > 1 and c[0] == c[-1] == "'" for c in cells):
            return "'"
    return '"'


def is_value(cell: str) -> bool:
    """Return whether a cell is written like a number or a date rather than like a name."""
    return _VALUE.fullmatch(cell.strip()) is not None


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first of `rows`, all of one width, names the columns.

    A name is not written like a number, stands over values of another make, and is not
    itself one of the values of its column.
    """
    first = [cell.strip() for cell in rows[0]]
    body = rows[1:300]
    if not any(first) or any(len(cell) > _LONG_NAME for cell in first):
        return False
    numeric = [cell for cell in first if is_value(cell)]
    if numeric and not (_series(numeric) and len(numeric) < len(first)):
        return False
    if not body:
        return not numeric
    filled = [cell for cell in first if cell]
    if len(filled) < 0.5 * len(first):
        return False
    typed = again = named = 0
    for i, name in enumerate(first):
        column = [c for c in (row[i].strip() for row in body) if c.lower() not in _MISSING]
        if not name or not column:
            continue
        if sum(is_value(c) for c in column) >= 0.8 * len(column):
            typed += not is_value(name)
        else:
            again += name in column
            named += 1
    if typed:
        return typed > again
    return again == 0 and (not numeric or named > 0) and _like_names(filled, body)


def _series(cells: list[str]) -> bool:
    """Return whether numbers among names are years or count up by one: names themselves."""
    if not all(cell.isascii() and cell.isdigit() and len(cell) < 6 for cell in cells):
        return False
    numbers = [int(cell) for cell in cells]
    steps = {b - a for a, b in pairwise(numbers)}
    return len(numbers) > 1 and len(steps) == 1 and steps.pop() != 0


def _like_names(first: list[str], body: Sequence[Sequence[str]]) -> bool:
    """Judge a table of words alone: names differ, are short, and shorter than free text."""
    if len(set(first)) < len(first):
        return False
    longest = max(map(len, first))
    return longest <= 60 and max(cell.count(" ") for cell in first) <= 6
