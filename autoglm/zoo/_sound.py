"""Checks on a LightGBM model text before LightGBM reads it.

LightGBM follows the numbers of a model text without looking at them: a child that is its own
ancestor is a loop without end, a feature that is not there a read outside the row. A saved
model may come from a stranger, so its trees must be trees.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def require_sound_tree(lines: dict[str, str], n_features: int) -> None:
    """Check one tree: every node reached once, from above, over features that exist.

    Parameters
    ----------
    lines
        The lines of the tree's block by name.
    n_features
        Number of features of the model.

    Raises
    ------
    ValueError
        When it is no such tree.
    """
    leaves = int(lines["num_leaves"])
    _require(leaves >= 1 and len(lines["leaf_value"].split()) == leaves, "leaves")
    if leaves == 1:
        return
    inner = leaves - 1
    left, right, feature = (
        _ints(lines[n], inner) for n in ("left_child", "right_child", "split_feature")
    )
    _require(bool(((feature >= 0) & (feature < n_features)).all()), "split_feature")
    parent = np.arange(inner)
    for child in (left, right):
        _require(bool((child[child >= 0] > parent[child >= 0]).all()), "children")
    children = np.concatenate([left, right])
    _require(np.array_equal(np.sort(children[children >= 0]), np.arange(1, inner)), "children")
    _require(np.array_equal(np.sort(~children[children < 0]), np.arange(leaves)), "children")
    kinds = _ints(lines["decision_type"], inner)
    thresholds = lines["threshold"].split()
    _require(len(thresholds) == inner, "threshold")
    _require_sound_sets(lines, [t for t, k in zip(thresholds, kinds, strict=True) if k & 1])


def _require_sound_sets(lines: dict[str, str], used: Sequence[str]) -> None:
    """Check that the sets of categories that splits use exist and lie within their bits."""
    sets = int(lines.get("num_cat", "0"))
    _require(0 <= sets < 10**8 and (sets > 0 or not used), "num_cat")
    if sets == 0:
        return
    _require(all(0 <= int(float(t)) < sets for t in used), "threshold")
    bounds = _ints(lines["cat_boundaries"], sets + 1)
    bits = len(lines["cat_threshold"].split())
    ordered = bounds[0] == 0 and bounds[-1] == bits and bool((np.diff(bounds) >= 0).all())
    _require(bool(ordered), "cat_boundaries")


def _ints(text: str, count: int) -> Ints:
    values = np.array(text.split(), dtype=np.int64)
    _require(len(values) == count, "lengths")
    return values


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"not a sound tree: {what}")
