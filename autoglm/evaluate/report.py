"""The report of a run: one HTML file that needs nothing but a browser.

No scripts, no fonts or images from elsewhere; a content security policy in the page allows
only its own style sheet. Every value is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.core.text import Language, say, use_language
from autoglm.evaluate import _views as views
from autoglm.evaluate import charts
from autoglm.evaluate._meaning import meaning
from autoglm.evaluate._scores import confusion
from autoglm.evaluate._svg import number, percent
from autoglm.evaluate.advice import advise
from autoglm.evaluate.assess import (
    all_scores,
    as_needed,
    baseline_score,
    class_scores,
    confidence,
    score_interval,
)
from autoglm.evaluate.facts import ReportFacts
from autoglm.evaluate.metrics import Metric, metric
from autoglm.evaluate.strips import bar_strip
from autoglm.evaluate.threshold import LabelRule

Array = NDArray[Any]

_TEMPLATES = Path(__file__).parent / "templates"
_MAX_MATRIX = 12


@dataclass(frozen=True)
class Figure:
    """A chart with its heading and a sentence on how to read it."""

    title: str
    svg: str
    note: str


@dataclass(frozen=True)
class Tile:
    """A figure at the head of the report."""

    label: str
    value: str
    note: str = ""


def render_report(facts: ReportFacts, language: Language | None = None) -> str:
    """Return the report as one self-contained HTML page.

    Parameters
    ----------
    facts
        What the run found; parts that are absent are left out.
    language
        "en" or "zh"; that of the task's sentence when None.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (_TEMPLATES / "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    environment.filters |= {"code": _code, "soft": _soft}
    with use_language(language or facts.spec.language):
        page = environment.get_template("report.html.j2").render(
            **_context(facts),
            t=lambda en, zh: say(en=en, zh=zh),
            style=style,
            policy=f"default-src 'none'; style-src 'sha256-{digest}'",
            lang="zh-CN" if say(en="en", zh="zh") == "zh" else "en",
        )
    # NUL and lone surrogates may stand in a table's cells; no file of UTF-8 text holds them.
    return page.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _code(words: str) -> str:
    """Escape words and set what stands in backticks as code."""
    from markupsafe import Markup, escape

    parts = str(escape(words)).split("`")
    if len(parts) % 2 == 0:
        return Markup("`").join(Markup(p) for p in parts)
    return Markup("".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(parts)))


