"""The tables of `autoglm.zoo._scorer`: which leaves are left, by the bin of each column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.zoo._forest_text import Forest, Ints

Bits = NDArray[Any]

#: Trees in a table: what is worked on stays in the cache.
_TREES = 256
_WIDTHS = (8, 16, 32, 64)
#: Pairs of a node and a code that are looked at together.
_CELLS = 500_000
#: LightGBM takes numbers as small as this for zero.
ZERO = 1e-35


@dataclass(frozen=True)
class Column:
    """A feature as the trees see it: cut points, or codes.

    Attributes
    ----------
    feature
        Its number.
    cuts
        (c,) sorted thresholds; None for a feature that is split by sets of codes.
    n_codes
        Codes that any set knows.
    """

    feature: int
    cuts: NDArray[np.float64] | None
    n_codes: int = 0

    def bins(self, X: NDArray[np.float32]) -> Ints:
        """Return the bin of every row (n,): the last one is for gaps and unknown codes."""
        x = X[:, self.feature]
        if self.cuts is None:
            known = (x >= 0) & (x < self.n_codes)
            return np.where(known, x, self.n_codes).astype(np.int64)
        values = x.astype(np.float64)
        values[np.abs(values) <= ZERO] = 0.0
        bins = np.searchsorted(self.cuts, values)
        bins[np.isnan(x)] = len(self.cuts) + 1
        return bins


@dataclass(frozen=True)
class Table:
    """The bits that are left by each bin of a column, for the trees of a group.

    Attributes
    ----------
    column
        Number of the column.
    line
        (bins,) line of `left` for each bin of the column.
    left
        (lines, trees * words) bits.
    """

    column: int
    line: Ints
    left: Bits


@dataclass(frozen=True)
class Group:
    """Trees with about as many leaves, side by side, those of one output together.

    Attributes
    ----------
    tables
        One a column that some tree looks at.
    words, bits
        Words for each tree, and bits of a word.
    first
        (trees,) place of each tree's first leaf in `value`.
    value
        Leaf values, ``words * bits`` a tree.
    starts, outputs
        Where the trees of each output start, and which output that is.
    """

    tables: list[Table]
    words: int
    bits: int
    first: Ints
    value: NDArray[np.float64]
    starts: Ints
    outputs: Ints


class Builder:
    """Makes the tables of a forest.

    Parameters
    ----------
    forest
        Its trees.

    Attributes
    ----------
    columns
        What the trees look at.
    """

    def __init__(self, forest: Forest) -> None:
        self.forest, self.layout = forest, _Layout.of(forest)
        self.columns, self._column_of = _columns_of(forest)
        self._tree_of_node = forest.tree_of_node
        self._tree_of_leaf = np.repeat(np.arange(len(forest.n_leaves)), forest.n_leaves)

    def groups(self) -> Iterator[Group]:
        """Yield groups of trees of about one size."""
        for trees in self._split():
            outputs = trees % self.forest.n_outputs
            yield self._group(trees[np.argsort(outputs, kind="stable")])

    def table_bytes(self) -> int:
        """Return the bytes that the tables of all groups will take."""
        total = 0
        for trees in self._split():
            words, bits = self._shape(trees)
            nodes = np.isin(self._tree_of_node, trees)
            columns, at = self._column_of[nodes], self.forest.threshold[nodes]
            order = np.lexsort((at, columns))
            columns, at = columns[order], at[order]
            apart = np.append(True, (columns[1:] != columns[:-1]) | (at[1:] != at[:-1]))
            lines = np.bincount(columns[apart[: len(columns)]], minlength=len(self.columns)) + 2
            sets = [i for i, column in enumerate(self.columns) if column.cuts is None]
            lines[sets] = [self.columns[i].n_codes + 1 for i in sets]
            total += int(lines[np.unique(columns)].sum()) * len(trees) * words * bits // 8
        return total

    def _split(self) -> list[Ints]:
        order = np.argsort(self.forest.n_leaves, kind="stable")
        return np.split(order, range(_TREES, len(order), _TREES))

    def _shape(self, trees: Ints) -> tuple[int, int]:
        """Return the words for each of some trees, and the bits of a word."""
        most = int(self.forest.n_leaves[trees].max())
        bits = next((w for w in _WIDTHS if w >= most), _WIDTHS[-1])
        return -(-most // bits), bits

    def _group(self, trees: Ints) -> Group:
        forest = self.forest
        words, bits = self._shape(trees)
        rank = np.full(len(forest.n_leaves), -1)
        rank[trees] = np.arange(len(trees))
        leaves = np.flatnonzero(rank[self._tree_of_leaf] >= 0)
        first = np.arange(len(trees)) * words * bits
        value = np.zeros(len(trees) * words * bits)
        at = first[rank[self._tree_of_leaf[leaves]]] + self.layout.place[leaves]
        value[at] = forest.value[leaves]
        nodes = np.flatnonzero(rank[self._tree_of_node] >= 0)
        slot = rank[self._tree_of_node[nodes]] * words
        kept = self._kept(nodes, words, bits)
        tables = []
        for number in np.unique(self._column_of[nodes]).tolist():
            mine = self._column_of[nodes] == number
            part = _Part(nodes[mine], slot[mine], kept[mine], len(trees) * words)
            tables.append(self._table(number, part))
        outputs, starts = np.unique(trees % forest.n_outputs, return_index=True)
        return Group(tables, words, bits, first, value, starts, outputs)

    def _kept(self, nodes: Ints, words: int, bits: int) -> Bits:
        """Return the bits (m, words) that stay when a condition is not met."""
        dtype = np.dtype(f"uint{bits}")
        ones = np.array([(1 << k) - 1 for k in range(bits + 1)], dtype)
        low = self.layout.start[nodes][:, None] - bits * np.arange(words)
        high = low + self.layout.size[nodes][:, None]
        gone: Bits = ones[np.clip(high, 0, bits)] & ~ones[np.clip(low, 0, bits)]
        return ~gone

    def _table(self, number: int, part: _Part) -> Table:
        column = self.columns[number]
        if column.cuts is None:
            left = part.full(column.n_codes + 1)
            step = max(1, _CELLS // (column.n_codes + 1))
            for start in range(0, len(part.nodes), step):
                code, which = self._outside(part.nodes[start : start + step], column.n_codes + 1)
                part.clear(left, code, start + which)
            return Table(number, np.arange(column.n_codes + 1), left)
        cuts = np.searchsorted(column.cuts, self.forest.threshold[part.nodes])
        used, line = np.unique(cuts, return_inverse=True)
        left = part.full(len(used) + 2)
        part.clear(left, line + 1, np.arange(len(line)))
        left[:-1] = np.bitwise_and.accumulate(left[:-1], axis=0)
        right = np.flatnonzero(~self.forest.nan_left[part.nodes])
        part.clear(left, np.full(len(right), len(used) + 1), right)
        passed = np.zeros(len(column.cuts), np.int64)
        passed[used] = 1
        return Table(number, np.concatenate([[0], np.cumsum(passed), [len(used) + 1]]), left)

    def _outside(self, nodes: Ints, n_codes: int) -> tuple[Ints, Ints]:
        """Return (code, place of node) wherever a code does not go left at one of the nodes."""
        rank = np.full(len(self.forest.feature), -1)
        rank[nodes] = np.arange(len(nodes))
        place = rank[self.forest.set_node]
        outside = np.ones((n_codes, len(nodes)), bool)
        outside[self.forest.set_code[place >= 0], place[place >= 0]] = False
        code, which = np.nonzero(outside)
        return code, which


@dataclass(frozen=True)
class _Part:
    """The inner nodes of a group that look at one column.

    Attributes
    ----------
    nodes, slot, kept
        (m,) their numbers, the first word of their trees, and (m, words) the bits that stay.
    width
        Words of a line.
    """

    nodes: Ints
    slot: Ints
    kept: Bits
    width: int

    def full(self, n_lines: int) -> Bits:
        """Return lines with all bits left."""
        return np.full((n_lines, self.width), ~self.kept.dtype.type(0))

    def clear(self, left: Bits, lines: Ints, which: Ints) -> None:
        """Take away, in these lines, what these nodes rule out."""
        for word in range(self.kept.shape[1]):
            np.bitwise_and.at(left, (lines, self.slot[which] + word), self.kept[which, word])


@dataclass(frozen=True)
class _Layout:
    """Where things stand in each tree when its leaves are counted from left to right.

    Attributes
    ----------
    start, size
        (m,) first leaf below each inner node, and leaves of its left subtree.
    place
        (l,) place of each leaf.
    """

    start: Ints
    size: Ints
    place: Ints

    @classmethod
    def of(cls, forest: Forest) -> _Layout:
        """Count leaves upwards, then number them downwards, for all trees at once."""
        inner = forest.n_leaves - 1
        most = int(inner.max(initial=0))
        first_node = np.cumsum(inner) - inner
        first_leaf = np.cumsum(forest.n_leaves) - forest.n_leaves
        below = np.ones(len(forest.feature), np.int64)
        left_size = np.ones(len(forest.feature), np.int64)
        start = np.zeros(len(forest.feature), np.int64)
        place = np.zeros(len(forest.value), np.int64)
        # The children of an inner node come after it.
        for i in range(most - 1, -1, -1):
            trees = np.flatnonzero(inner > i)
            at, base = first_node[trees] + i, first_node[trees]
            for child, mine in ((forest.left[at], True), (forest.right[at], False)):
                size = np.where(child >= 0, below[base + np.maximum(child, 0)], 1)
                left_size[at] = size if mine else left_size[at]
                below[at] = size if mine else below[at] + size
        for i in range(most):
            trees = np.flatnonzero(inner > i)
            at = first_node[trees] + i
            for child, begin in (
                (forest.left[at], start[at]), (forest.right[at], start[at] + left_size[at])
            ):  # fmt: skip
                node = child >= 0
                start[first_node[trees][node] + child[node]] = begin[node]
                place[first_leaf[trees][~node] + ~child[~node]] = begin[~node]
        return cls(start, left_size, place)


def _columns_of(forest: Forest) -> tuple[list[Column], Ints]:
    """Return the columns that trees look at, and the column of each inner node (m,)."""
    by_set = forest.by_set
    columns: list[Column] = []
    column_of = np.zeros(len(forest.feature), np.int64)
    for codes in (False, True):
        for feature in np.unique(forest.feature[by_set == codes]).tolist():
            nodes = np.flatnonzero((forest.feature == feature) & (by_set == codes))
            column_of[nodes] = len(columns)
            if codes:
                codes_here = forest.set_code[forest.feature[forest.set_node] == feature]
                columns.append(Column(feature, None, int(codes_here.max(initial=-1)) + 1))
            else:
                columns.append(Column(feature, np.unique(forest.threshold[nodes])))
    return columns, column_of
