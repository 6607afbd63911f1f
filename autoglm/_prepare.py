"""From a table and its spec to a workspace that the search can work in."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoglm._invent import Inventor
from autoglm.core.budget import MemoryBudget, resident_mb
from autoglm.core.errors import DataError, SpecError
from autoglm.core.events import emit
from autoglm.core.spec import TaskSpec
from autoglm.core.text import say
from autoglm.dataflow.clean import Cleaner
from autoglm.dataflow.columns import Columns
from autoglm.dataflow.encode import Encoder
from autoglm.dataflow.parse import parse_names, parse_numbers
from autoglm.dataflow.profile import TableProfile
from autoglm.dataflow.split import make_folds
from autoglm.dataflow.target import TargetCodec
from autoglm.tuner.plan import Plan, make_plan
from autoglm.tuner.scoring import MetricChoice
from autoglm.tuner.search import available_learners
from autoglm.tuner.workspace import Pairs, Workspace
from autoglm.zoo.contract import Facts, View

SAMPLE_ROWS = 1000
#: What a worker needs before it has any data.
WORKER_MB = 100.0
SAMPLE_CELLS = 300_000
#: Groups that are to be treated alike: a column of more numbers is cut into quarters.
MOST_GROUPS = 10


@dataclass(frozen=True)
class RunOptions:
    """What a run was given.

    Attributes
    ----------
    time_limit_s
        Wall-clock limit of the whole run, or None.
    workers
        Worker processes.
    learners
        Names of the learners that may be tried, or None for all.
    typed
        Whether cells have types of their own, so that text labels stay text.
    remote
        Whether fits run elsewhere, with memory of their own.
    inventor
        Proposes and tests columns that are computed from others; None for none.
    """

    time_limit_s: float | None
    workers: int
    learners: tuple[str, ...] | None
    typed: bool
    remote: bool = False
    inventor: Inventor | None = None


@dataclass
class Prepared:
    """What turns raw rows into what the blend eats, and its answers back.

    Attributes
    ----------
    cleaner, encoder, target
        Fitted on the training table.
    """

    cleaner: Cleaner
    encoder: Encoder
    target: TargetCodec

    def dump(self) -> dict[str, bytes]:
        """Return it as files."""
        return {
            "cleaner.json": self.cleaner.to_json().encode(),
            "target.json": self.target.to_json().encode(),
            **self.encoder.dump(),
        }

    @classmethod
    def load(cls, files: dict[str, bytes]) -> Prepared:
        """Return what `dump` wrote."""
        return cls(
            Cleaner.from_json(files["cleaner.json"]),
            Encoder.load(files),
            TargetCodec.from_json(files["target.json"]),
        )


def prepare(
    frame: pd.DataFrame,
    profile: TableProfile,
    spec: TaskSpec,
    folder: Path,
    how: RunOptions,
) -> tuple[Workspace, Prepared, Plan]:
    """Clean, encode, split, and write the workspace.

    Parameters
    ----------
    frame, profile
        The table as it was read, and its profile.
    spec
        The task; its cleaning actions are applied.
    folder
        The run folder.
    how
        What the run was given.

    Raises
    ------
    DataError
        When too little is left to learn from.
    BudgetError
        When the encoded table would not fit in the memory allowed.
    """
    start = time.monotonic()
    target = spec.target.value
    cleaner = Cleaner.build(spec.cleaning, profile, target, spec.task_type.value)
    values, keep = cleaner.target_values(frame)
    labels = spec.task_type.value != "regression"
    if labels and how.typed and all(isinstance(v, str) for v in frame[target][keep]):
        values = frame[target].to_numpy(dtype=object)
    rows = frame[keep] if not keep.all() else frame
    codec = TargetCodec.fit(values[keep], spec.task_type.value, spec.positive_class.value)
    y = codec.encode(values[keep])
    columns = cleaner.columns(rows)
    if not columns.by_name:
        raise DataError(
            say(en="No column is left to learn from.", zh="没有可用于学习的列。"),
            hint=say(en="See the cleaning actions of the task, or give more columns.",
                     zh="请查看任务的清洗动作,或提供更多列。"),
        )  # fmt: skip
    memory = MemoryBudget(spec.memory_mb.value) if spec.memory_mb.value else MemoryBudget.detect()
    cells_mb = 12 * len(y) * len(columns.by_name) / 1e6
    here = 0 if how.remote else how.workers
    needed = resident_mb() + here * (WORKER_MB + cells_mb) + cells_mb
    memory.require(needed, say(en="Learning from this table", zh="学习该表格"))
    encoder = Encoder.fit(columns, spec.seed.value)
    if how.inventor is not None:
        facts = _facts(spec, codec, columns, encoder)
        target_values = y.astype(np.float64)
        cleaner = how.inventor.invent(cleaner, columns, encoder, target_values, facts, spec)
        if cleaner.derived:
            columns = cleaner.columns(rows)
            encoder = Encoder.fit(columns, spec.seed.value)
    learners = available_learners(how.learners)
    facts = _facts(spec, codec, columns, encoder)
    views = _views(learners, facts)
    matrices = encoder.transform(columns, views)
    facts = _with_widths(facts, matrices)
    plan = make_plan(facts, how.time_limit_s, how.workers, spec.split.value == "time")
    facts = replace(facts, fit_seconds=plan.fit_seconds)
    folds = _folds(spec, y, rows, columns, plan)
    if plan.total_folds != len(folds):
        plan = _shortened(plan, len(folds))
    work = Workspace.create(
        folder,
        matrices,
        y,
        folds,
        facts,
        _metric(spec, y, codec),
        _groups(spec, rows, profile),
    )
    prepared = Prepared(cleaner, encoder, codec)
    work.store_prepared(prepared.dump() | _sample(rows, cleaner, folds))
    work.store_text("plan.json", json.dumps(vars(plan)))
    emit("data_ready", rows=len(y), columns=len(columns.by_name),
         features=max(facts.n_features.values()), seconds=time.monotonic() - start)  # fmt: skip
    return work, prepared, plan


def _facts(spec: TaskSpec, codec: TargetCodec, columns: Columns, encoder: Encoder) -> Facts:
    widths: dict[View, int] = {
        "tree": len(encoder.tree_names()),
        "dense": len(encoder.dense_names()),
    }
    return Facts(
        task_type=spec.task_type.value,
        n_classes=codec.n_classes,
        n_rows=columns.n_rows,
        n_features=widths,
        categorical=encoder.categorical,
        has_text=encoder.text is not None,
        metric=spec.metric.value,
        directions=_directions(spec, columns, encoder),
    )


def _directions(spec: TaskSpec, columns: Columns, encoder: Encoder) -> dict[int, int]:
    """Return the place of each column with a direction, which is the same in every view.

    Raises
    ------
    SpecError
        When a direction cannot be kept: the column is no number, or there are several classes.
    """
    both = sorted(set(spec.increasing.value) & set(spec.decreasing.value))
    if both:
        raise SpecError(
            say(en=f"Predictions cannot both rise and fall with {both[0]}.",
                zh=f"预测不能既随 {both[0]} 上升又随之下降。"),
            hint=say(en="Keep one of the two directions.", zh="请只保留一个方向。"),
        )  # fmt: skip
    wanted = dict.fromkeys(spec.increasing.value, 1) | dict.fromkeys(spec.decreasing.value, -1)
    found = {}
    for name, sign in wanted.items():
        if name not in encoder.numbers or columns[name].kind != "number":
            raise SpecError(
                say(en=f"Predictions cannot rise or fall with {name}: it is no column of numbers "
                       "that is learned from.",
                    zh=f"预测无法随 {name} 单调变化:它不是用于学习的数值列。"),
                hint=say(en="Name columns of numbers that are not left out.",
                         zh="请指定未被排除的数值列。"),
            )  # fmt: skip
        found[encoder.numbers.index(name)] = sign
    if found and spec.task_type.value == "multiclass":
        raise SpecError(
            say(en="A direction needs a number or one of two classes to predict; this task has "
                   "several classes.",
                zh="单调方向只适用于预测数值或二分类;该任务有多个类别。"),
            hint=say(en="Leave the directions out.", zh="请去掉单调方向。"),
        )  # fmt: skip
    return found


def _groups(
    spec: TaskSpec, rows: pd.DataFrame, profile: TableProfile
) -> dict[str, NDArray[np.int64]]:
    """Return the codes of each row's groups by column; of many numbers quarters of the rows."""
    found = {}
    for name in spec.fair_to.value if spec.task_type.value == "binary" else ():
        column, cells = profile.columns[name], rows[name].to_numpy(dtype=object)
        if column.kind == "number" and column.n_unique > MOST_GROUPS:
            numbers = pd.Series(parse_numbers(cells, column.rule))
            codes = pd.qcut(numbers, 4, labels=False, duplicates="drop").fillna(-1).to_numpy()
        else:
            codes = pd.factorize(parse_names(cells, column.rule))[0]
        found[name] = codes.astype(np.int64)
    return found


