"""The task specification: strict, readable, round-tripping."""

from __future__ import annotations

import json

import pytest

from autoglm.core.errors import SpecError
from autoglm.core.spec import CleanAction, Decision, TaskSpec
from autoglm.core.text import use_language


def _spec(**more: object) -> TaskSpec:
    return TaskSpec(
        description="predict churn",
        target=Decision(value="流失", source="sentence", reason="named in it", confidence=0.9),
        task_type=Decision(value="binary", source="profile", reason="two values"),
        metric=Decision(value="roc_auc"),
        **more,
    )


def test_json_round_trip_keeps_everything() -> None:
    spec = _spec(
        drop_columns=Decision(value=("id", "a,b"), source="user"),
        cleaning=(CleanAction(name="drop_id", column="id", options={"n": 1}, affected=3),),
        time_limit_s=Decision(value=30.0, source="sentence", alternatives=("60",)),
    )
    assert TaskSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    "change",
    [
        {"colour": "red"},
        {"task_type": {"value": "guessing"}},
        {"target": {"value": "y", "why": "x"}},
        {"target": {"value": "y", "confidence": 2.0}},
        {"format_version": 2},
        {"cleaning": [{"name": "a", "extra": 1}]},
    ],
)
def test_unknown_keys_and_values_are_refused_by_name(change: dict[str, object]) -> None:
    data = json.loads(_spec().to_json()) | change
    with pytest.raises(SpecError) as caught:
        TaskSpec.from_json(json.dumps(data))
    assert next(iter(change)) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "{"])
def test_what_is_no_spec_is_refused(text: str) -> None:
    with pytest.raises(SpecError):
        TaskSpec.from_json(text)


def test_changed_marks_the_user_and_leaves_the_rest() -> None:
    spec = _spec()
    other = spec.changed(metric="f1", seed=0, description="again")
    assert (other.metric.value, other.metric.source) == ("f1", "user")
    assert (other.seed.value, other.seed.source) == (0, "user")
    assert other.description == "again"
    assert other.target == spec.target
    assert spec.metric.value == "roc_auc"
    kept = spec.changed(metric=Decision(value="f2", source="config"))
    assert kept.metric.source == "config"


@pytest.mark.parametrize("change", [{"task_type": "guess"}, {"metrics": "f1"}, {"seed": "x"}])
def test_changed_refuses_what_cannot_be(change: dict[str, str]) -> None:
    with pytest.raises(SpecError):
        _spec().changed(**change)


def test_an_action_can_be_undone() -> None:
    kept = CleanAction(name="drop_id", column="b")
    spec = _spec(cleaning=(CleanAction(name="drop_id", column="a"), kept))
    assert spec.without_action("drop_id", "a").cleaning == (kept,)
    assert spec.without_action("drop_id").cleaning == spec.cleaning


def test_the_card_shows_value_source_and_reason_in_the_language_of_the_task() -> None:
    action = CleanAction(name="drop_constant", column="c", reason="one value", affected=9)
    card = _spec(cleaning=(action,)).card()
    assert "流失" in card
    assert "[sentence] named in it" in card
    assert "drop_constant c: one value (9)" in card
    assert "latency" not in card  # nothing was decided
    with use_language("en"):
        assert "目标" in _spec(language="zh").card()
    assert str(_spec()) == _spec().card()
