"""One raw row to encoded views: cleaning and encoding as one list of look-ups.

`Cleaner` and `Encoder` work by column, which for a single row costs an array, a name and a
dozen calls a column. Here all that does not depend on the row is done beforehand; what is left
for each cell is a look-up or a conversion. Both ways give the same numbers.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoglm.dataflow._flat_text import FlatText
from autoglm.dataflow.clean import Cleaner
from autoglm.dataflow.columns import NUMERIC_KINDS
from autoglm.dataflow.encode import DAY_S, LARGEST, Category, Encoder, folded
from autoglm.dataflow.parse import ParseRule, RuleKind, cell_reader

Floats = NDArray[np.float32]

VIEWS = frozenset({"tree", "dense", "sparse"})
#: Cells of these types are numbers as they stand; None is a gap.
_PLAIN = frozenset(
    {float, int, bool, type(None), np.float64, np.float32, np.int64, np.int32, np.bool_}
)
_NAN = float("nan")
_MOST = 1e6
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
_RULES: dict[str, RuleKind] = {"number": "number", "category": "string"}
#: What an encoder consists of, as far as it is known here.
_PARTS = ("numbers", "dates", "categories", "scaling", "text", "spans", "cycles")


class Unusual(Exception):
    """A row that the flat way cannot turn into views; the ordinary way can."""


class SparseRow(NamedTuple):
    """One row of the sparse view.

    Attributes
    ----------
    dense
        (q,) float32: the row of the dense view, which the sparse one begins with.
    at, values
        (t,) places and values of the n-grams, counted from the end of `dense`.
    n_terms
        Columns after those of `dense`.
    """

    dense: Floats
    at: NDArray[np.int32]
    values: Floats
    n_terms: int

    def matrix(self) -> Any:
        """Return the row as a csr matrix (1, q + n_terms)."""
        from scipy import sparse

        known = np.flatnonzero(self.dense)
        at = np.concatenate([known, self.at + len(self.dense)])
        values = np.concatenate([self.dense[known], self.values])
        shape = (1, len(self.dense) + self.n_terms)
        return sparse.csr_matrix((values, at, [0, len(at)]), shape=shape)


class FlatRow:
    """Turns the cells of one row into views.

    Parameters
    ----------
    cleaner, encoder
        Fitted on the training table.
    views
        The views that are wanted, of "tree", "dense" and "sparse".
    """

    def __init__(self, cleaner: Cleaner, encoder: Encoder, views: Iterable[str]) -> None:
        self.views = frozenset(views)
        place = {name: i for i, name in enumerate(cleaner.inputs)}
        rules = cleaner.rules
        self._derived = _Computed(cleaner, place) if cleaner.derived else None
        for one in cleaner.derived:
            place[one.name] = len(place)
            rules[one.name] = (one.kind, ParseRule(kind=_RULES[one.kind]))
        self._numbers = _Numbers([(place[n], *rules[n]) for n in encoder.numbers])
        self._dates = _Dates(encoder, place, rules) if encoder.dates else None
        self._categories = [
            _codes_of(category, place[category.name], *rules[category.name])
            for category in encoder.categories
        ]
        self._text, self._n_terms = None, 0
        if encoder.text is not None:
            self._n_terms = len(encoder.text.terms)
            readers = [(place[n], cell_reader(*rules[n])) for n in encoder.text.columns]
            self._text = FlatText(encoder.text, readers)
        width = len(encoder.numbers) + (self._dates.width if self._dates else 0)
        self._first_code, self._first_text = width, width + len(encoder.categories)
        self._width = self._first_text + (len(encoder.text.names()) if encoder.text else 0)
        self._dense = _Dense(encoder, width) if self.views - {"tree"} else None

    @staticmethod
    def fits(encoder: Encoder, views: Iterable[str]) -> bool:
        """Return whether encoder and views are of the form that is known here."""
        return VIEWS.issuperset(views) and tuple(f.name for f in fields(encoder)) == _PARTS

    def __call__(self, cells: Sequence[Any]) -> dict[str, Any]:
        """Return the views of one row, given its cells in the order of `Cleaner.inputs`.

        Returns
        -------
        dict
            "tree" (p,) and "dense" (q,) float32, "sparse" a `SparseRow`.

        Raises
        ------
        Unusual
            When the row has to go the ordinary way.
        """
        if self._derived is not None:
            cells = [*cells, *self._derived(cells)]
        tree = np.empty(self._width, np.float32)
        at = len(self._numbers)
        tree[:at] = self._numbers(cells)
        waves = None
        if self._dates is not None:
            tree[at : self._first_code], waves = self._dates(cells)
        codes = [category(cells) for category in self._categories]
        if codes:
            tree[self._first_code : self._first_text] = codes
        terms = _NO_TERMS
        if self._text is not None:
            tree[self._first_text :], terms = self._text(cells)
        if self._dense is None:
            return {"tree": tree}
        numbers, text = tree[: self._first_code], tree[self._first_text :]
        dense = self._dense(numbers, codes, waves, text)
        out: dict[str, Any] = {"tree": tree, "dense": dense}
        if "sparse" in self.views:
            out["sparse"] = SparseRow(dense, terms[0], terms[1], self._n_terms)
        return out


class _Computed:
    """The cells of columns that are computed from others."""

    def __init__(self, cleaner: Cleaner, place: dict[str, int]) -> None:
        needed = dict.fromkeys(name for one in cleaner.derived for name in one.inputs)
        kinds = {name: cleaner.rules[name][0] for name in needed}
        self._cells = [
            (name, place[name], cell_reader(*cleaner.rules[name]), kinds[name] in NUMERIC_KINDS)
            for name in needed
        ]
        self._values = [one.of_row() for one in cleaner.derived]

    def __call__(self, cells: Sequence[Any]) -> list[Any]:
        """Return the values, given the cells of the columns of the table."""
        known: dict[str, Any] = {}
        for name, at, read, numeric in self._cells:
            value = read(cells[at])
            known[name] = _NAN if numeric and not -math.inf < value < math.inf else value
        return [value(known) for value in self._values]


class _Numbers:
    """The cells of number and boolean columns, as `parse_numbers` and the encoder read them."""

    def __init__(self, columns: Sequence[tuple[int, str, Any]]) -> None:
        self._cells = _getter([place for place, _, _ in columns])
        self._readers = [cell_reader(kind, rule) for _, kind, rule in columns]
        self._boolean = [i for i, (_, kind, _) in enumerate(columns) if kind == "boolean"]

    def __len__(self) -> int:
        return len(self._readers)

    def __call__(self, cells: Sequence[Any]) -> NDArray[np.float64]:
        """Return the numbers of one row, within single precision; NaN where missing."""
        own = self._cells(cells)
        if _PLAIN.issuperset(map(type, own)):
            try:
                values = np.array(own, np.float64)
            except OverflowError:  # an integer beyond double precision
                values = self._read(own)
            else:
                for i in self._boolean:
                    if values[i] not in (0.0, 1.0):
                        values[i] = _NAN
        else:
            values = self._read(own)
        # Neither a gap nor anything large: what is left to do would change nothing.
        if not float(np.abs(values).sum()) <= LARGEST:
            values[np.isinf(values)] = np.nan
            np.minimum(np.maximum(values, -LARGEST, out=values), LARGEST, out=values)
        return values

    def _read(self, own: Sequence[Any]) -> NDArray[np.float64]:
        read = [read(cell) for read, cell in zip(self._readers, own, strict=True)]
        return np.array(read, np.float64)


def _codes_of(
    category: Category, place: int, kind: str, rule: Any
) -> Callable[[Sequence[Any]], float]:
    """Return the function to the code of a row's cell, NaN when it is missing or not known."""
    codes, read = category.codes, cell_reader(kind, rule)
    if category.folded:

        def folded_code(cells: Sequence[Any]) -> float:
            name = read(cells[place])
            return codes.get(folded(name), _NAN) if name else _NAN

        return folded_code
    # Text that is its own name needs no reading.
    known = {v: float(code) for v, code in codes.items() if read(v) == v}

    def code(cells: Sequence[Any]) -> float:
        cell = cells[place]
        found = known.get(cell) if type(cell) is str else None
        return codes.get(read(cell), _NAN) if found is None else found

    return code


