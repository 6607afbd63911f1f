"""How contracts are written, and what a preference is worth."""

from __future__ import annotations

import math
from typing import Any

import pytest

from autoglm.core.contracts import BALANCED, Preference, parse_preference, read_contracts
from autoglm.core.errors import ConfigError


def test_contracts_are_read_into_the_units_of_a_task() -> None:
    read = read_contracts(
        {"latency": "1ms", "size": "500kb", "memory": "2GB", "time_limit": "2m", "seed": 3}
    )
    assert read == {
        "latency_ms": 1.0,
        "size_mb": 0.5,
        "memory_mb": 2000.0,
        "time_limit_s": 120.0,
        "seed": 3,
    }
    assert read_contracts({"latency": 5, "size": 2, "memory": 100, "time_limit": 7}) == {
        "latency_ms": 5.0,
        "size_mb": 2.0,
        "memory_mb": 100.0,
        "time_limit_s": 7.0,
    }
    assert read_contracts({"latency_ms": "300us"}) == {"latency_ms": 0.3}


@pytest.mark.parametrize(
    "given",
    [
        {"latency": "soon"},
        {"size": 0},
        {"memory": "-1GB"},
        {"prefer": "speed"},
        {"prefer": {"speed": 1}},
        {"prefer": {"accuracy": 0, "latency": 0}},
        {"prefer": "accuracy=-1"},
        {"prefer": "0% for 3x"},
        {"prefer": "1% for 0.5x"},
        {"latency": "1ms", "latency_ms": 2},
    ],
    ids=str,
)
def test_what_cannot_be_read_is_one_error_with_a_hint(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        read_contracts(given)
    assert caught.value.hint


def test_the_forms_of_a_preference() -> None:
    assert parse_preference("balanced") == parse_preference("均衡") == BALANCED
    assert (BALANCED.accuracy, BALANCED.latency, BALANCED.cost) == (0.8, 0.6, 0.3)
    named = parse_preference("latency=1, accuracy=2")
    assert named == parse_preference({"accuracy": 2, "latency": 1}) == parse_preference(named)
    assert (named.cost, named.size) == (0.0, 0.0)
    assert parse_preference("2%精度换4倍更小的体积") == parse_preference("2% for 4x smaller")


@pytest.mark.parametrize(("words", "kind"), [("", "latency"), (" size", "size"), (" cost", "cost")])
def test_a_trade_breaks_even_where_it_says(words: str, kind: str) -> None:
    trade = parse_preference(f"1% for 4x{words}")
    assert trade.value(loss=0.01, **{kind: 1 / 4}) == pytest.approx(0.0, abs=1e-9)
    assert trade.value(loss=0.01, **{kind: 1 / 5}) > 0 > trade.value(loss=0.01, **{kind: 1 / 3})
    assert trade.most_loss == 0.01


def test_a_unit_is_one_per_cent_or_a_factor_of_three() -> None:
    even = Preference(accuracy=1, latency=1, cost=1, size=1)
    assert even.value(loss=0.02) == pytest.approx(-2.0)
    for kind in ("latency", "cost", "size"):
        assert even.value(loss=0.0, **{kind: 1 / 9}) == pytest.approx(2.0)
    assert math.isfinite(even.value(loss=0.0, latency=0.0))
