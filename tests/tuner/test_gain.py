"""Columns are kept when they pay, and noise is not."""

from __future__ import annotations

import time

import numpy as np
import pytest

from autoglm.tuner.gain import gains
from autoglm.zoo.contract import Facts


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_a_ratio_is_found_among_noise(kind: str) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(1, 9, 3000), rng.uniform(1, 9, 3000)
    noise = rng.normal(size=(3000, 14))
    value = np.sin(4 * np.log(a / b)) + 0.05 * rng.normal(size=3000)
    cuts = {"binary": [0.0], "multiclass": [-0.4, 0.4]}.get(kind)
    y = value if cuts is None else np.digitize(value, cuts).astype(float)
    classes = 0 if cuts is None else len(cuts) + 1
    facts = Facts(task_type=kind, n_classes=classes, n_rows=3000, n_features={"tree": 2}, metric="")
    matrix = np.column_stack([a, b]).astype(np.float32)
    added = np.column_stack([noise[:, :7], a / b, noise[:, 7:]]).astype(np.float32)
    found = gains(matrix, added, y, facts, deadline=time.monotonic() + 60)
    assert [one.index for one in found] == [7]
    assert found[0].gain > 0.02 and found[0].p < 0.001


def test_nothing_is_kept_where_there_is_nothing() -> None:
    kept = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(1200, 4)).astype(np.float32)
        y = (X[:, 0] + rng.normal(size=1200) > 0).astype(float)
        facts = Facts(
            task_type="binary", n_classes=2, n_rows=1200, n_features={"tree": 4}, metric=""
        )
        added = rng.normal(size=(1200, 10)).astype(np.float32)
        kept += len(gains(X, added, y, facts, deadline=time.monotonic() + 60, seed=seed))
    assert kept == 0


def test_no_time_means_nothing_is_kept() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3)).astype(np.float32)
    facts = Facts(task_type="binary", n_classes=2, n_rows=500, n_features={"tree": 3}, metric="")
    y = (X[:, 0] > 0).astype(float)
    assert gains(X, X[:, :1], y, facts, deadline=time.monotonic() - 1) == []