class _Dates:
    """The columns made of dates: parts, differences, and angles for the dense view."""

    def __init__(self, encoder: Encoder, place: dict[str, int], rules: Any) -> None:
        self._columns = [(place[n], cell_reader(*rules[n]), timed) for n, timed in encoder.dates]
        order = [n for n, _ in encoder.dates]
        self._spans = [(order.index(a), order.index(b)) for a, b in encoder.spans]
        self._cycles = encoder.cycles
        self.width = sum(5 + timed for _, timed in encoder.dates) + len(encoder.spans)

    def __call__(self, cells: Sequence[Any]) -> tuple[list[float], list[float] | None]:
        """Return parts and differences, and the angles where the encoder has them."""
        numbers: list[float] = []
        turns: list[float] = []
        seconds = [read(cells[place]) for place, read, _ in self._columns]
        for moment, (_, _, timed) in zip(seconds, self._columns, strict=True):
            parts = _parts_of(moment, timed)
            numbers += parts
            turns += [(parts[2] - 1 + (parts[3] - 1) / 31) / 12, parts[4] / 7]
            if timed:
                turns.append(parts[5] / 24)
        numbers += [(seconds[a] - seconds[b]) / DAY_S for a, b in self._spans]
        if not self._cycles:
            return numbers, None
        angles = [2 * math.pi * turn for turn in turns]
        return numbers, [f(a) if a == a else 0.0 for a in angles for f in (math.sin, math.cos)]


