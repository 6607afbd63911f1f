"""`TaskSpec`: what was asked, each part with where it came from and why."""

from __future__ import annotations

from typing import Any, Final, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autoglm.core.contracts import Preference, read_contracts
from autoglm.core.errors import SpecError
from autoglm.core.text import Language, say, use_language

T = TypeVar("T")

TaskType = Literal["binary", "multiclass", "regression"]
Split = Literal["stratified", "random", "grouped", "time"]
Source = Literal["user", "sentence", "profile", "config", "model", "default"]

FORMAT_VERSION: Final = 1


class Decision(BaseModel, Generic[T]):
    """A value with its source and the reason for it.

    Attributes
    ----------
    value
        What was decided.
    source
        Who decided: the user by an argument, the sentence, the data profile, a configuration
        setting, a language model, or a default.
    reason
        Why, in one sentence, in the language of the task.
    confidence
        0 to 1; below 0.5 the field is worth a question.
    alternatives
        Other values that were considered, best first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: T
    source: Source = "default"
    reason: str = ""
    confidence: float = Field(default=1.0, ge=0.0, le=1.0)
    alternatives: tuple[str, ...] = ()


class CleanAction(BaseModel):
    """One named change to the raw table. Taking it out of the spec undoes it.

    Attributes
    ----------
    name
        One of the actions of `autoglm.dataflow.clean`.
    column
        The column it changes; None for the whole table.
    options
        Plain JSON values that the action needs.
    reason
        Why, in one sentence.
    affected
        How many cells or rows it changed in the training data.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    column: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    reason: str = ""
    affected: int = 0


def _default(value: Any) -> Any:
    return Field(default_factory=lambda: Decision(value=value))


class TaskSpec(BaseModel):
    """A task, fully decided. Unknown keys are refused.

    Every field but the plain ones (`description`, `language`, `cleaning`) is a `Decision`.

    Examples
    --------
    >>> spec = TaskSpec(target=Decision(value="churn", source="user", reason="given"),
    ...                 task_type=Decision(value="binary"), metric=Decision(value="roc_auc"))
    >>> TaskSpec.from_json(spec.to_json()) == spec
    True
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = FORMAT_VERSION
    description: str = ""
    language: Language = "en"
    target: Decision[str]
    task_type: Decision[TaskType]
    metric: Decision[str]
    positive_class: Decision[str | None] = _default(None)
    false_negative_cost: Decision[float | None] = _default(None)
    split: Decision[Split] = _default("random")
    group_column: Decision[str | None] = _default(None)
    time_column: Decision[str | None] = _default(None)
    drop_columns: Decision[tuple[str, ...]] = _default(())
    time_limit_s: Decision[float] = _default(60.0)
    latency_ms: Decision[float | None] = _default(None)
    size_mb: Decision[float | None] = _default(None)
    memory_mb: Decision[float | None] = _default(None)
    prefer: Decision[Preference | None] = _default(None)
    interpretable: Decision[bool] = _default(False)
    increasing: Decision[tuple[str, ...]] = _default(())
    decreasing: Decision[tuple[str, ...]] = _default(())
    fair_to: Decision[tuple[str, ...]] = _default(())
    seed: Decision[int] = _default(0)
    cleaning: tuple[CleanAction, ...] = ()

    def changed(self, **values: Any) -> TaskSpec:
        """Return a copy with fields set by the user; plain values become decisions.

        Contracts may be written as text, under short names too: ``latency="300us"``,
        ``size="5MB"``, ``memory="2GB"``, ``time_limit="2m"``, ``prefer="balanced"``.

        Raises
        ------
        SpecError
            When a field is unknown or a value not allowed.
        ConfigError
            When a contract cannot be read.
        """
        data = self.model_dump()
        for name, value in read_contracts(values).items():
            if name not in _LABELS or isinstance(value, Decision):
                data[name] = value.model_dump() if isinstance(value, Decision) else value
            else:
                reason = say(en="set by you", zh="由你指定")
                data[name] = {"value": value, "source": "user", "reason": reason}
        return self._validated(data)

    def without_action(self, name: str, column: str | None = None) -> TaskSpec:
        """Return a copy in which the cleaning action is undone."""
        kept = tuple(a for a in self.cleaning if (a.name, a.column) != (name, column))
        return self.model_copy(update={"cleaning": kept})

    def to_json(self) -> str:
        """Return the spec as JSON text."""
        return self.model_dump_json(indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        SpecError
            When the text is no valid spec or has unknown keys.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise _as_spec_error(error) from error

    @classmethod
    def _validated(cls, data: dict[str, Any]) -> Self:
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise _as_spec_error(error) from error

    def card(self) -> str:
        """Return the spec as a short card, one decided field a line, with reasons."""
        with use_language(self.language):
            lines = [say(en="Task", zh="任务") + f": {self.description or '-'}"]
            width = max(len(_label(name)) for name in _LABELS)
            for name in _LABELS:
                decision: Decision[Any] = getattr(self, name)
                if decision.source == "default" and decision.value in (None, False, ()):
                    continue
                label = _label(name).ljust(width)
                lines.append(f"  {label}  {_shown(decision.value):<20}  {_why(decision)}")
            if self.cleaning:
                lines.append("  " + say(en="cleaning:", zh="清洗:"))
                lines += [f"    - {_action(a)}" for a in self.cleaning]
            return "\n".join(lines)

    def __str__(self) -> str:
        return self.card()


_LABELS: dict[str, tuple[str, str]] = {
    "target": ("target", "目标"),
    "task_type": ("task type", "任务类型"),
    "metric": ("metric", "指标"),
    "positive_class": ("positive class", "正类"),
    "false_negative_cost": ("cost of a miss", "漏报代价"),
    "split": ("split", "划分"),
    "group_column": ("group column", "分组列"),
    "time_column": ("time column", "时间列"),
    "drop_columns": ("left out", "不用的列"),
    "time_limit_s": ("time limit, s", "时限(秒)"),
    "latency_ms": ("latency, ms", "延迟(毫秒)"),
    "size_mb": ("size, MB", "大小(MB)"),
    "memory_mb": ("memory, MB", "内存(MB)"),
    "prefer": ("prefer", "偏好"),
    "interpretable": ("interpretable", "可解释"),
    "increasing": ("rises with", "随之上升"),
    "decreasing": ("falls with", "随之下降"),
    "fair_to": ("fair to groups of", "公平对待"),
    "seed": ("seed", "随机种子"),
}


def _label(name: str) -> str:
    en, zh = _LABELS[name]
    return say(en=en, zh=zh)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _why(decision: Decision[Any]) -> str:
    return f"[{decision.source}] {decision.reason}".rstrip()


def _action(action: CleanAction) -> str:
    where = f" {action.column}" if action.column is not None else ""
    return f"{action.name}{where}: {action.reason} ({action.affected})"


def _as_spec_error(error: ValidationError) -> SpecError:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or "(whole)"
    return SpecError(
        say(en=f"The task specification is wrong at {where}: {first['msg']}.",
            zh=f"任务说明的 {where} 有误:{first['msg']}。"),
        hint=say(en="`print(spec)` shows every field; docs/reference/spec.md lists the values.",
                 zh="`print(spec)` 会列出所有字段;取值见 docs/reference/spec.md。"),
    )  # fmt: skip
