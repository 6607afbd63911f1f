"""Typed columns to the matrices that learners eat.

`Encoder.fit` looks at features only, never at the target, so one fit serves all folds.
Views (see `autoglm.zoo.contract.View`): "tree" keeps numbers, gaps and category codes;
"dense" is robustly scaled, smoothly clipped and one-hot; "sparse" adds TF-IDF of text.
"""

from __future__ import annotations

import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.dataflow.columns import Column, Columns
from autoglm.dataflow.text_features import TextFeatures

Matrix = NDArray[np.float32]

MAX_CODES = 1000
MAX_ONE_HOT = 64
#: Share of the rows with a text that some other row has too, from which texts are codes as well.
REPEATED_TEXTS = 0.2
#: Date columns whose differences are taken, in the order of the table.
MAX_SPANNED = 4
MAX_ONE_HOT_TOTAL = 4000
DAY_S = 86_400.0
LARGEST = 3e38


@dataclass
class Category:
    """Vocabulary of one category column.

    Attributes
    ----------
    name
        The column.
    codes
        Code of each value, in natural order ("2" before "10"), so that a tree that takes the
        codes for numbers can cut between grades.
    hot
        Codes that get a column of their own in the dense view, most frequent first.
    folded
        Whether values are compared without regard to case and blanks: those of free text.
    """

    name: str
    codes: dict[str, int]
    hot: list[int]
    folded: bool = False

    def code(self, values: Iterable[str | None]) -> list[float]:
        """Return the code of each value, NaN where it has none."""
        lookup = self.codes.get
        if self.folded:
            return [lookup(folded(v), np.nan) if v else np.nan for v in values]
        return [lookup(v, np.nan) for v in values]  # type: ignore[arg-type]

    def places(self) -> NDArray[np.int64]:
        """Return the place of each code among the columns of its own, -1 without one."""
        places = np.full(len(self.codes), -1, np.int64)
        places[self.hot] = np.arange(len(self.hot))
        return places


@dataclass
class Scaling:
    """Robust scale of the numeric block: center and scale (m,).

    `gaps` are the columns that get another column, which says "missing".
    """

    center: Matrix
    scale: Matrix
    gaps: NDArray[np.int64]


