"""Late imports of optional packages, with one helpful error."""

from __future__ import annotations

import importlib
from types import ModuleType

from autoglm.core.errors import MissingDependency
from autoglm.core.text import say


def need(module: str, *, extra: str, feature: str) -> ModuleType:
    """Import `module`, or say which extra brings it.

    Parameters
    ----------
    module
        Dotted module name.
    extra
        The extra of this package that installs it.
    feature
        What needs it, as the user knows it.

    Raises
    ------
    MissingDependency
        When the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise  # it is there, but one of its own parts is not
        name = module.partition(".")[0]
        raise MissingDependency(
            say(en=f"{feature} needs {name}.", zh=f"{feature} 需要 {name}。"),
            hint=say(
                en=f"Install it with: pip install 'open-autoglm[{extra}]'",
                zh=f"请安装:pip install 'open-autoglm[{extra}]'",
            ),
        ) from error
