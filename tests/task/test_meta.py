"""Past runs: what is kept of them, how they steer a later run, and that they never harm one."""

from __future__ import annotations

import fcntl
import json
import re
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

from autoglm import AutoTask, Predictor, resume
from autoglm.core.config import Settings
from autoglm.core.events import Event, subscribe
from autoglm.core.journal import read_journal
from autoglm.task._advice import Advice, advise, distance
from autoglm.task._store import PastRun, PastTrial, RunStore, TaskFeatures
from autoglm.task.meta import default_path, open_store
from autoglm.tuner.portfolio import portfolio
from autoglm.tuner.search import available_learners
from autoglm.zoo.contract import Facts

LEARNERS = ["constant", "linear", "elastic", "lightgbm"]
TRIALS = 6


def half(number: int) -> pd.DataFrame:
    """Return one half of a table; no row is in both."""
    frame: pd.DataFrame = load_breast_cancer(as_frame=True).frame
    return frame.iloc[number::2].reset_index(drop=True)


def launch(
    frame: pd.DataFrame, folder: Path, trials: int = TRIALS
) -> tuple[Predictor, dict[str, Any]]:
    """Run on a table; return the model and what was told about the order."""
    told: list[Event] = []
    with subscribe(told.append):
        pipeline = AutoTask.create(dataset=frame, target="target").auto_build()
        pipeline.learners = LEARNERS
        model = pipeline.launch(run_dir=folder, max_trials=trials, workers=0)
    (order,) = (event.data for event in told if event.name == "order_chosen")
    started = [(e.data["learner"], e.data["params"]) for e in told if e.name == "trial_started"]
    return model, order | {"started": started}


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that knows one run, on the first half."""
    folder = tmp_path_factory.mktemp("taught")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOGLM_META_STORE", str(folder / "past.sqlite"))
        launch(half(0), folder / "a-run-folder")
    return folder / "past.sqlite"


@pytest.fixture
def store(taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it that the settings name."""
    path = tmp_path / "store" / "past.sqlite"
    path.parent.mkdir()
    path.write_bytes(taught.read_bytes())
    monkeypatch.setenv("AUTOGLM_META_STORE", str(path))
    return path


# --- a run remembers, a later one listens -----------------------------------------------------


def test_a_finished_run_is_kept(taught: Path) -> None:
    store = RunStore(taught)
    (run,) = store.runs("binary")
    features = run.features
    assert (features.rows, features.columns, features.classes) == (285, 30, 2)
    assert features.metric == "roc_auc"
    assert 0 < features.imbalance < 0.2
    trials = store.trials(run.number)
    assert {t.learner for t in trials} >= {"constant", "linear", "lightgbm"}
    assert trials[0].relative == 1.0
    assert [t.relative for t in trials] == sorted((t.relative for t in trials), reverse=True)
    assert trials[-1].learner == "constant"
    assert sum(t.weight for t in trials) == pytest.approx(1.0)
    assert store.runs("regression") == []


def test_a_later_run_starts_with_what_won_and_says_so(store: Path, tmp_path: Path) -> None:
    (run,) = RunStore(store).runs("binary")
    trials = RunStore(store).trials(run.number)
    best = next(t for t in trials if t.learner in ("elastic", "lightgbm"))
    model, order = launch(half(1), tmp_path / "runs")
    assert order["past_runs"] == 1
    assert any(best.learner in reason and "past runs" in reason for reason in order["reasons"])
    # What costs next to nothing stays before it.
    early = order["started"][:4]
    assert (best.learner, dict(best.params)) in early
    assert {name for name, _ in early[: early.index((best.learner, best.params))]} <= {
        "constant", "linear", best.learner
    }  # fmt: skip
    assert model.run_dir is not None
    (record,) = (r for r in read_journal(model.run_dir / "journal.log") if r["kind"] == "order")
    assert record["used"] == [run.number]
    assert record["reasons"] == order["reasons"]
    assert [tuple(step) for step in record["steps"]][:TRIALS] == order["started"]
    assert len(RunStore(store).runs("binary")) == 2


