"""scikit-learn's histogram gradient boosting: a second opinion on boosting."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from autoglm.core.space import Float, Int, Params, Space
from autoglm.zoo._boosters import TreeModel, load_trees, merge_trees
from autoglm.zoo._labels import require_rows, weights_of
from autoglm.zoo._trees import Link, Tree, ensemble_text, histogram_tree
from autoglm.zoo.contract import Facts, Fold, Learner, Limits, Model

_MAX_ROUNDS = 1000
_PATIENCE = 20
_ABSOLUTE_METRICS = frozenset({"mae", "median_ae", "mape", "smape"})


class HistGBM(Learner):
    """Histogram boosting with categories as ordered codes, kept as LightGBM text."""

    name, view, directed = "hist_gbm", "tree", True
    title = "Histogram gradient boosting (scikit-learn), kept as LightGBM text."

    def space(self, facts: Facts) -> Space:
        """Rate, size and penalty."""
        return {
            "learning_rate": Float(0.02, 0.3, log=True),
            "max_leaf_nodes": Int(4, 127, log=True),
            "min_samples_leaf": Int(2, 100, log=True),
            "l2_regularization": Float(1e-3, 30.0, log=True),
            "max_features": Float(0.3, 1.0),
        }

    def defaults(self, facts: Facts) -> Sequence[Params]:
        """One configuration, half the features at each split."""
        leaf = int(np.clip(facts.n_rows // 60, 3, 20))
        return [{"learning_rate": 0.08, "max_leaf_nodes": 24, "min_samples_leaf": leaf,
                 "l2_regularization": 1.0, "max_features": 0.5}]  # fmt: skip

    def fit(self, fold: Fold, params: Params, facts: Facts, limits: Limits) -> TreeModel:
        """Boost in growing batches; stop on validation loss or at the deadline."""
        require_rows(fold, facts)
        y = fold.y[fold.train]
        if not facts.regression and len(np.unique(y)) < facts.n_classes:
            raise ValueError("histogram boosting needs every class among the training rows")
        model = _grow(fold, params, facts, limits)
        rounds = _best_round(model, len(fold.valid) > 0)
        outputs = 1 if facts.n_classes <= 2 else facts.n_classes
        text = ensemble_text(
            _read(model, rounds),
            n_features=fold.X.shape[1],
            n_outputs=outputs,
            link=_link(facts),
        )
        n_classes = 1 if facts.regression else facts.n_classes
        return TreeModel(text, n_classes, learned={"rounds": rounds})

    def load(self, files: Mapping[str, bytes], facts: Facts) -> TreeModel:
        """Read the model text."""
        return load_trees(files, facts)

    def merge(self, models: Sequence[Model]) -> Model | None:
        """Average the raw scores in one model text."""
        return merge_trees(models)


def _link(facts: Facts) -> Link:
    if facts.regression:
        return "identity"
    return "binary" if facts.n_classes == 2 else "multiclass"


def _estimator(params: Params, facts: Facts, has_valid: bool, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    own = {name: value for name, value in params.items() if name != "rounds"}
    if facts.directions:
        signs = [facts.directions.get(i, 0) for i in range(facts.n_features["tree"])]
        own["monotonic_cst"] = signs
    own |= {"warm_start": True, "random_state": seed, "n_iter_no_change": _PATIENCE,
            "early_stopping": has_valid, "categorical_features": None, "tol": 0.0}  # fmt: skip
    if not facts.regression:
        return HistGradientBoostingClassifier(**own)
    # The leaves of an absolute loss are moved afterwards, which keeps no direction.
    absolute = facts.metric in _ABSOLUTE_METRICS and not facts.directions
    goal = "absolute_error" if absolute else "squared_error"
    return HistGradientBoostingRegressor(loss=goal, **own)


def _grow(fold: Fold, params: Params, facts: Facts, limits: Limits) -> Any:
    """Fit in batches of rounds, each begun only if it should end in time."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    has_valid = len(fold.valid) > 0
    model = _estimator(params, facts, has_valid, limits.seed)
    data: Params = {"X": fold.X[fold.train], "y": fold.y[fold.train],
                    "sample_weight": weights_of(fold, fold.train)}  # fmt: skip
    if has_valid:
        data |= {"X_val": fold.X[fold.valid], "y_val": fold.y[fold.valid],
                 "sample_weight_val": weights_of(fold, fold.valid)}  # fmt: skip
    total = int(params.get("rounds", _MAX_ROUNDS if has_valid else 100))
    batch, done = min(total, 10 if limits.left() > 1.0 else 1), 0
    while batch > 0:
        began = time.monotonic()
        with threadpool_limits(1, user_api="openmp"):
            model.set_params(max_iter=done + batch).fit(**data)
        if model.n_iter_ < done + batch:
            break
        done += batch
        each = 1.6 * (time.monotonic() - began) / batch
        batch = int(min(total - done, 2 * batch, max(0.0, limits.left() / max(each, 1e-6))))
    return model


def _best_round(model: Any, has_valid: bool) -> int:
    scores = np.asarray(model.validation_score_) if has_valid else np.zeros(0)
    if len(scores) < 2:
        return int(model.n_iter_)
    return max(1, int(np.argmax(scores)))


def _read(model: Any, rounds: int) -> Iterator[Tree]:
    """Give the trees in order, the baseline added to the leaves of the first ones."""
    baseline = np.asarray(model._baseline_prediction, dtype=np.float64).ravel()
    for number, trees in enumerate(model._predictors[:rounds]):
        for output, predictor in enumerate(trees):
            tree = histogram_tree(predictor.nodes)
            if number == 0:
                tree = Tree(**{**vars(tree), "value": tree.value + baseline[output]})
            yield tree
