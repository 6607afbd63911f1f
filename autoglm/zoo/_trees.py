"""Foreign tree ensembles written as LightGBM model text.

Forests and boosters of other libraries are trained where those libraries are good, and
kept and predicted in one safe text format that needs none of them. The format is that of
``LightGBM/src/io/tree.cpp``: inner nodes 0..m-2 with node 0 the root, a child ``~i`` is
leaf ``i``, a row goes left when its value is not above the threshold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autoglm.zoo._boosters import between_floats, join_text
from autoglm.zoo.contract import Array

#: How raw scores become predictions: forests average, boosters add and link.
Link = Literal["average", "identity", "binary", "multiclass"]

_DEFAULT_LEFT, _MISSING_NAN = 2, 2 << 2


@dataclass(frozen=True)
class Tree:
    """One tree over float32 features.

    Attributes
    ----------
    feature, threshold, nan_left, gain, count
        One entry an inner node: a row goes left when ``x[feature] <= threshold``, or when it
        is NaN and `nan_left`; `count` training rows passed.
    left, right
        Child of each inner node: an inner node's number, or ``~i`` for leaf i.
    value, leaf_count
        Leaf values (n_leaves, k) and training rows (n_leaves,).
    """

    feature: NDArray[Any]
    threshold: Array
    nan_left: NDArray[Any]
    left: NDArray[Any]
    right: NDArray[Any]
    value: Array
    gain: NDArray[Any]
    count: NDArray[Any]
    leaf_count: NDArray[Any]


def forest_tree(tree: Any) -> Tree:
    """Read one fitted tree of a scikit-learn forest (its ``tree_`` attribute)."""
    inner, left, right = _references(tree.children_left, tree.children_right)
    value = tree.value[:, 0, :] if tree.value.shape[1] == 1 else tree.value[:, :, 0]
    weight, impurity = tree.weighted_n_node_samples, tree.impurity
    below = [weight[c] * impurity[c] for c in (tree.children_left[inner],
                                               tree.children_right[inner])]  # fmt: skip
    return Tree(
        feature=tree.feature[inner],
        threshold=tree.threshold[inner],
        nan_left=tree.missing_go_to_left[inner].astype(bool),
        left=left,
        right=right,
        value=np.asarray(value[~inner], dtype=np.float64),
        gain=weight[inner] * impurity[inner] - below[0] - below[1],
        count=tree.n_node_samples[inner],
        leaf_count=tree.n_node_samples[~inner],
    )


def histogram_tree(nodes: Any) -> Tree:
    """Read one tree of scikit-learn's histogram boosting (a predictor's ``nodes`` table)."""
    leaf = nodes["is_leaf"].astype(bool)
    left = np.where(leaf, -1, nodes["left"].astype(np.int64))
    right = np.where(leaf, -1, nodes["right"].astype(np.int64))
    inner, left, right = _references(left, right)
    return Tree(
        feature=nodes["feature_idx"][inner],
        threshold=nodes["num_threshold"][inner].astype(np.float64),
        nan_left=nodes["missing_go_to_left"][inner].astype(bool),
        left=left,
        right=right,
        value=nodes["value"][~inner].astype(np.float64)[:, None],
        gain=nodes["gain"][inner],
        count=nodes["count"][inner],
        leaf_count=nodes["count"][~inner],
    )


def oblivious_tree(
    features: Sequence[int],
    borders: Sequence[float],
    nan_right: Sequence[bool],
    values: Array,
    weights: Array | None = None,
) -> Tree:
    """Unfold an oblivious tree: bit i of a leaf's number says that split i was passed.

    Parameters
    ----------
    features, borders, nan_right
        One entry a level: a row passes when its value is above the border.
    values
        Leaf values (2 ** levels, k).
    weights
        Training rows in each leaf; None when not known.
    """
    depth = len(features)
    node = np.arange(2**depth - 1)
    level = np.floor(np.log2(node + 1)).astype(int) if depth else node
    place = node + 1 - 2**level
    last = level == depth - 1
    # A place counts passed splits with the first level as its highest bit; leaves have it lowest.
    leaf = _reversed_bits(np.arange(2**depth), depth)
    left = np.where(last, ~leaf[np.minimum(2 * place, 2**depth - 1)], 2 * node + 1)
    right = np.where(last, ~leaf[np.minimum(2 * place + 1, 2**depth - 1)], 2 * node + 2)
    rows = np.ones(2**depth) if weights is None else weights
    gain, count = _gains(values[leaf], rows[leaf], depth)
    return Tree(
        feature=np.asarray(features, dtype=int)[level],
        threshold=np.asarray(borders, dtype=np.float64)[level],
        nan_left=~np.asarray(nan_right, dtype=bool)[level],
        left=left, right=right, value=values, gain=gain, count=count, leaf_count=rows,
    )  # fmt: skip


def _gains(values: Array, rows: Array, depth: int) -> tuple[Array, Array]:
    """Return the square error that each inner node takes away, and its rows, top down."""
    gains, counts = [np.zeros(0)], [np.zeros(0)]
    for level in range(depth):
        shape = (2**level, 2, -1)
        part = rows.reshape(shape)
        weight = part.sum(axis=2)
        total = (part[..., None] * values.reshape(*shape, values.shape[1])).sum(axis=2)
        mean = total / np.maximum(weight, 1e-12)[..., None]
        both = weight.sum(axis=1)
        square = ((mean[:, 0] - mean[:, 1]) ** 2).sum(axis=1)
        gains.append(weight[:, 0] * weight[:, 1] / np.maximum(both, 1e-12) * square)
        counts.append(both)
    return np.concatenate(gains), np.concatenate(counts)


def ensemble_text(trees: Iterable[Tree], *, n_features: int, n_outputs: int, link: Link) -> str:
    """Return an ensemble as LightGBM model text.

    Parameters
    ----------
    trees
        In order of prediction. A tree with one value column counts for one output, outputs
        taking turns; a tree with `n_outputs` columns counts for all.
    n_features
        Columns of the tree view.
    n_outputs
        Raw scores a row: 1, or the number of classes.
    link
        How raw scores become predictions.
    """
    blocks: list[str] = []
    for tree in trees:
        before, after = _structure(tree)
        for column in tree.value.T:
            blocks.append(f"{before}\nleaf_value={_join('%.9g', column)}\n{after}")
    return join_text(_head(n_features, n_outputs, link), blocks)


def _head(n_features: int, n_outputs: int, link: Link) -> str:
    objective = {"binary": "objective=binary sigmoid:1\n", "identity": "objective=regression\n",
                 "multiclass": f"objective=multiclass num_class:{n_outputs}\n",
                 "average": "average_output\n"}[link]  # fmt: skip
    names = " ".join(f"f{i}" for i in range(n_features))
    return (
        f"tree\nversion=v4\nnum_class={n_outputs}\nnum_tree_per_iteration={n_outputs}\n"
        f"label_index=0\nmax_feature_idx={n_features - 1}\n{objective}"
        f"feature_names={names}\nfeature_infos={' '.join(['none'] * n_features)}"
    )


def _structure(tree: Tree) -> tuple[str, str]:
    """Return what stands before and after the leaf values."""
    kind = _MISSING_NAN + np.where(tree.nan_left, _DEFAULT_LEFT, 0)
    before = [
        f"num_leaves={len(tree.value)}",
        "num_cat=0",
        f"split_feature={_join('%d', tree.feature)}",
        f"split_gain={_join('%.4g', np.maximum(tree.gain, 0.0))}",
        f"threshold={_join('%.9g', between_floats(tree.threshold))}",
        f"decision_type={_join('%d', kind)}",
        f"left_child={_join('%d', tree.left)}",
        f"right_child={_join('%d', tree.right)}",
    ]
    after = [
        f"leaf_count={_join('%d', tree.leaf_count)}",
        f"internal_count={_join('%d', tree.count)}",
        "is_linear=0",
        "shrinkage=1",
    ]
    return "\n".join(before), "\n".join(after)


def _join(form: str, values: NDArray[Any]) -> str:
    listed = values.tolist()
    return " ".join([form] * len(listed)) % tuple(listed)


def _references(left: Any, right: Any) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the mask of inner nodes and their children, numbered as LightGBM does."""
    inner = left >= 0
    number = np.where(inner, np.cumsum(inner) - 1, ~(np.cumsum(~inner) - 1))
    return inner, number[left[inner]], number[right[inner]]


def _reversed_bits(values: NDArray[Any], width: int) -> NDArray[Any]:
    out = np.zeros_like(values)
    for bit in range(width):
        out |= ((values >> bit) & 1) << (width - 1 - bit)
    return out
