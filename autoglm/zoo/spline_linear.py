"""A linear model whose numbers bend, whose categories are encoded, whose columns interact."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from autoglm.core.space import Float, Int, Params, Space
from autoglm.zoo._arrays import dump_arrays, load_arrays
from autoglm.zoo._cook import choose_slots, targets_of
from autoglm.zoo._descent import Problem, descend, ridge_path
from autoglm.zoo._keys import KeyTable, Matrix, encode, mean_of
from autoglm.zoo._labels import loss, require_rows, sigmoid, softmax, weights_of
from autoglm.zoo._splines import Basis, Products, interacting, merge_products
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
from autoglm.zoo.linear import CLOSED_FORM_COLUMNS, PENALTIES, LinearModel, best_on_valid

_MAX_COLUMNS, _MAX_ROWS, _MOST_HOT = 1000, 20_000, 64
_FALLBACK = 1e-3
#: Weight of the statistics of categories beside marks of their codes, and of products.
_STATISTICS, _PRODUCTS = 0.3, 0.3
_BLOCK = 8192


class SplineModel(Model):
    """Scores: a basis times coefficients, products, and a score for every category.

    Parameters
    ----------
    basis, coef, intercept
        Of the numbers: coefficients (b, k) and intercepts (k,).
    table
        Scores (k,) of categories, or None.
    products
        Products of columns with their coefficients (m, k), or None.
    regression
        Whether the score is the prediction; otherwise it is a logit.
    learned
        The penalty that was chosen.
    """

    def __init__(
        self, basis: Basis, coef: Matrix, intercept: Matrix, table: KeyTable | None,
        products: tuple[Products, Matrix] | None, *,
        regression: bool, learned: Params | None = None,
    ) -> None:  # fmt: skip
        self.basis, self.table, self.products = basis, table, products
        self.regression = regression
        self.coef = np.asarray(coef, np.float32)
        self.intercept = np.asarray(intercept, np.float32)
        self.learned: Params = {} if learned is None else learned
        self._coef = self.coef.astype(np.float64)
        self._pair_coef = None if products is None else products[1].astype(np.float64)

    def predict(self, X: Any) -> Array:
        """Predict rows of the tree view (n, p)."""
        X = np.asarray(X, np.float32)
        blocks = [X[i : i + _BLOCK] for i in range(0, max(1, len(X)), _BLOCK)]
        scores = np.concatenate([self._scores(block) for block in blocks])
        return scores[:, 0] if self.regression else softmax(scores)

    def _scores(self, X: Matrix) -> Array:
        # In double precision, where a row's sum does not depend on the rows beside it.
        scores: Array = self.basis(X) @ self._coef
        scores += self.intercept
        if self.products is not None and self._pair_coef is not None:
            scores += self.products[0](X) @ self._pair_coef
        if self.table is not None:
            scores += self.table.values[self.table.rows_of(X)].sum(axis=1, dtype=np.float64)
        return scores

    def one_row(self) -> Callable[[Any], RowAnswer] | None:
        """Return a function of one row of the tree view."""
        if self.regression:
            return lambda row: float(self._scores(row[None])[0, 0])
        if self.coef.shape[1] == 1:
            return lambda row: sigmoid(self._scores(row[None])[0, 0])
        return lambda row: softmax(self._scores(row[None]))[0]

    @property
    def row_us(self) -> float:
        """A few nanoseconds a ramp and a product, and a search a key."""
        slots = len(self.table.slots) if self.table else 0
        pairs = self.products[1].size if self.products else 0
        return 0.003 * self.basis.columns + 0.0005 * self.coef.size + 0.1 * slots + 0.003 * pairs

    @property
    def importance(self) -> Array | None:
        """None: what a curve matters depends on the rows."""
        return None

    def dump(self) -> dict[str, bytes]:
        """Return basis, coefficients, products and scores as files."""
        arrays: dict[str, NDArray[Any]] = {"coef": self.coef, "intercept": self.intercept}
        arrays |= {f"basis_{name}": a for name, a in self.basis.arrays().items()}
        if self.table is not None:
            arrays |= {f"table_{name}": a for name, a in self.table.arrays().items()}
        if self.products is not None:
            arrays |= {f"pair_{name}": a for name, a in self.products[0].arrays().items()}
            arrays["pair_coef"] = self.products[1]
        return dump_arrays({"regression": self.regression}, arrays)


class SplineLinear(Learner):
    """Logistic regression or ridge on ramps of numbers, encoded categories and products."""

    name: ClassVar[str] = "spline_linear"
    view: ClassVar[View] = "tree"
    seeded = False
    title = "Linear model of curves, encoded categories and pairs of columns."

    def suits(self, facts: Facts) -> bool:
        """Neither very many columns nor very many classes."""
        return facts.n_features.get("tree", 0) <= _MAX_COLUMNS // 2 and facts.n_classes <= 30

    def space(self, facts: Facts) -> Space:
        """Pieces of a curve, how much they bend, pairs of columns."""
        return {
            "pieces": Int(4, 32, log=True),
            "bend": Float(0.1, 4.0, log=True),
            "pairs": Int(1, 40, log=True),
        }

    def defaults(self, facts: Facts) -> Sequence[Params]:
        """One configuration."""
        return [{"pieces": 16, "bend": 1.0, "pairs": 20}]

    def fit(self, fold: Fold, params: Params, facts: Facts, limits: Limits) -> SplineModel:
        """Fit curves, then pairs of columns that explain what curves leave.

        Penalties are walked through from strong to weak; the best on `fold.valid` is kept, and
        so are the pairs when they lower the loss there.
        """
        require_rows(fold, facts)
        fold = _fewer_rows(fold, limits.seed)
        design, rows = _Design.fit(fold, params, facts, limits.seed)
        whole = _own_fold(rows, design(fold.X[fold.valid]), fold)
        fixed = params.get("penalty")
        path: tuple[float, ...] = PENALTIES if len(fold.valid) else (_FALLBACK,)
        path = path if fixed is None else (float(fixed),)
        found = _solve(whole, path, facts, limits)
        if int(params.get("pairs", 20)) and limits.left() > 0:
            residual = _residual(found, whole, facts)
            X = np.asarray(fold.X[fold.train], np.float32)
            pairs = interacting(X, residual, facts.categorical, int(params.get("pairs", 20)),
                                limits.seed)  # fmt: skip
            if pairs:
                more = design.with_products(fold, pairs, facts)
                wider = more.widened(whole, fold)
                again = _solve(wider, path, facts, limits)
                if len(fold.valid) == 0 or _loss(again, wider) < _loss(found, whole):
                    design, found = more, again
        return design.model(found.coef, found.intercept, facts, found.learned)

    def load(self, files: Mapping[str, bytes], facts: Facts) -> SplineModel:
        """Read basis, coefficients, products and scores."""
        header, arrays = load_arrays(files)

        def part(start: str) -> dict[str, NDArray[Any]]:
            return {n.removeprefix(start): a for n, a in arrays.items() if n.startswith(start)}

        try:
            table, pair = part("table_"), part("pair_")
            return SplineModel(
                Basis.load(part("basis_")), arrays["coef"], arrays["intercept"],
                KeyTable.load(table) if table else None,
                (Products.load(pair), pair["coef"]) if pair else None,
                regression=bool(header["regression"]),
            )  # fmt: skip
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a spline model: {error!r}") from error

    def merge(self, models: Sequence[Model]) -> Model | None:
        """Average coefficients and scores: the mean of raw scores."""
        own = [m for m in models if isinstance(m, SplineModel)]
        first = own[0] if own else None
        if first is None or len(own) != len(models):
            return None
        if not all(first.basis.same(m.basis) for m in own):
            return None
        n = np.float32(len(own))
        tables = [m.table for m in own if m.table is not None]
        parts = [(m.products[0], m.products[1] / n) for m in own if m.products is not None]
        return SplineModel(
            first.basis,
            np.mean([m.coef for m in own], axis=0),
            np.mean([m.intercept for m in own], axis=0),
            mean_of(tables, len(own)) if tables else None,
            merge_products(parts) if parts else None,
            regression=first.regression,
        )


def _solve(fold: Fold, path: Sequence[float], facts: Facts, limits: Limits) -> LinearModel:
    problem = Problem.of(fold, facts)
    closed = facts.regression and problem.columns <= CLOSED_FORM_COLUMNS
    steps = ridge_path(problem, path) if closed else descend(problem, path, limits)
    return best_on_valid(fold, facts, steps)


def _loss(model: LinearModel, fold: Fold) -> float:
    rows = fold.valid
    return loss(fold.y[rows], model.predict(fold.X[rows]), weights_of(fold, rows))


def _residual(model: LinearModel, fold: Fold, facts: Facts) -> Array:
    """Return what the model leaves of the training targets (n, t)."""
    y, fitted = fold.y[fold.train], model.predict(fold.X[fold.train])
    if facts.regression:
        return np.asarray((y - fitted)[:, None])
    residual: Array = np.eye(facts.n_classes)[y] - fitted
    return residual[:, 1:] if facts.n_classes == 2 else residual


@dataclass
class _Design:
    """Columns of the linear problem: the basis, statistics of keys, marks of common codes.

    Attributes
    ----------
    basis, table
        Of the numbers; statistics of keys, or None.
    centre, scale
        (s * w,) of the statistics after `_linked`.
    hot
        (h, 2) slot and code of each code that has a column.
    regression
        Whether statistics are means of values; otherwise they are shares of classes.
    products, pair_centre, pair_scale
        Products of columns, with mean and scale (m,); None without.
    """

    basis: Basis
    table: KeyTable | None
    centre: Matrix
    scale: Matrix
    hot: NDArray[np.int64]
    regression: bool
    products: Products | None = None
    pair_centre: Matrix | None = None
    pair_scale: Matrix | None = None

    @classmethod
    def fit(cls, fold: Fold, params: Params, facts: Facts, seed: int) -> tuple[_Design, Matrix]:
        """Return the design and its training rows."""
        numbers = [j for j in range(fold.X.shape[1]) if j not in facts.categorical]
        pieces = int(np.clip(_MAX_COLUMNS // max(1, len(numbers)), 2, params.get("pieces", 12)))
        # All rows, so that the bags of a cross-validation have one basis.
        basis = Basis.fit(fold.X, numbers, pieces, float(params.get("bend", 1.0)))
        X = np.asarray(fold.X[fold.train], np.float32)
        target = targets_of(fold, facts)
        slots = choose_slots({"target"}, X, target, facts, seed, least_codes=2)
        nothing = np.zeros(0, np.float32)
        if slots is None:
            hot = np.zeros((0, 2), np.int64)
            design = cls(basis, None, nothing, nothing, hot, facts.regression)
            return design, basis(X)
        table, inner = encode(slots, X, target, seed, weight=weights_of(fold, fold.train))
        linked = _linked(inner, table.width, regression=facts.regression)
        scale = np.maximum(linked.std(axis=0), 1e-6) / np.float32(_STATISTICS)
        hot = _common_codes(table, len(X))
        design = cls(basis, table, linked.mean(axis=0), scale, hot, facts.regression)
        return design, design(X, inner)

    def __call__(self, X: Any, inner: Matrix | None = None) -> Matrix:
        """Return the columns of rows of the tree view (n, q)."""
        X = np.asarray(X, np.float32)
        if self.table is None:
            return self.basis(X)
        stats = self.table.lookup(X) if inner is None else inner
        stats = _linked(stats, self.table.width, regression=self.regression) - self.centre
        keys = self.table.slots.keys(X)[:, self.hot[:, 0]] - self.table.slots.base[self.hot[:, 0]]
        marks = (keys == self.hot[:, 1]).astype(np.float32)
        return np.concatenate([self.basis(X), stats / self.scale, marks], axis=1)

    def with_products(self, fold: Fold, pairs: Sequence[tuple[int, int]], facts: Facts) -> _Design:
        """Return the design with the products of pairs of columns."""
        products = Products.fit(fold.X, pairs, facts.categorical)
        made = products(np.asarray(fold.X[fold.train], np.float32))
        scale = np.maximum(made.std(axis=0), 0.02) / np.float32(_PRODUCTS)
        return replace(self, products=products, pair_centre=made.mean(axis=0), pair_scale=scale)

    def widened(self, whole: Fold, fold: Fold) -> Fold:
        """Return a fold of this design's other columns with the products beside them."""
        assert self.products is not None
        assert self.pair_centre is not None
        assert self.pair_scale is not None
        rows = np.concatenate([fold.train, fold.valid])
        made = self.products(np.asarray(fold.X[rows], np.float32))
        made = (made - self.pair_centre) / self.pair_scale
        return replace(whole, X=np.concatenate([whole.X, made], axis=1))

    def model(self, coef: Matrix, intercept: Matrix, facts: Facts, learned: Params) -> SplineModel:
        """Return the model of coefficients (q, k): those of keys become a score a key."""
        b, k = self.basis.columns, self.basis.columns + len(self.centre) + len(self.hot)
        scores = None if self.table is None else self._scores(self.table, coef[b:k])
        products = None
        if self.products is not None:
            assert self.pair_scale is not None
            assert self.pair_centre is not None
            pair = coef[k:] / self.pair_scale[:, None]
            products = (self.products, pair.astype(np.float32))
            intercept = intercept - self.pair_centre @ pair
        return SplineModel(
            self.basis, coef[:b], intercept, scores, products,
            regression=facts.regression, learned=learned,
        )  # fmt: skip

    def _scores(self, table: KeyTable, coef: Matrix) -> KeyTable:
        w, known = table.width, table.known[:-1]
        slot = np.searchsorted(table.slots.base, known, side="right") - 1
        code = (known - table.slots.base[slot]).astype(np.int64)
        slot = np.concatenate([slot, np.arange(len(table.slots))])
        place = slot[:, None] * w + np.arange(w)
        linked = _linked(table.values, w, regression=self.regression)
        stats = (linked - self.centre[place]) / self.scale[place]
        scores = np.einsum("kw,kwo->ko", stats, coef[place])
        for (hot_slot, hot_code), row in zip(self.hot, coef[len(self.scale) :], strict=True):
            scores[: len(known)][(slot[: len(known)] == hot_slot) & (code == hot_code)] += row
        return KeyTable(table.slots, table.known, scores.astype(np.float32))


