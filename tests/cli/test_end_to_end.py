"""The whole program on a small table: run once, then everything that can be done with it."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import signal
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import autoglm as package
from autoglm.cli import main
from autoglm.core.text import set_language

SENTENCE = "预测 churn,漏报代价高"


class Done(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


def autoglm(folder: Path, *words: object) -> Done:
    """Run the program in `folder`."""
    out, err = io.StringIO(), io.StringIO()
    with chdir(folder), redirect_stdout(out), redirect_stderr(err):
        code = main([str(word) for word in words])
    set_language(None)
    return Done(code, out.getvalue(), err.getvalue())


def as_process(folder: Path, *words: object) -> Done:
    """Run the program in `folder` as a process of its own."""
    run = subprocess.run(
        [sys.executable, "-m", "autoglm", *map(str, words)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(package.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(run.returncode, run.stdout, run.stderr)


def _write_table(path: Path, rows: int, *, seed: int) -> None:
    """Write a table in which old customers with few calls stay."""
    draw = random.Random(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["age", "calls", "城市", "churn"])
        for _ in range(rows):
            age, calls = draw.randint(18, 80), draw.randint(0, 9)
            leaves = calls * 8 - age / 2 + draw.gauss(0, 8) > 0
            out.writerow([age, calls if draw.random() > 0.05 else "", draw.choice("甲乙丙"),
                          "yes" if leaves else "no"])  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a training table and a table to predict."""
    folder = tmp_path_factory.mktemp("end_to_end")
    _write_table(folder / "train.csv", 300, seed=1)
    _write_table(folder / "new.csv", 40, seed=2)
    return folder


@pytest.fixture(scope="module")
def result(folder: Path) -> dict[str, Any]:
    """Return what one run answers; every test below uses its model."""
    words = ["--trials", "3", "--workers", "1", "--out", "churn.aglm", "--json"]
    done = as_process(folder, "run", SENTENCE, "train.csv", *words)
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def test_a_run_answers_with_score_task_and_places(folder: Path, result: dict[str, Any]) -> None:
    assert result["task"]["target"]["value"] == "churn"
    assert result["task"]["language"] == "zh"
    assert result["leaderboard"]
    assert result["score"] is not None
    assert (folder / "churn.aglm").is_file()
    assert (folder / result["run"]).is_dir()


def test_predictions_are_right_for_most_rows(folder: Path, result: dict[str, Any]) -> None:
    done = autoglm(
        folder, "predict", "churn.aglm", "new.csv", "--keep", "--proba", "--out", "p.csv"
    )
    assert done.code == 0, done.err
    with (folder / "p.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 40
    assert sum(row["churn"] == row["prediction"] for row in rows) >= 28
    assert all(abs(float(row["yes"]) + float(row["no"]) - 1) < 1e-6 for row in rows)
    plain = autoglm(folder, "predict", "churn.aglm", "new.csv").out.splitlines()
    assert plain == ["prediction", *(row["prediction"] for row in rows)]


def test_the_model_is_scored_on_new_rows(folder: Path, result: dict[str, Any]) -> None:
    done = autoglm(folder, "evaluate", "churn.aglm", "new.csv", "--json")
    found = json.loads(done.out)
    assert found["metric"] in found["scores"]
    assert found["scores"]["roc_auc"] > 0.75


def test_the_report_is_one_page_in_the_language_asked_for(
    folder: Path, result: dict[str, Any]
) -> None:
    done = autoglm(folder, "report", result["run"], "--out", "r.html", "--lang", "en")
    assert done.code == 0, done.err
    page = (folder / "r.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html")
    assert "churn" in page


def test_the_leaderboard_of_the_run_is_shown(folder: Path, result: dict[str, Any]) -> None:
    found = json.loads(autoglm(folder, "leaderboard", result["run"], "--json").out)
    assert found["leaderboard"] == result["leaderboard"]
    assert result["leaderboard"][0]["learner"] in autoglm(folder, "leaderboard", result["run"]).out


def test_a_finished_run_is_resumed_without_work(folder: Path, result: dict[str, Any]) -> None:
    done = autoglm(folder, "resume", result["run"], "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["leaderboard"] == result["leaderboard"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["run", "predict churn", "absent.csv"], 3),
        (["run", "go", "train.csv", "--target", "chrn"], 4),
        (["run", "go", "train.csv", "--target", "churn", "--metric", "rmse"], 5),
        (["run", "go", "train.csv", "--target", "churn", "--metric", "no_such"], 5),
        (["predict", "train.csv", "new.csv"], 7),
        (["predict", "churn.aglm", "absent.csv"], 3),
        (["resume", "no-such-run"], 9),
        (["run", "go", "train.csv", "--target", "churn", "--run-dir", "train.csv/x"], 8),
    ],
)
def test_what_cannot_be_done_ends_with_the_documented_code(
    folder: Path, result: dict[str, Any], words: list[str], code: int
) -> None:
    before = sorted(p.name for p in folder.iterdir())
    done = autoglm(folder, *words, "--json")
    assert done.code == code, done.err
    assert json.loads(done.out)["hint"]
    assert "Traceback" not in done.err
    assert sorted(p.name for p in folder.iterdir()) == before


def test_ctrl_c_ends_with_the_best_model_so_far(folder: Path, tmp_path: Path) -> None:
    words = ["run", SENTENCE, folder / "train.csv", "--time", "5m", "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "autoglm", *map(str, words)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(package.__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stderr is not None
        said = next((line for line in process.stderr if "最佳" in line), "")
        assert said, "no trial was finished"
        os.killpg(process.pid, signal.SIGINT)  # a terminal tells the workers too
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert "Ctrl-C" in out
    (run,) = (tmp_path / "autoglm_runs").iterdir()
    assert autoglm(folder, "predict", run, "new.csv").code == 0


def test_settings_of_a_file_reach_the_task(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "autoglm.toml").write_text('seed = 5\nrun_dir = "kept"\n')
    words = ["run", SENTENCE, folder / "train.csv", "--trials", "1", "--workers", "1", "--json"]
    done = autoglm(tmp_path, *words)
    assert done.code == 0, done.err
    seed = json.loads(done.out)["task"]["seed"]
    assert (seed["value"], seed["source"]) == (5, "config")
    assert list((tmp_path / "kept").iterdir())
