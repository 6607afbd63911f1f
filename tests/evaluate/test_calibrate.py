from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from autoglm.core.errors import BundleError
from autoglm.evaluate.calibrate import Calibrator, fit_calibrator
from autoglm.evaluate.metrics import metric


def drawn(k: int, n: int, sharpness: float, seed: int = 0):
    """Classes drawn from known probabilities, and those probabilities sharpened."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.0, 1.5, (n, k))
    true = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    y = (true.cumsum(1) < rng.random((n, 1))).sum(1).clip(0, k - 1)
    given = true**sharpness
    return y, given / given.sum(1, keepdims=True), true


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("sharpness", [0.4, 2.5])
def test_distorted_probabilities_are_put_right(k, sharpness):
    y, given, true = drawn(k, 4000, sharpness)
    calibrator = fit_calibrator(y, given)
    after = calibrator.apply(given)
    assert calibrator.slope == pytest.approx(1 / sharpness, rel=0.15)
    assert np.abs(after - true).mean() < np.abs(given - true).mean() / 3
    np.testing.assert_allclose(after.sum(1), 1.0)


def test_two_classes_agree_with_logistic_regression():
    y, given, _ = drawn(2, 3000, 2.0)
    logit = np.log(given[:, 1] / given[:, 0])[:, None]
    reference = LogisticRegression(C=np.inf).fit(logit, y)
    found = fit_calibrator(y, given)
    assert found.slope == pytest.approx(reference.coef_[0, 0], rel=0.02)
    assert found.offset == pytest.approx(reference.intercept_[0], abs=0.02)


def test_the_ranking_of_rows_stays():
    y, given, _ = drawn(2, 2000, 3.0)
    auc = metric("roc_auc")
    after = fit_calibrator(y, given).apply(given)
    assert auc.score(y, after) == pytest.approx(auc.score(y, given), abs=1e-9)


@pytest.mark.parametrize("k", [2, 4])
def test_noise_is_not_followed(k):
    """Good probabilities on few rows: a fit must not make new rows worse than it found them."""
    change = []
    for seed in range(12):
        y, given, _ = drawn(k, 120, 1.0, seed)
        fresh_y, fresh, _ = drawn(k, 4000, 1.0, seed + 100)
        loss = metric("log_loss").score
        change.append(loss(fresh_y, fit_calibrator(y, given).apply(fresh)) - loss(fresh_y, fresh))
    assert np.mean(change) < 0.01


def test_tiny_or_broken_input_changes_nothing():
    y, given, _ = drawn(2, 20, 3.0)
    assert fit_calibrator(y, given).identity
    y, given, _ = drawn(2, 200, 3.0)
    given[0] = np.nan
    assert fit_calibrator(y, given).identity
    assert fit_calibrator(np.zeros(100, dtype=int), np.full((100, 1), 1.0)).identity


def test_certain_and_perfect_predictions_stay_finite():
    y = np.arange(200) % 2
    for k in (2, 3):
        proba = np.eye(k)[y]
        after = fit_calibrator(y, proba).apply(proba)
        assert np.isfinite(after).all()
        assert (after.argmax(1) == y).all()


def test_json_round_trip_and_damage():
    calibrator = Calibrator(1.25, -0.5)
    assert Calibrator.from_json(calibrator.to_json()) == calibrator
    for text in (
        "",
        "[]",
        '{"slope": 1}',
        '{"slope": "x", "offset": 0}',
        '{"slope": NaN, "offset": 0}',
    ):
        with pytest.raises(BundleError):
            Calibrator.from_json(text)
