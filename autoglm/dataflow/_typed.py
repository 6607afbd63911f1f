"""Typed values to plain columns: numpy numbers, booleans and dates, objects for the rest."""

from __future__ import annotations

import datetime as dt
import decimal
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoglm.core.text import say

_INT64 = 1 << 63


def typed_column(values: Sequence[Any]) -> NDArray[Any]:
    """Return Python values as one array of the narrowest type that loses nothing.

    Integers, floats and booleans become numpy numbers (float64 with NaN where some are
    missing), dates become datetime64; anything mixed stays an object array with None
    where missing. Integers beyond 64 bits, nested values and bytes become text.
    """
    kinds = {type(v) for v in values}
    missing = type(None) in kinds
    kinds.discard(type(None))
    if kinds == {bool} and not missing:
        return np.array(values, dtype=bool)
    if kinds == {int} and not missing and all(-_INT64 <= v < _INT64 for v in values):
        return np.array(values, dtype=np.int64)
    if kinds and kinds <= {int, float} and not _too_long(values):
        return np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    if kinds == {dt.datetime} and len({v.tzinfo for v in values if v is not None}) == 1:
        dates = pd.to_datetime(pd.Series(list(values), dtype=object), errors="coerce", utc=True)
        return dates.dt.tz_localize(None).to_numpy()
    plain = np.empty(len(values), dtype=object)
    plain[:] = [v if v is None or type(v) is str else plain_value(v) for v in values]
    return plain


def _too_long(values: Sequence[Any]) -> bool:
    return any(type(v) is int and not -_INT64 <= v < _INT64 for v in values)


def plain_value(value: Any) -> Any:
    """Return one cell as None, str, bool, int, float or datetime.

    Examples
    --------
    >>> plain_value({"a": [1, 2]}), plain_value(b"x"), plain_value(float("nan"))
    ('{"a": [1, 2]}', 'x', None)
    """
    if value is None or isinstance(value, str | bool | dt.datetime):
        return None if value is pd.NaT else value
    if isinstance(value, np.generic):
        return plain_value(value.item())
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else long_text(value)
    if isinstance(value, float):
        return None if value != value else value
    if isinstance(value, decimal.Decimal):
        return None if value.is_nan() else float(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", errors="replace")
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time())
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return json_text(value)
    return None if value is pd.NA else str(value)


def long_text(value: int) -> str:
    """Return an integer of any length as text; one of thousands of digits as a float's."""
    return str(value) if value.bit_length() < 10_000 else "inf" if value > 0 else "-inf"


def json_text(value: Any) -> str:
    """Return a nested value as JSON text."""
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return type(value).__name__


def nested_note(names: Sequence[str]) -> str:
    """Return the note for columns whose nested values became text."""
    shown = ", ".join(repr(n) for n in names[:5])
    return say(
        en=f"Nested values were kept as JSON text in: {shown}.",
        zh=f"以下列中的嵌套值已转为 JSON 文本:{shown}。",
    )
