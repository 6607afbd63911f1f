"""Writing tables, and reading back what was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from autoglm.core.errors import ConfigError, StorageError
from autoglm.dataflow.read import read_table
from autoglm.dataflow.write import FORMATS, write_table

TEXT = pd.DataFrame(
    {
        "a b": np.array(["1", None, "x,y", 'say "no"', "two\nlines"], dtype=object),
        "城市": np.array(["北京", "上海", "=1+1", "\ttab", "007"], dtype=object),
    },
    dtype=object,
)


@pytest.mark.parametrize("packing", ["", ".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("ending", FORMATS)
def test_text_comes_back(tmp_path: Path, ending: str, packing: str) -> None:
    path = write_table(TEXT, tmp_path / f"t{ending}{packing}")
    back = read_table(path).frame
    pd.testing.assert_frame_equal(back.astype(object), TEXT)


@pytest.mark.parametrize("ending", [".json", ".jsonl", ".parquet", ".arrow", ".feather", ".xlsx"])
def test_types_come_back(tmp_path: Path, ending: str) -> None:
    frame = pd.DataFrame(
        {
            "i": [1, 2, 3],
            "f": [0.5, np.nan, -1e300],
            "b": [True, False, True],
            "t": pd.to_datetime(["2024-01-05", None, "2024-02-05 01:02:03"], format="mixed"),
        }
    )
    back = read_table(write_table(frame, tmp_path / f"t{ending}")).frame
    assert back["i"].tolist() == [1, 2, 3]
    np.testing.assert_array_equal(back["f"], frame["f"])
    assert back["b"].tolist() == [True, False, True]
    assert pd.to_datetime(back["t"])[2] == frame["t"][2]
    assert pd.isna(back["t"][1])


@pytest.mark.parametrize("ending", [".json", ".parquet", ".xlsx", ".csv"])
def test_odd_values_are_written(tmp_path: Path, ending: str) -> None:
    frame = pd.DataFrame(
        {
            "mixed": np.array([1, "x", None], dtype=object),
            "limit": [np.inf, -np.inf, 1.0],
            "kind": pd.Categorical(["u", None, "v"]),
            "control": ["a\x01b", "c", "d"],
        }
    )
    back = read_table(write_table(frame, tmp_path / f"t{ending}")).frame
    assert len(back) == 3
    assert back["mixed"].astype(object).tolist()[1] == "x"
    assert back["kind"].astype(object).tolist()[2] == "v"


def test_formula_stays_text(tmp_path: Path) -> None:
    path = write_table(TEXT, tmp_path / "t.xlsx")
    cell = openpyxl.load_workbook(path).active["B4"]
    assert (cell.value, cell.data_type) == ("=1+1", "s")


def test_unknown_ending(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        write_table(TEXT, tmp_path / "t.doc")
    assert ".parquet" in raised.value.hint
    assert list(tmp_path.iterdir()) == []


def test_unwritable_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError):
        write_table(TEXT, tmp_path / "file" / "t.csv")
