"""Milliseconds that batches of rows take with a saved model, in a process of its own.

    python bench/batches.py MODEL TABLE [--rows 1114 10000] [--calls 5]

MODEL is a saved model or the folder of a run, TABLE a file with its columns; rows are repeated
where it has too few. Prints one line of JSON: the milliseconds of each call by the number of rows,
the first one cold. Nothing else should be running.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import pandas as pd

from autoglm import load, read_table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--rows", type=int, nargs="*", default=[1_114, 10_000])
    parser.add_argument("--calls", type=int, default=5)
    args = parser.parse_args()
    model, frame = load(args.model), read_table(args.table).frame
    ask = model.predict if model.spec.task_type.value == "regression" else model.predict_proba
    found: dict[int, list[float]] = {}
    for size in args.rows:
        rows = pd.concat([frame] * (size // len(frame) + 1), ignore_index=True).iloc[:size]
        for _ in range(args.calls):
            began = time.perf_counter()
            ask(rows)
            found.setdefault(size, []).append(round(1e3 * (time.perf_counter() - began), 1))
    members = [f"{m.learner} x {len(m.models)}" for m in model.blend.members]
    print(json.dumps({"model": args.model.name, "members": members, "ms": found}))


if __name__ == "__main__":
    main()
