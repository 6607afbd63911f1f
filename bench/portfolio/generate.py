"""Tables made up for learning the portfolio on: known mixtures of what real targets depend on.

A target is a weighted sum of linear, tree-like, interacting, periodic, smooth and category
effects of some of the columns, with noise; some columns matter to nothing, cells are missing
at random or because of what they hold. The same name gives the same table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
Effect = Callable[[Array, np.random.Generator], Array]


def make_table(name: str, kind: str, rows: int) -> pd.DataFrame:
    """Return a table with a column "target".

    Parameters
    ----------
    name
        Seeds everything.
    kind
        "binary", "multiclass" or "regression".
    rows
        How many rows.
    """
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    rng = np.random.default_rng(seed)
    numbers = _numbers(rows, int(rng.integers(3, 25)), rng)
    codes = [_codes(rows, rng) for _ in range(int(rng.integers(0, 9)))]
    frame = pd.DataFrame({f"n{i}": numbers[:, i] for i in range(numbers.shape[1])})
    for i, code in enumerate(codes):
        frame[f"c{i}"] = np.array([f"v{c}" for c in code], dtype=object)
    n_scores = int(rng.integers(3, 9)) if kind == "multiclass" else 1
    scores = np.stack([_signal(numbers, codes, rng) for _ in range(n_scores)], axis=1)
    target = _target(scores, kind, rng)
    frame = _with_gaps(frame, rng)
    order = rng.permutation(len(frame.columns))
    frame = frame[[frame.columns[i] for i in order]]
    return frame.assign(target=target)


def _numbers(n: int, p: int, rng: np.random.Generator) -> Array:
    """Draw correlated columns and give each a scale and a shape of its own."""
    mixing = rng.normal(size=(p, p)) * rng.uniform(0.0, 0.6) + np.eye(p)
    base = rng.normal(size=(n, p)) @ mixing
    base /= base.std(axis=0)
    for i in range(p):
        shape = rng.integers(5)
        if shape == 0:
            base[:, i] = np.exp(base[:, i] * rng.uniform(0.3, 1.2))
        elif shape == 1:
            base[:, i] = np.argsort(np.argsort(base[:, i])) / n
        elif shape == 2:
            base[:, i] = np.round(base[:, i] * rng.uniform(1, 8))
        base[:, i] = base[:, i] * 10 ** rng.uniform(-2, 4) + rng.normal() * rng.integers(0, 2)
    return base


def _codes(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    levels = int(np.exp(rng.uniform(np.log(2), np.log(80))))
    share = 1.0 / np.arange(1, levels + 1) ** rng.uniform(0.0, 1.5)
    return rng.choice(levels, size=n, p=share / share.sum())


def _signal(numbers: Array, codes: list[NDArray[np.int64]], rng: np.random.Generator) -> Array:
    """Return a mixture of effects with mean 0 and deviation 1."""
    spread = numbers.std(axis=0)
    X = (numbers - np.median(numbers, axis=0)) / np.where(spread > 0, spread, 1)
    X = np.clip(X, -4, 4)[:, _some(X.shape[1], rng)]
    effects: tuple[Effect, ...] = (_linear, _tree, _interaction, _periodic, _smooth)
    weights = rng.dirichlet(np.full(len(effects) + len(codes), 0.6))
    parts = [effect(X, rng) for effect in effects]
    parts += [_unit(rng.normal(size=code.max() + 1)[code]) for code in codes]
    return _unit(sum(w * part for w, part in zip(weights, parts, strict=True)))


def _some(p: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.permutation(p)[: int(rng.integers(2, max(3, min(p, 12) + 1)))]


def _linear(X: Array, rng: np.random.Generator) -> Array:
    return _unit(X @ rng.normal(size=X.shape[1]))


def _tree(X: Array, rng: np.random.Generator) -> Array:
    """Sum a few random trees with cuts along the axes."""
    total = np.zeros(len(X))
    for _ in range(int(rng.integers(1, 6))):
        leaf = np.zeros(len(X), np.int64)
        depth = int(rng.integers(2, 6))
        for _ in range(depth):
            column = X[:, rng.integers(X.shape[1])]
            cut = np.quantile(column, rng.uniform(0.15, 0.85, size=leaf.max() + 1))
            leaf = 2 * leaf + (column > cut[leaf])
        total += rng.normal(size=2 ** (depth + 1))[leaf]
    return _unit(total)


def _interaction(X: Array, rng: np.random.Generator) -> Array:
    total = np.zeros(len(X))
    for _ in range(int(rng.integers(1, 5))):
        first, second = rng.integers(X.shape[1], size=2)
        total += rng.normal() * X[:, first] * X[:, second]
    return _unit(total)


def _periodic(X: Array, rng: np.random.Generator) -> Array:
    column = X[:, rng.integers(X.shape[1])]
    return _unit(np.sin(column * rng.uniform(1.5, 9) + rng.uniform(0, 6)))


def _smooth(X: Array, rng: np.random.Generator) -> Array:
    """Return the output of a random network with one hidden layer."""
    width = int(rng.integers(4, 20))
    hidden = np.tanh(X @ rng.normal(size=(X.shape[1], width)) * rng.uniform(0.3, 1.5))
    return _unit(hidden @ rng.normal(size=width))


def _unit(values: Array) -> Array:
    deviation = values.std()
    return (values - values.mean()) / (deviation if deviation > 0 else 1.0)


def _target(scores: Array, kind: str, rng: np.random.Generator) -> NDArray[Any]:
    noise = np.exp(rng.uniform(np.log(0.1), np.log(1.5)))
    if kind == "regression":
        values = scores[:, 0] + noise * rng.standard_t(5, size=len(scores))
        return np.exp(values) if rng.random() < 0.3 else values
    noisy = scores + noise * rng.gumbel(size=scores.shape)
    if kind == "multiclass":
        classes = (noisy + rng.normal(size=scores.shape[1]) * rng.uniform(0, 0.7)).argmax(axis=1)
        return np.array([f"k{c}" for c in classes], dtype=object)
    cut = np.quantile(noisy[:, 0], rng.uniform(0.5, 0.95))
    return np.where(noisy[:, 0] > cut, "yes", "no").astype(object)


def _with_gaps(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    for name in frame.columns:
        if rng.random() > 0.35:
            continue
        share = rng.uniform(0.01, 0.3)
        gone = rng.random(len(frame)) < share
        if name.startswith("n") and rng.random() < 0.4:  # the highest values are not told
            gone = (frame[name] > frame[name].quantile(1 - share)).to_numpy()
        frame[name] = frame[name].mask(gone)
    return frame
