"""What is said of a model, in both languages, and the changes it comes to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import autoglm
from autoglm.core.errors import SpecError
from autoglm.core.spec import TaskSpec
from autoglm.dataflow.profile import TableProfile, profile_table
from autoglm.dataflow.read import read_table
from autoglm.task.feedback import Feedback, Standing, feedback
from autoglm.task.understand import understand

CUSTOMERS = Path(autoglm.__file__).parent / "examples" / "customers.csv"
NOW = Standing(latency_ms=0.8, size_mb=3.0, memory_mb=900.0, miss_cost=1.0, seconds=60.0)


@pytest.fixture(scope="module")
def profile() -> TableProfile:
    return profile_table(read_table(CUSTOMERS).frame)


@pytest.fixture(scope="module")
def spec(profile: TableProfile) -> TaskSpec:
    return understand("predict which customers churn", profile)


def heard(sentence: str, spec: TaskSpec, profile: TableProfile) -> Feedback:
    return feedback(sentence, spec, NOW, profile)


@pytest.mark.parametrize(
    ("sentence", "changes"),
    [
        ("太慢了", {"latency_ms": 0.4}),
        ("it is too slow", {"latency_ms": 0.4}),
        ("predictions should be 4x faster", {"latency_ms": 0.2}),
        ("太慢了,0.5毫秒内要返回", {"latency_ms": 0.5}),
        ("模型太大", {"size_mb": 1.5}),
        ("The model is too big, at most 500 kB please", {"size_mb": 0.5}),
        ("占内存", {"memory_mb": 450.0}),
        ("误报太多", {"metric": "cost", "false_negative_cost": 0.5}),
        ("there are too many false alarms", {"metric": "cost", "false_negative_cost": 0.5}),
        ("it cries wolf all day", {"metric": "cost", "false_negative_cost": 0.5}),
        ("漏报太多了", {"metric": "cost", "false_negative_cost": 2.0}),
        ("It misses half of the leavers", {"metric": "cost", "false_negative_cost": 2.0}),
        ("宁可误报,不要漏掉", {"metric": "cost", "false_negative_cost": 2.0}),
        ("I would rather have false alarms than lose them",
         {"metric": "cost", "false_negative_cost": 2.0}),
        ("太慢了,误报也太多",
         {"latency_ms": 0.4, "metric": "cost", "false_negative_cost": 0.5}),
        ("this is a black box", {"interpretable": True}),
        ("业务看不懂这个模型", {"interpretable": True}),
        ("不要用年龄", {"drop_columns": ("age",)}),
        ("retrain it without the city", {"drop_columns": ("city",)}),
        ("please optimise F1", {"metric": "f1"}),
        ("概率不准", {"metric": "log_loss"}),
    ],
)  # fmt: skip
def test_a_complaint_becomes_a_change(
    sentence: str, changes: dict[str, Any], spec: TaskSpec, profile: TableProfile
) -> None:
    found = heard(sentence, spec, profile)
    assert {c.field: c.after for c in found.changes} == changes
    changed = found.applied(spec)
    for name, value in changes.items():
        decision = getattr(changed, name)
        assert (decision.value, decision.source) == (value, "sentence")
        assert decision.reason


@pytest.mark.parametrize(
    ("sentence", "seconds"),
    [
        ("再跑五分钟", 300), ("give it two more minutes", 120), ("search another 30 seconds", 30),
        ("准确率不够", 120), ("not accurate enough", 120), ("误差太大", 120),
        ("training takes too long", 30), ("训练太慢", 30),
    ],
)  # fmt: skip
def test_time_is_for_the_search_that_follows(
    sentence: str, seconds: float, spec: TaskSpec, profile: TableProfile
) -> None:
    found = heard(sentence, spec, profile)
    assert (found.changes, found.seconds) == ((), seconds)


def test_fewer_of_both_errors_is_no_matter_of_the_threshold(
    spec: TaskSpec, profile: TableProfile
) -> None:
    found = heard("误报多,漏报也多", spec, profile)
    assert (found.changes, found.seconds) == ((), 120)
    assert found.notes


def test_what_cannot_be_done_is_said(profile: TableProfile) -> None:
    spec = understand("predict total_spent", profile)
    found = heard("too many false alarms", spec, profile)
    assert found.changes == ()
    assert "two classes" in found.notes[0]
    assert "regression" in heard("the probabilities are off", spec, profile).notes[0]


@pytest.mark.parametrize("sentence", ["", "今天天气不错", "thank you, well done"])
def test_nothing_to_act_on_is_an_error_with_examples(
    sentence: str, spec: TaskSpec, profile: TableProfile
) -> None:
    with pytest.raises(SpecError) as error:
        heard(sentence, spec, profile)
    assert error.value.hint
