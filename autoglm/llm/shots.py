"""Which examples to show: near to the question, and not all alike.

Maximal marginal relevance (Carbonell & Goldstein 1998) over character n-grams, which work for
Chinese and English alike and need no model; or over vectors of a model that embeds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
#: Texts to unit vectors, shape (texts, dimensions).
Embed = Callable[[Sequence[str]], Vectors]

#: Length of the character n-grams, and dimensions they are hashed into.
GRAMS, DIMENSIONS = (1, 2, 3), 4096


def gram_vectors(texts: Sequence[str]) -> Vectors:
    """Return hashed counts of character n-grams as unit vectors.

    Digits count as one sign, as examples are near by what is asked, not by their numbers.
    """
    found = np.zeros((len(texts), DIMENSIONS), np.float32)
    for row, text in enumerate(texts):
        plain = re.sub(r"\d+", "0", re.sub(r"\s+", " ", text.casefold()))
        grams = Counter(plain[i : i + n] for n in GRAMS for i in range(len(plain) - n + 1))
        for gram, count in grams.items():
            found[row, _place(gram)] += np.log1p(count)
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.maximum(norms, 1e-9), dtype=np.float32)


def _place(gram: str) -> int:
    place = 0
    for character in gram:  # the same on every machine, unlike hash()
        place = (place * 31 + ord(character)) % 1_000_003
    return place % DIMENSIONS


def pick(near: Vectors, pool: Vectors, count: int, *, diversity: float = 0.5) -> list[int]:
    """Return the places of examples in a pool, the best first.

    Parameters
    ----------
    near
        Vectors of what they should be near to, shape (n, dimensions); the mean similarity counts.
    pool
        Vectors of the examples.
    count
        How many.
    diversity
        Weight of being unlike those that were picked before, from 0 to 1.

    Examples
    --------
    >>> pool = gram_vectors(["apples cost", "apples cost more", "trains go", "how far"])
    >>> pick(gram_vectors(["apples cost how much"]), pool, 2)
    [0, 3]
    """
    relevance = (pool @ near.T).mean(axis=1) if len(near) else np.zeros(len(pool), np.float32)
    alike = np.zeros(len(pool), np.float32)
    picked: list[int] = []
    for _ in range(min(count, len(pool))):
        worth = (1 - diversity) * relevance - diversity * alike
        worth[picked] = -np.inf
        best = int(worth.argmax())
        picked.append(best)
        alike = np.maximum(alike, pool @ pool[best])
    return picked


def pick_shots(
    question: str,
    pool: Sequence[Mapping[str, Any]],
    inputs: Sequence[str],
    count: int,
    embed: Embed = gram_vectors,
) -> list[dict[str, Any]]:
    """Return examples of a pool that are near to a question and unlike each other.

    Parameters
    ----------
    question
        What is asked.
    pool
        Examples.
    inputs
        Names of their inputs, which are compared.
    count
        How many.
    embed
        Texts to unit vectors.
    """
    if not pool or count < 1:
        return []
    texts = ["\n".join(str(one[name]) for name in inputs) for one in pool]
    return [dict(pool[at]) for at in pick(embed([question]), embed(texts), count)]
