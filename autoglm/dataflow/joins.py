"""Several tables as one: how they hang together, and what the others say of each row of one.

A table in which a key stands once is looked up; of a table with many rows for a key every column
is summed up (how many, mean, least, most frequent ...). How tables are linked is found from the
names of columns and the values they share, and kept, so that new rows are joined in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from autoglm.core.errors import BundleError, DataError
from autoglm.core.text import say
from autoglm.dataflow.parse import (
    ParseRule,
    parse_booleans,
    parse_dates,
    parse_names,
    parse_numbers,
)
from autoglm.dataflow.profile import ColumnProfile, TableProfile, profile_table

#: A link is made from here on; one that is less sure than `CERTAIN` is worth a question.
ENOUGH, CERTAIN = 0.5, 0.75
#: Tables are linked to the main one over so many others, itself not counted.
DEPTH = 2
#: Values of a column that are compared with those of another.
COMPARED = 20_000
#: A link by equal values alone, where names say nothing: so many, and so many of them shared.
MANY_VALUES, NEARLY_ALL = 30, 0.98
#: Columns of a key, and columns that one table may add.
MOST_KEYS, MOST_ADDED = 3, 120
#: Of a table with more columns of numbers fewer figures are kept of each.
MANY_NUMBERS = 12
_DAY_S = 86_400.0

Way = Literal[
    "mean", "sum", "min", "max", "share", "first", "last", "span_days", "most", "distinct"
]
_WAYS: Mapping[str, tuple[Way, ...]] = {
    "number": ("mean", "sum", "min", "max"),
    "boolean": ("share",),
    "date": ("first", "last", "span_days"),
    "category": ("most", "distinct"),
}  # fmt: skip
_KEY_WORDS = frozenset({"id", "no", "nr", "num", "number", "code", "key", "fk", "pk", "uid", "idx"})
_KEY_ENDS = ("编号", "代码", "编码", "号码", "号", "id")
_GENERIC = frozenset({
    "id", "name", "date", "time", "index", "type", "no", "日期", "时间", "名称", "编号",
})  # fmt: skip

Frames = Mapping[str, pd.DataFrame]


class Figure(BaseModel):
    """A column of which many rows are summed up, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    kind: str
    rule: ParseRule
    ways: tuple[Way, ...]


