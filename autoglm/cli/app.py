"""The program: its commands, and what each kind of failure looks like from outside.

Exit codes: 0 well, 1 a defect of ours, 2 a mistake in the command line, 3 to 12 the errors of
`autoglm.core.errors`, 130 Ctrl-C.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from autoglm.cli import about, data, llm, model, prompt, refine, run, solve
from autoglm.cli._options import add_command
from autoglm.core.errors import AutoGLMError
from autoglm.core.text import say

# Typer's own copy of click or the installed one, whichever this release of typer is built on.
_ClickException: Any = typer.BadParameter.__mro__[2]

_HELP = {"context_settings": {"help_option_names": ["-h", "--help"]}}

app = typer.Typer(
    name="autoglm",
    help=say(
        en="A sentence and a table become a tested model, a report and predictions.",
        zh="一句话加一张表,得到经过检验的模型、报告和预测。",
    ),
    add_completion=False,
    pretty_exceptions_enable=False,
    **_HELP,  # type: ignore[arg-type]
)
data_app = typer.Typer(help=say(en="Look at and convert tables.", zh="查看与转换表格。"), **_HELP)  # type: ignore[arg-type]
app.add_typer(data_app, name="data")
llm_app = typer.Typer(help=say(en="Language models.", zh="语言模型。"), **_HELP)  # type: ignore[arg-type]
app.add_typer(llm_app, name="llm")
prompt_app = typer.Typer(help=say(en="Prompts.", zh="提示。"), **_HELP)  # type: ignore[arg-type]
app.add_typer(prompt_app, name="prompt")

for _function, _options in (
    (run.run, run.RunOptions),
    (model.predict, model.PredictOptions),
    (model.evaluate, model.EvaluateOptions),
    (model.report, model.ReportOptions),
    (model.leaderboard, model.LeaderboardOptions),
    (run.resume, run.ResumeOptions),
    (refine.refine, refine.RefineOptions),
    (solve.solve, solve.SolveOptions),
    (about.models, about.ModelsOptions),
    (about.config, about.ConfigOptions),
):
    add_command(app, _function, _options)  # type: ignore[arg-type]
add_command(data_app, data.profile, data.ProfileOptions)
add_command(data_app, data.convert, data.ConvertOptions)
add_command(llm_app, llm.check, llm.CheckOptions)
add_command(prompt_app, prompt.optimise, prompt.OptimiseOptions)
add_command(prompt_app, prompt.align, prompt.AlignOptions)


def _version(wanted: bool) -> None:
    if wanted:
        from autoglm import __version__

        sys.stdout.write(f"autoglm {__version__}\n")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help=say(en="Version.", zh="版本。")
        ),
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; see the top of this file."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(args=words or ["--help"], prog_name="autoglm", standalone_mode=False)
    except AutoGLMError as error:
        return _fail(words, error.to_dict(), error.exit_code)
    except _ClickException as error:
        return _fail(words, _usage(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except BrokenPipeError:
        # The reader, a pager or `head`, has enough; keep Python from complaining at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the request boundary: no traceback for a person
        return _fail(words, _defect(error), 1)
    if code == 130:  # typer has swallowed the interrupt, or we have
        return _fail(words, _interrupted(), 130)
    return code if isinstance(code, int) else 0


def _interrupted() -> dict[str, Any]:
    return {
        "error": "interrupted",
        "message": say(en="Stopped by Ctrl-C; no model was kept.",
                       zh="已被 Ctrl-C 中止,没有保留模型。"),
        "hint": say(en="A run that had begun goes on with: autoglm resume RUN_FOLDER",
                    zh="已开始的运行可继续:autoglm resume 运行文件夹"),
    }  # fmt: skip


def _fail(words: list[str], facts: dict[str, Any], code: int) -> int:
    """Tell what went wrong: to a person on stderr, to a program as JSON on stdout."""
    if "--json" in words:
        from autoglm.cli._console import print_json

        print_json({"exit_code": code, **facts}, sys.stdout)
    lines = [say(en="Error: ", zh="错误:") + facts["message"], facts.get("hint", "")]
    sys.stderr.write("\n".join(line for line in lines if line) + "\n")
    return code


def _usage(error: Any) -> dict[str, Any]:
    context = getattr(error, "ctx", None)
    path = "autoglm" if context is None else context.command_path
    hint = say(en=f"See: {path} --help", zh=f"用法见:{path} --help")
    return {"error": "usage", "message": error.format_message(), "hint": hint}


def _defect(error: Exception) -> dict[str, Any]:
    """Keep the traceback in a file and name it."""
    handle, name = tempfile.mkstemp(prefix="autoglm-error-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        traceback.print_exception(error, file=file)
    what = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    return {
        "error": "defect",
        "message": say(en=f"This should not happen. {what}", zh=f"程序内部错误。{what}"),
        "hint": say(en=f"Please report it with {name}", zh=f"请附上 {name} 反馈此问题"),
        "traceback": name,
    }
