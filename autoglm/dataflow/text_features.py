"""TF-IDF of hashed n-grams, and its truncated SVD (latent semantic analysis).

Deerwester et al., "Indexing by Latent Semantic Analysis" (1990); the SVD is the randomised
one of Halko, Martinsson and Tropp (2011) as scikit-learn has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from autoglm.dataflow.ngrams import FORMS, hashed_ngrams

#: Rows that terms are chosen on, and that the SVD is made of.
FIT_ROWS, SVD_ROWS = 20_000, 5_000
#: Terms, and the most frequent of them that the SVD is made of.
MAX_TERMS, SVD_TERMS = 100_000, 20_000
COMPONENTS = 32
#: Characters whose n-grams are counted at a time.
CHUNK = 2_000_000

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
        Right singular vectors over the terms that `basis` names, float16 (c, b).
    scale
        Standard deviation of each component over the training rows (c,).
    basis
        Places of the terms that the SVD is made of, sorted (b,); None for all.
    form
        Which n-grams there are, see `autoglm.dataflow.ngrams.FORMS`.
    """

    columns: tuple[str, ...]
    terms: NDArray[np.int64]
    idf: NDArray[np.float32]
    components: NDArray[np.float16]
    scale: NDArray[np.float32]
    basis: NDArray[np.int64] | None = None
    form: int = 1

    NEWEST: ClassVar[int] = max(FORMS)

    @classmethod
    def fit(cls, texts: Texts, seed: int = 0) -> TextFeatures:
        """Choose n-grams by how many rows they occur in, and find the main directions."""
        columns = tuple(texts)
        n = len(next(iter(texts.values())))
        order = np.random.default_rng(seed).permutation(n)
        rows = np.sort(order[:FIT_ROWS])
        sample = {name: [texts[name][i] for i in rows] for name in columns}
        terms, frequency = _choose_terms(sample, len(rows), cls.NEWEST)
        idf = (np.log((1 + len(rows)) / (1 + frequency)) + 1).astype(np.float32)
        basis = np.arange(len(terms))
        if len(terms) > SVD_TERMS:
            basis = np.sort(np.argpartition(-frequency, SVD_TERMS)[:SVD_TERMS])
        nothing = np.zeros((0, len(basis)), np.float16)
        fitted = cls(columns, terms, idf, nothing, np.ones(0, np.float32), basis, cls.NEWEST)
        if len(rows) > SVD_ROWS:
            few = np.sort(order[:SVD_ROWS])
            sample = {name: [texts[name][i] for i in few] for name in columns}
        fitted._fit_components(fitted.tfidf(sample, min(n, SVD_ROWS)), seed)
        return fitted

    def _fit_components(self, tfidf: Any, seed: int) -> None:
        from sklearn.utils.extmath import randomized_svd

        some = tfidf if self.basis is None else tfidf[:, self.basis]
        rank = min(COMPONENTS, some.shape[0] - 1, some.shape[1] - 1)
        if rank < 1:
            return
        _, _, right = randomized_svd(some, rank, n_iter=2, random_state=seed)
        self.components = right.astype(np.float16)
        reduced = some @ self.components.astype(np.float32).T
        self.scale = np.maximum(reduced.std(axis=0), 1e-6).astype(np.float32)

    def names(self) -> list[str]:
        """Return the names of the reduced columns."""
        lengths = [f"{name} length" for name in self.columns]
        return lengths + [f"text {i}" for i in range(len(self.components))]

    def tfidf(self, texts: Texts, n_rows: int) -> Any:
        """Return TF-IDF rows of unit length with log term counts: csr float32 (n, r)."""
        from scipy import sparse

        parts = [
            _counts(self.place, rows, buckets, n, len(self.terms))
            for n, rows, buckets in _chunks(self.columns, texts, n_rows, self.form)
        ]
        counts = sparse.vstack(parts, format="csr") if len(parts) != 1 else parts[0]
        counts.data = ((1 + np.log(counts.data)) * self.idf[counts.indices]).astype(np.float32)
        length = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1))).ravel()
        counts.data /= np.repeat(np.maximum(length, 1e-9), np.diff(counts.indptr))
        return counts

    def place(self, buckets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the place of each bucket among the terms, -1 for one that is no term."""
        if not len(self.terms):
            return np.full(len(buckets), -1)
        at = np.searchsorted(self.terms, buckets)
        at[at == len(self.terms)] = 0
        return np.where(self.terms[at] == buckets, at, -1)

    @cached_property
    def directions(self) -> NDArray[np.float32]:
        """Components over their scale, laid out for sparse @ dense: (r, c)."""
        own = (self.components.astype(np.float32) / self.scale[:, None]).T
        if self.basis is None:
            return np.ascontiguousarray(own)
        whole = np.zeros((len(self.terms), own.shape[1]), np.float32)
        whole[self.basis] = own
        return whole

    def reduce(self, texts: Texts, tfidf: Any) -> NDArray[np.float32]:
        """Return text lengths and scaled SVD components: float32 (n, columns + c)."""
        lengths = np.stack([_lengths(texts[name]) for name in self.columns], axis=1)
        return np.hstack([lengths, tfidf @ self.directions]).astype(np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to store."""
        found: dict[str, NDArray[Any]] = {
            "terms": self.terms.astype(np.int32),
            "idf": self.idf,
            "components": self.components,
            "scale": self.scale,
        }
        return found if self.basis is None else found | {"basis": self.basis.astype(np.int32)}

    @classmethod
    def of_arrays(
        cls, columns: Sequence[str], arrays: Mapping[str, NDArray[Any]], form: int
    ) -> TextFeatures:
        """Return what `arrays` stored.

        Raises
        ------
        ValueError
            When they do not fit together, or the form is not known.
        """
        known = dict(arrays)
        for name in ("terms", "basis"):
            if name in known:
                known[name] = known[name].astype(np.int64)
        made = cls(tuple(columns), **known, form=form)
        made._require_sound()
        return made

    def _require_sound(self) -> None:
        """Check that arrays from a file lead nowhere but into each other."""
        if self.form not in FORMS:
            raise ValueError(f"text features of form {self.form} are not known")
        terms, count = self.terms, len(self.terms)
        basis = np.arange(count) if self.basis is None else self.basis
        width, buckets = self.components.shape, 1 << FORMS[self.form].bits
        if not (
            bool((np.diff(terms) > 0).all())
            and (not count or (terms[0] >= 0 and terms[-1] < buckets))
            and self.idf.shape == (count,)
            and bool(((basis >= 0) & (basis < count)).all())
            and len(width) == 2
            and width[1] == len(basis)
            and (width[0] == 0 or self.scale.shape == (width[0],))
        ):
            raise ValueError("the arrays of the text features do not fit together")


def _chunks(
    columns: Sequence[str], texts: Texts, n_rows: int, form: int
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the n-grams of some rows at a time: how many rows, row of each n-gram, and bucket."""
    ends = np.cumsum(np.sum([_characters(texts[name]) for name in columns], axis=0))
    first = 0
    while True:
        done = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, done + CHUNK, side="right")))
        last = min(last, n_rows)
        parts = [
            hashed_ngrams(list(texts[name][first:last]), salt, form)
            for salt, name in enumerate(columns)
        ]
        rows, buckets = (np.concatenate(part) for part in zip(*parts, strict=True))
        yield last - first, rows, buckets
        first = last
        if first >= n_rows:
            return


def _counts(
    place: Any, rows: NDArray[np.int64], buckets: NDArray[np.int64], n_rows: int, n_terms: int
) -> Any:
    """Return how often each term stands in each row: csr float32."""
    from scipy import sparse

    at = place(buckets)
    known = at >= 0
    rows, at = rows[known], at[known]
    shape = (n_rows, n_terms)
    counts = sparse.csr_matrix((np.ones(len(at), np.float32), (rows, at)), shape=shape)
    counts.sum_duplicates()
    return counts


def _choose_terms(
    texts: Texts, n_rows: int, form: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the n-grams that occur in several rows, sorted, and in how many each."""
    from scipy import sparse

    size = 1 << FORMS[form].bits
    frequency = np.zeros(size, np.int64)
    for n, rows, buckets in _chunks(tuple(texts), texts, n_rows, form):
        found = sparse.csr_matrix((np.ones(len(rows), bool), (rows, buckets)), shape=(n, size))
        found.sum_duplicates()
        frequency += np.bincount(found.indices, minlength=size)
    least = 2 if n_rows < 5000 else 3
    terms = np.flatnonzero(frequency >= min(least, n_rows))
    if len(terms) > MAX_TERMS:
        common = np.argpartition(-frequency[terms], MAX_TERMS)[:MAX_TERMS]
        terms = np.sort(terms[common])
    return terms.astype(np.int64), frequency[terms]


def _characters(texts: Sequence[str | None] | NDArray[Any]) -> NDArray[np.int64]:
    return np.fromiter((len(t) if t else 0 for t in texts), np.int64, len(texts))


def _lengths(texts: Sequence[str | None] | NDArray[Any]) -> NDArray[np.float32]:
    return np.log1p(_characters(texts).astype(np.float32))
