"""Fixtures of the tuner's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from tuner_work import build_work

from autoglm.tuner.workspace import Workspace


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    """A binary task of 300 rows, 3 folds."""
    return build_work(tmp_path / "run")
