"""Run configurations of every learner on many tables and keep their out-of-fold predictions.

    python bench/portfolio/run.py --cache DIR --catalog FILE --hours 6

Can be stopped at any time and started again: what is finished is not done twice. The order of
work makes every beginning of it useful: the first default of each learner on all tables, then
the other defaults, then draws in small batches. Learners are those that are registered; a
plug-in's too.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cache import Cache
from configurations import Configuration, code_of, rounds
from meta_tables import LARGE, METRICS, Cut, Tables

from autoglm._prepare import RunOptions, prepare
from autoglm.automl import AutoTask
from autoglm.dataflow.split import make_folds
from autoglm.tuner.search import available_learners
from autoglm.tuner.workspace import Workspace
from autoglm.zoo.contract import Facts

HERE = Path(__file__).resolve().parent
#: What learners are told a fit may take, seconds, as in a run of a minute.
FIT_SECONDS = 2.0
#: Rows below which a table gets five folds; three above.
FIVE_FOLDS_BELOW = 1_500


def main() -> None:
    """Run until all is done or the time is up."""
    args = _arguments()
    cache = Cache(args.cache)
    job = Job(cache, Tables(args.catalog), args)
    until = time.monotonic() + 3600 * args.hours
    with ThreadPoolExecutor(args.workers) as pool:
        running: dict[Future[dict[str, Any]], dict[str, Any]] = {}
        for head, request in job.requests():
            _pause(args.pause_file)
            running[pool.submit(job.fit, request)] = head
            while len(running) >= 2 * args.workers:
                job.collect(running)
            if time.monotonic() > until:
                break
        while running:
            job.collect(running)
    job.close()
    print(f"{len(cache.records)} results in {cache.path}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    named = os.environ.get("AUTOGLM_BENCH_CATALOG")
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps everything")
    parser.add_argument(
        "--catalog",
        type=Path,
        default=Path(named) if named else None,
        help="a catalog of tasks with its load.py beside it",
    )
    parser.add_argument("--hours", type=float, default=float("inf"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sources", nargs="*", help="only these tables")
    parser.add_argument("--learners", nargs="*", help="only these learners")
    parser.add_argument(
        "--draws",
        nargs="*",
        default=[],
        metavar="LEARNER=N",
        help="random draws of a learner; others have 12",
    )
    parser.add_argument("--rounds", type=int, default=10_000, help="only the first rounds")
    parser.add_argument("--most-rows", type=int, default=LARGE, help="only cuts of so many rows")
    parser.add_argument("--fit-cap", type=float, default=20.0, help="seconds a fit may take")
    parser.add_argument(
        "--redo-changed", action="store_true", help="run again what a learner's earlier source gave"
    )
    parser.add_argument("--pause-file", type=Path, help="start nothing while this file exists")
    return parser.parse_args()  # fmt: skip


def _pause(file: Path | None) -> None:
    while file is not None and file.exists():
        time.sleep(5)


class Job:
    """What is to be done, and the workers that do it."""

    def __init__(self, cache: Cache, tables: Tables, args: argparse.Namespace) -> None:
        self.cache, self.tables, self.args = cache, tables, args
        found = available_learners(args.learners)
        self.learners = {n: one for n, one in found.items() if one.available()}
        self.code = {n: code_of(one) for n, one in self.learners.items()}
        self.draws = {name: int(n) for name, n in (d.split("=") for d in args.draws)}
        self._done = {self._key(r) for r in cache.records}
        self._local = threading.local()
        self._workers: list[Worker] = []
        self._started, self._count = time.monotonic(), 0

    def _key(self, record: Mapping[str, Any]) -> tuple[str, ...]:
        key = (record["table"], record["configuration"])
        return (*key, record["code"]) if self.args.redo_changed else key

    def requests(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Yield (head of the record, request to a worker) in the order of the work."""
        cuts = [c for c in self.tables.cuts(self.args.sources) if c.rows <= self.args.most_rows]
        plans = {c.kind: list(rounds(self.learners, c.kind, self.draws)) for c in cuts}  # type: ignore[arg-type]
        for number in range(min(self.args.rounds, max(map(len, plans.values())))):
            for cut in cuts:
                if number >= 2 and number % 2 and cut.rows > LARGE / 2:
                    continue  # large cuts take half of the draws
                for configuration in plans[cut.kind][number : number + 1]:
                    for one in configuration:
                        yield from self._request(cut, one)

    def _request(
        self, cut: Cut, configuration: Configuration
    ) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        name = configuration.entry.learner
        head = {"table": cut.name, "source": cut.source, "kind": cut.kind, "rows": cut.rows,
                "configuration": configuration.name, "code": self.code[name]}  # fmt: skip
        if self._key(head) in self._done:
            return
        facts = self._facts(cut)
        learner = self.learners[name]
        params = configuration.entry.resolve(learner, facts) if learner.suits(facts) else None
        if params is None:
            return
        cap = self.args.fit_cap * (3 if cut.rows > LARGE / 2 else 1)
        yield (
            head,
            {
                "folder": str(self.cache.table(cut.name)),
                "learner": name,
                "params": params,
                "seconds": cap,
                "patience": 60 + 5 * 2 * cap,
                "predictions": str(self.cache.predictions(cut.name, configuration.name)),
            },
        )

    def _facts(self, cut: Cut) -> Facts:
        """Return what learners know of a cut, which is encoded when it is met first."""
        folder = self.cache.table(cut.name)
        if not (folder / "about-cut.json").exists():
            encode(self.tables, cut, folder)
        return Workspace(folder).facts

    def fit(self, request: dict[str, Any]) -> dict[str, Any]:
        """Have this thread's worker do it."""
        if not hasattr(self._local, "worker"):
            self._local.worker = Worker()
            self._workers.append(self._local.worker)
        answer: dict[str, Any] = self._local.worker.ask(request, request["patience"])
        return {"params": request["params"], **answer}

    def collect(self, running: dict[Future[dict[str, Any]], dict[str, Any]]) -> None:
        """Wait for a result and keep it."""
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            record = running.pop(future) | future.result()
            self.cache.append(record)
            self._count += 1
            if self._count % 50 == 0:
                minutes = (time.monotonic() - self._started) / 60
                print(f"{self._count} in {minutes:.1f} min, now {record['table']} "
                      f"{record['configuration']}", flush=True)  # fmt: skip

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.close()


