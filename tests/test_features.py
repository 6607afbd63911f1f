"""Computed columns in a run: proposed, tested, kept in the model, and the same without a model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autoglm import AutoTask, TaskOptions, load
from autoglm.core.events import Event, subscribe
from autoglm.dataflow.clean import Cleaner
from autoglm.dataflow.profile import profile_table
from autoglm.llm.scripted import ScriptedModel
from autoglm.task.features import by_model, by_rules


def shops(n: int = 2500, seed: int = 0) -> pd.DataFrame:
    """Return shops that thrive where sales for each visitor are neither low nor high."""
    rng = np.random.default_rng(seed)
    sales, visitors = rng.uniform(100, 9000, n), rng.integers(20, 900, n)
    each = sales / visitors + 0.3 * rng.normal(size=n)
    good = ((each > 4) & (each < 8)) | ((each > 14) & (each < 22))
    return pd.DataFrame({
        "monthly_sales": sales.round(1), "visits": visitors,
        "district": rng.choice(list("ABCDEF"), n), "opened": rng.integers(1950, 2020, n),
        "profitable": np.where(good, "yes", "no"),
    })  # fmt: skip


def test_what_pays_becomes_part_of_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOGLM_FEATURES", "rules")
    seen: list[Event] = []
    with subscribe(seen.append):
        task = AutoTask.create(dataset=shops(), description="which shops are profitable?")
        model = task.launch(run_dir=tmp_path, max_trials=3, workers=0)
    told = next(e.data for e in seen if e.name == "features_derived")
    assert told["kept"][0] == "`monthly_sales` / `visits`"
    assert told["tried"] > 3
    derived = model.prepared.cleaner.derived
    assert derived[0].gain is not None and derived[0].gain > 0
    assert "visits" in derived[0].reason and derived[0].cost_ms is not None
    monkeypatch.setenv("AUTOGLM_FEATURES", "off")
    again = load(model.save(tmp_path / "m.aglm"))
    new = shops(300, seed=1)
    assert again.receipts["compiled"]["used"]
    many = again.predict_proba(new)
    one = again.predict_proba(new.iloc[[5]])
    np.testing.assert_allclose(one.to_numpy()[0], many.to_numpy()[5], atol=1e-5)
    found = again.predict_proba(new.iloc[5].drop("profitable").to_dict())
    assert found == pytest.approx(dict(zip(many.columns, many.iloc[5], strict=True)), abs=1e-5)
    page = again.report().replace("<wbr>", "")
    assert "Computed columns" in page and told["reasons"][0] in page
    plain = AutoTask.create(dataset=shops(), description="which shops are profitable?")
    assert plain.launch(run_dir=tmp_path, max_trials=1, workers=0).prepared.cleaner.derived == ()


def test_nothing_is_invented_where_random_folds_would_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOGLM_FEATURES", "rules")
    frame = shops().assign(owner=lambda f: f.index % 90)
    task = AutoTask.create(dataset=frame, target="profitable",
                           options=TaskOptions(group_column="owner"))  # fmt: skip
    assert task.spec.split.value == "grouped"
    model = task.launch(run_dir=tmp_path, max_trials=1, workers=0)
    assert model.prepared.cleaner.derived == ()


def test_proposals_speak_of_quantities() -> None:
    frame = shops(400)
    columns = Cleaner.build((), profile_table(frame), "profitable").columns(frame)
    ideas = {idea.text: idea.reason for idea in by_rules(columns)}
    assert "`monthly_sales` / `visits`" in ideas
    assert "`monthly_sales` - mean(`monthly_sales` by `district`)" in ideas
    assert all(ideas.values())
    assert not any("profitable" in text for text in ideas)


def test_a_model_proposes_in_the_same_language_and_nonsense_is_left_out() -> None:
    frame = shops(400)
    columns = Cleaner.build((), profile_table(frame), "profitable").columns(frame)
    said = [
        {"expression": "2024 - `opened`", "reason": "how old the shop is"},
        {"expression": "__import__('os').system('id')", "reason": "trust me"},
        {"expression": "`profitable` + 1", "reason": "the target itself"},
        {"expression": "`opened` - `opened`", "reason": "nothing"},
    ]
    model = ScriptedModel([json.dumps(said)])
    found = by_model(model, columns, "which shops are profitable?", "profitable", "...")
    assert [(i.text, i.reason) for i in found] == [("2024 - `opened`", "how old the shop is")]
    seen: list[Event] = []
    with subscribe(seen.append):
        assert by_model(ScriptedModel(["no", "no"]), columns, "x", "profitable", "") == []
    assert [e.name for e in seen] == ["model_failed"]
