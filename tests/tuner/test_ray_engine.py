"""The search on a real Ray cluster of several nodes, all on this machine.

Each node has a temporary folder of its own, as if it were another machine; the run folder is
known to the driver alone. Without Ray the tests are skipped, and fail in CI.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray_learners
from sklearn.datasets import load_breast_cancer
from tuner_work import build_work

import autoglm
from autoglm import AutoTask, examples, resume
from autoglm.core import hooks
from autoglm.core.budget import TimeBudget
from autoglm.core.errors import ConfigError, MissingDependency, WorkerError
from autoglm.core.events import Event, subscribe
from autoglm.core.journal import Journal, read_journal
from autoglm.tuner import ray_executor
from autoglm.tuner.executor import Executor, InlineExecutor, Job, ProcessExecutor, Result
from autoglm.tuner.plan import Plan
from autoglm.tuner.ray_executor import RayExecutor
from autoglm.tuner.search import Search, SearchOptions, SearchOutcome
from autoglm.tuner.workspace import Workspace

MB = 2**20
PLAN = Plan(n_folds=3, repeats=1, depth=3, explore=1.0)
TRIALS = 6
#: A wait that only a defect makes this long, seconds.
LONG_S = 200
LEARNERS = ("constant", "linear", "gated")


class Nodes:
    """A cluster: a head without CPUs, and nodes with one CPU each."""

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self.folder, self._made = folder, 0
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.client_port = found.getsockname()[1]
        head = self._options(0) | {
            "include_dashboard": False,
            "ray_client_server_port": self.client_port,
        }
        self.cluster = Cluster(initialize_head=True, head_node_args=head)
        self.address: str = self.cluster.address

    def _options(self, cpus: int) -> dict[str, Any]:
        self._made += 1
        own = self.folder / f"node{self._made}"
        own.mkdir()
        return {
            "num_cpus": cpus,
            "object_store_memory": 80 * MB,
            "env_vars": {"TMPDIR": str(own), "RAY_USAGE_STATS_ENABLED": "0"},
        }

    def have(self, number: int) -> None:
        """Bring the number of nodes with a CPU up to `number`."""
        while len(self.cluster.worker_nodes) < number:
            self.cluster.add_node(**self._options(1))

    def kill(self, manager: int) -> None:
        """Take away, without warning, the node whose manager has this process id."""
        for node in list(self.cluster.worker_nodes):
            if node.all_processes["raylet"][0].process.pid == manager:
                self.cluster.remove_node(node, allow_graceful=False)

    def kept(self) -> list[str]:
        """Return what our workers have left on any node."""
        return sorted(p.name for p in self.folder.glob(f"node*/autoglm-{os.getuid()}/*"))


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    """Two nodes beside the head."""
    if importlib.util.find_spec("ray") is None:
        message = "Ray is not installed: pip install 'open-autoglm[ray]'"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    before = dict(os.environ)
    folder = Path(tempfile.mkdtemp(prefix="ray-"))  # socket names must be short
    (folder / "ray").mkdir()
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": str(folder)}
    made = Nodes(folder)
    try:
        made.have(2)
        yield made
    finally:
        made.cluster.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Register the learners of `ray_learners`; return the folder of the gate, open."""
    monkeypatch.setattr(ray_learners.Gated, "folder", str(tmp_path))
    (tmp_path / "passed").touch()
    hooks.register(ray_learners)
    yield tmp_path
    hooks.manager().unregister(ray_learners)


def search(work: Workspace, executor: Executor, learners: tuple[str, ...]) -> SearchOutcome:
    """Run one search in the workspace's own journal."""
    options = SearchOptions(max_trials=TRIALS, learners=learners, open_trials=3)
    with Journal(work.folder / "journal.log") as journal:
        try:
            return Search(work, journal, executor, TimeBudget(None), PLAN, options).run()
        finally:
            executor.close()


def summary(outcome: SearchOutcome) -> list[tuple[str, str, list[float]]]:
    """Return what must be equal between equal searches."""
    return [(t.key, t.state, t.scores()) for t in outcome.trials]