@dataclass
class Encoder:
    """A fitted encoding.

    Attributes
    ----------
    numbers
        Names of number and boolean columns.
    dates
        Names of date columns, each with whether it has a time of day.
    categories
        Category columns, and text columns whose texts repeat.
    scaling
        Scale of the numeric block.
    text
        Text features of all text columns together, or None.
    spans
        Pairs of date columns whose difference is a column.
    cycles
        Whether the dense view has the place of dates in the year, week and day as angles.
    """

    numbers: list[str]
    dates: list[tuple[str, bool]]
    categories: list[Category]
    scaling: Scaling
    text: TextFeatures | None
    spans: list[tuple[str, str]] = field(default_factory=list)
    cycles: bool = False

    @classmethod
    def fit(cls, columns: Columns, seed: int = 0) -> Encoder:
        """Learn vocabularies, scales and text features from the training rows."""
        numbers = [n for n, c in columns if c.kind in ("number", "boolean")]
        dates = [(n, _has_time(c)) for n, c in columns if c.kind == "date"]
        texts = {n: c.values for n, c in columns if c.kind == "text"}
        text = TextFeatures.fit(texts, seed) if texts else None
        spans = list(itertools.combinations([n for n, _ in dates[:MAX_SPANNED]], 2))
        categories = _categories(columns)
        encoder = cls(numbers, dates, categories, _no_scaling(), text, spans, cycles=True)
        encoder.scaling = _fit_scaling(encoder._numeric_block(columns))
        return encoder

    @property
    def categorical(self) -> dict[int, int]:
        """Tree-view index of each category column, with its number of codes."""
        first = len(self._numeric_names())
        return {first + i: len(c.codes) for i, c in enumerate(self.categories)}

    def tree_names(self) -> list[str]:
        """Return the name of each column of the tree view."""
        return self._numeric_names() + [c.name for c in self.categories] + self._text_names()

    def dense_names(self) -> list[str]:
        """Return the name of each column of the dense view."""
        numeric = self._numeric_names()
        names = numeric + [f"{numeric[i]} missing" for i in self.scaling.gaps]
        for category in self.categories:
            values = list(category.codes)
            names += [f"{category.name} = {values[code]}" for code in category.hot]
        return names + self._cycle_names() + self._text_names()

    def transform(self, columns: Columns, views: Iterable[str]) -> dict[str, Any]:
        """Return the wanted views of the rows.

        Returns
        -------
        dict
            "tree" and "dense": float32 (n, columns); "sparse": csr float32.
        """
        wanted = set(views)
        numeric = self._numeric_block(columns)
        codes = self._codes(columns)
        tfidf, reduced = self._text(columns)
        out: dict[str, Any] = {}
        if "tree" in wanted:
            shape = (columns.n_rows, numeric.shape[1] + codes.shape[1])
            tree = np.empty((shape[0], shape[1] + _width(reduced)), np.float32)
            tree[:, : numeric.shape[1]] = numeric
            tree[:, numeric.shape[1] : shape[1]] = codes
            if reduced is not None:
                tree[:, shape[1] :] = reduced
            out["tree"] = tree
        if wanted & {"dense", "sparse"}:
            dense = self._dense(numeric, codes, reduced)
            out["dense"] = dense
            if "sparse" in wanted:
                out["sparse"] = _beside(dense, tfidf)
        return {name: out[name] for name in wanted}

    def _numeric_names(self) -> list[str]:
        names = list(self.numbers)
        for name, has_time in self.dates:
            names += [f"{name} {part}" for part in _date_parts_names(has_time)]
        return names + [f"{a} - {b}" for a, b in self.spans]

    def _cycle_names(self) -> list[str]:
        if not self.cycles:
            return []
        return [
            f"{name} {wave} of {round_}"
            for name, has_time in self.dates
            for round_ in ("year", "week", *(["day"] if has_time else []))
            for wave in ("sine", "cosine")
        ]

    def _text_names(self) -> list[str]:
        return self.text.names() if self.text else []

    def _text(self, columns: Columns) -> tuple[Any, Matrix | None]:
        if self.text is None:
            return None, None
        texts = {name: columns[name].values for name in self.text.columns}
        tfidf = self.text.tfidf(texts, columns.n_rows)
        return tfidf, self.text.reduce(texts, tfidf)

    def _numeric_block(self, columns: Columns) -> Matrix:
        block = np.empty((columns.n_rows, len(self._numeric_names())), np.float32)
        for i, name in enumerate(self.numbers):
            # What is beyond single precision stays the largest number, not an infinity.
            block[:, i] = np.clip(columns[name].values, -LARGEST, LARGEST)
        at = len(self.numbers)
        for name, has_time in self.dates:
            parts = _date_parts(columns[name].values, has_time)
            block[:, at : at + parts.shape[1]] = parts
            at += parts.shape[1]
        for a, b in self.spans:
            seconds = columns[a].values.astype(np.float64) - columns[b].values.astype(np.float64)
            block[:, at] = seconds / DAY_S
            at += 1
        return block

    def _codes(self, columns: Columns) -> Matrix:
        codes = np.empty((columns.n_rows, len(self.categories)), np.float32)
        for i, category in enumerate(self.categories):
            codes[:, i] = category.code(columns[category.name].values.tolist())
        return codes

    def _dense(self, numeric: Matrix, codes: Matrix, reduced: Matrix | None) -> Matrix:
        with np.errstate(over="ignore"):  # bounded below
            scaled = (numeric - self.scaling.center) / self.scaling.scale
        missing = np.isnan(scaled)
        np.copyto(scaled, 0, where=missing)
        np.clip(scaled, -1e6, 1e6, out=scaled)
        # Nearly linear within 3 scales, never beyond 3 * sqrt(2) of them.
        scaled = scaled / np.sqrt(1 + (scaled / 3) ** 2)
        hot = sum(len(c.hot) for c in self.categories)
        m, gaps = scaled.shape[1], len(self.scaling.gaps)
        cycles = self._cycle_block(numeric)
        width = m + gaps + hot + _width(cycles) + _width(reduced)
        dense = np.zeros((len(numeric), width), np.float32)
        dense[:, :m] = scaled
        dense[:, m : m + gaps] = missing[:, self.scaling.gaps]
        at = m + gaps
        for i, category in enumerate(self.categories):
            rows = np.flatnonzero(~np.isnan(codes[:, i]))
            place = category.places()[codes[rows, i].astype(np.int64)]
            dense[rows[place >= 0], at + place[place >= 0]] = 1
            at += len(category.hot)
        if cycles is not None:
            dense[:, at : at + cycles.shape[1]] = cycles
            at += cycles.shape[1]
        if reduced is not None:
            dense[:, at:] = reduced
        return dense

    def _cycle_block(self, numeric: Matrix) -> Matrix | None:
        """Return sine and cosine of the place in the year, the week and the day, 0 in a gap."""
        if not (self.cycles and self.dates):
            return None
        at, turns = len(self.numbers), []
        for _, has_time in self.dates:
            part = dict(zip(_date_parts_names(has_time), numeric[:, at:].T, strict=False))
            turns.append((part["month"] - 1 + (part["day"] - 1) / 31) / 12)
            turns.append(part["weekday"] / 7)
            if has_time:
                turns.append(part["hour"] / 24)
            at += len(part)
        angle = 2 * np.pi * np.stack(turns, axis=1)
        waves = np.stack([np.sin(angle), np.cos(angle)], axis=2).reshape(len(numeric), -1)
        waves[np.isnan(waves)] = 0.0
        return waves.astype(np.float32)

    def dump(self) -> dict[str, bytes]:
        """Return the encoder as JSON and npz files."""
        plan = {
            "numbers": self.numbers,
            "dates": self.dates,
            "categories": [[c.name, list(c.codes), c.hot, c.folded] for c in self.categories],
            "spans": self.spans,
            "cycles": self.cycles,
        }
        files = {"encoder.json": json.dumps(plan, ensure_ascii=False).encode()}
        files["scaling.npz"] = pack_arrays(
            center=self.scaling.center, scale=self.scaling.scale, gaps=self.scaling.gaps
        )
        if self.text:
            files["text.npz"] = pack_arrays(**self.text.arrays())
            told = {"columns": list(self.text.columns), "form": self.text.form}
            files["text.json"] = json.dumps(told, ensure_ascii=False).encode()
        return files

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Encoder:
        """Return the encoder that `dump` wrote, or an earlier version of it."""
        plan = json.loads(files["encoder.json"])
        categories = [
            Category(name, {value: code for code, value in enumerate(values)}, hot, *more)
            for name, values, hot, *more in plan["categories"]
        ]
        text = None
        if "text.npz" in files:
            arrays = unpack_arrays(files["text.npz"])
            told = json.loads(files["text.json"])
            if isinstance(told, list):  # before there were forms
                told = {"columns": told, "form": 1}
            text = TextFeatures.of_arrays(told["columns"], arrays, int(told["form"]))
        dates = [(name, bool(has_time)) for name, has_time in plan["dates"]]
        scaling = Scaling(**unpack_arrays(files["scaling.npz"]))
        spans = [(a, b) for a, b in plan.get("spans", [])]
        cycles = bool(plan.get("cycles", False))
        return cls(plan["numbers"], dates, categories, scaling, text, spans, cycles)


