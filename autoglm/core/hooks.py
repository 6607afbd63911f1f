"""The hooks a plug-in can implement, and how plug-ins are found.

Built-in learners and metrics register through these same hooks. A package becomes a
plug-in by an entry point in the group ``autoglm``::

    [project.entry-points.autoglm]
    my_learner = "my_package.my_module"

and by functions in that module marked with `hookimpl`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import pluggy

PROJECT = "autoglm"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

#: Modules of our own that implement hooks; each is imported when hooks are first called.
BUILT_IN: tuple[str, ...] = ("autoglm.zoo.builtin", "autoglm.evaluate.metrics")

#: What a lower floor calls of an upper one: function and module, imported when it is called.
UPWARD = {"refine": "autoglm._refine"}


class Hooks:
    """The hook specifications."""

    @hookspec
    def autoglm_learners(self) -> Sequence[Any]:
        """Return the learners to add, each an `autoglm.zoo.contract.Learner`."""
        raise NotImplementedError  # a specification; plug-ins answer

    @hookspec
    def autoglm_metrics(self) -> Sequence[Any]:
        """Return the metrics to add, each an `autoglm.evaluate.metrics.Metric`."""
        raise NotImplementedError


@lru_cache(maxsize=1)
def manager() -> pluggy.PluginManager:
    """Return the plug-in manager with built-ins and installed plug-ins loaded."""
    plugins = pluggy.PluginManager(PROJECT)
    plugins.add_hookspecs(Hooks)
    for name in BUILT_IN:
        plugins.register(importlib.import_module(name), name=name)
    plugins.load_setuptools_entrypoints(PROJECT)
    return plugins


def register(plugin: object, name: str | None = None) -> None:
    """Add a plug-in, a module or an object with hook implementations, to this process.

    Worker processes find a plug-in that is an importable module or comes from an
    installed entry point; one defined in ``__main__`` is run without workers.
    """
    if not manager().is_registered(plugin):
        manager().register(plugin, name=name)


def worker_plugins() -> tuple[tuple[str, ...], bool]:
    """Return the names of modules that a worker must import, and whether that is enough."""
    names: list[str] = []
    complete = True
    for name, plugin in manager().list_name_plugin():
        if name in BUILT_IN or plugin is None:
            continue
        module = getattr(plugin, "__name__", "") if _is_module(plugin) else ""
        if module and module != "__main__":
            names.append(module)
        else:
            complete = False
    return tuple(names), complete


def upward(name: str) -> Callable[..., Any]:
    """Return a function of `UPWARD`."""
    function: Callable[..., Any] = getattr(importlib.import_module(UPWARD[name]), name)
    return function


def _is_module(plugin: object) -> bool:
    return type(plugin).__name__ == "module"
