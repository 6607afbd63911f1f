"""What stands out in a table in view of its target."""

from __future__ import annotations

from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict

from autoglm.core.spec import CleanAction, Split, TaskType
from autoglm.core.text import say
from autoglm.dataflow import _signals as signals
from autoglm.dataflow._rows import missing_columns
from autoglm.dataflow.profile import ColumnProfile, TableProfile

Severity = Literal["info", "warning", "serious"]

#: Every finding and what it says.
FINDINGS: dict[str, str] = {
    "target_copy": "a column repeats or recodes the target",
    "target_parts": "columns add up to the target",
    "leakage": "a column alone predicts the target almost perfectly",
    "missing_target": "rows have no target value",
    "imbalance": "one class is much rarer than the other",
    "rare_class": "a class has too few rows to learn from",
    "skewed_target": "a few target values are far above the others",
    "label_noise": "rows that look alike have different labels",
    "conflicting_duplicates": "equal rows have different targets",
    "duplicate_rows": "rows are repeated",
    "all_missing": "a column has no value",
    "constant": "a column has one value",
    "id": "a column names rows",
    "copy": "a column repeats another",
    "high_cardinality": "a category has very many values",
    "mixed_types": "a column mixes numbers, text or dates",
    "mixed_units": "a column mixes units that do not convert",
    "date_formats": "a column writes dates in several ways",
    "unreadable": "some cells do not fit their column",
}
_ORDER: dict[Severity, int] = {"serious": 0, "warning": 1, "info": 2}
_PERFECT = 0.995
_MIN_ROWS = 50