class Link(BaseModel):
    """How one table stands beside another.

    Attributes
    ----------
    table, to
        The table that is joined, and the one whose rows get its columns.
    keys
        Pairs of columns that have equal values: of `to`, of `table`.
    many
        Whether a key has many rows there, which are summed up.
    figures
        What is kept of them.
    sure
        0 to 1.
    found
        Share of the rows of `to` for which there is something.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    to: str
    keys: tuple[tuple[str, str], ...]
    many: bool = False
    figures: tuple[Figure, ...] = ()
    sure: float = 1.0
    found: float = 1.0

    def __str__(self) -> str:
        keys = ", ".join(a if a == b else f"{a} = {b}" for a, b in self.keys)
        how = say(en="summed up", zh="汇总") if self.many else say(en="looked up", zh="查找")
        share = f"{self.found:.0%}"
        return say(en=f"{self.table} beside {self.to} by {keys}, {how}; {share} of rows",
                   zh=f"{self.table} 按 {keys} 并入 {self.to},{how};覆盖 {share} 的行")  # fmt: skip


class Joins(BaseModel):
    """How the rows of a main table get what other tables say of them.

    Attributes
    ----------
    main
        Name of the main table.
    links
        In an order in which each table comes after the one it is joined to.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    main: str
    links: tuple[Link, ...] = ()

    @model_validator(mode="after")
    def _a_tree(self) -> Joins:
        """Refuse links in a circle or to nothing: they may come from a file."""
        there = {self.main}
        for link in self.links:
            if link.to not in there or link.table in there or not link.keys:
                raise ValueError(f"{link.table} is not joined to a table before it")
            there.add(link.table)
        return self

    def apply(self, tables: Frames) -> pd.DataFrame:
        """Return the rows of the main table with the columns of the others beside them.

        Raises
        ------
        DataError
            When a table or a column of a key is missing.
        """
        return self._widened(self.main, tables)

    def _widened(self, name: str, tables: Frames) -> pd.DataFrame:
        frame = _table(tables, name)
        for link in self.links:
            if link.to == name:
                frame = _beside(frame, link, self._widened(link.table, tables))
        return frame

    def to_json(self) -> str:
        """Return it as JSON text."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str | bytes) -> Joins:
        """Read what `to_json` wrote.

        Raises
        ------
        BundleError
            When it is something else.
        """
        try:
            return cls.model_validate_json(text)
        except ValueError as error:
            raise BundleError(
                say(en="How the tables are joined cannot be read.", zh="无法读取表格的连接方式。"),
                hint=say(en="Save the model again.", zh="请重新保存模型。"),
            ) from error


def find_joins(
    tables: Frames, profiles: Mapping[str, TableProfile], main: str, target: str = ""
) -> Joins:
    """Return how tables hang together, seen from the main one.

    Parameters
    ----------
    tables, profiles
        All tables by name, and their profiles.
    main, target
        The one whose rows are predicted, and its column that is: new rows lack it, and what it
        leads to would give it away.
    """
    finder = _Finder(tables, profiles, (main, target))
    links: list[Link] = []
    depth = {main: 0}
    left = [name for name in tables if name != main]
    while left:
        tried = (finder.link(n, to) for n in left for to in depth if depth[to] < DEPTH)
        found = [link for link in tried if link is not None]
        if not found:
            break
        best = max(found, key=lambda one: (one.sure, one.found, -depth[one.to]))
        links.append(best)
        depth[best.table] = depth[best.to] + 1
        left.remove(best.table)
    return Joins(main=main, links=tuple(_with_figures(links, tables)))


def _with_figures(links: Sequence[Link], tables: Frames) -> Iterator[Link]:
    """Yield the links, those to many rows with what is kept of the rows as they are in the end."""
    ready: dict[str, Link] = {}
    for link in reversed(links):  # what is joined to a table comes before the table itself
        ready[link.table] = link
        if link.many:
            below = Joins(main=link.table, links=tuple(_below(link.table, links, ready)))
            figures = _figures(profile_table(below.apply(tables)), {own for _, own in link.keys})
            ready[link.table] = link.model_copy(update={"figures": figures})
    yield from (ready[link.table] for link in links)


def _below(root: str, links: Sequence[Link], ready: Mapping[str, Link]) -> Iterator[Link]:
    """Yield the links of what is joined to a table, directly or not, in order."""
    there = {root}
    for link in links:
        if link.to in there:
            there.add(link.table)
            yield ready[link.table]


def _figures(profile: TableProfile, keys: set[str]) -> tuple[Figure, ...]:
    numbers = sum(c.kind == "number" for c in profile.columns.values())
    found = []
    for column in profile.columns.values():
        ways = _WAYS.get(column.kind, ())
        if column.name in keys or not ways or column.copy_of in keys:
            continue
        if column.kind == "number" and numbers > MANY_NUMBERS:
            ways = ("mean", "max")
        found.append(Figure(column=column.name, kind=column.kind, rule=column.rule, ways=ways))
    return tuple(found[:MOST_ADDED])


# --- finding -----------------------------------------------------------------------------


class _Finder:
    """Looks for links; reads the keys of a column once, and looks at a pair of tables once.

    Parameters
    ----------
    tables, profiles
        All tables.
    never
        Table and column that is no key.
    """

    def __init__(
        self, tables: Frames, profiles: Mapping[str, TableProfile], never: tuple[str, str]
    ) -> None:
        self._tables = tables
        self._columns = {
            name: [c for c in profile.columns.values()
                   if _may_be_key(c) and (name, c.name) != never]
            for name, profile in profiles.items()
        }  # fmt: skip
        self._links: dict[tuple[str, str], Link | None] = {}
        self._keys: dict[tuple[str, str], frozenset[str]] = {}

    def link(self, name: str, to: str) -> Link | None:
        """Return the best link of a table to another, or None."""
        if (name, to) not in self._links:
            self._links[name, to] = self._found(name, to)
        return self._links[name, to]

    def _found(self, name: str, to: str) -> Link | None:
        theirs = {c.name: c for c in self._columns[to]}
        pairs = [
            (self._sure(mine, other, name, to), mine.name, other.name)
            for other in theirs.values()
            for mine in self._columns[name]
        ]
        sure, own, other_name = max(pairs, default=(0.0, "", ""))
        if sure < ENOUGH:
            return None
        frame = self._tables[name]
        keys: tuple[tuple[str, str], ...] = ((other_name, own),)
        unique = _is_unique(frame, [own])
        together = () if unique else _composite(pairs, frame)
        keys, unique = (together, True) if together else (keys, unique)
        if not unique and not _names_things(theirs[other_name]):
            sure *= 0.6  # "city" here and "city" there: rows that have no more in common
        known = set(_keys_of(frame, [b for _, b in keys]).dropna().tolist())
        found = float(_keys_of(self._tables[to], [a for a, _ in keys]).isin(known).mean())
        if sure < ENOUGH or found == 0.0:
            return None
        return Link(
            table=name, to=to, keys=keys, many=not unique, sure=round(sure, 3),
            found=round(found, 4),
        )  # fmt: skip

    def _sure(self, mine: ColumnProfile, other: ColumnProfile, name: str, to: str) -> float:
        """Return how sure it is that two columns hold the same keys."""
        alike = name_likeness(mine.name, other.name, name, to)
        if (mine.kind == "date") != (other.kind == "date"):
            return 0.0
        if alike >= 0.5:
            shared = self._shared((name, mine.name), (to, other.name))
            return alike * min(1.0, 0.4 + shared) if shared >= 0.2 else 0.0
        # Small whole numbers are alike everywhere, and so are a few words.
        telling = {mine.kind, other.kind}.isdisjoint(("number", "date"))
        if not telling or min(mine.n_unique, other.n_unique) < MANY_VALUES:
            return 0.0
        return 0.55 if self._shared((name, mine.name), (to, other.name)) >= NEARLY_ALL else 0.0

    def _shared(self, one: tuple[str, str], other: tuple[str, str]) -> float:
        """Return the share of the values of one column that the other has, the larger way round."""
        a, b = self._values(one), self._values(other)
        return len(a & b) / max(1, min(len(a), len(b)))

    def _values(self, place: tuple[str, str]) -> frozenset[str]:
        if place not in self._keys:
            cells = self._tables[place[0]][place[1]]
            self._keys[place] = frozenset(_text_keys(cells).dropna().unique()[:COMPARED])
        return self._keys[place]


def _composite(pairs: list[tuple[float, str, str]], frame: pd.DataFrame) -> tuple[Any, ...]:
    """Return columns that are a key together, all of the same name in both tables."""
    same = [(b, a) for sure, a, b in pairs if a == b and sure >= ENOUGH][:MOST_KEYS]
    if len(same) < 2 or not _is_unique(frame, [own for _, own in same]):
        return ()
    return tuple(same)


def _may_be_key(column: ColumnProfile) -> bool:
    whole = column.kind != "number" or column.integer
    kinds = ("id", "category", "number", "date", "text")
    short = column.kind != "text" or column.mean_characters <= 40
    return column.kind in kinds and whole and short and column.n_unique >= 2


def _names_things(column: ColumnProfile) -> bool:
    """Return whether a column's values name single things rather than sorts of them."""
    return column.kind == "id" or column.n_unique >= 0.2 * max(1, column.n_rows)


