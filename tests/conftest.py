"""What all tests share: the real data, and freedom from the machine's own settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from time import monotonic_ns

# Before numpy is imported: more threads than cores only slow the suite down.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from autoglm.core.text import set_language

ROOT = Path(__file__).resolve().parents[1]


def _find_data() -> Path | None:
    """Return `AUTOGLM_TEST_DATA`, else a data folder with a manifest beside the checkout."""
    named = os.environ.get("AUTOGLM_TEST_DATA")
    if named:
        return Path(named)
    beside = sorted(ROOT.parent.glob("*/data/MANIFEST.md"))
    return beside[0].parent if beside else None


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real data sets; missing, it is a skip at home and a failure in CI."""
    folder = _find_data()
    if folder is not None and folder.is_dir():
        return folder
    message = f"real data sets not found ({folder}); set AUTOGLM_TEST_DATA to their folder"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(autouse=True)
def _own_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Hide what the machine has: settings and keys in variables, the user's files, past runs."""
    private = ("AUTOGLM_", "OPENAI_", "ZHIPUAI_")
    for name in [n for n in os.environ if n.startswith(private) and n != "AUTOGLM_TEST_DATA"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "no-settings"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.getbasetemp() / f"d{monotonic_ns()}"))


@pytest.fixture(autouse=True)
def _own_language() -> Iterator[None]:
    """Start and end each test in the default language."""
    set_language(None)
    yield
    set_language(None)
