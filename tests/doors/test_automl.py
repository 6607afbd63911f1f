"""The three-call way from a table to predictions, on the shipped example and bundled sets."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.metrics import roc_auc_score

from autoglm import AutoTask, Predictor, TaskOptions, examples, load, resume
from autoglm.cli import main
from autoglm.core.errors import BudgetError, BundleError, DataError, RunError, SpecError
from autoglm.core.events import Event, subscribe
from autoglm.core.journal import read_journal
from autoglm.registry.bundle import write_bundle

TRIALS = 5


@pytest.fixture(scope="module")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A finished run on the shipped customers."""
    task = AutoTask.create(
        dataset=examples.path(), description="预测哪些客户会流失,漏报代价高", ask=None
    )
    folder = tmp_path_factory.mktemp("runs")
    return task.auto_build().launch(run_dir=folder, max_trials=TRIALS, workers=2)


def test_the_sentence_became_a_task_with_reasons(churn: Predictor) -> None:
    spec = churn.spec
    assert (spec.target.value, spec.task_type.value) == ("churned", "binary")
    assert spec.positive_class.value == "yes"
    assert spec.language == "zh"
    assert spec.metric.source == "sentence"
    assert "漏报" in spec.metric.reason or "漏报" in str(spec)
    assert {a.name for a in spec.cleaning} >= {"drop_id", "parse_number", "parse_date"}


def test_predictions_follow_the_rows_and_the_classes(churn: Predictor) -> None:
    new = pd.read_csv(examples.path("new_customers.csv"), dtype=str).set_index("customer_id")
    labels, proba = churn.predict(new), churn.predict_proba(new)
    assert list(labels.index) == list(new.index) == list(proba.index)
    assert set(labels) <= {"yes", "no"}
    assert set(proba.columns) == {"yes", "no"}
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-9)
    shuffled = new.iloc[::-1][new.columns[::-1]]
    np.testing.assert_allclose(churn.predict_proba(shuffled).iloc[::-1], proba, atol=1e-9)
    one = churn.predict_proba(new.iloc[:1].to_dict("records"))
    np.testing.assert_allclose(one, proba.iloc[:1], atol=1e-9)


def test_it_learned_something(churn: Predictor) -> None:
    assert churn.facts is not None
    y, proba = np.asarray(churn.facts.y), np.asarray(churn.facts.prediction)
    assert roc_auc_score(y, proba[:, 1]) > 0.75  # out of fold
    board = churn.leaderboard()
    assert board["learner"].iloc[0] == "ensemble"
    assert len(board) == TRIALS + 1
    assert board["weight"][1:].sum() == pytest.approx(1.0, abs=1e-6)


def test_evaluate_gives_every_metric_of_the_task(churn: Predictor) -> None:
    table = pd.read_csv(examples.path(), dtype=str)
    scores = churn.evaluate(table)
    assert next(iter(scores)) == churn.spec.metric.value
    assert scores["roc_auc"] > 0.8
    with pytest.raises(DataError, match="churned"):
        churn.evaluate(table.drop(columns="churned"))


def test_explain_finds_what_the_example_was_made_of(churn: Predictor) -> None:
    found = churn.explain()
    assert set(found["column"][:4]) & {"contract", "support_calls", "monthly_fee", "last_note"}
    assert found["importance"].iloc[0] > 0


def test_report_is_one_page_in_the_language_asked_for(churn: Predictor, tmp_path: Path) -> None:
    zh, en = churn.report(tmp_path / "report.html"), churn.report(language="en")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == zh
    assert 'lang="zh' in zh
    assert 'lang="en' in en
    assert "http://" not in zh.replace("http://www.w3.org/", "")


@pytest.mark.parametrize("name", ["model.aglm", "model"])
def test_saved_and_loaded_in_a_process_of_its_own(
    churn: Predictor, tmp_path: Path, name: str
) -> None:
    saved = churn.save(tmp_path / name)
    code = (
        "import sys, autoglm, pandas as pd\n"
        "model = autoglm.load(sys.argv[1])\n"
        "rows = pd.read_csv(sys.argv[2], dtype=str)\n"
        "print(model.predict_proba(rows)['yes'].sum())\n"
        "extras = {'catboost', 'torch', 'optuna', 'transformers'} & set(sys.modules)\n"
        "assert not extras, extras\n"
    )
    table = str(examples.path("new_customers.csv"))
    command = [sys.executable, "-c", code, str(saved), table]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    new = pd.read_csv(table, dtype=str)
    assert float(out) == pytest.approx(churn.predict_proba(new)["yes"].sum(), abs=1e-6)


def test_no_file_of_a_run_is_pickled(churn: Predictor) -> None:
    assert churn.run_dir is not None
    endings = {p.suffix for p in churn.run_dir.rglob("*") if p.is_file()}
    assert endings <= {".json", ".npy", ".npz", ".log", ".z", ".sha256", ".html"}
    for path in churn.run_dir.rglob("*.np[yz]"):
        np.load(path, allow_pickle=False)


def test_multiclass_and_regression(tmp_path: Path) -> None:
    wine = load_wine(as_frame=True).frame
    task = AutoTask.create(dataset=wine, target="target", description="classify the wine")
    model = task.launch(run_dir=tmp_path, max_trials=3, workers=0)
    assert model.spec.task_type.value == "multiclass"
    assert set(model.predict(wine)) == {0, 1, 2}
    diabetes = load_diabetes(as_frame=True).frame
    task = AutoTask.create(dataset=diabetes, target="target", metric="mae")
    model = task.launch(run_dir=tmp_path, max_trials=3, workers=0)
    assert model.evaluate(diabetes)["mae"] < 50
    with pytest.raises(DataError):
        model.predict_proba(diabetes)


