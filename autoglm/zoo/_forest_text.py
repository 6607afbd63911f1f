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
    by_set
        (m,) whether an inner node splits categories.
    set_node, set_code
        (s,) inner node, in order, and code: one pair for each code that goes left.
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
    by_set: NDArray[np.bool_]
    set_node: Ints
    set_code: Ints
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
    by_set = kind & _CATEGORICAL > 0
    set_node, set_code = _sets(lines, n_leaves, threshold, np.flatnonzero(by_set))
    return Forest(
        n_outputs=int(lines["num_tree_per_iteration"][0]),
        n_leaves=n_leaves,
        feature=feature,
        threshold=threshold,
        left=left,
        right=right,
        nan_left=nan_left,
        by_set=by_set,
        set_node=set_node,
        set_code=set_code,
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
) -> tuple[Ints, Ints]:
    """Return (node, code) of each code that goes left at one of the nodes.

    A node's threshold is the number of its set among those of its tree; sets are bits in words
    of 32, and boundaries say where the words of a set begin and end.
    """
    if len(nodes) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    counts = _joined(lines["num_cat"], np.int64)
    trees = np.flatnonzero(counts)
    bounds = _joined(lines["cat_boundaries"], np.int64)
    words = _joined(lines["cat_threshold"], np.uint32)
    first_bound = np.cumsum(counts[trees] + 1) - (counts[trees] + 1)
    n_words = bounds[first_bound + counts[trees]]
    first_word = np.cumsum(n_words) - n_words
    place = np.zeros(len(n_leaves), np.int64)
    place[trees] = np.arange(len(trees))
    tree = place[np.repeat(np.arange(len(n_leaves)), n_leaves - 1)[nodes]]
    chosen = first_bound[tree] + threshold[nodes].astype(np.int64)
    length = bounds[chosen + 1] - bounds[chosen]
    within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    taken = words[np.repeat(first_word[tree] + bounds[chosen], length) + within]
    bits = np.unpackbits(taken.view(np.uint8).reshape(-1, 4), axis=1, bitorder="little")
    word, bit = np.nonzero(bits)
    return np.repeat(nodes, length)[word], within[word] * 32 + bit
