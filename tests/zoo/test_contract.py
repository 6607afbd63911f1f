"""What every registered learner must do, whatever the table looks like."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from autoglm.core.hooks import manager
from autoglm.core.space import Choice, Float, Int
from autoglm.core.spec import TaskType
from autoglm.zoo.contract import Facts, Fold, Learner, Limits, Model

LEARNERS: dict[str, Learner] = {
    learner.name: learner for group in manager().hook.autoglm_learners() for learner in group
}
TASKS: tuple[TaskType, ...] = ("binary", "multiclass", "regression")
N_CODES = 6


def make(task: TaskType, view: str, n: int = 240, columns: int = 5) -> tuple[Fold, Facts]:
    """Return a table with signal; the tree view has a category, NaN and unseen codes."""
    rng = np.random.default_rng(7)
    numbers = rng.normal(size=(n, columns)).astype(np.float32)
    code = rng.integers(0, N_CODES - 1, n)
    signal = 1.5 * numbers[:, 0] + (code % 2) + 0.3 * rng.normal(size=n)
    if task == "regression":
        y: Any = (signal - signal.mean()) / signal.std()
    else:
        classes = 2 if task == "binary" else 3
        y = np.searchsorted(np.quantile(signal, np.arange(1, classes) / classes), signal)
        y = y.astype(np.int64)
    X: Any = numbers
    categorical: dict[int, int] = {}
    if view == "tree":
        X[:, -1] = code
        X[rng.random(n) < 0.1, 0] = np.nan
        X[n - 2 :, -1] = N_CODES - 1
        categorical = {columns - 1: N_CODES}
    elif view == "sparse":
        X = sparse.csr_matrix(numbers * (numbers > 0))
    order = rng.permutation(n)
    facts = Facts(
        task_type=task,
        n_classes={"binary": 2, "multiclass": 3, "regression": 1}[task],
        n_rows=n,
        n_features={"tree": columns, "dense": columns, "sparse": columns},
        categorical=categorical,
        has_text=True,
    )
    return Fold(X, y, order[: n * 3 // 4], order[n * 3 // 4 :]), facts


def first(learner: Learner, facts: Facts) -> dict[str, Any]:
    """Return the first configuration, made smaller where a size can be given."""
    return dict(learner.defaults(facts)[0])


def check_prediction(model: Model, X: Any, facts: Facts) -> Any:
    """Check shape and range of a prediction, and return it."""
    prediction = model.predict(X)
    assert prediction.dtype == np.float64
    assert np.isfinite(prediction).all()
    if facts.regression:
        assert prediction.shape == (X.shape[0],)
    else:
        assert prediction.shape == (X.shape[0], facts.n_classes)
        assert (prediction >= 0).all()
        np.testing.assert_allclose(prediction.sum(axis=1), 1.0, atol=1e-9)
    return prediction


def error(prediction: Any, y: Any) -> float:
    """Return the share of wrong classes, or the mean squared error."""
    if prediction.ndim == 1:
        return float(np.mean((prediction - y) ** 2))
    return float(np.mean(prediction.argmax(axis=1) != y))


@pytest.fixture(params=sorted(LEARNERS))
def learner(request: pytest.FixtureRequest) -> Learner:
    found = LEARNERS[request.param]
    if not found.available():
        pytest.skip(f"{found.name} needs the extra {found.extra!r}")
    return found


@pytest.fixture(params=TASKS)
def task(request: pytest.FixtureRequest) -> TaskType:
    return request.param


def test_learns_dumps_and_loads_the_same(learner: Learner, task: TaskType) -> None:
    fold, facts = make(task, learner.view)
    model = learner.fit(fold, first(learner, facts), facts, Limits())
    prediction = check_prediction(model, fold.X[fold.valid], facts)
    constant = LEARNERS["constant"].fit(fold, {}, facts, Limits())
    if learner.name != "constant":
        floor = error(constant.predict(fold.X[fold.valid]), fold.y[fold.valid])
        bound = 0.9 if learner.view == "sparse" else 0.7
        assert error(prediction, fold.y[fold.valid]) < bound * floor
    files = model.dump()
    assert all(isinstance(data, bytes) for data in files.values())
    loaded = learner.load(files, facts)
    np.testing.assert_array_equal(loaded.predict(fold.X[fold.valid]), prediction)


def test_same_seed_gives_the_same_model(learner: Learner, task: TaskType) -> None:
    fold, facts = make(task, learner.view)
    params = first(learner, facts)
    one, two = (learner.fit(fold, params, facts, Limits(seed=3)).dump() for _ in range(2))
    assert one.keys() == two.keys()
    predictions = [learner.load(f, facts).predict(fold.X) for f in (one, two)]
    np.testing.assert_array_equal(*predictions)


def test_one_column_and_ten_rows(learner: Learner, task: TaskType) -> None:
    for n, columns in ((240, 1), (10, 5), (10, 1)):
        fold, facts = make(task, learner.view, n=n, columns=columns)
        model = learner.fit(fold, first(learner, facts), facts, Limits())
        check_prediction(model, fold.X, facts)


def test_one_row_of_a_prediction_does_not_depend_on_the_others(
    learner: Learner, task: TaskType
) -> None:
    fold, facts = make(task, learner.view)
    model = learner.fit(fold, first(learner, facts), facts, Limits())
    together = model.predict(fold.X[:5])
    alone = np.concatenate([model.predict(fold.X[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-6)
    assert len(model.predict(fold.X[:0])) == 0


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_a_direction_is_kept(learner: Learner, kind: TaskType, sign: int) -> None:
    fold, facts = make(kind, learner.view, n=600)
    rng = np.random.default_rng(1)
    X = fold.X.toarray() if learner.view == "sparse" else fold.X.copy()
    X[:, 1] = rng.uniform(-3, 3, len(X))
    # Up, down and up again: against one of the two directions somewhere.
    wave = np.sin(2 * X[:, 1]) + 0.3 * rng.normal(size=len(X))
    y = (wave - wave.mean()) / wave.std() if kind == "regression" else (wave > 0).astype(np.int64)
    view: Any = sparse.csr_matrix(X) if learner.view == "sparse" else X
    fold = replace(fold, X=view, y=y)

    def wrong(facts: Facts) -> float:
        """Return how far an answer falls at the most while the column goes the way it should."""
        model = learner.fit(fold, first(learner, facts), facts, Limits())
        asked = np.repeat(X[:20], 60, axis=0)
        asked[:, 1] = np.tile(np.linspace(-3, 3, 60), 20)
        rows: Any = sparse.csr_matrix(asked) if learner.view == "sparse" else asked
        told = model.predict(rows)
        told = (told if facts.regression else told[:, 1]).reshape(20, 60)
        return float(-(sign * np.diff(told, axis=1)).min())

    held = replace(facts, directions={1: sign})
    assert learner.can(held) == learner.directed
    if learner.directed:
        assert wrong(held) < 1e-6
    if learner.view == "tree" and learner.name != "constant":
        assert wrong(facts) > 0.01


def test_weights_move_the_model(learner: Learner, task: TaskType) -> None:
    fold, facts = make(task, learner.view)
    heavy = np.where(fold.y == fold.y.max(), 50.0, 1.0) if task != "regression" else None
    if heavy is None:
        heavy = np.where(fold.y > 0, 50.0, 1.0)
    weighted = Fold(fold.X, fold.y, fold.train, fold.valid, heavy)
    params = first(learner, facts)
    plain = learner.fit(fold, params, facts, Limits()).predict(fold.X)
    moved = learner.fit(weighted, params, facts, Limits()).predict(fold.X)
    if task == "regression" and learner.name == "knn":
        return  # neighbours of a value are averaged without weights
    up = moved.mean() - plain.mean() if task == "regression" else (moved - plain)[:, -1].mean()
    assert up > 0


def test_a_deadline_in_the_past_gives_something_valid_at_once(
    learner: Learner, task: TaskType
) -> None:
    fold, facts = make(task, learner.view, n=2000)
    limits = Limits(deadline=time.monotonic() - 1)
    model = learner.fit(fold, first(learner, facts), facts, limits)
    check_prediction(model, fold.X, facts)


def test_without_validation_rows(learner: Learner, task: TaskType) -> None:
    fold, facts = make(task, learner.view)
    whole = Fold(fold.X, fold.y, np.arange(len(fold.y)), np.arange(0))
    learned = getattr(learner.fit(fold, first(learner, facts), facts, Limits()), "learned", {})
    model = learner.fit(whole, first(learner, facts) | learned, facts, Limits())
    check_prediction(model, fold.X, facts)


def test_a_class_missing_from_the_training_rows(learner: Learner) -> None:
    fold, facts = make("multiclass", learner.view)
    seen = fold.train[fold.y[fold.train] != 1]
    try:
        part = Fold(fold.X, fold.y, seen, fold.valid)
        model = learner.fit(part, first(learner, facts), facts, Limits())
    except ValueError:
        return
    check_prediction(model, fold.X, facts)


def test_merged_models_predict_about_the_mean(learner: Learner, task: TaskType) -> None:
    fold, facts = make(task, learner.view)
    params = first(learner, facts)
    halves = [fold.train[::2], fold.train[1::2], fold.train]
    models = [
        learner.fit(Fold(fold.X, fold.y, rows, fold.valid), params, facts, Limits())
        for rows in halves
    ]
    merged = learner.merge(models)
    if merged is None:
        return
    mean = np.mean([m.predict(fold.X) for m in models], axis=0)
    got = check_prediction(merged, fold.X, facts)
    # The mean of raw scores is near the mean of probabilities, and equal for numbers; neighbours
    # are looked for among the rows of all.
    exact = task == "regression" and learner.name != "knn"
    assert np.abs(got - mean).mean() < (1e-6 if exact else 0.1 if learner.name == "knn" else 0.05)
    loaded = learner.load(merged.dump(), facts)
    np.testing.assert_array_equal(loaded.predict(fold.X), got)


def test_every_default_lies_in_reach_and_fits(learner: Learner, task: TaskType) -> None:
    fold, facts = make(task, learner.view, n=120)
    assert learner.defaults(facts)
    for params in learner.defaults(facts):
        assert json.loads(json.dumps(params)) == params
        check_prediction(learner.fit(fold, params, facts, Limits()), fold.X, facts)


def test_corners_of_the_space_fit(learner: Learner, task: TaskType) -> None:
    fold, facts = make(task, learner.view, n=120)
    space = learner.space(facts)
    for corner in (0, -1):
        params: dict[str, Any] = {}
        for name, dimension in space.items():
            assert isinstance(dimension, Float | Int | Choice)
            params[name] = dimension.grid(2)[corner]
        limits = Limits(deadline=time.monotonic() + 1)
        check_prediction(learner.fit(fold, params, facts, limits), fold.X, facts)


def test_damaged_files_are_refused(learner: Learner, task: TaskType) -> None:
    fold, facts = make(task, learner.view, n=60)
    files = learner.fit(fold, first(learner, facts), facts, Limits()).dump()
    with pytest.raises(ValueError):
        learner.load({}, facts)
    for name in files:
        with pytest.raises(ValueError):
            learner.load(files | {name: files[name][: len(files[name]) // 2]}, facts)


def test_no_training_rows_are_refused(learner: Learner, task: TaskType) -> None:
    fold, facts = make(task, learner.view, n=60)
    with pytest.raises(ValueError, match="no rows"):
        learner.fit(
            Fold(fold.X, fold.y, fold.train[:0], fold.valid), first(learner, facts), facts, Limits()
        )


def test_importance_is_a_share(learner: Learner, task: TaskType) -> None:
    fold, facts = make(task, learner.view)
    importance = learner.fit(fold, first(learner, facts), facts, Limits()).importance
    if importance is None:
        return
    assert importance.shape == (fold.X.shape[1],)
    assert importance.sum() == pytest.approx(1.0)
    assert importance.argmax() in (0, fold.X.shape[1] - 1)
