"""By what the models are to be judged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from autoglm.core.errors import SpecError
from autoglm.core.spec import Decision, TaskType
from autoglm.core.text import say
from autoglm.dataflow.profile import ColumnProfile
from autoglm.task import _cues, _measures
from autoglm.task._match import positive_named, values_mentioned
from autoglm.task._reading import Reading
from autoglm.task._target import ROLE_WEIGHTS
from autoglm.task._words import word_set

#: Positives rarer than this share are judged by average precision when nothing else is said.
RARE = 0.05

# Values that are the event one looks for, and their opposites.
_EVENTS = word_set(
    "1 1.0 yes y true t + positive bad sick spam fraud fraudulent default defaulted churn churned",
    "exited left leave malignant abnormal fail failed failure anomaly attack disease diseased",
    "death dead died toxic hate poisonous win won delayed late cancelled canceled returned",
    "converted clicked bought accepted approved subscribed remote faulty defective readmitted fake",
    "是 有 真 阳性 正 正面 坏 违约 流失 欺诈 异常 患病 死亡 垃圾 恶性 故障 离职 逾期 不合格 购买",
)
_QUIET = word_set(
    "0 0.0 -1 no n false f - negative good healthy ham normal benign pass ok alive stay stayed",
    "none real 否 无 没有 假 阴性 负 负面 好 正常 良性 合格 健康 在职",
)


def choose_metric(
    reading: Reading, task_type: TaskType, target: ColumnProfile
) -> Iterator[tuple[str, Decision[Any]]]:
    """Yield the decisions on `metric` and, where a price is said, `false_negative_cost`.

    Raises
    ------
    SpecError
        When the sentence names a metric that does not fit the target.
    """
    ratio = _measures.miss_ratio(reading.text) if task_type == "binary" else None
    named = _standing(reading)
    if named:
        yield "metric", _named(named, task_type, target)
    elif ratio is not None:
        yield "metric", _said("cost", say(en=f"a miss costs {ratio:g} times a false alarm",
                                          zh=f"漏报的代价是误报的 {ratio:g} 倍"))  # fmt: skip
    else:
        yield "metric", _meant(reading, task_type, target)
    if ratio is not None:
        why = say(en="said in the sentence", zh="句子中说明")
        yield "false_negative_cost", Decision[Any](value=ratio, source="sentence", reason=why)


def _standing(reading: Reading) -> list[tuple[str, tuple[int, int]]]:
    """Return the metrics that are named, without those that a second thought takes back."""
    named = _measures.named(reading.text)
    for turn in _cues.SECOND_THOUGHT.finditer(reading.text):
        later = [found for found in named if found[1][0] >= turn.start()]
        named = later or named
    return named


def fitting(metric: str, task_type: TaskType) -> str | None:
    """Return the metric, or its counterpart for the task type, or None when there is none."""
    if metric in _measures.METRICS[task_type]:
        return metric
    return _measures.COUNTERPART.get((metric, task_type)) or None


def _named(
    named: list[tuple[str, tuple[int, int]]], task_type: TaskType, target: ColumnProfile
) -> Decision[Any]:
    fits = [fit for name, _ in named if (fit := fitting(name, task_type)) is not None]
    if not fits:
        wrong = named[0][0]
        usable = ", ".join(_measures.METRICS[task_type])
        raise SpecError(
            say(en=f"{wrong} does not fit: predicting {target.name} is a {task_type} task.",
                zh=f"指标 {wrong} 不适用:预测 {target.name} 是 {task_type} 任务。"),
            hint=say(en=f"Use one of: {usable}; or choose another --target.",
                     zh=f"可用的指标:{usable};或用 --target 另选目标。"),
        )  # fmt: skip
    why = say(en="named in the sentence", zh="句子点名")
    others = tuple(fit for fit in fits[1:] if fit != fits[0])
    return Decision[Any](value=fits[0], source="sentence", reason=why, alternatives=others)


def _meant(reading: Reading, task_type: TaskType, target: ColumnProfile) -> Decision[Any]:
    meant = _measures.meant(reading.text, task_type)
    if meant is not None:
        metric, words = meant
        metric = "smape" if metric == "mape" and _has_zero(target) else metric
        return _said(metric, say(en=f'the sentence says "{words}"', zh=f"句子说“{words}”"))
    share = rare_share(target)
    if task_type == "binary" and share is not None and share < RARE:
        return Decision[Any](
            value="average_precision", source="profile", confidence=0.8, alternatives=("roc_auc",),
            reason=say(en=f"positives are rare ({share:.1%})", zh=f"正例很少({share:.1%})"),
        )  # fmt: skip
    why = say(en=f"usual for {task_type} tasks", zh=f"{task_type} 任务的常用指标")
    return Decision[Any](value=_measures.METRICS[task_type][0], source="default", reason=why)


def _said(metric: str, why: str) -> Decision[Any]:
    return Decision[Any](value=metric, source="sentence", reason=why, confidence=0.9)


def _has_zero(target: ColumnProfile) -> bool:
    return target.min is not None and target.max is not None and target.min <= 0.0 <= target.max


def rare_share(target: ColumnProfile) -> float | None:
    """Return the share of the rarer of two classes, or None when it is not known."""
    counts = [count for _, count in target.top]
    total = sum(counts)
    return min(counts) / total if len(counts) == 2 and total else None


def choose_positive(reading: Reading, target: ColumnProfile) -> Decision[Any] | None:
    """Choose which of two classes is the event, None when the values are not known."""
    values = [value for value, _ in target.top]
    if len(values) != 2:
        return None
    named = positive_named(target, reading)
    if named is not None:
        return Decision[Any](
            value=named, source="sentence", confidence=0.95,
            reason=say(en=f'the sentence names "{named}" as the positive class',
                       zh=f"句子把“{named}”作为正类"),
        )  # fmt: skip
    said = list(values_mentioned(target, reading, ROLE_WEIGHTS))
    if len(said) == 1 and not _is_quiet(said[0]):
        return Decision[Any](
            value=said[0], source="sentence", confidence=0.8,
            reason=say(en=f'the sentence speaks of "{said[0]}"', zh=f"句子说的是“{said[0]}”"),
        )  # fmt: skip
    for value, other in (values, values[::-1]):
        if (_is_event(value) and not _is_event(other)) or (
            _is_quiet(other) and not _is_quiet(value)
        ):
            why = say(en="it is the event, the other value the usual state",
                      zh="它是要找的事件,另一个值是常态")  # fmt: skip
            return Decision[Any](value=value, source="profile", reason=why, confidence=0.9)
    rarer = min(target.top, key=lambda pair: pair[1])[0]
    why = say(en="the rarer of the two classes", zh="两类中较少的一类")
    return Decision[Any](value=rarer, source="profile", reason=why, confidence=0.6)


def _is_event(value: str) -> bool:
    return value.strip().lower() in _EVENTS


def _is_quiet(value: str) -> bool:
    plain = value.strip().lower()
    return plain in _QUIET or re.match(r"(?:no|not|non)[\s_-]\w|[非无不未没]", plain) is not None
