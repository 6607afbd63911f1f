"""What is measured of a finished model on rows that its models have not seen."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoglm._prepare import Prepared
from autoglm.dataflow.columns import Columns
from autoglm.evaluate.explain import permutation_importance
from autoglm.evaluate.metrics import metric
from autoglm.evaluate.robustness import robustness, subgroup_scores
from autoglm.tuner.blend import Blend, Member
from autoglm.tuner.search import available_learners
from autoglm.tuner.workspace import Workspace

Array = NDArray[Any]


def sample_rows(work: Workspace) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Return the raw rows that were kept of the first validation part, and their numbers."""
    stored = json.loads((work.folder / "prepared" / "sample.json").read_text("utf-8"))
    frame = pd.DataFrame({name: pd.Series(v, dtype=object) for name, v in stored["cells"].items()})
    return frame, np.array(stored["rows"], dtype=np.int64)


def measure(
    work: Workspace, prepared: Prepared, blend: Blend, time_limit_s: float
) -> dict[str, Any]:
    """Measure importance, robustness and subgroup scores.

    The models of the first fold alone are asked, as the rows come from its validation part.

    Returns
    -------
    dict
        ``importance``, ``robustness`` and ``subgroups``, for `ReportFacts`.
    """
    deadline = time.monotonic() + time_limit_s
    frame, rows = sample_rows(work)
    columns = prepared.cleaner.columns(frame)
    honest = _first_fold(work, blend)
    chosen = metric(work.metric.name, false_negative_cost=work.metric.false_negative_cost)

    def predict(some: Columns) -> Array:
        raw = honest.predict(prepared.encoder.transform(some, honest.views))
        if raw.ndim == 1:
            return prepared.target.decode(raw)
        return honest.rule.labels(raw) if chosen.needs == "label" else raw

    y = work.y[rows]
    truth = prepared.target.decode(y) if work.facts.regression else y
    seed = 0
    importance = permutation_importance(
        predict, columns, truth, chosen, n_repeats=3, time_limit_s=0.6 * time_limit_s, seed=seed
    )
    left = deadline - time.monotonic()
    groups = subgroup_scores(
        columns, truth, predict(columns), chosen, time_limit_s=max(0.05, 0.5 * left), seed=seed
    )
    stress = () if time.monotonic() > deadline else robustness(
        predict, columns, truth, chosen, seed=seed
    )  # fmt: skip
    return {"importance": importance, "robustness": stress, "subgroups": groups}


def _first_fold(work: Workspace, blend: Blend) -> Blend:
    learners = available_learners()
    members = []
    for m in blend.members:
        model = learners[m.learner].load(work.model_files(m.key, 0), work.facts)
        members.append(Member(m.learner, m.key, m.view, m.weight, [model]))
    return replace(blend, members=members)
