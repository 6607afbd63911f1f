"""Measure how long predictions of saved models take: one row, and 10,000 rows.

    OMP_NUM_THREADS=1 python bench/latency.py autoglm_runs/* > latency.jsonl
    OMP_NUM_THREADS=1 python bench/latency.py --variant fast --rows customers.csv churn.aglm

One JSON line a model. Rows are those that the run kept of its validation part, or those of a
table given. A row comes as a mapping of scalars and as a frame of one row; the call is
`predict_proba`, or `predict` for a regression. Nothing else should be running.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autoglm import Predictor, load, read_table

MANY = 10_000


def main() -> None:
    """Measure the models named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", type=Path, help="run folders or saved models")
    parser.add_argument("--rows", help="a table to take rows from")
    parser.add_argument("--variant", choices=("best", "fast"), default="best")
    parser.add_argument("--repeats", type=int, default=400, help="single rows to time")
    args = parser.parse_args()
    for path in args.models:
        rows = read_table(args.rows).frame if args.rows else kept_rows(path)
        print(json.dumps(measure(path, rows, args.repeats, args.variant)), flush=True)


def kept_rows(run: Path) -> pd.DataFrame:
    """Return the raw rows that a run kept of its validation part."""
    file = run / "prepared" / "sample.json"
    if not file.is_file():
        sys.exit(f"{run} is not the folder of a run; give rows with --rows")
    cells = json.loads(file.read_text("utf-8"))["cells"]
    return pd.DataFrame(cells)


def measure(path: Path, rows: pd.DataFrame, repeats: int, variant: str) -> dict[str, Any]:
    """Return the figures of one model; "best" is saved with both outputs, "fast" by itself."""
    start = time.perf_counter()
    model = load(path, variant=variant)
    load_s = time.perf_counter() - start
    ask = answer(model)
    records = [{str(k): v for k, v in r.items()} for r in rows.to_dict("records")]
    frames = [rows.iloc[[i]] for i in range(len(rows))]
    start = time.perf_counter()
    ask(records[0])
    first_s = time.perf_counter() - start
    many = pd.concat([rows] * (1 + MANY // len(rows)), ignore_index=True)[:MANY]
    facts = model.blend.facts
    return {
        "model": path.name,
        "variant": variant,
        "saved_mb": round(model.saved_mb(), 3),
        "task": facts.task_type,
        "classes": facts.n_classes,
        "columns": len(model.prepared.cleaner.inputs),
        "text": facts.has_text,
        "members": [f"{m.learner} x{len(m.models)}" for m in model.blend.members],
        "compiled": model.receipts.get("compiled"),
        "load_ms": round(1000 * load_s, 1),
        "first_row_ms": round(1000 * first_s, 2),
        **figures("record", ask, records, repeats),
        **figures("frame", ask, frames, repeats),
        "ten_thousand_ms": round(min(timed(ask, many) for _ in range(3)), 1),
    }


def figures(
    name: str, ask: Callable[[Any], Any], rows: list[Any], repeats: int
) -> dict[str, float]:
    """Return median and 99th percentile of a call for one row, milliseconds."""
    times = np.array([timed(ask, rows[i % len(rows)]) for i in range(repeats + 20)])[20:]
    low, high = np.percentile(times, [50, 99])
    return {f"{name}_p50_ms": round(float(low), 3), f"{name}_p99_ms": round(float(high), 3)}


def timed(ask: Callable[[Any], Any], rows: Any) -> float:
    """Return how long a call takes, milliseconds."""
    start = time.perf_counter()
    ask(rows)
    return 1000 * (time.perf_counter() - start)


def answer(model: Predictor) -> Callable[[Any], Any]:
    """Return the call that answers most: probabilities where there are some."""
    return model.predict if model.spec.task_type.value == "regression" else model.predict_proba


if __name__ == "__main__":
    main()
