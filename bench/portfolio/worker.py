"""Fits configurations on cached tables: jobs as lines of JSON in, results as lines out.

Kept apart from the job itself, so that a fit that hangs or crashes costs only itself.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from cache import write_predictions

from autoglm.tuner.scoring import Scorer
from autoglm.tuner.search import available_learners
from autoglm.tuner.workspace import Workspace
from autoglm.zoo.contract import Fold, Limits

#: Imported at the start, so that no fit pays for it.
IMPORTED = ("lightgbm", "sklearn.ensemble", "sklearn.linear_model", "sklearn.gaussian_process")


class Fits:
    """Fits on one cached table after the other; a table stays open until the next is named."""

    def __init__(self) -> None:
        self.learners = available_learners()
        self.folder, self.views = Path(), dict[Any, Any]()

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Fit on all folds and write the predictions; return scores and costs."""
        if Path(job["folder"]) != self.folder:
            self.folder, self.views = Path(job["folder"]), {}
            self.work = Workspace(self.folder)
        work, learner = self.work, self.learners[job["learner"]]
        X = self.views.setdefault(learner.view, None)
        if X is None:
            X = self.views[learner.view] = work.view(learner.view)
        scorer = Scorer(work.metric)
        shape = (len(work.y),) if work.facts.regression else (len(work.y), work.facts.n_classes)
        prediction = np.zeros(shape)
        out: dict[str, Any] = {"scores": [], "seconds": [], "row_us": 0.0, "size": 0}
        for number, (train, valid) in enumerate(work.folds):
            # What it costs is the time of the core: another process may share it.
            start = time.process_time()
            fold = Fold(X, work.y, train, valid)
            limits = Limits(time.monotonic() + job["seconds"], number)
            model = learner.fit(fold, job["params"], work.facts, limits)
            prediction[valid] = scorer.bounded(model.predict(X[valid]))
            out["seconds"].append(round(time.process_time() - start, 4))
            out["scores"].append(scorer.utility(work.y[valid], prediction[valid]))
            out["row_us"] += model.row_us
            out["size"] += sum(map(len, model.dump().values()))
        if not np.isfinite(prediction).all() or not np.isfinite(out["scores"]).all():
            raise ValueError("not finite")
        write_predictions(Path(job["predictions"]), prediction)
        return out


def main() -> None:
    """Serve jobs until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what fits print must not get into the answers
    for library in IMPORTED:
        importlib.import_module(library)
    fits = Fits()
    for line in sys.stdin:
        try:
            answer = fits.run(json.loads(line))
        except Exception as error:  # noqa: BLE001 - the worker boundary: a bad fit is a result
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
