"""A small multilayer perceptron of several members, trained in numpy."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from autoglm.core.space import Choice, Float, Params, Space
from autoglm.zoo._arrays import dump_arrays, load_arrays
from autoglm.zoo._descend_members import Training, answer
from autoglm.zoo._labels import require_rows
from autoglm.zoo._members import Members, Shape, header_of, shape_of
from autoglm.zoo._stacked import form_of, means_of_nets
from autoglm.zoo.contract import Array, Facts, Fold, Learner, Limits, Model, RowAnswer

_MAX_COLUMNS, _MAX_NUMERIC = 1500, 64
_EMBEDDING = 3
#: Rows that say which columns are numbers of many values.
_LOOKED_AT = 2000


class NetworkModel(Model):
    """A fitted network on the dense view.

    Attributes
    ----------
    net
        Sizes and parameters of all members.
    learned
        `stop`: the share of the schedule after which the validation rows were met best.
    """

    def __init__(self, net: Members, *, regression: bool, learned: Params | None = None) -> None:
        self.net, self.regression = net, regression
        self.learned: Params = {} if learned is None else learned

    def predict(self, X: Any) -> Array:
        """Predict rows of the dense view (n, q)."""
        return answer(self.net, np.asarray(X, dtype=np.float32), regression=self.regression)

    def one_row(self) -> Callable[[Any], RowAnswer] | None:
        """Return a function of one row of the dense view."""
        answers = self.of_bags([[self]])
        return lambda row: answers(row)[0]

    @property
    def kin(self) -> Hashable:
        """The sizes, and the numbers looked at."""
        return NetworkModel, self.regression, form_of(self.net)

    def of_bags(
        self, bags: Sequence[Sequence[NetworkModel]]
    ) -> Callable[[Any], Sequence[RowAnswer]]:
        """Return a function of one row of the dense view, through all networks at once."""
        nets = [[model.net for model in bag] for bag in bags]
        return means_of_nets(nets, regression=self.regression)

    @property
    def row_us(self) -> float:
        """Multiplications, and what hidden values, waves and probabilities cost beside them."""
        shape = self.net.shape
        cells = shape.members * sum(shape.hidden)
        waves = len(shape.numeric) * shape.frequencies
        answers = 0 if self.regression else shape.members * max(2, shape.outputs)
        return 0.3 + 2.2e-5 * shape.work + 1e-3 * cells + 1.5e-3 * waves + 0.025 * answers

    def dump(self) -> dict[str, bytes]:
        """Return sizes and parameters as files."""
        header = header_of(self.net.shape) | {"regression": self.regression}
        return dump_arrays(header, {"numeric": self.net.shape.numeric, "flat": self.net.flat})


class MLP(Learner):
    """Dense layers on scaled columns and sums of periodic features of numbers."""

    name, view = "mlp", "dense"
    title = "Small neural network of several members, with periodic features of numbers."

    def suits(self, facts: Facts) -> bool:
        """Enough rows to train on, not too many columns."""
        return facts.n_rows >= 50 and facts.n_features.get("dense", 0) <= _MAX_COLUMNS

    def space(self, facts: Facts) -> Space:
        """Rate, members, width, depth, regularisation, frequencies."""
        return {
            "learning_rate": Float(1e-3, 1e-2, log=True),
            "members": Choice((1, 4, 8)),
            "width": Choice((64, 128)),
            "layers": Choice((1, 2, 3)),
            "dropout": Float(0.0, 0.4),
            "decay": Float(0.05, 5.0, log=True),
            "spread": Float(0.03, 0.5, log=True),
            "frequencies": Choice((0, 16)),
        }

    def defaults(self, facts: Facts) -> Sequence[Params]:
        """Members that share their layers, one deeper network; for classes each also unbound."""
        common = {"spread": 0.1, "frequencies": 16}
        single = {**common, "members": 1, "width": 128, "layers": 3, "learning_rate": 6e-3}
        if facts.regression:
            # What keeps noisy classes in check would blur a smooth function of numbers.
            members = {**common, "members": 4, "width": 128, "layers": 2, "learning_rate": 8e-3}
            return [
                members | {"dropout": 0.0, "decay": 0.5},
                single | {"dropout": 0.05, "decay": 0.5},
            ]
        # Few rows ask for caution: small steps, and much left out at random.
        n = max(1, facts.n_rows)
        drop = round(min(0.25, max(0.1, 0.25 * (1500 / n) ** 0.5)), 3)
        rate = round(min(6e-3, max(3e-3, 3e-3 * (n / 1000) ** 0.4)), 4)
        members = {**common, "members": 8, "width": 64, "layers": 2, "learning_rate": rate}
        return [
            members | {"dropout": drop, "decay": 1.0},
            single | {"dropout": round(1.6 * drop, 3), "decay": 2.0},
            # Where classes follow from the cells without noise, caution only blurs.
            single | {"dropout": 0.1, "decay": 0.5},
            members | {"dropout": 0.05, "decay": 0.5, "learning_rate": 6e-3},
        ]

    def fit(self, fold: Fold, params: Params, facts: Facts, limits: Limits) -> NetworkModel:
        """Train for a planned number of steps, fewer if time is short; keep the best."""
        require_rows(fold, facts)
        rng = np.random.default_rng(limits.seed)
        shape = _shape(fold, params, facts)
        net = Members.random(shape, rng, float(params.get("spread", 0.1)))
        best, stop = Training.of(fold, params, facts, net, rng).run(fold, limits)
        learned = {"stop": stop} if len(fold.valid) else {}
        return NetworkModel(Members(shape, best), regression=facts.regression, learned=learned)

    def load(self, files: Mapping[str, bytes], facts: Facts) -> NetworkModel:
        """Read sizes and parameters."""
        header, arrays = load_arrays(files)
        try:
            net = Members(shape_of(header, arrays["numeric"]), arrays["flat"])
            return NetworkModel(net, regression=bool(header["regression"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a network: {error!r}") from error


def _shape(fold: Fold, params: Params, facts: Facts) -> Shape:
    # The same numbers in every fold, so that the networks of all folds have one form.
    some = np.asarray(fold.X[:: max(1, -(-len(fold.X) // _LOOKED_AT))])
    varied = [j for j in range(some.shape[1]) if len(np.unique(some[:, j])) > 4]
    frequencies = int(params.get("frequencies", 16))
    if frequencies == 0 or len(varied) > _MAX_NUMERIC:
        varied, frequencies = [], 0
    return Shape(
        inputs=some.shape[1],
        numeric=np.array(varied, dtype=np.int64),
        frequencies=frequencies,
        embedding=_EMBEDDING,
        members=int(params.get("members", 8)),
        hidden=(int(params.get("width", 64)),) * int(params.get("layers", 2)),
        outputs=1 if facts.n_classes <= 2 else facts.n_classes,
    )
