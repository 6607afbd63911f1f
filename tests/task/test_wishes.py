"""Wishes beside the question: columns, splits, prices, reasons, second thoughts.

The sentences in ``wishes.jsonl`` speak of the made tables of ``bench/sentences``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_tables import profiles

from autoglm.dataflow.profile import TableProfile, profile_table
from autoglm.task._limits import find as limits
from autoglm.task._prices import find as price
from autoglm.task._words import normal
from autoglm.task.understand import understand

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "wishes.jsonl").read_text("utf-8").splitlines()
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_a_sentence_with_wishes(case: dict[str, Any]) -> None:
    spec = understand(case["sentence"], profiles()[case["table"]])
    found = {name: getattr(spec, name).value for name in case["expect"]}
    assert {n: sorted(v) if isinstance(v, tuple) else v for n, v in found.items()} == {
        n: sorted(v) if isinstance(v, list) else v for n, v in case["expect"].items()
    }


@pytest.mark.parametrize(
    "sentence",
    [
        "Which customers will drop us and leave?",
        "predict who churns, no need to hurry",
        "哪些客户会流失,类别不平衡",
        "churn, and do not miss any of them",
        "流失预测,不要超过一分钟",
    ],
)
def test_nothing_is_left_out_that_was_not_spoken_of(sentence: str) -> None:
    assert not understand(sentence, profiles()["telco"]).drop_columns.value


def test_what_cannot_be_found_is_said_rather_than_guessed() -> None:
    left = understand("predict churn without the postal address", profiles()["telco"]).drop_columns
    assert (left.value, left.confidence < 0.5) == ((), True)


@pytest.mark.parametrize(
    ("words", "ratio"),
    [
        ("A faulty part that slips through costs 800 euros, scrapping a good one 40", 20),
        ("it costs 500 to turn away a good one and 5000 to let a bad one through", 10),
        ("an unnecessary inspection costs $200, while a failure we missed costs $10k", 50),
        ("ten false alarms are as bad as one miss", 10),
        ("I'd rather check 20 healthy patients than miss one sick one", 20),
        ("误报一次成本200块，漏掉一次要赔2万", 100),
        ("漏诊一例，等于多做三十次检查", 30),
        ("放给坏客户一笔亏两万，拒掉一个好客户少赚四千", 5),
        ("宁可误报二十次也不能漏一次", 20),
        ("a spam that slips through costs 1 cent, a real message blocked costs 20 cents", 0.05),
    ],
)
def test_a_price_said_as_two_amounts_or_a_count(words: str, ratio: float) -> None:
    found = price(normal(words))
    assert found is not None and found.ratio == pytest.approx(ratio)


@pytest.mark.parametrize(
    "words",
    [
        "predict the fare, 5 minutes, under 10 MB",
        "漏掉一个故障要停产三天",
        "Which houses cost more than 300,000, and test on 2010?",
    ],
)
def test_figures_that_are_no_price(words: str) -> None:
    assert price(normal(words)) is None


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("take 10 minutes... I have a meeting, make it three", 180),
        ("within 5 minutes, or rather 10 minutes", 600),
        ("先给5分钟,算了给8分钟", 480),
        ("给你十分钟,改成二十吧", 1200),
        ("只能用一分半钟", 90),
    ],
)
def test_a_second_thought_on_the_time(words: str, seconds: float) -> None:
    assert [limit.value for limit in limits(normal(words))] == [seconds]


def _letters() -> TableProfile:
    frame = pd.DataFrame({
        "fare": range(60), "port": ["S", "C", "Q"] * 20, "answer": ["yes", "no", "no"] * 20,
        "site (plot)": [f"p{i % 9}" for i in range(60)], "y": [i % 2 for i in range(60)],
    })  # fmt: skip
    return profile_table(frame)


@pytest.mark.parametrize(
    ("sentence", "target"),
    [
        ("Did they board in Southampton, Cherbourg or Queenstown?", "port"),
        ("fare, and y is not to be used", "fare"),
        ("the answer, with 'yes' as the positive class", "answer"),
    ],
)
def test_short_names_and_values(sentence: str, target: str) -> None:
    assert understand(sentence, _letters()).target.value == target
