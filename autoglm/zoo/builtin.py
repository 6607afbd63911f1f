"""The learners that come with the package, registered through the same hook as any plug-in's."""

from __future__ import annotations

from collections.abc import Sequence

from autoglm.core.hooks import hookimpl
from autoglm.zoo.catboost import CatBoost
from autoglm.zoo.constant import Constant
from autoglm.zoo.contract import Learner
from autoglm.zoo.elastic import Elastic
from autoglm.zoo.extra_trees import ExtraTrees
from autoglm.zoo.hist_gbm import HistGBM
from autoglm.zoo.knn import NearestNeighbours
from autoglm.zoo.lightgbm import LightGBM
from autoglm.zoo.linear import Linear, LinearText
from autoglm.zoo.mlp import MLP
from autoglm.zoo.random_forest import RandomForest
from autoglm.zoo.spline_linear import SplineLinear


@hookimpl
def autoglm_learners() -> Sequence[Learner]:
    """Return the built-in learners, in the order in which they are worth trying."""
    return [
        Constant(),
        Linear(),
        LinearText(),
        LightGBM(),
        CatBoost(),
        ExtraTrees(),
        MLP(),
        NearestNeighbours(),
        HistGBM(),
        RandomForest(),
        Elastic(),
        SplineLinear(),
    ]
