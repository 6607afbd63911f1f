"""``refine``: what is said of a finished model changes it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from autoglm.cli._options import Answer, Common, SaveTo
from autoglm.core.errors import SpecError
from autoglm.core.text import has_chinese, say, set_language


@dataclass(frozen=True, kw_only=True)
class RefineOptions(Common):
    """Options of ``autoglm refine``."""

    run: Annotated[Path, typer.Argument(help=say(en="Folder of the run.", zh="运行的文件夹。"))]
    sentence: Annotated[
        str,
        typer.Argument(help=say(en="What is wrong with the model, in your own words.",
                                zh="用自己的话说明模型哪里不好。")),
    ]  # fmt: skip
    time: Annotated[
        str | None,
        typer.Option(help=say(en="Time for it: 30s, 5m.", zh="可用的时间:30s、5m。")),
    ] = None
    data: Annotated[
        str | None,
        typer.Option(help=say(en="The table, where it is needed again and has moved.",
                              zh="表格;需要重新读取且已移动时给出。")),
    ] = None  # fmt: skip
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help=say(en="Do not ask before it is done.",
                                             zh="不再确认,直接执行。")),
    ] = False  # fmt: skip
    out: SaveTo = None


def refine(options: RefineOptions) -> Answer:
    """Say what is wrong with a model; its task changes and the search goes on.

    zh: 说出模型哪里不好,修改任务并继续搜索。
    """
    from autoglm._refine import planned
    from autoglm.cli._console import note
    from autoglm.cli._progress import progress
    from autoglm.cli.run import progress_mode, result
    from autoglm.core.budget import parse_duration
    from autoglm.predictor import load
    from autoglm.task.feedback import table

    if options.lang in (None, "auto"):
        set_language("zh" if has_chinese(options.sentence) else "en")
    limit = None if options.time is None else parse_duration(options.time)
    before = load(options.run)
    plan = planned(before, options.sentence, limit)
    time = say(en=f"{plan.seconds:.0f} s more", zh=f"再用 {plan.seconds:.0f} 秒")
    lines = (*(f"! {one}" for one in plan.heard.notes), table(plan.changes), time)
    note(options, "\n".join(filter(None, lines)))
    if not options.yes and not _agreed(options):
        return Answer({"refined": None}, say(en="Nothing was changed.", zh="没有改动。"))
    with progress(progress_mode(options)) as facts:
        after = before.refine(options.sentence, time_limit=plan.seconds, dataset=options.data)
    answer = result(after, facts, options.out)
    told = after.receipts["refined"]
    note(options, _side_by_side(told))
    return Answer(answer.data | {"refined": told}, answer.text)


def _agreed(options: Common) -> bool:
    """Ask the person at the terminal."""
    if options.json or options.quiet or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise SpecError(
            say(en="The changes have to be confirmed.", zh="修改需要确认。"),
            hint=say(en="Give --yes, or run it on a terminal.", zh="请加 --yes,或在终端中运行。"),
        )
    return typer.confirm(say(en="Do it?", zh="执行吗?"), default=True, err=True)


def _side_by_side(told: dict[str, Any]) -> str:
    """Return both models, a figure a line, and what could not be kept."""
    names = dict.fromkeys([*told["before"], *told["after"]])
    width = max(map(len, names))
    head = f"{'':{width}}  {say(en='before', zh='之前'):>10}  {say(en='after', zh='之后'):>10}"
    rows = [
        f"{name:{width}}  {_shown(told['before'].get(name)):>10}  "
        f"{_shown(told['after'].get(name)):>10}"
        for name in names
    ]
    return "\n".join([head, *rows, *(f"! {one}" for one in told["unmet"])])


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
