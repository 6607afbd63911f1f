"""Checks on a LightGBM model text before LightGBM reads it.

LightGBM follows the numbers of a model text without looking at them: a child that is its own
ancestor is a loop without end, a feature that is not there a read outside the row. A saved
model may come from a stranger, so its trees must be trees.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Blocks = Sequence[Mapping[str, str]]


def require_sound_trees(trees: Blocks, n_features: int) -> None:
    """Check all trees at once: every node reached once, from above, over features that exist.

    Parameters
    ----------
    trees
        The lines of each tree's block by name.
    n_features
        Number of features of the model.

    Raises
    ------
    KeyError
        When a tree lacks a line.
    ValueError
        When one of them is no such tree.
    """
    one = np.ones(len(trees), np.int64)
    leaves = _numbers(trees, "num_leaves", one)
    _require(bool((leaves >= 1).all()), "num_leaves")
    _numbers(trees, "leaf_value", leaves, np.float64)
    inner = leaves - 1
    feature, left, right, kind = (
        _numbers(trees, name, inner)
        for name in ("split_feature", "left_child", "right_child", "decision_type")
    )
    threshold = _numbers(trees, "threshold", inner, np.float64)
    _require(bool(((feature >= 0) & (feature < n_features)).all()), "split_feature")
    tree = np.repeat(np.arange(len(trees)), inner)
    first = np.cumsum(inner) - inner
    parent = np.arange(len(tree)) - first[tree]
    _require_reached(left, right, parent, tree, inner)
    sets = _numbers(trees, "num_cat", one)
    cut = (kind & 1) == 1
    within = (threshold[cut] >= 0) & (threshold[cut] < sets[tree[cut]])
    _require(bool(((sets >= 0) & (sets < 10**8)).all()), "num_cat")
    _require(bool(within.all()), "threshold")
    split = np.flatnonzero(sets)
    _require_sound_sets([trees[i] for i in split.tolist()], sets[split])


def _require_reached(left: Ints, right: Ints, parent: Ints, tree: Ints, inner: Ints) -> None:
    """Check that children lie below their parents, and all but the roots are children once."""
    child = np.concatenate([left, right])
    tree = np.concatenate([tree, tree])
    is_node = child >= 0
    below = (child > np.concatenate([parent, parent])) & (child < inner[tree])
    _require(bool(below[is_node].all()), "children")
    leaf = ~child[~is_node]
    _require(bool((leaf <= inner[tree[~is_node]]).all()), "children")
    # Numbers from 0 in each tree become numbers among all nodes, and among all leaves.
    nodes = (np.cumsum(inner) - inner)[tree[is_node]] + child[is_node]
    leaves = (np.cumsum(inner + 1) - inner - 1)[tree[~is_node]] + leaf
    split = inner > 0
    _require(len(nodes) == len(np.unique(nodes)) == int(inner.sum() - split.sum()), "children")
    _require(len(leaves) == len(np.unique(leaves)) == int((inner + 1)[split].sum()), "children")


def _require_sound_sets(trees: Blocks, sets: Ints) -> None:
    """Check that the sets of categories of each tree lie within its bits."""
    bounds = _numbers(trees, "cat_boundaries", sets + 1)
    bits = np.array([len(tree["cat_threshold"].split()) for tree in trees], np.int64)
    words = _numbers(trees, "cat_threshold", bits)
    _require(bool(((words >= 0) & (words < 2**32)).all()), "cat_threshold")
    last = np.cumsum(sets + 1) - 1
    steps = np.diff(bounds)
    steps[last[:-1]] = 0  # from one tree to the next
    ordered = (bounds[last - sets] == 0).all() and (bounds[last] == bits).all()
    _require(bool(ordered) and bool((steps >= 0).all()), "cat_boundaries")


def _numbers(trees: Blocks, name: str, counts: Ints, kind: Any = np.int64) -> NDArray[Any]:
    """Return the numbers in one line of every tree, one tree after the other."""
    texts = [tree[name] for tree in trees]
    found = [text.count(" ") + 1 if text else 0 for text in texts]
    _require(found == counts.tolist(), "lengths")
    with warnings.catch_warnings():
        # What is no number ends the reading: with an error, or with a warning and too few.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            values = np.fromstring(" ".join(filter(None, texts)), kind, sep=" ")
        except ValueError:
            values = np.zeros(0, kind)
    _require(len(values) == int(counts.sum()), name)
    return values


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"not a sound tree: {what}")
