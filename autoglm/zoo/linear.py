"""Linear models: logistic regression and ridge, the strength of the penalty found by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from autoglm.core.space import Float, Params, Space
from autoglm.zoo._arrays import dump_arrays, load_arrays
from autoglm.zoo._descent import Problem, Step, descend, ridge_path
from autoglm.zoo._labels import loss, require_rows, sigmoid, softmax, weights_of
from autoglm.zoo.contract import (
    Array,
    Facts,
    Fold,
    Learner,
    Limits,
    Model,
    RowAnswer,
    View,
)

#: Penalties to walk through, from strong to weak, as a share of the mean loss.
PENALTIES = tuple(float(v) for v in 10.0 ** np.arange(0.0, -6.1, -0.5))
#: The same for text, and descents at each: where many columns are rare, few are enough.
TEXT_PENALTIES = tuple(float(v) for v in 10.0 ** np.arange(-3.0, -6.6, -0.5))
_TEXT_ITERATIONS = 12
_TEXT_FALLBACK = 1e-5
_PATIENCE = 2
_FALLBACK = 1e-3
CLOSED_FORM_COLUMNS = 1500


class LinearModel(Model):
    """Coefficients (q, k) and intercepts (k,); one column for two classes or a number."""

    def __init__(
        self, coef: Any, intercept: Any, *, regression: bool, learned: Params | None = None
    ) -> None:
        self.coef = np.asarray(coef, dtype=np.float32)
        self.intercept = np.asarray(intercept, dtype=np.float32)
        self.regression = regression
        self.learned: Params = {} if learned is None else learned

    def predict(self, X: Any) -> Array:
        """Predict rows of the dense or sparse view (n, q)."""
        # In double precision, where a row's sum does not depend on the rows beside it.
        scores = np.asarray(X @ self.coef.astype(np.float64)) + self.intercept
        return scores[:, 0].astype(np.float64) if self.regression else softmax(scores)

    def one_row(self) -> Callable[[Any], RowAnswer] | None:
        """Return a function of one row of the dense or sparse view."""
        coef, intercept = self.coef.astype(np.float64), self.intercept.astype(np.float64)
        single = coef.shape[1] == 1
        weight = coef[:, 0].copy() if single else coef

        def scores(row: Any) -> Any:
            if isinstance(row, np.ndarray):
                return row @ weight
            q = len(row.dense)
            return row.dense @ weight[:q] + row.values @ weight[q:][row.at]

        if not single:
            return lambda row: softmax((scores(row) + intercept)[None])[0]
        start = float(intercept[0])
        if self.regression:
            return lambda row: float(scores(row)) + start
        return lambda row: sigmoid(float(scores(row)) + start)

    @property
    def row_us(self) -> float:
        """One multiplication a coefficient."""
        return 0.0005 * self.coef.size

    def dump(self) -> dict[str, bytes]:
        """Return the coefficients as files."""
        arrays = {"coef": self.coef, "intercept": self.intercept}
        return dump_arrays({"regression": self.regression}, arrays)

    @property
    def importance(self) -> Array | None:
        """Share of each column in the sum of absolute coefficients; columns are scaled."""
        size: Array = np.abs(self.coef.astype(np.float64)).sum(axis=1)
        size /= max(float(size.sum()), 1e-12)
        return size


class Linear(Learner):
    """Logistic regression with an L2 penalty, or ridge regression, on the dense view."""

    name: ClassVar[str] = "linear"
    view: ClassVar[View] = "dense"
    seeded, directed = False, True
    title = "Logistic regression or ridge, its penalty chosen on validation rows."

    def space(self, facts: Facts) -> Space:
        """Nothing to choose: the penalty is walked through inside a fit."""
        return {}

    def defaults(self, facts: Facts) -> Sequence[Params]:
        """One configuration."""
        return [{}]

    def fit(self, fold: Fold, params: Params, facts: Facts, limits: Limits) -> LinearModel:
        """Walk from a strong penalty to a weak one and keep the best on `fold.valid`.

        Without validation rows the penalty is ``params["penalty"]``.
        """
        require_rows(fold, facts)
        fixed = params.get("penalty")
        path: tuple[float, ...] = PENALTIES if len(fold.valid) else (_FALLBACK,)
        if fixed is not None:
            path = (float(fixed),)
        problem = Problem.of(fold, facts)
        if facts.regression and problem.columns <= CLOSED_FORM_COLUMNS and not facts.directions:
            steps = ridge_path(problem, path)
        else:
            steps = descend(problem, path, limits)
        return best_on_valid(fold, facts, steps)

    def load(self, files: Mapping[str, bytes], facts: Facts) -> LinearModel:
        """Read the coefficients."""
        header, arrays = load_arrays(files)
        try:
            coef, intercept = arrays["coef"], arrays["intercept"]
            return LinearModel(coef, intercept, regression=bool(header["regression"]))
        except KeyError as error:
            raise ValueError(f"not a linear model: {error} is missing") from error

    def merge(self, models: Sequence[Model]) -> Model | None:
        """Average the coefficients: the mean of raw scores."""
        linear = [m for m in models if isinstance(m, LinearModel)]
        if not linear or len({m.coef.shape for m in linear}) > 1 or len(linear) != len(models):
            return None
        coef = np.mean([m.coef for m in linear], axis=0)
        intercept = np.mean([m.intercept for m in linear], axis=0)
        return LinearModel(coef, intercept, regression=linear[0].regression)


class LinearText(Linear):
    """The same on the sparse view, where text is: many more columns than rows.

    For classes each n-gram is scaled by how unevenly it is spread over them: the largest absolute
    log-count ratio of Wang and Manning, "Baselines and Bigrams" (2012). What tells more is then
    penalised less.
    """

    name, view = "linear_text", "sparse"
    title = "Logistic regression or ridge on words and characters of text columns."

    def suits(self, facts: Facts) -> bool:
        """Only where there is text."""
        return facts.has_text

    def space(self, facts: Facts) -> Space:
        """How far n-grams are scaled: the power of the ratios."""
        return {} if facts.regression else {"ratios": Float(0.0, 1.5)}

    def defaults(self, facts: Facts) -> Sequence[Params]:
        """With scaled n-grams, then with plain ones."""
        return [{}] if facts.regression else [{"ratios": 1.0}, {"ratios": 0.0}]

    def fit(self, fold: Fold, params: Params, facts: Facts, limits: Limits) -> LinearModel:
        """Walk from a strong penalty to a weak one, a few steps at each; keep the best one.

        Without validation rows it ends at ``params["penalty"]``. A number is fitted as on the
        dense view: its best penalty may be a strong one.
        """
        if facts.regression:
            return super().fit(fold, params, facts, limits)
        require_rows(fold, facts)
        fixed = params.get("penalty")
        path = TEXT_PENALTIES
        if fixed is not None or not len(fold.valid):
            last = _TEXT_FALLBACK if fixed is None else float(fixed)
            path = (*(p for p in TEXT_PENALTIES if p > last), last)
        problem = Problem.of(fold, facts)
        scale = np.ones(problem.columns, np.float32)
        power = float(params.get("ratios", 0.0))
        if power > 0:
            scale = log_count_ratios(problem, facts.n_features["dense"], power)
            problem.X = _scaled(problem.X, scale)
        steps = (
            (penalty, coef * scale[:, None], intercept)
            for penalty, coef, intercept in descend(problem, path, limits, _TEXT_ITERATIONS)
        )
        if len(fold.valid) and fixed is None:
            return best_on_valid(fold, facts, steps)
        penalty, coef, intercept = list(steps)[-1]
        learned: Params = {"penalty": penalty}
        return LinearModel(coef, intercept, regression=False, learned=learned)


def log_count_ratios(problem: Problem, first: int, power: float = 1.0) -> NDArray[np.float32]:
    """Return a scale of each column (q,): 1 before `first`, with a mean square of 1 after it.

    The log of the share of a class's n-grams that a column has, over that of the other rows; of
    several classes the largest in size.
    """
    terms = problem.X[:, first:]
    present = terms.copy()
    present.data = np.ones_like(terms.data)
    classes = problem.target
    if classes.shape[1] == 1:
        classes = np.hstack([classes, 1 - classes])
    weight = (problem.weight * len(problem.weight))[:, None].astype(np.float32)
    inside = np.asarray(present.T @ (classes * weight)) + 1.0
    whole = np.asarray(present.T @ weight) + 2.0
    outside = whole - inside
    ratio = np.log((inside / inside.sum(axis=0)) / (outside / outside.sum(axis=0)))
    largest = np.abs(ratio).max(axis=1) ** power
    size = float(np.sqrt(np.mean(largest**2))) if len(largest) else 1.0
    scale = np.ones(problem.columns, np.float32)
    scale[first:] = largest / max(size, 1e-9)
    return scale


def _scaled(X: Any, scale: NDArray[np.float32]) -> Any:
    """Return the rows of a csr matrix with their columns scaled."""
    scaled = X.copy()
    scaled.data = scaled.data * scale[scaled.indices]
    return scaled


def best_on_valid(fold: Fold, facts: Facts, steps: Iterable[Step]) -> LinearModel:
    """Return the step of a path with the least loss on `fold.valid`, the first without it.

    Raises
    ------
    ValueError
        When there is no step.
    """
    best: LinearModel | None = None
    best_loss, worse = float("inf"), 0
    valid_X = fold.X[fold.valid] if len(fold.valid) else None
    for penalty, coef, intercept in steps:
        learned: Params = {"penalty": penalty}
        model = LinearModel(coef, intercept, regression=facts.regression, learned=learned)
        if valid_X is None:
            return model
        weight = weights_of(fold, fold.valid)
        now = loss(fold.y[fold.valid], model.predict(valid_X), weight)
        if best is None or now < best_loss:
            best, best_loss, worse = model, now, 0
        else:
            worse += 1
            if worse >= _PATIENCE:
                break
    if best is None:
        raise ValueError("no step of the path was finished")
    return best
