"""Every hostile file ends in a clear error, a named repair, or a table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import hostile
import pytest

from autoglm.core.errors import DataError
from autoglm.core.text import has_chinese, use_language
from autoglm.dataflow.read import read_table


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with all hostile files."""
    folder = tmp_path_factory.mktemp("hostile")
    hostile.main(folder)
    return folder


@pytest.mark.parametrize("name", hostile.FILES)
def test_ends_as_expected(files: Path, name: str) -> None:
    _, end, words = hostile.FILES[name]
    if end == "error":
        with pytest.raises(DataError) as raised:
            read_table(files / name)
        assert words in raised.value.message
        assert raised.value.hint
        assert len(str(raised.value)) < 1500
        return
    table = read_table(files / name)
    assert len(table.frame) > 0
    assert len(set(table.frame.columns)) == len(table.frame.columns)
    notes = " ".join(table.notes)
    if end == "repaired":
        assert words in notes
    else:
        assert notes == ""


def test_speaks_chinese(files: Path) -> None:
    with use_language("zh"), pytest.raises(DataError) as raised:
        read_table(files / "wide.csv")
    assert has_chinese(raised.value.message)
    assert has_chinese(raised.value.hint)


def test_bombs_cost_little_memory(files: Path) -> None:
    program = """
import resource, sys
import openpyxl
from autoglm.core.errors import DataError
from autoglm.dataflow.read import read_table
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    try:
        read_table(path)
    except DataError:
        continue
    sys.exit(f"{path} was read")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    bombs = [str(files / name) for name in hostile.FILES if name.startswith("bomb.")]
    assert len(bombs) >= 6
    done = subprocess.run(
        [sys.executable, "-c", program, *bombs], capture_output=True, text=True, check=True
    )
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, else in KB
    assert int(done.stdout) * unit < 256 * hostile.MB
