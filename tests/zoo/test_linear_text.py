"""Linear models of words: what scaling by log-count ratios does, and refits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from autoglm.zoo._descent import Problem
from autoglm.zoo.contract import Facts, Fold, Limits
from autoglm.zoo.linear import LinearText, log_count_ratios

N, WORDS = 900, 400


def reviews(classes: int = 2) -> tuple[Fold, Facts]:
    """Return rows of words: six a class are telling and rare, the others are noise."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, N)
    X = (rng.random((N, WORDS)) < 0.08).astype(np.float32)
    for c in range(classes):
        own = slice(6 * c, 6 * c + 6)
        X[:, own] = rng.random((N, 6)) < np.where(y == c, 0.25, 0.03)[:, None]
    dense = rng.normal(size=(N, 2)).astype(np.float32)
    kind = "binary" if classes == 2 else "multiclass"
    facts = Facts(kind, classes, N, {"tree": 2, "dense": 2, "sparse": 2 + WORDS}, has_text=True)
    whole = sparse.hstack([sparse.csr_matrix(dense), sparse.csr_matrix(X)], format="csr")
    order = rng.permutation(N)
    return Fold(whole.astype(np.float32), y, order[:500], order[500:700]), facts


@pytest.mark.parametrize("classes", [2, 4])
def test_telling_words_are_scaled_up_and_the_model_is_better(classes: int) -> None:
    fold, facts = reviews(classes)
    scale = log_count_ratios(Problem.of(fold, facts), 2)
    assert (scale[:2] == 1).all()
    assert np.mean(scale[2:] ** 2) == pytest.approx(1, rel=1e-5)
    telling = 2 + 6 * classes
    assert scale[2:telling].min() > np.median(scale[telling:]) * 2
    test = np.setdiff1d(np.arange(N), np.concatenate([fold.train, fold.valid]))
    losses = {}
    for ratios in (1.0, 0.0):
        model = LinearText().fit(fold, {"ratios": ratios}, facts, Limits())
        shares = model.predict(fold.X[test])[np.arange(len(test)), fold.y[test]]
        losses[ratios] = -np.log(shares).mean()
    assert losses[1.0] < 0.98 * losses[0.0]


def test_a_refit_on_all_rows_ends_where_the_fold_did() -> None:
    fold, facts = reviews()
    model = LinearText().fit(fold, {"ratios": 1.0}, facts, Limits())
    alone = Fold(fold.X, fold.y, fold.train, np.zeros(0, np.int64))
    again = LinearText().fit(alone, {"ratios": 1.0} | model.learned, facts, Limits())
    assert again.learned == model.learned
    np.testing.assert_allclose(again.predict(fold.X), model.predict(fold.X), atol=1e-6)
