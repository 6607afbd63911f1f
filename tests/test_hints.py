"""Each wish of a sentence changes the model that comes out, not only a field of the task."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autoglm import AutoTask, Predictor
from autoglm.tuner.workspace import Workspace


@lru_cache(maxsize=1)
def patients() -> pd.DataFrame:
    """Return visits of patients over two years, a quarter of them readmitted."""
    rng = np.random.default_rng(0)
    n = 1500
    who = rng.integers(0, 120, n)
    frail = rng.normal(size=120)[who]
    age, stay = rng.integers(20, 95, n), rng.integers(1, 20, n)
    pulse = (75 + 10 * frail + 8 * rng.normal(size=n)).round()
    logit = 0.9 * frail + 0.05 * (age - 60) + 0.1 * stay + rng.logistic(size=n)
    return pd.DataFrame({
        "patient": who, "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(n) // 2, "D"),
        "age": age, "stay": stay, "pulse": pulse, "ward": rng.choice(["a", "b", "c"], n),
        "readmitted": np.where(logit > np.quantile(logit, 0.75), "yes", "no"),
    })  # fmt: skip


def model_of(sentence: str, folder: Path, trials: int = 4) -> Predictor:
    """Return the model that a sentence gives; "predict readmitted" stands before it."""
    task = AutoTask.create(dataset=patients(), description=f"predict readmitted. {sentence}")
    return task.launch(run_dir=folder, max_trials=trials, workers=0)


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return model_of("By accuracy.", tmp_path_factory.mktemp("usual"))


def share(model: Predictor) -> float:
    """Return the share of rows that are said to be readmitted."""
    return float((model.predict(patients()) == "yes").mean())


def row_us(model: Predictor) -> float:
    """Return about what the models take for a row, microseconds."""
    return sum(one.row_us for member in model.blend.members for one in member.models)


def test_dear_misses_find_more_and_dear_alarms_fewer(usual: Predictor, tmp_path: Path) -> None:
    misses = model_of("Missing one is very costly.", tmp_path)
    assert misses.spec.metric.value == "f2"
    assert share(misses) > 1.3 * share(usual)
    tenfold = model_of("A miss costs ten times as much as a false alarm.", tmp_path)
    assert tenfold.spec.false_negative_cost.value == 10
    assert tenfold.blend.rule.threshold == pytest.approx(1 / 11, abs=0.07)
    alarms = model_of("False alarms are very expensive.", tmp_path)
    assert alarms.spec.metric.value == "precision"
    assert share(alarms) < share(model_of("By F1.", tmp_path))


def test_what_people_can_read_is_linear(usual: Predictor, tmp_path: Path) -> None:
    readable = model_of("It must be explainable.", tmp_path)
    assert set(readable.leaderboard()["learner"]) <= {"ensemble", "constant", "linear"}
    assert set(usual.leaderboard()["learner"]) - {"ensemble", "constant", "linear"}


def test_limits_make_the_model_smaller(usual: Predictor, tmp_path: Path) -> None:
    small = model_of("The saved model may have 60 KB at the most.", tmp_path)
    assert small.receipts["size_mb"]["kept"] is True
    assert small.saved_mb() <= 0.0612 < usual.saved_mb()
    quick = model_of("Under 0.02 ms per row.", tmp_path)
    assert row_us(quick) < row_us(usual)


def test_time_and_groups_set_rows_apart(usual: Predictor, tmp_path: Path) -> None:
    def folds(model: Predictor) -> list[tuple[np.ndarray, np.ndarray]]:
        assert model.run_dir is not None
        return Workspace(model.run_dir).folds

    later = model_of("Train on the past and test on what comes later, by day.", tmp_path)
    days = patients()["day"].to_numpy()
    assert all(days[train].max() <= days[valid].min() for train, valid in folds(later))
    assert any(days[train].max() > days[valid].min() for train, valid in folds(usual))
    apart = model_of("Rows of one patient must stay on one side of the split.", tmp_path)
    who = patients()["patient"].to_numpy()
    assert all(not set(who[train]) & set(who[valid]) for train, valid in folds(apart))
    assert any(set(who[train]) & set(who[valid]) for train, valid in folds(usual))


def test_what_is_left_out_is_not_needed_any_more(usual: Predictor, tmp_path: Path) -> None:
    without = model_of("Don't use age or ward.", tmp_path)
    rows = patients().drop(columns=["age", "ward", "readmitted"])
    assert len(without.predict(rows)) == len(rows)
    assert {"age", "ward"} <= set(usual.prepared.cleaner.inputs)