class Finding(BaseModel):
    """Something worth knowing before training.

    Attributes
    ----------
    name
        What it is, see `FINDINGS`.
    column
        The column it is about; None for the whole table.
    severity
        "info", "warning" or "serious".
    message
        One sentence for a person.
    action
        The cleaning action that answers it, if one does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    column: str | None = None
    severity: Severity = "info"
    message: str = ""
    action: CleanAction | None = None


def examine_target(
    frame: pd.DataFrame,
    profile: TableProfile,
    target: str,
    task_type: TaskType,
    split: Split = "random",
) -> tuple[Finding, ...]:
    """Return what stands out, most serious first.

    Parameters
    ----------
    frame, profile
        The training table and its profile.
    target, task_type
        What is to be predicted, and how.
    split
        How the rows will be split; ids that group rows are then no finding.

    Raises
    ------
    DataError
        When the target is not in the table.
    """
    if target not in profile.columns:
        raise missing_columns([target], list(profile.columns))
    findings = [f for c in profile.columns.values() if c.name != target for f in _of_column(c)]
    findings += _of_target(profile.columns[target], task_type)
    sample = signals.draw(frame, profile, target, task_type)
    if sample is not None:
        findings += _of_rows(profile, sample, split)
        if sample.n_rows >= _MIN_ROWS:
            findings += _leaks(sample)
            findings += _noise(sample)
    return tuple(sorted(findings, key=lambda f: _ORDER[f.severity]))


def _of_column(column: ColumnProfile) -> list[Finding]:
    found = []
    name = column.name

    def add(kind: str, severity: Severity, en: str, zh: str) -> None:
        found.append(Finding(name=kind, column=name, severity=severity, message=say(en=en, zh=zh)))

    if column.n_unique == 0:
        add("all_missing", "info", f"{name!r} has no value at all.", f"{name!r} 没有任何值。")
    elif column.kind == "constant":
        add("constant", "info", f"{name!r} has one value only.", f"{name!r} 只有一个值。")
    elif column.kind == "id":
        add("id", "info", f"{name!r} names rows and is left out.", f"{name!r} 是行编号,不使用。")
    if column.copy_of is not None and column.kind != "constant":
        add("copy", "info", f"{name!r} repeats {column.copy_of!r}.",
            f"{name!r} 与 {column.copy_of!r} 相同。")  # fmt: skip
    if column.kind == "category" and column.n_unique > 50 and column.n_unique > column.n_rows / 20:
        add("high_cardinality", "info", f"{name!r} has {column.n_unique:,} different values.",
            f"{name!r} 有 {column.n_unique:,} 个不同取值。")  # fmt: skip
    for note in column.notes:
        kind, _, n = note.partition(":")
        if kind == "mixed_types":
            add(kind, "warning", f"{name!r} mixes types of value.", f"{name!r} 混有不同类型的值。")
        elif kind == "mixed_units":
            add(kind, "warning", f"{name!r} mixes units: {', '.join(column.rule.units)}.",
                f"{name!r} 混有不同单位:{', '.join(column.rule.units)}。")  # fmt: skip
        elif kind == "mixed_dates":
            shapes = ", ".join(column.rule.formats)
            add("date_formats", "info", f"{name!r} writes dates in several ways: {shapes}.",
                f"{name!r} 的日期有多种写法:{shapes}。")  # fmt: skip
        elif kind == "unreadable":
            add(kind, "warning", f"{n} cells of {name!r} do not read as {column.kind}.",
                f"{name!r} 有 {n} 个单元格无法按 {column.kind} 读取。")  # fmt: skip
    return found


def _of_target(column: ColumnProfile, task_type: TaskType) -> list[Finding]:
    found = []
    if column.n_missing:
        share = f"{100 * column.missing_share:.1f}%"
        found.append(Finding(
            name="missing_target", column=column.name,
            severity="warning" if column.missing_share > 0.05 else "info",
            message=say(en=f"{column.n_missing:,} rows ({share}) have no target value.",
                        zh=f"{column.n_missing:,} 行({share})没有目标值。"),
        ))  # fmt: skip
    if task_type == "regression":
        return found + _skewed(column)
    counts = [count for _, count in column.top]
    total = column.n_rows - column.n_missing
    if task_type == "binary" and len(counts) == 2 and counts[1] < 0.1 * total:
        share = f"{100 * counts[1] / total:.2g}%"
        found.append(Finding(
            name="imbalance", column=column.name, severity="warning",
            message=say(en=f"Class {column.top[1][0]!r} is rare: {counts[1]:,} rows, {share}.",
                        zh=f"类别 {column.top[1][0]!r} 很少:{counts[1]:,} 行,占 {share}。"),
        ))  # fmt: skip
    return found


def _skewed(column: ColumnProfile) -> list[Finding]:
    if not column.quantiles or column.min is None or column.max is None:
        return []
    low, median, high = column.quantiles[1], column.quantiles[3], column.quantiles[5]
    if high - median <= 4 * max(median - low, 1e-12 * abs(median)):
        return []
    return [Finding(
        name="skewed_target", column=column.name,
        message=say(en=f"Half the values are below {median:g}, but 5 % are above {high:g}.",
                    zh=f"半数值低于 {median:g},但有 5% 高于 {high:g}。"),
    )]  # fmt: skip


def _of_rows(profile: TableProfile, sample: signals.Sample, split: Split) -> list[Finding]:
    found = []
    rare = sample.rare_classes()
    if rare:
        shown = ", ".join(f"{name!r} ({count})" for name, count in rare[:5])
        found.append(Finding(
            name="rare_class", column=sample.target, severity="warning",
            message=say(en=f"{len(rare)} classes have fewer than 10 rows: {shown}.",
                        zh=f"{len(rare)} 个类别不足 10 行:{shown}。"),
        ))  # fmt: skip
    if profile.n_duplicate_rows:
        found.append(Finding(
            name="duplicate_rows",
            severity="warning" if profile.n_duplicate_rows > 0.05 * profile.n_rows else "info",
            message=say(en=f"{profile.n_duplicate_rows:,} rows repeat an earlier one; they may "
                           "stand on both sides of a split.",
                        zh=f"{profile.n_duplicate_rows:,} 行与前面的重复,可能跨越训练和验证。"),
        ))  # fmt: skip
    conflicts = sample.n_conflicts()
    if conflicts and split != "grouped":
        found.append(Finding(
            name="conflicting_duplicates",
            severity="warning" if conflicts > 0.02 * sample.n_rows else "info",
            message=say(en=f"{conflicts:,} rows equal another in all columns but the target.",
                        zh=f"{conflicts:,} 行除目标外与其他行完全相同,目标却不同。"),
        ))  # fmt: skip
    return found


def _leaks(sample: signals.Sample) -> list[Finding]:
    found = []
    for name, column in sample.features.items():
        if sample.recodes_target(column):
            text = say(en=f"{name!r} repeats or recodes the target.",
                       zh=f"{name!r} 是目标的复制或改写。")  # fmt: skip
            found.append(_leak("target_copy", name, text, sample, drop=True))
        elif (score := sample.strength(column)) >= _PERFECT:
            text = say(
                en=f"{name!r} alone predicts the target almost perfectly ({score:.3f}): will it "
                "be known when predictions are made?",
                zh=f"仅凭 {name!r} 就能近乎完美地预测目标({score:.3f}):预测时真的能知道它吗?",
            )
            named = signals.named_like(name, sample.target)
            found.append(_leak("leakage", name, text, sample, drop=named))
    settled = {f.column for f in found}
    parts = [p for p in sample.parts() if p not in settled]
    listed = " + ".join(map(repr, parts))
    text = say(en=f"{listed} add up to the target.", zh=f"{listed} 相加正好等于目标。")
    return found + [_leak("target_parts", name, text, sample, drop=True) for name in parts]


def _leak(kind: str, name: str, message: str, sample: signals.Sample, *, drop: bool) -> Finding:
    action = CleanAction(name="drop_leak", column=name, reason=message, affected=sample.n_table)
    return Finding(
        name=kind,
        column=name,
        severity="serious" if drop else "warning",
        message=message,
        action=action if drop else None,
    )


def _noise(sample: signals.Sample) -> list[Finding]:
    share = sample.noise()
    if share < 0.03:
        return []
    percent = f"{100 * share:.0f}%"
    return [Finding(
        name="label_noise", column=sample.target,
        severity="warning" if share > 0.1 else "info",
        message=say(en=f"About {percent} of rows have a label that all rows most like them do not "
                       "have: labels may be wrong, or the columns say too little.",
                    zh=f"约 {percent} 的行与最相似的行标签都不同:标签可能有误,或现有列信息不足。"),
    )]  # fmt: skip
