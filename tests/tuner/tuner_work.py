"""A small prepared run that the tuner's tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes

from autoglm.dataflow.columns import Column, Columns
from autoglm.dataflow.encode import Encoder
from autoglm.dataflow.split import make_folds
from autoglm.tuner.scoring import MetricChoice
from autoglm.tuner.workspace import Workspace
from autoglm.zoo.contract import Facts

ROWS = 300


def build_work(folder: Path, *, regression: bool = False) -> Workspace:
    """Write a run folder with encoded data of a bundled set."""
    bundle = load_diabetes() if regression else load_breast_cancer()
    X, y = bundle.data[:ROWS], bundle.target[:ROWS]
    columns = Columns(
        {f"c{i}": Column("number", X[:, i].astype(np.float64)) for i in range(X.shape[1])}, len(X)
    )
    encoder = Encoder.fit(columns)
    views = encoder.transform(columns, {"tree", "dense"})
    choice = MetricChoice("roc_auc")
    if regression:
        mean, scale = float(y.mean()), float(y.std())
        y = (y - mean) / scale
        choice = MetricChoice("rmse", None, mean, scale, float(y.min()), float(y.max()))
    facts = Facts(
        task_type="regression" if regression else "binary",
        n_classes=1 if regression else 2,
        n_rows=len(X),
        n_features={name: matrix.shape[1] for name, matrix in views.items()},
        metric=choice.name,
    )
    split = "random" if regression else "stratified"
    folds = make_folds(y, split=split, n_folds=3, seed=0)
    return Workspace.create(folder, views, y, folds, facts, choice)