def _soft(words: str) -> str:
    """Escape words and let long names break after an underscore or a dot."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"(?<=\w)([_.])(?=[^\W\d])", r"\1<wbr>", str(escape(words))))


def _context(facts: ReportFacts) -> dict[str, Any]:
    spec = facts.spec
    wanted = metric(spec.metric.value, false_negative_cost=spec.false_negative_cost.value)
    evidence = _Evidence.of(facts, wanted)
    if evidence is not None and (facts.score is None or wanted.needs == "label"):
        facts = replace(facts, score=evidence.score)
    important = [i.column for i in facts.importance]
    profile = facts.profile
    return {
        "facts": facts,
        "created": facts.created.replace("T", " ").replace("+00:00", " UTC"),
        "spec": spec,
        "metric": wanted,
        "headline": "" if facts.score is None else meaning(wanted, facts.score),
        "tiles": _tiles(facts, wanted, evidence),
        "figures": [] if evidence is None else _figures(evidence),
        "scores": [] if evidence is None else _score_rows(facts, evidence),
        "class_rows": [] if evidence is None else _class_rows(evidence),
        "history": _history(facts, wanted),
        "task": views.task_rows(spec),
        "columns": views.column_rows(profile, spec.target.value, important) if profile else [],
        "findings": list(views.finding_rows(facts)),
        "computed": views.computed_rows(facts.computed),
        "candidates": views.candidate_rows(facts.leaderboard, wanted),
        "importance": views.importance_rows(facts),
        "stresses": views.stress_rows(facts),
        "groups": views.group_rows(facts),
        "receipts": views.receipt_rows(facts.receipts),
        "frontier": views.frontier_rows(facts.frontier),
        "frontier_chart": _frontier(facts, wanted),
        "stopped": views.stop_word(facts.stopped_by),
        "card": _card(facts),
        "advice": advise(facts),
        "kind": views.task_word(spec.task_type.value),
    }


@dataclass(frozen=True)
class _Evidence:
    """Truth and out-of-fold prediction with what can be read off them."""

    task_type: str
    y: Array
    prediction: Array
    names: tuple[str, ...]
    rule: LabelRule
    metric: Metric
    score: float
    margin: float
    baseline: float

    @classmethod
    def of(cls, facts: ReportFacts, wanted: Metric) -> _Evidence | None:
        """Return it for the rows that have a finite prediction; None when there are none."""
        if facts.y is None or facts.prediction is None:
            return None
        y, prediction = np.asarray(facts.y), np.asarray(facts.prediction, dtype=np.float64)
        finite = np.isfinite(prediction)
        known = finite.all(axis=1) if prediction.ndim == 2 else finite
        y, prediction = y[known], prediction[known]
        if not len(y):
            return None
        k = prediction.shape[1] if prediction.ndim == 2 else 1
        names = [str(name) for name in facts.classes][:k]
        names += [str(code) for code in range(len(names), k)]
        rule = facts.rule or LabelRule()
        needed = as_needed(wanted, prediction, rule)
        return cls(
            facts.spec.task_type.value, y, prediction, tuple(names), rule, wanted,
            wanted.score(y, needed), score_interval(wanted, y, needed),
            baseline_score(wanted, y, k),
        )  # fmt: skip

    @property
    def labels(self) -> Array:
        """The (n,) class codes under the rule."""
        return self.rule.labels(self.prediction)


def _tiles(facts: ReportFacts, wanted: Metric, evidence: _Evidence | None) -> list[Tile]:
    tiles = []
    if facts.score is not None:
        margin = "" if evidence is None else f"± {number(evidence.margin, 2)}"
        tiles.append(Tile(wanted.title, number(facts.score), margin))
    if evidence is not None:
        better = say(en="higher is better", zh="越高越好")
        lower = say(en="lower is better", zh="越低越好")
        tiles.append(Tile(say(en="A constant guess", zh="常数猜测"), number(evidence.baseline),
                          better if wanted.greater_is_better else lower))  # fmt: skip
    if facts.profile is not None:
        rows = f"{facts.profile.n_rows:,} × {facts.profile.n_columns:,}"
        tiles.append(Tile(say(en="Rows × columns", zh="行 × 列"), rows))
    for receipt in facts.receipts:
        if receipt.actual is not None and receipt.name != "score" and len(tiles) < 6:
            limit = number(receipt.planned, 3)
            note = "" if receipt.planned is None else say(en=f"of {limit}", zh=f"上限 {limit}")
            tiles.append(Tile(views.receipt_title(receipt.name), number(receipt.actual, 3), note))
    return tiles


def _figures(evidence: _Evidence) -> list[Figure]:
    if evidence.task_type == "regression":
        return _number_figures(evidence)
    if evidence.prediction.shape[1] == 2:
        return _two_class_figures(evidence)
    return [_calibration_figure(evidence), *_matrix_figure(evidence)]


def _two_class_figures(e: _Evidence) -> list[Figure]:
    ranking, name = charts.Ranking(e.y, e.prediction[:, 1]), e.names[1]
    cut = number(e.rule.threshold, 3)
    figures = [
        Figure(say(en="ROC curve", zh="ROC 曲线"), charts.roc_chart(ranking, e.rule.threshold),
               say(en=f"The dot is the threshold in use, {cut}.", zh=f"圆点为当前阈值 {cut}。")),
        Figure(say(en="Precision and recall", zh="精确率与召回率"),
               charts.precision_recall_chart(ranking, e.rule.threshold),
               say(en="The dashed line is guessing: the share of positives.",
                   zh="虚线为随机猜测，即正例占比。")),
        _calibration_figure(e),
        Figure(say(en="Which threshold", zh="阈值取舍"),
               charts.threshold_chart(ranking, e.rule.threshold),
               say(en=f"“{name}” is said from {cut} on.", zh=f"概率达到 {cut} 即判为“{name}”。")),
        Figure(say(en="How far the classes part", zh="类别区分度"),
               charts.scores_chart(e.y, e.prediction[:, 1], e.names),
               say(en="The less the two overlap, the better.", zh="两种颜色重叠越少越好。")),
    ]  # fmt: skip
    return figures + _matrix_figure(e)


def _calibration_figure(e: _Evidence) -> Figure:
    score, hit = confidence(e.y, e.prediction)
    note = say(en="On the diagonal a stated 70 % comes true 7 times in 10; the band is chance.",
               zh="落在对角线上时，预测 70 % 的事约七成发生；色带为抽样误差。")  # fmt: skip
    return Figure(say(en="Calibration", zh="校准"), charts.calibration_chart(score, hit), note)


def _matrix_figure(e: _Evidence) -> list[Figure]:
    if len(e.names) > _MAX_MATRIX:
        return []
    counts = confusion(e.y, e.labels, n_classes=len(e.names))
    note = say(en="Shares are of each true class.", zh="百分比为占该真实类别的比例。")
    title = say(en="Confusion matrix", zh="混淆矩阵")
    return [Figure(title, charts.confusion_chart(counts, e.names), note)]


def _number_figures(e: _Evidence) -> list[Figure]:
    y, value = e.y.astype(np.float64), e.prediction
    within = say(en="The utmost half per cent on either side is not drawn.",
                 zh="两端各 0.5 % 的极值未画出。")  # fmt: skip
    return [
        Figure(say(en="Predicted against true", zh="预测值与真实值"), charts.truth_chart(y, value),
               say(en="On the dashed line a prediction is exact.", zh="落在虚线上即完全准确。")),
        Figure(say(en="Errors by predicted value", zh="误差与预测值"),
               charts.residual_chart(y, value),
               say(en="Line: median error; band: the middle 80 %.",
                   zh="实线为误差中位数，色带为中间 80 %。")),
        Figure(say(en="Distribution of errors", zh="误差分布"), charts.error_chart(y, value),
               within),
    ]  # fmt: skip


def _score_rows(facts: ReportFacts, e: _Evidence) -> list[views.Row]:
    scores = all_scores(facts.spec.task_type.value, e.y, e.prediction, e.rule)
    if e.metric.name not in scores:
        scores = {e.metric.name: e.score} | scores
    rows = []
    for name, score in scores.items():
        shown = e.metric if name == e.metric.name else metric(name)
        guess = baseline_score(shown, e.y, len(e.names) or 1)
        mark = "target" if name == e.metric.name else ""
        rows.append(views.Row((shown.title, number(score), number(guess)), mark=mark))
    return rows


def _class_rows(e: _Evidence) -> list[views.Row]:
    if e.task_type == "regression" or len(e.names) < 3:
        return []
    found = sorted(class_scores(e.y, e.labels, e.names), key=lambda c: -c.n_rows)
    return [
        views.Row((c.name, f"{c.n_rows:,}", percent(c.precision), percent(c.recall)),
                  bar_strip(c.recall, 1.0))
        for c in found[: views.MAX_CANDIDATES]
    ]  # fmt: skip


def _history(facts: ReportFacts, wanted: Metric) -> str:
    steps = [(s.elapsed_s, s.score, s.learner) for s in facts.history if np.isfinite(s.score)]
    if len(steps) < 2:
        return ""
    return charts.history_chart(steps, wanted.title, wanted.greater_is_better)


def _frontier(facts: ReportFacts, wanted: Metric) -> str:
    spots = [s for s in facts.frontier if np.isfinite(s.score)]
    if len(spots) < 2:
        return ""
    return charts.frontier_chart(spots, wanted.title, wanted.greater_is_better)


def _card(facts: ReportFacts) -> list[tuple[str, str]]:
    """Return the model card: what it is for, made of, measured on, and not good for."""
    spec = facts.spec
    target, kind = spec.target.value, views.task_word(spec.task_type.value)
    rows = [
        (say(en="Intended use", zh="用途"),
         spec.description or say(en=f"Predict “{target}”.", zh=f"预测“{target}”。")),
        (say(en="Predicts", zh="预测"), f"{target} · {kind}"),
        (say(en="Made of", zh="构成"), _members(facts)),
        (say(en="Measured on", zh="评估方式"), _measured(facts)),
        (say(en="Stopped because", zh="停止原因"), views.stop_word(facts.stopped_by)),
    ]  # fmt: skip
    made_of = _members(facts)
    rows += [
        (_fact_title(name), value if isinstance(value, str) else number(value, 6))
        for name, value in facts.model.items()
        if name != "learners" or not made_of
    ]
    rows.append((say(en="Limits", zh="局限"), _limits()))
    return [(name, value) for name, value in rows if value]


def _fact_title(name: str) -> str:
    titles = {
        "learners": say(en="Learners", zh="学习器"),
        "models": say(en="Fitted models", zh="模型数"),
        "features": say(en="Features", zh="特征数"),
        "rows": say(en="Training rows", zh="训练行数"),
        "python": "Python",
        "version": say(en="Version", zh="版本"),
        "run": say(en="Run", zh="运行"),
    }
    return titles.get(name, name)


def _members(facts: ReportFacts) -> str:
    by_learner: dict[str, float] = {}
    for c in facts.leaderboard:
        if c.weight:
            by_learner[c.learner] = by_learner.get(c.learner, 0.0) + c.weight
    ranked = sorted(by_learner.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {percent(weight, 0)}" for name, weight in ranked)


def _measured(facts: ReportFacts) -> str:
    split = views.task_word(facts.spec.split.value)
    n = 0 if facts.y is None else len(facts.y)
    rows = f"{n:,}" if n else ""
    folds = "" if facts.n_folds is None else say(
        en=f", folds: {facts.n_folds}", zh=f"，折数：{facts.n_folds}"
    )  # fmt: skip
    return say(
        en=f"{rows} rows, each predicted by models that have not seen it; split: {split}{folds}",
        zh=f"{rows} 行，每行都由没见过它的模型预测；划分：{split}{folds}",
    ).strip()


def _limits() -> str:
    parts = (
        say(
            en="Learned from the rows described here; on rows of another kind, place or time the"
            " score may be lower. ",
            zh="模型只学过这里描述的数据；对不同类型、地区或时间的数据，得分可能更低。",
        ),
        say(
            en="Models were chosen and weighted by the same rows they are scored on, so the score"
            " is a little optimistic. ",
            zh="选择与加权模型用的就是打分的这些行，因此得分略偏乐观。",
        ),
        say(
            en="Importance tells what the model uses, not what causes the target.",
            zh="重要性说明模型用了什么，而不是什么导致了目标。",
        ),
    )
    return "".join(parts)
