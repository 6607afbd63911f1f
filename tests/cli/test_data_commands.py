"""``data profile`` and ``data convert`` on real files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

TABLE = "姓名,age,city\n王,30,北京\n李,41,上海\n,29,北京\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a small table on disk."""
    path = tmp_path / "people.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_profile_tells_what_each_column_holds(autoglm: Run, file: Path) -> None:
    found = autoglm("data", "profile", file, "--json").json
    columns = found["profile"]["columns"]
    assert list(columns) == ["姓名", "age", "city"]
    assert columns["age"]["kind"] == "number"
    assert columns["姓名"]["n_missing"] == 1
    text = autoglm("data", "profile", file).out
    assert "age" in text
    assert "姓名" in text


def test_convert_writes_the_same_rows(autoglm: Run, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "people.jsonl"
    result = autoglm("data", "convert", file, out, "--json")
    assert result.json["rows"] == 3
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["city"] for row in rows] == ["北京", "上海", "北京"]
    assert rows[2]["姓名"] is None


@pytest.mark.parametrize("ending", ["parquet", "xlsx", "tsv", "csv.gz", "arrow"])
def test_convert_there_and_back(autoglm: Run, file: Path, tmp_path: Path, ending: str) -> None:
    there, back = tmp_path / f"t.{ending}", tmp_path / "back.csv"
    assert autoglm("data", "convert", file, there).code == 0
    assert autoglm("data", "convert", there, back).code == 0
    assert back.read_text(encoding="utf-8") == TABLE


def test_an_unknown_ending_is_an_error_and_writes_nothing(
    autoglm: Run, file: Path, tmp_path: Path
) -> None:
    result = autoglm("data", "convert", file, tmp_path / "t.unknown")
    assert result.code == 5
    assert not (tmp_path / "t.unknown").exists()
