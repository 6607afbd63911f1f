"""The command line: words to calls, no logic."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    arguments
        Words after the program's name; those of this process by default.
    """
    from autoglm.cli.app import main as run

    return run(arguments)
