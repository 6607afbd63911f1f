"""What a run costs against rows and columns: seconds and memory, as lines and as a drawing.

    python bench/cost/run.py --out bench/results/2026-11-cost

Every table (made up: three numbers to one text column of categories, one cell in twenty missing)
is run twice in a process of its own: with a number of trials and no time limit, which shows what
the same work costs, and with a time limit, which shows that it is kept. Memory is the most that
the process and its workers held at a time, pages that they share counted once (PSS, Linux).
What is done is not done again. Nothing else should be running.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
from drawing import Axis, Point, draw

ROWS = (200, 1_000, 5_000, 20_000, 50_000)
COLUMNS = (10, 30, 100, 300)
TRIALS, LIMIT_S = 3, 30.0
#: Seconds between two looks at the memory.
LOOK_S = 0.1


def main() -> None:
    """Run what is missing, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", nargs=3, type=int, metavar=("ROWS", "COLUMNS", "TIMED"))
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(*args.one)))
        return
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "cost.jsonl"
    path.touch()
    found = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    done = {(r["rows"], r["columns"], r["timed"]) for r in found}
    for timed in (0, 1):
        for columns in COLUMNS:
            for rows in ROWS:
                if (rows, columns, timed) not in done:
                    found.append(_apart(rows, columns, timed))
                    with path.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(found[-1]) + "\n")
                    print(found[-1], flush=True)
    for name, text in drawings([r for r in found if not r["timed"]]).items():
        (args.out / name).write_text(text, encoding="utf-8")


def _apart(rows: int, columns: int, timed: int) -> dict[str, Any]:
    """Return what a run of a process of its own tells."""
    command = [sys.executable, __file__, "--one", str(rows), str(columns), str(timed)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    record: dict[str, Any] = json.loads(told.splitlines()[-1])
    return record


def one(rows: int, columns: int, timed: int) -> dict[str, Any]:
    """Return seconds, memory and size of one run."""
    os.environ["AUTOGLM_META_STORE"] = "off"
    from autoglm import AutoTask
    from autoglm.core.events import Event, subscribe

    frame = made_up(rows, columns)
    before = memory_mb()
    stages: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, Watch() as watch:
        start = time.monotonic()

        def seen(event: Event) -> None:
            stages.setdefault(event.name, round(time.monotonic() - start, 3))

        with subscribe(seen):
            task = AutoTask.create(dataset=frame, target="target", metric="roc_auc")
            how: dict[str, Any] = {"time_limit": LIMIT_S} if timed else {"max_trials": TRIALS}
            model = task.auto_build().launch(run_dir=folder, **how)
        seconds = time.monotonic() - start
        record = frame.drop(columns="target").iloc[0].to_dict()
        took = []
        for _ in range(200):
            begun = time.perf_counter()
            model.predict_proba(record)
            took.append(time.perf_counter() - begun)
        return {
            "rows": rows,
            "columns": columns,
            "timed": timed,
            "seconds": round(seconds, 2),
            "data_ready_s": stages.get("data_ready"),
            "first_fold_s": stages.get("fold_finished"),
            "table_mb": round(frame.memory_usage(deep=True).sum() / 1e6, 1),
            "memory_before_mb": round(before),
            "peak_mb": round(watch.most),
            "row_ms": round(1000 * sorted(took)[100], 3),
            "saved_mb": round(model.saved_mb(), 2),
        }


def made_up(rows: int, columns: int) -> Any:
    """Return a table of two classes in which a few columns matter, alone and together."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng([rows, columns])
    n_codes = columns // 4
    numbers = rng.normal(size=(rows, columns - n_codes)).astype(np.float32)
    codes = rng.integers(0, 12, size=(rows, n_codes))
    effects = rng.normal(size=12)
    score = 1.2 * numbers[:, 0] + np.sin(2 * numbers[:, 1]) + numbers[:, 2] * numbers[:, 3]
    score = score + 0.7 * effects[codes[:, 0]]
    y = score + rng.logistic(size=rows) > np.median(score)
    numbers[rng.random(numbers.shape) < 0.05] = np.nan
    frame = pd.DataFrame(numbers, columns=[f"n{i}" for i in range(numbers.shape[1])])
    kinds = np.array([f"kind {c}" for c in range(12)], dtype=object)
    more = pd.DataFrame(kinds[codes], columns=[f"c{i}" for i in range(n_codes)])
    target = pd.Series(np.where(y, "yes", "no"), name="target")
    return pd.concat([frame, more, target], axis=1)


class Watch:
    """The most memory that this process and all below it hold while it is entered."""

    def __init__(self) -> None:
        self.most = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(LOOK_S):
            self.most = max(self.most, memory_mb())


def memory_mb() -> float:
    """Return the megabytes that this process and all below it hold now."""
    total, waiting = 0.0, [os.getpid()]
    while waiting:
        pid = waiting.pop()
        try:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (thread / "children").read_text().split())
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += float(line.split()[1]) / 1000
        except OSError:  # it has ended meanwhile
            continue
    return total


def drawings(found: list[dict[str, Any]]) -> dict[str, str]:
    """Return time and memory against rows, a line for each number of columns."""
    across = Axis("rows", ROWS, "{:,.0f}".format)
    times = Axis("seconds", (0.5, 1, 3, 10, 30, 100, 300))
    memory = Axis("MB", (100, 200, 500, 1_000, 2_000, 5_000), "{:,.0f}".format)
    drawn = {}
    for name, axis, key, title in (
        ("time.svg", times, "seconds", f"Seconds for {TRIALS} trials, finished and saved"),
        ("memory.svg", memory, "peak_mb", "Most memory at a time, workers included, MB"),
    ):
        lines: dict[str, list[Point]] = {}
        for r in sorted(found, key=lambda r: (r["columns"], r["rows"])):
            tip = f"{r['rows']:,} x {r['columns']}: {r[key]:g} {axis.title}"
            lines.setdefault(f"{r['columns']} columns", []).append((r["rows"], r[key], tip))
        drawn[name] = draw(title, across, axis, lines)
    return drawn


if __name__ == "__main__":
    main()
