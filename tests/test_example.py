"""The shipped example tables."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path

import pytest

from autoglm import examples

ROOT = Path(__file__).resolve().parents[1]
NAMES = ["customers.csv", "new_customers.csv"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    script = ROOT / "scripts" / "make_example.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_the_script_makes_the_shipped_file_byte_for_byte(made: Path, name: str) -> None:
    assert (made / name).read_bytes() == examples.path(name).read_bytes()


def test_the_example_is_dirty_the_way_exports_are() -> None:
    text = examples.path().read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 2000
    assert 0.1 < sum(row["churned"] == "yes" for row in rows) / len(rows) < 0.3
    for mark in ("￥", "万", "%", " GB", "年", "未知", "N/A"):
        assert mark in text


def test_new_customers_have_all_columns_but_the_target() -> None:
    known, new = (examples.path(name).read_text().splitlines()[0].split(",") for name in NAMES)
    assert [*new, "churned"] == known


def test_an_unknown_example_is_refused() -> None:
    with pytest.raises(FileNotFoundError):
        examples.path("nobody.csv")
    with pytest.raises(FileNotFoundError):
        examples.path("__init__.py")
