"""Words of many meanings, short names of columns, and what a question says of the target's kind."""

from __future__ import annotations

import time
from typing import Any

import pytest

from autoglm.core.errors import AmbiguousTask, SpecError
from autoglm.dataflow.profile import TableProfile, profile_table
from autoglm.dataflow.read import read_table
from autoglm.task._match import likeness, name_of
from autoglm.task._reading import read
from autoglm.task._target import rank
from autoglm.task.lexicon import Lexicon, lexicon
from autoglm.task.pinyin import spellings
from autoglm.task.understand import understand


def profile(**columns: Any) -> TableProfile:
    """Profile a table of 240 rows; a column is a list of values that is gone through again."""
    rows = [{name: values[i % len(values)] for name, values in columns.items()} for i in range(240)]
    return profile_table(read_table(rows).frame)


NUMBERS = [round(1.5 + 0.37 * i, 2) for i in range(200)]
COUNTS = list(range(60))
GYM = profile(
    mem_id=[f"M{i}" for i in range(240)], age=COUNTS, avg_dur_min=NUMBERS, fee_mth=NUMBERS[::-1],
    freeze_cnt=[0, 1, 2, 3], cxl_90d=[0, 0, 0, 1], visits_30d=COUNTS[::-1],
)  # fmt: skip
KITCHEN = profile(
    单号=[f"D{i}" for i in range(240)], 备餐时长=NUMBERS, 送达用时=NUMBERS[::-1],
    是否超时=["否", "否", "是"], 打赏金额=NUMBERS, 顾客评分=[1.0, 2.5, 3.0, 4.5, 5.0, 3.5],
    楼层=COUNTS,
)  # fmt: skip
HOUSING = profile(
    hetong_hao=[f"H{i}" for i in range(240)], zuke_id=COUNTS, mianji=NUMBERS, zujin=NUMBERS[::-1],
    shifou_xuzu=[0, 1, 1], manyidu=[1, 2, 3, 4, 5],
)  # fmt: skip


@pytest.mark.parametrize(
    ("table", "sentence", "target"),
    [
        (GYM, "which members are going to cancel?", "cxl_90d"),
        (GYM, "how long is the average workout", "avg_dur_min"),
        (GYM, "预测月费", "fee_mth"),
        (GYM, "how many visits in a month", "visits_30d"),
        (KITCHEN, "多久能送到", "送达用时"),
        (KITCHEN, "这单会不会超时", "是否超时"),
        (KITCHEN, "how big is the tip", "打赏金额"),
        (KITCHEN, "how long does the kitchen need to prepare it", "备餐时长"),
        (HOUSING, "will the tenant renew the lease?", "shifou_xuzu"),
        (HOUSING, "租金预测", "zujin"),
    ],
)  # fmt: skip
def test_short_and_long_names_are_found(table: TableProfile, sentence: str, target: str) -> None:
    assert understand(sentence, table).target.value == target


def test_a_word_of_many_meanings_says_less() -> None:
    own = Lexicon(["价 | price", "费 | fee, price", "租 | rent, price", "税 | tax, price"])
    (price,), (tax,) = own.words("price"), own.words("税")
    (exact,) = own.words("费")
    assert likeness(tax, price) < likeness(exact, own.words("fee")[0])
    assert likeness(tax, price) > 0.7


def test_a_word_inside_a_phrase_still_counts_a_little() -> None:
    table = profile(kehu=[f"K{i}" for i in range(240)], churn=[0, 1, 0], fee=NUMBERS)
    assert understand("customer churn", table).target.value == "churn"
    churn = next(w for c in read("customer churn").clauses for w in c.words if w.text == "churn")
    assert churn.inner and not churn.concepts


def test_a_long_chinese_word_keeps_the_meaning_of_its_parts() -> None:
    own = Lexicon(["成交 | sold", "周期 | duration", "成交周期 | days on market"])
    (word,) = own.words("成交周期")
    assert own.words("sold")[0].concepts <= word.inner
    assert [part.text for part in own.parts(word)] == ["成交", "周期"]


