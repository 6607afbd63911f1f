"""The training loop of the network."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from autoglm.core.space import Params
from autoglm.zoo._backprop import Adam, Backprop
from autoglm.zoo._labels import loss, weights_of
from autoglm.zoo._members import Floats, Members, Shape, mean_answer
from autoglm.zoo._threads import in_blocks
from autoglm.zoo.contract import Array, Facts, Fold, Limits

_WARM_UP = 0.1
#: Hidden values of a layer that are made at a time: they stay in the cache, and the memory of
#: one block serves the next.
_BLOCK = 32_768
#: How often the validation rows are looked at in the course of a training.
_LOOKS = 32
_MOST_EPOCHS, _LEAST_EPOCHS = 100, 12
#: The decay is given for so many rows.
_ROWS = 1000
#: A fit is not squeezed below so many steps, unless its deadline demands it.
_LEAST_STEPS = 200
#: However hasty the plan, a network that learns for less than this, seconds, learns too little.
LEAST_S = 0.9
#: ... and it may take so many times as long as other fits are meant to.
PATIENCE = 2.0


@dataclass
class Training:
    """One training: rows in memory, the network and its optimiser.

    Attributes
    ----------
    X, numbers
        Training rows (n, q), and their columns with periodic features (p, n).
    target, weight
        (n, m) class indicators or values; (n, 1) with mean 1.
    rate
        Highest learning rate.
    steps
        Batches when there is time for all of them.
    stop
        Share of the schedule after which to stop.
    """

    net: Members
    passes: Backprop
    adam: Adam
    X: Floats
    numbers: Floats
    target: Floats
    weight: Floats
    rng: np.random.Generator
    rate: float
    steps: int
    stop: float
    regression: bool
    _order: NDArray[np.int64] = field(default_factory=lambda: np.arange(0))
    _at: int = 0
    _step_s: float = 0.0
    _look_s: float = 0.0

    @classmethod
    def of(
        cls, fold: Fold, params: Params, facts: Facts, net: Members, rng: np.random.Generator
    ) -> Training:
        """Gather the training rows of a fold."""
        y, n = fold.y[fold.train], len(fold.train)
        weight = weights_of(fold, fold.train)
        weight = np.ones(n) if weight is None else weight / weight.mean()
        target = np.eye(facts.n_classes)[y] if facts.n_classes > 2 else y[:, None]
        X = np.ascontiguousarray(fold.X[fold.train], dtype=np.float32)
        if not facts.regression:
            _start_at_shares(net, (weight[:, None] * target).mean(axis=0))
        batch = min(n, int(params.get("batch", 64)))
        return cls(
            net=net,
            passes=Backprop(net, batch, float(params.get("dropout", 0.1)), rng),
            # What is forgotten in one pass over the rows then does not depend on their number.
            adam=Adam(net, float(params.get("decay", 0.5)) * _ROWS / n),
            X=X,
            numbers=np.ascontiguousarray(X[:, net.shape.numeric].T),
            target=target.astype(np.float32),
            weight=weight.astype(np.float32)[:, None],
            rng=rng,
            rate=float(params.get("learning_rate", 3e-3)),
            steps=planned_steps(net.shape, n, batch, params, facts),
            stop=float(params.get("stop", 1.0)),
            regression=facts.regression,
        )

    def run(self, fold: Fold, limits: Limits) -> tuple[Floats, float]:
        """Train; return the best parameters and the share of the schedule they took.

        They are means of recent parameters, compared on the validation rows.
        """
        valid = np.asarray(fold.X[fold.valid], dtype=np.float32)
        y, weight = fold.y[fold.valid], weights_of(fold, fold.valid)
        best, best_loss, best_at, done = self.net.flat.copy(), float("inf"), 0.0, 0.0
        stretch = max(1, self.steps // _LOOKS)
        while done < self.stop - 1e-9:
            done = self._stretch(done, stretch if done else min(stretch, 4), stretch, limits)
            began = time.monotonic()
            now = loss(y, self.answer(valid), weight) if len(y) else -done
            if np.isfinite(now) and now < best_loss:
                best, best_loss, best_at = self.adam.average.copy(), now, done
            self._look_s = time.monotonic() - began
            if limits.left() < self._step_s + self._look_s:
                break
        if not np.isfinite(best).all():
            raise ValueError("the network diverged")
        return best, best_at

    def answer(self, X: Floats) -> Array:
        """Return what the mean of recent parameters says of rows (n, q)."""
        return answer(Members(self.net.shape, self.adam.average), X, regression=self.regression)

    def _stretch(self, done: float, steps: int, usual: int, limits: Limits) -> float:
        """Go some steps on from a share of the schedule; return the share reached."""
        # When time is short the schedule is squeezed, so that the rate still falls to zero.
        each = self._step_s + self._look_s / usual
        affordable = limits.left() / each if each else float(self.steps)
        share = max(1.0 / self.steps, (self.stop - done) / max(1.0, affordable))
        began, made = time.monotonic(), 0
        while made < steps and done < self.stop - 1e-9:
            self._step(self._rows(), schedule(done))
            made, done = made + 1, min(self.stop, done + share)
            if limits.left() <= self._look_s:
                break
        self._step_s = (time.monotonic() - began) / made
        return done

    def _rows(self) -> NDArray[np.int64]:
        """Return the next rows of an endless shuffle."""
        if self._at + self.passes.batch > len(self._order):
            self._order, self._at = self.rng.permutation(len(self.X)), 0
        self._at += self.passes.batch
        return self._order[self._at - self.passes.batch : self._at]

    def _step(self, rows: NDArray[np.int64], factor: float) -> None:
        numbers = self.numbers[:, rows]
        scores = self.passes.forward(self.X[rows], numbers)
        error = error_of(scores, self.target[rows], regression=self.regression)
        error *= self.weight[rows] / np.float32(len(rows))
        self.passes.backward(error, numbers)
        self.adam.step(self.passes.gradient, self.rate * factor)


def answer(net: Members, X: Floats, *, regression: bool) -> Array:
    """Return the mean answer of the members to rows (n, q), block by block."""
    first, step = net.first(), max(16, _BLOCK // (net.shape.members * max(net.shape.hidden)))
    blocks = in_blocks(lambda a, b: net.scores(X[a:b], first), len(X), step)
    return mean_answer(np.concatenate(blocks, axis=1), regression=regression)


def planned_steps(shape: Shape, n: int, batch: int, params: Params, facts: Facts) -> int:
    """Return how many batches a training takes, fewer where `fit_seconds` asks for haste."""
    # The more rows there are, the fewer times each of them has to be seen.
    epochs = min(_MOST_EPOCHS, max(_LEAST_EPOCHS, _MOST_EPOCHS * (1500 / n) ** 0.5))
    steps = max(1, round(float(params.get("epochs", epochs)) * n / batch))
    if facts.fit_seconds is None:
        return steps
    affordable = int(max(LEAST_S, PATIENCE * facts.fit_seconds) / step_seconds(shape, batch))
    return min(steps, max(_LEAST_STEPS, affordable))


def step_seconds(shape: Shape, batch: int) -> float:
    """Return what one step takes on one thread, about: from sizes, without measuring."""
    cells, waves = shape.members * sum(shape.hidden), len(shape.numeric) * shape.frequencies
    row = 7e-11 * shape.work + 1.6e-9 * cells + 7e-9 * waves
    first = shape.members * shape.width * shape.hidden[0]
    return 1e-4 + 2.5e-9 * shape.size + 1e-9 * first + batch * row


def schedule(done: float) -> float:
    """Return the factor of the learning rate: a linear rise, then a cosine to zero."""
    if done < _WARM_UP:
        return (done + 0.01) / (_WARM_UP + 0.01)
    return 0.5 * (1 + float(np.cos(np.pi * (done - _WARM_UP) / (1 - _WARM_UP))))


def error_of(scores: Floats, target: Floats, *, regression: bool) -> Floats:
    """Return the derivative of the loss in the raw scores.

    Parameters
    ----------
    scores
        (members, n, m).
    target
        (n, m); one column for two classes and for numbers, class indicators otherwise.
    """
    if regression:
        return scores - target
    if target.shape[1] == 1:
        half = np.float32(0.5)
        likely: Floats = half * (1 + np.tanh(half * scores)) - target
        return likely
    shares: Floats = np.exp(scores - scores.max(axis=2, keepdims=True))
    shares /= shares.sum(axis=2, keepdims=True)
    shares -= target
    return shares


def _start_at_shares(net: Members, shares: Array) -> None:
    """Let the network predict the class shares before it has learned anything."""
    shares = np.clip(shares, 1e-4, 1 - 1e-4)
    one = np.log(shares / (1 - shares)) if len(shares) == 1 else np.log(shares)
    net.part["offset"][...] = one
