"""Weights of an ensemble, from out-of-fold predictions.

Stacking with few, non-negative weights: probabilities are pooled by their logarithms, numbers as
they are, and the weights minimise log loss or squared error, drawn towards equal weights the more
the fewer rows there are (Breiman, 1996, "Stacked Regressions", for the non-negative weights;
Genest and Zidek, 1986, for logarithmic pools). One smooth loss with a ridge overfits the
validation less than a greedy choice by the metric itself, whatever the metric, and costs a
fraction of its time. Members of little weight are left out, and weights found anew without them.

On few rows the best of many configurations of a learner is partly the luckiest, most of all where
only the order of the predictions counts. There the best few of each learner stand together as one
member, with equal weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.tuner.scoring import Scorer

Array = NDArray[np.float64]

#: Candidates that weights are looked for, the best by themselves.
SCREENED = 16
SAMPLE_ROWS, SAMPLE_CELLS = 10_000, 3_000_000
#: A member with a smaller share of the weight is not worth its prediction time.
LEAST_SHARE = 0.05
#: A member must be worth so much log-likelihood: 1 is Akaike's price of a parameter.
LEAST_WORTH = 1.0
#: Strength of the pull towards equal weights, divided by the root of the rows; and with few rows
#: where only the order of the predictions counts, which log loss tells less of.
RIDGE, RIDGE_OF_RANKS = 0.3, 1.0
RANKED = frozenset({"roc_auc", "average_precision"})
#: Configurations of a learner in one bag, as many of these as the bound on the cost allows.
BAGS = (5, 3)
#: From so many rows on the best of a learner is better than its company: of ranks, and of numbers.
#: Log loss tells good configurations apart with fewer rows; its members stand alone.
RANKED_ROWS, VALUED_ROWS = 4000, 2500
#: Of a bag of several configurations fewer models of each are enough: half of five in all.
_ENOUGH = 2.5
#: Probabilities below it count as it: one sure member must not overrule all others.
FLOOR = 1e-6
_STEPS, _SWEEPS = 30, 200


@dataclass(frozen=True)
class Pool:
    """How the predictions of members become one.

    Attributes
    ----------
    log
        Whether logarithms of probabilities are averaged (and the result made to sum to 1)
        instead of the predictions themselves.
    scale
        Factor on the weighted average: above 1 it makes up for what averaging blurs.
    """

    log: bool = False
    scale: float = 1.0

    def __call__(self, parts: Sequence[NDArray[Any]], weights: Sequence[float]) -> Array:
        """Return the pooled prediction (n, k) or (n,) of parts of that shape.

        Parameters
        ----------
        parts
            Predictions of the members.
        weights
            Their shares; they sum to 1.
        """
        total: Any = 0.0
        for part, weight in zip(parts, weights, strict=True):
            total = total + weight * (_logs(part) if self.log else np.asarray(part, np.float64))
        total = self.scale * total
        return _shares(total) if self.log else np.asarray(total)


LINEAR = Pool()


@dataclass(frozen=True)
class Weights:
    """Chosen members.

    Attributes
    ----------
    members
        Index of each chosen candidate, heaviest first.
    weights
        Their shares; they sum to 1.
    score
        Utility of the blend on the rows it was chosen on.
    pool
        How their predictions are put together.
    """

    members: tuple[int, ...]
    weights: tuple[float, ...]
    score: float
    pool: Pool = LINEAR


def select(
    candidates: Sequence[NDArray[np.float32]],
    y: NDArray[np.generic],
    scorer: Scorer,
    *,
    costs: Sequence[float] | None = None,
    max_cost: float = float("inf"),
    max_members: int = 12,
    learners: Sequence[str] | None = None,
    n_rows: int | None = None,
) -> Weights:
    """Choose members and weights.

    Parameters
    ----------
    candidates
        Out-of-fold predictions of each candidate on the same rows: (n, k) or (n,).
    y
        (n,) targets on the learners' scale.
    scorer
        The task's utility, by which candidates are screened.
    costs
        Prediction cost of each candidate, in the unit of `max_cost`. The total of the chosen
        never exceeds `max_cost`, unless the cheapest single one does; a bag costs less than the
        sum of its candidates, as fewer models of each of them are enough.
    max_cost, max_members
        Bounds on the blend; a bag counts as one member.
    learners
        Of each candidate: where rows are few, the best of a learner form a bag. None for no bags.
    n_rows
        Rows of the whole table, when only a part of it is given: they decide what is few.
    """
    rows = _sample(len(y), SCREENED * candidates[0][0].size)
    truth = y[rows]
    price = np.zeros(len(candidates)) if costs is None else np.asarray(costs, np.float64)
    parts = [np.asarray(c[rows], np.float64) for c in candidates]
    single = np.array([scorer.utility(truth, p) for p in parts])
    single[price > max(max_cost, price.min())] = -np.inf
    order = [int(i) for i in np.argsort(-single, kind="stable")]
    able = [i for i in order if np.isfinite(single[i])] or order[:1]
    bounds = _Bounds(price, max_cost, max_members)
    few = bagged(n_rows or len(y), scorer)
    ridge = RIDGE_OF_RANKS if few and scorer.metric.name in RANKED else RIDGE
    bags, raw = _weighed(able, parts, truth, ridge, bounds, (learners or ()) if few else ())
    members = [(i, float(w) / len(bag)) for bag, w in zip(bags, raw, strict=True) for i in bag]
    if len(members) == 1:
        return Weights((members[0][0],), (1.0,), float(single[members[0][0]]))
    total = float(raw.sum())
    members = sorted(((i, w / total) for i, w in members), key=lambda one: -one[1])
    chosen, shares = zip(*members, strict=True)
    pool = Pool(log=parts[0].ndim == 2, scale=total)
    score = float(scorer.utility(truth, pool([parts[i] for i in chosen], shares)))
    return Weights(chosen, shares, score, pool)


def bagged(n_rows: int, scorer: Scorer) -> bool:
    """Return whether the best few configurations of a learner stand together as one member."""
    if scorer.metric.needs == "value":
        return n_rows < VALUED_ROWS
    return scorer.metric.name in RANKED and n_rows < RANKED_ROWS


def _weighed(
    able: list[int],
    parts: Sequence[Array],
    y: NDArray[Any],
    ridge: float,
    bounds: _Bounds,
    learners: Sequence[str],
) -> tuple[list[list[int]], Array]:
    """Return the chosen bags of candidates and their weights.

    The largest bags that find room; each candidate by itself where none do, or no learners are
    given.
    """
    for size in BAGS if learners else ():
        bags = _bags(able, learners, size)
        price = np.array([_bag_price(bounds.price[bag]) for bag in bags])
        free = _Bounds(price, float("inf"), bounds.max_members)
        problem = _Problem([_mean([parts[i] for i in bag]) for bag in bags], y, ridge)
        chosen, raw = _reduced(list(range(len(bags))), problem, free)
        if price[chosen].sum() <= bounds.max_cost:
            return [bags[i] for i in chosen], raw
    chosen, raw = _reduced(able[:SCREENED], _Problem(parts, y, ridge), bounds)
    return [[i] for i in chosen], raw


def _bags(able: Sequence[int], learners: Sequence[str], size: int) -> list[list[int]]:
    """Return the best few candidates of each learner."""
    bags: dict[str, list[int]] = {}
    for i in able:
        bags.setdefault(learners[i], []).append(i)
    return [bag[:size] for bag in bags.values()]


def _bag_price(prices: Array) -> float:
    """Return the price of a bag whose members share the models that one of them would have."""
    return float(prices.sum() / min(len(prices), _ENOUGH))


def _mean(parts: Sequence[Array]) -> Array:
    """Return the geometric mean of probabilities (n, k), not scaled; of numbers the mean."""
    if len(parts) == 1 or parts[0].ndim == 1:
        return np.asarray(np.mean(parts, axis=0))
    return np.asarray(np.exp(np.mean([_logs(p) for p in parts], axis=0)))


@dataclass(frozen=True)
class _Bounds:
    """Prices, and what is allowed of them."""

    price: Array
    max_cost: float
    max_members: int

    def surplus(self, chosen: Sequence[int], shares: Array, worth: Array) -> int | None:
        """Return the place of the member to leave out first, or None when all may stay."""
        if len(chosen) == 1:
            return None
        price = self.price[list(chosen)]
        if price.sum() > self.max_cost:
            return int(np.argmin(worth / (price + 0.01 * price.max())))
        least = int(np.argmin(worth))
        few = len(chosen) <= self.max_members and shares.min() >= LEAST_SHARE
        return None if few and worth[least] >= LEAST_WORTH else least


def _reduced(chosen: list[int], problem: _Problem, bounds: _Bounds) -> tuple[list[int], Array]:
    """Leave out members until all that are left have weight and find room; weigh those."""
    while True:
        raw, worth = problem.weights(chosen)
        if raw.sum() <= 0:
            return chosen[:1], np.ones(1)
        shares = raw / raw.sum()
        # Those without any weight go at once, others one by one.
        alive = [i for i, share in zip(chosen, shares, strict=True) if share > 0.2 * LEAST_SHARE]
        if len(alive) < len(chosen):
            chosen = alive
            continue
        out = bounds.surplus(chosen, shares, worth)
        if out is None:
            return chosen, raw
        chosen = chosen[:out] + chosen[out + 1 :]


class _Problem:
    """The loss of a weighted sum, and the weights that minimise it.

    Parameters
    ----------
    parts
        Predictions of all candidates on the same rows.
    y
        The truth of these rows.
    ridge
        Strength of the pull towards equal weights, times the root of the rows.
    """

    def __init__(self, parts: Sequence[Array], y: NDArray[Any], ridge: float) -> None:
        self._parts, self._y = parts, y
        self._ridge = ridge / np.sqrt(max(1, len(y)))

    def weights(self, chosen: Sequence[int]) -> tuple[Array, Array]:
        """Return weights of some candidates, and what each is worth.

        Returns
        -------
        tuple
            (m,) weights, 0 or more; they need not sum to 1. (m,) log-likelihood of all rows
            that would be lost without the candidate and with the others' weights found anew,
            to second order (Hassibi and Stork, 1993).
        """
        parts = [self._parts[i] for i in chosen]
        if parts[0].ndim == 1:
            return self._squared(np.stack(parts))
        if parts[0].shape[1] == 2:
            logs = [_logs(p) for p in parts]
            return self._newton(len(parts), self._two(np.stack([p[:, 1] - p[:, 0] for p in logs])))
        return self._newton(len(parts), self._many(np.stack([_logs(p) for p in parts])))

    def _squared(self, X: Array) -> tuple[Array, Array]:
        """Minimise the squared error of X (m, n)."""
        m, n = X.shape
        scale = 2.0 / (n * max(float(np.var(self._y.astype(np.float64))), 1e-12))
        curve = scale * X @ X.T + 2 * self._ridge * np.eye(m)
        slope = -scale * X @ self._y.astype(np.float64) - 2 * self._ridge / m
        w = _lowest(curve, slope, np.full(m, 1.0 / m))
        error = float(((w @ X - self._y) ** 2).mean()) * scale * n / 2
        return w, _worth(w, curve) * n / (2 * max(error, 1e-9))

    def _two(self, X: Array) -> _Loss:
        """Return log loss, slope and curvature of log-odds (m, n)."""
        hit, n = self._y.astype(np.float64), X.shape[1]

        def at(w: Array, whole: bool) -> tuple[float, Array, Array]:
            odds = w @ X
            loss = float(np.logaddexp(0.0, np.where(hit == 1, -odds, odds)).mean())
            if not whole:
                return loss, odds, odds
            p = 0.5 * (1.0 + np.tanh(0.5 * odds))
            return loss, X @ (p - hit) / n, (X * (p * (1.0 - p))) @ X.T / n

        return at

    def _many(self, X: Array) -> _Loss:
        """Return log loss, slope and curvature of log-probabilities (m, n, k)."""
        code, rows = self._y.astype(np.int64), np.arange(X.shape[1])
        truth = X[:, rows, code]

        def at(w: Array, whole: bool) -> tuple[float, Array, Array]:
            total = np.tensordot(w, X, 1)
            total -= total.max(axis=1, keepdims=True)
            p = np.exp(total)
            size = p.sum(axis=1, keepdims=True)
            loss = float((np.log(size[:, 0]) - total[rows, code]).mean())
            if not whole:
                return loss, w, w
            p /= size
            mean = np.einsum("mnk,nk->mn", X, p)
            root = (X * np.sqrt(p)).reshape(len(X), -1)
            return loss, (mean - truth).mean(axis=1), (root @ root.T - mean @ mean.T) / len(rows)

        return at

    def _newton(self, m: int, at: _Loss) -> tuple[Array, Array]:
        """Minimise a convex loss with the ridge by projected Newton steps."""
        equal = np.full(m, 1.0 / m)

        def ridge(w: Array) -> float:
            return float(self._ridge * ((w - equal) ** 2).sum())

        w = equal
        for _ in range(_STEPS):
            loss, slope, curve = at(w, True)
            loss += ridge(w)
            slope = slope + 2 * self._ridge * (w - equal)
            curve = curve + 2 * self._ridge * np.eye(m)
            goal, step, now = _lowest(curve, slope - curve @ w, w), 1.0, np.inf
            while step > 1e-3 and now > loss:
                tried = w + step * (goal - w)
                now, step = at(tried, False)[0] + ridge(tried), step / 2
            if now > loss - 1e-7:
                break
            w = tried
        return w, _worth(w, curve) * len(self._y)


def _worth(w: Array, curve: Array) -> Array:
    inverse = np.linalg.inv(curve)
    return np.asarray(0.5 * w**2 / np.maximum(np.diag(inverse), 1e-12))


_Loss = Callable[[Array, bool], tuple[float, Array, Array]]


def _lowest(curve: Array, slope: Array, start: Array) -> Array:
    """Return the non-negative minimum of ``w' curve w / 2 + slope' w``, by coordinates."""
    w = start.copy()
    for _ in range(_SWEEPS):
        before = w.copy()
        for i in range(len(w)):
            w[i] = max(0.0, w[i] - float(curve[i] @ w + slope[i]) / curve[i, i])
        if np.abs(w - before).max() < 1e-6:
            break
    return w


def _sample(n: int, cells: int) -> NDArray[np.int64]:
    most = int(np.clip(SAMPLE_CELLS // max(1, cells), 500, SAMPLE_ROWS))
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).permutation(n)[:most])


def _logs(proba: NDArray[Any]) -> Array:
    return np.asarray(np.log(np.maximum(np.asarray(proba, np.float64), FLOOR)))


def _shares(logs: Array) -> Array:
    raised = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
