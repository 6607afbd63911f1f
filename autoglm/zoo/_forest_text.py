"""The trees of a LightGBM model text as flat arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_CATEGORICAL, _DEFAULT_LEFT, _MISSING = 1, 2, 2
_NAN_KIND = 2
_FIELDS = ("split_feature", "threshold", "left_child", "right_child", "decision_type",
           "leaf_value", "num_cat")  # fmt: skip


@dataclass(frozen=True)
class Forest:
    """All trees of a model, inner nodes and leaves one after the other.

    Attributes
    ----------
    n_outputs
        Raw scores a row; tree ``i`` adds to score ``i % n_outputs``.
    n_leaves
        (t,) leaves of each tree.
    feature, threshold, left, right
        (m,) of the inner nodes; children as LightGBM numbers them within a tree.
    nan_left
        (m,) whether NaN goes left.
    sets
        For inner nodes that split categories, by number: the codes that go left.
    value
        (l,) of the leaves.
    """

    n_outputs: int
    n_leaves: Ints
    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    nan_left: NDArray[np.bool_]
    sets: dict[int, Ints]
    value: Floats

    @property
    def tree_of_node(self) -> Ints:
        """Tree of each inner node (m,)."""
        return np.repeat(np.arange(len(self.n_leaves)), self.n_leaves - 1)


def read_forest(text: str) -> Forest | None:
    """Return the trees of a sound model text; None where a field is not in every tree."""
    lines = _lines(text)
    n_leaves = _joined(lines.get("num_leaves", []), np.int64)
    if any(len(lines.get(name, [])) != len(n_leaves) for name in _FIELDS):
        return None
    feature, left, right, kind = (
        _joined(lines[n], np.int64)
        for n in ("split_feature", "left_child", "right_child", "decision_type")
    )
    threshold = _joined(lines["threshold"], np.float64)
    inner = int((n_leaves - 1).sum())
    if {len(a) for a in (feature, left, right, kind, threshold)} != {inner}:
        return None
    # Where no gap was seen in training, a gap counts as 0.
    knows_nan = (kind >> _MISSING) & 3 == _NAN_KIND
    nan_left = np.where(knows_nan, kind & _DEFAULT_LEFT > 0, threshold >= 0.0)
    categorical = np.flatnonzero(kind & _CATEGORICAL)
    return Forest(
        n_outputs=int(lines["num_tree_per_iteration"][0]),
        n_leaves=n_leaves,
        feature=feature,
        threshold=threshold,
        left=left,
        right=right,
        nan_left=nan_left,
        sets=_sets(lines, n_leaves, threshold, categorical),
        value=_joined(lines["leaf_value"], np.float64),
    )


def _lines(text: str) -> dict[str, list[str]]:
    """Return what stands after each name, in the order of the trees."""
    found: dict[str, list[str]] = {}
    for line in text.partition("\nend of trees")[0].split("\n"):
        name, equals, value = line.partition("=")
        if equals:
            found.setdefault(name, []).append(value)
    return found


def _joined(lines: list[str], dtype: Any) -> NDArray[Any]:
    return np.fromstring(" ".join(lines), dtype, sep=" ")


def _sets(
    lines: dict[str, list[str]], n_leaves: Ints, threshold: Floats, nodes: Ints
) -> dict[int, Ints]:
    """Return the codes that go left, by number of the inner node."""
    if len(nodes) == 0:
        return {}
    trees = np.flatnonzero(_joined(lines["num_cat"], np.int64))
    bounds = [_joined([b], np.int64) for b in lines["cat_boundaries"]]
    words = [_joined([w], np.uint32) for w in lines["cat_threshold"]]
    place = {int(tree): i for i, tree in enumerate(trees)}
    of_node = np.repeat(np.arange(len(n_leaves)), n_leaves - 1)
    sets = {}
    for node in nodes.tolist():
        i, chosen = place[int(of_node[node])], int(threshold[node])
        bits = words[i][bounds[i][chosen] : bounds[i][chosen + 1]]
        sets[node] = np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little"))
    return sets
