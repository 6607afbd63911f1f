"""``data profile`` and ``data convert``: tables without a task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from autoglm.cli._options import Answer, Common, Query, Sheet, TableFile
from autoglm.core.text import say


@dataclass(frozen=True, kw_only=True)
class _TableOptions(Common):
    file: TableFile
    query: Query = None
    sheet: Sheet = None


@dataclass(frozen=True, kw_only=True)
class ProfileOptions(_TableOptions):
    """Options of ``autoglm data profile``."""


@dataclass(frozen=True, kw_only=True)
class ConvertOptions(_TableOptions):
    """Options of ``autoglm data convert``."""

    out: Annotated[
        Path,
        typer.Argument(help=say(en="File to write; its ending says the format.",
                                zh="写入的文件,格式由扩展名决定。")),
    ]  # fmt: skip


def profile(options: ProfileOptions) -> Answer:
    """Say what each column of a table holds.

    zh: 说明表中每一列的内容。
    """
    from autoglm.dataflow.profile import profile_table
    from autoglm.dataflow.read import read_table

    read = read_table(options.file, query=options.query, sheet=options.sheet)
    found = profile_table(read.frame)
    text = "\n".join([found.summary(), *read.notes])
    return Answer({"source": read.source, "notes": read.notes, "profile": found}, text)


def convert(options: ConvertOptions) -> Answer:
    """Write a table in another format.

    zh: 将表格转换为其他格式。
    """
    from autoglm.dataflow.read import read_table
    from autoglm.dataflow.write import write_table

    read = read_table(options.file, query=options.query, sheet=options.sheet)
    write_table(read.frame, options.out)
    rows, columns = read.frame.shape
    where = say(
        en=f"{rows} rows, {columns} columns in {options.out}",
        zh=f"{rows} 行 {columns} 列已写入 {options.out}",
    )
    data = {"rows": rows, "columns": columns, "out": options.out, "notes": read.notes}
    return Answer(data, "\n".join([*read.notes, where]))
