"""What stands out is found, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

from autoglm.core.errors import DataError
from autoglm.dataflow.findings import FINDINGS, Finding, examine_target
from autoglm.dataflow.profile import profile_table

RNG = np.random.default_rng(0)


def findings_of(frame: pd.DataFrame, target: str, task_type: str) -> dict[tuple, Finding]:
    found = examine_target(frame, profile_table(frame), target, task_type)  # type: ignore[arg-type]
    assert {f.name for f in found} <= set(FINDINGS)
    assert all(f.message for f in found)
    return {(f.name, f.column): f for f in found}


def test_honest_tables_have_no_leak() -> None:
    cancer = load_breast_cancer(as_frame=True).frame
    diabetes = load_diabetes(as_frame=True).frame
    for frame, task_type in ((cancer, "binary"), (diabetes, "regression")):
        names = {name for name, _ in findings_of(frame, "target", task_type)}
        assert not names & {"leakage", "target_copy", "target_parts"}


def test_recoded_target_is_dropped() -> None:
    y = RNG.integers(0, 3, 300)
    frame = pd.DataFrame({"x": RNG.normal(size=300), "word": np.array(["u", "v", "w"])[y], "y": y})
    found = findings_of(frame, "y", "multiclass")["target_copy", "word"]
    assert found.severity == "serious" and found.action is not None
    assert found.action.name == "drop_leak"


def test_linear_copy_and_named_relative_are_dropped_but_strangers_only_shown() -> None:
    price = RNG.lognormal(3, 1, size=2000)
    frame = pd.DataFrame({"x": RNG.normal(size=2000), "price": price})
    frame = frame.assign(cents=100 * price, log_price=np.log(price), hint=np.sqrt(price))
    found = findings_of(frame, "price", "regression")
    assert found["target_copy", "cents"].action is not None
    assert found["leakage", "log_price"].action is not None
    assert found["leakage", "hint"].action is None


def test_parts_of_the_target_are_found(data_dir: Path) -> None:
    frame = pd.read_csv(data_dir / "tab_bike_sharing" / "bike_sharing.csv.gz")
    found = findings_of(frame, "cnt", "regression")
    assert {column for name, column in found if name == "target_parts"} == {"casual", "registered"}


def test_class_findings() -> None:
    n = 2000
    frame = pd.DataFrame({"x": RNG.normal(size=n), "y": ["no"] * (n - 30) + ["yes"] * 30})
    assert ("imbalance", "y") in findings_of(frame, "y", "binary")
    frame["y"] = (["a", "b"] * n)[: n - 3] + ["c"] * 3
    assert "'c' (3)" in findings_of(frame, "y", "multiclass")["rare_class", "y"].message


def test_wrong_labels_are_suspected_only_where_rows_tell_them() -> None:
    x = RNG.normal(size=(1000, 3))
    y = (x[:, 0] > 0).astype(int)
    clean = pd.DataFrame(x, columns=list("abc")).assign(y=y)
    dirty = clean.assign(y=np.where(RNG.random(1000) < 0.15, 1 - y, y))
    random = clean.assign(y=RNG.integers(0, 2, 1000))
    assert ("label_noise", "y") not in findings_of(clean, "y", "binary")
    assert ("label_noise", "y") in findings_of(dirty, "y", "binary")
    assert ("label_noise", "y") not in findings_of(random, "y", "binary")


def test_row_findings() -> None:
    frame = pd.DataFrame({"x": [1.0, 1.0, 2.0, 2.0, 3.0], "y": ["a", "b", "a", "a", None]})
    found = findings_of(frame, "y", "binary")
    assert found["conflicting_duplicates", None].message.startswith("2 rows")
    assert found["duplicate_rows", None].message.startswith("1 rows")
    assert ("missing_target", "y") in found


def test_column_findings() -> None:
    frame = pd.DataFrame({
        "empty": [None] * 60, "same": [1] * 60, "user_id": range(500, 560),
        "mixed": [1, "a"] * 30, "x": RNG.normal(size=60), "y": [0, 1] * 30,
        "when": ["2024-01-05", "05.01.2024", "2024年1月5日"] * 20,
    })  # fmt: skip
    found = findings_of(frame, "y", "binary")
    expected = {("all_missing", "empty"), ("constant", "same"), ("id", "user_id"),
                ("mixed_types", "mixed"), ("date_formats", "when")}  # fmt: skip
    assert expected <= set(found)


def test_skew_and_absent_target() -> None:
    frame = pd.DataFrame({"x": RNG.normal(size=500), "y": RNG.lognormal(0, 2, 500)})
    assert ("skewed_target", "y") in findings_of(frame, "y", "regression")
    with pytest.raises(DataError, match="nope"):
        findings_of(frame, "nope", "regression")
