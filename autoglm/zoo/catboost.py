"""CatBoost: boosting with oblivious trees, trained where it is installed, kept as LightGBM text."""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autoglm.core.imports import need
from autoglm.core.space import Float, Int, Params, Space
from autoglm.zoo._boosters import TreeModel, load_trees, merge_trees
from autoglm.zoo._labels import require_rows, weights_of
from autoglm.zoo._trees import Link, Tree, ensemble_text, oblivious_tree
from autoglm.zoo.contract import Facts, Fold, Learner, Limits, Model

_MAX_ROUNDS = 2000
_PATIENCE = 50
_ABSOLUTE_METRICS = frozenset({"mae", "median_ae", "mape", "smape"})


class CatBoost(Learner):
    """Oblivious trees by CatBoost on numbers and category codes, one thread.

    Prediction needs no CatBoost: the trees are unfolded into LightGBM text.
    """

    name, view, extra, directed = "catboost", "tree", "catboost", True
    title = "Gradient boosted oblivious trees (CatBoost), kept as LightGBM text."

    def available(self) -> bool:
        """Return whether CatBoost is installed."""
        return importlib.util.find_spec("catboost") is not None

    def space(self, facts: Facts) -> Space:
        """Rate, depth, penalty, random strength."""
        return {
            "learning_rate": Float(0.03, 0.2, log=True),
            "depth": Int(3, 8),
            "l2_leaf_reg": Float(0.5, 20.0, log=True),
            "random_strength": Float(0.1, 5.0, log=True),
            "rsm": Float(0.4, 1.0),
        }

    def defaults(self, facts: Facts) -> Sequence[Params]:
        """One configuration near CatBoost's own."""
        return [{"learning_rate": 0.08, "depth": 6, "l2_leaf_reg": 3.0}]

    def fit(self, fold: Fold, params: Params, facts: Facts, limits: Limits) -> TreeModel:
        """Boost until validation loss stops falling, `rounds` are made or time is up."""
        require_rows(fold, facts)
        if np.ptp(fold.y[fold.train]) == 0:
            raise ValueError("CatBoost needs more than one value of the target")
        model = _train(fold, params, facts, limits)
        outputs = 1 if facts.n_classes <= 2 else facts.n_classes
        trees = _read(_exported(model), facts, [int(c) for c in getattr(model, "classes_", [])])
        text = ensemble_text(
            trees, n_features=fold.X.shape[1], n_outputs=outputs, link=_link(facts)
        )
        learned: Params = {"rounds": int(model.tree_count_)}
        return TreeModel(text, 1 if facts.regression else facts.n_classes, learned=learned)

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


class _Deadline:
    """The callback by which CatBoost asks after each round whether to go on."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    def after_iteration(self, info: Any) -> bool:
        """Return whether there is time for another round."""
        return self.limits.left() > 0


def _train(fold: Fold, params: Params, facts: Facts, limits: Limits) -> Any:
    catboost = need("catboost", extra="catboost", feature="CatBoost")

    def pool(rows: Any) -> Any:
        return catboost.Pool(np.asarray(fold.X[rows]), fold.y[rows], weight=weights_of(fold, rows))

    has_valid = len(fold.valid) > 0
    own = {name: value for name, value in params.items() if name != "rounds"}
    own |= {"iterations": int(params.get("rounds", _MAX_ROUNDS if has_valid else 300)),
            "loss_function": _goal(facts), "random_seed": limits.seed, "thread_count": 1,
            "allow_writing_files": False, "verbose": False}  # fmt: skip
    more: Params = {}
    if facts.directions:
        own["monotone_constraints"] = dict(facts.directions)
    if has_valid:
        own["use_best_model"] = True
        more = {"eval_set": pool(fold.valid), "early_stopping_rounds": _PATIENCE}
    model = catboost.CatBoost(own)
    try:
        return model.fit(pool(fold.train), callbacks=[_Deadline(limits)], **more)
    except catboost.CatBoostError as error:
        raise ValueError(f"CatBoost: {error}") from error


def _goal(facts: Facts) -> str:
    if facts.regression:
        absolute = facts.metric in _ABSOLUTE_METRICS and not facts.directions
        return "MAE" if absolute else "RMSE"
    return "Logloss" if facts.n_classes == 2 else "MultiClass"


def _exported(model: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        exported: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return exported


def _read(exported: Mapping[str, Any], facts: Facts, classes: Sequence[int]) -> Iterator[Tree]:
    """Unfold the trees; the bias goes into the leaves of the first one."""
    columns = exported["features_info"]["float_features"]
    scale, bias = exported["scale_and_bias"]
    start = np.asarray(bias, dtype=np.float64).ravel()
    for number, tree in enumerate(exported["oblivious_trees"]):
        splits = tree["splits"] or []
        values = np.asarray(tree["leaf_values"], dtype=np.float64).reshape(2 ** len(splits), -1)
        values = scale * values + (start if number == 0 else 0.0)
        used = [columns[split["float_feature_index"]] for split in splits]
        yield oblivious_tree(
            [column["flat_feature_index"] for column in used],
            [split["border"] for split in splits],
            [column["nan_value_treatment"] == "AsTrue" for column in used],
            _for_all_classes(values, facts, classes),
            np.asarray(tree["leaf_weights"], dtype=np.float64),
        )


def _for_all_classes(values: Any, facts: Facts, classes: Sequence[int]) -> Any:
    if facts.n_classes <= 2 or len(classes) == facts.n_classes:
        return values
    # Classes that no training row has get a score far below all others.
    full = np.full((len(values), facts.n_classes), -1.0)
    full[:, list(classes)] = values
    return full
