"""The simulated speed-up as a drawing for the documentation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
from drawing import Axis, Point
from drawing import draw as drawn


def draw(found: dict[str, Any]) -> str:
    """Return the speed-up over nodes, in doublings, one line for each number of open trials."""
    rows = found["rows"]
    most = max(r["nodes"] for r in rows)
    marks = [2.0**i for i in range(most.bit_length())]
    lines: dict[str, list[Point]] = {}
    for row in rows:
        tip = f"{row['nodes']} nodes: {row['speedup']:g} times, {row['seconds']:g} s"
        line = lines.setdefault(f"{row['open_trials']} open trials", [])
        line.append((row["nodes"], row["speedup"], tip))
    cpus = found["cpus_a_node"]
    title = f"Simulated speed-up of a search of {found['trials']} trials, by nodes of {cpus} CPUs"
    return drawn(title, Axis("nodes", marks), Axis("", marks, "{:g}×".format), lines, "ideal")
