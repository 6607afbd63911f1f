"""Commands whose options are one typed object.

A command is a function from its options to an `Answer`; here it becomes a typer command
whose parameters are the fields of the options class.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

import typer

from autoglm.core.text import say


@dataclass(frozen=True, kw_only=True)
class Common:
    """What every command understands."""

    json: Annotated[
        bool,
        typer.Option("--json", help=say(en="Print one JSON object.", zh="输出一个 JSON 对象。")),
    ] = False
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help=say(en="Print results only.", zh="只输出结果。")),
    ] = False
    lang: Annotated[
        Literal["auto", "en", "zh"] | None,
        typer.Option(help=say(en="Language of messages and reports.", zh="消息与报告的语言。")),
    ] = None


#: Parameters that several commands share.
TableFile = Annotated[
    str,
    typer.Argument(
        help=say(
            en="Table: a file, a URL or a database address.", zh="表格:文件、网址或数据库地址。"
        )
    ),
]
Query = Annotated[
    str | None, typer.Option(help=say(en="SQL query, for a database.", zh="数据库的 SQL 查询。"))
]
Sheet = Annotated[
    str | None, typer.Option(help=say(en="Sheet of an Excel file.", zh="Excel 的工作表。"))
]
Engine = Annotated[
    str | None,
    typer.Option(
        help=say(
            en="Where fits run: local, ray, or a cluster's address like ray://host:10001.",
            zh="训练的执行位置:local、ray,或集群地址,如 ray://host:10001。",
        )
    ),
]
SaveTo = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help=say(
            en="Also save the model here (a folder, or x.aglm).", zh="另存模型(文件夹或 x.aglm)。"
        ),
    ),
]


@dataclass(frozen=True)
class Answer:
    """What a command has to say.

    Attributes
    ----------
    data
        The JSON object of ``--json``.
    text
        What a person reads: text, or anything rich can print.
    """

    data: dict[str, Any]
    text: Any = ""


Options = TypeVar("Options", bound=Common)
Command = Callable[[Options], Answer]


def add_command(
    app: typer.Typer, function: Command[Options], options: type[Options], *, name: str = ""
) -> None:
    """Add `function` to `app` with the fields of `options` as its parameters."""

    def call(**values: Any) -> int:
        from autoglm.cli._console import answer

        return answer(function, options(**values))

    hints = get_type_hints(options, include_extras=True)
    own = [f for f in fields(options) if f.name not in Common.__dataclass_fields__]
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                f.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if f.default is MISSING else f.default,
                annotation=hints[f.name],
            )
            for f in (*own, *fields(Common))
        ]
    )
    call.__annotations__ = {f.name: hints[f.name] for f in fields(options)}
    app.command(name or function.__name__, help=_summary(function))(call)


def _summary(function: Callable[..., Any]) -> str:
    """Return the first line of the docstring; in Chinese where it has a second line for it."""
    lines = (inspect.getdoc(function) or "").splitlines()
    zh = next((line.removeprefix("zh: ") for line in lines if line.startswith("zh: ")), lines[0])
    return say(en=lines[0], zh=zh)
