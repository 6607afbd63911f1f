"""The small neural network: what it learns, its members, its clock, its files."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autoglm.core.spec import TaskType
from autoglm.zoo._backprop import Backprop
from autoglm.zoo._descend_members import error_of, planned_steps
from autoglm.zoo._members import Members, Shape, mean_answer
from autoglm.zoo.contract import Facts, Fold, Limits
from autoglm.zoo.linear import Linear
from autoglm.zoo.mlp import MLP, NetworkModel

SMALL = {"members": 4, "width": 32, "layers": 2, "epochs": 60, "dropout": 0.0, "decay": 0.1}


def table(
    task: TaskType, signal: Any, n: int = 900, columns: int = 3, classes: int = 2
) -> tuple[Fold, Facts]:
    """Return numbers in a box and a target made of `signal` of them."""
    rng = np.random.default_rng(5)
    X = rng.uniform(-2, 2, (n, columns)).astype(np.float32)
    y = signal(X.astype(np.float64))
    if task == "regression":
        y, classes = (y - y.mean()) / y.std(), 1
    else:
        y = y.astype(np.int64)
    order = rng.permutation(n)
    facts = Facts(task, classes, n, {"tree": columns, "dense": columns})
    return Fold(X, y, order[: n // 2], order[n // 2 :]), facts


def xor(X: Any) -> Any:
    return (X[:, 0] > 0) ^ (X[:, 1] > 0)


def waves(X: Any) -> Any:
    return np.sin(4 * X[:, 0]) + np.cos(3 * X[:, 1])


def sectors(X: Any) -> Any:
    """Return which third of the turn a point lies in."""
    turn = np.arctan2(X[:, 1], X[:, 0]) / (2 * np.pi) + 0.5
    return np.minimum(3 * turn, 2)


def network(members: int, outputs: int, columns: int = 4) -> Members:
    rng = np.random.default_rng(11)
    shape = Shape(columns, np.array([0, 2]), 5, 3, members, (7, 6), outputs)
    net = Members.random(shape, rng, 0.3)
    net.part["head"][...] *= 10
    for name in ("bias0", "bias1", "offset"):
        net.part[name][...] = rng.normal(0.0, 0.3, net.part[name].shape)
    return net


def by_hand(net: Members, X: Any, member: int) -> Any:
    """Return one member's raw scores, written out in float64 and without any sharing."""
    part = {name: np.asarray(values, dtype=np.float64) for name, values in net.part.items()}
    columns = [X]
    for j, column in enumerate(net.shape.numeric):
        angle = X[:, [column]] * part["wave"][j] + part["phase"][j]
        columns.append(np.cos(angle) @ part["mix"][j] + part["shift"][j])
    layer = np.hstack(columns) * part["scale"] * part["adapter"][member]
    for i in range(len(net.shape.hidden)):
        raw = layer @ part[f"weight{i}"] + part[f"bias{i}"][member]
        layer = raw / (1 + np.exp(-raw))
    return layer @ part["head"][member] + part["offset"][member]


@pytest.mark.parametrize("params", [{}, {"members": 1, "width": 64}])
def test_xor_is_learned_where_a_linear_model_is_lost(params: dict[str, Any]) -> None:
    fold, facts = table("binary", xor)
    found = MLP().fit(fold, SMALL | params, facts, Limits()).predict(fold.X[fold.valid])
    plain = Linear().fit(fold, {}, facts, Limits()).predict(fold.X[fold.valid])
    truth = fold.y[fold.valid]
    assert np.mean(found.argmax(axis=1) == truth) > 0.93
    assert np.mean(plain.argmax(axis=1) == truth) < 0.65


def test_periodic_functions_are_learned() -> None:
    fold, facts = table("regression", waves)
    truth = fold.y[fold.valid]
    for params in MLP().defaults(facts):
        found = MLP().fit(fold, params, facts, Limits()).predict(fold.X[fold.valid])
        plain = Linear().fit(fold, {}, facts, Limits()).predict(fold.X[fold.valid])
        assert np.mean((found - truth) ** 2) < 0.1 * np.mean((plain - truth) ** 2)


def test_several_classes_are_told_apart() -> None:
    fold, facts = table("multiclass", sectors, classes=3)
    found = MLP().fit(fold, SMALL, facts, Limits()).predict(fold.X[fold.valid])
    assert found.shape == (len(fold.valid), 3)
    assert np.mean(found.argmax(axis=1) == fold.y[fold.valid]) > 0.93


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("outputs", [1, 3])
def test_members_agree_with_each_written_out_alone(members: int, outputs: int) -> None:
    net = network(members, outputs)
    X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    alone = np.stack([by_hand(net, X.astype(np.float64), m) for m in range(members)])
    np.testing.assert_allclose(net.scores(X), alone, atol=1e-5)


