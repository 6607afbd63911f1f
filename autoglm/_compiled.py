"""A finished model as one flat plan for single rows: from raw cells to probabilities.

For one row the ordinary way spends its time on what does not depend on the row: arrays of one
cell, options of libraries, frames of one line. The plan has all of that behind it. Batches go
the ordinary way, whose cost is that of the models.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoglm._prepare import Prepared
from autoglm.dataflow._flat import FlatRow, Unusual
from autoglm.dataflow._flat_cells import RowCells
from autoglm.tuner.blend import Blend, Member
from autoglm.tuner.ensemble import FLOOR
from autoglm.tuner.scoring import Scorer
from autoglm.zoo.contract import Model, RowAnswer

Array = NDArray[np.float64]
Answer = Callable[[Any], RowAnswer]

#: Nearer than this to the border between two labels, a row goes the ordinary way: rounding
#: must not decide.
UNDECIDED = 1e-6


class CompiledBlend:
    """The prediction of single rows by a blend; may be used from several threads at once.

    Parameters
    ----------
    prepared
        What turns raw rows into views.
    blend
        The members, the calibration and the label rule.

    Raises
    ------
    ValueError
        When the model has no such form.
    """

    def __init__(self, prepared: Prepared, blend: Blend) -> None:
        if not FlatRow.fits(prepared.encoder, blend.views):
            raise ValueError("the encoding is not one that is known here")
        self._cells = RowCells(prepared.cleaner.inputs)
        self._flat = FlatRow(prepared.cleaner, prepared.encoder, blend.views)
        self._blend, self._classes = blend, len(prepared.target.classes)
        self._groups = [_Group(members, blend) for members in _grouped(blend.members)]
        self._change = _change(blend)
        self._total = sum(m.weight for m in blend.members)

    def predict(self, rows: Any) -> Array | None:
        """Return calibrated probabilities (1, k), or the value (1,) on the learners' scale.

        Parameters
        ----------
        rows
            Rows of any accepted form.

        Returns
        -------
        ndarray or None
            None unless it is a single row, and one that need not go the ordinary way.
        """
        cells: Sequence[Any] | None = None
        if isinstance(rows, pd.DataFrame):
            cells = self._cells.of_frame(rows) if len(rows) == 1 else None
        elif isinstance(rows, Mapping):
            cells = self._cells.of_mapping(rows)
        elif isinstance(rows, (list, tuple)) and len(rows) == 1 and isinstance(rows[0], Mapping):
            cells = self._cells.of_record(rows[0])
        if cells is None:
            return None
        try:
            return self._answer(cells)
        except Unusual:
            return None

    def _answer(self, cells: Sequence[Any]) -> Array | None:
        """Return the prediction for the cells of a row, in the order of `Cleaner.inputs`."""
        views = self._flat(cells)
        mixed: Any = 0.0
        for group in self._groups:
            answers = group.ask(views[group.view])
            for weight, answer in zip(group.weights, answers, strict=True):
                mixed = mixed + weight * self._change(answer)
        if self._classes == 0:
            return np.array([mixed])
        if self._blend.pool.log:
            mixed = _from_odds(mixed) if self._classes == 2 else _from_logs(mixed)
        elif self._classes == 2:
            mixed = np.array([self._total - mixed, mixed])
        found = self._blend.calibrated(mixed[None])
        return found if self._decided(found[0]) else None

    def _decided(self, shares: Array) -> bool:
        """Return whether the label is clear."""
        rule = self._blend.rule
        if self._classes == 2:
            return abs(float(shares[1]) - rule.threshold) > UNDECIDED
        weighted = shares if rule.weights is None else shares * np.array(rule.weights)
        second, first = np.partition(weighted, -2)[-2:].tolist()
        return bool(first - second > UNDECIDED)


def compile_blend(prepared: Prepared, blend: Blend) -> CompiledBlend | None:
    """Return the compiled form of a blend, or None when it has none."""
    try:
        return CompiledBlend(prepared, blend)
    except ValueError:
        return None


def is_single(rows: Any, names: Sequence[str]) -> bool:
    """Return whether rows are one mapping of scalars: one row, and not columns."""
    if not isinstance(rows, Mapping) or not names:
        return False
    return RowCells(names).of_mapping(rows) is not None


class _Group:
    """Members that a row passes at once.

    Attributes
    ----------
    view
        What they eat.
    weights
        Their weights in the pool.
    ask
        From a row of the view to the mean prediction of each member's models.
    """

    def __init__(self, members: Sequence[Member], blend: Blend) -> None:
        first = members[0]
        self.view = first.view
        self.weights = [m.weight * blend.pool.scale for m in members]
        self.ask: Callable[[Any], Sequence[RowAnswer]]
        if _kin(first) is None:
            answer = _answer_of(first)
            self.ask = lambda row: (answer(row),)
        else:
            self.ask = first.models[0].of_bags([m.models for m in members])


def _grouped(members: Sequence[Member]) -> Sequence[Sequence[Member]]:
    groups: dict[Hashable, list[Member]] = {}
    for i, member in enumerate(members):
        kin = _kin(member)
        groups.setdefault(i if kin is None else (member.view, kin), []).append(member)
    return list(groups.values())


def _kin(member: Member) -> Hashable:
    """Return what all models of a member share, or None where they are no kin."""
    kins = {model.kin for model in member.models}
    return kins.pop() if len(kins) == 1 else None


def _answer_of(member: Member) -> Answer:
    """Return the mean prediction of a member's models for one row, one after the other."""
    several = [m.one_row() or _ordinary(m, member.view) for m in member.models]
    return _mean(several) if len(several) > 1 else several[0]


def _change(blend: Blend) -> Callable[[Any], Any]:
    """Return what is done to the answer of a member before it is weighed."""
    if blend.facts.regression:
        low, high = Scorer(blend.metric).bounded(np.array([-np.inf, np.inf])).tolist()
        return lambda value: min(max(value, low), high)
    if not blend.pool.log:
        return lambda share: share
    return _odds if blend.facts.n_classes == 2 else _logs


def _odds(p: float) -> float:
    return math.log(max(p, FLOOR)) - math.log(max(1.0 - p, FLOOR))


def _logs(p: Array) -> Array:
    return np.asarray(np.log(np.maximum(p, FLOOR)))


def _from_odds(odds: float) -> Array:
    high = 0.5 * (1.0 + math.tanh(0.5 * odds))
    return np.array([1.0 - high, high])


def _from_logs(logs: Array) -> Array:
    raised = np.exp(logs - logs.max())
    return np.asarray(raised / raised.sum())


def _mean(answers: Sequence[Answer]) -> Answer:
    share = 1.0 / len(answers)
    return lambda row: share * sum(answer(row) for answer in answers)


def _ordinary(model: Model, view: str) -> Answer:
    """Return the model's own prediction of a batch of one row."""
    if view == "sparse":
        return lambda row: _plain(model.predict(row.matrix()))
    return lambda row: _plain(model.predict(row[None]))


def _plain(prediction: Array) -> RowAnswer:
    if prediction.ndim == 1:
        return float(prediction[0])
    if prediction.shape[1] == 2:
        return float(prediction[0, 1])
    shares: Array = prediction[0]
    return shares
