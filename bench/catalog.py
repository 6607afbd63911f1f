"""The tables of a catalog: a TOML file of tasks with its ``load.py`` beside it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def loader_of(catalog: Path) -> ModuleType:
    """Import the ``load.py`` that stands beside a catalog."""
    spec = importlib.util.spec_from_file_location("catalog_load", catalog.parent / "load.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["catalog_load"] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module
