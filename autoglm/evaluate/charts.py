"""The charts of a report, each from plain arrays to one inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.core.text import say
from autoglm.evaluate._svg import (
    Plot,
    columns,
    compact,
    frame,
    number,
    percent,
    shorten,
    span,
    words_at,
)
from autoglm.evaluate.facts import Spot

Array = NDArray[Any]

_CURVE_POINTS = 160
_CLOUD_POINTS = 1_200
_BINS = 10


class Ranking:
    """Rows of two classes in the order of their probability, highest first.

    Parameters
    ----------
    y
        (n,) codes; 1 is the positive class.
    score
        (n,) probabilities of the positive class.
    """

    def __init__(self, y: Array, score: Array) -> None:
        order = np.argsort(-score, kind="stable")
        high, value = np.asarray(y)[order] == 1, score[order]
        last = np.flatnonzero(np.r_[value[1:] != value[:-1], True])
        self.cut: Array = value[last]
        self.tp: Array = np.cumsum(high)[last]
        self.fp: Array = last + 1 - self.tp
        self.positives, self.negatives = int(high.sum()), int((~high).sum())
        self.recall: Array = self.tp / max(self.positives, 1)
        self.precision: Array = self.tp / (self.tp + self.fp)
        self.false_rate: Array = self.fp / max(self.negatives, 1)

    def at(self, threshold: float) -> int:
        """Return the place of the last row at or above the threshold; -1 for none."""
        return int(np.searchsorted(-self.cut, -threshold, "right")) - 1

    def thin(self, along: Array) -> Array:
        """Return few enough places to draw, evenly along a curve, both ends among them."""
        steps = np.linspace(0.0, float(along[-1]), _CURVE_POINTS)
        places = np.searchsorted(along, steps)
        return np.unique(np.r_[0, np.clip(places, 0, len(along) - 1), len(along) - 1])


def roc_chart(ranking: Ranking, threshold: float) -> str:
    """Draw the ROC curve with the threshold in use."""
    plot = Plot(
        say(en="ROC curve", zh="ROC 曲线"),
        x_title=say(en="false alarms among negatives", zh="假正率"),
        y_title=say(en="positives found", zh="真正率"),
        x_percent=True,
        y_percent=True,
    )
    rows = ranking.thin(ranking.recall + ranking.false_rate)
    xs, ys = np.r_[0.0, ranking.false_rate[rows]], np.r_[0.0, ranking.recall[rows]]
    plot.line(np.array([0, 1]), np.array([0, 1]), "guide", say(en="guessing", zh="随机猜测"))
    plot.area(xs, np.zeros(len(xs)), ys).line(xs, ys)
    at = ranking.at(threshold)
    if at >= 0:
        tip = _threshold_tip(ranking, at, threshold)
        plot.dot(float(ranking.false_rate[at]), float(ranking.recall[at]), "spot", tip, 5)
    return plot.svg()


def precision_recall_chart(ranking: Ranking, threshold: float) -> str:
    """Draw precision against recall with the threshold in use and the share of positives."""
    plot = Plot(
        say(en="precision-recall curve", zh="精确率-召回率曲线"),
        x_title=say(en="recall", zh="召回率"),
        y_title=say(en="precision", zh="精确率"),
        x_percent=True,
        y_percent=True,
    )
    share = ranking.positives / max(ranking.positives + ranking.negatives, 1)
    rows = ranking.thin(ranking.recall)
    xs, ys = ranking.recall[rows], ranking.precision[rows]
    plot.line(np.array([0, 1]), np.array([share, share]), "guide",
              say(en="guessing", zh="随机猜测") + f" {percent(share)}")  # fmt: skip
    plot.area(xs, np.zeros(len(xs)), ys).line(xs, ys)
    at = ranking.at(threshold)
    if at >= 0:
        tip = _threshold_tip(ranking, at, threshold)
        plot.dot(float(ranking.recall[at]), float(ranking.precision[at]), "spot", tip, 5)
    return plot.svg()


def _threshold_tip(ranking: Ranking, at: int, threshold: float) -> str:
    recall, precision = percent(ranking.recall[at]), percent(ranking.precision[at])
    return say(
        en=f"threshold {number(threshold, 3)}: recall {recall}, precision {precision}",
        zh=f"阈值 {number(threshold, 3)}：召回率 {recall}，精确率 {precision}",
    )


def threshold_chart(ranking: Ranking, threshold: float) -> str:
    """Draw precision and recall for every threshold."""
    plot = Plot(
        say(en="precision and recall by threshold", zh="不同阈值下的精确率与召回率"),
        x_title=say(en="threshold", zh="阈值"),
        x_percent=True,
        y_percent=True,
    )
    grid = np.linspace(0.0, 1.0, 101)
    places = np.searchsorted(-ranking.cut, -grid, "right") - 1
    known = places >= 0
    plot.line(grid[known], ranking.precision[places[known]], "line", "")
    plot.line(grid, np.where(known, ranking.recall[np.maximum(places, 0)], 0.0), "line second")
    tip = say(en="in use: ", zh="当前阈值：") + number(threshold, 3)
    plot.line(np.array([threshold] * 2), np.array([0, 1]), "mark", tip)
    plot.legend(
        [("first", say(en="precision", zh="精确率")), ("second", say(en="recall", zh="召回率"))]
    )
    return plot.svg()


def calibration_chart(score: Array, hit: Array) -> str:
    """Draw how often what was predicted with some probability came true.

    Parameters
    ----------
    score
        (n,) predicted probabilities.
    hit
        (n,) whether it came true.
    """
    plot = Plot(
        say(en="calibration", zh="校准曲线"),
        x_title=say(en="predicted probability", zh="预测概率"),
        y_title=say(en="came true", zh="实际发生"),
        x_percent=True,
        y_percent=True,
    )
    plot.line(np.array([0, 1]), np.array([0, 1]), "guide", say(en="perfect", zh="完全校准"))
    xs, ys, counts = calibration_bins(score, hit)
    spread = 1.96 * np.sqrt(np.maximum(ys * (1 - ys), 0.25 / counts) / counts)
    low, high = np.clip(ys - spread, 0, 1), np.clip(ys + spread, 0, 1)
    if len(xs) > 1:
        plot.area(xs, low, high).line(xs, ys)
    for x, y, n in zip(xs, ys, counts, strict=True):
        tip = say(
            en=f"predicted {percent(x)}, came true {percent(y)} of {n:,.0f} rows",
            zh=f"预测 {percent(x)}，实际 {percent(y)}，共 {n:,.0f} 行",
        )
        plot.dot(float(x), float(y), "dot", tip)
    return plot.svg()


def calibration_bins(score: Array, hit: Array) -> tuple[Array, Array, Array]:
    """Return mean prediction, share that came true and rows, of ten bins of equal size."""
    order = np.argsort(score, kind="stable")
    parts = [p for p in np.array_split(order, _BINS) if len(p)]
    xs = np.array([score[p].mean() for p in parts])
    ys = np.array([np.asarray(hit)[p].mean() for p in parts])
    return xs, ys, np.array([float(len(p)) for p in parts])


def scores_chart(y: Array, score: Array, names: Sequence[str]) -> str:
    """Draw the distribution of the probability of class 1 in either class."""
    edges = np.linspace(0.0, 1.0, 25)
    parts = [np.histogram(score[y == c], edges)[0] / max(int((y == c).sum()), 1) for c in (0, 1)]
    plot = Plot(
        say(en="predicted probabilities by class", zh="各类别的预测概率分布"),
        y_range=(0.0, max(float(np.max(parts)), 1e-9) * 1.06),
        x_title=say(en=f"probability of {shorten(names[1], 24)}",
                    zh=f"“{shorten(names[1], 24)}”的概率"),
        y_title=say(en="share of class", zh="类内占比"),
        x_percent=True,
        y_percent=True,
    )  # fmt: skip
    for share, kind, name in zip(parts, ("bar first", "bar second"), names, strict=False):
        for low, high, part in zip(edges[:-1], edges[1:], share, strict=True):
            if part:
                tip = f"{name}, {percent(low, 0)}–{percent(high, 0)}: {percent(part)}"
                plot.bar((float(low), float(high)), (0.0, float(part)), kind, tip)
    return plot.legend([("first", shorten(names[0], 10)), ("second", shorten(names[1], 10))]).svg()


def confusion_chart(counts: Array, names: Sequence[str]) -> str:
    """Draw a confusion matrix: a row for each true class, a column for each label."""
    k = len(counts)
    left, room = 92.0, 300.0
    cell, tall = room / k, min(room / k, 76.0)
    slant = max(columns(name) for name in names) > int(cell / 6.5)
    top = 84.0 if slant else 46.0
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12)
    marks = [
        words_at(left + room / 2, 14, say(en="predicted", zh="预测"), "axis-title", "middle"),
        words_at(4, 14, say(en="true", zh="真实"), "axis-title"),
    ]
    for i in range(k):
        name, middle = names[i], top + tall * (i + 0.5)
        marks.append(words_at(left - 8, middle + 4, shorten(name, 13), "tick", "end"))
        across = left + cell * (i + 0.5)
        marks.append(_heading(across, top - 8, name, slant))
        marks += [
            _cell((left + cell * j, top + tall * i, cell, tall), float(counts[i, j]),
                  float(share[i, j]), (names[i], names[j]))
            for j in range(k)
        ]  # fmt: skip
    title = say(en="confusion matrix", zh="混淆矩阵")
    return frame(title, "".join(marks), height=top + tall * k + 8)


def _heading(x: float, y: float, name: str, slant: bool) -> str:
    if not slant:
        return words_at(x, y, name, "tick", "middle")
    words = words_at(x, y, shorten(name, 11), "tick", "start")
    return words.replace("<text", f'<text transform="rotate(-50 {x:.1f} {y:.1f})"', 1)


def _cell(
    box: tuple[float, float, float, float], count: float, share: float, names: tuple[str, str]
) -> str:
    x, y, wide, high = box
    tip = f"{names[0]} → {names[1]}: {count:,.0f} ({percent(share)})"
    kind = "right" if names[0] == names[1] else "wrong"
    level = round(10 * share)
    place = f'x="{x:.1f}" y="{y:.1f}" width="{wide - 2:.1f}" height="{high - 2:.1f}" rx="2"'
    marks = f'<rect class="cell {kind} level{level}" {place}/>'
    middle, tone = x + wide / 2 - 1, "deep" if level >= 6 else ""
    if wide >= 26:
        lift = 2 if high >= 40 and wide >= 44 else -4
        marks += words_at(middle, y + high / 2 - lift, compact(count), f"count {tone}", "middle")
    if wide >= 44 and high >= 40:
        words = percent(share, 0 if wide < 60 else 1)
        marks += words_at(middle, y + high / 2 + 13, words, f"share {tone}", "middle")
    return f"<g><title>{escape(tip)}</title>{marks}</g>"


# --- numbers ----------------------------------------------------------------------------


def truth_chart(y: Array, value: Array) -> str:
    """Draw predictions against the truth."""
    middle = _core(np.r_[y, value])
    plot = Plot(
        say(en="predicted against true", zh="预测值与真实值"),
        x_range=span(middle),
        y_range=span(middle),
        x_title=say(en="true", zh="真实值"),
        y_title=say(en="predicted", zh="预测值"),
    )
    low, high = span(middle)
    ends = np.array([low, high])
    rows = _thinned(len(y))
    inside = rows[_within(y[rows], (low, high)) & _within(value[rows], (low, high))]
    plot.cloud(y[inside], value[inside])
    return plot.line(ends, ends, "guide", say(en="perfect", zh="完全准确")).svg()


def residual_chart(y: Array, value: Array) -> str:
    """Draw errors against predictions, with the median and middle 80 % of each tenth."""
    error = value - y
    plot = Plot(
        say(en="errors by predicted value", zh="误差与预测值"),
        x_range=span(_core(value)),
        y_range=span(_core(error)),
        x_title=say(en="predicted", zh="预测值"),
        y_title=say(en="predicted − true", zh="预测 − 真实"),
    )
    rows = _thinned(len(y))
    inside = rows[_within(value[rows], plot.x_range) & _within(error[rows], plot.y_range)]
    plot.cloud(value[inside], error[inside])
    plot.line(np.array(plot.x_range), np.zeros(2), "guide")
    order = np.argsort(value, kind="stable")
    parts = [p for p in np.array_split(order, _BINS) if len(p)]
    xs = np.clip([np.median(value[p]) for p in parts], *plot.x_range)
    bands = np.array([np.quantile(error[p], [0.1, 0.5, 0.9]) for p in parts]).T
    low, mid, high = np.clip(bands, *plot.y_range)
    if len(xs) > 1:
        plot.area(xs, low, high).line(xs, mid, tip=say(en="median error", zh="误差中位数"))
    return plot.svg()


def error_chart(y: Array, value: Array) -> str:
    """Draw the distribution of errors."""
    error = value - y
    shown = _core(error)
    counts, edges = np.histogram(shown, 31, range=span(shown, pad=0.0))
    plot = Plot(
        say(en="distribution of errors", zh="误差分布"),
        x_range=(float(edges[0]), float(edges[-1])),
        y_range=(0.0, max(float(counts.max()), 1.0) * 1.06),
        x_title=say(en="predicted − true", zh="预测 − 真实"),
        y_title=say(en="rows", zh="行数"),
    )
    for low, high, n in zip(edges[:-1], edges[1:], counts, strict=True):
        if n:
            tip = f"{number(low, 3)} … {number(high, 3)}: {n:,}"
            plot.bar((float(low), float(high)), (0.0, float(n)), "bar first", tip)
    if edges[0] < 0 < edges[-1]:
        plot.line(np.zeros(2), np.array(plot.y_range), "mark")
    return plot.svg()


def _core(values: Array) -> Array:
    """Return the values without the utmost 0.5 % on either side: they would hide the rest."""
    known = values[np.isfinite(values)]
    if len(known) < 100:
        return np.asarray(known)
    low, high = np.quantile(known, [0.005, 0.995])
    return np.asarray(known[(known >= low) & (known <= high)])


def _within(values: Array, limits: tuple[float, float]) -> Array:
    return np.asarray((values >= limits[0]) & (values <= limits[1]))


def _thinned(n: int) -> Array:
    if n <= _CLOUD_POINTS:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, _CLOUD_POINTS, replace=False))


# --- the search ------------------------------------------------------------------------


def history_chart(
    steps: Sequence[tuple[float, float, str]], title: str, greater_is_better: bool
) -> str:
    """Draw every trial's score and the best so far.

    Parameters
    ----------
    steps
        (elapsed seconds, score, learner) of each trial, in order of time.
    title
        The metric.
    greater_is_better
        Whether the best is the highest.
    """
    times, scores = (np.array([s[i] for s in steps], dtype=np.float64) for i in (0, 1))
    best = np.maximum.accumulate(scores) if greater_is_better else np.minimum.accumulate(scores)
    low, high = span(_near_best(scores, greater_is_better), pad=0.08)
    plot = Plot(
        say(en="score over time", zh="得分随时间的变化"),
        x_range=(0.0, max(float(times.max()), 1e-9) * 1.03),
        y_range=(low, high),
        x_title=say(en="seconds", zh="秒"),
        y_title=title,
    )
    xs = np.r_[np.repeat(times, 2)[1:], plot.x_range[1]]
    plot.line(xs, np.clip(np.repeat(best, 2), low, high))
    for at, score, learner in steps:
        if low <= score <= high:
            plot.dot(at, score, "dot", f"{learner}: {number(score)} ({number(at, 3)} s)", 3)
    return plot.svg()


def _near_best(scores: Array, greater_is_better: bool) -> Array:
    """Return the better three quarters: one poor trial would flatten the curve."""
    order = np.sort(scores)[::-1] if greater_is_better else np.sort(scores)
    return np.asarray(order[: max(2, int(np.ceil(len(order) * 0.75)))])


def frontier_chart(spots: Sequence[Spot], title: str, greater_is_better: bool) -> str:
    """Draw score against latency of what the run could give, with the frontier as a line.

    Parameters
    ----------
    spots
        At least one.
    title
        The metric.
    greater_is_better
        Whether the best score is the highest.
    """
    scores = np.array([s.score for s in spots])
    low, high = span(_near_best(scores, greater_is_better), pad=0.08)
    times = [s.latency_ms for s in spots]
    plot = Plot(
        say(en="score against latency", zh="得分与延迟"),
        x_range=(min(times) / 1.3, max(times) * 1.3),
        y_range=(low, high),
        x_title=say(en="one row, ms", zh="单行预测（毫秒）"),
        y_title=title,
        x_log=True,
    )
    shown = [s for s in spots if low <= s.score <= high]
    edge = _staircase([s for s in shown if s.frontier], greater_is_better)
    if len(edge) > 1:
        xs, ys = np.array([s.latency_ms for s in edge]), np.array([s.score for s in edge])
        plot.line(np.repeat(xs, 2)[1:], np.repeat(ys, 2)[:-1])
    for spot in sorted(shown, key=lambda s: bool(s.chosen)):
        kind = "spot" if spot.chosen else "dot" if spot.frontier else "dot muted"
        plot.dot(spot.latency_ms, spot.score, kind, _spot_tip(spot), 5 if spot.chosen else 3)
        if spot.chosen:
            plot.text(spot.latency_ms, spot.score, " " + spot.chosen, "tick")
    return plot.svg()


def _staircase(spots: Sequence[Spot], greater_is_better: bool) -> list[Spot]:
    """Return the spots that no quicker one reaches, the quickest first."""
    sign = 1.0 if greater_is_better else -1.0
    edge: list[Spot] = []
    for spot in sorted(spots, key=lambda s: (s.latency_ms, -sign * s.score)):
        if not edge or sign * spot.score > sign * edge[-1].score:
            edge.append(spot)
    return edge


def _spot_tip(spot: Spot) -> str:
    took = f"{number(spot.latency_ms, 3)} ms, {number(spot.size_mb, 3)} MB"
    return f"{spot.model}: {number(spot.score)}, {took}"
