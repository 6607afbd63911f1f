"""The table of the measurement, and a run folder made from it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from autoglm import AutoTask, examples
from autoglm._prepare import RunOptions, prepare
from autoglm.tuner.plan import Plan
from autoglm.tuner.search import available_learners
from autoglm.tuner.workspace import Workspace


def prepared(folder: Path) -> tuple[Workspace, Plan]:
    """Return the encoded shipped example (2,000 rows) in a run folder, made when missing."""
    if not (folder / "plan.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        task = AutoTask.create(dataset=examples.path(), target="churned", metric="roc_auc")
        names = tuple(n for n, one in available_learners().items() if one.available())
        how = RunOptions(None, 1, names, typed=False)
        prepare(task.table.frame, task.profile, task.spec, folder, how)
    return Workspace(folder), Plan(**json.loads((folder / "plan.json").read_text("utf-8")))


def bytes_in(folder: Path) -> int:
    """Return the size of all files in a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
