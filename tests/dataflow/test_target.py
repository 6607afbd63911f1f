"""Targets become codes and come back as they were."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from autoglm.core.errors import DataError
from autoglm.dataflow.clean import Cleaner, plan_cleaning
from autoglm.dataflow.profile import profile_table
from autoglm.dataflow.target import TargetCodec


@pytest.mark.parametrize(
    "labels",
    [
        np.array([3, 1, 2, 1]),
        np.array([True, False, True]),
        np.array([0.5, 1.5, 0.5]),
        np.array(["b", "a", "c"], dtype=object),
        np.array(["是", "否"]),
    ],
)
def test_round_trip(labels: np.ndarray) -> None:
    codec = TargetCodec.fit(labels, "multiclass")
    codes = codec.encode(labels)
    assert codes.dtype == np.int64
    assert codec.decode(codes).tolist() == labels.tolist()
    assert list(codec.classes) == np.unique(labels).tolist()
    assert TargetCodec.from_json(codec.to_json()) == codec


def test_positive_class_is_code_one() -> None:
    codec = TargetCodec.fit(["good", "bad", "bad"], "binary", positive="bad")
    assert codec.classes == ("good", "bad")
    assert TargetCodec.fit([0, 1], "binary", positive="0").classes == (1, 0)
    with pytest.raises(DataError, match="worse"):
        TargetCodec.fit(["good", "bad"], "binary", positive="worse")


def test_regression_is_standardised() -> None:
    y = np.array([1.0, 2.0, 6.0])
    codec = TargetCodec.fit(y, "regression")
    assert codec.encode(y).mean() == pytest.approx(0)
    assert codec.encode(y).std() == pytest.approx(1)
    np.testing.assert_allclose(codec.decode(codec.encode(y)), y)
    assert TargetCodec.fit([5.0, 5.0], "regression").decode(np.zeros(2)).tolist() == [5.0, 5.0]


@pytest.mark.parametrize(
    ("values", "task_type"),
    [([], "binary"), (["a", "a"], "binary"), (["a", "b", "c"], "binary"), (["a"], "regression")],
)
def test_unusable_targets(values: list, task_type: str) -> None:
    with pytest.raises(DataError) as caught:
        TargetCodec.fit(values, task_type)  # type: ignore[arg-type]
    assert caught.value.hint


def test_labels_written_otherwise_are_known() -> None:
    codec = TargetCodec.fit(np.array([0, 1]), "binary")
    assert codec.encode(["1", 0.0, " 1 "]).tolist() == [1, 0, 1]
    assert codec.encode([7, 1], mark_unseen=True).tolist() == [-1, 1]
    with pytest.raises(DataError, match="7"):
        codec.encode([7])


def values_of(cells: list, task_type: str) -> tuple[np.ndarray, np.ndarray]:
    frame = pd.DataFrame({"x": range(len(cells)), "y": pd.Series(cells, dtype=object)})
    profile = profile_table(frame)
    actions = plan_cleaning(profile, (), target="y")
    return Cleaner.build(actions, profile, "y", task_type).target_values(frame)  # type: ignore[arg-type]


def test_labels_of_text_files() -> None:
    assert values_of(["0", "1", "1"], "binary")[0].tolist() == [0, 1, 1]
    assert values_of(["yes", "no", "no"], "binary")[0].tolist() == ["yes", "no", "no"]
    assert values_of(["10%", "20%", "10%"], "multiclass")[0].tolist() == ["10%", "20%", "10%"]
    assert values_of(["10%", "20%", "10%"], "regression")[0].tolist() == [0.1, 0.2, 0.1]


def test_rows_without_target_are_left_out() -> None:
    values, keep = values_of(["1", None, "0", ""], "binary")
    assert keep.tolist() == [True, False, True, False]
    assert values[keep].tolist() == [1, 0]
