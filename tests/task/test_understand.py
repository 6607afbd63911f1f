"""Sentences become specifications: by themselves, with what the user gives, with questions."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_tables import BENCH, profiles

from autoglm.core.errors import AmbiguousTask, ConfigError, SpecError
from autoglm.core.spec import Decision
from autoglm.dataflow.profile import TableProfile, profile_table
from autoglm.task.understand import Proposal, Question, understand

MADE = [json.loads(line) for line in (BENCH / "other.jsonl").read_text("utf-8").splitlines()]
REAL = [json.loads(line) for line in (BENCH / "sentences.jsonl").read_text("utf-8").splitlines()]
SMALL = ("tab_titanic/", "tab_insurance/", "tab_credit_g/", "tab_heart/", "tab_attrition/")


def check(sentence: str, profile: TableProfile, wanted: Mapping[str, Any]) -> None:
    spec = understand(sentence, profile)
    found = {name: getattr(spec, name).value for name in wanted}
    found = {n: sorted(v) if isinstance(v, tuple) else v for n, v in found.items()}
    assert found == {n: sorted(v) if isinstance(v, list) else v for n, v in wanted.items()}


@pytest.mark.parametrize("case", MADE, ids=lambda c: c["id"])
def test_sentence_about_a_made_table(case: dict[str, Any]) -> None:
    check(case["sentence"], profiles()[case["table"]], case["expect"])


@pytest.mark.parametrize(
    "case", [c for c in REAL if c["data"].startswith(SMALL)], ids=lambda c: c["id"]
)
def test_sentence_about_a_real_table(case: dict[str, Any], data_dir: Path) -> None:
    from autoglm.dataflow.read import read_table

    profile = profile_table(read_table(data_dir / case["data"]).frame)
    check(case["sentence"], profile, case["expect"])


def test_sixty_sentences_cover_both_languages_and_fifteen_sets() -> None:
    assert len(REAL) == 60
    assert sum(case["id"].startswith("zh") for case in REAL) == 30
    assert len({case["data"].split("/")[0] for case in REAL}) >= 15


def test_every_decision_says_why_in_the_language_of_the_sentence() -> None:
    chinese = understand("预测哪些客户会流失,漏报代价高", profiles()["bank_churn"])
    assert chinese.language == "zh"
    assert chinese.target.source == "sentence" and "流失" in chinese.target.reason
    assert chinese.metric.source == "sentence" and "漏报" in chinese.metric.reason
    english = understand("Which customers will leave?", profiles()["bank_churn"])
    assert english.language == "en" and "leave" in english.target.reason
    assert english.metric.source == "default" and english.metric.reason


def test_what_the_user_gives_stands() -> None:
    given = {
        "target": "LoanAmount", "metric": "MAE", "time_limit_s": 30.0, "latency_ms": None,
        "drop_columns": ["Gender"], "group_column": "Property_Area",
    }  # fmt: skip
    spec = understand(
        "Should the loan be approved? AUC, one hour", profiles()["loans"], given=given
    )
    assert (spec.target.value, spec.target.source) == ("LoanAmount", "user")
    assert (spec.task_type.value, spec.metric.value) == ("regression", "mae")
    assert spec.time_limit_s.value == 30.0
    assert spec.drop_columns.value == ("Gender",)
    assert (spec.split.value, spec.group_column.value) == ("grouped", "Property_Area")


def test_no_sentence_takes_the_label_column_and_asks_for_any_other() -> None:
    assert understand("", profiles()["diabetes"]).target.value == "Outcome"
    with pytest.raises(AmbiguousTask) as caught:
        understand("", profiles()["bank_churn"])
    assert caught.value.flag == "--target" and len(caught.value.candidates) == 2


def test_an_uncertain_target_is_asked_for() -> None:
    asked: list[Question] = []

    def ask(question: Question) -> str:
        asked.append(question)
        return "Temperature"

    spec = understand("predict something", profiles()["retail"], ask=ask)
    assert (spec.target.value, spec.target.source) == ("Temperature", "user")
    assert [q.field for q in asked] == ["target"] and asked[0].candidates
    with pytest.raises(AmbiguousTask) as caught:
        understand("predict something", profiles()["retail"])
    assert caught.value.candidates == asked[0].candidates[:2]


@pytest.mark.parametrize("sentence", ["make me a sandwich", "hello", "你好,今天天气不错"])
def test_a_sentence_that_fits_nothing_names_the_columns(sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        understand(sentence, profiles()["bank_churn"])
    assert "--target" in caught.value.hint and "CreditScore" in caught.value.hint


@pytest.mark.parametrize(
    ("sentence", "table", "given", "error"),
    [
        ("predict species, rmse", "iris", {}, SpecError),
        ("预测鸢尾花品种,用均方根误差", "iris", {}, SpecError),
        ("", "iris", {"target": "species", "metric": "rmse"}, ConfigError),
        ("", "iris", {"target": "species", "task_type": "regression"}, SpecError),
        ("", "concrete", {"target": "cement", "task_type": "multiclass"}, SpecError),
        ("", "iris", {"target": "specie"}, SpecError),
        ("", "iris", {"target": "species", "drop_columns": ["petal"]}, SpecError),
        ("", "iris", {"target": "species", "metrik": "accuracy"}, ConfigError),
        ("", "iris", {"target": "species", "task_type": "clustering"}, SpecError),
        ("", "iris", {"target": "species", "time_limit_s": "soon"}, SpecError),
        ("", "claims", {"target": "policy_number", "task_type": "classification"}, SpecError),
    ],
)
def test_contradictions_are_refused_with_a_hint(
    sentence: str, table: str, given: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        understand(sentence, profiles()[table], given=given)
    assert caught.value.hint  # type: ignore[attr-defined]


def test_a_constant_target_is_refused() -> None:
    profile = profile_table(pd.DataFrame({"x": ["1", "2", "3"] * 5, "y": ["a"] * 15}))
    with pytest.raises(SpecError, match="two different values"):
        understand("", profile, given={"target": "y"})


@pytest.mark.parametrize(
    ("written", "task_type"),
    [("classification", "binary"), ("binary", "binary"), ("Text Classification", "binary")],
)
def test_task_types_go_by_several_names(written: str, task_type: str) -> None:
    spec = understand("churn", profiles()["telco"], given={"task_type": written})
    assert (spec.task_type.value, spec.task_type.source) == (task_type, "user")


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        ("within half an hour", "time_limit_s", 1800.0),
        ("take at most 90 seconds", "time_limit_s", 90.0),
        ("in one and a half hours", "time_limit_s", 5400.0),
        ("1 hour 30 minutes", "time_limit_s", 5400.0),
        ("一个半小时以内", "time_limit_s", 5400.0),
        ("给你四十五分钟", "time_limit_s", 2700.0),
        ("３０秒内完成", "time_limit_s", 30.0),
        ("each prediction under 0.1 seconds", "latency_ms", 100.0),
        ("单条不超过两毫秒", "latency_ms", 2.0),
        ("the model must stay below 1.5 GB", "size_mb", 1500.0),
        ("内存别超过512MB", "memory_mb", 512.0),
    ],
)
def test_limits_said_in_words(words: str, field: str, value: float) -> None:
    spec = understand(f"churn, {words}", profiles()["telco"])
    assert getattr(spec, field).value == pytest.approx(value)
    assert getattr(spec, field).source == "sentence"


@pytest.mark.parametrize(
    "sentence",
    [
        "churn in the next 30 minutes", "predict who churns within 30 days",
        "未来24小时会不会流失", "churn of people with a tenure over 2 hours",
    ],
)  # fmt: skip
def test_a_horizon_is_no_time_limit(sentence: str) -> None:
    assert understand(sentence, profiles()["telco"]).time_limit_s.source == "default"


def test_the_target_is_never_left_out() -> None:
    given = {"target": "Churn"}
    spec = understand("predict without Churn and tenure", profiles()["telco"], given=given)
    assert (spec.target.value, spec.drop_columns.value) == ("Churn", ("tenure",))


def test_column_names_of_any_kind_are_safe() -> None:
    names = ["(a+b)*[c", "", "y\\d", "价格(元)", "x" * 3000, "🙂", "的"]
    frame = pd.DataFrame(
        {n: [str(i * (k + 1) % 7) for i in range(40)] for k, n in enumerate(names)}
    )
    profile = profile_table(frame)
    assert understand("预测价格", profile).target.value == "价格(元)"
    assert understand("target is y\\d", profile).target.value == "y\\d"


@pytest.mark.parametrize("part", ["流师", "预测流失,", "drop it, ", "( ", "a, ", "不要用它,"])
def test_a_long_sentence_ends_and_one_beyond_all_measure_is_refused(part: str) -> None:
    profile = profiles()["house_prices"]
    with suppress(SpecError):
        understand((part * 5_000)[:4_900], profile)
    with pytest.raises(SpecError, match=r"characters|字符"):
        understand(part * 5_000, profile)


def test_many_columns_take_little_time() -> None:
    base = profiles()["house_prices"].columns
    names = [f"sensor_{i}" for i in range(5000)]
    columns = {n: base["LotArea"].model_copy(update={"name": n}) for n in names}
    columns["SalePrice"] = base["SalePrice"]
    profile = TableProfile(n_rows=400, n_columns=len(columns), columns=columns)
    start = time.process_time()
    assert understand("predict the sale price", profile).target.value == "SalePrice"
    assert time.process_time() - start < 30  # a guard against work by the square of the columns


class _Guess:
    """A parser that stands in for a language model: one good answer, some bad ones."""

    def propose(
        self, sentence: str, profile: TableProfile, settled: Mapping[str, Decision[Any]]
    ) -> Proposal:
        return Proposal({
            "target": Decision[Any](value="G1", source="model", reason="it says so"),
            "group_column": Decision[Any](value="no such column", source="model"),
            "split": Decision[Any](value="sideways", source="model"),
            "made_up": Decision[Any](value=1, source="model"),
        })  # fmt: skip


def test_another_parser_is_checked_and_completed_by_the_rules() -> None:
    spec = understand("predict the final grade, mae", profiles()["students"], parser=_Guess())
    assert (spec.target.value, spec.target.source) == ("G1", "model")
    assert (spec.metric.value, spec.group_column.value, spec.split.value) == ("mae", None, "random")
    given = {"target": "G2"}
    spec = understand("final grade", profiles()["students"], given=given, parser=_Guess())
    assert (spec.target.value, spec.target.source) == ("G2", "user")


@pytest.mark.parametrize("sentence", ["", "   ", " \n\t"])
@pytest.mark.parametrize("values", ["flag", "grade", "number"])
def test_without_a_sentence_no_lexicon_is_read(
    sentence: str, values: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unread() -> None:
        raise AssertionError("the lexicon takes half a second to read")

    for room in ("_reading", "_match", "_roles"):
        monkeypatch.setattr(f"autoglm.task.{room}.lexicon", unread)
    rng = np.random.default_rng(0)
    columns = {"flag": rng.integers(0, 2, 200), "grade": rng.integers(1, 8, 200),
               "number": rng.normal(size=200)}  # fmt: skip
    frame = pd.DataFrame(columns | {"target_column": columns[values]})
    spec = understand(sentence, profile_table(frame), given={"target": "target_column"})
    assert spec.target.value == "target_column"