def _linked(stats: Matrix, width: int, *, regression: bool) -> Matrix:
    """Return statistics (n, s * w) as they add up: shares as logits, counts as they are."""
    if regression:
        return stats
    share = np.clip(stats, 2e-3, 1 - 2e-3)
    counts = np.arange(stats.shape[1]) % width == width - 1
    linked: Matrix = np.where(counts, stats, np.log(share / (1 - share))).astype(np.float32)
    return linked


def _common_codes(table: KeyTable, n: int) -> NDArray[np.int64]:
    """Return slot and code of the most frequent codes of single columns."""
    rows = np.expm1(table.values[: len(table.known) - 1, -1])
    base = table.slots.base
    slot = np.searchsorted(base, table.known[:-1], side="right") - 1
    kept: list[tuple[int, int]] = []
    for one in np.flatnonzero(table.slots.right < 0):
        own = np.flatnonzero((slot == one) & (rows >= max(3, 5e-4 * n)))
        own = own[np.argsort(-rows[own], kind="stable")][:_MOST_HOT]
        kept += [(int(one), int(code)) for code in table.known[np.sort(own)] - base[one]]
    return np.array(kept[:_MAX_COLUMNS], np.int64).reshape(-1, 2)


def _fewer_rows(fold: Fold, seed: int) -> Fold:
    if len(fold.train) <= _MAX_ROWS:
        return fold
    rows = np.random.default_rng(seed).permutation(fold.train)[:_MAX_ROWS]
    return Fold(fold.X, fold.y, np.sort(rows), fold.valid, fold.weight)


def _own_fold(train: Matrix, valid: Matrix, fold: Fold) -> Fold:
    """Return the fold of training and validation rows as the design has them."""
    rows = np.concatenate([fold.train, fold.valid])
    n, m = len(fold.train), len(fold.valid)
    weight = None if fold.weight is None else np.asarray(fold.weight[rows])
    X = np.concatenate([train, valid])
    return Fold(X, fold.y[rows], np.arange(n), np.arange(n, n + m), weight)
