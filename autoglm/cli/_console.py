"""What leaves the command line: results on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from autoglm.cli._options import Answer, Common
from autoglm.core.config import Resolved, resolve
from autoglm.core.text import set_language

Options = TypeVar("Options", bound=Common)


def answer(function: Callable[[Options], Answer], options: Options) -> int:
    """Run a command in the language asked for and print what it answers; return 0."""
    lang = settings(options).settings.lang
    set_language(None if lang == "auto" else lang)
    stdout = sys.stdout
    # A library that prints must not spoil what a program reads.
    with contextlib.redirect_stdout(sys.stderr):
        said = function(options)
    if options.json:
        print_json(said.data, stdout)
    elif isinstance(said.text, str):
        stdout.write(said.text if said.text.endswith("\n") or not said.text else said.text + "\n")
    else:
        console(stdout).print(said.text)
    stdout.flush()
    return 0


def settings(options: Common, **given: Any) -> Resolved:
    """Return the settings in force; values of None in `given` count as not given."""
    return resolve({"lang": options.lang, **given})


def console(stream: Any) -> Console:
    """Return a console on `stream` with colours as configured."""
    color = resolve().settings.color
    wide = None if stream.isatty() else 100
    return Console(
        file=stream,
        force_terminal=True if color == "always" else None,
        no_color=True if color == "never" or os.environ.get("NO_COLOR") else None,
        width=wide,
        highlight=False,
        markup=False,
        emoji=False,
    )


def note(options: Common, text: str) -> None:
    """Tell a person something by the way, on stderr; nothing with ``--quiet`` or ``--json``."""
    if not options.quiet and not options.json:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> Table:
    """Return a plain table; numbers stand right, text wraps."""
    made = Table(box=None, pad_edge=False)
    listed = [list(row) for row in rows]
    for number, column in enumerate(columns):
        numeric = all(isinstance(row[number], int | float) for row in listed)
        made.add_column(str(column), justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        made.add_row(*(shown(value) for value in row))
    return made


def frame_table(frame: Any, *, rows: int = 30, columns: int = 8) -> Table:
    """Return the first rows and columns of a pandas frame as a table."""
    head = frame.iloc[:rows, :columns]
    return table(head.columns, head.itertuples(index=False))


def shown(value: Any) -> str:
    """Return a value as a person reads it in a table."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.5g}"
    return str(value)


def print_json(data: Mapping[str, Any], stream: Any) -> None:
    """Write one strict JSON object and a line end."""
    stream.write(json.dumps(plain(data), ensure_ascii=False, allow_nan=False) + "\n")
    stream.flush()


def plain(value: Any) -> Any:
    """Return `value` in JSON's own types; what is no number becomes null."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    return _plain_object(value)


def _plain_object(value: Any) -> Any:
    """Return objects of libraries, and our own, in JSON's types."""
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(mode="json"))
    if hasattr(value, "columns") and hasattr(value, "to_dict"):
        return [plain(record) for record in value.to_dict("records")]
    if hasattr(value, "tolist"):  # arrays, their scalars, and series
        return plain(value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return None if type(value).__name__ in ("NAType", "NaTType") else str(value)
