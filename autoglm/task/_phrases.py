"""The turns of phrase in ``phrases.txt``, by section."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources


def phrases(section: str) -> re.Pattern[str]:
    """Return one pattern that matches any line of a section, such as "asks.classes".

    Raises
    ------
    KeyError
        When there is no such section.
    """
    return _sections()[section]


def group(prefix: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return the sections whose names start with "prefix.", in order, by what follows it.

    Examples
    --------
    >>> [role for role, _ in group("behind")]
    ['named', 'only', 'drop', 'unwanted', 'group']
    """
    start = f"{prefix}."
    return tuple(
        (name.removeprefix(start), pattern)
        for name, pattern in _sections().items()
        if name.startswith(start)
    )


@lru_cache(maxsize=1)
def _sections() -> dict[str, re.Pattern[str]]:
    lines: dict[str, list[str]] = {}
    source = resources.files("autoglm.task").joinpath("phrases.txt")
    name = ""
    for line in source.read_text(encoding="utf-8").splitlines():
        if re.fullmatch(r"\[[a-z_]+\.[\w -]+\]", line):
            name = line[1:-1]
            lines[name] = []
        elif line.strip() and not line.startswith("# "):
            lines[name].append(line)
    # ASCII: the edge of a word stands between "AUC" and a Chinese character beside it.
    flags = re.IGNORECASE | re.ASCII
    return {n: re.compile("|".join(f"(?:{x})" for x in part), flags) for n, part in lines.items()}
