"""The engine on Ray: what a fold costs more than locally, and how far more nodes would carry.

    python bench/ray/run.py --out bench/results/2026-11-ray

Three steps, each a file of the results:

overhead.json    the same fits one after the other through local worker processes, a Ray cluster
                 on this machine, and the same cluster through a ``ray://`` address: the time of
                 each beyond the fit itself; bytes that travel; the time to bring the data to a
                 node. Needs the extra "ray". Nothing else should be running.
costs.json       what each fit of a search costs, measured one at a time.
simulation.json  A SIMULATION of 1 to 64 nodes from these two: the search itself decides, with all
                 its rules; only the clock is not real. See `simulate.py`.

`speedup.svg` draws the last. Steps that are done are not done again; remove a file to repeat one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["AUTOGLM_META_STORE"] = "off"  # what other runs have taught would change the order

import overhead
import plot
import simulate
import tables

#: Trials of the search that is simulated.
TRIALS = 48


def main() -> None:
    """Do the steps that are missing, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("autoglm_runs/bench-ray"))
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    work, plan = tables.prepared(args.work / "search")
    costs = step(args.out / "overhead.json", lambda: overhead.measure(args.work, args.repeats))

    def simulated() -> dict[str, Any]:
        found = simulate.speedups(work, plan, costs, args.trials, args.out / "costs.json")
        return {"trials": args.trials} | found

    found = step(args.out / "simulation.json", simulated)
    (args.out / "speedup.svg").write_text(plot.draw(found), encoding="utf-8")


def step(path: Path, do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what is in the file; what `do` gives when there is none yet."""
    if not path.is_file():
        done = {"machine": machine()} | do()
        path.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


if __name__ == "__main__":
    main()