def test_the_answer_is_the_mean_of_the_members_probabilities() -> None:
    net = network(3, 3)
    X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    odds = np.exp(net.scores(X).astype(np.float64))
    shares = odds / odds.sum(axis=2, keepdims=True)
    found = NetworkModel(net, regression=False).predict(X)
    np.testing.assert_allclose(found, shares.mean(axis=0), atol=1e-12)


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize(("outputs", "regression"), [(1, True), (1, False), (3, False)])
def test_gradients_are_those_of_the_loss(members: int, outputs: int, regression: bool) -> None:
    net, rng = network(members, outputs), np.random.default_rng(1)
    X = rng.normal(size=(9, 4)).astype(np.float32)
    numbers = np.ascontiguousarray(X[:, net.shape.numeric].T)
    kinds = rng.integers(0, max(2, outputs), 9)
    target = (np.eye(outputs)[kinds] if outputs > 1 else kinds[:, None]).astype(np.float32)

    def loss() -> float:
        scores = np.stack([by_hand(net, X.astype(np.float64), m) for m in range(members)])
        if regression:
            return float(0.5 * np.sum((scores - target) ** 2))
        mean = np.log1p(np.exp(scores)) if outputs == 1 else np.log(np.exp(scores).sum(axis=2))
        return float(mean.sum() - (scores * target).sum())

    passes = Backprop(net, 9, 0.0, rng)
    passes.backward(error_of(passes.forward(X, numbers), target, regression=regression), numbers)
    for name, values in net.part.items():
        flat, slope = values.reshape(-1), passes.slope[name].ravel()
        for i in rng.permutation(len(flat))[:4]:
            kept, sides = flat[i], []
            for step in (1e-3, -1e-3):
                flat[i] = kept + step
                sides.append((float(flat[i]), loss()))
            flat[i] = kept
            (right, above), (left, below) = sides
            assert (above - below) / (right - left) == pytest.approx(slope[i], rel=1e-2, abs=1e-2)


def test_a_fit_ends_early_when_time_is_short() -> None:
    fold, facts = table("regression", waves, n=20_000, columns=10)
    params = MLP().defaults(facts)[0] | {"epochs": 400}
    steps = planned_steps(network(1, 1).shape, len(fold.train), 64, params, facts)
    began = time.monotonic()
    model = MLP().fit(fold, params, facts, Limits(deadline=began + 0.3))
    # All of these steps cannot be made in the time that was given, on any machine.
    assert steps > 50_000
    found = model.predict(fold.X[fold.valid])
    assert np.isfinite(found).all()
    assert np.mean((found - fold.y[fold.valid]) ** 2) < 1.5


def test_a_wish_for_haste_shortens_the_training() -> None:
    fold, facts = table("regression", waves, n=4000)
    shape, params = network(8, 1).shape, MLP().defaults(facts)[0]
    usual = planned_steps(shape, 400_000, 64, params, facts)
    hasty = planned_steps(shape, 400_000, 64, params, replace(facts, fit_seconds=2.0))
    assert hasty < usual
    assert hasty == planned_steps(shape, 400_000, 64, params, replace(facts, fit_seconds=2.0))
    # Below a second or so nothing is learned, whatever the wish.
    least = planned_steps(shape, 400_000, 64, params, replace(facts, fit_seconds=0.01))
    assert 200 < least < hasty
    model = MLP().fit(fold, params, replace(facts, fit_seconds=0.05), Limits())
    assert np.isfinite(model.predict(fold.X)).all()


def test_a_seed_decides_everything() -> None:
    fold, facts = table("binary", xor, n=300)
    one, two, other = (
        MLP().fit(fold, SMALL | {"dropout": 0.2}, facts, Limits(seed=seed)).predict(fold.X)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - other).max() > 1e-4


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("params", [{}, {"members": 1}, {"frequencies": 0}])
def test_one_row_says_what_the_mean_of_the_models_says(
    task: TaskType, params: dict[str, Any]
) -> None:
    fold, facts = table(task, waves if task == "regression" else sectors, n=300, classes=3)
    if task == "binary":
        fold, facts = table(task, xor, n=300)
    fitted = [
        MLP().fit(fold, SMALL | params | {"epochs": 5}, facts, Limits(seed=seed))
        for seed in range(3)
    ]
    models = [MLP().load(model.dump(), facts) for model in fitted]
    for before, after in zip(fitted, models, strict=True):
        np.testing.assert_array_equal(before.predict(fold.X), after.predict(fold.X))
    for group in (models[:1], models):
        quick = group[0].of_bags([group])
        mean = np.mean([model.predict(fold.X[:30]) for model in group], axis=0)
        found = np.array([quick(row)[0] for row in fold.X[:30]])
        np.testing.assert_allclose(found, mean[:, 1] if task == "binary" else mean, atol=1e-5)