def pack_arrays(**arrays: NDArray[Any]) -> bytes:
    """Return named arrays as compressed npz bytes; arrays of objects are refused."""
    if any(a.dtype.hasobject for a in arrays.values()):
        raise ValueError("arrays of objects cannot be stored")
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


def unpack_arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays that `pack_arrays` wrote."""
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _width(matrix: Matrix | None) -> int:
    return 0 if matrix is None else int(matrix.shape[1])


def _beside(dense: Matrix, tfidf: Any) -> Any:
    from scipy import sparse

    if tfidf is None:
        return sparse.csr_matrix(dense)
    return sparse.hstack([sparse.csr_matrix(dense), tfidf], format="csr")


def _categories(columns: Columns) -> list[Category]:
    found, total = [], 0
    for name, column in columns:
        if column.kind not in ("category", "text"):
            continue
        values = [v for v in column.values.tolist() if v is not None]
        free = column.kind == "text"
        counts = Counter(map(folded, values) if free else values)
        # A value seen once teaches nothing, unless nearly all of them are.
        common = [v for v, n in counts.most_common(MAX_CODES) if n > 1]
        if free and sum(counts[v] for v in common) < REPEATED_TEXTS * columns.n_rows:
            continue
        common = common or list(counts)[:MAX_CODES]
        codes = {v: i for i, v in enumerate(sorted(common, key=_natural))}
        hot = [codes[v] for v in common[: min(MAX_ONE_HOT, MAX_ONE_HOT_TOTAL - total)]]
        total += len(hot)
        found.append(Category(name, codes, hot, free))
    return found


def folded(text: str) -> str:
    """Return a text without regard to case and to how its words are spaced."""
    return " ".join(text.casefold().split())


def _natural(value: str) -> list[tuple[int, float, str]]:
    """Return a sort key in which numbers within text count as numbers."""
    parts = re.split(r"(\d+(?:\.\d+)?)", value)
    return [(0, float(p), "") if i % 2 else (1, 0.0, p) for i, p in enumerate(parts) if p]


def _no_scaling() -> Scaling:
    return Scaling(np.zeros(0, np.float32), np.ones(0, np.float32), np.zeros(0, np.int64))


def _fit_scaling(block: Matrix, sample: int = 20_000) -> Scaling:
    """Median and interquartile range; the standard deviation where the range is zero."""
    n, m = block.shape
    if n == 0 or m == 0:
        return Scaling(np.zeros(m, np.float32), np.ones(m, np.float32), np.zeros(0, np.int64))
    rows = block[:: max(1, n // sample)].astype(np.float64)
    empty = np.isnan(rows).all(axis=0)
    rows[:, empty] = 0
    low, center, high = np.nanpercentile(rows, [25, 50, 75], axis=0)
    spread = (high - low) / 1.349
    deviation = np.nanstd(rows, axis=0)
    scale = np.where(spread > 1e-9 * np.maximum(1, np.abs(center)), spread, deviation)
    scale[~np.isfinite(scale) | (scale <= 1e-12)] = 1
    gaps = np.flatnonzero(np.isnan(block).mean(axis=0) > 0.005)
    return Scaling(center.astype(np.float32), scale.astype(np.float32), gaps)


def _has_time(column: Column) -> bool:
    known = column.values[np.isfinite(column.values.astype(np.float64))]
    return bool(len(known)) and bool(np.any(known % DAY_S != 0))


def _date_parts_names(has_time: bool) -> list[str]:
    return ["days", "year", "month", "day", "weekday", *(["hour"] if has_time else [])]


def _date_parts(seconds: NDArray[Any], has_time: bool) -> Matrix:
    """Return days since 1970, year, month, day, weekday and hour of each date (UTC)."""
    seconds = np.asarray(seconds, np.float64)
    known = np.isfinite(seconds)
    stamps = np.where(known, seconds, 0).astype("datetime64[s]")
    days = stamps.astype("datetime64[D]")
    months = stamps.astype("datetime64[M]")
    years = stamps.astype("datetime64[Y]")
    number = days.astype(np.int64)
    parts = [
        number.astype(np.float64),
        years.astype(np.float64) + 1970,
        (months - years).astype(np.float64) + 1,
        (days - months).astype(np.float64) + 1,
        ((number + 3) % 7).astype(np.float64),
    ]
    if has_time:
        parts.append((np.where(known, seconds, 0) % DAY_S) // 3600)
    block = np.stack(parts, axis=1)
    block[~known] = np.nan
    return block.astype(np.float32)
