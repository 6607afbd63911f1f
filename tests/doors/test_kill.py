"""A few of the kills that ``python bench/kill/run.py --kills 30`` does in number."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def test_killed_and_resumed_gives_the_undisturbed_winner(tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "bench" / "kill" / "run.py"
    spec = importlib.util.spec_from_file_location("bench_kill", path)
    assert spec is not None
    assert spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    sys.modules["bench_kill"] = bench
    spec.loader.exec_module(bench)
    outcome = bench.compare(tmp_path, kills=4, trials=8, seed=3)
    assert outcome["same"]
    assert outcome["repeated"] == 0
    assert outcome["lost"] == 0
