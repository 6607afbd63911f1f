"""Greedy ensemble selection on out-of-fold predictions.

Caruana et al., "Ensemble Selection from Libraries of Models" (ICML 2004): forward selection
with replacement from the best single model on, here with the weights drawn towards uniform on
small data, where the validation is easily overfitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoglm.tuner.scoring import Scorer

STEPS = 25
SMALL_ROWS = 2000
SAMPLE_ROWS = 20_000
#: A member with less weight than this is not worth its prediction time.
LEAST_WEIGHT = 0.03


@dataclass(frozen=True)
class Weights:
    """Chosen members.

    Attributes
    ----------
    members
        Index of each chosen candidate, heaviest first.
    weights
        Their weights; they sum to 1.
    score
        Utility of the blend on the rows it was chosen on.
    """

    members: tuple[int, ...]
    weights: tuple[float, ...]
    score: float


def select(
    candidates: Sequence[NDArray[np.float32]],
    y: NDArray[np.generic],
    scorer: Scorer,
    *,
    costs: Sequence[float] | None = None,
    max_cost: float = float("inf"),
    max_members: int = 12,
) -> Weights:
    """Choose members and weights.

    Parameters
    ----------
    candidates
        Out-of-fold predictions of each candidate on the same rows: (n, k) or (n,).
    y
        (n,) targets on the learners' scale.
    scorer
        The task's utility.
    costs
        Prediction cost of each candidate, in the unit of `max_cost`; the total of the chosen
        never exceeds `max_cost`, unless the cheapest single one does.
    max_cost, max_members
        Bounds on the blend.
    """
    rows = _sample(len(y))
    stack = [np.asarray(c[rows], np.float64) for c in candidates]
    truth = y[rows]
    price = np.zeros(len(stack)) if costs is None else np.asarray(costs, np.float64)
    single = np.array([scorer.utility(truth, c) for c in stack])
    affordable = price <= max(max_cost, price.min())
    start = int(np.argmax(np.where(affordable, single, -np.inf)))
    counts = np.zeros(len(stack))
    counts[start] = 1
    best, best_counts = single[start], counts.copy()
    total = stack[start].copy()
    for step in range(1, STEPS):
        used = counts > 0
        allowed = used | (price + price[used].sum() <= max_cost)
        if used.sum() >= max_members:
            allowed = used
        tries = np.full(len(stack), -np.inf)
        for i in np.flatnonzero(allowed):
            tries[i] = scorer.utility(truth, (total + stack[i]) / (step + 1))
        choice = int(np.argmax(tries))
        counts[choice] += 1
        total += stack[choice]
        if tries[choice] > best:
            best, best_counts = tries[choice], counts.copy()
    weights = _trimmed(_shrunk(best_counts / best_counts.sum(), len(y)))
    blend = sum(w * c for w, c in zip(weights, stack, strict=True))
    order = [int(i) for i in np.argsort(-weights, kind="stable") if weights[i] > 0]
    return Weights(
        tuple(order),
        tuple(float(weights[i]) for i in order),
        float(scorer.utility(truth, np.asarray(blend))),
    )


def _sample(n: int) -> NDArray[np.int64]:
    if n <= SAMPLE_ROWS:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).permutation(n)[:SAMPLE_ROWS])


def _shrunk(weights: NDArray[np.float64], n_rows: int) -> NDArray[np.float64]:
    """Mix in uniform weights over the chosen, up to one half on the smallest data."""
    if n_rows >= SMALL_ROWS:
        return weights
    share = 0.5 * (1 - n_rows / SMALL_ROWS)
    chosen = weights > 0
    return np.asarray((1 - share) * weights + share * chosen / chosen.sum())


def _trimmed(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = np.where(weights >= min(LEAST_WEIGHT, weights.max()), weights, 0.0)
    return np.asarray(kept / kept.sum())
