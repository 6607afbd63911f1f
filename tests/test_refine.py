"""The second conversation: a model changes by what is said of it, measured before and after."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import autoglm
from autoglm import AutoTask, Predictor, load, read_table, resume
from autoglm._run_folder import new_folder
from autoglm.cli import main
from autoglm.core.errors import RunError
from autoglm.core.journal import read_journal

CUSTOMERS = Path(autoglm.__file__).parent / "examples" / "customers.csv"
SECONDS = 2.5


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """Make a model of a copy of the example, so that it can be moved."""
    folder = tmp_path_factory.mktemp("refine")
    table = shutil.copy(CUSTOMERS, folder / "customers.csv")
    task = AutoTask.create(dataset=table, description="predict which customers churn")
    return task.launch(run_dir=folder / "runs", max_trials=8)


def content(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def folds(run: Path | None) -> list[tuple[str, int]]:
    assert run is not None
    fitted = [r for r in read_journal(run / "journal.log") if r["kind"] == "fold"]
    return [(r["key"], r["fold"]) for r in fitted if r["score"] is not None]


def test_fewer_false_alarms_and_nothing_is_fitted_twice(model: Predictor) -> None:
    assert model.run_dir is not None
    before = content(model.run_dir)
    better = model.refine("误报太多了", time_limit=SECONDS)
    told = better.receipts["refined"]
    assert told["after"]["false_alarms_per_1000"] < told["before"]["false_alarms_per_1000"]
    assert better.spec.metric.value == "cost"
    assert better.blend.rule.threshold > model.blend.rule.threshold
    assert better.run_dir != model.run_dir
    found = folds(better.run_dir)
    assert len(found) == len(set(found))
    assert set(folds(model.run_dir)) <= set(found)
    assert content(model.run_dir) == before
    again = load(better.run_dir)
    assert again.receipts["refined"]["said"] == "误报太多了"
    rows = read_table(CUSTOMERS).frame.head(20)
    assert list(again.predict(rows)) == list(better.predict(rows))


def test_fewer_misses(model: Predictor) -> None:
    told = model.refine("it misses too many", time_limit=SECONDS).receipts["refined"]
    assert told["after"]["misses_per_1000"] < told["before"]["misses_per_1000"]


def test_another_metric_ranks_the_finished_folds_anew(model: Predictor) -> None:
    better = model.refine("optimise log loss", time_limit=SECONDS)
    told = better.receipts["refined"]
    assert set(told["before"]) == set(told["after"]) and "log_loss" in told["after"]
    assert told["after"]["log_loss"] <= told["before"]["log_loss"] * 1.02
    board = better.leaderboard()
    assert (board["score"].dropna() > 0).all()  # log losses, not areas under a curve
    assert board["score"].iloc[0] == pytest.approx(told["after"]["log_loss"], abs=1e-4)


def test_smaller(model: Predictor) -> None:
    size = model.receipts["size_mb"]["actual"]
    better = model.refine("太大了", time_limit=SECONDS)
    told = better.receipts["refined"]
    assert better.spec.size_mb.value == pytest.approx(size / 2, rel=0.01)
    assert told["after"]["size_mb"] < told["before"]["size_mb"]
    assert told["unmet"] or told["after"]["size_mb"] <= 1.02 * better.spec.size_mb.value


def test_a_limit_that_cannot_be_met_is_said_with_what_came_nearest(model: Predictor) -> None:
    told = model.refine("answer within 0.001 ms per row", time_limit=SECONDS).receipts["refined"]
    assert len(told["unmet"]) == 1
    assert "0.001 was asked for" in told["unmet"][0] and "nearest" in told["unmet"][0]


def test_a_model_that_people_can_read(model: Predictor) -> None:
    better = model.refine("nobody understands this black box", time_limit=SECONDS)
    assert {m.learner for m in better.blend.members} <= {"constant", "linear", "linear_text"}


def test_a_column_less_needs_the_table(model: Predictor, tmp_path: Path) -> None:
    better = model.refine("不要用城市", time_limit=SECONDS)
    assert "city" not in better.prepared.cleaner.inputs
    assert "city" in model.prepared.cleaner.inputs
    assert better.receipts["refined"]["changes"][0]["field"] == "drop_columns"
    assert model.run_dir is not None
    table = model.run_dir.parent.parent / "customers.csv"
    moved = Path(shutil.move(table, tmp_path / "moved.csv"))
    try:
        with pytest.raises(RunError, match="needs the table") as error:
            model.refine("without city", time_limit=SECONDS)
        assert "--data" in error.value.hint
        found = model.refine("without city", time_limit=SECONDS, dataset=moved)
        assert "city" not in found.prepared.cleaner.inputs
    finally:
        shutil.move(moved, table)


def test_nothing_is_done_unless_it_is_confirmed(model: Predictor) -> None:
    assert model.run_dir is not None
    there = sorted(model.run_dir.parent.iterdir())
    assert model.refine("太慢了", confirm=lambda plan: plan.changes == ()) is model
    assert sorted(model.run_dir.parent.iterdir()) == there


def test_a_model_without_its_run_cannot_go_on(model: Predictor, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="folder of its run"):
        load(model.save(tmp_path / "alone.aglm")).refine("太慢了")


def test_a_killed_refinement_is_resumed(model: Predictor, tmp_path: Path) -> None:
    assert model.run_dir is not None
    run = Path(shutil.copytree(model.run_dir, tmp_path / "run"))
    words = ["refine", str(run), "too many false alarms", "--time", "6s", "--yes"]
    process = subprocess.Popen(
        [sys.executable, "-m", "autoglm", *words], stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(Path(autoglm.__file__).parents[1]),
                          "AUTOGLM_PROGRESS": "lines"},
        start_new_session=True,
    )  # fmt: skip
    with process:
        assert process.stderr is not None
        assert next((line for line in process.stderr if "(best" in line), ""), "no trial ended"
        os.killpg(process.pid, signal.SIGKILL)
    folder = next(tmp_path.glob("run-refined*"))
    before = folds(folder)
    better = resume(folder)
    assert better.spec.metric.value == "cost"
    assert set(before) <= set(folds(folder))
    assert content(run) == content(model.run_dir)


def test_folders_of_runs_that_begin_at_once_are_different(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_folder(tmp_path, "run-refined"), range(24)))
    assert len(set(made)) == 24


def test_from_the_shell(
    model: Predictor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["refine", str(model.run_dir), "too many false alarms", "--time", "2s"]
    assert main([*asked, "--json"]) == 4
    assert "--yes" in capsys.readouterr().err
    out = tmp_path / "better.aglm"
    assert main([*asked, "--yes", "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert "false_negative_cost  - -> 0.5" in told.err
    assert "false_alarms_per_1000" in told.err
    assert load(out).receipts["refined"]["changes"][0]["field"] == "metric"