def answer(executor: Executor) -> Result:
    """Wait for one result."""
    for _ in range(LONG_S):
        if found := executor.wait(1.0):
            return found[0]
    raise AssertionError("nothing came back")


def greeted(nodes: Nodes, folder: Path, plugins: tuple[str, ...] = ()) -> RayExecutor:
    """Return an executor whose fitters are all at work, one on each node."""
    nodes.have(2)
    executor = RayExecutor(folder, nodes.address, plugins=plugins)
    for _ in range(LONG_S):
        if len(executor.nodes()) == 2:
            return executor
        executor.wait(1.0)
    raise AssertionError("a node does not answer")


def folds(work: Workspace) -> list[tuple[str, int]]:
    """Return the folds of a run's journal."""
    records = read_journal(work.folder / "journal.log")
    return [(r["key"], r["fold"]) for r in records if r["kind"] == "fold"]


def kept_files(work: Workspace) -> dict[str, bytes]:
    """Return all that fits have left in the run folder."""
    base = work.folder / "folds"
    return {str(p.relative_to(base)): p.read_bytes() for p in base.rglob("*") if p.is_file()}


def test_same_trials_and_same_models_as_without_a_cluster(nodes: Nodes, tmp_path: Path) -> None:
    works = {name: build_work(tmp_path / name) for name in ("alone", "processes", "cluster")}
    quick = ("constant", "linear", "lightgbm")
    alone = search(works["alone"], InlineExecutor(works["alone"].folder), quick)
    together = search(works["processes"], ProcessExecutor(works["processes"].folder, 2), quick)
    executor = greeted(nodes, works["cluster"].folder)
    assert executor.slots == 2
    used = executor.nodes()
    cluster = search(works["cluster"], executor, quick)
    assert len(alone.trials) == TRIALS
    assert summary(cluster) == summary(together) == summary(alone)
    assert kept_files(works["cluster"]) == kept_files(works["alone"])
    assert executor.shipped == dict.fromkeys(used, 1)
    assert nodes.kept() == []


def test_a_lost_node_costs_only_its_unfinished_folds(
    nodes: Nodes, plugin: Path, tmp_path: Path
) -> None:
    quiet, shaken = build_work(tmp_path / "quiet"), build_work(tmp_path / "shaken")
    expected = summary(search(quiet, InlineExecutor(quiet.folder), LEARNERS))
    for name in ("fits", "passed"):
        (plugin / name).unlink()
    for name in ("begun", "never"):
        os.mkfifo(plugin / name)

    def pull_the_plug() -> None:
        nodes.kill(int((plugin / "begun").read_text()))  # returns once the fit has begun

    lost: list[tuple[str, int]] = []
    finished_before: list[tuple[str, int]] = []

    def listen(event: Event) -> None:
        if event.name == "fold_lost":
            lost.append((event.data["key"], event.data["fold"]))
            finished_before.extend(folds(shaken))

    executor = greeted(nodes, shaken.folder, ("ray_learners",))
    killer = threading.Thread(target=pull_the_plug, daemon=True)
    killer.start()
    with subscribe(listen):
        outcome = search(shaken, executor, LEARNERS)
    killer.join(30.0)
    assert summary(outcome) == expected
    # One CPU a node: one fold was under way, it was fitted again, and no other was.
    assert [fold for _, fold in lost] == [ray_learners.HELD_FOLD]
    assert lost[0] not in finished_before
    assert finished_before
    fits = Counter(map(int, (plugin / "fits").read_text().split()))
    assert fits == {0: 1, 1: 2, 2: 1}
    assert len(folds(shaken)) == len(set(folds(shaken))) == len(folds(quiet))


