"""A learner of somebody else, who takes LightGBM by its wrapper and gives it a frame."""

from __future__ import annotations

from typing import ClassVar

from autoglm.core.hooks import hookimpl
from autoglm.core.space import Params
from autoglm.zoo.contract import Facts, Fold, Learner, Limits, Model
from autoglm.zoo.linear import Linear


class Wrapped(Linear):
    """Fits like `Linear` once LightGBM's classifier has learned from a frame."""

    name: ClassVar[str] = "wrapped"

    def fit(self, fold: Fold, params: Params, facts: Facts, limits: Limits) -> Model:
        """Import late, as plug-ins do."""
        import pandas as pd
        from lightgbm import LGBMClassifier

        frame = pd.DataFrame(fold.X[fold.train]).rename(columns=str)
        LGBMClassifier(n_estimators=2, verbosity=-1).fit(frame, fold.y[fold.train])
        return super().fit(fold, {}, facts, limits)


@hookimpl
def autoglm_learners() -> list[Learner]:
    """Return it."""
    return [Wrapped()]
