"""Which cleaning actions a table asks for, each with its reason in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoglm.core.errors import DataError
from autoglm.core.spec import CleanAction
from autoglm.core.text import say
from autoglm.dataflow._rows import missing_columns
from autoglm.dataflow.findings import Finding
from autoglm.dataflow.profile import ColumnProfile, TableProfile

#: Dropping actions that give way, in this order, when no feature would be left.
_GIVE_WAY = ("drop_leak", "drop_id", "drop_copy", "drop_constant")


def plan_cleaning(
    profile: TableProfile, findings: Sequence[Finding], *, target: str, drop: Sequence[str] = ()
) -> tuple[CleanAction, ...]:
    """Return the cleaning actions that profile, findings and the user ask for.

    Parameters
    ----------
    profile
        Profile of the training table.
    findings
        What `examine_target` found; their actions are taken over.
    target
        Name of the target column.
    drop
        Columns that the user wants left out.

    Raises
    ------
    DataError
        When the target or a column to leave out is not in the table, or both are the same.
    """
    absent = [name for name in (target, *drop) if name not in profile.columns]
    if absent:
        raise missing_columns(absent, list(profile.columns))
    if target in drop:
        raise DataError(
            say(
                en=f"The target {target!r} cannot be left out.",
                zh=f"目标列 {target!r} 不能被排除。",
            ),
            hint=say(en="Choose another target, or keep the column.", zh="请换目标列,或保留该列。"),
        )
    actions = {name: _requested(name, profile) for name in drop}
    for name, column in profile.columns.items():
        if name != target and name not in actions:
            structural = _structural(column, profile, target, actions)
            if structural is not None:
                actions[name] = structural
    for finding in findings:
        action = finding.action
        if action is not None and action.column is not None and action.column not in actions:
            actions[action.column] = action
    _leave_a_feature(actions, profile, target)
    kept = [c for name, c in profile.columns.items() if name not in actions]
    parsing = [
        action
        for column in kept
        if (action := _parsing(column)) is not None
        # Names of classes stay words: a yes/no target is not read as true and false.
        and (column.name != target or action.name != "parse_boolean")
    ]
    return (*actions.values(), *parsing, *_rows(profile.columns[target]))


def _requested(name: str, profile: TableProfile) -> CleanAction:
    reason = say(en="you asked for it", zh="按你的要求")
    return CleanAction(
        name="drop_requested", column=name, reason=reason, affected=profile.columns[name].n_rows
    )


def _structural(
    column: ColumnProfile, profile: TableProfile, target: str, actions: dict[str, CleanAction]
) -> CleanAction | None:
    copied = column.copy_of
    if column.n_unique == 0:
        name, reason = "drop_all_missing", say(en="it has no value at all", zh="该列没有任何值")
    elif column.kind == "constant":
        value = column.examples[0][:40] if column.examples else ""
        name = "drop_constant"
        reason = say(en=f"every value is {value!r}", zh=f"所有值都是 {value!r}")
    elif column.kind == "id":
        name = "drop_id"
        reason = say(en="it names rows: a new row has a new value", zh="它是行的编号:新行会有新值")
    elif copied is not None and copied != target and copied not in actions:
        name, reason = "drop_copy", say(en=f"it repeats {copied!r}", zh=f"与 {copied!r} 完全相同")
    else:
        return None
    return CleanAction(name=name, column=column.name, reason=reason, affected=column.n_rows)


def _leave_a_feature(actions: dict[str, CleanAction], profile: TableProfile, target: str) -> None:
    features = [name for name in profile.columns if name != target]
    for kind in _GIVE_WAY:
        if any(name not in actions for name in features):
            return
        for column in [c for c, a in actions.items() if a.name == kind]:
            del actions[column]


def _parsing(column: ColumnProfile) -> CleanAction | None:
    """Return the action that reads the cells of a kept column, if any is needed."""
    rule = column.rule
    options: dict[str, Any]
    if rule.kind == "string":
        if not rule.missing:
            return None
        shown = " ".join(rule.missing)
        name, options = "mark_missing", {"missing": list(rule.missing)}
        reason = say(en=f"cells mean no value: {shown}", zh=f"表示缺失的写法:{shown}")
    elif rule.plain:
        return None
    elif rule.kind == "number":
        name, options = "parse_number", {"units": rule.units, "decimal": rule.decimal}
        reason = _number_reason(column)
    elif rule.kind == "date":
        name, options = "parse_date", {"day_first": rule.day_first, "epoch": rule.epoch}
        shapes = ", ".join(rule.formats[:4])
        reason = say(en=f"cells are dates ({shapes})", zh=f"单元格是日期({shapes})")
    else:
        name, options = "parse_boolean", {"true": list(rule.true), "false": list(rule.false)}
        words = "/".join((*rule.true, *rule.false))
        reason = say(en=f"cells are {words}", zh=f"单元格是 {words}")
    return CleanAction(
        name=name, column=column.name, options=options, reason=reason, affected=column.n_changed
    )


def _number_reason(column: ColumnProfile) -> str:
    rule = column.rule
    parts = []
    if rule.units:
        units = ", ".join(list(rule.units)[:4])
        parts.append(say(en=f"with the unit {units}", zh=f"带单位 {units}"))
    if rule.missing:
        shown = " ".join(m or '""' for m in rule.missing[:5])
        parts.append(say(en=f"{shown} mean no value", zh=f"{shown} 表示缺失"))
    example = next(iter(column.examples), "")
    shown = "; ".join(parts) or say(en=f"such as {example[:30]!r}", zh=f"例如 {example[:30]!r}")
    return say(en=f"cells are numbers: {shown}", zh=f"单元格是数字:{shown}")


def _rows(target: ColumnProfile) -> list[CleanAction]:
    if not target.n_missing:
        return []
    reason = say(en="rows without a target teach nothing", zh="没有目标值的行无法用于训练")
    return [
        CleanAction(
            name="drop_missing_target", column=target.name, reason=reason, affected=target.n_missing
        )
    ]
