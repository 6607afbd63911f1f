"""What the words of ``run``, ``resume`` and the model commands are turned into.

The data path itself is replaced by one that records how it is called; it has its own tests.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pandas as pd
import pytest

from autoglm.core.contracts import Preference
from autoglm.core.errors import AmbiguousTask
from autoglm.core.events import emit
from autoglm.core.spec import Decision, TaskSpec
from autoglm.core.text import current_language

Run = Callable[..., Any]

SPEC = TaskSpec(
    target=Decision(value="churn", source="sentence", reason="named"),
    task_type=Decision(value="binary"),
    metric=Decision(value="roc_auc"),
)


class FakePredictor:
    """A finished model that records what is asked of it."""

    spec = SPEC
    receipts: ClassVar = {"time_s": {"planned": 60.0, "actual": float("nan")}}
    stopped_by = "time"

    def __init__(self, calls: dict[str, Any], run_dir: Path) -> None:
        self.calls, self.run_dir = calls, run_dir

    def leaderboard(self) -> pd.DataFrame:
        """Return two made-up learners."""
        return pd.DataFrame({"learner": ["lightgbm", "linear"], "score": [0.9, float("nan")]})

    def save(self, path: Path) -> Path:
        """Record the path."""
        self.calls["save"] = path
        return path

    def predict(self, rows: pd.DataFrame) -> pd.Series:
        """Return the same class for all."""
        return pd.Series(["yes"] * len(rows), index=rows.index, name="churn")

    def predict_proba(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the same probabilities for all."""
        return pd.DataFrame({"no": [0.25] * len(rows), "yes": [0.75] * len(rows)}, index=rows.index)

    def evaluate(self, rows: pd.DataFrame) -> dict[str, float]:
        """Return one score."""
        return {"roc_auc": 0.91}

    def report(self, path: Path | None = None, language: str | None = None) -> str:
        """Record where to and in which language."""
        self.calls["report"] = (path, language)
        return "<html>"


class FakeTask:
    """A task that records how it was made and launched."""

    calls: dict[str, Any]
    spec = SPEC
    seconds = 0.0
    table = SimpleNamespace(notes=("a blank name became column 3",))
    findings = (
        SimpleNamespace(severity="info", message="some rows are equal"),
        SimpleNamespace(severity="serious", message="code gives the answer away"),
    )

    @classmethod
    def create(cls, task_type: str | None = None, **given: Any) -> FakeTask:
        """Record the call; ask when the sentence wants it."""
        cls.calls["create"] = {"task_type": task_type, **given}
        cls.calls["language"] = current_language()
        if given["description"] == "unclear":
            error = AmbiguousTask("Two.", field="target", candidates=["a", "b"], flag="--target")
            if given["ask"] is None:
                raise error
            cls.calls["answer"] = given["ask"](Question)
        return cls()

    def launch(self, time_limit: float | None = None, **given: Any) -> FakePredictor:
        """Record the call and tell a short story of events."""
        self.calls["launch"] = {"time_limit": time_limit, **given}
        emit("run_started", run="r1", time_limit_s=60.0, workers=1)
        emit("data_ready", rows=10, columns=3, features=2, seconds=0.1)
        emit("trial_started", trial=1, learner="lightgbm", params={})
        facts = {"score": 0.9, "folds": 5, "best_score": 0.9, "elapsed_s": 1.0}
        emit("trial_finished", trial=1, learner="lightgbm", remaining_s=59.0, **facts)
        emit("trial_failed", trial=2, learner="knn", error="too wide")
        emit("ensemble_ready", members={"lightgbm": 1.0}, score=0.91)
        emit("model_saved", path="runs/r1/model", size_mb=1.5)
        emit("run_finished", run="r1", score=0.91, trials=2, elapsed_s=2.0, stopped_by="time")
        return FakePredictor(self.calls, Path("runs/r1"))