def test_a_run_that_goes_on_keeps_its_order_and_replaces_its_record(
    store: Path, tmp_path: Path
) -> None:
    model, _ = launch(half(1), tmp_path / "runs", trials=2)
    assert model.run_dir is not None
    first = RunStore(store).runs("binary")
    # Other runs have come meanwhile.
    RunStore(store).add(replace(first[0], key="another", trials=RunStore(store).trials(1)))
    resume(model.run_dir, add_time_s=1.5)
    orders = [r for r in read_journal(model.run_dir / "journal.log") if r["kind"] == "order"]
    assert len(orders) == 1
    after = RunStore(store).runs("binary")
    assert sorted(r.key for r in after) == sorted({"another", *(r.key for r in first)})
    assert [r.budget_s is None for r in first] == [True, True]
    assert after[-1].budget_s is not None  # the record is that of the longer run


def test_off_keeps_nothing_and_listens_to_nothing(
    taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOGLM_META_STORE", "off")
    _, order = launch(half(1), tmp_path / "runs", trials=2)
    assert (order["past_runs"], order["reasons"]) == (0, [])
    assert not default_path().exists()


def test_by_default_a_run_bounded_by_trials_is_kept_but_listens_to_none(
    taught: Path, tmp_path: Path
) -> None:
    default_path().parent.mkdir(parents=True)
    default_path().write_bytes(taught.read_bytes())
    _, order = launch(half(1), tmp_path / "runs", trials=2)
    assert order["past_runs"] == 0  # it is a function of data and seed
    assert len(RunStore(default_path()).runs("binary")) == 2
    assert open_store(Settings(), fixed_trials=True) is None
    assert open_store(Settings()) is not None  # a run with a time limit listens


def test_another_kind_of_task_is_not_listened_to(store: Path, tmp_path: Path) -> None:
    _, order = launch(load_diabetes(as_frame=True).frame, tmp_path / "runs", trials=2)
    assert order["past_runs"] == 0
    assert len(RunStore(store).runs("regression")) == 1


def test_nothing_of_the_data_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "past.sqlite"
    monkeypatch.setenv("AUTOGLM_META_STORE", str(path))
    rows = [
        {"salary_of_ms_Quux": 1000.125 + i, "city": f"Zyxw{i % 3}", "target": f"plugh{i % 2}"}
        for i in range(90)
    ]
    launch(pd.DataFrame(rows), tmp_path / "folder-of-mr-Xyzzy", trials=2)
    content = path.read_bytes()
    assert b"lightgbm" in content or b"linear" in content
    for secret in ("Quux", "salary", "city", "Zyxw", "plugh", "target", "1000.125", "Xyzzy"):
        assert secret.encode() not in content, secret
    assert {p.name for p in path.parent.glob("past*")} == {"past.sqlite", "past.sqlite.lock"}


# --- no failure of the store is one of the run ------------------------------------------------


def spoil(path: Path, how: str) -> None:
    """Make a store unusable."""
    if how == "not a database":
        path.write_bytes(b"\x00" * 50 + path.read_bytes()[50:])
    elif how == "torn pages":
        content = path.read_bytes()
        path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    elif how == "cut off":
        path.write_bytes(path.read_bytes()[:5000])
    elif how == "a folder":
        path.unlink()
        path.mkdir()
    elif how == "newer":
        _change(path, "PRAGMA user_version = 99")
    elif how == "not ours":
        path.unlink()
        _change(path, "CREATE TABLE letters (text)")
    elif how == "parent is a file":
        path.unlink()
        path.parent.rmdir()
        path.parent.write_text("a file")


def _change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute(statement)
    db.close()


DAMAGED = ["not a database", "torn pages", "cut off"]
UNUSABLE = ["a folder", "newer", "not ours", "parent is a file"]
NEW = PastRun("new", TaskFeatures("binary", "roc_auc", 50, 4), (PastTrial("knn", {}, 1, 1, 0.1),))


@pytest.mark.parametrize("how", DAMAGED)
def test_a_damaged_store_is_moved_aside_and_a_new_one_begun(store: Path, how: str) -> None:
    spoil(store, how)
    with pytest.warns(UserWarning, match="was damaged"):
        RunStore(store).runs("binary")
    RunStore(store).add(NEW)
    assert [run.key for run in RunStore(store).runs("binary")] == ["new"]
    assert len(list(store.parent.glob("past.sqlite.damaged-*"))) == 1


@pytest.mark.parametrize("how", UNUSABLE)
def test_a_store_that_cannot_be_used_says_what_helps(store: Path, how: str) -> None:
    spoil(store, how)
    with pytest.warns(UserWarning, match="meta_store"):
        RunStore(store).add(NEW)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without its folder there is nothing to warn of
        assert RunStore(store).runs("binary") == []
    if how != "parent is a file":
        assert not list(store.parent.glob("*damaged*"))


def test_the_run_goes_on_without_its_store(store: Path, tmp_path: Path) -> None:
    spoil(store, "torn pages")
    with pytest.warns(UserWarning, match=re.escape(str(store))):
        model, order = launch(half(1), tmp_path / "runs", trials=2)
    assert (order["past_runs"], len(model.trials)) == (0, 2)


def test_a_file_that_was_never_a_store_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear all, " * 200)
    monkeypatch.setenv("AUTOGLM_META_STORE", str(letter))
    with pytest.warns(UserWarning, match="meta_store"):
        launch(half(1), tmp_path / "runs", trials=1)
    assert letter.read_text() == "Dear all, " * 200


def test_a_store_that_another_process_holds_does_not_stop_a_run(
    store: Path, tmp_path: Path
) -> None:
    with held(store), pytest.warns(UserWarning, match="Past runs are not used"):
        model, order = launch(half(1), tmp_path / "runs", trials=2)
    assert (order["past_runs"], len(model.trials)) == (0, 2)
    assert len(RunStore(store).runs("binary")) == 1


def test_a_database_that_another_program_holds_is_waited_for_and_left(store: Path) -> None:
    with closing(sqlite3.connect(store, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        with pytest.warns(UserWarning, match="locked"):
            RunStore(store).add(NEW)
    assert [run.key for run in RunStore(store).runs("binary")] != ["new"]


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock of a store, as another process would."""
    with path.with_name(path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_records_that_cannot_be_read_are_passed_over(store: Path) -> None:
    _change(store, "UPDATE trial SET params = '{\"torn' WHERE rowid % 2 = 0")
    (run,) = RunStore(store).runs("binary")
    assert 0 < len(RunStore(store).trials(run.number)) < TRIALS
    features = json.dumps(vars(run.features) | {"rows": 0})
    _change(store, f"UPDATE run SET features = '{features}'")
    assert RunStore(store).runs("binary") == []


WRITER = """
import sys
from pathlib import Path
from autoglm.task import _store
from autoglm.task._store import PastRun, PastTrial, RunStore, TaskFeatures

_store.WRITING_S = 60.0  # a machine may be slow; nothing may be lost all the same
for number in range(25):
    trial = PastTrial("linear", {}, 1.0, 1.0, 0.1)
    run = PastRun(f"{sys.argv[2]}-{number}", TaskFeatures("binary", "roc_auc", 100, 5), (trial,))
    RunStore(Path(sys.argv[1])).add(run, ("a", "b"))
"""


def test_two_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "past.sqlite"
    root = str(Path(__file__).resolve().parents[2])
    writers = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", WRITER, str(path), name], cwd=root)
        for name in ("one", "two")
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    runs = RunStore(path).runs("binary")
    assert {run.key for run in runs} == {f"{n}-{i}" for n in ("one", "two") for i in range(25)}
    assert all(len(RunStore(path).trials(run.number)) == 1 for run in runs)
    assert len({run.features.names for run in runs}) == 1  # one salt


# --- what is listened to ----------------------------------------------------------------------

FACTS = Facts(
    task_type="binary", n_classes=2, n_rows=1000, metric="roc_auc",
    n_features={"tree": 10, "dense": 10},
)  # fmt: skip
TASK = TaskFeatures("binary", "roc_auc", 1000, 10)
SUITED = available_learners(tuple(LEARNERS))
STEPS = portfolio(SUITED, FACTS)


def trial(relative: float, seconds: float = 0.1, **params: Any) -> PastTrial:
    """A LightGBM configuration of a past run."""
    return PastTrial("lightgbm", {"learning_rate": 0.05, **params}, relative, 0.0, seconds)


def advice(folder: Path, *runs: PastRun, seconds: float | None = 60.0) -> Advice:
    """Return the advice for `TASK` when these runs were made, in this order."""
    store = RunStore(folder / "past.sqlite")
    for number, run in enumerate(runs):
        store.add(replace(run, key=str(number)), ("a",))
    return advise(store, TASK, ("a",), STEPS, SUITED, FACTS, seconds)


def test_without_a_store_or_a_similar_run_the_portfolio_is_as_it_was(tmp_path: Path) -> None:
    far = PastRun("", replace(TASK, rows=100_000), (trial(1.0, num_leaves=5),))
    assert advice(tmp_path, far) == Advice(tuple(STEPS))
    assert advise(None, TASK, (), STEPS, SUITED, FACTS, None) == Advice(tuple(STEPS))


@pytest.mark.parametrize(
    ("past", "put_first"),
    [
        (trial(1.0, num_leaves=5), True),
        (trial(0.2, num_leaves=5), False),  # it did badly
        (trial(1.0, seconds=9.0, num_leaves=5), False),  # all its folds would take most of the time
        (trial(1.0, of_another_version=5), False),  # the learner no longer knows it
        (PastTrial("uninstalled", {"a": 1}, 1.0, 1.0, 0.1), False),
    ],
)
def test_a_past_winner_is_put_first_when_it_can_be_of_use(
    past: PastTrial, put_first: bool, tmp_path: Path
) -> None:
    order = advice(tmp_path, PastRun("", TASK, (past,)))
    assert order.used == (1,)
    assert ((past.learner, past.params) in order.steps[:4]) == put_first
    assert order.steps[0][0] == "constant"
    assert {name for name, _ in order.steps} == {name for name, _ in STEPS}
    assert [s for s in STEPS if s not in order.steps] == []  # only the order changes


def test_a_learner_that_did_badly_falls_back(tmp_path: Path) -> None:
    bad = tuple(PastTrial(n, p, 0.0, 0.0, 0.1) for n, p in STEPS if n == "lightgbm")
    good = tuple(PastTrial(n, p, 1.0, 0.5, 0.1) for n, p in STEPS if n in ("linear", "elastic"))
    names = [name for name, _ in advice(tmp_path, PastRun("", TASK, good + bad)).steps]
    assert names.index("elastic") < names.index("lightgbm")
    assert [name for name, _ in STEPS].index("elastic") > names.index("elastic")


def test_the_nearer_run_counts_more(tmp_path: Path) -> None:
    near = PastRun("", replace(TASK, rows=1100), (trial(1.0, num_leaves=5),))
    far = PastRun("", replace(TASK, rows=2000), (trial(1.0, num_leaves=60, extra_trees=True),))
    steps = advice(tmp_path, far, near).steps
    places = [steps.index((t.learner, t.params)) for t in (*near.trials, *far.trials)]
    assert places == sorted(places)


def test_distance_is_none_between_equals_and_grows_with_what_differs() -> None:
    task = replace(TASK, names=("cd",))
    assert distance(task, task) == 0.0
    changes: list[dict[str, Any]] = [
        {"rows": 2000}, {"columns": 20}, {"categories": 0.5}, {"missing": 0.3},
        {"imbalance": 0.5}, {"metric": "log_loss"}, {"wishes": ("latency",)}, {"names": ("ab",)},
    ]  # fmt: skip
    for change in changes:
        other = replace(task, **change)
        assert distance(task, other) == pytest.approx(distance(other, task))
        assert distance(task, other) > 0
    assert distance(task, replace(task, kind="multiclass")) == float("inf")
    assert distance(task, replace(task, rows=4000)) > distance(task, replace(task, rows=2000))
