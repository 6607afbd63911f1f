"""Measure what a user waits for: one row, many rows, import, bundle, installed size.

    python bench/figures.py --time 30

Trains on the shipped example (2,000 rows, 14 columns) and on generated tables of 10,000 and
40,000 rows, and prints one JSON object. Times are medians; nothing else should be running.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autoglm import AutoTask, Predictor, examples


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--time", type=float, default=30.0, help="seconds for each run")
    args = parser.parse_args()
    figures: dict[str, Any] = {"import_s": import_seconds()}
    example = pd.read_csv(examples.path(), dtype=str)
    tables = {"example": example, "numbers_10k": numbers(10_000), "mixed_40k": mixed(40_000)}
    for name, table in tables.items():
        figures[name] = measure(table, table.columns[-1], args.time)
    print(json.dumps(figures, indent=1))


def import_seconds() -> float:
    """Return the median time of ``import autoglm`` in a new process."""
    code = "import time; t = time.perf_counter(); import autoglm; print(time.perf_counter() - t)"
    runs = [subprocess.check_output([sys.executable, "-c", code]) for _ in range(5)]
    return round(statistics.median(float(r) for r in runs), 4)


def measure(table: pd.DataFrame, target: str, seconds: float) -> dict[str, Any]:
    """Train, then time predictions of one row and of 10,000, and weigh the bundle."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        task = AutoTask.create(dataset=table, target=target)
        model = task.launch(time_limit=seconds, run_dir=folder)
        spent = time.perf_counter() - start
        saved = model.save(Path(folder) / "model.aglm")
        size = saved.stat().st_size / 1e6
        rows = table.drop(columns=target)
        many = pd.concat([rows] * (1 + 10_000 // len(rows)), ignore_index=True)[:10_000]
        return {
            "fit_s": round(spent, 2),
            "asked_s": seconds,
            "bundle_mb": round(size, 3),
            "best": timed(model, rows, many),
            "fast": timed(model.variant("fast"), rows, many),
        }


def timed(model: Predictor, rows: pd.DataFrame, many: pd.DataFrame) -> dict[str, Any]:
    """Return the medians of one output, and what it is made of."""
    ask = answer(model)
    ask(many)
    records = rows[:100].to_dict("records")
    return {
        "row_ms_frame": median_ms(lambda i: ask(rows.iloc[[i]])),
        "row_ms_record": median_ms(lambda i: ask([records[i]])),
        "ten_thousand_rows_s": round(median_ms(lambda _: ask(many), 5) / 1000, 3),
        "members": [f"{m.learner} x{len(m.models)}" for m in model.blend.members],
    }


def answer(model: Predictor) -> Callable[[Any], Any]:
    """Return the call that answers most: probabilities where there are some."""
    return model.predict if model.spec.task_type.value == "regression" else model.predict_proba


def median_ms(call: Callable[[int], Any], repeats: int = 60) -> float:
    """Return the median time of a call in milliseconds, after three to warm up."""
    times = []
    for i in range(repeats + 3):
        start = time.perf_counter()
        call(i)
        times.append(time.perf_counter() - start)
    return round(1000 * statistics.median(times[3:]), 3)


def numbers(n: int) -> pd.DataFrame:
    """Return a regression table of 20 numbers."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 20))
    y = X[:, 0] * X[:, 1] + np.sin(3 * X[:, 2]) + 0.3 * rng.normal(size=n)
    return pd.DataFrame(X, columns=[f"n{i}" for i in range(20)]).assign(value=y)


def mixed(n: int) -> pd.DataFrame:
    """Return a binary table of numbers, categories and gaps."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame({f"n{i}": rng.normal(size=n) for i in range(8)})
    for i in range(6):
        table[f"c{i}"] = rng.choice([f"v{j}" for j in range(3 + 5 * i)], n)
    logit = table["n0"] - table["n1"] ** 2 + (table["c3"] == "v2") * 2 + table["n2"] * table["n3"]
    table.loc[rng.random(n) < 0.1, "n4"] = np.nan
    return table.assign(bought=np.where(rng.logistic(size=n) < logit, "yes", "no"))


if __name__ == "__main__":
    main()
