"""`AutoClassifier` and `AutoRegressor`: the search as scikit-learn estimators."""

from __future__ import annotations

import shutil
import tempfile
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from autoglm.automl import AutoTask, TaskOptions
from autoglm.core.spec import TaskType
from autoglm.predictor import Predictor

TARGET = "__target__"


class _AutoEstimator(BaseEstimator):  # type: ignore[misc]
    """What both estimators share.

    Parameters
    ----------
    time_limit
        Seconds for a fit; None with `max_trials` for no limit.
    metric
        Metric to be best at; by default ROC AUC, log loss or RMSE, by the target.
    max_trials
        Trials in all; with it and ``time_limit=None`` a fit is a function of data and seed.
    random_state
        Seed of every random choice.
    workers
        Worker processes; None for one a core, 0 for none.

    Attributes
    ----------
    predictor_
        The finished `autoglm.Predictor`: leaderboard, report, save.
    n_features_in_, feature_names_in_
        As everywhere in scikit-learn.
    """

    def __init__(
        self,
        *,
        time_limit: float | None = 60.0,
        metric: str | None = None,
        max_trials: int | None = None,
        random_state: int = 0,
        workers: int | None = None,
    ) -> None:
        self.time_limit = time_limit
        self.metric = metric
        self.max_trials = max_trials
        self.random_state = random_state
        self.workers = workers

    predictor_: Predictor

    def _search(self, X: Any, y: NDArray[Any], task_type: TaskType) -> Predictor:
        table = self._frame(X).assign(**{TARGET: y})
        options = TaskOptions(seed=self.random_state, time_limit_s=self.time_limit)
        folder = tempfile.mkdtemp(prefix="autoglm-")
        try:
            task = AutoTask.create(
                task_type, dataset=table, target=TARGET, metric=self.metric, options=options
            )
            predictor = task.auto_build().launch(
                run_dir=folder, max_trials=self.max_trials, workers=self.workers
            )
            predictor.explain(time_limit_s=1.0)  # while the rows are there
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        predictor.run_dir = None
        return predictor

    def _frame(self, X: Any) -> pd.DataFrame:
        """Return the columns under names of our own: an array has none, a frame may have any."""
        if isinstance(X, pd.DataFrame):
            return X.set_axis([f"x{i}" for i in range(X.shape[1])], axis=1)
        return pd.DataFrame({f"x{i}": X[:, i] for i in range(X.shape[1])})

    def _checked(self, X: Any, *, reset: bool) -> Any:
        """Check shape and names; a frame keeps its columns' types."""
        numeric = "numeric" if not isinstance(X, pd.DataFrame) and not _holds_text(X) else None
        checked = validate_data(
            self,
            X,
            reset=reset,
            dtype=numeric,
            ensure_all_finite="allow-nan",
            ensure_min_samples=2 if reset else 1,
        )
        return X if isinstance(X, pd.DataFrame) else checked

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


class AutoClassifier(ClassifierMixin, _AutoEstimator):  # type: ignore[misc]
    """A classifier found by search.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = AutoClassifier(time_limit=None, max_trials=2, workers=0).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    """

    __doc__ = (__doc__ or "") + "\n" + (_AutoEstimator.__doc__ or "").split("\n", 1)[1]

    def fit(self, X: Any, y: Any) -> Self:
        """Search for the best classifier.

        Parameters
        ----------
        X
            (n, m) array or frame; numbers, text, dates and gaps are all right.
        y
            (n,) labels of any kind.
        """
        X = self._checked(X, reset=True)
        y = _target(y, len(X))
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"Classifier can't train when only one class is present: {y[0]!r}")
        kind: TaskType = "binary" if len(self.classes_) == 2 else "multiclass"
        self.predictor_ = self._search(X, codes, kind)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the (n,) labels of the rows."""
        check_is_fitted(self)
        codes = self.predictor_.predict(self._frame(self._checked(X, reset=False)))
        return np.asarray(self.classes_[codes.to_numpy().astype(np.int64)])

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return (n, k) probabilities, columns in the order of `classes_`."""
        check_is_fitted(self)
        table = self.predictor_.predict_proba(self._frame(self._checked(X, reset=False)))
        return np.asarray(table[list(range(len(self.classes_)))].to_numpy(), np.float64)


class AutoRegressor(RegressorMixin, _AutoEstimator):  # type: ignore[misc]
    """A regressor found by search."""

    __doc__ = (__doc__ or "") + "\n" + (_AutoEstimator.__doc__ or "").split("\n", 1)[1]

    def fit(self, X: Any, y: Any) -> Self:
        """Search for the best regressor.

        Parameters
        ----------
        X
            (n, m) array or frame; numbers, text, dates and gaps are all right.
        y
            (n,) numbers.
        """
        X = self._checked(X, reset=True)
        y = _target(y, len(X)).astype(np.float64)
        if not np.isfinite(y).all():
            raise ValueError("Input y contains NaN or infinity.")
        self.predictor_ = self._search(X, y, "regression")
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the (n,) predicted numbers of the rows."""
        check_is_fitted(self)
        found = self.predictor_.predict(self._frame(self._checked(X, reset=False)))
        return np.asarray(found.to_numpy(), np.float64)


def _target(y: Any, n_rows: int) -> NDArray[Any]:
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    target: NDArray[Any] = np.asarray(column_or_1d(y, warn=True))
    if len(target) != n_rows:
        raise ValueError(f"X and y have inconsistent numbers of rows: {n_rows}, {len(target)}")
    return target


def _holds_text(X: Any) -> bool:
    array = X if isinstance(X, np.ndarray) else np.asarray(X, dtype=object)
    return array.dtype.kind in "OUS" and any(isinstance(v, str) for v in array.ravel()[:1000])
