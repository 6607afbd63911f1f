"""What a score says, in one sentence for someone who has not met the metric."""

from __future__ import annotations

from math import exp, inf, sqrt

from autoglm.core.text import say
from autoglm.evaluate._svg import number, percent
from autoglm.evaluate.metrics import Metric

_SENTENCES: dict[str, tuple[str, str]] = {
    "roc_auc": (
        "Given one row of each class, the model ranks the positive one higher in {p} of cases.",
        "随机取正、负各一行，模型把正例排在前面的概率是 {p}。",
    ),
    "average_precision": (
        "Going down the ranked rows, {p} of those flagged are truly positive on average.",
        "按概率从高到低排查，平均有 {p} 的标记是真正例。",
    ),
    "log_loss": (
        "The true class gets a probability of {e} on (geometric) average.",
        "真实类别得到的预测概率（几何平均）为 {e}。",
    ),
    "brier": (
        "Probabilities are off by about {r} (root of the mean square).",
        "预测概率的均方根偏差约为 {r}。",
    ),
    "accuracy": ("{p} of rows get the right label.", "{p} 的行判断正确。"),
    "balanced_accuracy": (
        "In an average class, {p} of rows get the right label.",
        "平均每个类别有 {p} 的行判断正确。",
    ),
    "f1": ("Precision and recall combined come to {p}.", "精确率与召回率综合为 {p}。"),
    "f2": (
        "Precision and recall combined, recall counting more, come to {p}.",
        "更看重召回率的综合得分为 {p}。",
    ),
    "precision": (
        "Of the rows called positive, {p} truly are.",
        "判为正例的行中有 {p} 确实是正例。",
    ),
    "recall": ("Of the true positives, {p} are found.", "真正例中有 {p} 被找到。"),
    "mcc": (
        "Labels and truth correlate at {s}; 0 is guessing, 1 is perfect.",
        "预测与真实的相关系数为 {s};0 为猜测，1 为完美。",
    ),
    "cost": (
        "Mistakes cost {s} false alarms a row on average.",
        "平均每行的错误代价相当于 {s} 次误报。",
    ),
    "macro_f1": (
        "F1 comes to {p} on average over classes, rare ones counting as much as common ones.",
        "各类别 F1 的平均值为 {p}，稀有类与常见类同等重要。",
    ),
    "weighted_f1": (
        "F1 comes to {p} on average over classes, weighted by their size.",
        "按类别大小加权的平均 F1 为 {p}。",
    ),
    "roc_auc_ovr": (
        "A row of a class is ranked above a row of another in {p} of cases, for an average class.",
        "平均而言，某类的行排在其他类的行之前的概率是 {p}。",
    ),
    "quadratic_kappa": (
        "Labels agree with the truth at {s}; far misses count more, 0 is chance, 1 is perfect.",
        "预测与真实的一致性为 {s}；差得越远扣分越多，0 为偶然，1 为完美。",
    ),
    "rmse": (
        "A typical prediction is off by {s}, large misses counting more.",
        "典型误差为 {s}，大误差影响更大。",
    ),
    "mae": ("A prediction is off by {s} on average.", "预测平均偏差 {s}。"),
    "r2": ("The model explains {p} of the variation.", "模型解释了 {p} 的变化。"),
    "mape": ("A prediction is off by {p} of the truth on average.", "预测平均偏离真实值 {p}。"),
    "smape": (
        "A prediction is off by {p} of the size of prediction and truth on average.",
        "预测的对称平均百分比误差为 {p}。",
    ),
    "rmsle": (
        "A typical prediction is off by a factor of {f}.",
        "典型误差约为 {f} 倍。",
    ),
    "median_ae": ("Half of the predictions are off by less than {s}.", "一半的预测误差小于 {s}。"),
}


def meaning(metric: Metric, score: float) -> str:
    """Return the sentence, or "" for a metric without one."""
    pair = _SENTENCES.get(metric.name)
    if pair is None or not -inf < score < inf:
        return ""
    return say(en=pair[0], zh=pair[1]).format(
        p=percent(score),
        s=number(score, 3),
        e=percent(exp(-score)),
        r=percent(sqrt(max(score, 0.0))),
        f=number(exp(min(score, 50.0)), 3),
    )
