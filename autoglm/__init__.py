"""Open-AutoGLM: a sentence and data become a model that is trained, explained and kept.

    from autoglm import AutoTask
    task = AutoTask.create(dataset="customers.csv", description="predict which customers churn")
    predictor = task.auto_build().launch(time_limit=60)

Names are loaded when they are first used, so that ``import autoglm`` stays quick.
"""

from __future__ import annotations

import importlib
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoglm.automl import AutoTask, Pipeline, TaskOptions, resume
    from autoglm.core.spec import TaskSpec
    from autoglm.dataflow.profile import profile_table
    from autoglm.dataflow.read import read_table
    from autoglm.estimators import AutoClassifier, AutoRegressor
    from autoglm.predictor import Predictor, load
    from autoglm.reason.reasoner import AutoReasoner

__version__ = "0.1.0"

__all__ = [
    "AutoClassifier",
    "AutoReasoner",
    "AutoRegressor",
    "AutoTask",
    "Pipeline",
    "Predictor",
    "TaskOptions",
    "TaskSpec",
    "__version__",
    "load",
    "profile_table",
    "read_table",
    "resume",
]

_HOMES = {
    "AutoClassifier": "autoglm.estimators",
    "AutoReasoner": "autoglm.reason.reasoner",
    "AutoRegressor": "autoglm.estimators",
    "AutoTask": "autoglm.automl",
    "Pipeline": "autoglm.automl",
    "Predictor": "autoglm.predictor",
    "TaskOptions": "autoglm.automl",
    "TaskSpec": "autoglm.core.spec",
    "load": "autoglm.predictor",
    "profile_table": "autoglm.dataflow.profile",
    "read_table": "autoglm.dataflow.read",
    "resume": "autoglm.automl",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'autoglm' has no attribute {name!r}")
    began = time.perf_counter()
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    importlib.import_module("autoglm.core.budget").LOADING.add(time.perf_counter() - began)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
