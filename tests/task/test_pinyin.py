"""Columns named in pinyin, and words written with a sign of the same sound."""

from __future__ import annotations

import pytest

from autoglm.dataflow.profile import profile_table
from autoglm.dataflow.read import read_table
from autoglm.task.lexicon import lexicon
from autoglm.task.pinyin import spelled
from autoglm.task.understand import understand

ROWS = [
    {"kehu_id": f"K{i:04}", "nianling": 20 + i % 50, "shifou_weiyue": "是" if i % 4 == 0 else "否",
     "liushi": i % 2, "daikuan_jine": 1000.5 + i}
    for i in range(200)
]  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "target"),
    [
        ("预测谁会违约", "shifou_weiyue"), ("which borrowers will default?", "shifou_weiyue"),
        ("哪些客户会流失", "liushi"), ("customer churn", "liushi"), ("预测年龄", "nianling"),
    ],
)  # fmt: skip
def test_pinyin_names_are_understood(sentence: str, target: str) -> None:
    assert understand(sentence, profile_table(read_table(ROWS).frame)).target.value == target


def test_a_sign_of_the_same_sound_is_forgiven() -> None:
    profile = profile_table(read_table(ROWS).frame)
    for sentence in ("预测谁会违曰", "哪些客户会流师"):
        wanted = "shifou_weiyue" if "违" in sentence else "liushi"
        assert understand(sentence, profile).target.value == wanted
    exact, heard = (lexicon().words(text, forgive=True)[0] for text in ("流失", "流师"))
    assert heard.concepts == exact.concepts
    plain = lexicon().words("流师")  # unless it is asked for
    assert not any(word.concepts & exact.concepts for word in plain)


def test_spelling() -> None:
    assert spelled("是否违约") == "shifouweiyue"
    assert spelled("churn") == ""
