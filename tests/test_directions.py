"""What the prediction must rise or fall with: from the sentence to the finished model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from autoglm import AutoTask, Predictor, TaskOptions, load
from autoglm.cli.app import app
from autoglm.core.errors import SpecError
from autoglm.dataflow.profile import profile_table
from autoglm.task.understand import understand


def flats(n: int = 600) -> pd.DataFrame:
    """Return flats whose rent rises with the area, with a dip in the data, and falls with noise."""
    rng = np.random.default_rng(0)
    area, noise = rng.uniform(20, 120, n).round(1), rng.uniform(30, 80, n).round(1)
    rent = 12 * area - 5 * noise + 260 * np.sin(area / 9) + 40 * rng.normal(size=n)
    return pd.DataFrame({
        "area": area, "noise": noise, "floor": rng.integers(0, 9, n),
        "district": rng.choice(["north", "south", "west"], n), "rent": rent.round(),
        "dear": np.where(rent > np.median(rent), "yes", "no"),
    })  # fmt: skip


def falls(model: Predictor, column: str, rows: pd.DataFrame, sign: int = 1) -> float:
    """Return the largest step against the direction, from a fine walk over the column."""
    walk = np.linspace(rows[column].min(), rows[column].max(), 80)
    most = 0.0
    for i in range(8):
        asked = pd.concat([rows.iloc[[i]]] * len(walk), ignore_index=True).assign(**{column: walk})
        answers = (
            model.predict_proba(asked)["yes"] if model.classes else model.predict(asked)
        ).to_numpy()
        most = max(most, float((-sign * np.diff(answers)).max()) / float(np.ptp(answers) or 1))
    return most


def test_a_sentence_gives_a_direction_that_the_model_keeps(tmp_path: Path) -> None:
    table = flats().drop(columns="dear")
    said = "predict the rent; the rent must not fall as the area grows, and must fall with noise"
    task = AutoTask.create(dataset=table, description=said)
    assert task.spec.increasing.value == ("area",)
    assert task.spec.decreasing.value == ("noise",)
    assert "must not fall as the area grows" in task.spec.card()
    model = task.launch(run_dir=tmp_path, max_trials=8, workers=0)
    assert falls(model, "area", table) < 1e-6
    assert falls(model, "noise", table, -1) < 1e-6
    told = model.receipts["against_directions"]
    assert (told["actual"], told["kept"], told["fast"]) == (0.0, True, 0.0)
    used = set(model.leaderboard()["learner"]) - {"ensemble"}
    assert {"lightgbm", "linear"} <= used
    assert not used & {"mlp", "knn", "extra_trees", "random_forest", "spline_linear", "elastic"}
    assert load(model.save(tmp_path / "m.aglm")).receipts["against_directions"]["actual"] == 0.0
    # The same data without it: the model follows the dip.
    free = AutoTask.create(dataset=table, target="rent")
    plain = free.launch(run_dir=tmp_path, max_trials=8, workers=0)
    assert falls(plain, "area", table) > 0.01
    assert "against_directions" not in plain.receipts


def test_the_probability_of_the_positive_class_keeps_it(tmp_path: Path) -> None:
    table = flats().drop(columns="rent")
    options = TaskOptions(increasing=("area",), positive_class="yes")
    task = AutoTask.create(dataset=table, target="dear", options=options)
    model = task.launch(run_dir=tmp_path, max_trials=6, workers=0)
    assert falls(model, "area", table) < 1e-6
    turned = TaskOptions(decreasing=("area",), positive_class="no")
    task = AutoTask.create(dataset=table, target="dear", options=turned)
    model = task.launch(run_dir=tmp_path, max_trials=4, workers=0)
    assert falls(model, "area", table) < 1e-6


@pytest.mark.parametrize(
    ("sentence", "up", "down"),
    [
        ("predict rent, the larger the area the higher the rent", ("area",), ()),
        ("预测rent,area越大rent应该越高", ("area",), ()),
        ("预测租金(rent),面积(area)越大越贵,噪音(noise)越大租金越低", ("area",), ("noise",)),
        ("预测rent,不能随area增加而下降", ("area",), ()),
        ("预测rent,rent对noise单调递减", (), ("noise",)),
        ("estimate rent; monotonically decreasing in noise", (), ("noise",)),
        ("predict rent. It should never rise with noise", (), ("noise",)),
        ("rent must drop when noise increases", (), ("noise",)),
        ("predict rent, more area means higher rent", ("area",), ()),
        ("predict rent, it may not fall with the district", (), ()),
        ("predict rent, the more area data the better", (), ()),
        ("预测rent,area越大越好", (), ()),
        ("随着noise增长,哪些dear为yes", (), ()),
        ("预测rent,rent应随area上升", ("area",), ()),
        ("predict the rent of the largest flats from area and noise", (), ()),
        ("哪些dear为yes? noise越大越不容易", (), ("noise",)),
    ],
)
def test_ways_to_say_it(sentence: str, up: tuple[str, ...], down: tuple[str, ...]) -> None:
    spec = understand(sentence, profile_table(flats()))
    assert (spec.increasing.value, spec.decreasing.value) == (up, down)


def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    table = flats()
    with pytest.raises(SpecError, match="attic"):
        AutoTask.create(dataset=table, target="rent", options=TaskOptions(increasing=("attic",)))
    task = AutoTask.create(
        dataset=table, target="rent", options=TaskOptions(increasing=("district",))
    )
    with pytest.raises(SpecError, match="district"):
        task.launch(run_dir=tmp_path, max_trials=1, workers=0)
    both = TaskOptions(increasing=("area",), decreasing=("area",))
    with pytest.raises(SpecError, match="both rise and fall with area"):
        AutoTask.create(dataset=table, target="rent", options=both).launch(
            run_dir=tmp_path, max_trials=1, workers=0)  # fmt: skip
    task = AutoTask.create(
        dataset=table, target="district", options=TaskOptions(increasing=("area",))
    )
    with pytest.raises(SpecError, match="several classes"):
        task.launch(run_dir=tmp_path, max_trials=1, workers=0)
    assert list(tmp_path.iterdir()) == []


def test_on_the_command_line(tmp_path: Path) -> None:
    flats().drop(columns="dear").to_csv(tmp_path / "flats.csv", index=False)
    told = CliRunner().invoke(app, [
        "run", "predict rent", str(tmp_path / "flats.csv"), "--increasing", "area",
        "--decreasing", "noise", "--trials", "3", "--workers", "1", "--json",
        "--run-dir", str(tmp_path / "runs"),
    ])  # fmt: skip
    assert told.exit_code == 0, told.output
    result = json.loads(told.stdout)
    assert result["receipts"]["against_directions"]["kept"] is True


def test_said_of_a_finished_model(tmp_path: Path) -> None:
    table = flats().drop(columns="dear")
    table.to_csv(tmp_path / "flats.csv", index=False)
    task = AutoTask.create(dataset=tmp_path / "flats.csv", target="rent")
    model = task.launch(run_dir=tmp_path / "runs", max_trials=3, workers=0)
    better = model.refine("the rent must not fall as the area grows", time_limit=6)
    assert better.spec.increasing.value == ("area",)
    assert falls(better, "area", table) < 1e-6


def test_no_column_is_computed_of_one_with_a_direction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOGLM_FEATURES", "rules")
    table = flats().drop(columns="dear")
    table["rent"] = 900 * table["area"] / table["noise"] + 40 * np.sin(table["area"])
    task = AutoTask.create(dataset=table, target="rent", options=TaskOptions(increasing=("area",)))
    model = task.launch(run_dir=tmp_path, max_trials=3, workers=0)
    assert model.prepared.cleaner.derived == ()
    assert falls(model, "area", table) < 1e-6


def test_a_column_that_is_empty_in_the_kept_rows_is_no_obstacle(tmp_path: Path) -> None:
    table = flats(400).drop(columns="dear")
    table.loc[table.index >= 12, "noise"] = np.nan
    task = AutoTask.create(
        dataset=table, target="rent", options=TaskOptions(decreasing=("noise",), seed=3)
    )
    model = task.launch(run_dir=tmp_path, max_trials=2, workers=0)
    assert model.receipts["against_directions"]["kept"]
