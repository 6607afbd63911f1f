"""The leaderboard of a run as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from autoglm.evaluate.metrics import Metric

COLUMNS = (
    "learner", "score", "weight", "state", "folds", "fit_s", "predict_us", "size_mb", "trial",
    "params", "reason",
)  # fmt: skip


def board(
    trials: Sequence[Mapping[str, Any]], weights: Mapping[str, float], one: Metric,
    final: float | None,
) -> pd.DataFrame:  # fmt: skip
    """Return the ensemble, its members by weight, then the others by score.

    Parameters
    ----------
    trials
        As a model keeps them: "key", "score" (a utility) and the rest of `COLUMNS`.
    weights
        In the ensemble, by key.
    one
        The task's metric; scores are shown in its own unit.
    final
        Score of the ensemble; None where it is not known.
    """

    def place(trial: Mapping[str, Any]) -> tuple[float, float]:
        score = trial["score"]
        return -weights.get(trial["key"], 0.0), math.inf if score is None else -score

    rows = [
        {
            **trial,
            "weight": weights.get(trial["key"], 0.0),
            "score": None if trial["score"] is None else one.to_utility(trial["score"]),
        }
        for trial in sorted(trials, key=place)
    ]
    first: dict[str, Any] = {"learner": "ensemble", "state": "final", "weight": 1.0, "trial": None}
    if final is not None:
        first["score"] = final
    return pd.DataFrame([first, *rows]).reindex(columns=list(COLUMNS))
