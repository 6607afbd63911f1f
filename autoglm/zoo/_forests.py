"""What the two forests of scikit-learn share: growing in batches, and becoming text."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoglm.core.space import Choice, Float, Int, Params, Space
from autoglm.zoo._boosters import TreeModel, load_trees, merge_trees
from autoglm.zoo._labels import require_rows, weights_of
from autoglm.zoo._trees import Tree, ensemble_text, forest_tree
from autoglm.zoo.contract import Facts, Fold, Learner, Limits, Model

#: Leaf values a dumped forest may hold; about 10 bytes each when compressed.
_LEAF_BUDGET = 250_000
_MAX_ROWS = 200_000
_MAX_CLASSES = 40
_FIRST_BATCH = 5
_SMOOTHING = 0.05


class Forest(Learner):
    """A forest grown in batches until it has its trees or time is up."""

    view = "tree"

    def suits(self, facts: Facts) -> bool:
        """Neither very many rows nor very many classes: text has its size."""
        return facts.n_rows <= _MAX_ROWS and facts.n_classes <= _MAX_CLASSES

    def space(self, facts: Facts) -> Space:
        """Leaf size, share of features tried at a split, split criterion."""
        criteria = ("squared_error",) if facts.regression else ("gini", "entropy")
        return {
            "min_samples_leaf": Int(1, 20, log=True),
            "max_features": Float(0.1, 1.0),
            "criterion": Choice(criteria),
        }

    def fit(self, fold: Fold, params: Params, facts: Facts, limits: Limits) -> TreeModel:
        """Grow ``params["n_estimators"]`` trees, fewer when the deadline comes first."""
        require_rows(fold, facts)
        X, y = np.asarray(fold.X[fold.train]), fold.y[fold.train]
        forest = self._forest(_settings(params, facts, len(y), limits.seed), facts)
        _grow(forest, X, y, weights_of(fold, fold.train), limits)
        outputs = 1 if facts.n_classes <= 2 else facts.n_classes
        trees = (_read(t.tree_, forest, facts) for t in forest.estimators_)
        text = ensemble_text(trees, n_features=X.shape[1], n_outputs=outputs, link="average")
        return TreeModel(text, 1 if facts.regression else facts.n_classes)

    @abstractmethod
    def _forest(self, settings: Params, facts: Facts) -> Any:
        """Return the unfitted scikit-learn forest."""

    def load(self, files: Mapping[str, bytes], facts: Facts) -> TreeModel:
        """Read the model text."""
        return load_trees(files, facts)

    def merge(self, models: Sequence[Model]) -> Model | None:
        """Average the probabilities in one model text."""
        return merge_trees(models)


def _settings(params: Params, facts: Facts, n_train: int, seed: int) -> Params:
    wanted = int(params.get("n_estimators", 100))
    outputs = 1 if facts.n_classes <= 2 else facts.n_classes
    # Grown to the end a tree has about two thirds as many leaves as n / min_samples_leaf.
    smallest = int(np.ceil(0.66 * n_train * wanted * outputs / _LEAF_BUDGET))
    own: Params = {"min_samples_leaf": 1} | params | {"n_estimators": wanted}
    own["min_samples_leaf"] = max(int(own["min_samples_leaf"]), smallest)
    return own | {"random_state": seed, "n_jobs": 1, "warm_start": True}


def _grow(forest: Any, X: Any, y: Any, weight: Any, limits: Limits) -> None:
    """Fit in batches that are predicted to end before the deadline."""
    total, grown = forest.n_estimators, 0
    batch = min(total, 1 if limits.left() < 1.0 else _FIRST_BATCH)
    while batch > 0:
        began = time.monotonic()
        forest.set_params(n_estimators=grown + batch)
        forest.fit(X, y, sample_weight=weight)
        grown += batch
        # Text and a first prediction cost about as much again as a quarter of the growing.
        each = 1.25 * (time.monotonic() - began) / batch
        affordable = limits.left() / max(each, 1e-6) - 0.25 * grown
        batch = int(min(total - grown, 4 * batch, max(0.0, affordable)))


def _read(tree: Any, forest: Any, facts: Facts) -> Tree:
    """Return a tree with one value column, or a column for each class of the task."""
    read = forest_tree(tree)
    if facts.regression:
        return read
    value = np.zeros((len(read.value), facts.n_classes))
    value[:, forest.classes_] = read.value
    # A pure leaf of few rows is no certainty: mix in a little of the shares at the root.
    trust = read.leaf_count[:, None] / (read.leaf_count[:, None] + _SMOOTHING)
    root = (read.leaf_count[:, None] * value).sum(axis=0) / read.leaf_count.sum()
    value = trust * value + (1 - trust) * root
    value = value[:, 1:] if facts.n_classes == 2 else value
    return Tree(**{**vars(read), "value": value})
