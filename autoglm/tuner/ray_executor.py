"""Fits on a Ray cluster, behind the same interface as local worker processes.

One fitting process a CPU, each with one thread (`autoglm.tuner._ray_node.Fitter`). The run
folder stays with the caller: encoded data are sent once to each node, out-of-fold predictions
and models come back and are on disk here before a result is told. When a node is lost, so are
only the folds that were being fitted there; they are given to others. Which fit runs where and
when decides nothing: the search sees the same results in any order, see
`autoglm.tuner.search`.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autoglm.core.errors import StorageError, WorkerError
from autoglm.core.events import emit
from autoglm.core.imports import need
from autoglm.core.text import say
from autoglm.tuner._node_copy import content, digest, pieces
from autoglm.tuner._ray_node import Answer, Fitter, Parcel, versions
from autoglm.tuner.executor import Job, Result
from autoglm.tuner.workspace import Workspace, write_fit

#: How often a fold is tried again after its node or process was lost.
MOST_LOSSES = 3
#: A cluster that has given no CPU after so many seconds gives none.
START_LIMIT_S = 120.0
#: How often the size of the cluster is looked at, seconds.
LOOK_S = 3.0
#: Time that nodes get to remove their copies of the data, seconds.
LEAVE_S = 1.0


@dataclass(eq=False)
class _Fitter:
    """A fitting process somewhere in the cluster, and what it is doing.

    Attributes
    ----------
    actor
        Its handle.
    pending
        What it owes: its greeting at first, then the answer to its job.
    node
        Id of its node; empty until it has answered once.
    job, due
        What it fits, and when that is overdue.
    """

    actor: Any
    pending: Any
    node: str = ""
    job: Job | None = None
    due: float = float("inf")


class RayExecutor:
    """Runs jobs on a Ray cluster, one on each of its CPUs.

    Parameters
    ----------
    folder
        The run folder, here; it may still be empty at first.
    engine
        "ray" for the cluster named by ``RAY_ADDRESS``, else one found on this machine, else
        one started on it; or an address: "auto", "host:6379", "ray://host:10001".
    workers
        Most fits at a time; None for as many as the cluster has CPUs.
    plugins
        Modules that a node imports to find learners.

    Attributes
    ----------
    shipped
        How often the data were sent, by node.

    Raises
    ------
    MissingDependency
        When Ray is not installed.
    WorkerError
        When the cluster cannot be reached, or has other versions.
    """

    #: A fit that has not come back this long after its time is given up.
    GRACE_S = 5.0

    def __init__(
        self, folder: Path, engine: str, workers: int | None = None, plugins: Sequence[str] = ()
    ) -> None:
        self._folder, self._most, self._plugins = folder, workers, tuple(plugins)
        self._ray, self._ours = connect(engine)
        self._actors = self._ray.remote(num_cpus=1, max_restarts=0, max_concurrency=2)(Fitter)
        self._fitters: list[_Fitter] = []
        self._queue: deque[Job] = deque()
        self._losses: Counter[tuple[str, int]] = Counter()
        self._parcel: Parcel | None = None
        self._work: Workspace | None = None
        self._started, self._looked, self._false_starts = time.monotonic(), 0.0, 0
        self.shipped: Counter[str] = Counter()
        self._look()

    @property
    def slots(self) -> int:
        """How many jobs run at a time; it follows the size of the cluster."""
        return max(1, sum(bool(f.node) for f in self._fitters) or len(self._fitters))

    @property
    def busy(self) -> int:
        """How many jobs are running or waiting for a CPU."""
        return len(self._queue) + sum(f.job is not None for f in self._fitters)

    def nodes(self) -> set[str]:
        """Return the ids of the nodes that fits run on."""
        return {f.node for f in self._fitters if f.node}

    def submit(self, job: Job) -> None:
        """Start the job on a free CPU, or as soon as there is one."""
        self._queue.append(job)
        self._hand_out()

    def wait(self, timeout: float) -> list[Result]:
        """Return what came in, on disk already; lost folds are given out again on the way.

        Raises
        ------
        StorageError
            When a result cannot be written.
        WorkerError
            When the cluster gives no CPU, or its nodes cannot run a fit at all.
        """
        self._look()
        owing = {f.pending: f for f in self._fitters if f.pending is not None}
        due = min((f.due for f in self._fitters), default=float("inf"))
        pause = min(max(0.0, min(timeout, due - time.monotonic())), 1.0)
        results: list[Result] = []
        if owing:
            ready, _ = self._ray.wait(list(owing), timeout=pause)
            more, _ = self._ray.wait(list(owing), num_returns=len(owing), timeout=0)
            for reference in dict.fromkeys([*ready, *more]):
                results += self._receive(owing[reference])
        else:
            time.sleep(pause)  # no CPU at all at the moment; `_look` sees when there is one
        late = [f for f in self._fitters if time.monotonic() > f.due]
        results += [self._give_up(f) for f in late]
        self._hand_out()
        return results

    def close(self) -> None:
        """Stop everything, and remove what lies on the nodes."""
        fitters, self._fitters = self._fitters, []
        self._queue.clear()
        if not self._ray.is_initialized():
            return
        leaving = [f.actor.leave.remote() for f in fitters if f.node]
        if leaving:
            self._ray.wait(leaving, num_returns=len(leaving), timeout=LEAVE_S)
        for fitter in fitters:
            self._ray.kill(fitter.actor)
        self._parcel = None
        if self._ours:
            self._ray.shutdown()

    # --- the cluster ---------------------------------------------------------------------

    def _look(self) -> None:
        """Have a fitter on every CPU that there is, up to `workers`."""
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        cpus = int(self._ray.cluster_resources().get("CPU", 0))
        wanted = cpus if self._most is None else min(cpus, self._most)
        paths = [path or os.getcwd() for path in sys.path]
        for _ in range(wanted - len(self._fitters)):
            actor = self._actors.remote(self._plugins, paths)
            self._fitters.append(_Fitter(actor, actor.hello.remote()))
        coming = [f for f in self._fitters if not f.node]
        for fitter in coming[: max(0, len(self._fitters) - wanted)]:
            self._drop(fitter)  # a lost node's place, which nothing fills
        if not self.nodes() and now - self._started > START_LIMIT_S:
            raise _no_worker(say(en="it has no free CPU", zh="没有空闲的 CPU"))

    def _hand_out(self) -> None:
        """Give waiting jobs to fitters that are free."""
        free = [f for f in self._fitters if f.node and f.job is None]
        for fitter, _ in zip(free, range(len(self._queue)), strict=False):
            job = self._queue.popleft()
            self._parcel = self._parcel or self._pack()
            fitter.job = job
            fitter.due = time.monotonic() + 1.25 * job.seconds + self.GRACE_S
            fitter.pending = fitter.actor.run.remote(json.dumps(asdict(job)), self._parcel)

    def _pack(self) -> Parcel:
        """Put the data into the object store, from where each node fetches them once."""
        data = self._folder / "data"
        files = {
            name: [self._ray.put(piece) for piece in pieces(path)]
            for name, path in content(data).items()
        }
        return {"digest": digest(data), "files": files}

    # --- what comes back -----------------------------------------------------------------

    def _receive(self, fitter: _Fitter) -> list[Result]:
        errors = self._ray.exceptions
        try:
            answer = self._ray.get(fitter.pending)
        except errors.RayTaskError as error:
            return self._lose(fitter, f"{type(error.cause).__name__}: {error.cause}")
        except (errors.RayError, ConnectionError) as error:
            return self._lose(fitter, f"{type(error).__name__}: {_last_line(error)}")
        fitter.pending = None
        if fitter.job is None:
            self._welcome(fitter, answer)
            return []
        return self._accept(fitter, answer)

    def _welcome(self, fitter: _Fitter, greeting: dict[str, Any]) -> None:
        """Take a fitter into service, if it fits with what this process fits with."""
        there, here = greeting["versions"], versions()
        other = [f"{n} {v} (here {here[n]})" for n, v in there.items() if v != here.get(n)]
        if other:
            raise WorkerError(
                say(en=f"A node of the cluster has {', '.join(other)}.",
                    zh=f"集群的一个节点装有 {', '.join(other)}。"),
                hint=say(en="Install the same versions on every node.",
                         zh="请在每个节点安装相同的版本。"),
            )  # fmt: skip
        fitter.node = greeting["node"]

    def _accept(self, fitter: _Fitter, answer: Answer) -> list[Result]:
        """Write what a fit left into the run folder, and only then tell its result."""
        result = Result(**answer["result"])
        if result.code == StorageError.code:  # the node's disk, not ours
            return self._lose(fitter, result.error.partition("\n")[0])
        self.shipped[fitter.node] += answer["fetched"]
        fitter.job, fitter.due = None, float("inf")
        if result.score is not None:
            self._work = self._work or Workspace(self._folder)
            folder = self._work.fit_folder(result.key, result.fold)
            write_fit(folder, answer["oof"], answer["files"])
        return [result]

    def _lose(self, fitter: _Fitter, reason: str) -> list[Result]:
        """Do without a fitter; its job is given to another, unless that was tried enough."""
        self._drop(fitter)
        self._looked = 0.0
        job = fitter.job
        if job is None:
            self._false_starts += 1
            if not self.nodes() and self._false_starts > MOST_LOSSES:
                raise _no_worker(reason)
            return []
        self._losses[job.key, job.fold] += 1
        times = self._losses[job.key, job.fold]
        emit("fold_lost", key=job.key, fold=job.fold, times=times, reason=reason)
        if times > MOST_LOSSES:
            return [Result(job.key, job.fold, error=f"lost {times} times: {reason}"[:500])]
        self._queue.appendleft(job)
        return []

    def _give_up(self, fitter: _Fitter) -> Result:
        self._drop(fitter)
        assert fitter.job is not None
        return Result(fitter.job.key, fitter.job.fold, error="took longer than its time")

    def _drop(self, fitter: _Fitter) -> None:
        self._fitters.remove(fitter)
        self._ray.kill(fitter.actor)  # it may be out of reach only, and would go on


def connect(engine: str) -> tuple[Any, bool]:
    """Return Ray, connected, and whether the connection is ours to end.

    Raises
    ------
    MissingDependency
        When Ray is not installed.
    WorkerError
        When the cluster cannot be reached.
    """
    ray: Any = need("ray", extra="ray", feature=say(en="The engine", zh="该引擎") + f" {engine}")
    if ray.is_initialized():
        if engine in ("ray", "auto"):
            return ray, False
        raise WorkerError(
            say(en="This process is connected to a Ray cluster already.",
                zh="本进程已连接到一个 Ray 集群。"),
            hint=say(en='engine="ray" uses that connection.', zh='engine="ray" 会使用该连接。'),
        )  # fmt: skip
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(
            address=None if engine == "ray" else engine,
            configure_logging=False,
            logging_level=logging.ERROR,
            log_to_driver=bool(os.environ.get("AUTOGLM_DEBUG")),
        )
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        reason = _last_line(error)
        raise WorkerError(
            say(en=f"Cannot reach the Ray cluster ({engine}): {reason}",
                zh=f"无法连接 Ray 集群({engine}):{reason}"),
            hint=say(en="`ray status` tells whether it is up; --engine local does without.",
                     zh="可用 `ray status` 查看集群;--engine local 可不用集群。"),
        ) from error  # fmt: skip
    inner: Any = importlib.import_module("ray._private.worker")
    if hasattr(inner, "_worker_logs_enabled") and not os.environ.get("AUTOGLM_DEBUG"):
        # Ray tells of lost workers on stdout, where results belong; `fold_lost` tells of them.
        inner._worker_logs_enabled = False
    return ray, True


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[-1][:300]


def _no_worker(reason: str) -> WorkerError:
    return WorkerError(
        say(en=f"The Ray cluster runs no fit: {reason}.", zh=f"Ray 集群无法训练:{reason}。"),
        hint=say(en="open-autoglm must be installed on every node, and a CPU be free.",
                 zh="每个节点都须安装 open-autoglm,并有空闲的 CPU。"),
    )  # fmt: skip
