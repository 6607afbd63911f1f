"""The metrics, by name.

`metric("roc_auc")` gives a `Metric`; its `utility` is always higher for a better
prediction, its `score` is the figure people know. A plug-in adds metrics through the
`autoglm_metrics` hook.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from autoglm.core.errors import ConfigError
from autoglm.core.hooks import hookimpl, manager
from autoglm.core.spec import TaskType
from autoglm.core.text import say
from autoglm.evaluate import _scores as s
from autoglm.evaluate._scores import Array, Weight

Needs = Literal["proba", "label", "value"]
Score = Callable[[Array, Array, Weight], float]
Counts = Callable[[Array, Array, Array, Array], Array]

#: What a miss costs, in false alarms, when the user does not say.
DEFAULT_FALSE_NEGATIVE_COST = 5.0


@dataclass(frozen=True)
class Metric:
    """A way to score predictions.

    Attributes
    ----------
    name
        Unique name, as in `TaskSpec.metric`.
    task_types
        Kinds of task it applies to.
    needs
        What it looks at: "proba" (n, k) probabilities, "label" (n,) class codes, or
        "value" (n,) numbers.
    greater_is_better
        Whether a higher score is a better one.
    function
        The formula, on truth, prediction and weights.
    title_en, title_zh
        What people call it.
    bounds
        Lowest and highest possible score.
    counts
        For labels of two classes: the score from arrays of true positives, false positives,
        false negatives and true negatives, used to choose a threshold. None elsewhere.
    """

    name: str
    task_types: tuple[TaskType, ...]
    needs: Needs
    greater_is_better: bool
    function: Score
    title_en: str
    title_zh: str
    bounds: tuple[float, float]
    counts: Counts | None = None

    @property
    def title(self) -> str:
        """What people call it, in the current language."""
        return say(en=self.title_en, zh=self.title_zh)

    def score(self, y: Array, prediction: Array, weight: Weight = None) -> float:
        """Return the score as people know it.

        Parameters
        ----------
        y
            (n,) class codes 0..k-1, or values in the target's own unit.
        prediction
            (n, k) probabilities, (n,) labels or (n,) values. A label metric given
            probabilities takes the most probable class; a probability metric of two
            classes also takes (n,) probabilities of class 1.
        weight
            (n,) row weights, or None.

        Returns
        -------
        float
            NaN when the prediction holds NaN or there are no rows.
        """
        given = np.asarray(prediction)
        if self.needs == "label" and given.ndim == 2:
            if np.isnan(given).any():
                return float("nan")
            given = given.argmax(axis=1)
        return self.function(np.asarray(y), given, weight)

    def utility(self, y: Array, prediction: Array, weight: Weight = None) -> float:
        """Return the score with its sign turned so that higher is better; -inf for NaN."""
        return self.to_utility(self.score(y, prediction, weight))

    def to_utility(self, score: float) -> float:
        """Return the utility of a score; its own inverse on finite scores."""
        if np.isnan(score):
            return float("-inf")
        return score if self.greater_is_better else -score


def _of_counts(counts: Counts) -> Score:
    return partial(_from_labels, counts=counts)


def _from_labels(y: Array, prediction: Array, weight: Weight = None, *, counts: Counts) -> float:
    (tn, fp), (fn, tp) = s.confusion(y == 1, prediction == 1, weight, n_classes=2)
    return float(counts(np.array(tp), np.array(fp), np.array(fn), np.array(tn)))


_F1: Counts = partial(s.count_f, beta=1.0)
_F2: Counts = partial(s.count_f, beta=2.0)
_F_HALF: Counts = partial(s.count_f, beta=0.5)

_BINARY: tuple[TaskType, ...] = ("binary",)
_CLASSES: tuple[TaskType, ...] = ("binary", "multiclass")
_MULTI: tuple[TaskType, ...] = ("multiclass",)
_NUMBERS: tuple[TaskType, ...] = ("regression",)
_UNIT, _POSITIVE, _CORRELATION = (0.0, 1.0), (0.0, float("inf")), (-1.0, 1.0)


def cost_metric(false_negative_cost: float = DEFAULT_FALSE_NEGATIVE_COST) -> Metric:
    """Return the metric "cost": a false alarm costs 1, a miss `false_negative_cost`.

    Raises
    ------
    ConfigError
        When the cost is not a positive number.
    """
    if not 0 < false_negative_cost < float("inf"):
        raise ConfigError(
            say(en=f"A cost of {false_negative_cost} for a miss makes no sense.",
                zh=f"漏报代价不能是 {false_negative_cost}。"),
            hint=say(en="Give a number above 0, in false alarms.",
                     zh="请给一个大于 0 的数，以误报为单位。"),
        )  # fmt: skip
    counts: Counts = partial(s.count_cost, false_negative_cost=false_negative_cost)
    high = max(1.0, false_negative_cost)
    return Metric("cost", _BINARY, "label", False, _of_counts(counts),
                  "cost per row", "每行代价", (0.0, high), counts)  # fmt: skip


# The last field is what a threshold is chosen by. Recall alone would call every row positive
# and precision alone hardly any, so they are traded off by F2 and F0.5.
_BUILT_IN: tuple[Metric, ...] = (
    Metric("roc_auc", _BINARY, "proba", True, s.roc_auc, "ROC AUC", "ROC AUC", _UNIT),
    Metric("average_precision", _BINARY, "proba", True, s.average_precision,
           "average precision", "平均精确率", _UNIT),
    Metric("log_loss", _CLASSES, "proba", False, s.log_loss, "log loss", "对数损失", _POSITIVE),
    Metric("brier", _BINARY, "proba", False, s.brier, "Brier score", "Brier 分数", _UNIT),
    Metric("accuracy", _CLASSES, "label", True, s.accuracy, "accuracy", "准确率", _UNIT,
           s.count_accuracy),
    Metric("balanced_accuracy", _CLASSES, "label", True, s.balanced_accuracy,
           "balanced accuracy", "平衡准确率", _UNIT, s.count_balanced_accuracy),
    Metric("f1", _BINARY, "label", True, _of_counts(_F1), "F1", "F1", _UNIT, _F1),
    Metric("f2", _BINARY, "label", True, _of_counts(_F2), "F2", "F2", _UNIT, _F2),
    Metric("precision", _BINARY, "label", True, _of_counts(s.count_precision),
           "precision", "精确率", _UNIT, _F_HALF),
    Metric("recall", _BINARY, "label", True, _of_counts(s.count_recall),
           "recall", "召回率", _UNIT, _F2),
    Metric("mcc", _CLASSES, "label", True, s.mcc, "Matthews correlation", "马修斯相关系数",
           _CORRELATION, s.count_mcc),
    cost_metric(),
    Metric("macro_f1", _MULTI, "label", True, s.macro_f1, "macro F1", "宏平均 F1", _UNIT),
    Metric("weighted_f1", _MULTI, "label", True, s.weighted_f1, "weighted F1", "加权 F1", _UNIT),
    Metric("roc_auc_ovr", _MULTI, "proba", True, s.roc_auc_ovr,
           "ROC AUC, one against the rest", "ROC AUC(一对其余)", _UNIT),
    Metric("quadratic_kappa", _MULTI, "label", True, s.quadratic_kappa,
           "quadratic kappa", "二次加权 kappa", _CORRELATION),
    Metric("rmse", _NUMBERS, "value", False, s.rmse, "root mean squared error", "均方根误差",
           _POSITIVE),
    Metric("mae", _NUMBERS, "value", False, s.mae, "mean absolute error", "平均绝对误差",
           _POSITIVE),
    Metric("r2", _NUMBERS, "value", True, s.r2, "R²", "R²", (float("-inf"), 1.0)),
    Metric("mape", _NUMBERS, "value", False, s.mape,
           "mean absolute percentage error", "平均绝对百分比误差", _POSITIVE),
    Metric("smape", _NUMBERS, "value", False, s.smape,
           "symmetric percentage error", "对称百分比误差", (0.0, 2.0)),
    Metric("rmsle", _NUMBERS, "value", False, s.rmsle,
           "root mean squared log error", "均方根对数误差", _POSITIVE),
    Metric("median_ae", _NUMBERS, "value", False, s.median_ae,
           "median absolute error", "绝对误差中位数", _POSITIVE),
)  # fmt: skip

_BY_NAME: dict[str, Metric] = {m.name: m for m in _BUILT_IN}

#: Other spellings of the names, after lower-casing, "-" and " " -> "_", and dropping "neg_".
ALIASES: dict[str, str] = {
    "auc": "roc_auc", "auroc": "roc_auc", "rocauc": "roc_auc", "roc_auc_score": "roc_auc",
    "ap": "average_precision", "auprc": "average_precision", "pr_auc": "average_precision",
    "average_precision_score": "average_precision",
    "logloss": "log_loss", "cross_entropy": "log_loss", "nll": "log_loss",
    "brier_score": "brier", "brier_score_loss": "brier",
    "acc": "accuracy", "accuracy_score": "accuracy",
    "bacc": "balanced_accuracy", "balanced_accuracy_score": "balanced_accuracy",
    "f1_score": "f1", "f1_macro": "macro_f1", "f1_weighted": "weighted_f1",
    "precision_score": "precision", "recall_score": "recall", "sensitivity": "recall",
    "matthews_corrcoef": "mcc", "matthews": "mcc",
    "roc_auc_ovr_macro": "roc_auc_ovr", "auc_ovr": "roc_auc_ovr",
    "qwk": "quadratic_kappa", "kappa": "quadratic_kappa", "cohen_kappa": "quadratic_kappa",
    "quadratic_weighted_kappa": "quadratic_kappa",
    "root_mean_squared_error": "rmse", "root_mean_square_error": "rmse",
    "mse": "rmse", "mean_squared_error": "rmse",
    "mean_absolute_error": "mae", "r2_score": "r2", "r_squared": "r2", "r²": "r2",
    "mean_absolute_percentage_error": "mape", "symmetric_mape": "smape",
    "root_mean_squared_log_error": "rmsle", "mean_squared_log_error": "rmsle", "msle": "rmsle",
    "median_absolute_error": "median_ae", "medae": "median_ae",
    "准确率": "accuracy", "召回率": "recall", "精确率": "precision", "查准率": "precision",
    "查全率": "recall", "对数损失": "log_loss", "均方根误差": "rmse", "均方误差": "rmse",
    "平均绝对误差": "mae", "决定系数": "r2",
}  # fmt: skip

_OF_SEVERAL_CLASSES = {"roc_auc": "roc_auc_ovr", "f1": "macro_f1"}


@hookimpl
def autoglm_metrics() -> Sequence[Any]:
    """Return the built-in metrics."""
    return _BUILT_IN


def all_metrics(task_type: TaskType | None = None) -> tuple[Metric, ...]:
    """Return every metric known, plug-ins included, or those of one kind of task."""
    groups: list[Sequence[Metric]] = manager().hook.autoglm_metrics()
    found = _BY_NAME | {m.name: m for group in groups for m in group if m.name not in _BY_NAME}
    return tuple(m for m in found.values() if task_type is None or task_type in m.task_types)


def metric(
    name: str, *, task_type: TaskType | None = None, false_negative_cost: float | None = None
) -> Metric:
    """Return the metric of that name or alias.

    Parameters
    ----------
    name
        A name or a common other spelling: "auc", "neg_root_mean_squared_error", "F1-macro".
        Squared errors rank models as their roots do, so "mse" gives "rmse".
    task_type
        The kind of task it is for; "auc" and "f1" then give their forms for several classes.
    false_negative_cost
        For "cost": what a miss costs, in false alarms.

    Raises
    ------
    ConfigError
        When there is no such metric, or it does not fit the task; the hint names others.

    Examples
    --------
    >>> metric("AUC").name, metric("neg_mean_absolute_error").name
    ('roc_auc', 'mae')
    """
    key = re.sub(r"[\s\-]+", "_", name.strip().lower()).removeprefix("neg_")
    key = ALIASES.get(key, key)
    if task_type == "multiclass":
        key = _OF_SEVERAL_CLASSES.get(key, key)
    if key == "cost" and false_negative_cost is not None:
        found: Metric | None = cost_metric(false_negative_cost)
    else:
        found = _BY_NAME.get(key) or {m.name.lower(): m for m in all_metrics()}.get(key)
    if found is None:
        raise _unknown(name, key)
    if task_type is not None and task_type not in found.task_types:
        raise _unfit(found, task_type)
    return found


def _unknown(name: str, key: str) -> ConfigError:
    known = [m.name for m in all_metrics()]
    near = difflib.get_close_matches(key, [*known, *ALIASES], n=3, cutoff=0.5)
    shown = ", ".join(dict.fromkeys(ALIASES.get(n, n) for n in near)) or ", ".join(known)
    return ConfigError(
        say(en=f"There is no metric {name!r}.", zh=f"没有名为 {name!r} 的指标。"),
        hint=say(en=f"Did you mean: {shown}?", zh=f"是否想用：{shown}?"),
    )


def _unfit(found: Metric, task_type: TaskType) -> ConfigError:
    shown = ", ".join(m.name for m in all_metrics(task_type))
    return ConfigError(
        say(en=f"The metric {found.name} does not fit a {task_type} task.",
            zh=f"指标 {found.name} 不适用于 {task_type} 任务。"),
        hint=say(en=f"Use one of: {shown}.", zh=f"可用：{shown}。"),
    )  # fmt: skip