class Question:
    """An open question."""

    text = "Which column?"
    candidates = ("a", "b")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Put the recording data path in place and return what it records."""
    seen: dict[str, Any] = {}
    monkeypatch.setattr(FakeTask, "calls", seen, raising=False)
    fake = ModuleType("autoglm.automl")
    fake.AutoTask = FakeTask  # type: ignore[attr-defined]
    fake.TaskOptions = dict  # type: ignore[attr-defined]

    def load(path: Path, variant: str = "best") -> FakePredictor:
        seen["variant"] = variant
        seen["load"] = path
        return FakePredictor(seen, path)

    def resume(
        run: Path, add_time_s: float | None = None, engine: str | None = None
    ) -> FakePredictor:
        seen["resume"] = (run, add_time_s, engine)
        return FakePredictor(seen, run)

    fake.resume = resume  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "autoglm.automl", fake)
    other = ModuleType("autoglm.predictor")
    other.load = load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "autoglm.predictor", other)
    return seen


def test_a_sentence_and_a_file_are_enough(autoglm: Run, calls: dict[str, Any]) -> None:
    result = autoglm("run", "predict churn", "data.csv", "--json")
    assert result.code == 0
    assert calls["create"]["dataset"] == "data.csv"
    assert calls["create"]["description"] == "predict churn"
    assert calls["create"]["options"] == {}
    assert calls["create"]["ask"] is None
    nothing = ["time_limit", "run_dir", "max_trials", "workers", "engine", "open_trials"]
    assert calls["launch"] == dict.fromkeys(nothing)
    found = result.json
    assert found["score"] == 0.91
    assert found["model"] == "runs/r1/model"
    assert found["stopped_by"] == "time"
    assert found["task"]["target"]["value"] == "churn"
    assert found["leaderboard"][1] == {"learner": "linear", "score": None}
    assert found["receipts"]["time_s"]["actual"] is None
    assert found["notes"] == ["a blank name became column 3"]
    assert len(found["findings"]) == 2
    assert result.err == ""


def test_every_flag_arrives_with_its_unit(autoglm: Run, calls: dict[str, Any]) -> None:
    flags = (
        "--target churn --task binary --metric f1 --positive yes --miss-cost 0 --split grouped"
        " --group who --time-column when --interpretable --time 5m --latency 5ms --size 20MB"
        " --memory 2GB --trials 7 --seed 0 --workers 3 --query q --sheet s --run-dir here"
        " --engine ray://head:10001 --open-trials 4 --prefer latency=1,accuracy=2"
    )
    result = autoglm(
        "run", "go", "f.db", *flags.split(), "--drop", "a b", "--drop", "c,d", "--json"
    )
    assert result.code == 0
    assert calls["create"]["task_type"] == "binary"
    assert calls["create"]["target"] == "churn"
    assert calls["create"]["metric"] == "f1"
    assert calls["create"]["options"] == {
        "time_limit_s": 300.0,
        "latency_ms": 5.0,
        "size_mb": 20.0,
        "memory_mb": 2000.0,
        "prefer": Preference(accuracy=2, latency=1, cost=0),
        "drop_columns": ("a b", "c,d"),
        "group_column": "who",
        "time_column": "when",
        "split": "grouped",
        "positive_class": "yes",
        "false_negative_cost": 0.0,
        "seed": 0,
        "interpretable": True,
        "query": "q",
        "sheet": "s",
    }
    launch = calls["launch"]
    assert (launch["max_trials"], launch["workers"], launch["run_dir"]) == (7, 3, Path("here"))
    assert (launch["engine"], launch["open_trials"]) == ("ray://head:10001", 4)


def test_a_bare_latency_is_in_milliseconds(autoglm: Run, calls: dict[str, Any]) -> None:
    autoglm("run", "go", "f.csv", "--latency", "5")
    assert calls["create"]["options"]["latency_ms"] == 5.0


def test_the_order_of_sentence_and_file_is_free(
    autoglm: Run, calls: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "f.csv").write_text("a\n1\n")
    autoglm("run", "f.csv", "predict a")
    assert calls["create"]["dataset"] == "f.csv"
    assert calls["create"]["description"] == "predict a"
    autoglm("run", "f.csv", "--target", "a")
    assert calls["create"]["dataset"] == "f.csv"
    assert calls["create"]["description"] == ""


def test_progress_is_told_on_stderr_line_by_line(autoglm: Run, calls: dict[str, Any]) -> None:
    result = autoglm("run", "predict churn", "f.csv")
    assert "10 rows" in result.err
    assert "lightgbm: 0.9 (best 0.9, 59 s left)" in result.err
    assert "too wide" in result.err
    assert "[sentence] named" in result.err
    assert "rows" not in result.out
    assert "! a blank name became column 3" in result.err
    assert "! code gives the answer away" in result.err
    assert "rows are equal" not in result.err
    assert "roc_auc 0.91" in result.out
    assert "autoglm predict runs/r1/model" in result.out
    quiet = autoglm("run", "predict churn", "f.csv", "--quiet")
    assert quiet.err == ""
    assert quiet.out == result.out


def test_progress_can_be_silent_or_a_living_line(
    autoglm: Run, calls: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = autoglm("run", "predict churn", "f.csv")
    monkeypatch.setenv("AUTOGLM_PROGRESS", "none")
    silent = autoglm("run", "predict churn", "f.csv")
    assert silent.out == plain.out
    assert "too wide" in plain.err
    assert "too wide" not in silent.err
    monkeypatch.setenv("AUTOGLM_PROGRESS", "bar")
    monkeypatch.setenv("AUTOGLM_COLOR", "always")  # as on a terminal
    bar = autoglm("run", "predict churn", "f.csv")
    assert bar.code == 0
    assert "60 s left" in bar.err or "59 s left" in bar.err
    assert "best 0.9" in bar.err
    assert "lightgbm" in bar.err


def test_messages_follow_the_sentence_unless_told(autoglm: Run, calls: dict[str, Any]) -> None:
    assert "最佳" in autoglm("run", "预测流失", "f.csv").out
    assert calls["language"] == "zh"
    assert "Best" in autoglm("run", "预测流失", "f.csv", "--lang", "en").out
    assert calls["language"] == "en"


def test_an_open_question_is_an_error_without_a_terminal(
    autoglm: Run, calls: dict[str, Any]
) -> None:
    result = autoglm("run", "unclear", "f.csv")
    assert result.code == 4
    assert "launch" not in calls


def test_yes_takes_the_likeliest_reading(autoglm: Run, calls: dict[str, Any]) -> None:
    assert autoglm("run", "unclear", "f.csv", "--yes").code == 0
    assert calls["answer"] == "a"


class Terminal(io.StringIO):
    """Input from a person."""

    def isatty(self) -> bool:
        """Return True."""
        return True


@pytest.mark.parametrize(("reply", "taken"), [("2", "b"), ("", "a"), ("b", "b"), ("c", "c")])
def test_a_person_at_a_terminal_is_asked(
    autoglm: Run,
    calls: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    reply: str,
    taken: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(reply + "\n"))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    result = autoglm("run", "unclear", "f.csv")
    assert calls["answer"] == taken
    assert "Which column?" in result.err
    assert "2. b" in result.err
    assert "Which" not in result.out


def test_out_saves_the_model_there(autoglm: Run, calls: dict[str, Any]) -> None:
    result = autoglm("run", "go", "f.csv", "--out", "m.aglm", "--json")
    assert calls["save"] == Path("m.aglm")
    assert result.json["model"] == "m.aglm"


def test_an_interrupted_run_ends_well_and_says_so(
    autoglm: Run, calls: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakePredictor, "stopped_by", "interrupt")
    result = autoglm("run", "go", "f.csv")
    assert result.code == 0
    assert "Ctrl-C" in result.out


@pytest.mark.parametrize(
    "flags", [["--time", "soon"], ["--size", "big"], ["--latency", "-1"], ["--memory", "0"]]
)
def test_a_limit_that_is_no_quantity_is_5(
    autoglm: Run, calls: dict[str, Any], flags: list[str]
) -> None:
    result = autoglm("run", "go", "f.csv", *flags)
    assert result.code == 5
    assert "create" not in calls


def test_resume_passes_the_added_time(autoglm: Run, calls: dict[str, Any]) -> None:
    assert autoglm("resume", "runs/r1", "--add-time", "5m").code == 0
    assert calls["resume"] == (Path("runs/r1"), 300.0, None)
    assert autoglm("resume", "runs/r1", "--engine", "ray", "--json").code == 0
    assert calls["resume"] == (Path("runs/r1"), None, "ray")


def test_predict_writes_csv_or_a_file(autoglm: Run, calls: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("a,prediction\n1,x\n2,y\n")
    assert autoglm("predict", "m", "f.csv").out == "prediction\nyes\nyes\n"
    found = autoglm("predict", "m", "f.csv", "--proba", "--json").json
    assert found["predictions"][0] == {"prediction": "yes", "no": 0.25, "yes": 0.75}
    done = autoglm("predict", "m", "f.csv", "--keep", "--out", "p.csv")
    assert done.code == 0
    written = (tmp_path / "p.csv").read_text()
    assert written == "a,prediction,prediction (2)\n1,x,yes\n2,y,yes\n"


def test_evaluate_report_and_leaderboard(
    autoglm: Run, calls: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "f.csv").write_text("a,churn\n1,yes\n2,no\n")
    found = autoglm("evaluate", "m.aglm", "f.csv", "--json").json
    assert found == {"metric": "roc_auc", "scores": {"roc_auc": 0.91}}
    assert autoglm("report", "m.aglm", "--out", "r.html", "--lang", "zh").code == 0
    assert calls["report"] == (Path("r.html"), "zh")
    assert autoglm("leaderboard", "run", "--json").json["leaderboard"][0]["learner"] == "lightgbm"
    assert "lightgbm" in autoglm("leaderboard", "run").out
