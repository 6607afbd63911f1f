"""The public names of `autoglm` under the distribution's own name."""

from __future__ import annotations

from typing import Any

import autoglm

__all__ = list(autoglm.__all__)


def __getattr__(name: str) -> Any:
    return getattr(autoglm, name)


def __dir__() -> list[str]:
    return __all__