def test_a_column_named_in_full_beats_one_of_the_same_meaning() -> None:
    table = profile(salary=NUMBERS, income=NUMBERS[::-1], wage_cls=["lo", "hi"])
    for column in ("salary", "income"):
        assert understand(f"predict the {column}", table).target.value == column


def test_half_a_name_is_not_enough_where_another_column_has_it_too() -> None:
    table = profile(amb_tmp=NUMBERS, oil_tmp=NUMBERS[::-1], site=["a", "b", "c"])
    with pytest.raises((AmbiguousTask, SpecError)):
        understand("predict the temperature", table)


def test_a_word_for_the_rows_does_not_name_the_target() -> None:
    table = profile(pax_cnt=COUNTS, pay_type=["cash", "card", "app"], km=NUMBERS)
    assert understand("乘客最后怎么付钱", table).target.value == "pay_type"
    best = rank(read("will the passengers sing?"), table)[0]
    assert best.found.strength == 0.0 or best.score < 0.5


def test_a_question_that_no_telling_name_fits_is_not_guessed() -> None:
    table = profile(shop=["a", "b"], rain_mm=NUMBERS, clean_cost=NUMBERS[::-1])
    with pytest.raises((AmbiguousTask, SpecError)):
        understand("how many penguins live there?", table)


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("predict the stars as classes", "multiclass"),
        ("stars, balanced accuracy", "multiclass"),
        ("predict the stars", "regression"),
        ("星级当成五类来做,不要回归", "multiclass"),
    ],
)
def test_a_scale_may_be_wanted_as_classes(sentence: str, kind: str) -> None:
    table = profile(stars=[1, 2, 3, 4, 5], km=NUMBERS)
    assert understand(sentence, table, given={"target": "stars"}).task_type.value == kind


@pytest.mark.parametrize(
    ("sentence", "field", "value"),
    [
        ("fee per month, an hour and a half of training at most", "time_limit_s", 5400),
        ("the monthly fee; you have 15 minuts", "time_limit_s", 900),
        ("the monthly fee. A tenth of a second per member at most.", "latency_ms", 100),
        ("will they cancel? three milliseconds per prediction is the limit", "latency_ms", 3),
        ("who cancels? one that slips through costs 12 times as much", "false_negative_cost", 12),
    ],
)
def test_limits_and_prices_in_other_words(sentence: str, field: str, value: float) -> None:
    assert getattr(understand(sentence, GYM), field).value == value


def test_dont_without_its_apostrophe() -> None:
    spec = understand("predict the monthly fee, dont use age", GYM)
    assert spec.target.value == "fee_mth" and spec.drop_columns.value == ("age",)


def test_pronouns_mean_nothing() -> None:
    for word in ("them", "us", "apart"):
        assert not lexicon().words(word)[0].concepts


def test_signs_with_two_readings() -> None:
    assert set(spellings("时长")) == {"shizhang", "shichang"}
    assert name_of("shichang").words[0].concepts & lexicon().words("时长")[0].concepts


def test_the_lexicon_loads_quickly() -> None:
    lexicon.cache_clear()
    start = time.process_time()
    assert lexicon().n_pairs > 10_000
    assert time.process_time() - start < 2.0  # about 0.2 s; a busy machine takes longer


def test_what_people_do_is_not_what_is_left_out() -> None:
    table = profile(host=["a", "b", "c"], skip_intro=["N", "Y"], len_min=NUMBERS)
    spec = understand("do listeners skip the intro?", table)
    assert spec.target.value == "skip_intro" and not spec.drop_columns.value
    assert understand("will it be long? predict len_min, skip host", table).drop_columns.value


def test_a_name_cut_up_is_one_word() -> None:
    table = profile(kehu=[f"K{i}" for i in range(240)], tiqian_huanqing=["fou", "fou", "shi"],
                    lilv=NUMBERS)  # fmt: skip
    assert understand("谁会提前还清", table).target.value == "tiqian_huanqing"
