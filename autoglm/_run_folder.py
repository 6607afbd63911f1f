"""The folder of a run: its name, and the first record of its journal."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from autoglm.core.errors import RunError
from autoglm.core.files import storage_errors
from autoglm.core.journal import Journal
from autoglm.core.text import say
from autoglm.tuner.search import SearchOptions


def run_name(target: str) -> str:
    """Return the name of a new run: the time, and what it predicts."""
    name = re.sub(r"[^\w-]+", "-", target).strip("-")[:40]
    return f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-{name}"


def new_folder(base: Path, name: str) -> Path:
    """Make a folder of a name, numbered where there is one; of two at a time each gets its own."""
    for number in range(1, 1000):
        folder = base / (name if number == 1 else f"{name}-{number}")
        with storage_errors(folder):
            base.mkdir(parents=True, exist_ok=True)
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    raise RunError(say(en=f"Too many runs in {base}.", zh=f"{base} 中的运行过多。"))


@contextmanager
def nothing_left(folder: Path) -> Iterator[None]:
    """Remove a run folder in which nothing was begun yet, when the block fails."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def run_record(
    options: SearchOptions, limit: float | None, workers: int | None, engine: str
) -> dict[str, Any]:
    """Return what begins the journal of a run."""
    return {
        "kind": "run",
        "seed": options.seed,
        "max_trials": options.max_trials,
        "sampler": options.sampler,
        "learners": options.learners,
        "time_limit_s": limit,
        "workers": workers,
        "engine": engine,
        "open_trials": options.open_trials,
    }


def read_run_record(
    journal: Journal, add_time_s: float | None
) -> tuple[SearchOptions, float | None, int | None]:
    """Return options, time limit with all extensions, and workers of a journal's run."""
    first = next(r for r in journal.records if r["kind"] == "run")
    added = [r["add_time_s"] for r in journal.records if r["kind"] == "extend"]
    added += [add_time_s] if add_time_s is not None else []
    limit, trials = first["time_limit_s"], first["max_trials"]
    if added and limit is None:
        # Bounded by trials so far: from here on by the added time.
        limit, trials = max((r.get("elapsed_s", 0.0) for r in journal.records), default=0.0), None
    only = tuple(first["learners"]) if first["learners"] is not None else None
    ahead = first.get("open_trials", SearchOptions.open_trials)
    options = SearchOptions(first["seed"], trials, first["sampler"], only, open_trials=ahead)
    return options, None if limit is None else limit + sum(added), first["workers"]
