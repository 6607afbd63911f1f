"""Cells to numbers, dates, booleans and names, the same way in training and in prediction.

A `ParseRule` is found once from the training column and then applied to any later cells; a
cell that does not fit it is missing. Cells may be typed or text in either place: a column of
floats in training and of ``"1,234"`` in prediction reads the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from autoglm.dataflow._parse_date import read_date, read_ymd
from autoglm.dataflow._parse_number import is_marker, normalised, plain_number, read_number

Cells = Sequence[Any] | NDArray[Any]
Floats = NDArray[np.float64]
RuleKind = Literal["number", "date", "boolean", "string"]

TRUE_WORDS = ("true", "yes", "y", "t", "on", "是", "有", "真", "对")
FALSE_WORDS = ("false", "no", "n", "f", "off", "否", "无", "没有", "假", "错")
_NAN = float("nan")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EPOCH_DAY = _EPOCH.toordinal()
_MANY = 256


class ParseRule(BaseModel):
    """How the cells of one column are read.

    Attributes
    ----------
    kind
        What the cells are read as.
    plain
        Whether every cell is that already (a bare number, a typed date or boolean), so that
        reading it changes nothing.
    missing
        Cells, in lower case, that mean "no value".
    units
        number: unit suffixes, lower case, with the factor to the column's own unit.
    decimal
        number: the decimal mark.
    clock
        number: cells are ``h:mm`` or ``h:mm:ss``, read as seconds.
    day_first
        date: whether 05/01/2024 is 5 January.
    epoch
        date: numbers are seconds or milliseconds since 1970, or ``20240105``.
    formats
        date: the shapes seen in training, most frequent first (for information).
    true, false
        boolean: the cells, in lower case, that mean true and false.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: RuleKind = "string"
    plain: bool = True
    missing: tuple[str, ...] = ()
    units: dict[str, float] = Field(default_factory=dict)
    decimal: Literal[".", ","] = "."
    clock: bool = False
    day_first: bool = False
    epoch: Literal["s", "ms", "ymd"] | None = None
    formats: tuple[str, ...] = ()
    true: tuple[str, ...] = ()
    false: tuple[str, ...] = ()


