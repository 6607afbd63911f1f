"""Contracts through the front door: limits, preferences, and the two outputs of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from autoglm import AutoTask, Predictor, TaskOptions, examples, load
from autoglm.cli import main
from autoglm.core.contracts import parse_preference
from autoglm.core.errors import BundleError, ConfigError
from autoglm.registry.bundle import read_bundle

TRIALS = 6
LEARNERS = ["constant", "knn", "lightgbm", "linear"]
#: A latency and a size that nothing can keep to.
IMPOSSIBLE = {"latency": "1us", "size": "1KB"}


def customers() -> pd.DataFrame:
    """Some of the shipped customers, as they stand in the file."""
    return pd.read_csv(examples.path(), dtype=str).head(400)


def run(folder: Path, **contracts: Any) -> Predictor:
    """Return a model made under contracts, the same trials each time."""
    pipeline = AutoTask.create(dataset=customers(), target="churned", **contracts).auto_build()
    pipeline.learners = list(LEARNERS)
    return pipeline.launch(run_dir=folder, max_trials=TRIALS, workers=0)


def saved_mb(folder: Path) -> float:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6


def models_mb(model: Predictor) -> float:
    return sum(map(len, model.blend.dump().values())) / 1e6


def row_us(model: Predictor) -> float:
    return sum(one.row_us for member in model.blend.members for one in member.models)


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A model without contracts."""
    return run(tmp_path_factory.mktemp("free"))


