"""Text features of one row, without sparse matrices of one row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.dataflow.ngrams import hashed_ngrams
from autoglm.dataflow.text_features import TextFeatures

Floats = NDArray[np.float32]


class FlatText:
    """Lengths, components and TF-IDF of the texts of one row.

    Parameters
    ----------
    text
        Fitted text features.
    readers
        Place among the row's cells, and reader, of each of its columns.
    """

    def __init__(
        self, text: TextFeatures, readers: Sequence[tuple[int, Callable[[Any], str | None]]]
    ) -> None:
        self._readers, self._idf = readers, text.idf
        self._salts = np.arange(len(readers))
        self._directions = text.directions
        self._place, self._form = text.place, text.form

    def __call__(self, cells: Sequence[Any]) -> tuple[Floats, tuple[NDArray[np.int32], Floats]]:
        """Return lengths and scaled components, then the places and values of terms."""
        texts = [read(cells[place]) for place, read in self._readers]
        _, buckets = hashed_ngrams(texts, self._salts, self._form)
        found = self._place(buckets).astype(np.int32)
        found = found[found >= 0]
        found.sort()
        at, values = self._tfidf(found)
        lengths = np.log1p(np.array([len(t) if t else 0 for t in texts], np.float32))
        reduced = np.add.reduce(values[:, None] * self._directions[at], axis=0)
        return np.concatenate([lengths, reduced]), (at, values)

    def _tfidf(self, found: NDArray[np.int32]) -> tuple[NDArray[np.int32], Floats]:
        """Return each of the sorted terms once, and its value in a row of unit length."""
        if len(found) == 0:
            return found, np.zeros(0, np.float32)
        new = np.empty(len(found) + 1, bool)
        new[0] = new[-1] = True
        np.not_equal(found[1:], found[:-1], out=new[1:-1])
        first = new.nonzero()[0]
        at = found[first[:-1]]
        counts = (first[1:] - first[:-1]).astype(np.float32)
        values: Floats = (1 + np.log(counts)) * self._idf[at]
        # Summed up in the order in which sparse matrices do it.
        square = np.add.reduceat(values * values, [0])
        values /= np.maximum(np.sqrt(square), np.float32(1e-9))
        return at, values