def test_bags_of_networks_pass_a_row_at_once_and_answer_each() -> None:
    fold, facts = table("binary", xor, n=300)
    one, two, three = (MLP().fit(fold, SMALL, facts, Limits(seed=seed)) for seed in range(3))
    assert one.kin == two.kin == three.kin
    quick = one.of_bags([[one], [two, three]])
    found = np.array([quick(row) for row in fold.X[:20]])
    alone = [model.predict(fold.X[:20])[:, 1] for model in (one, two, three)]
    np.testing.assert_allclose(found[:, 0], alone[0], atol=1e-5)
    np.testing.assert_allclose(found[:, 1], (alone[1] + alone[2]) / 2, atol=1e-5)


def test_columns_that_are_zero_are_left_out_of_a_row_without_a_change() -> None:
    fold, facts = table("binary", xor, n=300)
    model = MLP().fit(fold, SMALL, facts, Limits())
    rows = np.zeros_like(fold.X[:8])
    rows[np.arange(8), np.arange(8) % rows.shape[1]] = 1.0
    quick = model.one_row()
    found = np.array([quick(row) for row in rows])
    np.testing.assert_allclose(found, model.predict(rows)[:, 1], atol=1e-5)


def test_networks_of_all_folds_have_one_form() -> None:
    """What a fold's training rows happen to hold must not decide which columns are numbers."""
    fold, facts = table("binary", xor, n=400)
    X = fold.X.copy()
    X[:, 0] = 0.0
    X[:8, 0] = np.arange(8)  # the values of a column are in few rows
    parts = [np.arange(8), np.arange(200, 208)]
    models = [
        MLP().fit(
            replace(fold, X=X, train=np.setdiff1d(np.arange(400), out), valid=out),
            SMALL | {"epochs": 1}, facts, Limits(),
        )
        for out in parts
    ]  # fmt: skip
    assert models[0].kin == models[1].kin


def test_networks_that_differ_are_not_put_side_by_side() -> None:
    fold, facts = table("binary", xor, n=200)
    quick = SMALL | {"epochs": 1}
    one, wide = (MLP().fit(fold, quick | {"width": width}, facts, Limits()) for width in (32, 64))
    assert one.kin != wide.kin


def test_weights_and_rare_classes() -> None:
    def rare(X: Any) -> Any:
        often = np.where(X[:, 0] > 1, 0.25, 0.01)
        return np.random.default_rng(3).random(len(X)) < often

    fold, facts = table("binary", rare, n=1500)
    share = fold.y.mean()
    assert share < 0.1
    plain = MLP().fit(fold, SMALL, facts, Limits()).predict(fold.X)
    assert plain[:, 1].mean() == pytest.approx(share, abs=0.03)
    right = fold.X[:, 0] > 1
    assert plain[right, 1].mean() > 5 * plain[~right, 1].mean()
    weight = np.where(fold.y == 1, 1 / share, 1.0)
    moved = MLP().fit(replace(fold, weight=weight), SMALL, facts, Limits()).predict(fold.X)
    assert moved[:, 1].mean() > 2.5 * plain[:, 1].mean()


def test_a_refit_without_validation_rows_stops_where_the_folds_did() -> None:
    # Labels are noise: the longer the training, the worse the validation rows are met.
    fold, facts = table("binary", lambda X: np.random.default_rng(1).random(len(X)) > 0.5)
    params = SMALL | {"members": 1, "decay": 0.0, "width": 64}
    learned = MLP().fit(fold, params, facts, Limits()).learned
    assert 0.0 < learned["stop"] < 0.5
    alone = replace(fold, valid=fold.valid[:0])
    whole = MLP().fit(alone, params, facts, Limits()).predict(fold.X[fold.train])
    short = MLP().fit(alone, params | learned, facts, Limits()).predict(fold.X[fold.train])
    # Trained to the end it knows its rows by heart; stopped, it is as unsure as it should be.
    assert np.abs(short[:, 1] - 0.5).mean() < 0.5 * np.abs(whole[:, 1] - 0.5).mean()


@pytest.mark.parametrize(
    "change", [{"members": 0}, {"hidden": []}, {"inputs": 1}, {"outputs": -1}, {"hidden": 5}]
)
def test_sizes_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    model = NetworkModel(network(2, 1), regression=True)
    _, facts = table("regression", waves, n=50)
    files = model.dump()
    header = json.loads(files["model.json"]) | change
    with pytest.raises(ValueError, match=r"network|columns"):
        MLP().load(files | {"model.json": json.dumps(header).encode()}, facts)


def test_mean_answer_of_numbers_is_the_mean() -> None:
    scores = np.array([[[1.0], [2.0]], [[3.0], [6.0]]], dtype=np.float32)
    np.testing.assert_array_equal(mean_answer(scores, regression=True), [2.0, 4.0])