def test_a_fit_that_kills_its_process_is_given_up_in_the_end(
    nodes: Nodes, plugin: Path, work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_executor, "MOST_LOSSES", 1)
    nodes.have(2)
    executor = RayExecutor(work.folder, nodes.address, 1, ("ray_learners",))
    assert executor.slots == 1
    seen: list[str] = []
    with subscribe(lambda e: seen.append(e.name)):
        executor.submit(Job("deadly-x", 0, "deadly", {}, 0, 60.0))
        result = answer(executor)
    assert seen == ["fold_lost", "fold_lost"]
    assert result.score is None
    assert "lost 2 times" in result.error
    executor.submit(Job("linear-x", 0, "linear", {}, 0, 60.0))
    assert answer(executor).score is not None
    executor.GRACE_S = -10.0
    executor.submit(Job("lightgbm-x", 0, "lightgbm", {}, 0, 0.0))
    assert answer(executor).error == "took longer than its time"
    executor.close()
    executor.close()


def command(*words: object) -> subprocess.Popen[str]:
    """Start the program as a process of its own."""
    root = str(Path(autoglm.__file__).parents[1])
    own = {
        "PYTHONPATH": root,
        "AUTOGLM_PROGRESS": "lines",
        "AUTOGLM_META_STORE": "off",
        "RAY_CLIENT_RECONNECT_GRACE_PERIOD": "1",
    }
    words = (sys.executable, "-m", "autoglm", *map(str, words))
    return subprocess.Popen(
        words, env=os.environ | own, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def winner(run: Path) -> Any:
    """Return what must be the same: trials with their scores, members with their weights."""
    model = autoglm.load(run)
    trials = [(t["key"], t["state"], t["score"]) for t in model.trials]
    return trials, [(m.key, m.weight) for m in model.blend.members]


def test_a_killed_driver_is_resumed_and_ends_with_the_local_winner(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes.have(2)
    monkeypatch.setenv("AUTOGLM_PORTFOLIO", "fixed")  # in which a linear model comes third
    load_breast_cancer(as_frame=True).frame[:250].to_csv(tmp_path / "table.csv", index=False)
    words = ("predict target", tmp_path / "table.csv", "--trials", 4, "--yes")
    address = f"ray://127.0.0.1:{nodes.client_port}"
    driver = command("run", *words, "--run-dir", tmp_path / "far", "--engine", address)
    assert driver.stderr is not None
    told: list[str] = []
    for line in driver.stderr:
        told.append(line)
        if "linear" in line:
            break  # one trial is finished by then
    assert "linear" in "".join(told[-1:]), "".join(told)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    local = command("run", *words, "--run-dir", tmp_path / "local", "--workers", 2)
    _, messages = local.communicate()
    assert local.returncode == 0, messages
    (run,) = (tmp_path / "far").iterdir()
    before = read_journal(run / "journal.log")
    assert before[0]["engine"] == address
    finished = [(r["key"], r["fold"]) for r in before if r["kind"] == "fold"]
    assert finished
    resume(run, engine=nodes.address)
    records = [r for r in read_journal(run / "journal.log") if r["kind"] == "fold"]
    assert len({(r["key"], r["fold"]) for r in records}) == len(records)
    (calm,) = (tmp_path / "local").iterdir()
    assert winner(run) == winner(calm)


def test_without_ray_the_error_names_the_extra_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    task = AutoTask.create(dataset=examples.path(), target="churned")
    with pytest.raises(MissingDependency, match="ray") as caught:
        task.launch(engine="ray", run_dir=tmp_path / "runs", max_trials=1)
    assert "open-autoglm[ray]" in caught.value.hint
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize("engine", ["spark", "host", "http://host:1", "ray:/x", ""])
def test_an_engine_that_is_none_is_refused(engine: str, tmp_path: Path) -> None:
    task = AutoTask.create(dataset=examples.path(), target="churned")
    with pytest.raises(ConfigError, match="engine"):
        task.launch(engine=engine, run_dir=tmp_path, max_trials=1)


@pytest.mark.filterwarnings("ignore:Ray Client connection timed out")
def test_a_cluster_that_is_not_there_is_said_so(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = importlib.import_module("ray.util.client.worker")
    monkeypatch.setattr(patience, "INITIAL_TIMEOUT_SEC", 0.2)
    monkeypatch.setattr(patience, "MAX_TIMEOUT_SEC", 0.2)
    with pytest.raises(WorkerError, match="Cannot reach") as caught:
        RayExecutor(tmp_path, "ray://127.0.0.1:1")
    assert "--engine local" in caught.value.hint