def _views(learners: dict[str, Any], facts: Facts) -> set[View]:
    """Return the views that the learners of this task eat."""
    return {one.view for one in learners.values() if one.can(facts)}


def _with_widths(facts: Facts, matrices: dict[str, Any]) -> Facts:
    widths = {name: int(matrix.shape[1]) for name, matrix in matrices.items()}
    return replace(facts, n_features={**facts.n_features, **widths})  # type: ignore[dict-item]


def _metric(spec: TaskSpec, y: NDArray[Any], codec: TargetCodec) -> MetricChoice:
    low, high = (float(y.min()), float(y.max())) if spec.task_type.value == "regression" else (0, 0)
    cost = spec.false_negative_cost.value
    return MetricChoice(spec.metric.value, cost, codec.mean, codec.scale, low, high)


def _folds(
    spec: TaskSpec, y: NDArray[Any], rows: pd.DataFrame, columns: Columns, plan: Plan
) -> Pairs:
    groups = times = None
    if spec.split.value == "grouped" and spec.group_column.value is not None:
        groups = rows[spec.group_column.value].to_numpy()
    if spec.split.value == "time" and spec.time_column.value in columns:
        times = columns[str(spec.time_column.value)].values
    pairs: Pairs = []
    for repeat in range(plan.repeats):
        pairs += make_folds(
            y,
            split=spec.split.value,
            n_folds=plan.n_folds,
            seed=spec.seed.value * 1000 + repeat,
            groups=groups,
            times=times,
        )
    # The last window of a time split is the longest and the most like what is to come.
    return pairs[::-1] if spec.split.value == "time" else pairs


