"""What a table holds: the kind of each column, how its cells are read, and its statistics."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from autoglm.core.text import say
from autoglm.dataflow._describe import describe
from autoglm.dataflow._distinct import Distinct, distinct_of
from autoglm.dataflow.columns import Kind
from autoglm.dataflow.parse import ParseRule

_MIXER = np.uint64(0x9E3779B97F4A7C15)


class ColumnProfile(BaseModel):
    """One column of a table.

    Attributes
    ----------
    name
        Its name in the table.
    kind
        What it is taken for.
    raw_kind
        What it would be taken for if its cleaning actions were undone: "a yes/no column" is
        then a category, an id the number or category its cells are.
    rule
        How its cells are read.
    n_rows, n_missing, n_unique
        Rows; cells without a (readable) value; distinct values among the others.
    n_changed
        Cells that the rule reads as something else than they are.
    integer
        Whether all its numbers are whole.
    examples
        Up to five different cells as they stand in the table.
    top
        Up to ten most frequent values with their counts, any kind but text.
    mean, std, min, max, quantiles
        Of numbers, booleans and dates (seconds since 1970); quantiles at 1, 5, 25, 50, 75, 95
        and 99 %. None where there is no number.
    first_date, last_date
        ISO dates; None but for dates.
    mean_words, mean_characters
        Of texts and categories; words are runs between blanks. 0 otherwise.
    language
        "zh", "en" or "other" (letters of neither) of texts and categories; "" otherwise.
    copy_of
        An earlier column with the very same values.
    notes
        What is worth knowing, in short words, for machines: "mixed_types", "mixed_dates",
        "mixed_units", "unreadable:12".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: Kind
    raw_kind: Kind
    rule: ParseRule = Field(default_factory=ParseRule)
    n_rows: int = 0
    n_missing: int = 0
    n_unique: int = 0
    n_changed: int = 0
    integer: bool = False
    examples: tuple[str, ...] = ()
    top: tuple[tuple[str, int], ...] = ()
    mean: float | None = None
    std: float | None = None
    min: float | None = None
    max: float | None = None
    quantiles: tuple[float, ...] = ()
    first_date: str | None = None
    last_date: str | None = None
    mean_words: float = 0.0
    mean_characters: float = 0.0
    language: str = ""
    copy_of: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def missing_share(self) -> float:
        """Share of cells without a value."""
        return self.n_missing / self.n_rows if self.n_rows else 0.0


class TableProfile(BaseModel):
    """A table: its size and its columns, in table order.

    Attributes
    ----------
    n_rows, n_columns
        Its size.
    n_duplicate_rows
        Rows that are equal to an earlier one.
    memory_mb
        Megabytes it takes in memory (texts estimated).
    columns
        The columns by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_rows: int
    n_columns: int
    n_duplicate_rows: int = 0
    memory_mb: float = 0.0
    columns: dict[str, ColumnProfile]

    def of_kind(self, *kinds: Kind) -> list[str]:
        """Return the names of the columns of these kinds, in table order."""
        return [name for name, column in self.columns.items() if column.kind in kinds]

    def summary(self) -> str:
        """Return the profile as a readable table of text."""
        head = say(
            en=f"{self.n_rows:,} rows, {self.n_columns:,} columns, {self.memory_mb:.1f} MB, "
            f"{self.n_duplicate_rows:,} duplicate rows",
            zh=f"{self.n_rows:,} 行,{self.n_columns:,} 列,{self.memory_mb:.1f} MB,"
            f"重复行 {self.n_duplicate_rows:,}",
        )
        titles = say(
            en="column kind missing distinct values", zh="列 类型 缺失 不同值 取值"
        ).split()
        rows = [titles] + [_summary_row(c) for c in self.columns.values()]
        widths = [min(40, max(_width(row[i]) for row in rows)) for i in range(4)]
        lines = ["  ".join([*map(_padded, row[:4], widths), row[4]]).rstrip() for row in rows]
        return "\n".join([head, *lines])

    def __str__(self) -> str:
        return self.summary()


def profile_table(frame: pd.DataFrame) -> TableProfile:
    """Profile a table with cells of any types; column names must be distinct texts.

    Examples
    --------
    >>> profile = profile_table(pd.DataFrame({"price": ["¥1,200", "¥900"], "sold": ["yes", "no"]}))
    >>> [(c.name, c.kind, c.max) for c in profile.columns.values()]
    [('price', 'number', 1200.0), ('sold', 'boolean', 1.0)]
    """
    n_rows = len(frame)
    row_keys = np.zeros(n_rows, dtype=np.uint64)
    seen: dict[int, list[tuple[str, Distinct]]] = {}
    facts: dict[str, dict[str, Any]] = {}
    memory = 0.0
    for label, series in frame.items():
        name = str(label)
        distinct = distinct_of(series)
        memory += distinct.memory_mb
        row_keys = (row_keys ^ distinct.codes.astype(np.uint64)) * _MIXER
        row_keys ^= row_keys >> np.uint64(29)
        facts[name] = describe(name, distinct) | {"copy_of": _earlier_copy(name, distinct, seen)}
    _spare_lone_ids(facts)
    return TableProfile(
        n_rows=n_rows,
        n_columns=len(facts),
        n_duplicate_rows=n_rows - len(np.unique(row_keys)) if facts else 0,
        memory_mb=memory,
        columns={name: ColumnProfile(**fact) for name, fact in facts.items()},
    )


def _earlier_copy(
    name: str, distinct: Distinct, seen: dict[int, list[tuple[str, Distinct]]]
) -> str | None:
    """Return the first earlier column whose cells are all the same; remember this one."""
    alike = seen.setdefault(distinct.fingerprint(), [])
    for earlier, other in alike:
        if distinct.same_values(other):
            return earlier
    alike.append((name, distinct))
    return None


def _spare_lone_ids(facts: dict[str, dict[str, Any]]) -> None:
    """Take no column for an id when fewer than two others (a feature and a target) are left."""
    others = [f for f in facts.values() if f["kind"] not in ("id", "constant")]
    if len(others) > 1:
        return
    for fact in facts.values():
        if fact["kind"] == "id":
            rule_kind = fact["rule"].kind
            fact["kind"] = fact["raw_kind"] if rule_kind == "string" else rule_kind


def _summary_row(column: ColumnProfile) -> list[str]:
    if column.first_date is not None:
        values = f"{column.first_date} … {column.last_date}"
    elif column.kind == "number" and column.min is not None and column.max is not None:
        values = f"{column.min:.6g} … {column.max:.6g}"
        values += "" if column.mean is None else f" (x̄ {column.mean:.6g})"
    elif column.top:
        values = ", ".join(f"{value} ({count})" for value, count in column.top[:4])
    else:
        values = "; ".join(column.examples[:2])
    missing = f"{100 * column.missing_share:.1f}%" if column.n_missing else "-"
    cut = values if len(values) <= 70 else values[:69] + "…"
    return [column.name, column.kind, missing, f"{column.n_unique:,}", " ".join(cut.split())]


def _width(text: str) -> int:
    """Return the terminal cells of a text: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _padded(text: str, width: int) -> str:
    while _width(text) > width:
        text = text[:-2] + "…"
    return text + " " * (width - _width(text))
