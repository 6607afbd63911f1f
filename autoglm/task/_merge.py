"""Two readings of a sentence become one: field by field, the surer one stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from autoglm.core.errors import SpecError
from autoglm.core.spec import Decision
from autoglm.core.text import say
from autoglm.dataflow.profile import TableProfile

Decisions = Mapping[str, Decision[Any]]
#: Returns what the rules decide where some fields are settled.
Rules = Callable[[Decisions], Decisions]

#: Fields on which others hang, in order.
_FIRST = ("target", "task_type", "metric", "group_column", "time_column")


def merged(
    proposed: Decisions, settled: Decisions, rules: Rules, profile: TableProfile
) -> dict[str, Decision[Any]]:
    """Settle what is proposed beside what the rules say, a field after the other.

    What contradicts the table, or the fields that are settled before it, is left to the rules.
    """
    found = dict(settled)
    for name in sorted(proposed, key=lambda n: _FIRST.index(n) if n in _FIRST else len(_FIRST)):
        if name in found:
            continue
        mine = _said(rules, found)
        with_it = _said(rules, found | {name: proposed[name]})
        if name not in with_it or not _fits(name, with_it, profile):
            continue
        found[name] = surer(mine.get(name), with_it[name])
    return found


def _said(rules: Rules, settled: Decisions) -> Decisions:
    try:
        return rules(settled)
    except SpecError:
        return {}  # no column fits the sentence, or the table does not allow it


def _fits(name: str, decisions: Decisions, profile: TableProfile) -> bool:
    """Return whether a field makes sense beside the others."""
    value, target = decisions[name].value, decisions.get("target")
    if name == "split":
        needed = {"grouped": "group_column", "time": "time_column"}.get(value)
        return needed is None or needed in decisions
    if target is None or name == "target":
        return True
    if name in ("positive_class", "false_negative_cost"):
        two = decisions["task_type"].value == "binary"
        labels = {label for label, _ in profile.columns[target.value].top}
        return two and (name != "positive_class" or value in labels)
    if name in ("group_column", "time_column"):
        return bool(value != target.value)
    if name in ("increasing", "decreasing"):
        numbers = all(profile.columns[column].kind == "number" for column in value)
        return (
            decisions["task_type"].value != "multiclass" and numbers and target.value not in value
        )
    return name not in ("drop_columns", "fair_to") or target.value not in value


def surer(rules: Decision[Any] | None, model: Decision[Any]) -> Decision[Any]:
    """Return the decision that stands; where two differ, its reason names the other one."""
    if rules is None or rules.source == "default":
        return model
    if _plain(rules.value) == _plain(model.value):
        sure = max(rules.confidence, model.confidence)
        return rules.model_copy(update={"confidence": sure})
    kept, other, who = (
        (model, rules, say(en="by rules", zh="按规则"))
        if model.confidence >= rules.confidence
        else (rules, model, say(en="by the model", zh="按模型"))
    )
    shown = ", ".join(map(str, other.value)) if isinstance(other.value, tuple) else other.value
    return kept.model_copy(update={
        "reason": f"{kept.reason} ({who}: {shown})".strip(),
        "alternatives": tuple(dict.fromkeys((str(shown), *kept.alternatives)))[:3],
    })  # fmt: skip


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, (tuple, list)) else value