def name_likeness(own: str, other: str, table: str, to: str) -> float:
    """Return how alike two names of columns are as names of one key, 0 to 1.

    Examples
    --------
    >>> name_likeness("customer_id", "customer_id", "orders", "customers")
    1.0
    >>> name_likeness("id", "customerId", "customers", "orders")
    0.9
    >>> name_likeness("客户编号", "客户号", "客户", "订单")
    0.9
    >>> name_likeness("price", "age", "orders", "customers")
    0.3
    """
    plain = [re.sub(r"[\W_]+", "", n).lower() for n in (own, other)]
    if plain[0] == plain[1]:
        return 0.5 if plain[0] in _GENERIC else 1.0
    stems = [_stem(n) for n in (own, other)]
    if stems[0] and stems[0] == stems[1]:
        return 0.9
    for stem, bare, home in ((stems[1], stems[0], table), (stems[0], stems[1], to)):
        if stem and not bare and stem == _stem(home):
            return 0.9
    return 0.3


def _stem(name: str) -> str:
    """Return what a name of a key speaks of: "Customer_IDs" and "customerNo" are "customer"."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    words = [w for w in re.split(r"[\W_]+", spaced.lower()) if w]
    words = [w for w in words if w not in _KEY_WORDS and w.rstrip("s") not in _KEY_WORDS]
    text = "".join(w[:-1] if len(w) > 3 and w.endswith("s") else w for w in words)
    for end in _KEY_ENDS:
        if text.endswith(end) and len(text) > len(end):
            return text.removesuffix(end)
    return "" if text in _KEY_ENDS else text


# --- joining -----------------------------------------------------------------------------


def _table(tables: Frames, name: str) -> pd.DataFrame:
    if name not in tables:
        raise DataError(
            say(en=f"The table {name!r} is missing.", zh=f"缺少表格 {name!r}。"),
            hint=say(en=f"Given are: {', '.join(tables)}.", zh=f"已给出:{'、'.join(tables)}。"),
        )
    return tables[name]


def _beside(frame: pd.DataFrame, link: Link, other: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the columns of another beside each row."""
    wanted = _keys_of(frame, [a for a, _ in link.keys])
    keys = _keys_of(other, [b for _, b in link.keys])
    if link.many:
        added = _summed_up(other, keys, link)
    else:
        own = {b for _, b in link.keys}
        kept = [c for c in other.columns if c not in own][:MOST_ADDED]
        first = ~keys.duplicated() & keys.notna()
        added = other.loc[first.to_numpy(), kept]
        added.index = pd.Index(keys[first])
        added.columns = [f"{link.table}.{c}" for c in kept]
    taken = added.reindex(wanted.to_numpy())
    taken.index = frame.index
    if link.many:
        count = f"{link.table} count"
        taken[count] = taken[count].fillna(0).astype(np.int64)
    fresh = [c for c in taken.columns if c not in frame.columns]
    return pd.concat([frame, taken[fresh]], axis=1)


