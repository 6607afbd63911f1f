"""What to try next: rules on the facts of a run, the most useful first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from autoglm.core.text import say
from autoglm.evaluate._svg import number, percent
from autoglm.evaluate.assess import baseline_score, calibration_error
from autoglm.evaluate.facts import ReportFacts
from autoglm.evaluate.metrics import metric
from autoglm.evaluate.robustness import Subgroup


@dataclass(frozen=True)
class Advice:
    """One thing to try.

    Attributes
    ----------
    title
        What to do, in a few words.
    reason
        What in the run says so.
    """

    title: str
    reason: str


def advise(facts: ReportFacts, *, limit: int = 6) -> tuple[Advice, ...]:
    """Return what to try next, most useful first, in the current language."""
    found = [advice for rule in _RULES for advice in rule(facts)]
    if not found:
        found = [Advice(
            say(en="Score it on rows it has never seen", zh="用全新的数据检验"),
            say(en="Nothing in this run stands out. `autoglm evaluate MODEL FILE` does it.",
                zh="本次运行没有明显问题。可用 `autoglm evaluate MODEL FILE` 检验。"),
        )]  # fmt: skip
    return tuple(found[:limit])


def _leaks(facts: ReportFacts) -> Iterator[Advice]:
    for finding in facts.findings:
        if finding.name == "leakage" and finding.action is None:
            column = finding.column or ""
            yield Advice(
                say(en=f"Check that “{column}” is known beforehand",
                    zh=f"确认“{column}”在预测时已知"),
                say(en="Alone it nearly gives the target away. If it is filled in afterwards, leave"
                       " it out with `--drop`.",
                    zh="仅凭这一列几乎就能得出目标。如果它是事后才有的，请用 `--drop` 去掉。"),
            )  # fmt: skip
            return
    gains = [max(i.mean, 0.0) for i in facts.importance]
    if len(gains) > 3 and gains[0] > 0.8 * sum(gains) > 0:
        column = facts.importance[0].column
        yield Advice(
            say(en=f"Check that “{column}” is known beforehand",
                zh=f"确认“{column}”在预测时已知"),
            say(en=f"It carries {percent(gains[0] / sum(gains), 0)} of the importance. That is"
                   " fine only if it is known at the time of prediction.",
                zh=f"它占全部重要性的 {percent(gains[0] / sum(gains), 0)}；"
                   "只有在预测时已知才算正常。"),
        )  # fmt: skip


def _little_signal(facts: ReportFacts) -> Iterator[Advice]:
    if facts.y is None or facts.prediction is None:
        return
    wanted = metric(facts.spec.metric.value,
                    false_negative_cost=facts.spec.false_negative_cost.value)  # fmt: skip
    y, best = np.asarray(facts.y), wanted.to_utility(wanted.bounds[1 if wanted.greater_is_better
                                                                   else 0])  # fmt: skip
    guess = wanted.to_utility(baseline_score(wanted, y, max(len(facts.classes), 1)))
    score = facts.score
    if score is None or not np.isfinite(best) or best <= guess:
        return
    closed = (wanted.to_utility(score) - guess) / (best - guess)
    if closed < 0.1:
        yield Advice(
            say(en="Look for columns that say more", zh="寻找更有信息量的列"),
            say(en=f"The model goes only {percent(max(closed, 0.0), 0)} of the way from a constant"
                   " guess to perfection; more search will hardly change that.",
                zh=f"与常数猜测相比，模型只走了到完美的 {percent(max(closed, 0.0), 0)}；"
                   "再多搜索也难以改变。"),
        )  # fmt: skip


def _more_time(facts: ReportFacts) -> Iterator[Advice]:
    steps = facts.history
    if len(steps) < 4 or facts.stopped_by not in ("time", "interrupt"):
        return
    wanted = metric(facts.spec.metric.value)
    values = [wanted.to_utility(s.score) for s in steps]
    best_at = steps[int(np.argmax(values))].elapsed_s
    if best_at > 0.75 * steps[-1].elapsed_s:
        yield Advice(
            say(en="Give it more time", zh="增加运行时间"),
            say(en=f"The best trial came at second {number(best_at, 3)} of"
                   f" {number(steps[-1].elapsed_s, 3)}: it was still improving."
                   " `autoglm resume RUN --add-time 5m` goes on from here.",
                zh=f"最好的一次出现在第 {number(best_at, 3)} 秒（共"
                   f" {number(steps[-1].elapsed_s, 3)} 秒），仍在进步。"
                   "`autoglm resume RUN --add-time 5m` 可继续。"),
        )  # fmt: skip


def _weak_groups(facts: ReportFacts) -> Iterator[Advice]:
    weak = [g for g in facts.subgroups if g.z < -3 and g.gap < 0]
    if weak:
        group = min(weak, key=lambda g: g.z)
        name = group_title(group)
        yield Advice(
            say(en=f"Collect more rows where “{group.column}” is {name}",
                zh=f"多收集“{group.column}”为“{name}”的数据"),
            say(en=f"There the score is {number(group.score, 3)} on {group.n_rows:,} rows, worse"
                   " than chance explains. Until then, use these predictions with care.",
                zh=f"这 {group.n_rows:,} 行的得分为 {number(group.score, 3)}，差得超出偶然。"
                   "在此之前请谨慎使用这些预测。"),
        )  # fmt: skip


def _few_rows(facts: ReportFacts) -> Iterator[Advice]:
    if facts.y is None or facts.spec.task_type.value == "regression":
        return
    counts = np.bincount(np.asarray(facts.y).astype(np.int64), minlength=len(facts.classes))
    for name, n in sorted(zip(facts.classes, counts, strict=False), key=lambda p: int(p[1]))[:1]:
        if n < 50:
            yield Advice(
                say(en=f"Find more rows of class “{name}”", zh=f"补充类别“{name}”的数据"),
                say(en=f"There are {n} of them; what is learned and measured on so few is rough.",
                    zh=f"目前只有 {n} 行，学到和测到的都很粗略。"),
            )  # fmt: skip


def _fragile(facts: ReportFacts) -> Iterator[Advice]:
    for stress in facts.robustness:
        if stress.ratio is not None and stress.ratio < 0.95:
            what = stress_title(stress.name)
            yield Advice(
                say(en=f"Guard against: {what}", zh=f"注意防范：{what}"),
                say(en=f"Under it the score goes from {number(stress.clean)} to"
                       f" {number(stress.noisy)}. Check incoming rows before they are predicted.",
                    zh=f"得分会从 {number(stress.clean)} 变为 {number(stress.noisy)}。"
                       "请在预测前检查输入数据。"),
            )  # fmt: skip
            return


def stress_title(name: str) -> str:
    """Return what a kind of damage is called, in the current language."""
    titles = {
        "number_noise": say(en="numbers read off inexactly", zh="数值有误差"),
        "category_swap": say(en="categories entered wrongly", zh="类别填错"),
        "missing_cells": say(en="cells left empty", zh="单元格缺失"),
        "text_typos": say(en="text mistyped", zh="文本有错字"),
    }
    return titles.get(name, name)


def group_title(group: Subgroup) -> str:
    """Return what a subgroup is called, in the current language."""
    titles = {
        "missing": say(en="missing", zh="缺失"),
        "present": say(en="present", zh="有值"),
        "yes": say(en="yes", zh="是"),
        "no": say(en="no", zh="否"),
    }
    return titles.get(group.kind, group.group)


def _misleading_metric(facts: ReportFacts) -> Iterator[Advice]:
    if facts.y is None or facts.spec.metric.value != "accuracy":
        return
    share = np.bincount(np.asarray(facts.y).astype(np.int64)).max() / max(len(facts.y), 1)
    if share > 0.8:
        yield Advice(
            say(en="Choose another metric", zh="换一个指标"),
            say(en=f"Always answering the most frequent class is right {percent(share)} of the"
                   " time; balanced_accuracy or average_precision tells more.",
                zh=f"一直回答最常见的类别就有 {percent(share)} 的准确率；"
                   "balanced_accuracy 或 average_precision 更能说明问题。"),
        )  # fmt: skip


def _forecast(facts: ReportFacts) -> Iterator[Advice]:
    if facts.profile is None or facts.spec.split.value not in ("random", "stratified"):
        return
    dates = [c.name for c in facts.profile.columns.values() if c.kind == "date"]
    if dates and dates[0] not in facts.spec.drop_columns.value:
        yield Advice(
            say(en="If it will predict the future, split by time",
                zh="若用于预测未来，请按时间划分"),
            say(en=f"Rows were split at random though “{dates[0]}” is a date; `--time-column`"
                   " scores on later rows only, as in use.",
                zh=f"存在日期列“{dates[0]}”，但数据是随机划分的；"
                   "`--time-column` 会只用较晚的行打分，更接近实际使用。"),
        )  # fmt: skip


def _calibration(facts: ReportFacts) -> Iterator[Advice]:
    if facts.y is None or facts.prediction is None or np.ndim(facts.prediction) != 2:
        return
    error = calibration_error(np.asarray(facts.y), np.asarray(facts.prediction))
    if error > 0.05 and len(facts.y) >= 500:
        heavy = facts.spec.metric.value in ("log_loss", "brier")
        yield Advice(
            say(en="Use the ranking, not the probabilities", zh="看排序，不要直接用概率值"),
            say(en=f"Predicted probabilities are off by {percent(error)} on average.",
                zh=f"预测概率平均偏差 {percent(error)}。")
            + ("" if heavy else say(en=" The metric log_loss would put weight on them.",
                                    zh="改用 log_loss 指标会更重视概率。")),
        )  # fmt: skip


def _idle_columns(facts: ReportFacts) -> Iterator[Advice]:
    idle = [i.column for i in facts.importance
            if i.mean == 0 or (i.std is not None and i.mean + 2 * i.std <= 0)]  # fmt: skip
    if 3 <= len(idle) < len(facts.importance):
        shown = ", ".join(idle[:5]) + (" …" if len(idle) > 5 else "")
        yield Advice(
            say(en=f"Leave out {len(idle)} idle columns", zh=f"去掉 {len(idle)} 个无用的列"),
            say(en=f"Shuffling them costs nothing: {shown}. Fewer inputs are easier to supply.",
                zh=f"打乱它们不影响得分：{shown}。输入越少越容易提供。"),
        )  # fmt: skip


_RULES: tuple[Callable[[ReportFacts], Iterator[Advice]], ...] = (
    _leaks,
    _little_signal,
    _misleading_metric,
    _more_time,
    _weak_groups,
    _few_rows,
    _fragile,
    _forecast,
    _calibration,
    _idle_columns,
)