class _Dense:
    """The dense view of one row: scaled numbers, marks of gaps, one-hot codes, text."""

    def __init__(self, encoder: Encoder, n_numbers: int) -> None:
        scaling = encoder.scaling
        self._center, self._scale, self._gaps = scaling.center, scaling.scale, scaling.gaps
        self._n_numbers = n_numbers
        at = n_numbers + len(scaling.gaps)
        self._places: list[dict[float, int]] = []
        for category in encoder.categories:
            places = category.places().tolist()
            self._places.append({float(c): at + p for c, p in enumerate(places) if p >= 0})
            at += len(category.hot)
        self._after_codes = at

    def __call__(
        self, numbers: Floats, codes: Sequence[float], waves: Sequence[float] | None, text: Floats
    ) -> Floats:
        m = self._n_numbers
        after = self._after_codes + (len(waves) if waves else 0)
        dense = np.zeros(after + len(text), np.float32)
        scaled = dense[:m]
        with np.errstate(over="ignore"):  # bounded below
            np.divide(np.subtract(numbers, self._center), self._scale, out=scaled)
        missing = np.isnan(scaled)
        scaled[missing] = 0
        np.minimum(np.maximum(scaled, -_MOST, out=scaled), _MOST, out=scaled)
        scaled /= np.sqrt(1 + (scaled / 3) ** 2)
        dense[m : m + len(self._gaps)] = missing[self._gaps]
        # A code that has no column, or NaN, which equals nothing, is not found.
        hot = [p.get(c) for p, c in zip(self._places, codes, strict=True)]
        dense[[p for p in hot if p is not None]] = 1
        if waves:
            dense[self._after_codes : after] = waves
        dense[after:] = text
        return dense


def _getter(places: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """Return the function that takes some cells of a row, as a tuple whatever their number."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda cells: tuple(cells[i] for i in places)


def _parts_of(seconds: float, timed: bool) -> tuple[float, ...]:
    """Return the parts of one date as the encoder has them for many."""
    if seconds != seconds:
        return (_NAN,) * (5 + timed)
    day = int(seconds) // 86_400
    try:
        date = dt.date.fromordinal(day + _EPOCH_DAY)
    except (ValueError, OverflowError) as error:
        raise Unusual("a date outside the years 1 to 9999") from error
    parts = (float(day), float(date.year), float(date.month), float(date.day))
    weekday = float((day + 3) % 7)
    return (*parts, weekday, seconds % DAY_S // 3600) if timed else (*parts, weekday)


_NO_TERMS = (np.zeros(0, np.int32), np.zeros(0, np.float32))
