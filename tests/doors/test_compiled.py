"""Single rows and batches get the same answers, whatever is in the cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from autoglm import AutoTask, Predictor, examples, load
from autoglm._compiled_check import TOLERANCE
from autoglm.core.errors import DataError
from autoglm.dataflow import _flat

#: Target of the shipped customers, and the learner that alone is used: every kind of task and
#: every kind of model.
CASES = [
    ("churned", "lightgbm"),
    ("churned", "mlp"),
    ("churned", "linear"),
    ("plan", "linear_text"),
    ("plan", "extra_trees"),
    ("plan", "knn"),
    ("monthly_fee", "lightgbm"),
    ("monthly_fee", "spline_linear"),
]
#: Cells that a caller may send, of types and values that no row of the table had.
ODD: list[Any] = [
    None, "", "  ", "never seen before", "NA", "1,234", "¥1.2万", "12%", "0.5", 0, -7, 1e300,
    -1e300, float("inf"), float("-inf"), float("nan"), 10**30, -(10**30), True, False,
    np.float32(2.5), np.int64(3), np.bool_(True), "2024-02-29", "31/12/9999",
    pd.Timestamp("2020-05-06"), "客户投诉 3 次,要求退款", "\ud800", "١٢", "1e5",
]  # fmt: skip

#: Rows that models are made of.
ROWS = 160

Row = dict[str, Any]


def customers() -> pd.DataFrame:
    """Some of the shipped customers: numbers with units, dates, text, categories, gaps."""
    return pd.read_csv(examples.path(), dtype=str).head(ROWS)


def run(folder: Path, target: str, learner: str) -> Predictor:
    """Return a model of one configuration of a learner."""
    pipeline = AutoTask.create(dataset=customers(), target=target).auto_build()
    pipeline.learners = [learner]
    return pipeline.launch(run_dir=folder, max_trials=1, workers=0)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Predictor]:
    """Finished models, made when they are asked for."""

    class Made(dict[tuple[str, str], Predictor]):
        def __missing__(self, case: tuple[str, str]) -> Predictor:
            self[case] = run(tmp_path_factory.mktemp("run"), *case)
            return self[case]

    return Made()


def rows_of(model: Predictor) -> list[Row]:
    """Return rows as they are, rows with gaps, and rows with an odd cell in each column."""
    table = pd.read_csv(examples.path(), dtype=str).iloc[ROWS : ROWS + 60]
    plain = [{str(k): v for k, v in r.items()} for r in table.to_dict("records")]
    names = model.prepared.cleaner.inputs
    rng = np.random.default_rng(0)
    gaps = [r | {n: None for n in names if rng.random() < 0.3} for r in plain[:20]]
    odd = []
    for i, cell in enumerate(ODD):
        for shift in range(3):
            row = dict(plain[(3 * i + shift) % len(plain)])
            odd.append(row | {n: cell for j, n in enumerate(names) if j % 3 == shift})
    mixed = [
        {n: ODD[rng.integers(len(ODD))] if rng.random() < 0.2 else v for n, v in r.items()}
        for r in plain
    ]
    empty: list[Row] = [dict.fromkeys(plain[0])]
    return [*plain, *gaps, *odd, *mixed, *empty]


def raw(model: Predictor, rows: Any) -> np.ndarray[Any, Any]:
    """Return probabilities (n, k), or values in standard deviations (n, 1)."""
    if model.classes:
        return np.asarray(model.predict_proba(rows), dtype=float)
    spread = pd.to_numeric(customers()[model.spec.target.value].str.strip("¥￥元"), "coerce").std()
    return np.asarray(model.predict(rows), dtype=float)[:, None] / spread


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_row_alone_is_answered_like_in_a_batch(
    models: dict[tuple[str, str], Predictor], case: tuple[str, str]
) -> None:
    model = models[case]
    rows = rows_of(model)
    batch = pd.DataFrame(rows, dtype=object)
    together, labels = raw(model, batch), model.predict(batch).tolist()
    records = np.vstack([raw(model, [row]) for row in rows])
    frames = np.vstack([raw(model, batch.iloc[[i]]) for i in range(len(rows))])
    assert np.isfinite(together).all()
    np.testing.assert_allclose(records, together, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(frames, together, rtol=0, atol=TOLERANCE)
    if model.classes:
        alone = [model.predict_proba(row) for row in rows]
        assert all(list(one) == model.classes for one in alone)
        shares = np.array([list(one.values()) for one in alone])
        np.testing.assert_allclose(shares, together, rtol=0, atol=TOLERANCE)
        assert [model.predict(row) for row in rows] == labels
    else:
        bare = [model.predict(row) for row in rows]
        assert {type(one) for one in bare} == {float}
        np.testing.assert_allclose(bare, model.predict(batch), rtol=1e-4)


@pytest.mark.parametrize("case", [c for c in CASES if c[1] != "knn"], ids="-".join)
def test_the_quick_way_is_used_and_the_receipt_says_so(
    models: dict[tuple[str, str], Predictor],
    case: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = models[case]
    told = model.receipts["compiled"]
    assert told["used"] is True
    assert told["reason"] == ""
    assert told["max_dp"] <= TOLERANCE
    assert told["rows"] >= 24

    def refuse(self: Predictor, columns: Any) -> None:
        raise AssertionError("a plain row went the ordinary way")

    monkeypatch.setattr(Predictor, "_ordinary", refuse)
    row = customers().iloc[0].to_dict()
    model.predict(row)
    with pytest.raises(AssertionError, match="ordinary"):
        model.predict(customers().head(2))


@pytest.fixture
def copy(models: dict[tuple[str, str], Predictor]) -> Predictor:
    """A model that may be changed."""
    made = models["churned", "lightgbm"].run_dir
    assert made is not None
    return load(made)


def _off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the flat way read numbers a little wrong."""
    read = _flat._Numbers.__call__

    def wrong(self: Any, cells: Any) -> Any:
        return read(self, cells) * 1.001

    monkeypatch.setattr(_flat._Numbers, "__call__", wrong)


