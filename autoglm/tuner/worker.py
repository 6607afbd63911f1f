"""A worker process: reads jobs as lines of JSON, fits, leaves files, answers a line each.

Started by `autoglm.tuner.executor.ProcessExecutor`; it ends when its input does, so it
never outlives the process that started it.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from autoglm.core import hooks
from autoglm.core.errors import StorageError
from autoglm.core.space import Params
from autoglm.tuner.executor import Job, Result
from autoglm.tuner.scoring import Scorer
from autoglm.tuner.workspace import Workspace, write_fit
from autoglm.zoo.contract import Fold, Learner, Limits, Model

_PR_SET_PDEATHSIG = 1
#: Share of a job's time kept for predicting and writing.
RESERVE = 0.15
#: The first line of a worker, when it has started.
READY = "ready\n"
#: Rows that a fit on all rows is looked at with.
SHOWN_ROWS = 1000
#: What LightGBM and scikit-learn import for tables and plots; the zoo gives them arrays.
_FOR_TABLES = frozenset({"pandas", "pyarrow", "matplotlib", "dask"})
#: LightGBM's wrappers are made with this; learners that need it import it when first used.
_FOR_WRAPPERS = frozenset({"sklearn"})


class Runner:
    """Runs jobs of one run folder.

    Parameters
    ----------
    folder
        The run.
    lean
        Let learners of the core install do without tables and plots: half of a worker's memory.
    """

    def __init__(self, folder: Path, *, lean: bool = False) -> None:
        self.lean = lean
        self.work = Workspace(folder)
        self.scorer = Scorer(self.work.metric)
        self._views: dict[str, Any] = {}
        self._learners: dict[str, Learner] = {
            one.name: one for group in hooks.manager().hook.autoglm_learners() for one in group
        }

    def run(self, job: Job) -> Result:
        """Fit, score, leave the files, and say how it went; a failure is a result too."""
        try:
            spared = self.lean and not self._learners[job.learner].extra
            with _without(_FOR_TABLES if spared else frozenset()):
                return self._fit(job)
        except StorageError as error:
            return Result(job.key, job.fold, error=str(error), code=error.code)
        except Exception as error:  # noqa: BLE001 - the worker boundary: one bad fit must not end the run
            if os.environ.get("AUTOGLM_DEBUG"):
                traceback.print_exc()
            return Result(job.key, job.fold, error=f"{type(error).__name__}: {error}"[:500])

    def _fit(self, job: Job) -> Result:
        start = time.monotonic()
        learner = self._learners[job.learner]
        X = self._view(learner.view)
        train, valid = self.work.fold_rows(job.fold)
        fold = Fold(X, self.work.y, train, valid)
        limits = Limits(start + job.seconds * (1 - RESERVE), job.seed)
        model = learner.fit(fold, job.params, self.work.facts, limits)
        # Without validation rows some of those it knows show that it predicts at all.
        shown = valid if len(valid) else train[:SHOWN_ROWS]
        oof = self.scorer.bounded(model.predict(X[shown]))
        score = self.scorer.utility(self.work.y[shown], oof)
        if not np.isfinite(oof).all() or not np.isfinite(score):
            raise ValueError(f"{job.learner} predicts values that are not finite")
        files = model.dump()
        write_fit(self.work.fit_folder(job.key, job.fold), oof, files)
        return Result(
            key=job.key,
            fold=job.fold,
            score=float(score),
            seconds=time.monotonic() - start,
            predict_us=model.row_us,
            size=sum(map(len, files.values())),
            learned=_learned(model),
        )

    def _view(self, name: Any) -> Any:
        if name not in self._views:
            self._views[name] = self.work.view(name)
        return self._views[name]


def _learned(model: Model) -> Params:
    """Return what the fit found out by itself, as plain values; nothing when it says nothing."""
    found = getattr(model, "learned", {})
    return {n: v.item() if isinstance(v, np.generic) else v for n, v in found.items()}


def _end_with_parent() -> None:
    """Ask the kernel to end this process when the one that started it dies, however it does.

    Elsewhere than on Linux the end of the input does so, once the current fit is done.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class _Without(MetaPathFinder):
    """Tells whoever imports some packages that they are not installed."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        """Refuse the packages; leave all others to the next finder."""
        if fullname.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"not needed here: {fullname}", name=fullname)


@contextmanager
def _without(names: frozenset[str]) -> Iterator[None]:
    """Keep packages from being imported, unless they are already."""
    finder = _Without(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def main(arguments: list[str]) -> None:
    """Warm up, then serve jobs until the input ends."""
    folder, *plugins = arguments
    _end_with_parent()
    # What fits print must not get into the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for name in plugins:
        hooks.register(importlib.import_module(name))
    plugged_in, _ = hooks.worker_plugins()
    lean = not plugged_in  # a plug-in may want tables, and all of LightGBM
    if lean:
        with _without(_FOR_TABLES | _FOR_WRAPPERS):
            importlib.import_module("lightgbm")  # while the caller still encodes the data
    answers.write(READY)
    runner: Runner | None = None
    for line in sys.stdin:
        runner = runner or Runner(Path(folder), lean=lean)
        answers.write(json.dumps(asdict(runner.run(Job(**json.loads(line))))) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
