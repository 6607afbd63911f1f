"""A simulation of the search on many nodes, from fits that were measured one at a time.

The decisions are real: `autoglm.tuner.search.Search` runs as it is, with its rules of what may
start when, on a cluster that exists only as a calendar of events. Each fit was made once, with one
thread on this machine, and its result and its cost are looked up. What costs time:

- a fit: its processor time, and what the engine adds on the node (`overhead.json`);
- data to a node, once: one after the other through the driver's network, `NETWORK` bytes a
  second, then hashed and written there;
- a result to the driver: its bytes through the same network, then on disk, one after the other;
- the driver's own thinking (proposals, pruning): its processor time, measured as it goes.

What is left out: slower or busier machines among the nodes, losses, and a network that others use.
"""

from __future__ import annotations

import heapq
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tables

from autoglm.core.budget import TimeBudget
from autoglm.core.journal import Journal
from autoglm.tuner.executor import InlineExecutor, Job, Result
from autoglm.tuner.plan import Plan
from autoglm.tuner.search import Search, SearchOptions, available_learners
from autoglm.tuner.workspace import Workspace

#: A gigabit a second, in bytes.
NETWORK = 125e6
#: Bytes a second that a node writes, flushes and hashes.
UNPACK = 200e6
CPUS = 2
NODES = (1, 2, 4, 8, 16, 32, 64)
#: Trials that may be open at a time; 2 is the default.
OPEN_TRIALS = (2, 8, 32)


@dataclass(frozen=True)
class Fit:
    """One measured fit: what came of it, seconds of the processor, bytes that travel back."""

    result: dict[str, Any]
    cpu_s: float
    bytes: int


class Fits:
    """All fits ever asked for, each made once."""

    def __init__(self, work: Workspace, path: Path) -> None:
        self._work, self._path = work, path
        self._alone = InlineExecutor(work.folder)
        stored = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        self.known = {key: Fit(**fit) for key, fit in stored.items()}

    def of(self, job: Job) -> Fit:
        """Return the fit of a job, made now when it is new."""
        name = f"{job.key}/{job.fold}"
        if name not in self.known:
            self._alone.submit(job)
            start = time.process_time()
            (result,) = self._alone.wait(0.0)
            seconds = round(time.process_time() - start, 4)
            size = tables.bytes_in(self._work.fit_folder(job.key, job.fold))
            self.known[name] = Fit(asdict(result), seconds, size)
        return self.known[name]

    def save(self) -> None:
        """Keep them in the file."""
        every = {key: asdict(fit) for key, fit in sorted(self.known.items())}
        self._path.write_text(json.dumps(every, indent=0) + "\n", encoding="utf-8")


class Imagined:
    """A cluster that is a calendar: an executor whose clock jumps from event to event."""

    def __init__(self, fits: Fits, nodes: int, costs: dict[str, Any], data_bytes: int) -> None:
        self._fits, self._data_bytes = fits, data_bytes
        self._accept_s = float(costs["accept_s"])
        beyond = costs["engines"]["ray"]["beyond_fit_s"]
        self._node_s = max(0.0, beyond["constant"] - self._accept_s)
        self._free = [node for node in range(nodes) for _ in range(CPUS)]
        self._ready: dict[int, float] = {}  # when a node has its data
        self._calendar: list[tuple[float, int, int, Job]] = []
        self._out = self._back = 0.0  # when the network is free, each way
        self.slots, self.now, self.worked = nodes * CPUS, 0.0, 0.0
        self._submitted, self._thought = 0, time.thread_time()

    @property
    def busy(self) -> int:
        """Fits under way."""
        return len(self._calendar)

    def _think(self) -> None:
        """Let the driver's own time pass."""
        self.now += time.thread_time() - self._thought

    def submit(self, job: Job) -> None:
        """Put the end of the fit into the calendar."""
        self._think()
        node = self._free.pop(0)
        if node not in self._ready:
            self._out = max(self._out, self.now) + self._data_bytes / NETWORK
            self._ready[node] = self._out + self._data_bytes / UNPACK
        fit = self._fits.of(job)
        seconds = fit.cpu_s + self._node_s
        self.worked += seconds
        end = max(self.now, self._ready[node]) + seconds
        self._submitted += 1
        heapq.heappush(self._calendar, (end, self._submitted, node, job))
        self._thought = time.thread_time()

    def wait(self, timeout: float) -> list[Result]:
        """Jump to the next end of a fit, and take its result in."""
        self._think()
        end, _, node, job = heapq.heappop(self._calendar)
        fit = self._fits.of(job)
        self._back = max(self._back, end) + fit.bytes / NETWORK
        self.now = max(self.now, self._back) + self._accept_s
        self._free.append(node)
        self._free.sort(key=lambda n: self._ready.get(n, float("inf")))
        self._thought = time.thread_time()
        return [Result(**fit.result)]

    def close(self) -> None:
        """Nothing runs."""


def speedups(
    work: Workspace, plan: Plan, costs: dict[str, Any], trials: int, path: Path
) -> dict[str, Any]:
    """Return times and speed-ups by trials open at a time and number of nodes."""
    fits = Fits(work, path)
    names = tuple(learner for learner in available_learners())
    rows = []
    for number in OPEN_TRIALS:
        options = SearchOptions(0, trials, learners=names, open_trials=number)
        rows += _over_nodes(work, plan, (fits, costs), options)
        fits.save()
    return {"cpus_a_node": CPUS, "network_bytes_s": NETWORK, "unpack_bytes_s": UNPACK, "rows": rows}


def _over_nodes(
    work: Workspace, plan: Plan, known: tuple[Fits, dict[str, Any]], options: SearchOptions
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for nodes in NODES:
        # The first pass makes the fits, the second measures the thinking without them.
        for _ in range(2):
            row = _simulated(work, plan, known, options, nodes)
        rows.append(row)
        assert row["trials"] == rows[0]["trials"], "more nodes changed what was tried"
        row["speedup"] = round(rows[0]["seconds"] / row["seconds"], 3)
        print({k: v for k, v in row.items() if k != "trials"}, flush=True)
    digests = {json.dumps(row.pop("trials")) for row in rows}
    assert len(digests) == 1
    return rows


def _simulated(
    work: Workspace,
    plan: Plan,
    known: tuple[Fits, dict[str, Any]],
    options: SearchOptions,
    nodes: int,
) -> dict[str, Any]:
    fits, costs = known
    cluster = Imagined(fits, nodes, costs, tables.bytes_in(work.data))
    with tempfile.TemporaryDirectory() as scratch, Journal(Path(scratch) / "j") as journal:
        found = Search(work, journal, cluster, TimeBudget(None), plan, options).run()
    scores = [t.score() for t in found.trials if t.state == "complete"]
    return {
        "open_trials": options.open_trials,
        "nodes": nodes,
        "seconds": round(cluster.now, 3),
        "at_work": round(cluster.worked / (cluster.now * cluster.slots), 4),
        "fits": sum(len(t.results) for t in found.trials),
        "best_score": round(max(scores), 6),
        "trials": _trials(found.trials),
    }


def _trials(trials: Sequence[Any]) -> list[Any]:
    return [[t.key, t.state, t.scores()] for t in trials]
