"""Whether single rows and batches get the same answers, found out on rows.

Hardly a line of code is common to both: a single row goes through `autoglm._compiled` and
LightGBM's walk from node to node, a batch through columns, matrices and the tables of
`autoglm.zoo._scorer`. Where they do not agree, neither is used: rows then go through columns
and LightGBM's walk, however many there are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoglm._compiled import compile_blend
from autoglm._prepare import Prepared
from autoglm.evaluate.threshold import LabelRule
from autoglm.tuner.blend import Blend

Array = NDArray[Any]
Record = dict[str, Any]

#: Rows that are compared when there is time, and how far probabilities may be apart.
ROWS, TOLERANCE = 10_000, 1e-5
#: Rows of each kind at a time: enough in all for a batch to be one, see
#: `autoglm.zoo._boosters.TreeModel`. However little time there is, some rows are compared.
_BLOCK, _LEAST = 84, 24
_NEAR = 30
_GAPS, _ODD, _CUT = 0.15, 0.08, 0.3
#: Cells that a column may not have seen, of every type.
_ODD_CELLS: tuple[Any, ...] = (
    None, "", "  ", "never seen before", "NA", "?", "1,234", "¥1.2万", "12%", "0.5", "-3", "yes",
    "2024-02-29", 0, -1, 1, 1e300, -1e300, float("inf"), float("nan"), 1e-38, True, False, 10**30,
)  # fmt: skip


@dataclass
class Verdict:
    """What a comparison found.

    Attributes
    ----------
    used
        Whether the compiled form is used for single rows.
    max_dp
        Largest difference of a probability, or of a value in standard deviations.
    rows
        Rows that went both ways.
    reason
        Why it is not used; "" when it is.
    """

    used: bool = True
    max_dp: float = 0.0
    rows: int = 0
    reason: str = ""

    def to_receipt(self) -> dict[str, Any]:
        """Return it for the receipts of a model."""
        return asdict(self)


@dataclass
class Comparison:
    """A comparison that can be gone on with.

    Attributes
    ----------
    prepared, blend
        The model.
    rows
        Raw rows like those that are to come; at least one.
    """

    prepared: Prepared
    blend: Blend
    rows: pd.DataFrame

    def __post_init__(self) -> None:
        self.verdict = Verdict()
        self._quick = compile_blend(self.prepared, self.blend)
        self._maker = RowMaker(self.rows, _cuts(self.prepared, self.blend))

    def run(self, seconds: float, rows: int = ROWS) -> Verdict:
        """Go on until `rows` rows are compared, the time is up or a difference is found."""
        deadline = time.monotonic() + seconds
        if self._quick is None:
            return Verdict(False, reason="not of a known form")
        while self.verdict.used and self.verdict.rows < rows:
            with np.errstate(over="ignore", invalid="ignore"):
                self._compare(self._maker.block(), deadline)
            if time.monotonic() > deadline:
                break
        if not self.verdict.used:
            make_plain(self.blend)
        return self.verdict

    def _compare(self, block: Sequence[Record], deadline: float) -> None:
        """Send rows both ways, as many as there is time for."""
        assert self._quick is not None
        columns = self.prepared.cleaner.columns(block)
        views = self.prepared.encoder.transform(columns, self.blend.views)
        ordinary = self.blend.predict(views)
        single = ordinary.copy()
        done = 0
        for row in block:
            # What the plan leaves to the ordinary way is right by definition.
            one = self._quick.predict(row)
            if one is not None:
                single[done] = one[0]
            done += 1
            if done >= _LEAST and time.monotonic() > deadline:
                break
        single, ordinary = single[:done], ordinary[:done]
        apart = _apart(single, ordinary)
        verdict = self.verdict
        verdict.max_dp = max(verdict.max_dp, apart)
        verdict.rows += done
        if not apart <= TOLERANCE:
            verdict.used, verdict.reason = False, "predictions differ"
        elif ordinary.ndim == 2:
            rule = self.blend.rule
            if not np.array_equal(rule.labels(single), rule.labels(ordinary)):
                verdict.used, verdict.reason = False, "labels differ"
            self._maker.near(block, _margin(rule, ordinary))


def make_plain(blend: Blend) -> None:
    """Have all models of a blend predict in the plainest way."""
    for member in blend.members:
        for model in member.models:
            model.plain()


class RowMaker:
    """Makes rows to compare on: as they are, mixed, with gaps, odd, at cuts, near the border.

    Parameters
    ----------
    rows
        Raw rows.
    cuts
        Thresholds of trees, by column.
    """

    def __init__(self, rows: pd.DataFrame, cuts: Mapping[str, Array]) -> None:
        self._names = [str(name) for name in rows.columns]
        self._cells = [rows[name].tolist() for name in rows.columns]
        self._n, self._rng = len(rows), np.random.default_rng(0)
        self._cuts = {i: cuts[n] for i, n in enumerate(self._names) if n in cuts}
        self._near: list[Record] = []

    def block(self) -> list[Record]:
        """Return some rows of every kind, taking turns."""
        kinds = (self._plain, self._mixed, self._gaps, self._at_cuts, self._odd, self._between)
        return [row for turn in zip(*(make() for make in kinds), strict=True) for row in turn]

    def near(self, block: Sequence[Record], margin: Array) -> None:
        """Keep the rows that are nearest to the border between two labels."""
        nearest = np.argsort(margin)[:_NEAR].tolist()
        self._near = [block[i] for i in nearest] + self._near[:_NEAR]

    def _plain(self) -> list[Record]:
        at = self._rng.integers(0, self._n, _BLOCK).tolist()
        return [{n: c[i] for n, c in zip(self._names, self._cells, strict=True)} for i in at]

    def _mixed(self) -> list[Record]:
        """Return rows each cell of which is from a row of its own."""
        at = self._rng.integers(0, self._n, (_BLOCK, len(self._names))).tolist()
        return [
            {n: c[i] for n, c, i in zip(self._names, self._cells, places, strict=True)}
            for places in at
        ]

    def _gaps(self) -> list[Record]:
        return self._replaced(_GAPS, lambda column: None)

    def _odd(self) -> list[Record]:
        choice = self._rng.integers
        return self._replaced(_ODD, lambda column: _ODD_CELLS[choice(0, len(_ODD_CELLS))])

    def _at_cuts(self) -> list[Record]:
        def cell(column: int) -> Any:
            cuts = self._cuts.get(column)
            if cuts is None:
                return self._cells[column][self._rng.integers(0, self._n)]
            cut = np.float32(cuts[self._rng.integers(0, len(cuts))])
            step = self._rng.integers(-1, 2)
            return float(cut if step == 0 else np.nextafter(cut, np.float32(step * np.inf)))

        return self._replaced(_CUT, cell)

    def _between(self) -> list[Record]:
        """Return mixtures of rows near the border."""
        if len(self._near) < 2:
            return self._mixed()
        made = []
        for _ in range(_BLOCK):
            a, b = (self._near[i] for i in self._rng.integers(0, len(self._near), 2).tolist())
            takes = (self._rng.random(len(self._names)) < 0.5).tolist()
            made.append({n: (b if t else a)[n] for n, t in zip(self._names, takes, strict=True)})
        return made

    def _replaced(self, share: float, cell: Callable[[int], Any]) -> list[Record]:
        block = self._mixed()
        hit = self._rng.random((_BLOCK, len(self._names))) < share
        for row, column in np.argwhere(hit).tolist():
            block[row][self._names[column]] = cell(column)
        return block


def _cuts(prepared: Prepared, blend: Blend) -> dict[str, Array]:
    """Return thresholds of trees on numbers, by column."""
    numbers = prepared.encoder.numbers
    found: dict[str, list[Array]] = {}
    for member in blend.members:
        for model in member.models if member.view == "tree" else ():
            for feature, cuts in model.cuts().items():
                if feature < len(numbers):
                    found.setdefault(numbers[feature], []).append(cuts)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _apart(one: Array, other: Array) -> float:
    """Return the largest difference; infinite where only one of them is a number."""
    gap = np.abs(one - other)
    if not np.array_equal(np.isnan(one), np.isnan(other)):
        return float("inf")
    return float(np.nan_to_num(gap).max(initial=0.0))


def _margin(rule: LabelRule, shares: Array) -> Array:
    """Return how far each row is from having another label."""
    if shares.shape[1] == 2:
        return np.abs(shares[:, 1] - rule.threshold)
    weighted = shares if rule.weights is None else shares * np.array(rule.weights)
    second, first = np.partition(weighted, -2, axis=1)[:, -2:].T
    margin: Array = first - second
    return margin
