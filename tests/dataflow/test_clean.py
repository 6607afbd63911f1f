"""Cleaning does what its actions say, undoes what is taken out, and reads any form of rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from autoglm.core.errors import DataError, SpecError
from autoglm.core.spec import CleanAction
from autoglm.dataflow.clean import ACTIONS, Cleaner, plan_cleaning
from autoglm.dataflow.columns import Columns
from autoglm.dataflow.findings import examine_target
from autoglm.dataflow.profile import profile_table

RNG = np.random.default_rng(0)
N = 300
TABLE = pd.DataFrame({
    "客户编号": [f"K{i:06d}" for i in range(N)],
    "amount": [f"¥{1000 + i:,}" if i % 2 else str(1000 + i) for i in range(N)],
    "rate": RNG.random(N),
    "member": ["yes", "no", None] * (N // 3),
    "city": ["Paris", " Rome ", "?"] * (N // 3),
    "joined": [f"2024/{1 + i % 12}/{1 + i % 28}" for i in range(N)],
    "empty": [None] * N,
    "same": ["x"] * N,
    "city2": ["Paris", " Rome ", "?"] * (N // 3),
    "y": RNG.integers(0, 2, N),
})  # fmt: skip
PROFILE = profile_table(TABLE)
ACTIONS_OF_TABLE = plan_cleaning(PROFILE, (), target="y")
CLEANER = Cleaner.build(ACTIONS_OF_TABLE, PROFILE, "y", "binary")


def assert_same(a: Columns, b: Columns) -> None:
    assert list(a.by_name) == list(b.by_name) and a.n_rows == b.n_rows
    for name, column in a:
        assert column.kind == b[name].kind and column.values.dtype == b[name].values.dtype
        np.testing.assert_array_equal(column.values, b[name].values)


def test_plan_names_every_change_with_its_reason() -> None:
    planned = {(a.name, a.column) for a in ACTIONS_OF_TABLE}
    assert planned == {
        ("drop_id", "客户编号"), ("drop_all_missing", "empty"), ("drop_constant", "same"),
        ("drop_copy", "city2"), ("parse_number", "amount"), ("parse_boolean", "member"),
        ("mark_missing", "city"), ("parse_date", "joined"),
    }  # fmt: skip
    assert all(a.reason and a.affected and a.name in ACTIONS for a in ACTIONS_OF_TABLE)


def test_columns_are_canonical() -> None:
    columns = CLEANER.columns(TABLE)
    assert {n: c.kind for n, c in columns} == CLEANER.kinds == {
        "amount": "number", "rate": "number", "member": "boolean",
        "city": "category", "joined": "date",
    }  # fmt: skip
    assert columns["amount"].values[:2].tolist() == [1000, 1001]
    assert columns["city"].values[:3].tolist() == ["Paris", "Rome", None]
    np.testing.assert_array_equal(columns["member"].values[:3], [1, 0, np.nan])
    assert columns["joined"].values[0] == pd.Timestamp("2024-01-01").timestamp()


@pytest.mark.parametrize("n", [1, 5, 60, N])
def test_every_form_of_rows_gives_the_same(n: int) -> None:
    part = TABLE.iloc[:n]
    expected = CLEANER.columns(TABLE).take(np.arange(n))
    shuffled = part[list(part.columns[::-1])].assign(unknown=1)
    for rows in (
        part, shuffled, part.to_dict("records"), part.to_dict("list"), part.astype("str"),
        dict(part.items()), part.assign(city=part["city"].astype("category")),
    ):  # fmt: skip
        assert_same(CLEANER.columns(rows), expected)
    assert_same(CLEANER.columns(part.iloc[0].to_dict()), expected.take(np.arange(1)))


def test_numbers_may_change_their_type_after_training() -> None:
    frame = pd.DataFrame({"a": RNG.normal(size=50), "y": [0, 1] * 25})
    profile = profile_table(frame)
    cleaner = Cleaner.build(plan_cleaning(profile, (), target="y"), profile, "y")
    as_text = cleaner.columns(frame.astype(str))["a"].values
    np.testing.assert_array_equal(as_text, frame["a"])
    assert cleaner.columns([{"a": "1,234.5"}])["a"].values[0] == 1234.5


@pytest.mark.parametrize(
    ("name", "column", "kind", "first"),
    [
        ("parse_number", "amount", "category", "1000"),
        ("parse_boolean", "member", "category", "yes"),
        ("parse_date", "joined", "category", "2024/1/1"),
        ("drop_constant", "same", "category", "x"),
        ("drop_copy", "city2", "category", "Paris"),
        ("drop_id", "客户编号", "category", "K000000"),
        ("drop_all_missing", "empty", "category", None),
    ],
)
def test_an_action_taken_out_is_undone(
    name: str, column: str, kind: str, first: str | None
) -> None:
    kept = [a for a in ACTIONS_OF_TABLE if (a.name, a.column) != (name, column)]
    cleaner = Cleaner.build(kept, PROFILE, "y")
    found = cleaner.columns(TABLE)[column]
    assert found.kind == kind and found.values[0] == first


def test_marks_taken_out_are_values_again() -> None:
    kept = [a for a in ACTIONS_OF_TABLE if a.name != "mark_missing"]
    assert Cleaner.build(kept, PROFILE, "y").columns(TABLE)["city"].values[2] == "?"


def test_user_actions() -> None:
    read_as = CleanAction(name="read_as", column="rate", options={"kind": "category"})
    cleaner = Cleaner.build([*ACTIONS_OF_TABLE, read_as], PROFILE, "y")
    assert cleaner.kinds["rate"] == "category"
    dropped = plan_cleaning(PROFILE, (), target="y", drop=["rate"])
    assert "rate" not in Cleaner.build(dropped, PROFILE, "y").inputs
    once = CleanAction(name="drop_duplicate_rows")
    twice = pd.concat([TABLE, TABLE.iloc[:7]])
    keep = Cleaner.build([*ACTIONS_OF_TABLE, once], PROFILE, "y").target_values(twice)[1]
    assert keep.sum() == N


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (CleanAction(name="polish"), SpecError),
        (CleanAction(name="drop_id", column="nope"), DataError),
        (CleanAction(name="read_as", column="rate", options={"kind": "shape"}), SpecError),
        (CleanAction(name="parse_number", column="amount", options={"units": 3}), SpecError),
        (CleanAction(name="parse_number", column="amount", options={"shape": 3}), SpecError),
    ],
)
def test_wrong_actions(action: CleanAction, error: type) -> None:
    with pytest.raises(error) as caught:
        Cleaner.build([action], PROFILE, "y")
    assert caught.value.hint


def test_json_round_trip() -> None:
    again = Cleaner.from_json(CLEANER.to_json())
    assert again.target == "y" and again.to_json() == CLEANER.to_json()
    assert_same(again.columns(TABLE), CLEANER.columns(TABLE))


def test_missing_columns_are_named_with_what_is_near() -> None:
    with pytest.raises(DataError, match="'amount'") as caught:
        CLEANER.columns(TABLE.rename(columns={"amount": "Amounts"}))
    assert "Amounts" in caught.value.hint
    with pytest.raises(DataError, match="'rate'"):
        CLEANER.columns([{"amount": 1, "city": "a", "member": 1, "joined": None}])


@pytest.mark.parametrize("rows", [5, "text", [1, 2], {"amount": [1], "rate": [1, 2]}])
def test_rows_of_no_known_form(rows: object) -> None:
    with pytest.raises(DataError) as caught:
        CLEANER.columns(rows)  # type: ignore[arg-type]
    assert caught.value.hint


def test_no_rows() -> None:
    assert CLEANER.columns(TABLE.iloc[:0]).n_rows == 0
    assert CLEANER.columns([]).n_rows == 0


def test_bad_cells_are_missing() -> None:
    cells = {"amount": "lots", "rate": 10**400, "member": "perhaps", "city": "", "joined": "soon"}
    columns = CLEANER.columns([cells])
    assert all(v.values[0] is None or np.isnan(v.values[0]) for _, v in columns)


def test_findings_decide_what_leaks() -> None:
    frame = TABLE.assign(y_code=np.where(TABLE["y"] == 1, "on", "off"))
    profile = profile_table(frame)
    actions = plan_cleaning(profile, examine_target(frame, profile, "y", "binary"), target="y")
    assert ("drop_leak", "y_code") in {(a.name, a.column) for a in actions}


def test_the_last_feature_stays() -> None:
    frame = pd.DataFrame({"copy": [0, 1] * 50, "y": [0, 1] * 50})
    profile = profile_table(frame)
    actions = plan_cleaning(profile, examine_target(frame, profile, "y", "binary"), target="y")
    assert Cleaner.build(actions, profile, "y").inputs == ["copy"]


def test_no_feature_at_all() -> None:
    frame = pd.DataFrame({"empty": [None] * 4, "y": [0, 1] * 2})
    profile = profile_table(frame)
    with pytest.raises(DataError):
        Cleaner.build(plan_cleaning(profile, (), target="y"), profile, "y")


def test_targets_cannot_be_dropped() -> None:
    with pytest.raises(DataError):
        plan_cleaning(PROFILE, (), target="y", drop=["y"])
    with pytest.raises(DataError, match="cty"):
        plan_cleaning(PROFILE, (), target="y", drop=["cty"])
