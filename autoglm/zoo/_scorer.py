"""Many rows through many trees without walking: QuickScorer in whole arrays.

Every leaf of a tree is a bit. A condition that a row does not meet rules out the leaves of the
left subtree; what all unmet conditions leave has the row's leaf as its lowest bit. The unmet
conditions on one feature depend on the row only by the place of its value among the thresholds,
so that for each place the bits that are left, of all trees side by side, are kept in a table,
and a row takes one line a feature. Nothing branches, and numpy works through all of it.

Lucchese et al., "QuickScorer: a Fast Algorithm to Rank Documents with Additive Ensembles of
Regression Trees" (SIGIR 2015).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.zoo._forest_text import Ints, read_forest
from autoglm.zoo._scorer_tables import Bits, Builder, Group
from autoglm.zoo._threads import in_blocks

#: Rows at a time: what is worked on stays in the cache.
_ROWS = 256
#: Rows that a thread takes at a time.
_BLOCK_ROWS = 2000
_MOST_LEAVES = 256
#: Tables of forests with many thousand thresholds take more to make than they ever save.
_MOST_BYTES = 64e6
#: Nanoseconds: a 4-byte word of a table, a leaf, and a step of LightGBM from node to node.
_WORD_NS, _LEAF_NS, _STEP_NS = 0.25, 2.5, 4.0


class TreeScorer:
    """Raw scores of many rows by the trees of a model text.

    Parameters
    ----------
    builder
        Makes the tables; of trees of at most 256 leaves.
    """

    def __init__(self, builder: Builder) -> None:
        self.n_outputs = builder.forest.n_outputs
        self._columns, self._groups = builder.columns, list(builder.groups())

    def __call__(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the sum over all trees (n, n_outputs) for rows (n, p)."""
        return np.concatenate(in_blocks(lambda a, b: self._sums(X[a:b]), len(X), _BLOCK_ROWS))

    def _sums(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        bins = [column.bins(X) for column in self._columns]
        out = np.zeros((len(X), self.n_outputs))
        for group in self._groups:
            lines = [table.line[bins[table.column]] for table in group.tables]
            for start in range(0, len(X), _ROWS):
                rows = slice(start, start + _ROWS)
                values = _values(group, [line[rows] for line in lines], len(X[rows]))
                out[rows, group.outputs] += np.add.reduceat(values, group.starts, axis=1)
        return out

    def cuts(self) -> dict[int, NDArray[np.float64]]:
        """Return the thresholds on each feature that is cut as a number."""
        return {c.feature: c.cuts for c in self._columns if c.cuts is not None}

    @property
    def row_ns(self) -> float:
        """Nanoseconds for a row, about."""
        return sum(
            len(g.first) * g.words * (_LEAF_NS + len(g.tables) * _WORD_NS * g.bits / 32)
            for g in self._groups
        )


def scorer_of(text: str) -> TreeScorer | None:
    """Return the scorer of a sound model text, or None where LightGBM is quicker."""
    forest = read_forest(text)
    if forest is None or forest.n_leaves.max(initial=0) > _MOST_LEAVES:
        return None
    builder = Builder(forest)
    if builder.table_bytes() > _MOST_BYTES:
        return None
    scorer = TreeScorer(builder)
    walked = _STEP_NS * float((np.log2(forest.n_leaves) + 1).sum())
    return scorer if scorer.row_ns < walked else None


def _values(group: Group, lines: list[Ints], n: int) -> NDArray[np.float64]:
    """Return the leaf values of some rows (n, trees)."""
    width = len(group.first) * group.words
    if not group.tables:
        return np.broadcast_to(group.value[group.first], (n, len(group.first)))
    left = np.empty((n, width), group.tables[0].left.dtype)
    other = np.empty_like(left)
    # Clipping takes no look at the indices, which are right; raising would copy the result.
    np.take(group.tables[0].left, lines[0], axis=0, out=left, mode="clip")
    for table, line in zip(group.tables[1:], lines[1:], strict=True):
        np.take(table.left, line, axis=0, out=other, mode="clip")
        np.bitwise_and(left, other, out=left)
    np.negative(left, out=other)
    np.bitwise_and(left, other, out=other)
    other -= other.dtype.type(1)
    leaf: Any = np.bitwise_count(other)
    if group.words > 1:
        leaf = _first_word(left, leaf, group)
    found: NDArray[np.float64] = group.value.take(leaf + group.first, mode="clip")
    return found


def _first_word(left: Bits, leaf: Bits, group: Group) -> Ints:
    """Return the leaf by the first of a tree's words that has a bit left."""
    shape = (len(left), len(group.first), group.words)
    left, leaf = left.reshape(shape), leaf.reshape(shape)
    found = leaf[:, :, -1] + np.int64((group.words - 1) * group.bits)
    for word in range(group.words - 2, -1, -1):
        here = leaf[:, :, word] + np.int64(word * group.bits)
        found = np.where(left[:, :, word] != 0, here, found)
    return found
