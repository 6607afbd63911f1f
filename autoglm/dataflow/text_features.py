"""TF-IDF of hashed n-grams, and its truncated SVD (latent semantic analysis).

Deerwester et al., "Indexing by Latent Semantic Analysis" (1990); the SVD is the randomised
one of Halko, Martinsson and Tropp (2011) as scikit-learn has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.dataflow.ngrams import BUCKET_BITS, hashed_ngrams

FIT_ROWS = 5_000
MAX_TERMS = 20_000
COMPONENTS = 32

Texts = Mapping[str, Sequence[str | None] | NDArray[Any]]


@dataclass
class TextFeatures:
    """Fitted text features.

    Attributes
    ----------
    columns
        The text columns, each hashed with its own salt.
    terms
        Sorted bucket numbers of the chosen n-grams (r,).
    idf
        Inverse document frequency of each (r,).
    components
        Right singular vectors, float16 (c, r).
    scale
        Standard deviation of each component over the training rows (c,).
    """

    columns: tuple[str, ...]
    terms: NDArray[np.int64]
    idf: NDArray[np.float32]
    components: NDArray[np.float16]
    scale: NDArray[np.float32]

    @classmethod
    def fit(cls, texts: Texts, seed: int = 0) -> TextFeatures:
        """Choose n-grams by how many rows they occur in, and find the main directions."""
        columns = tuple(texts)
        n = len(next(iter(texts.values())))
        rng = np.random.default_rng(seed)
        rows = np.sort(rng.permutation(n)[:FIT_ROWS])
        sample = {name: [texts[name][i] for i in rows] for name in columns}
        terms, idf = _choose_terms(*_hash_columns(columns, sample), len(rows))
        nothing = np.zeros((0, len(terms)), np.float16)
        fitted = cls(columns, terms, idf, nothing, np.ones(0, np.float32))
        fitted._fit_components(fitted.tfidf(sample, len(rows)), seed)
        return fitted

    def _fit_components(self, tfidf: Any, seed: int) -> None:
        from sklearn.utils.extmath import randomized_svd

        rank = min(COMPONENTS, tfidf.shape[0] - 1, tfidf.shape[1] - 1)
        if rank < 1:
            return
        _, _, right = randomized_svd(tfidf, rank, n_iter=2, random_state=seed)
        self.components = right.astype(np.float16)
        reduced = tfidf @ self.components.astype(np.float32).T
        self.scale = np.maximum(reduced.std(axis=0), 1e-6).astype(np.float32)

    def names(self) -> list[str]:
        """Return the names of the reduced columns."""
        lengths = [f"{name} length" for name in self.columns]
        return lengths + [f"text {i}" for i in range(len(self.components))]

    def tfidf(self, texts: Texts, n_rows: int) -> Any:
        """Return TF-IDF rows of unit length with log term counts: csr float32 (n, r)."""
        from scipy import sparse

        rows, buckets = _hash_columns(self.columns, texts)
        at = np.searchsorted(self.terms, buckets)
        at[at == len(self.terms)] = 0
        known = self.terms[at] == buckets if len(self.terms) else np.zeros(len(at), bool)
        rows, at = rows[known], at[known]
        shape = (n_rows, len(self.terms))
        counts = sparse.csr_matrix((np.ones(len(at), np.float32), (rows, at)), shape=shape)
        counts.sum_duplicates()
        counts.data = ((1 + np.log(counts.data)) * self.idf[counts.indices]).astype(np.float32)
        length = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1))).ravel()
        counts.data /= np.repeat(np.maximum(length, 1e-9), np.diff(counts.indptr))
        return counts

    @cached_property
    def directions(self) -> NDArray[np.float32]:
        """Components over their scale, laid out for sparse @ dense: (r, c)."""
        return np.ascontiguousarray((self.components.astype(np.float32) / self.scale[:, None]).T)

    def reduce(self, texts: Texts, tfidf: Any) -> NDArray[np.float32]:
        """Return text lengths and scaled SVD components: float32 (n, columns + c)."""
        lengths = np.stack([_lengths(texts[name]) for name in self.columns], axis=1)
        return np.hstack([lengths, tfidf @ self.directions]).astype(np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to store."""
        return {
            "terms": self.terms,
            "idf": self.idf,
            "components": self.components,
            "scale": self.scale,
        }


def _hash_columns(
    columns: Sequence[str], texts: Texts
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    parts = [hashed_ngrams(list(texts[name]), salt) for salt, name in enumerate(columns)]
    return np.concatenate([r for r, _ in parts]), np.concatenate([b for _, b in parts])


def _choose_terms(
    rows: NDArray[np.int64], buckets: NDArray[np.int64], n_rows: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    pairs = np.unique(rows << BUCKET_BITS | buckets)
    frequency = np.bincount(pairs & ((1 << BUCKET_BITS) - 1), minlength=1 << BUCKET_BITS)
    least = 2 if n_rows < 5000 else 3
    found = np.flatnonzero(frequency >= min(least, n_rows))
    if len(found) > MAX_TERMS:
        common = np.argpartition(-frequency[found], MAX_TERMS)[:MAX_TERMS]
        found = np.sort(found[common])
    idf = np.log((1 + n_rows) / (1 + frequency[found])) + 1
    return found.astype(np.int64), idf.astype(np.float32)


def _lengths(texts: Sequence[str | None] | NDArray[Any]) -> NDArray[np.float32]:
    counts = np.fromiter((len(t) if t else 0 for t in texts), np.float32, len(texts))
    return np.log1p(counts)