def encode(tables: Tables, cut: Cut, folder: Path) -> None:
    """Encode a cut as a run does, with the folds of this job."""
    task = AutoTask.create(
        cut.kind,  # type: ignore[arg-type]
        dataset=tables.cut(cut),
        target="target",
        metric=METRICS[cut.kind],
    )
    how = RunOptions(None, 1, None, task.typed)
    work, _, _ = prepare(task.table.frame, task.profile, task.spec, folder, how)
    facts = replace(work.facts, fit_seconds=FIT_SECONDS)
    folds = make_folds(
        work.y,
        split="random" if facts.regression else "stratified",
        n_folds=5 if facts.n_rows < FIVE_FOLDS_BELOW else 3,
        seed=0,
    )
    names = [p.stem for p in work.data.iterdir() if p.stem in ("tree", "dense", "sparse")]
    views = {name: work.view(name) for name in names}  # type: ignore[arg-type]
    Workspace.create(folder, views, work.y, folds, facts, work.metric)
    (folder / "about-cut.json").write_text(json.dumps(asdict(cut)))


class Worker:
    """A worker process, started again when it hangs or dies."""

    def __init__(self) -> None:
        self._process = self._start()

    def ask(self, request: dict[str, Any], patience: float) -> dict[str, Any]:
        """Send a request and return the answer, or an error when none came in time."""
        assert self._process.stdin is not None and self._process.stdout is not None
        line = ""
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            with selectors.DefaultSelector() as selector:
                selector.register(self._process.stdout, selectors.EVENT_READ)
                if selector.select(patience):
                    line = self._process.stdout.readline()
        except BrokenPipeError:
            pass  # it died; the next request gets a new one
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        self.close()
        self._process = self._start()
        return {"error": "crashed or took too long"}

    def close(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()

    def _start(self) -> subprocess.Popen[str]:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        return subprocess.Popen(
            [sys.executable, str(HERE / "worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | dict.fromkeys(names, "1"),
        )


if __name__ == "__main__":
    main()
