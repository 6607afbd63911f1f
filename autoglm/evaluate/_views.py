"""From facts to what the report's template shows: words and small charts, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autoglm.core.spec import TaskSpec
from autoglm.core.text import say
from autoglm.dataflow.profile import ColumnProfile, TableProfile
from autoglm.evaluate._svg import number, percent, shorten
from autoglm.evaluate.advice import group_title, stress_title
from autoglm.evaluate.facts import Candidate, Computed, Receipt, ReportFacts, Spot
from autoglm.evaluate.metrics import Metric
from autoglm.evaluate.strips import bar_strip, quantile_strip, share_strip

MAX_COLUMNS = 60
MAX_CANDIDATES = 25
MAX_IMPORTANCE = 20
MAX_GROUPS = 12
MAX_SPOTS = 15


@dataclass(frozen=True)
class Row:
    """One row of a table: words, a chart, and a mark.

    Attributes
    ----------
    cells
        The words, in the order of the table's columns.
    chart
        An inline SVG, or "".
    mark
        "good", "bad", "muted" or "".
    tip
        Shown when the pointer rests on it.
    """

    cells: tuple[str, ...]
    chart: str = ""
    mark: str = ""
    tip: str = ""


def task_rows(spec: TaskSpec) -> list[Row]:
    """Return field, value, source and reason of every decision that says something."""
    rows = []
    for name, (en, zh) in _FIELDS.items():
        decision: Any = getattr(spec, name)
        if decision.source == "default" and decision.value in (None, False, ()):
            continue
        cells = (say(en=en, zh=zh), _shown(decision.value), _source(decision.source))
        rows.append(Row((*cells, decision.reason), mark="muted" if not decision.reason else ""))
    return rows


_FIELDS: dict[str, tuple[str, str]] = {
    "target": ("Target", "目标"),
    "task_type": ("Kind of task", "任务类型"),
    "metric": ("Metric", "指标"),
    "positive_class": ("Positive class", "正类"),
    "false_negative_cost": ("Cost of a miss", "漏报代价"),
    "split": ("Split", "划分方式"),
    "group_column": ("Group column", "分组列"),
    "time_column": ("Time column", "时间列"),
    "drop_columns": ("Left out", "不用的列"),
    "time_limit_s": ("Time limit, s", "时限（秒）"),
    "latency_ms": ("Latency, ms", "延迟（毫秒）"),
    "size_mb": ("Size, MB", "大小（MB）"),
    "memory_mb": ("Memory, MB", "内存（MB）"),
    "prefer": ("Prefer", "偏好"),
    "interpretable": ("Interpretable", "可解释"),
    "increasing": ("Rises with", "随之上升"),
    "decreasing": ("Falls with", "随之下降"),
    "fair_to": ("Fair to groups of", "公平对待"),
    "seed": ("Seed", "随机种子"),
}


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return say(en="yes", zh="是") if value else say(en="no", zh="否")
    return number(value) if isinstance(value, float) else task_word(str(value))


def task_word(word: str) -> str:
    """Return a fixed word of the spec in the current language; others as they are."""
    words = {
        "binary": say(en="two classes", zh="二分类"),
        "multiclass": say(en="several classes", zh="多分类"),
        "regression": say(en="number (regression)", zh="数值（回归）"),
        "stratified": say(en="random, classes balanced", zh="分层随机"),
        "random": say(en="random", zh="随机"),
        "grouped": say(en="by group", zh="按组"),
        "time": say(en="by time", zh="按时间"),
    }
    return words.get(word, word)


def _source(source: str) -> str:
    words = {
        "user": say(en="you", zh="你指定"),
        "sentence": say(en="sentence", zh="句子"),
        "profile": say(en="data", zh="数据"),
        "config": say(en="settings", zh="设置"),
        "model": say(en="language model", zh="语言模型"),
        "default": say(en="default", zh="默认"),
    }
    return words.get(source, source)


# --- data -------------------------------------------------------------------------------


def column_rows(profile: TableProfile, target: str, first: Sequence[str] = ()) -> list[Row]:
    """Return name, kind, missing, distinct and content of the columns: target, then `first`."""
    names = [target, *first, *profile.columns]
    known = [n for n in dict.fromkeys(names) if n in profile.columns]
    rows = []
    for name in known[:MAX_COLUMNS]:
        column = profile.columns[name]
        missing = percent(column.missing_share) if column.n_missing else "0"
        cells = (name, kind_word(column.kind), missing, f"{column.n_unique:,}", _content(column))
        mark = "target" if name == target else "bad" if column.missing_share > 0.5 else ""
        rows.append(Row(cells, _strip(column), mark, ", ".join(column.examples)))
    return rows


def kind_word(kind: str) -> str:
    """Return the kind of a column in the current language."""
    words = {
        "number": say(en="number", zh="数值"),
        "boolean": say(en="yes/no", zh="是否"),
        "date": say(en="date", zh="日期"),
        "category": say(en="category", zh="类别"),
        "text": say(en="text", zh="文本"),
        "id": say(en="id", zh="标识"),
        "constant": say(en="constant", zh="常量"),
    }
    return words.get(kind, kind)


def _content(column: ColumnProfile) -> str:
    if column.kind == "date":
        return f"{(column.first_date or '–')[:10]} … {(column.last_date or '–')[:10]}"
    if column.kind == "number" and column.mean is not None:
        low, high, middle = (number(v, 3) for v in (column.min, column.max, _mean(column)))
        return f"{low} … {high}, " + say(en=f"mean {middle}", zh=f"均值 {middle}")
    if column.kind == "text":
        size = number(column.mean_characters, 2)
        return say(en=f"{size} characters on average", zh=f"平均 {size} 个字符")
    if column.kind == "id":
        return ", ".join(shorten(e, 18) for e in column.examples[:3])
    total = max(column.n_rows - column.n_missing, 1)
    shown = [f"{shorten(v, 18)} {percent(n / total, 0)}" for v, n in column.top[:3]]
    return ", ".join(shown) or ", ".join(shorten(e, 18) for e in column.examples[:2])


def _mean(column: ColumnProfile) -> float:
    """Return the mean, 0 where it is nothing but rounding of a centred column."""
    mean, size = column.mean or 0.0, max(abs(column.min or 0.0), abs(column.max or 0.0))
    return 0.0 if abs(mean) < 1e-9 * size else mean


def _strip(column: ColumnProfile) -> str:
    if column.kind == "number" and len(column.quantiles) == 7:
        return quantile_strip(column.quantiles)
    total = max(column.n_rows - column.n_missing, 1)
    if column.kind in ("category", "boolean") and column.top:
        return share_strip([(v, n / total) for v, n in column.top[:8]])
    return ""


# --- the search -------------------------------------------------------------------------


def candidate_rows(candidates: Sequence[Candidate], metric: Metric) -> list[Row]:
    """Return rank, learner, score, seconds, folds and weight, the best first."""
    ranked = sorted(candidates, key=lambda c: -_utility(metric, c.score))
    scores = [_utility(metric, c.score) for c in ranked if c.score is not None]
    scores = scores[: max(1, round(0.75 * len(scores)))]  # the poorest would flatten the bars
    low, high = (min(scores), max(scores)) if scores else (0.0, 1.0)
    rows = []
    for rank, c in enumerate(ranked[:MAX_CANDIDATES], 1):
        cells = (str(rank), c.learner, number(c.score), number(c.seconds, 3),
                 "–" if c.folds is None else str(c.folds), _milliseconds(c.predict_ms),
                 percent(c.weight, 0) if c.weight else "")  # fmt: skip
        rows.append(Row(cells, _score_bar(_utility(metric, c.score), low, high),
                        "good" if c.weight else "", _params(c)))  # fmt: skip
    return rows


def _utility(metric: Metric, score: float | None) -> float:
    return metric.to_utility(float("nan") if score is None else score)


def _score_bar(utility: float, low: float, high: float) -> str:
    if utility == float("-inf") or high <= low:
        return ""
    # The shortest bar shown keeps a stump, so that it is seen to be there.
    return bar_strip(max(0.06, 0.1 + 0.9 * (utility - low) / (high - low)), 1.0)


def _milliseconds(value: float | None) -> str:
    if value is not None and 0 < value < 0.001:
        return "< 0.001"
    return number(value, 2)


def _params(candidate: Candidate) -> str:
    def shown(value: Any) -> str:
        return number(value, 3) if isinstance(value, float) else str(value)

    return ", ".join(f"{name} {shown(value)}" for name, value in candidate.params.items())


def frontier_rows(spots: Sequence[Spot]) -> list[Row]:
    """Return model, score, loss, latency, size, cost and role of what is worth choosing."""
    kept = [s for s in spots if s.frontier or s.chosen]
    rows = []
    for spot in sorted(kept, key=lambda s: s.latency_ms)[:MAX_SPOTS]:
        about = "" if spot.measured else "≈ "
        cells = (spot.model, number(spot.score), percent(max(spot.loss, 0.0)),
                 about + number(spot.latency_ms, 2), number(spot.size_mb, 2),
                 number(spot.cost_s, 2), spot.chosen)  # fmt: skip
        rows.append(Row(cells, mark="good" if spot.chosen else ""))
    return rows


# --- behaviour --------------------------------------------------------------------------


def importance_rows(facts: ReportFacts) -> list[Row]:
    """Return column and loss of score, with bars, the most important first."""
    shown = list(facts.importance)[:MAX_IMPORTANCE]
    if not shown:
        return []
    high = max(max(i.mean + (i.std or 0.0) for i in shown), 1e-12)
    low = min(min(i.mean - (i.std or 0.0) for i in shown), 0.0)
    places = int(np.clip(2 - np.floor(np.log10(high)), 0, 6))  # alike, so that they compare
    return [
        Row((i.column, f"{i.mean:,.{places}f}".replace("-", "−")
             + (f" ± {i.std:,.{places}f}" if i.std else "")),
            bar_strip(i.mean, high, low, i.std), "muted" if i.mean <= 0 else "")
        for i in shown
    ]  # fmt: skip


def stress_rows(facts: ReportFacts) -> list[Row]:
    """Return damage, its size, clean and noisy score, what is kept, and labels kept if any."""
    labels = any(s.agreement is not None for s in facts.robustness)
    return [
        Row((stress_title(s.name), _level(s.name, s.level), number(s.clean), number(s.noisy),
             percent(s.ratio), *([percent(s.agreement)] if labels else [])),
            "" if s.ratio is None else bar_strip(min(max(s.ratio, 0.0), 1.0), 1.0),
            "bad" if s.ratio is not None and s.ratio < 0.95 else "")
        for s in facts.robustness
    ]  # fmt: skip


def _level(name: str, level: float) -> str:
    if name == "number_noise":
        return say(en=f"{number(level)} standard deviations", zh=f"{number(level)} 倍标准差")
    if name == "text_typos":
        return say(en=f"{percent(level)} of characters", zh=f"{percent(level)} 的字符")
    return say(en=f"{percent(level)} of cells", zh=f"{percent(level)} 的单元格")


def group_rows(facts: ReportFacts) -> list[Row]:
    """Return column, group, rows, score and gap of the groups most surely below the rest."""
    worst = sorted(facts.subgroups, key=lambda g: g.z)[:MAX_GROUPS]
    return [
        Row((g.column, group_title(g), f"{g.n_rows:,}", number(g.score), _signed(g.gap),
             _signed(g.z, 2)),
            mark="bad" if g.z < -3 else "")
        for g in worst
    ]  # fmt: skip


def _signed(value: float, digits: int = 3) -> str:
    return ("+" if value > 0 else "−" if value < 0 else "") + number(abs(value), digits)


def receipt_rows(receipts: Sequence[Receipt]) -> list[Row]:
    """Return limit, planned, measured, the same of the fast output, and verdict."""
    rows = []
    for r in receipts:
        planned = say(en="no limit", zh="不限") if r.planned is None else number(r.planned, 3)
        if r.name == "score":
            planned = ""
        mark = {None: "muted", True: "good", False: "bad"}[r.kept]
        fast = "" if r.fast is None else number(r.fast, 4 if r.name == "score" else 3)
        actual = number(r.actual, 4 if r.name == "score" else 3)
        rows.append(Row((receipt_title(r.name), planned, actual, fast, _verdict(r)), mark=mark))
    return rows


def computed_rows(computed: Sequence[Computed]) -> list[Row]:
    """Return expression, reason, gain and cost of each computed column."""
    return [
        Row((
            one.text,
            one.reason,
            "" if one.gain is None else percent(one.gain, 2),
            "" if one.cost_ms is None else number(one.cost_ms, 3),
        ))
        for one in computed
    ]  # fmt: skip


def _verdict(receipt: Receipt) -> str:
    """Return whether a limit was kept, and if not by how much it was missed and what keeps it."""
    if receipt.over is None or receipt.planned is None:
        return say(en="kept", zh="达标") if receipt.kept else ""
    over = number(receipt.over, 2)
    if receipt.planned > 0:
        over += f" ({percent(receipt.over / receipt.planned, 0)})"
    words = say(en=f"missed by {over}; this is the nearest that was reached",
                zh=f"超出 {over}；这是能达到的最接近值")  # fmt: skip
    if receipt.fast is not None and receipt.fast <= receipt.planned:
        words += say(en="; the fast output keeps it", zh="；fast 输出达标")
    return words


def receipt_title(name: str) -> str:
    """Return what a limit is called, in the current language."""
    words = {
        "time_s": say(en="Time, s", zh="时间（秒）"),
        "latency_ms": say(en="One row, ms", zh="单行预测（毫秒）"),
        "size_mb": say(en="Model, MB", zh="模型大小（MB）"),
        "memory_mb": say(en="Memory, MB", zh="内存（MB）"),
        "selection_gap": say(en="Gap between groups", zh="各组入选率差距"),
        "against_directions": say(en="Steps against a direction", zh="违反方向的步数占比"),
        "score": say(en="Expected score", zh="预期得分"),
    }
    return words.get(name, name)


def stop_word(stopped_by: str) -> str:
    """Return why the search ended, in the current language."""
    words = {
        "time": say(en="the time was up", zh="时间用完"),
        "trials": say(en="all trials asked for were made", zh="试验次数用完"),
        "patience": say(en="nothing got better any more", zh="不再有提升"),
        "interrupt": say(en="it was interrupted", zh="被中断"),
    }
    return words.get(stopped_by, stopped_by)


def finding_rows(facts: ReportFacts) -> Iterator[Row]:
    """Yield severity, column, message and what was done about it."""
    words = {
        "info": (say(en="note", zh="提示"), "muted"),
        "warning": (say(en="warning", zh="警告"), "warn"),
        "serious": (say(en="serious", zh="严重"), "bad"),
    }
    done = {(a.name, a.column) for a in facts.spec.cleaning}
    for f in facts.findings:
        word, mark = words[f.severity]
        answered = f.action is not None and (f.action.name, f.action.column) in done
        action = f.action.name if answered and f.action is not None else ""
        column = f.column if f.column and f.column not in f.message else ""
        yield Row((word, column, f.message, action), mark=mark)
