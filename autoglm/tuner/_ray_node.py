"""What runs on the nodes of a Ray cluster: one fitting process a CPU.

It runs the same `Runner` as a local worker process, on the node's own copy of the data. What a
fit leaves goes back to the caller as plain values and is removed here.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from autoglm.core import hooks
from autoglm.core.imports import need
from autoglm.tuner.executor import THREADS

#: Other versions of these, or none, give other models.
_DECISIVE = ("catboost", "lightgbm", "numpy", "scikit-learn", "scipy", "torch")


class Parcel(TypedDict):
    """The data of a run, as it travels.

    digest : of the content, see `autoglm.tuner._node_copy.digest`.
    files : by name, references to the pieces in Ray's object store, in order.
    """

    digest: str
    files: dict[str, list[Any]]


class Answer(TypedDict, total=False):
    """What a fit gives back.

    result : the fields of `autoglm.tuner.executor.Result`.
    oof : predictions of the validation rows; absent when the fit failed.
    files : the model.
    fetched : whether the node had to be sent the data first.
    """

    result: dict[str, Any]
    oof: Any
    files: dict[str, bytes]
    fetched: bool


def versions() -> dict[str, str]:
    """Return the versions here of what decides what a fit gives; "-" where it is missing."""
    # The package itself, not its metadata: a source tree on the path has none.
    found = {"open-autoglm": vars(sys.modules["autoglm"])["__version__"]}
    for name in _DECISIVE:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "-"
    return found


class Fitter:
    """Fits on one CPU of a node; Ray makes an actor of it.

    Parameters
    ----------
    plugins
        Modules to import for their learners.
    paths
        Where the caller finds modules; of use where nodes share a file system.
    """

    def __init__(self, plugins: Sequence[str], paths: Sequence[str]) -> None:
        os.environ.update(dict.fromkeys(THREADS, "1"))
        sys.path += [path for path in paths if path not in sys.path]
        for name in plugins:
            hooks.register(importlib.import_module(name))
        hooks.manager()
        importlib.import_module("lightgbm")  # while the caller still encodes the data
        self._copy: Any = None
        self._runner: Any = None

    def hello(self) -> dict[str, Any]:
        """Say which node this is, and with what it fits."""
        context = need("ray", extra="ray", feature="Ray").get_runtime_context()
        return {"node": context.get_node_id(), "versions": versions()}

    def run(self, job: str, parcel: Parcel) -> Answer:
        """Run a job, a JSON object; the data are fetched when the node has none yet."""
        from autoglm.tuner.executor import Job

        fetched = self._runner is None and self._open(parcel)
        wanted = Job(**json.loads(job))
        result = self._runner.run(wanted)
        answer: Answer = {"result": asdict(result), "fetched": fetched}
        work = self._runner.work
        if result.score is not None:
            answer["oof"] = work.out_of_fold(result.key, result.fold).astype(np.float32)
            answer["files"] = work.model_files(result.key, result.fold)
        shutil.rmtree(work.fit_folder(wanted.key, wanted.fold), ignore_errors=True)
        return answer

    def _open(self, parcel: Parcel) -> bool:
        from autoglm.tuner._node_copy import NodeCopy, cache_root
        from autoglm.tuner.worker import Runner

        self._copy = NodeCopy(cache_root(), parcel["digest"], partial(_unpack, parcel["files"]))
        self._runner = Runner(self._copy.workspace)
        return bool(self._copy.fetched)

    def leave(self) -> None:
        """Remove what lies on the node, in the middle of a fit too."""
        if self._copy is not None:
            self._copy.leave()


def _unpack(files: Mapping[str, Sequence[Any]], folder: Path) -> None:
    ray = need("ray", extra="ray", feature="Ray")
    for name, references in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for reference in references:
                file.write(ray.get(reference))
