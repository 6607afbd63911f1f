"""A learner and a metric from outside take part in a run, in worker processes too."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from sklearn.datasets import load_breast_cancer

from autoglm import AutoTask, load
from autoglm.core import hooks

SOURCE = '''
import json
import numpy as np
from autoglm.core.hooks import hookimpl
from autoglm.evaluate.metrics import Metric
from autoglm.zoo.contract import Learner, Model


class ShareModel(Model):
    """The share of the positive class."""

    def __init__(self, share):
        self.share = share

    def predict(self, X):
        return np.tile([1 - self.share, self.share], (X.shape[0], 1))

    def dump(self):
        return {"share.json": json.dumps(self.share).encode()}


class Share(Learner):
    name, view, title = "share", "dense", "Share of the positive class."

    def space(self, facts):
        return {}

    def defaults(self, facts):
        return [{}]

    def fit(self, fold, params, facts, limits):
        return ShareModel(float(fold.y[fold.train].mean()))

    def load(self, files, facts):
        return ShareModel(json.loads(files["share.json"]))


def youden(y, prediction, weight=None):
    said = prediction == 1
    return float(said[y == 1].mean() - said[y == 0].mean())


@hookimpl
def autoglm_learners():
    return [Share()]


@hookimpl
def autoglm_metrics():
    return [Metric("youden", ("binary",), "label", True, youden, "Youden", "约登", (-1.0, 1.0))]
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A plug-in module on the path, registered for one test."""
    (tmp_path / "share_plugin.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("share_plugin")
    hooks.register(module)
    yield module
    hooks.manager().unregister(module)
    del sys.modules["share_plugin"]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_learner_from_outside(plugin: ModuleType, tmp_path: Path, workers: int) -> None:
    table = load_breast_cancer(as_frame=True).frame
    pipeline = AutoTask.create(dataset=table, target="target", metric="youden").auto_build()
    assert "share" in pipeline.learners
    pipeline.learners = ["linear", "share"]
    model = pipeline.launch(run_dir=tmp_path / "runs", max_trials=2, workers=workers)
    board = model.leaderboard()
    assert set(board["learner"]) == {"ensemble", "linear", "share"}
    assert model.evaluate(table)["youden"] > 0.8

    pipeline.learners = ["share"]
    alone = pipeline.launch(run_dir=tmp_path / "runs", max_trials=1, workers=workers)
    again = load(alone.save(tmp_path / f"share-{workers}.aglm"))
    proba = again.predict_proba(table)
    assert proba[1].iloc[0] == pytest.approx(table["target"].mean(), abs=0.02)
