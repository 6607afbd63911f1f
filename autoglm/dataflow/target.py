"""The target as numbers, and numbers back as the target."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autoglm.core.errors import DataError
from autoglm.core.spec import TaskType
from autoglm.core.text import say

Label = str | int | float | bool


@dataclass(frozen=True)
class TargetCodec:
    """Turns target values into what learners are given (`zoo.contract.Fold.y`) and back.

    Attributes
    ----------
    task_type
        "binary", "multiclass" or "regression".
    classes
        Labels in code order, as Python values; empty for regression. Sorted, but for a binary
        target with a named positive class, which is always code 1.
    mean, scale
        regression: code = (value - mean) / scale.
    """

    task_type: TaskType
    classes: tuple[Label, ...] = ()
    mean: float = 0.0
    scale: float = 1.0

    @classmethod
    def fit(
        cls, values: Sequence[Any] | NDArray[Any], task_type: TaskType, positive: Any = None
    ) -> Self:
        """Learn the classes, or the mean and scale.

        Parameters
        ----------
        values
            (n,) target values without missing ones.
        task_type
            How they are to be predicted.
        positive
            The class that a binary task is about, by label or by its text.

        Raises
        ------
        DataError
            No values, one class only, an unknown positive class, or values that are no numbers
            where numbers are asked for.
        """
        if len(values) == 0:
            raise DataError(
                say(en="No row has a target value.", zh="没有任何一行有目标值。"),
                hint=say(en="Check the target column.", zh="请检查目标列。"),
            )
        if task_type == "regression":
            numbers = _as_numbers(values)
            scale = float(numbers.std())
            return cls(task_type, (), float(numbers.mean()), scale if scale > 0 else 1.0)
        classes = _sorted_labels({_plain(v) for v in _listed(values)})
        if len(classes) < 2:
            raise DataError(
                say(en=f"The target has one class only: {classes[0]!r}.",
                    zh=f"目标只有一个类别:{classes[0]!r}。"),
                hint=say(en="A classifier needs rows of two classes at least.",
                         zh="分类至少需要两个类别的样本。"),
            )  # fmt: skip
        if task_type == "binary" and len(classes) > 2:
            raise DataError(
                say(en=f"A binary target cannot have {len(classes)} classes.",
                    zh=f"二分类目标不能有 {len(classes)} 个类别。"),
                hint=say(en="Use the task type multiclass.", zh="请把任务类型改为 multiclass。"),
            )  # fmt: skip
        codec = cls(task_type, tuple(classes))
        if positive is not None and task_type == "binary" and codec.code_of(positive) == 0:
            return cls(task_type, codec.classes[::-1])
        return codec

    @property
    def n_classes(self) -> int:
        """Number of classes; 1 for regression, as in `zoo.contract.Facts`."""
        return max(1, len(self.classes))

    @property
    def names(self) -> list[str]:
        """The classes as text."""
        return [_text(c) for c in self.classes]

    def code_of(self, label: Any) -> int:
        """Return the code of one label, given as it is or as text.

        Raises
        ------
        DataError
            When the label was not seen in training.
        """
        return int(self.encode([label])[0])

    def encode(
        self, values: Sequence[Any] | NDArray[Any], *, mark_unseen: bool = False
    ) -> NDArray[Any]:
        """Return int64 codes, or float64 standardised values, of (n,) target values.

        With `mark_unseen`, a label that was not seen in training becomes -1.

        Raises
        ------
        DataError
            When a label was not seen in training, or a value is no number.
        """
        if self.task_type == "regression":
            return (_as_numbers(values) - self.mean) / self.scale
        codes: dict[Any, int] = {_text(c): i for i, c in enumerate(self.classes)}
        codes |= {c: i for i, c in enumerate(self.classes)}
        plain = [_plain(v) for v in _listed(values)]
        found = [codes.get(v, codes.get(_text(v), -1)) for v in plain]
        if -1 in found and not mark_unseen:
            label = plain[found.index(-1)]
            known = ", ".join(self.names[:10])
            raise DataError(
                say(en=f"The class {label!r} is not one the model knows.",
                    zh=f"模型不认识类别 {label!r}。"),
                hint=say(en=f"It knows: {known}.", zh=f"它认识的类别:{known}。"),
            )  # fmt: skip
        return np.array(found, dtype=np.int64)

    def decode(self, codes: NDArray[Any]) -> NDArray[Any]:
        """Return labels (their own dtype) of codes, or values of standardised values."""
        if self.task_type == "regression":
            return np.asarray(codes, dtype=np.float64) * self.scale + self.mean
        return self.class_array()[np.asarray(codes, dtype=np.int64)]

    def class_array(self) -> NDArray[Any]:
        """Return the classes as an array: int, float, bool, or object of str."""
        kinds = {type(c) for c in self.classes}
        if len(kinds) == 1 and kinds <= {int, float, bool}:
            return np.array(self.classes)
        out = np.empty(len(self.classes), dtype=object)
        out[:] = self.classes
        return out

    def to_json(self) -> str:
        """Return the codec as JSON text."""
        return json.dumps(
            {
                "task_type": self.task_type,
                "classes": self.classes,
                "mean": self.mean,
                "scale": self.scale,
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote."""
        data = json.loads(text)
        return cls(data["task_type"], tuple(data["classes"]), data["mean"], data["scale"])


def _listed(values: Sequence[Any] | NDArray[Any]) -> list[Any]:
    return values.tolist() if isinstance(values, np.ndarray) else list(values)


def _plain(value: Any) -> Any:
    """Return a Python scalar; text loses outer blanks."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return value.strip()
    return value if isinstance(value, (bool, int, float)) else str(value)


def _text(label: Any) -> str:
    """Return the name of a class; 1.0 is called "1"."""
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)


def _sorted_labels(labels: set[Any]) -> list[Any]:
    try:
        return sorted(labels)
    except TypeError:  # text beside numbers
        return sorted(labels, key=lambda v: (isinstance(v, str), str(v)))


def _as_numbers(values: Sequence[Any] | NDArray[Any]) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.array([np.nan])
    if not np.isfinite(numbers).all():
        raise DataError(
            say(en="The target holds values that are no numbers.", zh="目标列含有不是数字的值。"),
            hint=say(en="Choose a classification task, or another target.",
                     zh="请改为分类任务,或换一个目标列。"),
        )  # fmt: skip
    return numbers