def test_a_pipeline_can_be_changed_before_it_is_launched(tmp_path: Path) -> None:
    frame = pd.read_csv(examples.path(), dtype=str)
    pipeline = AutoTask.create(dataset=frame, target="churned").auto_build()
    pipeline.learners = ["linear"]
    pipeline.spec = pipeline.spec.changed(metric="log_loss").without_action(
        "drop_id", "customer_id"
    )
    assert "log_loss" in str(pipeline)
    model = pipeline.launch(run_dir=tmp_path, max_trials=2, workers=0)
    assert set(model.leaderboard()["learner"]) == {"ensemble", "linear"}
    assert "customer_id" in model.prepared.cleaner.inputs
    with pytest.raises(SpecError):
        pipeline.spec.changed(colour="blue")


def test_limits_in_the_spec_are_kept(tmp_path: Path) -> None:
    options = TaskOptions(size_mb=0.2, latency_ms=20.0)
    task = AutoTask.create(dataset=examples.path(), target="churned", options=options)
    model = task.launch(run_dir=tmp_path, max_trials=TRIALS, workers=2)
    receipts = model.receipts
    assert receipts["latency_ms"]["planned"] == 20.0
    assert receipts["latency_ms"]["actual"] <= 20.0
    assert model.save(tmp_path / "m.aglm").stat().st_size < 1e6


def test_memory_that_cannot_be_enough_is_refused(tmp_path: Path) -> None:
    task = AutoTask.create(
        dataset=examples.path(), target="churned", options=TaskOptions(memory_mb=1.0)
    )
    with pytest.raises(BudgetError, match="MB") as caught:
        task.launch(run_dir=tmp_path, max_trials=1)
    assert "--memory" in caught.value.hint
    assert list(tmp_path.iterdir()) == []  # nothing was begun, nothing is left


def test_a_finished_run_can_be_given_more_time(tmp_path: Path) -> None:
    task = AutoTask.create(dataset=examples.path(), target="churned")
    first = task.launch(run_dir=tmp_path, max_trials=2, workers=2)
    assert first.run_dir is not None
    done = [r for r in read_journal(first.run_dir / "journal.log") if r["kind"] == "fold"]
    again = resume(first.run_dir)
    assert [m.key for m in again.blend.members] == [m.key for m in first.blend.members]
    longer = resume(first.run_dir, add_time_s=8.0)
    after = [r for r in read_journal(first.run_dir / "journal.log") if r["kind"] == "fold"]
    assert len(after) > len(done)
    names = [(r["key"], r["fold"]) for r in after if r["score"] is not None]
    assert len(names) == len(set(names))
    assert len(longer.trials) > len(first.trials)


def test_resume_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        resume(tmp_path)
    assert caught.value.hint


def test_a_report_at_the_end_of_a_run_waits_for_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def again(*_: object) -> dict[str, object]:
        pytest.fail("measured again after the time for it was over")

    monkeypatch.setattr("autoglm._finish.measure", lambda *_: {})  # as when the time is over
    monkeypatch.setattr("autoglm.predictor.measure", again)
    frame = load_wine(as_frame=True).frame
    task = AutoTask.create(dataset=frame, target="target")
    model = task.auto_build().launch(run_dir=tmp_path, max_trials=2, workers=0)
    assert model.run_dir is not None and (model.run_dir / "report.html").is_file()


def test_an_interrupt_keeps_the_best_model_so_far(tmp_path: Path) -> None:
    finished = 0

    def stop(event: Event) -> None:
        nonlocal finished
        finished += event.name == "trial_finished"
        if finished == 2:
            finished += 1
            signal.raise_signal(signal.SIGINT)

    task = AutoTask.create(dataset=examples.path(), target="churned")
    # A suite that was started in the background has Ctrl-C switched off.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with subscribe(stop):
            model = task.launch(run_dir=tmp_path, time_limit=120, workers=2)
    finally:
        signal.signal(signal.SIGINT, before)
    assert model.stopped_by == "interrupt"
    assert model.run_dir is not None
    assert len(load(model.run_dir).predict(pd.read_csv(examples.path(), dtype=str))) == 2000
    assert json.loads((model.run_dir / "plan.json").read_text())["n_folds"] == 5


@pytest.mark.parametrize("limit_kb", [40, 400])
def test_a_disk_that_fills_up_is_one_clear_error(tmp_path: Path, limit_kb: int) -> None:
    code = (
        "import resource, sys\n"
        "from autoglm import AutoTask, examples\n"
        "from autoglm.core.errors import StorageError\n"
        "task = AutoTask.create(dataset=examples.path(), target='churned')\n"
        "size = int(sys.argv[2]) * 1000\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))\n"
        "try:\n"
        "    task.launch(run_dir=sys.argv[1], max_trials=3, workers=1)\n"
        "except StorageError as error:\n"
        "    print('hint:', error.hint)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(limit_kb)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "hint: " in done.stdout
    assert not list(tmp_path.rglob("model/manifest.json"))


def test_a_time_that_is_too_short_gives_a_guess_that_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "who will leave?", str(examples.path()), "--time", "0.3s"]
    assert main([*words, "--run-dir", str(tmp_path), "-t", "churned"]) == 0
    assert "constant guess" in capsys.readouterr().out


def test_a_bundle_without_its_parts_is_a_clear_error(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "empty.aglm", {"spec.json": b"{}"}, about={"kind": "tabular"})
    with pytest.raises((BundleError, SpecError)) as caught:
        load(path)
    assert caught.value.hint
