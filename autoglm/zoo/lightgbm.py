"""LightGBM: gradient boosting with native categories, the backbone of the search."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoglm.core.space import Choice, Float, Int, Params, Space
from autoglm.zoo._boosters import TreeModel
from autoglm.zoo._cook import cook
from autoglm.zoo._cooked import CookedTrees, load_cooked, merge_cooked
from autoglm.zoo._labels import require_rows, weights_of
from autoglm.zoo._recipe import Recipe
from autoglm.zoo.contract import Facts, Fold, Learner, Limits, Model
from autoglm.zoo.costs import boosting_seconds

_ABSOLUTE_METRICS = frozenset({"mae", "median_ae", "mape", "smape"})
_MAX_ROUNDS = 4000
#: Seconds, about: to write a leaf, and to send a row through a tree. They count against the
#: deadline, because a model nobody has time to write is of no use.
_WRITE_S, _PREDICT_S = 5e-6, 6e-8


class LightGBM(Learner):
    """Boosted trees by LightGBM, one thread, stopped early on validation rows."""

    name, view, directed = "lightgbm", "tree", True
    title = "Gradient boosted trees (LightGBM) with native categories."

    def __init__(self) -> None:
        self._key: tuple[Any, ...] = ()
        self._tables: dict[tuple[int, ...], Any] = {}

    def space(self, facts: Facts) -> Space:
        """Sizes, rates and penalties around the tuned defaults; how categories are split."""
        return {
            "learning_rate": Float(0.02, 0.25, log=True),
            "num_leaves": Int(4, min(255, max(8, facts.n_rows // 8)), log=True),
            "min_data_in_leaf": Int(2, int(np.clip(facts.n_rows // 20, 5, 120)), log=True),
            "feature_fraction_bynode": Float(0.2, 1.0),
            "bagging_fraction": Float(0.5, 1.0),
            "lambda_l1": Float(1e-4, 10.0, log=True),
            "lambda_l2": Float(1e-3, 30.0, log=True),
            "extra_trees": Choice((False, True)),
            **(_ways() if facts.categorical else {}),
        }

    def defaults(self, facts: Facts) -> Sequence[Params]:
        """Nine configurations that differ in kind: tuned, random splits, shallow, wide, ..."""
        return _portfolio(facts)

    def fit(
        self, fold: Fold, params: Params, facts: Facts, limits: Limits
    ) -> TreeModel | CookedTrees:
        """Boost until validation loss stops falling, `rounds` are made or time is up.

        ``params["rounds"]`` bounds the rounds; without validation rows it is their number.
        ``params["features"]`` names a recipe of columns of the member's own, see
        `autoglm.zoo._recipe`.
        """
        import lightgbm

        require_rows(fold, facts)
        settings = _settings(params, facts, len(fold.train), limits.seed)
        # Category codes are in natural order: grades may be cut like numbers.
        categorical = () if params.get("ordinal") else tuple(sorted(facts.categorical))
        # Beside a column that is held to a direction, one made of it would not be.
        recipe = None if facts.directions else params.get("features")
        made = cook(recipe, fold, facts, limits) if recipe else None
        if made is None:
            used = [rows for rows in (fold.train, fold.valid) if len(rows)]
            parts = [self._subset(fold, rows, categorical) for rows in used]
        else:
            parts = _tables(*made, fold, categorical)
        booster = lightgbm.Booster(settings, parts[0])
        if len(fold.valid):
            booster.add_valid(parts[1], "valid")
        booster.best_iteration = _boost(booster, params, fold, limits)
        n_classes = 1 if facts.regression else facts.n_classes
        learned: Params = {"rounds": booster.best_iteration}
        trees = TreeModel(booster, n_classes, learned)
        return trees if made is None else CookedTrees(made[0], trees, learned)

    def load(self, files: Mapping[str, bytes], facts: Facts) -> TreeModel | CookedTrees:
        """Read the model text, and the recipe where there is one."""
        return load_cooked(files, facts)

    def merge(self, models: Sequence[Model]) -> Model | None:
        """Average the raw scores in one model text."""
        return merge_cooked(models)

    def _subset(self, fold: Fold, rows: Any, categorical: tuple[int, ...]) -> Any:
        """Return some rows of the one binned table that all folds of a process share."""
        rows = np.sort(rows)
        data = self._binned(fold.X, categorical).subset(rows)
        data.construct()
        data.set_label(fold.y[rows])
        weight = weights_of(fold, rows)
        if weight is not None:
            data.set_weight(weight)
        return data

    def _binned(self, X: Any, categorical: tuple[int, ...]) -> Any:
        import lightgbm

        key = (_identity(X), X.shape)
        if key != self._key:
            self._tables, self._key = {}, key
        if categorical not in self._tables:
            data = lightgbm.Dataset(
                X,
                label=np.zeros(X.shape[0]),
                feature_name=[f"f{i}" for i in range(X.shape[1])],
                categorical_feature=list(categorical),
                params=_DATASET,
                free_raw_data=False,
            )
            self._tables[categorical] = data.construct()
        return self._tables[categorical]


def _tables(recipe: Recipe, rows: Any, fold: Fold, categorical: tuple[int, ...]) -> list[Any]:
    """Return training and validation rows with the columns of a recipe, binned for this fit."""
    import lightgbm

    names = [f"f{i}" for i in range(rows.shape[1])]
    train = lightgbm.Dataset(
        rows,
        label=fold.y[fold.train],
        weight=weights_of(fold, fold.train),
        feature_name=names,
        categorical_feature=list(categorical),
        params=_DATASET,
    )
    if len(fold.valid) == 0:
        return [train]
    own = fold.valid
    valid = train.create_valid(
        recipe.append(fold.X[own]),
        label=fold.y[own],
        weight=weights_of(fold, own),
        params=_DATASET,
    )
    return [train, valid]


def _identity(X: Any) -> tuple[Any, ...]:
    """Tell tables apart: a whole mapped file by its name and time, others by the object."""
    if isinstance(getattr(X, "base", None), mmap.mmap) and X.filename:
        return str(X.filename), os.stat(X.filename).st_mtime_ns
    return (id(X),)


#: Sets of codes up to this size are split off one code at a time, and all up to the other.
_SETS, _EACH = 4, 1000


def _ways() -> Space:
    """Return the ways to split categories: in order, one at a time, or in sets."""
    return {"ordinal": Choice((False, True)), "max_cat_to_onehot": Choice((_SETS, _EACH))}


#: Parameters that LightGBM does not know.
_OURS = ("rounds", "ordinal", "features")

_DATASET: Params = {
    "verbosity": -1,
    "num_threads": 1,
    "force_row_wise": True,
    "deterministic": True,
    "feature_pre_filter": False,
    "min_data_in_bin": 1,
    "max_bin": 255,
    "data_random_seed": 1,
}


def _settings(params: Params, facts: Facts, n_train: int, seed: int) -> Params:
    """Return LightGBM's own parameters."""
    if facts.regression:
        # LightGBM moves the leaves of an absolute loss afterwards, which keeps no direction.
        absolute = facts.metric in _ABSOLUTE_METRICS and not facts.directions
        goal: Params = {"objective": "regression_l1" if absolute else "regression"}
    elif facts.n_classes == 2:
        goal = {"objective": "binary"}
    else:
        goal = {"objective": "multiclass", "num_class": facts.n_classes}
    own = {name: value for name, value in params.items() if name not in _OURS}
    small: Params = {}
    if n_train < 100:
        # A leaf must be able to exist at all.
        small["min_data_in_leaf"] = min(int(own.get("min_data_in_leaf", 20)), max(1, n_train // 5))
    held: Params = {}
    if facts.directions:
        signs = [facts.directions.get(i, 0) for i in range(facts.n_features["tree"])]
        held = {"monotone_constraints": signs, "monotone_constraints_method": "intermediate"}
    bagging: Params = {"bagging_freq": 1 if own.get("bagging_fraction", 1.0) < 1.0 else 0}
    cats: Params = {"max_cat_to_onehot": _SETS, "cat_smooth": 10.0, "cat_l2": 10.0}
    return _DATASET | cats | goal | bagging | held | {"seed": seed} | own | small


def _boost(booster: Any, params: Params, fold: Fold, limits: Limits) -> int:
    """Add trees; return how many to keep."""
    rounds = int(params.get("rounds", _MAX_ROUNDS if len(fold.valid) else 200))
    patience = _patience(float(params.get("learning_rate", 0.1)), len(fold.train))
    best, best_loss, slowest = 1, float("inf"), 0.0
    after = booster.num_model_per_iteration() * (
        _WRITE_S * int(params.get("num_leaves", 31)) + _PREDICT_S * len(fold.valid)
    )
    for done in range(1, rounds + 1):
        began = time.monotonic()
        exhausted = booster.update()
        if len(fold.valid):
            now = booster.eval_valid()[0][2]
            if now < best_loss:
                best, best_loss = done, now
            elif done - best >= patience:
                break
        else:
            best = done
        slowest = max(slowest, time.monotonic() - began)
        if exhausted or limits.left() < 2 * slowest + done * after:
            break
    return best


def _patience(learning_rate: float, n_train: int) -> int:
    """Return rounds without progress to bear: more for small steps, fewer for tiny data."""
    return int(np.clip(3.0 / learning_rate, 25, 100 if n_train > 1000 else 60))


def _portfolio(facts: Facts) -> list[Params]:
    """Return configurations that differ in kind; sizes of trees follow the number of rows."""
    n, leaves = facts.n_rows, _usual_leaves(facts)
    smallest = 3 if facts.regression else int(np.clip(n // 60, 4, 40))
    # Features are drawn anew at each split: trees differ more than with a draw for each tree.
    usual: Params = {
        "learning_rate": 0.05,
        "num_leaves": leaves,
        "min_data_in_leaf": smallest,
        "feature_fraction_bynode": 0.5,
        "bagging_fraction": 0.75,
        "lambda_l2": 1.0,
    }
    codes: Params = {"ordinal": True} if facts.categorical else {}
    each: Params = {"max_cat_to_onehot": _EACH} if facts.categorical else {}
    portfolio: list[Params] = [
        usual,
        usual | {"extra_trees": True, "learning_rate": 0.08, "feature_fraction_bynode": 0.6,
                 "num_leaves": max(8, leaves)} | codes,
        usual | {"learning_rate": 0.1, "num_leaves": 4 if n < 4000 else 8},
        usual | {"learning_rate": 0.06, "feature_fraction_bynode": 0.3, "lambda_l2": 10.0,
                 "num_leaves": 2 * leaves},
        usual | {"learning_rate": 0.1, "feature_fraction_bynode": 1.0, "bagging_fraction": 0.9,
                 "num_leaves": max(16, leaves), "min_data_in_leaf": max(2, smallest // 4)} | codes,
        usual | {"learning_rate": 0.12, "num_leaves": 3, "bagging_fraction": 0.6},
        usual | {"features": "target+cross+arithmetic"} | codes,
        usual | {"features": "arithmetic", "learning_rate": 0.1,
                 "num_leaves": 4 if n < 4000 else 8},
        # Nothing is left to chance: small trees over all features, one category at a time.
        usual | {"learning_rate": 0.1, "num_leaves": 8, "feature_fraction_bynode": 1.0,
                 "bagging_fraction": 1.0, "min_data_in_leaf": max(2, smallest // 4)} | each,
    ]  # fmt: skip
    return [one | {"learning_rate": _affordable_rate(one, facts)} for one in portfolio]


_MOST_RATE, _MOST_HASTE = 0.3, 4.0


def _usual_leaves(facts: Facts) -> int:
    leaves = int(np.clip(facts.n_rows // 80, 6, 96 if facts.regression else 50))
    # Every class has a tree of its own in each round: make them fewer and smaller.
    return max(6, leaves // 2) if facts.n_classes > 6 else leaves


def _affordable_rate(params: Params, facts: Facts) -> float:
    """Return the learning rate, raised where a fit would otherwise take too long.

    The rounds that a fit needs fall about as the learning rate rises.
    """
    rate = float(params["learning_rate"])
    if facts.fit_seconds is None:
        return rate
    leaves = (0.3 + 0.7 * params["num_leaves"] / 31) / (0.3 + 0.7 * _usual_leaves(facts) / 31)
    needed = boosting_seconds(facts) * leaves * 0.05 / rate
    haste = float(np.clip(needed / facts.fit_seconds, 1.0, _MOST_HASTE))
    return round(min(rate * haste, _MOST_RATE), 4)