def test_a_difference_is_found_and_the_ordinary_way_is_used(
    copy: Predictor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table = customers()
    wanted = copy.predict_proba(table)
    with monkeypatch.context() as patch:
        _off(patch)
        copy.compare(table, seconds=2.0)
        told = copy.receipts["compiled"]
        assert told["used"] is False
        assert told["reason"] in ("predictions differ", "labels differ")
        assert told["max_dp"] > TOLERANCE
        # From here on no answer comes from what is wrong, nor after loading.
        again = load(copy.save(tmp_path / "m.aglm"))
        assert again.receipts["compiled"] == told
        for model in (copy, again):
            for i in range(20):
                row = table.iloc[i].to_dict()
                one = list(model.predict_proba(row).values())
                np.testing.assert_allclose(one, wanted.iloc[i], rtol=0, atol=1e-9)
                assert isinstance(model.predict(row), str)
        np.testing.assert_allclose(again.predict_proba(table), wanted, rtol=0, atol=1e-9)
    copy.compare(table, seconds=1.0)
    assert copy.receipts["compiled"]["used"] is True


def test_a_model_of_an_unknown_form_says_so(
    copy: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_flat, "_PARTS", ("something", "else"))
    copy.compare(customers(), seconds=1.0)
    told = copy.receipts["compiled"]
    assert (told["used"], told["rows"]) == (False, 0)
    assert told["reason"] == "not of a known form"
    assert copy.predict(customers().iloc[0].to_dict()) in ("yes", "no")


def test_the_form_of_the_question_decides_the_form_of_the_answer(copy: Predictor) -> None:
    table = customers().head(3)
    row = table.iloc[0].to_dict()
    assert isinstance(copy.predict(row), str)
    assert copy.predict([row]).tolist() == [copy.predict(row)]
    assert list(copy.predict(table.iloc[[2]]).index) == [2]
    columns = {name: table[name].tolist() for name in table}
    assert copy.predict(columns).tolist() == copy.predict(table).tolist()
    assert len(copy.predict({name: [cell] for name, cell in row.items()})) == 1
    share = copy.predict_proba(row)
    assert sum(share.values()) == pytest.approx(1.0)
    # Columns that are not needed are ignored; one that is needed is missed by name.
    assert copy.predict(row | {"extra": object()}) == copy.predict(row)
    needed = copy.prepared.cleaner.inputs[0]
    with pytest.raises(DataError, match=needed):
        copy.predict({n: v for n, v in row.items() if n != needed})
