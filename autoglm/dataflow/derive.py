r"""Columns computed from others, in a small language of their own.

    `total` / `visits`                      arithmetic, + - * / and brackets
    days(`ended`, `begun`)                  year, month, day, weekday, hour of a date; days between
    mean(`price` by `city`)                 count, mean, std, min, max of a column within a group
    length(`note`), words(`note`)           of a text; share of digits(`note`)
    part(`code`, "-", 0)                    a piece of a text, as a category
    log(`income`), sqrt, abs, min(a, b), max(a, b), missing(`x`)

There is nothing else in it: no names but those of columns, no loops, no calls of anything that is
not named here. What has no value (a gap, a division by zero) is missing.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from autoglm.core.errors import SpecError
from autoglm.core.text import say
from autoglm.dataflow.columns import Column, Columns, Kind

#: Characters of an expression, and how deep it may be nested.
MOST_CHARACTERS, MOST_DEPTH = 400, 20
#: Groups of which figures are kept.
MOST_GROUPS = 20_000
_DAY_S = 86_400.0
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NAN = float("nan")
_TOKEN = re.compile(
    r"""\s*(?:(?P<column>`[^`\n]+`)|(?P<text>"[^"\n]*")|(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)
    |(?P<name>[a-z_]+)|(?P<sign>[-+*/(),]))""",
    re.VERBOSE | re.IGNORECASE,
)
_STATS = ("count", "mean", "std", "min", "max")
_DATE_PARTS = ("year", "month", "day", "weekday", "hour")
_TEXTS = ("length", "words", "digits")
_PLAIN = ("log", "sqrt", "abs", "missing")

Value = NDArray[Any]
#: From the cells of a row, as the cleaner reads them, to a value.
RowValue = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Node:
    """A part of an expression: what it does, to which parts, with which words."""

    kind: str
    parts: tuple[Node, ...] = ()
    name: str = ""
    value: float = 0.0

    def columns(self) -> Iterator[str]:
        """Yield the columns it needs."""
        if self.kind == "column":
            yield self.name
        for part in self.parts:
            yield from part.columns()

    def nodes(self) -> Iterator[Node]:
        """Yield it and all its parts."""
        yield self
        for part in self.parts:
            yield from part.nodes()


def parse(text: str) -> Node:
    """Read an expression.

    Raises
    ------
    SpecError
        When it is none of this language.

    Examples
    --------
    >>> sorted(parse("`a` / (`b` + 1)").columns())
    ['a', 'b']
    """
    if len(text) > MOST_CHARACTERS:
        raise _wrong(text, say(en="it is too long", zh="过长"))
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text, self._tokens, self._at, self._depth = text, list(_tokens(text)), 0, 0

    def whole(self) -> Node:
        node = self._sum()
        if self._at < len(self._tokens):
            raise self._unexpected()
        return node

    def _next(self, *signs: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at][1] in signs:
            self._at += 1
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._next(sign):
            raise self._unexpected()

    def _unexpected(self) -> SpecError:
        found = self._tokens[self._at][1] if self._at < len(self._tokens) else ""
        return _wrong(self._text, say(en=f"{found!r} is not expected" if found else "it ends early",
                                      zh=f"意外的 {found!r}" if found else "不完整"))  # fmt: skip

    def _sum(self) -> Node:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise _wrong(self._text, say(en="it is nested too deeply", zh="嵌套过深"))
        node = self._product()
        while self._at < len(self._tokens) and self._tokens[self._at][1] in ("+", "-"):
            sign = self._tokens[self._at][1]
            self._at += 1
            node = Node("op", (node, self._product()), sign)
        self._depth -= 1
        return node

    def _product(self) -> Node:
        node = self._factor()
        while self._at < len(self._tokens) and self._tokens[self._at][1] in ("*", "/"):
            sign = self._tokens[self._at][1]
            self._at += 1
            node = Node("op", (node, self._factor()), sign)
        return node

    def _factor(self) -> Node:
        if self._next("-"):
            if self._next("-"):
                raise self._unexpected()  # one sign is enough
            return Node("op", (Node("number"), self._factor()), "-")
        if self._next("("):
            node = self._sum()
            self._need(")")
            return node
        if self._at >= len(self._tokens):
            raise self._unexpected()
        kind, word = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            return Node("number", value=float(word))
        if kind == "column":
            return Node("column", name=word[1:-1])
        if kind == "name":
            return self._call(word.lower())
        self._at -= 1
        raise self._unexpected()

    def _call(self, name: str) -> Node:
        self._need("(")
        if name == "part":
            return self._part()
        parts = [self._sum()]
        if self._next("by"):
            if name not in _STATS or parts[0].kind != "column":
                raise self._unexpected()
            parts.append(self._sum())
            self._need(")")
            if parts[1].kind != "column":
                raise self._unexpected()
            return Node("group", tuple(parts), name)
        while self._next(","):
            parts.append(self._sum())
        self._need(")")
        wanted = {"min": 2, "max": 2, "days": 2}.get(name, 1)
        known = name in (*_DATE_PARTS, *_TEXTS, *_PLAIN, "min", "max", "days")
        if not known or len(parts) != wanted:
            raise _wrong(self._text, say(en=f"there is no {name} of {len(parts)}",
                                         zh=f"没有接受 {len(parts)} 个参数的 {name}"))  # fmt: skip
        if name in (*_DATE_PARTS, *_TEXTS, "days", "missing") and any(
            part.kind != "column" for part in parts
        ):
            raise _wrong(self._text, say(en=f"{name} is of a column", zh=f"{name} 只用于列"))
        return Node("call", tuple(parts), name)

    def _part(self) -> Node:
        column = self._factor()
        self._need(",")
        kind, mark = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        self._at += 1
        self._need(",")
        sign = -1 if self._next("-") else 1
        number = self._factor()
        self._need(")")
        whole = number.kind == "number" and number.value == int(number.value)
        if column.kind != "column" or kind != "text" or len(mark) < 3 or not whole:
            raise _wrong(self._text, say(en='part is written part(`column`, "-", 0)',
                                         zh='part 的写法是 part(`列`, "-", 0)'))  # fmt: skip
        return Node("part", (column,), mark[1:-1], sign * number.value)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise _wrong(text, say(en=f"{text[at:].strip()[:12]!r} is not understood",
                                   zh=f"无法理解 {text[at:].strip()[:12]!r}"))  # fmt: skip
        yield found.lastgroup, found[found.lastgroup]
        at = found.end()


def _wrong(text: str, why: str) -> SpecError:
    return SpecError(
        say(en=f"The expression {text[:80]!r} cannot be used: {why}.",
            zh=f"表达式 {text[:80]!r} 无法使用:{why}。"),
        hint=say(en="See the documentation of derived columns.", zh="见派生列的文档。"),
    )  # fmt: skip


# --- fitted ------------------------------------------------------------------------------


class Derived(BaseModel):
    """A column computed from others, with what it learned of the training rows.

    Attributes
    ----------
    name
        Of the new column.
    text
        The expression.
    reason
        Why it was proposed.
    groups
        For each figure of a group, by its text: values by group, and the value of all rows.
    gain, cost_ms
        What it gained out of fold when it was chosen, in the task's utility, and what computing it
        for 1,000 rows takes; None where that was not measured.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    text: str
    reason: str = ""
    groups: dict[str, tuple[dict[str, float], float]] = {}
    gain: float | None = None
    cost_ms: float | None = None

    @model_validator(mode="after")
    def _readable(self) -> Derived:
        """Refuse what cannot be computed: it may come from a file."""
        try:
            node = parse(self.text)
        except SpecError as error:
            raise ValueError(error.message) from error
        needed = {_named(one) for one in node.nodes() if one.kind == "group"}
        if needed - self.groups.keys():
            raise ValueError("figures of a group are missing")
        return self

    @classmethod
    def fit(cls, text: str, columns: Columns, *, name: str = "", reason: str = "") -> Derived:
        """Learn what the expression needs of the training rows.

        Raises
        ------
        SpecError
            When it is no expression, or does not fit the columns.
        """
        node = parse(text)
        _check(node, columns, text)
        groups = {
            _named(one): _figures(one, columns) for one in node.nodes() if one.kind == "group"
        }
        return cls(name=name or text, text=text, reason=reason, groups=groups)

    @property
    def kind(self) -> Kind:
        """What the column is: a number, or a category where it is a piece of text."""
        return "category" if parse(self.text).kind == "part" else "number"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns it is computed from."""
        return tuple(dict.fromkeys(parse(self.text).columns()))

    def column(self, columns: Columns) -> Column:
        """Return the column for many rows."""
        with np.errstate(all="ignore"):
            values = self._values(parse(self.text), columns)
        return Column(self.kind, values)

    def of_row(self) -> RowValue:
        """Return the function to the value of one row, from its cells by column as read."""
        return self._row(parse(self.text))

    # Many rows

    def _values(self, node: Node, columns: Columns) -> Value:
        if node.kind == "number":
            return np.full(columns.n_rows, node.value)
        if node.kind == "column":
            return columns[node.name].values
        if node.kind == "group":
            table, other = self.groups[_named(node)]
            keys = columns[node.parts[1].name].values
            return np.array([table.get(k, other) if k else _NAN for k in map(_key, keys)])
        if node.kind == "part":
            cells = columns[node.parts[0].name].values
            return _objects([_piece(c, node.name, int(node.value)) for c in cells])
        own = [self._values(part, columns) for part in node.parts]
        if node.kind == "op":
            return _finite_many(_OPERATORS[node.name](*own))
        return _finite_many(_called(node.name, own))

    # One row

    def _row(self, node: Node) -> RowValue:
        name, value = node.name, node.value
        if node.kind == "number":
            return lambda cells: value
        if node.kind == "column":
            return lambda cells: cells[name]
        if node.kind == "group":
            (table, other), column = self.groups[_named(node)], node.parts[1].name

            def figure(cells: Mapping[str, Any]) -> float:
                key = _key(cells[column])
                return table.get(key, other) if key else _NAN

            return figure
        own = [self._row(part) for part in node.parts]
        if node.kind == "part":
            return lambda cells: _piece(own[0](cells), name, int(value))
        if node.kind == "op":
            operate = _SINGLE_OPERATORS[name]
            return lambda cells: _finite(operate, own[0](cells), own[1](cells))
        single = _SINGLE[name]
        return lambda cells: _finite(single, *(one(cells) for one in own))


def _check(node: Node, columns: Columns, text: str) -> None:
    """Refuse an expression whose columns are not there or of another kind than it takes."""
    for name in node.columns():
        if name not in columns:
            raise _wrong(text, say(en=f"there is no column {name!r}", zh=f"没有列 {name!r}"))
    _check_kinds(node, columns, text, top=True)


def _check_kinds(node: Node, columns: Columns, text: str, *, top: bool) -> None:
    names = ("category", "text", "id")
    if node.kind == "part" and not top:
        raise _wrong(text, say(en="a part of a text is no number", zh="文本片段不是数字"))
    wanted: tuple[str, ...] = ("number", "boolean")
    if node.kind == "part" or (node.kind == "call" and node.name in _TEXTS):
        wanted = names
    elif node.kind == "call" and node.name in (*_DATE_PARTS, "days"):
        wanted = ("date",)
    elif node.kind == "call" and node.name == "missing":
        wanted = (*names, "number", "boolean", "date", "constant")
    for at, part in enumerate(node.parts):
        needed = (*names, "boolean") if node.kind == "group" and at == 1 else wanted
        if part.kind == "column" and columns[part.name].kind not in needed:
            raise _wrong(text, say(en=f"{part.name} is a {columns[part.name].kind} column",
                                   zh=f"{part.name} 是 {columns[part.name].kind} 列"))  # fmt: skip
        _check_kinds(part, columns, text, top=False)
    if top and node.kind == "column":
        raise _wrong(text, say(en="it is a column as it stands", zh="只是原有的列"))


def _named(node: Node) -> str:
    return f"{node.name} `{node.parts[0].name}` by `{node.parts[1].name}`"


def _figures(node: Node, columns: Columns) -> tuple[dict[str, float], float]:
    """Return the figure of each group, and that of all rows for groups that are not known."""
    values = np.asarray(columns[node.parts[0].name].values, np.float64)
    keys = [_key(k) for k in columns[node.parts[1].name].values]
    rows = pd.DataFrame({"key": keys, "value": values})
    rows = rows[rows["key"].map(bool)]
    found = rows.groupby("key")["value"].agg(node.name).dropna()
    if len(found) > MOST_GROUPS:
        found = found.loc[rows["key"].value_counts().index[:MOST_GROUPS].intersection(found.index)]
    whole = 0.0 if node.name == "count" else float(rows["value"].agg(node.name))
    return {str(k): float(v) for k, v in found.items()}, whole if math.isfinite(whole) else 0.0


def _key(cell: Any) -> str:
    if cell is None or cell != cell:
        return ""
    return str(int(cell)) if isinstance(cell, float) else str(cell)


def _objects(values: Sequence[Any]) -> Value:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _piece(cell: Any, mark: str, at: int) -> str | None:
    """Return a piece of a text between marks, None where it has none."""
    if not cell:
        return None
    pieces = str(cell).split(mark)
    piece = pieces[at].strip() if -len(pieces) <= at < len(pieces) else ""
    return piece or None


_OPERATORS: Mapping[str, Callable[[Value, Value], Value]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide,
}  # fmt: skip
_SINGLE_OPERATORS: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}  # fmt: skip


def _finite_many(values: Value) -> Value:
    """Return values, with what is no finite number as missing: at every step, as for one row."""
    return np.where(np.isfinite(values), values, np.nan)


def _finite(function: Callable[..., float], *given: Any) -> float:
    """Return a value of a function, NaN where it has none."""
    try:
        value = function(*given)
    except (ZeroDivisionError, ValueError, OverflowError):
        return _NAN
    return float(value) if math.isfinite(value) else _NAN


def _log(value: float) -> float:
    """Return the signed logarithm of 1 + |x|, which exists everywhere."""
    return math.copysign(math.log1p(abs(value)), value)


def _date_part(name: str) -> Callable[[float], float]:
    def part(seconds: float) -> float:
        if seconds != seconds:
            return _NAN
        moment = _EPOCH + dt.timedelta(seconds=seconds)
        return float(moment.weekday() if name == "weekday" else getattr(moment, name))

    return part


def _length(cell: Any) -> float:
    return float(len(cell)) if cell else 0.0


def _words(cell: Any) -> float:
    return float(len(str(cell).split())) if cell else 0.0


def _digits(cell: Any) -> float:
    return sum(c.isdigit() for c in cell) / len(cell) if cell else _NAN


def _missing(cell: Any) -> float:
    return float(cell is None or cell != cell)


_SINGLE: Mapping[str, Callable[..., float]] = {
    "log": _log,
    "sqrt": math.sqrt,
    "abs": abs,
    "min": lambda a, b: _NAN if a != a or b != b else min(a, b),
    "max": lambda a, b: _NAN if a != a or b != b else max(a, b),
    "days": lambda a, b: (a - b) / _DAY_S,
    "length": _length,
    "words": _words,
    "digits": _digits,
    "missing": _missing,
    **{name: _date_part(name) for name in _DATE_PARTS},
}
_MANY: Mapping[str, Callable[..., Value]] = {
    "log": lambda x: np.copysign(np.log1p(np.abs(x)), x),
    "sqrt": np.sqrt,
    "abs": np.abs,
    "min": np.minimum,
    "max": np.maximum,
    "days": lambda a, b: (a - b) / _DAY_S,
}


def _called(name: str, own: Sequence[Value]) -> Value:
    many = _MANY.get(name)
    if many is not None:
        return np.asarray(many(*own))
    single = _SINGLE[name]
    known: dict[Any, float] = {}
    out = np.empty(len(own[0]))
    for at, cell in enumerate(own[0].tolist()):
        if cell != cell:
            out[at] = _finite(single, cell)
            continue
        if cell not in known:
            known[cell] = _finite(single, cell)
        out[at] = known[cell]
    return out
