"""Compare a start that knows past runs with one that knows none.

    python bench/meta/run.py --catalog FILE --out DIR

For each pair the first tables teach: a run on each leaves its record in a store of its own.
Then the last table is run twice, cold (without a store) and warm (with it), the same number of
trials and the same seed. Told are the trials and seconds until the warm run's best trial is as
good as the cold run's best one was in the end, beside what the cold run needed itself. No row
is in both a teaching table and the last one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from autoglm.automl import AutoTask
from autoglm.core.events import Event, subscribe

sys.path.append(str(Path(__file__).resolve().parents[1]))
from catalog import loader_of

#: (what teaches, what is then run); "name:0" and "name:1" are halves of one table.
PAIRS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("adult:0",), "adult:1"),
    (("bank_marketing:0",), "bank_marketing:1"),
    (("california_housing:0",), "california_housing:1"),
    (("kin8nm:0",), "kin8nm:1"),
    (("letter:0",), "letter:1"),
    (("wine_quality_red",), "wine_quality_white"),
    (("heart_c", "heart_h"), "heart_statlog"),
    (("house_8L", "california_housing:0"), "elevators"),
    (("bank_marketing:0", "credit_g"), "adult:1"),
    (("segment",), "letter:1"),
)


def main() -> None:
    """Run the pairs that are not there yet, then print the table."""
    args = _arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "meta.jsonl"
    path.touch()
    done = {json.loads(line)["name"] for line in path.read_text().splitlines()}
    for teachers, last in PAIRS if not args.summary else ():
        name = f"{'+'.join(teachers)} -> {last}"
        if name in done or (args.only and last.split(":")[0] not in args.only):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            record = {"name": name, **_pair(teachers, last, Path(scratch), args)}
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        print(_row(record), flush=True)
    summarise([json.loads(line) for line in path.read_text().splitlines()])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    named = os.environ.get("AUTOGLM_BENCH_CATALOG")
    parser.add_argument("--catalog", type=Path, default=Path(named) if named else None)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1200)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--only", nargs="*", help="only pairs that end in these tables")
    parser.add_argument("--summary", action="store_true", help="only print what is there")
    return parser.parse_args()


def _pair(
    teachers: Sequence[str], last: str, scratch: Path, args: argparse.Namespace
) -> dict[str, Any]:
    store = scratch / "past-runs.sqlite"
    for number, teacher in enumerate(teachers):
        _run(teacher, store, scratch / f"teach{number}", args)
    cold = _run(last, None, scratch / "cold", args)
    warm = _run(last, store, scratch / "warm", args)
    goal = max(step[2] for step in cold["steps"])
    return {"goal": goal, "cold": cold, "warm": warm,
            "cold_reached": _reached(cold, goal), "warm_reached": _reached(warm, goal)}  # fmt: skip


def _run(name: str, store: Path | None, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Return (trial, seconds, utility) of each finished trial of a run."""
    os.environ["AUTOGLM_META_STORE"] = "off" if store is None else str(store)
    frame, kind, metric = _table(name, args)
    steps: list[tuple[int, float, float]] = []
    reasons: list[str] = []
    sign = -1.0 if metric in ("rmse", "log_loss") else 1.0

    def listen(event: Event) -> None:
        if event.name == "trial_finished":
            data = event.data
            steps.append((data["trial"] + 1, data["elapsed_s"], sign * data["score"]))
        elif event.name == "order_chosen":
            reasons.extend(event.data["reasons"])

    with subscribe(listen):
        task = AutoTask.create(kind, dataset=frame, target="target", metric=metric)
        task.launch(max_trials=args.trials, workers=0, run_dir=folder)
    return {"steps": steps, "reasons": reasons}


def _reached(run: dict[str, Any], goal: float) -> tuple[int, float] | None:
    """Return the trial and the seconds at which a run was as good as the goal."""
    for trial, seconds, value in sorted(run["steps"], key=lambda s: s[1]):
        if value >= goal - 1e-9 * abs(goal):
            return trial, seconds
    return None


def _table(name: str, args: argparse.Namespace) -> tuple[pd.DataFrame, str, str]:
    source, _, half = name.partition(":")
    task = loader_of(args.catalog).load_task(source, args.catalog, 0)
    frame = task.X_train.drop(columns="target", errors="ignore")
    frame = frame.assign(target=task.y_train.to_numpy())
    frame = frame.sample(frac=1.0, random_state=0)
    if half:
        frame = frame.iloc[int(half) :: 2]
    frame = frame.iloc[: args.rows].reset_index(drop=True)
    return frame, task.task_type, task.metric


def _row(record: dict[str, Any]) -> str:
    cold, warm = record["cold_reached"], record["warm_reached"]
    best = max(step[2] for step in record["warm"]["steps"])
    told = "not reached" if warm is None else f"trial {warm[0]:2d}, {warm[1]:6.1f} s"
    return (f"{record['name']:52s} cold: trial {cold[0]:2d}, {cold[1]:6.1f} s   warm: {told}   "
            f"best {record['goal']:.5g} -> {best:.5g}")  # fmt: skip


def summarise(records: Sequence[dict[str, Any]]) -> None:
    """Print a line a pair, and the medians."""
    print(*map(_row, records), sep="\n")
    for column, unit in ((0, "trials"), (1, "seconds")):
        shares = list(_shares(records, column))
        won = sum(s < 1 for s in shares)
        print(f"{unit}: warm needs {statistics.median(shares):.2f} of cold (median), "
              f"less in {won} of {len(shares)}")  # fmt: skip


def _shares(records: Sequence[dict[str, Any]], column: int) -> Iterator[float]:
    for record in records:
        warm = record["warm_reached"]
        yield float("inf") if warm is None else warm[column] / record["cold_reached"][column]


if __name__ == "__main__":
    main()
