"""Hashed n-grams of words and characters, counted without a Python loop over characters.

All texts are laid out as one array of code points; every n-gram's hash is a polynomial of
its code points, computed for all positions at once. Latin words count as words, in pairs that
stand side by side, and as character 3- and 4-grams; ideographs, which stand without blanks, as
1-, 2- and 3-grams.
The feature hashing is that of Weinberger et al., "Feature Hashing for Large Scale
Multitask Learning" (ICML 2009), without the sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Form:
    """Which n-grams are counted, and how many bits their buckets have.

    Attributes
    ----------
    bits
        Buckets are below ``2 ** bits``.
    pairs
        Whether two words that stand side by side count too.
    """

    bits: int
    pairs: bool


#: Every form that a saved model may have; the last is used for new ones.
FORMS: Mapping[int, Form] = {1: Form(20, pairs=False), 2: Form(22, pairs=True)}
MAX_CHARACTERS = 1500
_PRIME = np.uint64(1_099_511_628_211)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_IDEOGRAPH = 0x2E80

Ints = NDArray[np.int64]


def hashed_ngrams(
    texts: Sequence[str | None], salt: int | Ints = 0, form: int = 2
) -> tuple[Ints, Ints]:
    """Return row numbers and bucket numbers of every n-gram of every text.

    Parameters
    ----------
    texts
        One text a row; None counts as empty. Only the first 1,500 characters are used.
    salt
        Keeps the n-grams of one column apart from those of another; one number, or (n,).
    form
        Which n-grams, see `FORMS`.

    Returns
    -------
    rows, buckets
        Two int64 arrays of equal length; a repeated n-gram is listed again.
    """
    how = FORMS[form]
    points, rows = _code_points(texts)
    if not len(points):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    wide = points >= _IDEOGRAPH
    salts = np.asarray(salt, np.uint64) * np.uint64(2) + np.uint64(1)
    mixed = points.astype(np.uint64) * _SPREAD ^ (salts[rows] if salts.ndim else salts)
    found = [_words(points, mixed, rows)]
    if how.pairs:
        found.append(_pairs(*found[0]))
    rolled = mixed.copy()
    for n in range(1, 5):
        if n > 1:
            rolled = rolled[:-1] * _PRIME + mixed[n - 1 :]
        keep = wide[: len(rolled)] if n < 3 else np.ones(len(rolled), bool)
        if n == 4:
            keep = ~wide[: len(rolled)]
        keep = keep & (rows[: len(rolled)] == rows[n - 1 :])
        at = np.flatnonzero(keep)
        found.append((rows[at], rolled[at] + np.uint64(n)))
    hashes = np.concatenate([h for _, h in found])
    buckets = (hashes * _SPREAD) >> np.uint64(64 - how.bits)
    return np.concatenate([r for r, _ in found]), buckets.astype(np.int64)


def _code_points(texts: Sequence[str | None]) -> tuple[NDArray[np.uint32], Ints]:
    """Return the code points of all texts, each between blanks, and the row of each."""
    padded = [f" {text[:MAX_CHARACTERS].lower()} " if text else "" for text in texts]
    joined = "".join(padded).encode("utf-32-le", errors="replace")
    lengths = np.fromiter(map(len, padded), np.int64, len(padded))
    return np.frombuffer(joined, np.uint32), np.repeat(np.arange(len(padded)), lengths)


def _words(
    points: NDArray[np.uint32], mixed: NDArray[np.uint64], rows: Ints
) -> tuple[Ints, NDArray[np.uint64]]:
    """Return row and hash of each run of letters, digits and other narrow symbols."""
    inside = (points > 0x2F) & (points < _IDEOGRAPH) & ~((points > 0x39) & (points < 0x41))
    starts = np.flatnonzero(inside & ~np.concatenate(([False], inside[:-1])))
    if not len(starts):
        return np.zeros(0, np.int64), np.zeros(0, np.uint64)
    at = np.flatnonzero(inside)
    word = np.searchsorted(starts, at, side="right") - 1
    place = np.minimum(at - starts[word], 40).astype(np.uint64)
    weighted = mixed[at] * (place * np.uint64(2) * _PRIME + np.uint64(1))
    first = np.searchsorted(at, starts)
    return rows[starts], np.add.reduceat(weighted, first)


def _pairs(rows: Ints, words: NDArray[np.uint64]) -> tuple[Ints, NDArray[np.uint64]]:
    """Return row and hash of each two words that follow each other in a row."""
    same = rows[1:] == rows[:-1]
    both = words[:-1] * np.uint64(31) * _PRIME + words[1:] + np.uint64(7)
    return rows[1:][same], both[same]
