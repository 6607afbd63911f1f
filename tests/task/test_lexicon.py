"""Words of two languages meet in concepts."""

from __future__ import annotations

import pytest

from autoglm.task.lexicon import Lexicon, lexicon


def concepts(text: str) -> set[int]:
    return {concept for word in lexicon().words(text) for concept in word.concepts}


@pytest.mark.parametrize(
    ("chinese", "english"),
    [
        ("流失", "Exited"), ("房价", "median_house_value"), ("生还", "Survived"),
        ("离职", "Attrition"),
        ("违约", "default"), ("欺诈", "is_fraud"), ("销量", "units sold"),
        ("收入", "Salary"), ("糖尿病", "diabetic"),
        ("品种", "species"), ("故障", "machine_failure"),
        ("退货", "Returned"), ("浓度", "concentration"), ("点击", "click"), ("理赔", "claims"),
    ],
)  # fmt: skip
def test_both_languages_name_the_same_thing(chinese: str, english: str) -> None:
    assert concepts(chinese) & concepts(english)


def test_the_lexicon_is_broad() -> None:
    assert lexicon().n_pairs >= 2000


def test_the_longest_word_wins() -> None:
    words = [word.text for word in lexicon().words("信用卡盗刷")]
    assert words == ["信用卡", "盗刷"]


def test_a_slip_of_the_keyboard_is_forgiven_only_on_request() -> None:
    own = Lexicon(["流失 | attrition"])
    assert not own.words("attritoin")[0].concepts
    guess = own.words("attritoin", forgive=True)[0]
    assert guess.guessed and guess.concepts == own.words("流失")[0].concepts
