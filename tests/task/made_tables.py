"""The made-up tables that sentences speak of, as profiles."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from autoglm.dataflow.profile import TableProfile, profile_table

BENCH = Path(__file__).parents[2] / "bench" / "sentences"


@lru_cache(maxsize=1)
def profiles() -> dict[str, TableProfile]:
    """Return the profiles by name."""
    spec = importlib.util.spec_from_file_location("bench_tables", BENCH / "tables.py")
    assert spec is not None and spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    frames = module.make_tables(BENCH / "tables.toml")
    return {name: profile_table(frame) for name, frame in frames.items()}
