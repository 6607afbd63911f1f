"""What a model was made with, written into its bundle."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

#: Packages whose version can change what a model predicts.
PACKAGES = ("open-autoglm", "numpy", "pandas", "scipy", "scikit-learn", "lightgbm", "pydantic")


def environment() -> dict[str, Any]:
    """Return the versions of Python, the platform and the packages that matter.

    Returns
    -------
    dict
        ``python``, ``platform``, and ``packages`` from name to version; a package that is
        not installed is left out.
    """
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": packages,
    }
