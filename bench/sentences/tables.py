"""Make the small tables that ``tables.toml`` describes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

_WORDS = [
    "red",
    "stone",
    "river",
    "cloud",
    "night",
    "paper",
    "green",
    "house",
    "light",
    "market",
    "people",
    "north",
    "story",
]


def make_tables(path: Path, n_rows: int = 900, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Return the tables by name, every cell as text, as a text file gives it."""
    described = tomllib.loads(path.read_text(encoding="utf-8"))
    rng = np.random.default_rng(seed)
    return {
        table: pd.DataFrame({name: _cells(what, n_rows, rng) for name, what in columns.items()})
        for table, columns in described.items()
    }


def _cells(what: str, n: int, rng: np.random.Generator) -> list[str]:
    kind, *bounds = what.split(" ")
    if kind == "id":
        return [f"{100_000 + i}" for i in range(n)]
    if kind == "float":
        return [f"{v:.3f}" for v in rng.uniform(float(bounds[0]), float(bounds[1]), n)]
    if kind == "int":
        return [str(v) for v in rng.integers(int(bounds[0]), int(bounds[1]) + 1, n)]
    if kind == "date":
        days = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(n), unit="D")
        return [str(day.date()) for day in days]
    if kind == "text":
        return [" ".join(rng.choice(_WORDS, 12)) for _ in range(n)]
    if kind == "name":
        return [f"{rng.choice(_WORDS)}{rng.integers(6)}" for _ in range(n)]
    return _values(what, n, rng)


def _values(what: str, n: int, rng: np.random.Generator) -> list[str]:
    values, shares = [], []
    for part in what.split("|"):
        value, _, times = part.partition("*")
        values.append(value)
        shares.append(float(times or 1))
    p: Any = np.array(shares) / sum(shares)
    cells = [str(v) for v in rng.choice(values, n, p=p)]
    cells[: len(values)] = values  # every value is there
    return cells
