"""Fitting a recipe: which categories interact, which numbers belong together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.zoo._keys import Floats, Matrix, Slots, encode
from autoglm.zoo._labels import weights_of
from autoglm.zoo._recipe import MINUS, OVER, TIMES, WORDS, Arithmetic, Recipe
from autoglm.zoo.contract import Facts, Fold, Limits

#: Classes that get a mean of their own, the most frequent first.
_MOST_CLASSES = 8
#: Categories whose pairs are looked at, pairs that are kept, rows they are chosen on.
_CROSSED, _MOST_PAIRS, _CROSS_ROWS = 12, 6, 8000
#: Share of the target's variance that a pair must explain beyond its two parts.
_LEAST_GAIN = 1e-3
_NUMBERS, _MOST_ARITHMETIC, _ARITHMETIC_ROWS = 8, 12, 4000
_SMALLEST = 30


def cook(name: str, fold: Fold, facts: Facts, limits: Limits) -> tuple[Recipe, Matrix] | None:
    """Learn a recipe from the training rows of a fold.

    Parameters
    ----------
    name
        Words of `autoglm.zoo._recipe.WORDS`, joined with "+".
    fold
        Rows of the tree view.
    facts, limits
        The task; the seed.

    Returns
    -------
    recipe, rows
        With the training rows (n, p + e) as the member is to see them; None when the recipe
        adds nothing to this table.

    Raises
    ------
    ValueError
        When the name has an unknown word.
    """
    words = set(name.split("+"))
    if not words <= set(WORDS):
        raise ValueError(f"unknown features {name!r}; the words are {', '.join(WORDS)}")
    X = np.asarray(fold.X[fold.train], dtype=np.float32)
    if len(X) < _SMALLEST:
        return None
    target, weight = targets_of(fold, facts), weights_of(fold, fold.train)
    slots = choose_slots(words, X, target, facts, limits.seed)
    keys, inner = None, None
    if slots is not None:
        keys, inner = encode(slots, X, target, limits.seed, weight=weight)
    arithmetic = None
    if "arithmetic" in words:
        wanted = _choose_arithmetic(X, fold, facts, limits)
        arithmetic = Arithmetic.of(wanted) if wanted else None
    gaps = _gappy(X) if "gaps" in words else np.zeros(0, np.int64)
    recipe = Recipe(X.shape[1], keys, arithmetic, gaps)
    return (recipe, recipe.append(X, inner)) if recipe.columns else None


def targets_of(fold: Fold, facts: Facts) -> Floats:
    """Return what is averaged over training rows (n, t): the value, or marks of classes."""
    y = fold.y[fold.train]
    if facts.regression or facts.n_classes == 2:
        return np.asarray(y, np.float64)[:, None]
    common = np.argsort(-np.bincount(y, minlength=facts.n_classes), kind="stable")
    return np.asarray(y[:, None] == np.sort(common[:_MOST_CLASSES]), np.float64)


def choose_slots(
    words: set[str], X: Matrix, target: Floats, facts: Facts, seed: int, *, least_codes: int = 3
) -> Slots | None:
    """Return the categories and pairs that a recipe encodes; None when there are none.

    Parameters
    ----------
    words
        "target" for categories, "cross" for pairs.
    X, target
        Training rows (n, p) of the tree view, and what is averaged (n, t).
    facts, seed
        The task; the seed of inner folds.
    least_codes
        A category of fewer codes is left alone: for a tree a mean says no more than the code.
    """
    sizes = {c: n for c, n in facts.categorical.items() if n > 1}
    pairs = _choose_pairs(X, target, sizes, seed) if "cross" in words else []
    singles = [c for c, n in sorted(sizes.items()) if n >= least_codes] if "target" in words else []
    return Slots.of(singles, pairs, sizes) if singles or pairs else None


def _gappy(X: Matrix) -> NDArray[np.int64]:
    """Return the columns with missing cells, when there are at least two."""
    columns = np.flatnonzero(np.isnan(X).any(axis=0))
    return columns if len(columns) > 1 else np.zeros(0, np.int64)


# --- pairs of categories ---------------------------------------------------------------------


def _choose_pairs(
    X: Matrix, target: Floats, sizes: dict[int, int], seed: int
) -> list[tuple[int, int]]:
    """Return the pairs that explain most of what their columns leave when added up."""
    if len(sizes) < 2:
        return []
    rows = np.random.default_rng(seed).permutation(len(X))[:_CROSS_ROWS]
    X, target = X[rows], target[rows] - target[rows].mean(axis=0)
    single = Slots.of(sorted(sizes), [], sizes)
    _, inner = encode(single, X, target, seed, counts=False)
    t = target.shape[1]
    error = ((inner.reshape(len(X), -1, t) - target[:, None]) ** 2).sum(axis=(0, 2))
    strong = [single.specs()[i][0] for i in np.argsort(error, kind="stable")[:_CROSSED]]
    rest = target - _additive(inner.astype(np.float64), target)
    pairs = list(itertools.combinations(sorted(strong), 2))
    crossed = Slots.of([], pairs, sizes)
    _, inner = encode(crossed, X, rest, seed + 1, counts=False)
    left = ((inner.reshape(len(X), -1, t) - rest[:, None]) ** 2).sum(axis=(0, 2))
    gain = ((rest**2).sum() - left) / max(float((target**2).sum()), 1e-12)
    best = [i for i in np.argsort(-gain, kind="stable")[:_MOST_PAIRS] if gain[i] > _LEAST_GAIN]
    return sorted(crossed.specs()[i] for i in best)


def _additive(columns: Floats, target: Floats) -> Floats:
    """Return the ridge fit of targets (n, t) on columns (n, m)."""
    columns = columns - columns.mean(axis=0)
    gram = columns.T @ columns
    gram[np.diag_indices_from(gram)] += 1e-3 * np.trace(gram) / len(gram) + 1e-9
    fitted: Floats = columns @ np.linalg.solve(gram, columns.T @ target)
    return fitted


# --- pairs of numbers ------------------------------------------------------------------------


def _choose_arithmetic(
    X: Matrix, fold: Fold, facts: Facts, limits: Limits
) -> list[tuple[int, int, int]]:
    """Return the operations that a quick booster splits on with most gain."""
    rows = np.random.default_rng(limits.seed).permutation(len(X))[:_ARITHMETIC_ROWS]
    some, y = X[rows], fold.y[fold.train][rows]
    numbers = [j for j in range(X.shape[1]) if j not in facts.categorical]
    numbers = [j for j in numbers if len(np.unique(some[:500, j])) > 5]
    if len(numbers) < 2:
        return []
    gain = _gains(some, y, facts, limits.seed)
    numbers = sorted(sorted(numbers, key=lambda j: -gain[j])[:_NUMBERS])
    triples = _operations(some, numbers)
    made = Arithmetic.of(triples)
    gain = _gains(np.hstack([some, made(some)]), y, facts, limits.seed)
    own = gain[X.shape[1] :]
    least = 0.2 * gain.sum() / len(gain)
    best = [i for i in np.argsort(-own, kind="stable")[:_MOST_ARITHMETIC] if own[i] > least]
    return [made.triples()[i] for i in best]


def _operations(X: Matrix, numbers: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return every difference, product and ratio; the divisor is what is zero less often."""
    zeros = (X == 0).sum(axis=0)
    triples = []
    for a, b in itertools.combinations(numbers, 2):
        over = (OVER, a, b) if zeros[b] <= zeros[a] else (OVER, b, a)
        triples += [(MINUS, a, b), (TIMES, a, b), over]
    return triples


def _gains(X: Matrix, y: Any, facts: Facts, seed: int) -> Floats:
    """Return the total gain of each column in a small booster."""
    import lightgbm

    trees = facts.n_classes if facts.n_classes > 2 else 1
    goal = "regression" if facts.regression else "binary" if trees == 1 else "multiclass"
    settings = {
        "objective": goal, "num_leaves": 15, "learning_rate": 0.15, "verbosity": -1,
        "num_threads": 1, "deterministic": True, "force_row_wise": True, "max_bin": 63,
        "feature_fraction_bynode": 0.5, "min_data_in_leaf": max(2, min(20, len(y) // 20)),
        "seed": seed, **({"num_class": trees} if trees > 1 else {}),
    }  # fmt: skip
    data = lightgbm.Dataset(X, label=y, params=settings)
    booster = lightgbm.train(settings, data, max(8, 40 // trees))
    return np.asarray(booster.feature_importance("gain"), np.float64)
