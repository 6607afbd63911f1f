"""``predict``, ``evaluate``, ``report``, ``leaderboard``: using a finished model."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from autoglm.cli._options import Answer, Common, Query, Sheet, TableFile
from autoglm.core.text import say

if TYPE_CHECKING:
    import pandas as pd

    from autoglm.predictor import Predictor

_MODEL = say(en="Saved model (folder or .aglm), or a run's folder.",
             zh="保存的模型(文件夹或 .aglm)或运行的文件夹。")  # fmt: skip


_Variant = Annotated[
    Literal["best", "fast"],
    typer.Option(help=say(en="Which of the two outputs of a run: best or fast.",
                          zh="使用运行的哪个输出:best 或 fast。")),
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _ModelAndFile(Common):
    model: Annotated[Path, typer.Argument(help=_MODEL)]
    file: TableFile
    variant: _Variant = "best"
    query: Query = None
    sheet: Sheet = None


@dataclass(frozen=True, kw_only=True)
class PredictOptions(_ModelAndFile):
    """Options of ``autoglm predict``."""

    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help=say(en="Write to this file (.csv, .parquet, .xlsx, ...).",
                                             zh="写入此文件(.csv、.parquet、.xlsx 等)。")),
    ] = None  # fmt: skip
    proba: Annotated[
        bool,
        typer.Option("--proba", help=say(en="Add a probability for each class.",
                                         zh="附上每个类别的概率。")),
    ] = False  # fmt: skip
    keep: Annotated[
        bool,
        typer.Option("--keep", help=say(en="Put the columns of the input in front.",
                                        zh="保留输入的各列。")),
    ] = False  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(_ModelAndFile):
    """Options of ``autoglm evaluate``."""


@dataclass(frozen=True, kw_only=True)
class ReportOptions(Common):
    """Options of ``autoglm report``."""

    model: Annotated[Path, typer.Argument(help=_MODEL)]
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help=say(en="HTML file to write.", zh="写入的 HTML 文件。")),
    ] = Path("autoglm-report.html")


@dataclass(frozen=True, kw_only=True)
class LeaderboardOptions(Common):
    """Options of ``autoglm leaderboard``."""

    run: Annotated[Path, typer.Argument(help=_MODEL)]


def predict(options: PredictOptions) -> Answer:
    """Predict every row of a table with a saved model.

    zh: 用保存的模型预测表中每一行。
    """
    import pandas as pd

    from autoglm.predictor import load

    predictor = load(options.model, variant=options.variant)
    frame = _read(options, predictor)
    made = predictor.predict(frame).to_frame("prediction")
    if options.proba:
        made = pd.concat([made, predictor.predict_proba(frame)], axis=1)
    made.columns = _free_names(made.columns, frame.columns if options.keep else ())
    shown = pd.concat([frame, made], axis=1) if options.keep else made
    if options.out is None:
        return Answer({"rows": len(made), "predictions": made}, shown.to_csv(index=False))
    from autoglm.dataflow.write import write_table

    write_table(shown, options.out)
    where = say(en=f"{len(made)} predictions in {options.out}",
                zh=f"{len(made)} 条预测已写入 {options.out}")  # fmt: skip
    return Answer({"rows": len(made), "out": options.out}, where)


def evaluate(options: EvaluateOptions) -> Answer:
    """Score a saved model on a table that has the target.

    zh: 用带目标列的表给保存的模型打分。
    """
    from autoglm.cli._console import table
    from autoglm.predictor import load

    predictor = load(options.model, variant=options.variant)
    scores = predictor.evaluate(_read(options, predictor))
    heads = (say(en="metric", zh="指标"), say(en="score", zh="得分"))
    return Answer({"metric": predictor.spec.metric.value, "scores": scores},
                  table(heads, scores.items()))  # fmt: skip


def report(options: ReportOptions) -> Answer:
    """Write the report of a model as one HTML file.

    zh: 将模型报告写成一个 HTML 文件。
    """
    from autoglm.cli._console import settings
    from autoglm.predictor import load

    lang = settings(options).settings.lang
    load(options.model).report(options.out, language=None if lang == "auto" else lang)
    where = say(en=f"Report written to {options.out}", zh=f"报告已写入 {options.out}")
    return Answer({"out": options.out}, where)


def leaderboard(options: LeaderboardOptions) -> Answer:
    """Show what was tried and how well it did.

    zh: 显示尝试过的模型及其得分。
    """
    from autoglm.cli._console import frame_table
    from autoglm.predictor import load

    predictor = load(options.run)
    board = predictor.leaderboard()
    data = {"metric": predictor.spec.metric.value, "leaderboard": board}
    return Answer(data, frame_table(board, rows=len(board)))


def _read(options: _ModelAndFile, predictor: Predictor) -> pd.DataFrame:
    from autoglm.cli._console import note
    from autoglm.dataflow.read import read_table

    if Path(options.file).is_dir():
        return predictor.joined(options.file)
    read = read_table(options.file, query=options.query, sheet=options.sheet)
    for line in read.notes:
        note(options, line)
    return read.frame


def _free_names(names: Iterable[object], taken: Iterable[object]) -> pd.Index:
    """Return `names` as text, numbered where an equal one came before or is taken."""
    import pandas as pd

    used = {str(name) for name in taken}
    free: list[str] = []
    for name in map(str, names):
        forms = itertools.chain([name], (f"{name} ({n})" for n in itertools.count(2)))
        free.append(next(form for form in forms if form not in used))
        used.add(free[-1])
    return pd.Index(free)
