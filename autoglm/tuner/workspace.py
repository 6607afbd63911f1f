"""The folder of a run: what workers read, what they leave behind.

spec.json            the task
journal.log          every finished fold, see `autoglm.core.journal`
data/                encoded training data, memory-mapped by the workers
prepared/            cleaner, target codec and encoder, for the bundle
folds/<key>/<fold>/  out-of-fold predictions and the model of one fit
model/               the bundle, written last
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.core.errors import RunError
from autoglm.core.files import storage_errors, write_file, write_folder
from autoglm.core.text import say
from autoglm.tuner.scoring import MetricChoice
from autoglm.zoo.contract import Facts, View

#: In the place of a fold: a fit on all rows, with none to validate on.
ALL_ROWS = -1

Pairs = list[tuple[NDArray[np.int64], NDArray[np.int64]]]


class Workspace:
    """An existing run folder with its encoded data.

    Parameters
    ----------
    folder
        The run folder; `create` makes one.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).resolve()
        self.data = self.folder / "data"
        if not (self.data / "about.json").is_file():
            raise RunError(
                say(en=f"{folder} is no run that can be resumed.",
                    zh=f"{folder} 不是可恢复的运行。"),
                hint=say(en="Give the folder that `autoglm run` named.",
                         zh="请给出 `autoglm run` 显示的文件夹。"),
            )  # fmt: skip

    @classmethod
    def create(
        cls,
        folder: Path | str,
        views: Mapping[str, Any],
        y: NDArray[Any],
        folds: Pairs,
        facts: Facts,
        metric: MetricChoice,
        groups: Mapping[str, NDArray[np.int64]] | None = None,
    ) -> Workspace:
        """Write the data of a run; all of it or none.

        `groups` has the codes of each row's groups by column, where groups are to be selected
        alike.

        Raises
        ------
        StorageError
            When the folder cannot be written.
        """
        about = {"facts": asdict(facts), "metric": asdict(metric), "n_folds": len(folds)}
        with write_folder(Path(folder) / "data") as scratch:
            for name, matrix in views.items():
                _save_matrix(scratch / name, matrix)
            np.save(scratch / "y.npy", y, allow_pickle=False)
            np.savez(scratch / "folds.npz", **_fold_arrays(folds))  # type: ignore[arg-type]
            if groups:
                np.savez(scratch / "groups.npz", *groups.values())
            (scratch / "about.json").write_text(json.dumps(about, ensure_ascii=False))
        return cls(folder)

    @cached_property
    def _about(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.data / "about.json").read_text("utf-8"))
        return loaded

    @cached_property
    def facts(self) -> Facts:
        """What learners may know of the task."""
        return facts_from(self._about["facts"])

    @cached_property
    def metric(self) -> MetricChoice:
        """The metric of the task and the scale of its target."""
        return MetricChoice(**self._about["metric"])

    @cached_property
    def y(self) -> NDArray[Any]:
        """Targets as learners see them."""
        return np.asarray(np.load(self.data / "y.npy", allow_pickle=False))

    @cached_property
    def groups(self) -> tuple[NDArray[np.int64], ...]:
        """Codes of each row's groups, one array a column; none where there is no such wish."""
        path = self.data / "groups.npz"
        if not path.is_file():
            return ()
        with np.load(path, allow_pickle=False) as stored:
            return tuple(np.asarray(stored[name], np.int64) for name in stored.files)

    @cached_property
    def folds(self) -> Pairs:
        """(train rows, validation rows) of every fold, all repeats one after the other."""
        with np.load(self.data / "folds.npz", allow_pickle=False) as stored:
            return [
                (stored[f"train{i}"], stored[f"valid{i}"]) for i in range(self._about["n_folds"])
            ]

    def fold_rows(self, fold: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows to fit on and those to validate on, none for a fit on all rows."""
        if fold <= ALL_ROWS:
            return np.arange(len(self.y)), np.zeros(0, dtype=np.int64)
        return self.folds[fold]

    def view(self, name: View) -> Any:
        """Return one view of all rows, memory-mapped where it is dense."""
        return _load_matrix(self.data / name)

    def fit_folder(self, key: str, fold: int) -> Path:
        """Return the folder of one fit."""
        if fold > ALL_ROWS:
            return self.folder / "folds" / key / str(fold)
        return self.folder / "folds" / key / ("all" if fold == ALL_ROWS else f"all{-fold}")

    def out_of_fold(self, key: str, fold: int) -> NDArray[np.float64]:
        """Return the predictions that a fit made for its validation rows."""
        return np.asarray(
            np.load(self.fit_folder(key, fold) / "oof.npy", allow_pickle=False), np.float64
        )

    def model_files(self, key: str, fold: int) -> dict[str, bytes]:
        """Return the files of a fitted model."""
        folder = self.fit_folder(key, fold)
        return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "oof.npy"}

    def store_prepared(self, files: Mapping[str, bytes]) -> None:
        """Keep what turns raw rows into views, for the bundle."""
        with write_folder(self.folder / "prepared") as scratch:
            for name, content in files.items():
                (scratch / name).write_bytes(content)

    def prepared(self) -> dict[str, bytes]:
        """Return what `store_prepared` kept."""
        return {p.name: p.read_bytes() for p in (self.folder / "prepared").iterdir()}

    def store_text(self, name: str, text: str) -> None:
        """Write a small text file of the run, whole or not at all."""
        write_file(self.folder / name, text)


def write_fit(folder: Path, oof: NDArray[Any], files: Mapping[str, bytes]) -> None:
    """Leave the result of a fit, durably, before it is acknowledged.

    Raises
    ------
    StorageError
        When it cannot be written; nothing is left behind.
    """
    with storage_errors(folder), write_folder(folder) as scratch:
        np.save(scratch / "oof.npy", oof.astype(np.float32), allow_pickle=False)
        for name, content in files.items():
            (scratch / name).write_bytes(content)


def facts_from(stored: Mapping[str, Any]) -> Facts:
    """Return `Facts` from their JSON form, where the keys of a mapping are text."""
    places = {
        name: {int(i): int(n) for i, n in stored.get(name, {}).items()}
        for name in ("categorical", "directions")
    }
    return Facts(**{**stored, **places})


def _fold_arrays(folds: Pairs) -> dict[str, NDArray[np.int64]]:
    arrays = {f"train{i}": train for i, (train, _) in enumerate(folds)}
    return arrays | {f"valid{i}": valid for i, (_, valid) in enumerate(folds)}


def _save_matrix(path: Path, matrix: Any) -> None:
    if isinstance(matrix, np.ndarray):
        np.save(path.with_suffix(".npy"), matrix, allow_pickle=False)
        return
    path.mkdir()
    for part in ("data", "indices", "indptr"):
        np.save(path / f"{part}.npy", getattr(matrix, part), allow_pickle=False)
    np.save(path / "shape.npy", np.array(matrix.shape), allow_pickle=False)


def _load_matrix(path: Path) -> Any:
    if path.with_suffix(".npy").exists():
        return np.load(path.with_suffix(".npy"), mmap_mode="r", allow_pickle=False)
    from scipy import sparse

    parts = [np.load(path / f"{part}.npy", mmap_mode="r", allow_pickle=False)
             for part in ("data", "indices", "indptr")]  # fmt: skip
    shape = tuple(np.load(path / "shape.npy", allow_pickle=False).tolist())
    return sparse.csr_matrix(tuple(parts), shape=shape, copy=False)
