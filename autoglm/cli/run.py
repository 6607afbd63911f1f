"""``run`` and ``resume``: from a sentence and a table to a model."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from autoglm.cli._options import Answer, Common, Engine, Query, SaveTo, Sheet
from autoglm.cli.llm import Model
from autoglm.core.events import Event, subscribe
from autoglm.core.text import has_chinese, say, set_language

if TYPE_CHECKING:
    from autoglm.automl import TaskOptions
    from autoglm.cli._progress import RunFacts
    from autoglm.predictor import Predictor


@dataclass(frozen=True, kw_only=True)
class RunOptions(Common):
    """Options of ``autoglm run``."""

    sentence: Annotated[
        str,
        typer.Argument(help=say(en="What you want, in your own words (English or Chinese).",
                                zh="用自己的话说明要什么(中文或英文)。")),
    ]  # fmt: skip
    file: Annotated[
        str | None,
        typer.Argument(help=say(en="Table: a file, a URL or a database address.",
                                zh="表格:文件、网址或数据库地址。")),
    ] = None  # fmt: skip
    target: Annotated[
        str | None,
        typer.Option("--target", "-t", help=say(en="Column to predict.", zh="要预测的列。")),
    ] = None  # fmt: skip
    task: Annotated[
        Literal["binary", "multiclass", "regression"] | None,
        typer.Option(help=say(en="Kind of task.", zh="任务类型。")),
    ] = None
    metric: Annotated[
        str | None,
        typer.Option(help=say(en="Metric to be best at.", zh="优化的指标。")),
    ] = None
    positive: Annotated[
        str | None,
        typer.Option(help=say(en="Class that counts as positive.", zh="视为正类的类别。")),
    ] = None
    miss_cost: Annotated[
        float | None,
        typer.Option(help=say(en="Cost of a missed positive; a false alarm costs 1.",
                              zh="漏报一个正例的代价(误报代价为 1)。")),
    ] = None  # fmt: skip
    drop: Annotated[
        list[str] | None,
        typer.Option(
            help=say(en="Column to leave out; repeat for more.", zh="不使用的列;可重复。")
        ),
    ] = None
    split: Annotated[
        Literal["stratified", "random", "grouped", "time"] | None,
        typer.Option(
            help=say(en="How rows are set apart for validation.", zh="验证集的划分方式。")
        ),
    ] = None
    group: Annotated[
        str | None,
        typer.Option(help=say(en="Column whose rows stay together.", zh="同组行不拆开的列。")),
    ] = None
    time_column: Annotated[
        str | None,
        typer.Option(help=say(en="Column that orders rows in time.", zh="表示时间先后的列。")),
    ] = None
    interpretable: Annotated[
        bool,
        typer.Option("--interpretable", help=say(en="Only models a person can read.",
                                                 zh="只用可解释的模型。")),
    ] = False  # fmt: skip
    increasing: Annotated[
        list[str] | None,
        typer.Option(help=say(en="Column that the prediction must not fall with; repeat for more.",
                              zh="预测不得随之下降的列;可重复。")),
    ] = None  # fmt: skip
    decreasing: Annotated[
        list[str] | None,
        typer.Option(help=say(en="Column that the prediction must not rise with; repeat for more.",
                              zh="预测不得随之上升的列;可重复。")),
    ] = None  # fmt: skip
    fair_to: Annotated[
        list[str] | None,
        typer.Option(help=say(en="Column whose groups are to be treated alike; repeat for more.",
                              zh="应公平对待其各组的列;可重复。")),
    ] = None  # fmt: skip
    time: Annotated[
        str | None,
        typer.Option(
            help=say(en="Time for everything: 60s, 5m, 1h30m.", zh="总时限:60s、5m、1h30m。")
        ),
    ] = None
    latency: Annotated[
        str | None,
        typer.Option(
            help=say(en="Time to predict one row: 5ms, 300us.", zh="单行预测耗时上限:5ms、300us。")
        ),
    ] = None
    size: Annotated[
        str | None,
        typer.Option(help=say(en="Size of the saved model: 20MB.", zh="模型大小上限:20MB。")),
    ] = None
    memory: Annotated[
        str | None,
        typer.Option(help=say(en="Memory for everything: 4GB.", zh="内存上限:4GB。")),
    ] = None
    prefer: Annotated[
        str | None,
        typer.Option(
            help=say(
                en="What to give up for what: balanced, latency=0.6,accuracy=0.8, or 1% for 3x.",
                zh="取舍:balanced、latency=0.6,accuracy=0.8,或 1%换3倍。",
            )
        ),
    ] = None
    trials: Annotated[
        int | None,
        typer.Option(min=1, help=say(en="Stop after so many trials.", zh="最多尝试次数。")),
    ] = None
    seed: Annotated[
        int | None, typer.Option(min=0, help=say(en="Random seed.", zh="随机种子。"))
    ] = None
    workers: Annotated[
        int | None,
        typer.Option(min=1, help=say(en="Worker processes.", zh="工作进程数。")),
    ] = None
    engine: Engine = None
    open_trials: Annotated[
        int | None,
        typer.Option(min=1, help=say(en="Trials open at a time under --trials.",
                                     zh="使用 --trials 时同时进行的尝试数。")),
    ] = None  # fmt: skip
    query: Query = None
    sheet: Sheet = None
    main: Annotated[
        str | None,
        typer.Option(help=say(en="Of several tables the one to predict.",
                              zh="多张表中要预测的那张。")),
    ] = None  # fmt: skip
    planner: Annotated[
        Literal["auto", "rules", "model"] | None,
        typer.Option(help=say(en="Who reads the sentence: rules, or a language model beside them.",
                              zh="由谁理解句子:规则,或再加语言模型。")),
    ] = None  # fmt: skip
    llm: Model = None
    run_dir: Annotated[
        Path | None,
        typer.Option(help=say(en="Folder in which runs are kept.", zh="保存运行的文件夹。")),
    ] = None
    out: SaveTo = None
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help=say(en="Ask nothing; take the likeliest reading.",
                                             zh="不提问,取最可能的理解。")),
    ] = False  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ResumeOptions(Common):
    """Options of ``autoglm resume``."""

    run: Annotated[Path, typer.Argument(help=say(en="Folder of the run.", zh="运行的文件夹。"))]
    add_time: Annotated[
        str | None,
        typer.Option(help=say(en="More time for it: 5m.", zh="追加的时间:5m。")),
    ] = None
    engine: Engine = None
    out: SaveTo = None


def run(options: RunOptions) -> Answer:
    """Turn a sentence and a table into a tested model, a report and predictions.

    zh: 由一句话和一张表得到经过检验的模型与报告。
    """
    began = monotonic()
    from autoglm.automl import AutoTask
    from autoglm.cli._console import note
    from autoglm.cli._progress import progress

    loading = monotonic() - began
    sentence, file = _sentence_and_file(options)
    if options.lang in (None, "auto") and sentence:
        set_language("zh" if has_chinese(sentence) else "en")
    with subscribe(lambda event: _told(options, event)):
        task = AutoTask.create(
            options.task,
            dataset=file,
            description=sentence,
            target=options.target,
            metric=options.metric,
            options=_task_options(options),
            ask=_asker(options),
        )
    task.seconds += loading  # a person's clock runs while libraries load
    # One finding may concern several columns and is told once.
    warned = dict.fromkeys(f.message for f in task.findings if f.severity != "info")
    note(options, "\n".join([task.spec.card(), *(f"! {w}" for w in (*task.table.notes, *warned))]))
    with progress(progress_mode(options)) as facts:
        predictor = task.launch(
            run_dir=options.run_dir,
            max_trials=options.trials,
            workers=options.workers,
            engine=options.engine,
            open_trials=options.open_trials,
        )
    found = {"findings": task.findings, "notes": task.table.notes}
    answer = result(predictor, facts, options.out)
    return Answer(answer.data | found, answer.text)


def resume(options: ResumeOptions) -> Answer:
    """Go on with a run that was stopped, or give a finished one more time.

    zh: 继续中断的运行,或为已完成的运行追加时间。
    """
    from autoglm.automl import resume as go_on
    from autoglm.cli._progress import progress
    from autoglm.core.budget import parse_duration

    more = None if options.add_time is None else parse_duration(options.add_time)
    with progress(progress_mode(options)) as facts:
        predictor = go_on(options.run, add_time_s=more, engine=options.engine)
    return result(predictor, facts, options.out)


def _told(options: Common, event: Event) -> None:
    """Say that the language model did not help, and what is done without it."""
    from autoglm.cli._console import note

    if event.name == "model_failed":
        model, reason = event.data["model"], event.data["reason"]
        note(options, say(en=f"! {model} did not read the sentence; the rules do: {reason}",
                          zh=f"! {model} 未能理解句子,改用规则:{reason}"))  # fmt: skip


def progress_mode(options: Common) -> Literal["auto", "bar", "lines", "none"]:
    """Return how progress is shown: as set, or not at all where nobody looks."""
    from autoglm.cli._console import settings

    return "none" if options.quiet or options.json else settings(options).settings.progress


def _sentence_and_file(options: RunOptions) -> tuple[str, str]:
    """Return sentence and file, given in either order, or the file alone."""
    if options.file is None:
        return "", options.sentence
    if Path(options.sentence).is_file() and not Path(options.file).is_file():
        return options.file, options.sentence
    return options.sentence, options.file


def _task_options(options: RunOptions) -> TaskOptions:
    """Return the limits and choices that were given; what was not given stays open."""
    from autoglm.automl import TaskOptions
    from autoglm.core.contracts import read_contracts

    given: dict[str, Any] = {
        "time_limit": options.time,
        "latency": options.latency,
        "size": options.size,
        "memory": options.memory,
        "prefer": options.prefer,
        "drop_columns": tuple(options.drop or ()) or None,
        "group_column": options.group,
        "time_column": options.time_column,
        "split": options.split,
        "positive_class": options.positive,
        "false_negative_cost": options.miss_cost,
        "seed": options.seed,
        "interpretable": options.interpretable or None,
        "increasing": tuple(options.increasing or ()) or None,
        "decreasing": tuple(options.decreasing or ()) or None,
        "fair_to": tuple(options.fair_to or ()) or None,
        "query": options.query,
        "sheet": options.sheet,
        "main": options.main,
        "planner": options.planner,
        "llm": options.llm,
    }
    known = {name: value for name, value in given.items() if value is not None}
    return TaskOptions(**read_contracts(known))


def _asker(options: RunOptions) -> Callable[[Any], str] | None:
    """Return how questions are answered: by a person, by the best guess, or not at all."""
    if options.yes:
        return lambda question: str(question.candidates[0])
    if options.json or options.quiet or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    return _ask


def _ask(question: Any) -> str:
    """Put a question to the person at the terminal; Enter takes the first answer."""
    lines = [question.text]
    lines += [f"  {number}. {one}" for number, one in enumerate(question.candidates, 1)]
    sys.stderr.write("\n".join(lines) + "\n")
    prompt = say(en="Number or name", zh="编号或名称")
    reply = str(typer.prompt(prompt, default="1", err=True)).strip()
    chosen = reply.isdigit() and 1 <= int(reply) <= len(question.candidates)
    return str(question.candidates[int(reply) - 1]) if chosen else reply


def result(predictor: Predictor, facts: RunFacts, out: Path | None) -> Answer:
    """Return the end of a run: its figures, and what to do next."""
    saved = predictor.save(out) if out is not None else None
    board = predictor.leaderboard()
    end = facts.finished
    data = {
        "run": predictor.run_dir,
        "model": saved if saved is not None else facts.saved.get("path", predictor.run_dir),
        "metric": predictor.spec.metric.value,
        "score": end.get("score"),
        "trials": end.get("trials"),
        "elapsed_s": end.get("elapsed_s"),
        "stopped_by": predictor.stopped_by,
        "task": predictor.spec,
        "leaderboard": board,
        "receipts": predictor.receipts,
    }
    return Answer(data, _summary(data))


def _summary(data: dict[str, Any]) -> Any:
    """Return the end of a run for a person: score, the best few, where things are, what next."""
    from rich.console import Group

    from autoglm.cli._console import frame_table, shown

    model = shlex.quote(_near(data["model"]))
    run = _near(data["run"])
    score = f"{data['metric']} {shown(data['score'])}"
    rows = [say(en=f"Best: {score}", zh=f"最佳:{score}")]
    if data["stopped_by"] == "interrupt":
        rows.append(say(en="Stopped by Ctrl-C; this is the best model so far.",
                        zh="已按 Ctrl-C 停止;这是目前最好的模型。"))  # fmt: skip
    if _only_a_guess(data["leaderboard"]):
        rows.append(
            say(
                en="! The time was too short for a model; this is a constant guess. "
                "Give more: --time 30s",
                zh="! 时间太短,没有得到模型,这只是常数猜测。请给更多时间:--time 30s",
            )
        )
    return Group(
        *rows,
        frame_table(data["leaderboard"], rows=8),
        say(en=f"Run:     {run}", zh=f"运行:{run}"),
        say(en=f"Model:   {model}", zh=f"模型:{model}"),
        say(
            en=f"Predict: autoglm predict {model} NEW_FILE",
            zh=f"预测:autoglm predict {model} 新文件",
        ),
        say(en=f"Report:  autoglm report {model}", zh=f"报告:autoglm report {model}"),
    )


def _only_a_guess(board: Any) -> bool:
    """Return whether nothing but the constant learner is in the model."""
    chosen = board["learner"][board["weight"] > 0] if "weight" in board else ()
    return set(chosen) - {"ensemble"} == {"constant"}


def _near(path: Path | str) -> str:
    """Return a path as it reads from the working folder, when it lies in it."""
    path = Path(path)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