def _keys_of(frame: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Return the key of each row as text, None where a part is missing."""
    missing = [c for c in columns if c not in frame.columns]
    if missing:
        raise DataError(
            say(en=f"The column {missing[0]!r} that joins the tables is missing.",
                zh=f"缺少用于连接表格的列 {missing[0]!r}。"),
            hint=say(en="Give the tables with the columns they had in training.",
                     zh="请给出与训练时相同列的表格。"),
        )  # fmt: skip
    parts = [_text_keys(frame[c]) for c in columns]
    if len(parts) == 1:
        return parts[0]
    rows = zip(*(part.tolist() for part in parts), strict=True)
    whole = [None if None in row else "\x1f".join(row) for row in rows]
    return pd.Series(whole, index=frame.index, dtype=object)


def _text_keys(cells: pd.Series) -> pd.Series:
    """Return cells as they are compared: 7, 7.0, "7" and " 7 " are one, "007" is another."""
    if pd.api.types.is_datetime64_any_dtype(cells):
        return pd.Series(cells.dt.strftime("%Y-%m-%dT%H:%M:%S"), dtype=object)
    names = pd.Series(parse_names(cells.to_numpy()), index=cells.index, dtype=object)
    return pd.Series(names.str.replace(r"^(-?\d+)\.0+$", r"\1", regex=True), dtype=object)


def _is_unique(frame: pd.DataFrame, columns: Sequence[str]) -> bool:
    return not _keys_of(frame, columns).dropna().duplicated().any()


def _summed_up(other: pd.DataFrame, keys: pd.Series, link: Link) -> pd.DataFrame:
    """Return one row a key: how many rows it has, and the figures of each column."""
    codes, names = pd.factorize(keys, use_na_sentinel=True)
    known = codes >= 0
    codes, size = codes[known], len(names)
    added: dict[str, Any] = {f"{link.table} count": np.bincount(codes, minlength=size)}
    for figure in link.figures:
        if figure.column not in other.columns:
            raise DataError(
                say(en=f"The table {link.table!r} has no column {figure.column!r}.",
                    zh=f"表格 {link.table!r} 没有列 {figure.column!r}。"),
                hint=say(en="Give the tables with the columns they had in training.",
                         zh="请给出与训练时相同列的表格。"),
            )  # fmt: skip
        cells = other[figure.column].to_numpy()[known]
        start = f"{link.table}.{figure.column}"
        for way, values in _summaries(cells, figure, codes, size):
            added[f"{start} {way}"] = values
    return pd.DataFrame(added, index=pd.Index(names, dtype=object))


_READERS: Mapping[str, Callable[..., NDArray[Any]]] = {
    "number": parse_numbers,
    "boolean": parse_booleans,
    "date": parse_dates,
}


def _summaries(
    cells: NDArray[Any], figure: Figure, codes: NDArray[np.int64], size: int
) -> Iterator[tuple[Way, Any]]:
    """Yield each way of summing up with one value a key."""
    if figure.kind == "category":
        yield from _of_names(parse_names(cells, figure.rule), figure, codes, size)
        return
    values = pd.Series(_READERS[figure.kind](cells, figure.rule)).groupby(codes)
    whole = {way: values.agg(way).reindex(range(size)) for way in ("min", "max")}
    for way in figure.ways:
        if way in ("first", "last"):
            seconds = whole["min" if way == "first" else "max"].to_numpy()
            yield way, pd.to_datetime(seconds, unit="s").strftime("%Y-%m-%d %H:%M:%S")
        elif way == "span_days":
            yield way, ((whole["max"] - whole["min"]) / _DAY_S).to_numpy()
        elif way in whole:
            yield way, whole[way].to_numpy()
        else:
            name = "mean" if way == "share" else way
            yield way, values.agg(name).reindex(range(size)).to_numpy()


def _of_names(
    names: NDArray[Any], figure: Figure, codes: NDArray[np.int64], size: int
) -> Iterator[tuple[Way, Any]]:
    rows = pd.DataFrame({"key": codes, "name": names}).dropna()
    counts = rows.groupby(["key", "name"], sort=True).size().rename("n").reset_index()
    if "most" in figure.ways:
        best = counts.sort_values(["key", "n"], ascending=[True, False], kind="stable")
        most = best.drop_duplicates("key").set_index("key")["name"].reindex(range(size))
        yield "most", most.where(most.notna(), None).to_numpy(dtype=object)
    if "distinct" in figure.ways:
        yield "distinct", counts.groupby("key").size().reindex(range(size), fill_value=0).to_numpy()
