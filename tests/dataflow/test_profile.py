"""Columns are taken for what they are."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autoglm.core.text import use_language
from autoglm.dataflow.profile import TableProfile, profile_table

RNG = np.random.default_rng(0)


def kind_of(cells: object, name: str = "x") -> str:
    other = RNG.normal(size=len(cells))  # type: ignore[arg-type]
    frame = pd.DataFrame({name: cells, "other": other, "more": -other})
    return profile_table(frame).columns[name].kind


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("x", [1, 2, 3] * 20, "number"),
        ("x", ["1", "2", "?"] * 20, "number"),
        ("x", [True, False] * 20, "boolean"),
        ("x", ["Yes", "No"] * 20, "boolean"),
        ("x", ["a", "b", "c"] * 20, "category"),
        ("x", pd.Categorical([1, 2] * 20), "category"),
        ("x", pd.date_range("2024", periods=40), "date"),
        ("x", ["2024-01-05", "2024年1月6日"] * 20, "date"),
        ("x", [None] * 40, "constant"),
        ("x", ["one"] * 40, "constant"),
        ("user_id", list(range(1000, 1060)), "id"),
        ("CustomerID", [f"C{i:05d}" for i in range(60)], "id"),
        ("订单编号", [f"D{i:05d}" for i in range(60)], "id"),
        ("Unnamed: 0", list(range(60)), "id"),
        ("weight", RNG.normal(size=60), "number"),
        ("rating", RNG.permutation(60), "number"),
        ("day", list(range(200)), "number"),
        ("x", [f"the {i}th thing I liked about it was the colour" for i in range(60)], "text"),
        ("x", [f"房间很干净,服务态度也不错{chr(0x4E00 + i)}" for i in range(60)], "text"),
        ("x", [f"Maruti Swift {i} VDI" for i in range(60)], "text"),
        ("x", pd.array([1, 2, None] * 20, dtype="Int64"), "number"),
        ("x", pd.array([True, None] * 20, dtype="boolean"), "boolean"),
        ("x", [["a"], ["b"]] * 20, "category"),
    ],
)
def test_kinds(name: str, cells: object, kind: str) -> None:
    assert kind_of(cells, name) == kind


def test_the_only_feature_is_no_id() -> None:
    frame = pd.DataFrame({"id": range(100), "y": [0, 1] * 50})
    assert profile_table(frame).columns["id"].kind == "number"


def test_statistics() -> None:
    frame = pd.DataFrame({"n": ["1", "2", "2", None, "7"], "c": ["a", "b", "b", "b", "N/A"]})
    profile = profile_table(frame)
    number, category = profile.columns["n"], profile.columns["c"]
    assert (number.n_missing, number.n_unique, number.mean, number.min, number.max) == (
        1,
        3,
        3,
        1,
        7,
    )
    assert number.top[0] == ("2", 2) and number.integer
    assert category.n_missing == 1 and category.top == (("b", 3), ("a", 1))


def test_copies_and_repeated_rows_are_counted() -> None:
    a = RNG.normal(size=50)
    frame = pd.DataFrame({"a": a, "b": a, "c": -a, "d": [str(i % 7) + "k" for i in range(50)]})
    frame = pd.concat([frame, frame.iloc[:5]])
    profile = profile_table(frame)
    assert profile.n_duplicate_rows == 5
    assert {n: c.copy_of for n, c in profile.columns.items() if c.copy_of} == {"b": "a"}


def test_json_round_trip_and_summary_of_awkward_tables() -> None:
    frame = pd.DataFrame({
        "big": [1e308, -1e308, np.inf, np.nan], "混合": [1, "a", None, 2.5],
        "时间": pd.date_range("2024", periods=4, tz="Asia/Shanghai"),
        '"}\n': ["x", "y", "z", "z"],
    })  # fmt: skip
    profile = profile_table(frame)
    assert TableProfile.model_validate_json(profile.model_dump_json()) == profile
    assert "mixed_types" in profile.columns["混合"].notes
    assert profile.columns["big"].n_missing == 2
    with use_language("zh"):
        assert "混合" in profile.summary() and "4 行" in profile.summary()


@pytest.mark.parametrize("frame", [pd.DataFrame(), pd.DataFrame({"a": []})])
def test_empty_tables(frame: pd.DataFrame) -> None:
    assert profile_table(frame).n_rows == 0


def test_text_files_are_typed_as_pandas_types_them(data_dir: Path) -> None:
    text = (data_dir / "tab_used_cars_v3" / "Car details v3.csv.gz").read_bytes()
    raw = gzip.decompress(text)
    typed = profile_table(pd.read_csv(io.BytesIO(raw)))
    plain = profile_table(pd.read_csv(io.BytesIO(raw), dtype=str))
    kinds = {name: column.kind for name, column in plain.columns.items()}
    assert kinds == {name: column.kind for name, column in typed.columns.items()}
    assert kinds["name"] == "text" and kinds["fuel"] == "category"
    assert {kinds[n] for n in ("mileage", "engine", "max_power", "seats", "year")} == {"number"}
    assert plain.columns["engine"].max == 3604
