"""A small multilayer perceptron, trained in numpy."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.core.space import Choice, Float, Params, Space
from autoglm.zoo._arrays import dump_arrays, load_arrays
from autoglm.zoo._labels import loss, require_rows, softmax, weights_of
from autoglm.zoo._network import Adam, Network, Shape, error_of
from autoglm.zoo.contract import Array, Facts, Fold, Learner, Limits, Model

_MAX_COLUMNS, _MAX_NUMERIC = 1500, 64
_BLOCK = 4096
_WARM_UP = 0.1


class NetworkModel(Model):
    """A fitted network on the dense view."""

    def __init__(self, net: Network, *, regression: bool, learned: Params | None = None) -> None:
        self.net, self.regression = net, regression
        self.learned: Params = {} if learned is None else learned

    def predict(self, X: Any) -> Array:
        """Predict rows of the dense view (n, q)."""
        X = np.asarray(X, dtype=np.float32)
        blocks = [X[i : i + _BLOCK] for i in range(0, max(1, len(X)), _BLOCK)]
        scores = np.vstack([self.net.forward(block)[0] for block in blocks])
        return scores[:, 0].astype(np.float64) if self.regression else softmax(scores)

    @property
    def row_us(self) -> float:
        """One multiplication a weight, and the periodic features."""
        shape = self.net.shape
        return 0.5 + 0.0003 * self.net.flat.size + 0.01 * len(shape.numeric) * shape.frequencies

    def dump(self) -> dict[str, bytes]:
        """Return sizes and parameters as files."""
        shape = self.net.shape
        header = {
            "inputs": shape.inputs,
            "frequencies": shape.frequencies,
            "hidden": list(shape.hidden),
            "outputs": shape.outputs,
            "regression": self.regression,
        }
        return dump_arrays(header, {"numeric": shape.numeric, "flat": self.net.flat})


class MLP(Learner):
    """Dense layers on scaled columns and periodic features of numbers."""

    name, view = "mlp", "dense"
    title = "Small neural network with periodic features of numbers."

    def suits(self, facts: Facts) -> bool:
        """Enough rows to train on, not too many columns."""
        return facts.n_rows >= 50 and facts.n_features.get("dense", 0) <= _MAX_COLUMNS

    def space(self, facts: Facts) -> Space:
        """Rate, width, depth, regularisation, frequencies."""
        return {
            "learning_rate": Float(5e-4, 1e-2, log=True),
            "width": Choice((64, 128, 256)),
            "layers": Choice((1, 2, 3)),
            "dropout": Float(0.0, 0.4),
            "decay": Float(1e-4, 0.3, log=True),
            "spread": Float(0.05, 1.0, log=True),
            "frequencies": Choice((0, 8)),
        }

    def defaults(self, facts: Facts) -> Sequence[Params]:
        """Two configurations: with periodic features, and plain with more dropout."""
        return [
            {"learning_rate": 3e-3, "width": 128, "layers": 2, "dropout": 0.1, "decay": 0.02,
             "spread": 0.2, "frequencies": 8},
            {"learning_rate": 2e-3, "width": 128, "layers": 2, "dropout": 0.25, "decay": 0.05,
             "frequencies": 0},
        ]  # fmt: skip

    def fit(self, fold: Fold, params: Params, facts: Facts, limits: Limits) -> NetworkModel:
        """Train for a planned number of epochs, fewer if time is short; keep the best."""
        require_rows(fold, facts)
        rng = np.random.default_rng(limits.seed)
        shape = _shape(fold, params, facts)
        net = Network.random(shape, rng, float(params.get("spread", 0.2)))
        training = _Training.of(fold, params, facts, net, rng)
        return training.run(fold, facts, limits)

    def load(self, files: Mapping[str, bytes], facts: Facts) -> NetworkModel:
        """Read sizes and parameters."""
        header, arrays = load_arrays(files)
        try:
            shape = Shape(
                int(header["inputs"]), arrays["numeric"], int(header["frequencies"]),
                tuple(int(h) for h in header["hidden"]), int(header["outputs"]),
            )  # fmt: skip
            net = Network(shape, arrays["flat"])
            return NetworkModel(net, regression=bool(header["regression"]))
        except KeyError as error:
            raise ValueError(f"not a network: {error} is missing") from error


def _shape(fold: Fold, params: Params, facts: Facts) -> Shape:
    frequencies = int(params.get("frequencies", 8))
    some = np.asarray(fold.X[fold.train[:2000]])
    varied = [j for j in range(some.shape[1]) if len(np.unique(some[:, j])) > 4]
    if frequencies == 0 or len(varied) > _MAX_NUMERIC:
        varied, frequencies = [], 0
    outputs = 1 if facts.n_classes <= 2 else facts.n_classes
    hidden = (int(params.get("width", 128)),) * int(params.get("layers", 2))
    return Shape(some.shape[1], np.array(varied, dtype=np.int64), frequencies, hidden, outputs)


@dataclass
class _Training:
    """One training: rows in memory, the network and its optimiser."""

    X: NDArray[np.float32]
    target: NDArray[np.float32]
    weight: NDArray[np.float32]
    net: Network
    adam: Adam
    rng: np.random.Generator
    rate: float
    dropout: float
    regression: bool
    epochs: int
    batch: int

    @classmethod
    def of(
        cls, fold: Fold, params: Params, facts: Facts, net: Network, rng: np.random.Generator
    ) -> _Training:
        y, n = fold.y[fold.train], len(fold.train)
        weight = weights_of(fold, fold.train)
        weight = np.ones(n) if weight is None else weight / weight.mean()
        indicator = np.eye(facts.n_classes)[y] if facts.n_classes > 2 else y[:, None]
        return cls(
            X=np.ascontiguousarray(fold.X[fold.train], dtype=np.float32),
            target=indicator.astype(np.float32),
            weight=weight.astype(np.float32)[:, None],
            net=net,
            adam=Adam(net, float(params.get("decay", 0.02))),
            rng=rng,
            rate=float(params.get("learning_rate", 3e-3)),
            dropout=float(params.get("dropout", 0.1)),
            regression=facts.regression,
            epochs=int(np.clip(600_000 // n, 24, 100)),
            batch=int(np.clip(2 ** np.floor(np.log2(max(n, 2) / 60)), 16, 256)),
        )

    def run(self, fold: Fold, facts: Facts, limits: Limits) -> NetworkModel:
        """Train; after each epoch compare on the validation rows."""
        valid = np.asarray(fold.X[fold.valid], dtype=np.float32)
        y, weight = fold.y[fold.valid], weights_of(fold, fold.valid)
        best, best_loss, slowest, done = self.net.flat.copy(), float("inf"), 0.0, 0.0
        while done < 1.0:
            began = time.monotonic()
            done = min(1.0, done + self._epoch(done, slowest, limits))
            model = NetworkModel(self.net, regression=facts.regression)
            now = loss(y, model.predict(valid), weight) if len(y) else -done
            if np.isfinite(now) and now < best_loss:
                best, best_loss = self.net.flat.copy(), now
            slowest = max(slowest, time.monotonic() - began)
            if limits.left() < slowest:
                break
        if not np.isfinite(best).all():
            raise ValueError("the network diverged")
        return NetworkModel(Network(self.net.shape, best), regression=facts.regression)

    def _epoch(self, done: float, slowest: float, limits: Limits) -> float:
        """Pass over the rows once; return the share of the schedule that it was."""
        # When time is short the schedule is squeezed, so that the rate still falls to zero.
        affordable = limits.left() / slowest - 1 if slowest else float(self.epochs)
        share = max(1.0 / self.epochs, (1.0 - done) / max(1.0, affordable))
        order = self.rng.permutation(len(self.X))
        for start in range(0, len(order), self.batch):
            if start and limits.left() <= 0:
                break
            rows = order[start : start + self.batch]
            self._step(rows, _schedule(done + share * start / len(order)))
        return share

    def _step(self, rows: NDArray[np.int64], factor: float) -> None:
        scores, memory = self.net.forward(self.X[rows], self.rng, self.dropout)
        error = error_of(scores, self.target[rows], regression=self.regression)
        error *= self.weight[rows] / np.float32(len(rows))
        self.net.backward(error, memory, self.adam.part)
        self.adam.step(self.rate * factor)


def _schedule(done: float) -> float:
    """Return the factor of the learning rate: a linear rise, then a cosine to zero."""
    if done < _WARM_UP:
        return (done + 0.01) / (_WARM_UP + 0.01)
    return 0.5 * (1 + float(np.cos(np.pi * (done - _WARM_UP) / (1 - _WARM_UP))))