@pytest.fixture(scope="module")
def kept(free: Predictor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model as one file."""
    return free.save(tmp_path_factory.mktemp("kept") / "both.aglm")


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A model whose contracts nothing keeps to."""
    return run(tmp_path_factory.mktemp("refused"), **IMPOSSIBLE)


def test_contracts_may_be_given_in_four_places(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = customers().head(60)
    wanted = {"latency": "300us", "size": "5MB", "memory": "2GB", "prefer": "balanced"}
    ways = [
        AutoTask.create(dataset=rows, target="churned", **wanted).spec,  # type: ignore[arg-type]
        AutoTask.create(dataset=rows, target="churned", options=TaskOptions(**wanted)).spec,
        AutoTask.create(dataset=rows, target="churned").spec.changed(**wanted),
    ]
    for name, text in wanted.items():
        monkeypatch.setenv(f"AUTOGLM_{name.upper()}", text)
    ways.append(AutoTask.create(dataset=rows, target="churned").spec)
    for spec in ways:
        assert spec.latency_ms.value == 0.3
        assert spec.size_mb.value == 5.0
        assert spec.memory_mb.value == 2000.0
        assert spec.prefer.value == parse_preference("balanced")
    with pytest.raises(ConfigError):
        AutoTask.create(dataset=rows, target="churned", latency="soon")


def test_without_contracts_receipts_have_nothing_to_keep(free: Predictor) -> None:
    limits = {n: r for n, r in free.receipts.items() if "planned" in r}
    assert set(limits) == {"time_s", "latency_ms", "size_mb", "memory_mb", "score"}
    for receipt in limits.values():
        assert receipt["planned"] is None
        assert receipt["kept"] is None
        assert receipt["actual"] > 0
    assert free.facts is not None
    assert limits["score"]["actual"] == free.facts.score


def test_the_size_told_is_the_size_saved(free: Predictor) -> None:
    assert free.run_dir is not None
    told = free.receipts["size_mb"]["actual"]
    assert told == pytest.approx(saved_mb(free.run_dir / "model"), rel=0.01)


def test_a_size_is_kept_by_what_is_saved(free: Predictor, tmp_path: Path) -> None:
    limit = round(0.7 * free.receipts["size_mb"]["actual"], 4)
    model = run(tmp_path, size=limit)
    receipt = model.receipts["size_mb"]
    assert receipt["planned"] == limit
    assert receipt["kept"] is True
    assert receipt["over"] is None
    assert model.run_dir is not None
    assert saved_mb(model.run_dir / "model") <= limit
    # As a file it is smaller still.
    assert load(model.run_dir / "model").save(tmp_path / "m.aglm").stat().st_size / 1e6 < limit
    assert model.facts is not None
    assert (model.facts.score or 0.0) > 0.7  # small, and a model all the same


def test_a_contract_that_cannot_be_kept_gives_the_nearest_model(
    free: Predictor, refused: Predictor
) -> None:
    for name in ("latency_ms", "size_mb"):
        receipt = refused.receipts[name]
        assert receipt["kept"] is False
        assert receipt["over"] == pytest.approx(receipt["actual"] - receipt["planned"], abs=1e-6)
    assert row_us(refused) < row_us(free)
    assert models_mb(refused) < models_mb(free)
    assert len(refused.predict(customers())) == 400
    assert refused.run_dir is not None
    page = (refused.run_dir / "report.html").read_text(encoding="utf-8")
    assert "latency" in page.lower()


def test_fast_is_never_slower_than_best(refused: Predictor) -> None:
    assert row_us(refused.variant("fast")) <= row_us(refused)


def test_a_latency_that_is_easy_is_kept(tmp_path: Path) -> None:
    model = run(tmp_path, latency="2s", prefer="latency=1,size=1,accuracy=0")
    receipt = model.receipts["latency_ms"]
    assert (receipt["planned"], receipt["kept"]) == (2000.0, True)
    # Where accuracy weighs nothing the cheapest of all is taken.
    spots = model.frontier()
    best = spots[spots["chosen"] == "best"].iloc[0]
    assert best["size_mb"] <= spots["size_mb"].min() + 1e-9
    assert model.spec.prefer.value == parse_preference("latency=1,size=1,accuracy=0")


def test_fast_has_few_members_of_one_model_and_scores_near_best(free: Predictor) -> None:
    quick = free.variant("fast")
    assert 1 <= len(quick.blend.members) <= 3
    assert [len(m.models) for m in quick.blend.members] == [1] * len(quick.blend.members)
    best, fast = free.receipts["score"]["actual"], free.receipts["score"]["fast"]
    assert fast > 0.9 * best
    assert quick.receipts["score"]["actual"] == fast
    assert quick.receipts["latency_ms"]["actual"] == free.receipts["latency_ms"]["fast"]
    assert models_mb(quick) <= models_mb(free)
    assert free.variant("best") is free
    assert quick.variant("fast") is quick
    # Its own score on rows that it was fitted on is no worse than what it promises.
    assert quick.evaluate(customers())[free.spec.metric.value] >= fast - 0.02


def test_both_outputs_are_saved_and_loaded(free: Predictor, kept: Path) -> None:
    rows = customers().drop(columns="churned")
    for name in ("best", "fast"):
        again = load(kept, variant=name)
        wanted = free.variant(name).predict_proba(rows)
        pd.testing.assert_frame_equal(again.predict_proba(rows), wanted, atol=1e-9)
    pd.testing.assert_frame_equal(load(kept).frontier(), free.frontier())


def test_fast_by_itself_is_a_small_model(kept: Path, tmp_path: Path) -> None:
    rows, both = customers().drop(columns="churned"), load(kept)
    alone = load(both.variant("fast").save(tmp_path / "fast.aglm"))
    wanted = both.variant("fast").predict_proba(rows)
    pd.testing.assert_frame_equal(alone.predict_proba(rows), wanted, atol=1e-9)
    assert (tmp_path / "fast.aglm").stat().st_size < kept.stat().st_size
    assert not [n for n in read_bundle(tmp_path / "fast.aglm").files if n.startswith("fast/")]
    assert alone.variant("fast") is alone
    told = both.receipts["size_mb"]["fast"]
    assert saved_mb(alone.save(tmp_path / "fast")) == pytest.approx(told, rel=0.02)


def test_an_output_that_is_not_there_is_a_clear_error(kept: Path) -> None:
    with pytest.raises(BundleError, match="slow") as caught:
        load(kept, variant="slow")
    assert "fast" in caught.value.hint
    with pytest.raises(BundleError, match="slow"):
        load(kept).variant("slow")


def test_the_command_line_predicts_with_either_output(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "rows.csv"
    customers().head(30).to_csv(table, index=False)
    told = {}
    for name in ("best", "fast"):
        assert main(["predict", str(kept), str(table), "--proba", "--variant", name]) == 0
        told[name] = capsys.readouterr().out
    assert told["best"] != told["fast"]


def test_the_frontier_holds_what_was_chosen(free: Predictor) -> None:
    spots = free.frontier()
    assert set(spots["chosen"]) == {"best", "fast", ""}
    assert list(spots["chosen"][:2]) == ["best", "fast"]
    best = spots.iloc[0]
    assert best["measured"]
    assert best["latency_ms"] == pytest.approx(free.receipts["latency_ms"]["actual"], abs=1e-3)
    assert spots["loss"].min() == 0.0
    assert np.isfinite(spots[["score", "latency_ms", "size_mb", "cost_s"]].to_numpy()).all()
    # Nothing beats a point of the frontier; measured latencies cannot be compared with estimates.
    about = spots[~spots["measured"]]
    table = about[["loss", "latency_ms", "size_mb"]].to_numpy()
    for spot in table[about["frontier"]]:
        assert not (table < spot).all(axis=1).any()


def test_the_report_shows_receipts_and_the_frontier(free: Predictor) -> None:
    page = free.report(language="en")
    assert page.count("<svg") >= 1
    for spot in free.frontier().head(3).itertuples():
        assert spot.model in page.replace("&#43;", "+")
