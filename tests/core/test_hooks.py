"""Plug-ins: found, used, and known to workers."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from autoglm.core import hooks

SOURCE = """
from autoglm.core.hooks import hookimpl

@hookimpl
def autoglm_learners():
    return ["a learner from a module"]
"""


class _Plugin:
    @hooks.hookimpl
    def autoglm_learners(self) -> list[str]:
        return ["a learner from an object"]


@pytest.fixture
def registered() -> Iterator[list[Any]]:
    """Give a list; plug-ins put in it are taken out of the program afterwards."""
    plugins: list[Any] = []
    yield plugins
    for plugin in plugins:
        hooks.manager().unregister(plugin)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a plug-in that is a module."""
    (tmp_path / "plugin_of_a_test.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("plugin_of_a_test")


def _learners() -> list[Any]:
    return [one for group in hooks.manager().hook.autoglm_learners() for one in group]


def test_built_in_learners_and_metrics_come_through_the_hooks() -> None:
    assert {"constant", "lightgbm"} <= {one.name for one in _learners()}
    metrics = [one for group in hooks.manager().hook.autoglm_metrics() for one in group]
    assert "roc_auc" in {one.name for one in metrics}


def test_an_object_adds_learners_and_needs_this_process(registered: list[Any]) -> None:
    plugin = _Plugin()
    registered.append(plugin)
    hooks.register(plugin)
    hooks.register(plugin)  # twice is once
    assert _learners().count("a learner from an object") == 1
    assert hooks.worker_plugins() == ((), False)


def test_a_module_is_named_for_workers(registered: list[Any], module: ModuleType) -> None:
    registered.append(module)
    hooks.register(module)
    assert "a learner from a module" in _learners()
    assert hooks.worker_plugins() == (("plugin_of_a_test",), True)


def test_without_plugins_workers_need_nothing() -> None:
    assert hooks.worker_plugins() == ((), True)
