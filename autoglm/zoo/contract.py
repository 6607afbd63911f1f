"""What a learner is, and what it is given.

A learner is found through the `autoglm_learners` hook. It runs inside a worker process
with one thread; it must not start threads or processes of its own. A model is what a
learner returns: it predicts from one view of the encoded rows and writes itself to named
files in safe formats.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from autoglm.core.space import Params, Space
from autoglm.core.spec import TaskType

#: The encoded views of a table; see `autoglm.dataflow.encode`.
#:
#: tree    float32 (n, p): numbers as they are, NaN where missing; categories as their codes.
#: dense   float32 (n, q): robustly scaled numbers, one-hot categories, no NaN.
#: sparse  csr float32 (n, r): `dense` beside TF-IDF of the text columns.
View = Literal["tree", "dense", "sparse"]

Array = NDArray[np.float64]

#: What a quick model says of one row: a number, the probability of class 1, or (k,) of more.
RowAnswer = float | Array


@dataclass(frozen=True)
class Facts:
    """What a learner may know of the task before it sees data.

    Attributes
    ----------
    task_type
        "binary", "multiclass" or "regression".
    n_classes
        Number of classes; 1 for regression.
    n_rows
        Rows of the training table (all folds).
    n_features
        Columns of each view.
    categorical
        Indices of category columns in the tree view, with the number of codes of each.
    has_text
        Whether the sparse view holds text.
    metric
        Name of the metric the task is scored by.
    fit_seconds
        What one fit may take, about; None when there is no time limit.
    directions
        Columns of every view that the prediction must not fall with (1) or rise with (-1): the
        value of a regression, or the probability of class 1 of two.
    """

    task_type: TaskType
    n_classes: int
    n_rows: int
    n_features: Mapping[View, int]
    categorical: Mapping[int, int] = field(default_factory=dict)
    has_text: bool = False
    metric: str = ""
    fit_seconds: float | None = None
    directions: Mapping[int, int] = field(default_factory=dict)

    @property
    def regression(self) -> bool:
        """Whether the target is a number."""
        return self.task_type == "regression"


@dataclass(frozen=True)
class Fold:
    """One fit: rows to train on and rows to validate on.

    Attributes
    ----------
    X
        One view of all rows, memory-mapped and read-only: ndarray or csr matrix.
    y
        Targets of all rows: class numbers 0..k-1 (int64), or float64 with mean 0 and
        variance 1.
    train, valid
        Row numbers. `valid` may be empty: then there is nothing to stop early on.
    weight
        Row weights (n,), or None.
    """

    X: Any
    y: NDArray[Any]
    train: NDArray[np.int64]
    valid: NDArray[np.int64]
    weight: Array | None = None


@dataclass(frozen=True)
class Limits:
    """Bounds on one fit.

    Attributes
    ----------
    deadline
        `time.monotonic()` time by which the fit must return the best it has.
    seed
        Seed of every random choice.
    """

    deadline: float = float("inf")
    seed: int = 0

    def left(self) -> float:
        """Return the seconds until the deadline."""
        return self.deadline - time.monotonic()


class Model(ABC):
    """A fitted model."""

    @abstractmethod
    def predict(self, X: Any) -> Array:
        """Predict rows of the learner's view.

        Returns
        -------
        ndarray
            (n, k) class probabilities that sum to 1, or (n,) values on the scale of `Fold.y`.
        """

    @abstractmethod
    def dump(self) -> dict[str, bytes]:
        """Return the model as files in safe formats: JSON, npz without objects, native text."""

    def one_row(self) -> Callable[[Any], RowAnswer] | None:
        """Return a quick function that predicts a single row, or None when there is none.

        Returns
        -------
        callable
            From one row of the view, (p,) float32 or a `dataflow._flat.SparseRow`, to what
            `predict` says of it. It may be called from several threads at once.
        """
        return None

    @property
    def kin(self) -> Hashable:
        """What models share that a row can pass at once, see `of_bags`; None: there are none."""
        return None

    def of_bags(self, bags: Sequence[Sequence[Any]]) -> Callable[[Any], Sequence[RowAnswer]]:
        """Return a function of one row that gives the mean prediction of each bag of models.

        Parameters
        ----------
        bags
            Models with the `kin` of this one, which is not None.
        """
        raise NotImplementedError

    def plain(self) -> None:
        """Predict many rows in the plainest way from now on, if there is a quicker one."""
        return

    def cuts(self) -> dict[int, Array]:
        """Return the thresholds of the model on features of the view, where it has such."""
        return {}

    @property
    def row_us(self) -> float:
        """Time for one row of a batch, microseconds on one thread, about.

        Estimated from the model's structure, not measured: what depends on it must not
        depend on what else the machine is doing.
        """
        return 1.0

    @property
    def importance(self) -> Array | None:
        """Share of each feature of the view, or None where the model has no such notion."""
        return None


class Learner(ABC):
    """A way to fit models.

    Attributes
    ----------
    name
        Unique name, shown on leaderboards and written in bundles.
    view
        The view of the table it eats.
    title
        One line for `autoglm models`.
    extra
        The extra that must be installed for it, or "" when the core install has it.
    seeded
        Whether fits of the same rows differ with the seed, so that several are worth having.
    directed
        Whether its models keep `Facts.directions`.
    """

    name: ClassVar[str]
    view: ClassVar[View]
    title: ClassVar[str]
    extra: ClassVar[str] = ""
    seeded: ClassVar[bool] = True
    directed: ClassVar[bool] = False

    def available(self) -> bool:
        """Return whether what it needs is installed."""
        return True

    def suits(self, facts: Facts) -> bool:
        """Return whether it makes sense for the task (its kind and size)."""
        return True

    def can(self, facts: Facts) -> bool:
        """Return whether it is to be tried: installed, suitable, and held to what is asked."""
        held = self.directed or not facts.directions
        return held and self.available() and self.suits(facts)

    @abstractmethod
    def space(self, facts: Facts) -> Space:
        """Return what the tuner may choose; empty when there is nothing to choose."""

    @abstractmethod
    def defaults(self, facts: Facts) -> Sequence[Params]:
        """Return configurations to try first, best first; at least one."""

    @abstractmethod
    def fit(self, fold: Fold, params: Params, facts: Facts, limits: Limits) -> Model:
        """Fit on `fold.train`, stop early on `fold.valid`, return by `limits.deadline`.

        Raises
        ------
        ValueError
            When the parameters or the data do not allow a fit.
        """

    @abstractmethod
    def load(self, files: Mapping[str, bytes], facts: Facts) -> Model:
        """Return the model that `Model.dump` wrote; needs nothing but the core install.

        Raises
        ------
        ValueError
            When the files are not what `dump` writes.
        """

    def merge(self, models: Sequence[Model]) -> Model | None:
        """Return one model that predicts (nearly) the mean of `models`, or None."""
        return None