def _shortened(plan: Plan, n_folds: int) -> Plan:
    """Return a plan for fewer folds than asked for, when there are too few rows or groups."""
    per_repeat = max(1, n_folds // plan.repeats)
    depth = per_repeat if plan.depth == plan.n_folds else min(plan.depth, per_repeat)
    return replace(plan, n_folds=per_repeat, depth=depth)


def _sample(rows: pd.DataFrame, cleaner: Cleaner, folds: Pairs) -> dict[str, bytes]:
    """Keep some rows of the first validation part, raw, to explain the model with."""
    valid = folds[0][1]
    limit = max(50, min(SAMPLE_ROWS, SAMPLE_CELLS // max(1, len(cleaner.inputs))))
    if len(valid) > limit:
        valid = np.sort(np.random.default_rng(0).permutation(valid)[:limit])
    taken = rows.iloc[valid][cleaner.inputs]
    cells = {name: [_plain(v) for v in taken[name].tolist()] for name in cleaner.inputs}
    body = json.dumps({"rows": valid.tolist(), "cells": cells}, ensure_ascii=False, default=str)
    return {"sample.json": body.encode("utf-8", errors="replace")}


def _plain(value: Any) -> Any:
    """Return a JSON value for a cell; a missing one is null."""
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return None
    return value if isinstance(value, (str, int, float, bool)) else str(value)