def parse_numbers(cells: Cells, rule: ParseRule | None = None) -> Floats:
    """Return float64 (n,) numbers, NaN where a cell holds none; infinities are missing.

    Text may hold thousands separators, full-width characters, currency, 万/亿/%/k/M, brackets
    for negatives, and the units of `rule`.

    Examples
    --------
    >>> parse_numbers(["1,234", "1.5万", "12%", "?", None]).tolist()
    [1234.0, 15000.0, 0.12, nan, nan]
    """
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "m":
        return _from_ticks(cells.astype("timedelta64[us]"))
    try:
        out = np.array(cells, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return _mapped(cells, _number_reader(rule or ParseRule(kind="number")))
    if out.ndim != 1:
        return _mapped(cells, _number_reader(rule or ParseRule(kind="number")))
    if not np.isfinite(out).all():
        out[np.isinf(out)] = np.nan
    return out


def parse_dates(cells: Cells, rule: ParseRule | None = None) -> Floats:
    """Return float64 (n,) seconds since 1970-01-01 UTC, NaN where a cell holds no date.

    Every cell is read by its own shape, so that mixed formats in one column are all read; the
    rule settles 05/01/2024 and numbers. A date without a time zone is UTC.

    Examples
    --------
    >>> parse_dates(["1970-01-02", "1970年1月2日", "02.01.1970", "soon"]).tolist()
    [86400.0, 86400.0, 86400.0, nan]
    """
    rule = rule or ParseRule(kind="date")
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "M":
        return _from_ticks(cells.astype("datetime64[us]"))
    if rule.epoch is not None:
        return _epoch_dates(parse_numbers(cells), rule.epoch)
    if len(cells) < _MANY:
        return _mapped(cells, _date_reader(rule))
    return _many_dates(cells, rule)


def parse_booleans(cells: Cells, rule: ParseRule | None = None) -> Floats:
    """Return float64 (n,) 1 for true, 0 for false, NaN for anything else.

    Examples
    --------
    >>> parse_booleans(["Yes", "no", "是", 1, None]).tolist()
    [1.0, 0.0, 1.0, 1.0, nan]
    """
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "b":
        return cells.astype(np.float64)
    return _mapped(cells, _boolean_reader(rule or ParseRule(kind="boolean")))


def parse_names(cells: Cells, rule: ParseRule | None = None) -> NDArray[Any]:
    """Return object (n,) str without outer blanks, None where missing: category values.

    Examples
    --------
    >>> parse_names([" a ", 1, 1.0, "", None, True]).tolist()
    ['a', '1', '1', None, None, 'True']
    """
    missing = frozenset(rule.missing) if rule is not None else frozenset()
    out = np.empty(len(cells), dtype=object)
    listed = cells.tolist() if isinstance(cells, np.ndarray) else list(cells)
    if len(listed) < _MANY or not set(map(type, listed)) <= {str, type(None), float}:
        out[:] = [_name(cell, missing) for cell in listed]
        return out
    # Few distinct texts stand in many cells: each is looked at once.
    known = {cell: _name(cell, missing) for cell in set(listed)}
    out[:] = list(map(known.__getitem__, listed))
    return out


def cell_reader(kind: str, rule: ParseRule) -> Callable[[Any], Any]:
    """Return the function that reads one cell as the array functions read many.

    Parameters
    ----------
    kind
        "number", "date" or "boolean"; anything else is read as a name.
    rule
        The column's rule.
    """
    if kind == "number":
        return _number_reader(rule)
    if kind == "boolean":
        return _boolean_reader(rule)
    if kind == "date":
        read, epoch = _date_reader(rule), rule.epoch
        if epoch is None:
            return read
        return lambda cell: float(parse_dates([cell], rule)[0])
    missing = frozenset(rule.missing)
    return lambda cell: _name(cell, missing)


def name_of(cell: Any) -> str | None:
    """Return the name of a cell as a category has it: 1 and 1.0 are both "1"; None if missing."""
    return _name(cell, frozenset())


def is_missing(cell: Any) -> bool:
    """Return whether a cell holds nothing: None, NaN, NaT, NA or blank text."""
    if cell is None:
        return True
    if isinstance(cell, str):
        return not cell or cell.isspace()
    return bool(_differs_from_itself(cell))


def _name(cell: Any, missing: frozenset[str]) -> str | None:
    if type(cell) is str:
        text = cell.strip()
        return None if not text or (missing and text.casefold() in missing) else text
    if is_missing(cell):
        return None
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace").strip() or None
    try:
        return str(cell)
    except ValueError:  # an integer of thousands of digits
        return hex(cell)


def _differs_from_itself(cell: Any) -> bool:
    try:
        return bool(cell != cell)
    except TypeError:  # pandas.NA has no truth value
        return True
    except ValueError:  # an array in a cell
        return False


def _mapped(cells: Cells, read: Callable[[Any], float]) -> Floats:
    """Apply `read` to each cell, once for each distinct text."""
    listed = cells.tolist() if isinstance(cells, np.ndarray) else cells
    out = np.empty(len(listed))
    seen: dict[str, float] = {}
    for i, cell in enumerate(listed):
        if type(cell) is str:
            value = seen.get(cell)
            if value is None:
                value = seen[cell] = read(cell)
            out[i] = value
        else:
            out[i] = read(cell)
    return out


def _as_float(cell: Any) -> float:
    if isinstance(cell, dt.timedelta):
        return cell.total_seconds()
    if isinstance(cell, dt.time):
        return cell.hour * 3600.0 + cell.minute * 60 + cell.second
    try:
        value = float(cell)
    except (TypeError, ValueError, OverflowError):
        return _NAN
    return value if abs(value) < float("inf") else _NAN


def _number_reader(rule: ParseRule) -> Callable[[Any], float]:
    missing = frozenset(rule.missing)

    def read(cell: Any) -> float:
        if not isinstance(cell, str):
            return _as_float(cell)
        value = plain_number(cell)
        if value is not None and not (missing and cell.strip().casefold() in missing):
            return value
        text = normalised(cell)
        if is_marker(text) or text.casefold() in missing:
            return _NAN
        reading = read_number(text, rule.decimal)
        if reading is None or reading.clock != rule.clock:
            return _NAN
        return reading.value * rule.units.get(reading.unit, _NAN if reading.unit else 1.0)

    return read


def _boolean_reader(rule: ParseRule) -> Callable[[Any], float]:
    words = dict.fromkeys(FALSE_WORDS, 0.0) | dict.fromkeys(TRUE_WORDS, 1.0)
    words |= dict.fromkeys(rule.false, 0.0) | dict.fromkeys(rule.true, 1.0)

    def read(cell: Any) -> float:
        if isinstance(cell, str):
            text = normalised(cell).casefold()
            found = words.get(text)
            number = plain_number(text) if found is None else found
        else:
            number = _as_float(cell)
        return number if number is not None and number in (0.0, 1.0) else _NAN

    return read


def _date_reader(rule: ParseRule) -> Callable[[Any], float]:
    missing = frozenset(rule.missing)

    def read(cell: Any) -> float:
        if isinstance(cell, str):
            text = normalised(cell)
            if text.casefold() in missing:
                return _NAN
            found = read_date(text, rule.day_first)
            return _NAN if found is None else found[0]
        if is_missing(cell):
            return _NAN
        if isinstance(cell, np.datetime64):
            cell = cell.astype("datetime64[us]").item()
        if isinstance(cell, dt.datetime):
            return (cell if cell.tzinfo else cell.replace(tzinfo=dt.UTC)).timestamp()
        return (cell.toordinal() - _EPOCH_DAY) * 86400.0 if isinstance(cell, dt.date) else _NAN

    return read


def _many_dates(cells: Cells, rule: ParseRule) -> Floats:
    """Read ISO dates all at once and the others one by one."""
    import pandas as pd

    listed = cells.tolist() if isinstance(cells, np.ndarray) else list(cells)
    texts = {cell for cell in listed if type(cell) is str}
    read = _date_reader(rule)
    plain = [t for t in texts if t[4:5] == "-" and t.strip().casefold() not in rule.missing]
    parsed = pd.to_datetime(
        np.array(plain, dtype=object), format="ISO8601", errors="coerce", utc=True
    )
    seconds = _from_ticks(parsed.tz_localize(None).to_numpy().astype("datetime64[us]"))
    known = {t: s for t, s in zip(plain, seconds.tolist(), strict=True) if s == s}
    return np.array(
        [known[c] if type(c) is str and c in known else read(c) for c in listed], dtype=np.float64
    )


def _epoch_dates(numbers: Floats, epoch: str) -> Floats:
    if epoch == "ymd":
        return np.array([read_ymd(v) for v in numbers.tolist()], dtype=np.float64)
    return numbers / 1000.0 if epoch == "ms" else numbers


def _from_ticks(ticks: NDArray[Any]) -> Floats:
    """Return seconds of microsecond ticks, NaN for NaT."""
    out = ticks.astype(np.int64) / 1e6
    out[np.isnat(ticks)] = np.nan
    return np.asarray(out, dtype=np.float64)
