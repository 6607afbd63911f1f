"""Several tables given at once: a folder, a list of files, or frames by name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from autoglm.core.errors import DataError
from autoglm.core.text import say
from autoglm.dataflow.joins import Joins
from autoglm.dataflow.read import Table, read_table

#: Endings of files that are read from a folder; a compressed one has another behind it.
ENDINGS = frozenset({
    ".csv", ".tsv", ".txt", ".psv", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather",
    ".xlsx", ".arff",
})  # fmt: skip
PACKED = frozenset({".gz", ".zip", ".zst", ".bz2", ".xz"})
#: Files that may belong to one task.
MOST_FILES = 50


@dataclass(frozen=True)
class Tables:
    """Tables by name, in order, and where they came from."""

    by_name: Mapping[str, Table]
    source: str

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """The rows of each table."""
        return {name: table.frame for name, table in self.by_name.items()}


def several(source: Any) -> dict[str, Any] | None:
    """Return what each table is read from, by name; None when `source` is a single table.

    Raises
    ------
    DataError
        When a folder holds no table, or too many.
    """
    if isinstance(source, str | os.PathLike) and Path(source).is_dir():
        found = _in_folder(Path(source))
    elif isinstance(source, Mapping) and source and all(map(_is_table, source.values())):
        found = {str(name): one for name, one in source.items()}
    elif isinstance(source, list | tuple) and source and all(map(_is_path, source)):
        found = _named([Path(one) for one in source])
    else:
        return None
    if len(found) > MOST_FILES:
        raise DataError(
            say(en=f"These are {len(found)} tables; {MOST_FILES} are the most.",
                zh=f"共有 {len(found)} 张表,最多 {MOST_FILES} 张。"),
            hint=say(en="Give the files that matter: a list of paths.",
                     zh="请只给出相关的文件:路径列表。"),
        )  # fmt: skip
    return found


def read_several(sources: Mapping[str, Any], shown: str) -> Tables:
    """Read every table.

    Raises
    ------
    DataError
        When one of them cannot be read; its name is in the message.
    """
    tables = {}
    for name, source in sources.items():
        try:
            tables[name] = read_table(source)
        except DataError as error:
            raise DataError(f"{name}: {error.message}", hint=error.hint) from error
    return Tables(tables, shown)


def joined(joins: Joins, dataset: Any) -> pd.DataFrame:
    """Read the tables that joins need, of several, and join them; a single table is read as it is.

    Raises
    ------
    DataError
        When a table cannot be read or is missing, or a column of a key.
    """
    sources = several(dataset)
    if sources is None:
        return read_table(dataset).frame
    wanted = {joins.main, *(link.table for link in joins.links)}
    found = {name: one for name, one in sources.items() if name in wanted}
    return joins.apply(read_several(found, "").frames)


def _in_folder(folder: Path) -> dict[str, Any]:
    files = [p for p in sorted(folder.iterdir()) if p.is_file() and _ending(p) in ENDINGS]
    if not files:
        known = " ".join(sorted(ENDINGS))
        raise DataError(
            say(
                en=f"There is no table in the folder {folder}.", zh=f"文件夹 {folder} 中没有表格。"
            ),
            hint=say(en=f"Files that are read end in: {known}.", zh=f"可读取的文件后缀:{known}。"),
        )
    return _named(files)


def _named(files: Sequence[Path]) -> dict[str, Any]:
    """Name files by what stands before their endings; equal names are numbered."""
    found: dict[str, Any] = {}
    for path in files:
        name = path.name
        while Path(name).suffix.lower() in ENDINGS | PACKED:
            name = Path(name).stem
        free, number = name, 2
        while free in found:
            free, number = f"{name}{number}", number + 1
        found[free] = path
    return found


def _ending(path: Path) -> str:
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in PACKED else suffix


def _is_path(one: Any) -> bool:
    return isinstance(one, str | os.PathLike) and Path(one).is_file()


def _is_table(one: Any) -> bool:
    return isinstance(one, Table | pd.DataFrame) or _is_path(one)
