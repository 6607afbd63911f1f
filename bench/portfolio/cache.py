"""What the job leaves: one JSON line a finished (table, configuration), predictions beside it.

results.jsonl                   a line for each configuration on each cut of a table
tables/<cut>/                   the encoded cut, as a run keeps it
tables/<cut>/about-cut.json     its source, kind and rows
oof/<cut>/<learner>-<n>.npz     out-of-fold predictions of all rows
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: With more classes than this, predictions are kept in half precision.
FULL_PRECISION_CLASSES = 6


class Cache:
    """The cache folder of a job.

    Parameters
    ----------
    folder
        Made when absent. A line that a kill left torn is cut off.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "results.jsonl"
        self.records: list[dict[str, Any]] = []
        if self.path.exists():
            content = self.path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            if whole != content:
                os.truncate(self.path, len(whole))
            self.records = [json.loads(line) for line in whole.splitlines()]

    def append(self, record: dict[str, Any]) -> None:
        """Add a line, durably."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.records.append(record)

    def table(self, cut: str) -> Path:
        """Return the folder of an encoded cut."""
        return self.folder / "tables" / cut

    def predictions(self, cut: str, configuration: str) -> Path:
        """Return the file of a configuration's predictions."""
        return self.folder / "oof" / cut / (configuration.replace("/", "-") + ".npz")


def write_predictions(path: Path, prediction: NDArray[Any]) -> None:
    """Write predictions (n,) or (n, k), whole or not at all; of two classes the second."""
    if prediction.ndim == 2 and prediction.shape[1] == 2:
        prediction = prediction[:, 1]
    many = prediction.ndim == 2 and prediction.shape[1] > FULL_PRECISION_CLASSES
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(f".{os.getpid()}.tmp")
    with scratch.open("wb") as file:
        np.savez_compressed(file, p=prediction.astype(np.float16 if many else np.float32))
    os.replace(scratch, path)


def read_predictions(path: Path, kind: str) -> NDArray[np.float32]:
    """Return predictions as learners give them: (n, k) probabilities or (n,) values."""
    with np.load(path, allow_pickle=False) as stored:
        p = stored["p"].astype(np.float32)
    return np.stack([1 - p, p], axis=1) if kind == "binary" else p
