"""A long comparison as a queue of single runs, which can be held, stopped and gone on with.

    python bench/batch.py --runner RUN.PY --plan bench/plan-core20.txt --out DIR \
        --portfolios bench/results/2026-11-portfolio/left-out [--hold FILE]

RUN.PY is the runner of a catalog of tasks, which appends one line of JSON for each run. A line of
the plan is ``SYSTEM TASKS FOLD SECONDS``; TASKS is a list with commas, "core20" or "long8". Runs
that DIR has a line of are not done again. While the file HOLD exists no run is begun, and
``HOLD.held`` says that none is going on: what needs the cores can then be done in between. Our own
runs start from the portfolio that was learned without their table, and remember nothing.

Interpreters of the systems stand in AUTOGLUON_PYTHON, FLAML_PYTHON and AUTOGLM_PYTHON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GROUPS = {
    "core20": (
        "adult,bank_marketing,credit_g,blood_transfusion,churn_mlc,sick,mammography,higgs7k,"
        "credit_data_missing,car,cnae9,letter,cmc,eucalyptus,ames,california_housing,"
        "wine_quality_white,insurance,midwest_survey,videogame_sales"
    ),
    "long8": (
        "bank_marketing,credit_g,mammography,letter,eucalyptus,ames,california_housing,"
        "midwest_survey"
    ),
}
#: Seconds between two looks at the hold, and after it before the machine is quiet again.
LOOK_S, SETTLE_S = 1.0, 4.0


@dataclass(frozen=True)
class Run:
    """One run of the plan."""

    system: str
    task: str
    fold: str
    seconds: str


def planned(path: Path) -> Iterator[Run]:
    """Yield the runs of a plan, in order."""
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.partition("#")[0].split()
        if words:
            system, tasks, fold, seconds = words
            for task in GROUPS.get(tasks, tasks).split(","):
                yield Run(system, task, fold, seconds)


def done(out: Path) -> set[Run]:
    """Return the runs that have a line."""
    found = set()
    for path in out.glob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            seconds = f"{row['budget_s']:g}"
            found.add(Run(row["system"], row["task"], str(row["fold"]), seconds))
    return found


def wait_while_held(hold: Path) -> None:
    """Wait until the hold is gone."""
    held = hold.with_name(hold.name + ".held")
    if not hold.exists():
        return
    held.touch()
    while hold.exists():
        time.sleep(LOOK_S)
    held.unlink(missing_ok=True)
    time.sleep(SETTLE_S)


def start(run: Run, args: argparse.Namespace) -> int:
    """Do a run and return the exit status of the runner."""
    environment = dict(os.environ)
    if run.system == "autoglm":
        portfolio = args.portfolios / f"{run.task}.toml"
        environment |= {"AUTOGLM_PORTFOLIO": str(portfolio), "AUTOGLM_META_STORE": "off"}
    command = [
        sys.executable, args.runner, "--system", run.system, "--tasks", run.task,
        "--folds", run.fold, "--budget", run.seconds, "--out", args.out / f"{run.system}.jsonl",
    ]  # fmt: skip
    return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL).returncode


def main() -> None:
    """Do what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runner", type=Path, required=True)
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--portfolios", type=Path, required=True)
    parser.add_argument("--hold", type=Path, default=Path("hold"))
    args = parser.parse_args()
    for name in ("runner", "out", "portfolios", "hold"):
        setattr(args, name, getattr(args, name).absolute())
    args.out.mkdir(parents=True, exist_ok=True)
    failed: set[Run] = set()
    while todo := [r for r in planned(args.plan) if r not in done(args.out) | failed]:
        wait_while_held(args.hold)
        began, status = time.monotonic(), start(todo[0], args)
        if status or todo[0] not in done(args.out):
            failed.add(todo[0])
        stamp, took = time.strftime("%H:%M:%S"), time.monotonic() - began
        print(stamp, *vars(todo[0]).values(), f"{took:.0f} s, exit {status},",
              f"{len(todo) - 1} to go", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
