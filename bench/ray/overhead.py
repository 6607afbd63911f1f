"""The same fits through each engine, one after the other: time beyond the fit itself."""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tables

from autoglm.core.journal import Journal
from autoglm.tuner.executor import Executor, InlineExecutor, Job, ProcessExecutor, Result
from autoglm.tuner.workspace import Workspace, write_fit

#: Small, middle and large models: what travels back differs a thousandfold.
LEARNERS = ("constant", "linear", "lightgbm", "extra_trees")
STORE_MB = 200


def measure(base: Path, repeats: int) -> dict[str, Any]:
    """Return seconds a fold beyond the fit by engine and learner, and what travels."""
    work, plan = tables.prepared(base / "overhead")
    jobs = [
        Job(f"{name}-{number}", fold, name, {}, fold, 1e8)
        for name in LEARNERS
        for number in range(repeats)
        for fold in range(plan.n_folds)
    ]
    with in_this_process(work) as alone:
        bytes_back = {j.learner: _bytes_back(alone, work, j) for j in jobs if j.fold == 0}
    engines: dict[str, Any] = {}
    with open_engine(lambda: ProcessExecutor(work.folder, 1)) as executor:
        engines["processes"] = _through(executor, jobs)
    with cluster(base) as (address, client):
        for name, where in (("ray", address), ("ray_client", client)):
            with open_engine(lambda where=where: _ray(work, where)) as executor:
                engines[name] = _through(executor, jobs)
    return {
        "rows": work.facts.n_rows,
        "data_bytes": tables.bytes_in(work.data),
        "result_bytes": bytes_back,
        "engines": engines,
        "accept_s": _accept_seconds(work, jobs),
    }


def _ray(work: Workspace, address: str) -> Executor:
    from autoglm.tuner.ray_executor import RayExecutor

    executor = RayExecutor(work.folder, address, 1)
    while not executor.nodes():
        executor.wait(1.0)
    return executor


@contextmanager
def open_engine(start: Callable[[], Executor]) -> Iterator[Executor]:
    """Give an executor and close it."""
    executor = start()
    try:
        yield executor
    finally:
        executor.close()


def in_this_process(work: Workspace) -> Any:
    """Return fits in this process as a context."""
    return open_engine(lambda: InlineExecutor(work.folder))


def _through(executor: Executor, jobs: list[Job]) -> dict[str, Any]:
    """Return what an engine adds to each learner's fits, the very first fit apart."""
    first_s, _ = _timed(executor, jobs[0])
    beyond: dict[str, list[float]] = {}
    for job in jobs:
        seconds, result = _timed(executor, job)
        assert result.score is not None, result.error
        beyond.setdefault(job.learner, []).append(seconds - result.seconds)
    every = [s for found in beyond.values() for s in found]
    return {
        "beyond_fit_s": {name: round(statistics.median(s), 5) for name, s in beyond.items()},
        "median_s": round(statistics.median(every), 5),
        "p90_s": round(statistics.quantiles(every, n=10)[-1], 5),
        "first_s": round(first_s, 4),
        "fits": len(every),
    }


def _timed(executor: Executor, job: Job) -> tuple[float, Result]:
    start = time.perf_counter()
    executor.submit(job)
    results: list[Result] = []
    while not results:
        results = executor.wait(60.0)
    return time.perf_counter() - start, results[0]


def _bytes_back(alone: Executor, work: Workspace, job: Job) -> int:
    _timed(alone, job)
    return tables.bytes_in(work.fit_folder(job.key, job.fold))


def _accept_seconds(work: Workspace, jobs: list[Job]) -> float:
    """Return the median time to write one result and its line in the journal, durably."""
    taken = []
    with Journal(work.folder / "accept.log") as journal:
        for job in jobs:
            oof = work.out_of_fold(job.key, job.fold)
            files = work.model_files(job.key, job.fold)
            start = time.perf_counter()
            write_fit(work.folder / "accepted", oof, files)
            journal.append({"kind": "fold", "key": job.key, "fold": job.fold})
            taken.append(time.perf_counter() - start)
    return round(statistics.median(taken), 5)


@contextmanager
def cluster(base: Path) -> Iterator[tuple[str, str]]:
    """Start a head without CPUs and a node with one; give both addresses."""
    from ray.cluster_utils import Cluster

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    (folder / "node").mkdir()
    (folder / "ray").mkdir()
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": str(folder)}
    head = {"num_cpus": 0, "ray_client_server_port": port, "include_dashboard": False}
    common = {
        "object_store_memory": STORE_MB * 2**20,
        "env_vars": {"TMPDIR": str(folder / "node"), "RAY_USAGE_STATS_ENABLED": "0"},
    }
    made = Cluster(initialize_head=True, head_node_args=head | common)
    try:
        made.add_node(num_cpus=1, **common)
        yield made.address, f"ray://127.0.0.1:{port}"
    finally:
        made.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
