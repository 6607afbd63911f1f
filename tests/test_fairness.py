"""Groups that are to be selected alike: from the sentence to the threshold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from autoglm import AutoTask, Predictor, TaskOptions
from autoglm.cli.app import app
from autoglm.dataflow.profile import profile_table
from autoglm.evaluate.fairness import MOST_GAP, fair_rule, selection_gap
from autoglm.evaluate.metrics import metric
from autoglm.evaluate.threshold import LabelRule
from autoglm.task.understand import understand


def applicants(n: int = 1600, seed: int = 0) -> pd.DataFrame:
    """Return applicants whose tests favour one sex, and whether they were hired."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["female", "male"], n)
    test = rng.normal(size=n) + 0.9 * (sex == "male")
    school = rng.choice(["north", "south", "east"], n)
    years = rng.integers(0, 20, n)
    wish = 1.6 * test + 0.08 * years + rng.logistic(size=n)
    return pd.DataFrame({
        "sex": sex, "test": test.round(3), "years": years, "school": school,
        "hired": np.where(wish > np.median(wish), "yes", "no"),
    })  # fmt: skip


def gap(model: Predictor, rows: pd.DataFrame) -> float:
    """Return what the least rate of "yes" lacks of the highest, by sex."""
    said = model.predict(rows.drop(columns=["sex", "hired"])) == "yes"
    rates = said.groupby(rows["sex"].to_numpy()).mean()
    return float(1 - rates.min() / rates.max())


def test_a_sentence_makes_groups_be_selected_alike(tmp_path: Path) -> None:
    table, fresh = applicants(), applicants(4000, seed=1)
    said = "who should be hired? by F1, and it must be fair to women and men (sex)"
    task = AutoTask.create(dataset=table, description=said)
    assert task.spec.fair_to.value == ("sex",)
    model = task.launch(run_dir=tmp_path, max_trials=5, workers=0)
    told = model.receipts["selection_gap"]
    assert told["kept"] and told["planned"] == MOST_GAP
    assert gap(model, fresh) < MOST_GAP + 0.05
    assert "sex" not in model.prepared.cleaner.inputs
    assert model.evaluate(fresh)["f1"] > 0.6
    plain = AutoTask.create(dataset=table, description="who should be hired? by F1")
    free = plain.launch(run_dir=tmp_path, max_trials=5, workers=0)
    rates = (free.predict(fresh) == "yes").groupby(fresh["sex"].to_numpy()).mean()
    assert 1 - rates.min() / rates.max() > 0.35
    assert "selection_gap" not in free.receipts


def test_the_best_threshold_among_the_fair_ones_is_taken() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, 4000)
    logit = rng.normal(size=4000) * 1.5 + 1.2 * group
    score = 1 / (1 + np.exp(-logit))
    y = (rng.random(4000) < score).astype(int)
    proba = np.column_stack([1 - score, score])
    f1, start = metric("f1"), LabelRule(0.6)
    assert selection_gap(score >= 0.6, [group]) > 0.3
    fair = fair_rule(f1, y, proba, start, [group])
    assert selection_gap(score >= fair.threshold, [group]) <= MOST_GAP
    better = [
        t for t in np.linspace(0.05, 0.95, 91)
        if selection_gap(score >= t, [group]) <= MOST_GAP
        and (score >= t).mean() <= 0.95
        and f1.utility(y, (score >= t).astype(int)) > f1.utility(
            y, (score >= fair.threshold).astype(int)) + 0.005
    ]  # fmt: skip
    assert not better
    # Of a metric of probabilities: as many selected as before, as far as may be.
    near = fair_rule(metric("roc_auc"), y, proba, start, [group])
    assert selection_gap(score >= near.threshold, [group]) <= MOST_GAP
    assert near.threshold > fair.threshold - 0.05
    assert fair_rule(f1, y, proba, LabelRule(fair.threshold), [group]).threshold == fair.threshold
    # Groups of a few rows, and rows of none, count for nothing.
    few = np.where(np.arange(4000) < 20, 1, 0)
    assert selection_gap(score >= 0.6, [few]) == 0.0
    assert selection_gap(score >= 0.6, [np.full(4000, -1)]) == 0.0


@pytest.mark.parametrize(
    ("sentence", "columns"),
    [
        ("who gets hired? it must not discriminate against women, female applicants", ("sex",)),
        ("预测谁会被录用(hired),要对不同sex公平", ("sex",)),
        ("预测hired,不能有性别歧视", ("sex",)),
        ("predict hired, equal treatment of all schools", ("school",)),
        ("predict hired; fairness matters", ("sex",)),
        ("predict hired at a fair price", ()),
        ("predict hired from school; whether the coin is fair is another matter", ()),
        ("predict hired; what is fair for applicants of a school", ()),
        ("do the posts discriminate against women of a sex? predict hired", ()),
        ("预测hired,公平价格另算", ()),
        ("predict hired from test and school", ()),
    ],
)
def test_ways_to_say_it(sentence: str, columns: tuple[str, ...]) -> None:
    assert understand(sentence, profile_table(applicants())).fair_to.value == columns


def test_numbers_are_cut_into_quarters(tmp_path: Path) -> None:
    table = applicants()
    rng = np.random.default_rng(2)
    fee = np.where(table["sex"] == "male", 900, 300) + rng.integers(0, 200, len(table))
    table["fee"] = [f"￥{value:,}" if i % 40 else "" for i, value in enumerate(fee)]
    options = TaskOptions(fair_to=("fee",), positive_class="yes", drop_columns=("sex",))
    task = AutoTask.create(dataset=table, target="hired", metric="f1", options=options)
    model = task.launch(run_dir=tmp_path, max_trials=3, workers=0)
    assert model.receipts["selection_gap"]["kept"]
    assert "fee" not in model.prepared.cleaner.inputs
    said = model.predict(table.drop(columns=["sex", "fee", "hired"])) == "yes"
    low, high = (said[(fee < 520) == cheap].mean() for cheap in (True, False))
    assert 1 - low / high < MOST_GAP + 0.1


def test_on_the_command_line(tmp_path: Path) -> None:
    applicants().to_csv(tmp_path / "a.csv", index=False)
    told = CliRunner().invoke(app, [
        "run", "who is hired", str(tmp_path / "a.csv"), "--target", "hired", "--fair-to", "sex",
        "--trials", "3", "--workers", "1", "--json", "--run-dir", str(tmp_path / "runs"),
    ])  # fmt: skip
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["receipts"]["selection_gap"]["kept"] is True
