"""Column names: any characters, none blank, none twice."""

from __future__ import annotations

from collections.abc import Iterable

from autoglm.core.text import say


def repair_names(names: Iterable[object]) -> tuple[list[str], list[str]]:
    """Return usable column names and what had to be changed.

    Parameters
    ----------
    names
        Names as found; None or blank where there is none.

    Returns
    -------
    names, notes
        As many names, all different and not blank, and a sentence for each kind of change.

    Examples
    --------
    >>> repair_names(["a", "", "a"])[0]
    ['a', 'column 2', 'a (2)']
    """
    found = ["" if n is None else str(n).replace("\x00", "") for n in names]
    blank = [i for i, n in enumerate(found) if not n.strip()]
    for i in blank:
        found[i] = f"column {i + 1}"
    twice = _number_repeats(found)
    notes = []
    if blank:
        shown = _shown([found[i] for i in blank])
        notes.append(
            say(
                en=f"Columns without a name were named: {shown}.",
                zh=f"没有名称的列已命名为:{shown}。",
            )
        )
    if twice:
        shown = _shown(twice)
        notes.append(
            say(en=f"Repeated column names were numbered: {shown}.", zh=f"重名的列已编号:{shown}。")
        )
    return found, notes


def _number_repeats(names: list[str]) -> list[str]:
    """Make names different in place, first come first kept; return the new ones."""
    taken, seen, changed = set(names), set[str](), []
    count: dict[str, int] = {}
    for i, name in enumerate(names):
        if name in seen:
            number = count.get(name, 1) + 1
            while f"{name} ({number})" in taken:
                number += 1
            count[name] = number
            names[i] = f"{name} ({number})"
            taken.add(names[i])
            changed.append(names[i])
        seen.add(names[i])
    return changed


def _shown(names: list[str], limit: int = 5) -> str:
    more = f", ... ({len(names)})" if len(names) > limit else ""
    return ", ".join(repr(n) for n in names[:limit]) + more
