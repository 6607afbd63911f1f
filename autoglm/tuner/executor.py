"""Where fits are run: behind one small interface, so that a cluster can stand in.

`ProcessExecutor` keeps worker processes alive for the whole run. They are started as
``python -m autoglm.tuner.worker`` and spoken to in lines of JSON, data through files of the
run folder: no pickle, no fork of a process that may hold threads, and no need for a
``__main__`` guard in the caller's script. `InlineExecutor` runs fits in this process.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from autoglm.core.budget import resident_mb
from autoglm.core.errors import WorkerError
from autoglm.core.text import say

START_LIMIT_S = 60.0
#: What keeps the libraries of a fit at one thread.
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass(frozen=True)
class Job:
    """One fit: a configuration on one fold.

    Attributes
    ----------
    key
        Name of the configuration; with `fold` it names the result's folder.
    fold
        Fold number.
    learner, params, seed
        What is fitted.
    seconds
        How long it may take; it stops itself a little before.
    """

    key: str
    fold: int
    learner: str
    params: dict[str, Any]
    seed: int
    seconds: float


@dataclass(frozen=True)
class Result:
    """What became of a job.

    Attributes
    ----------
    key, fold
        As in the job.
    score
        Utility on the fold's validation rows, higher is better; None when it failed.
    seconds
        Time of the fit.
    predict_us
        Estimated prediction time for one row in a batch, microseconds.
    size
        Bytes of the model.
    error
        Why it failed, or "".
    code
        "storage" when nothing more can be written, "" for a failure of this fit alone.
    learned
        Parameters that the fit found out by itself, to fit again without validation rows.
    """

    key: str
    fold: int
    score: float | None = None
    seconds: float = 0.0
    predict_us: float = 0.0
    size: int = 0
    error: str = ""
    code: str = ""
    learned: dict[str, Any] = field(default_factory=dict)


class Executor(Protocol):
    """Runs jobs, some at a time."""

    @property
    def slots(self) -> int:
        """How many jobs run at a time."""
        ...

    @property
    def busy(self) -> int:
        """How many jobs are running."""
        ...

    def submit(self, job: Job) -> None:
        """Start a job; never more than `slots` at a time."""
        ...

    def wait(self, timeout: float) -> list[Result]:
        """Return results that have come in, waiting up to `timeout` seconds for the first."""
        ...

    def close(self) -> None:
        """Stop everything now."""
        ...


class InlineExecutor:
    """Runs each job in this process when its result is waited for."""

    slots = 1

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: deque[Job] = deque()
        self._runner: Any = None

    @property
    def busy(self) -> int:
        """How many jobs are waiting to be run."""
        return len(self._jobs)

    def submit(self, job: Job) -> None:
        """Keep the job until it is waited for."""
        self._jobs.append(job)

    def wait(self, timeout: float) -> list[Result]:
        """Run the oldest job."""
        from autoglm.tuner.worker import Runner

        if not self._jobs:
            return []
        self._runner = self._runner or Runner(self._folder)
        return [self._runner.run(self._jobs.popleft())]

    def close(self) -> None:
        """Forget the jobs that have not run."""
        self._jobs.clear()


@dataclass
class _Worker:
    """A worker process and what it is doing."""

    process: subprocess.Popen[bytes]
    job: Job | None = None
    due: float = float("inf")
    ready: bool = False
    started: float = field(default_factory=time.monotonic)


class ProcessExecutor:
    """Long-lived worker processes with one thread each.

    Parameters
    ----------
    folder
        The run folder; it may still be empty when the workers start.
    workers
        How many; never more than the cores this process may use make sense.
    plugins
        Modules that a worker imports to find learners.
    memory_mb
        Limit on the memory of a worker; one above it is stopped and its job fails.
    """

    #: A worker that has not answered this long after its job's time is stopped.
    GRACE_S = 1.0

    def __init__(
        self,
        folder: Path,
        workers: int,
        plugins: Sequence[str] = (),
        memory_mb: float = float("inf"),
    ) -> None:
        self._folder, self._plugins, self._memory_mb = folder, tuple(plugins), memory_mb
        self._selector = selectors.DefaultSelector()
        self._workers = [self._start() for _ in range(workers)]

    @property
    def slots(self) -> int:
        """How many jobs run at a time."""
        return len(self._workers)

    @property
    def busy(self) -> int:
        """How many jobs are running."""
        return sum(w.job is not None for w in self._workers)

    def pids(self) -> list[int]:
        """Return the process ids of the workers."""
        return [w.process.pid for w in self._workers]

    def _start(self) -> _Worker:
        # The same modules must be found there, wherever they were found here.
        path = os.pathsep.join(p or os.getcwd() for p in sys.path)
        command = [sys.executable, "-m", "autoglm.tuner.worker", str(self._folder), *self._plugins]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # a second line that waits in a buffer would never be selected
            env=os.environ | dict.fromkeys(THREADS, "1") | {"PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C is for us to handle
        )
        worker = _Worker(process)
        assert process.stdout is not None
        self._selector.register(process.stdout, selectors.EVENT_READ, worker)
        return worker

    def submit(self, job: Job) -> None:
        """Give the job to a free worker."""
        worker = next(w for w in self._workers if w.job is None)
        worker.job = job
        if worker.ready:
            worker.due = self._due(job)
        line = json.dumps(asdict(job)).encode() + b"\n"
        try:
            assert worker.process.stdin is not None
            worker.process.stdin.write(line)
            worker.process.stdin.flush()
        except BrokenPipeError:
            pass  # it died; `wait` sees the end of its output

    def _due(self, job: Job) -> float:
        return time.monotonic() + 1.25 * job.seconds + self.GRACE_S

    def wait(self, timeout: float) -> list[Result]:
        """Return what came in; a worker that died or is overdue gives a failed result."""
        now = time.monotonic()
        due = min((w.due for w in self._workers if w.job), default=float("inf"))
        pause = min(max(0.0, min(timeout, due - now)), 1.0)
        results = []
        for key, _ in self._selector.select(pause):
            results += self._receive(key.data)
        for worker in self._workers:
            if worker.job is None:
                continue
            if time.monotonic() > worker.due:
                results.append(self._fail(worker, "took longer than its time"))
            elif resident_mb(worker.process.pid) > self._memory_mb:
                results.append(self._fail(worker, "needed more memory than allowed"))
        return results

    def _receive(self, worker: _Worker) -> list[Result]:
        assert worker.process.stdout is not None
        line = worker.process.stdout.readline()
        if line and not worker.ready:
            # How long a worker takes to start is not its first job's time.
            worker.ready = True
            worker.due = self._due(worker.job) if worker.job else float("inf")
            return []
        if line:
            worker.job, worker.due = None, float("inf")
            return [Result(**json.loads(line))]
        if worker.job is None and time.monotonic() - worker.started < START_LIMIT_S:
            self._end(worker)
            code = worker.process.returncode
            raise WorkerError(
                say(en=f"A worker process could not start (exit code {code}).",
                    zh=f"工作进程无法启动(退出码 {code})。"),
                hint=say(en="Its message stands above; --workers 0 runs without workers.",
                         zh="原因见上方信息;--workers 0 可不用工作进程。"),
            )  # fmt: skip
        return [self._fail(worker, "the worker process died")]

    def _fail(self, worker: _Worker, reason: str) -> Result:
        """End the worker, put a new one in its place, and report its job as failed."""
        job = worker.job
        self._end(worker)
        self._workers[self._workers.index(worker)] = self._start()
        assert job is not None
        return Result(job.key, job.fold, error=reason)

    def _end(self, worker: _Worker) -> None:
        process = worker.process
        assert process.stdout is not None and process.stdin is not None
        self._selector.unregister(process.stdout)
        process.kill()
        process.wait()
        process.stdout.close()
        try:
            process.stdin.close()
        except BrokenPipeError:
            pass  # what was still to be sent has nobody to read it

    def close(self) -> None:
        """Stop the workers, whatever they are doing."""
        for worker in self._workers:
            self._end(worker)
        self._workers = []
        self._selector.close()
