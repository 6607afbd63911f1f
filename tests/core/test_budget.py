"""Quantities in words, time and memory budgets."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from autoglm.core import budget
from autoglm.core.budget import MemoryBudget, TimeBudget, parse_duration, parse_size_mb
from autoglm.core.errors import BudgetError, ConfigError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60", 60.0),
        ("60s", 60.0),
        (" 1.5 H ", 5400.0),
        ("1h30m", 5400.0),
        ("2 minutes 5 seconds", 125.0),
        ("5毫秒", 0.005),
        ("30分钟", 1800.0),
        ("1个小时", 3600.0),
        (0.25, 0.25),
        (7, 7.0),
    ],
)
def test_durations_are_read(text: Any, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(("text", "mb"), [("20MB", 20.0), ("2 gb", 2000.0), ("1", 1.0)])
def test_sizes_are_read(text: str, mb: float) -> None:
    assert parse_size_mb(text) == pytest.approx(mb)


@pytest.mark.parametrize(
    "text", ["", "soon", "-5s", "0", "5 parsecs", "s5", "1..5s", "nan", "inf", "5s!", "9" * 40]
)
def test_what_is_no_quantity_is_refused_with_an_example(text: str) -> None:
    for parse in (parse_duration, parse_size_mb):
        with pytest.raises(ConfigError) as caught:
            parse(text)
        assert caught.value.hint


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a clock that stands still until its first element is changed."""
    now = [100.0]
    monkeypatch.setattr(budget.time, "monotonic", lambda: now[0])
    return now


def test_time_runs_down_and_never_below_zero(clock: list[float]) -> None:
    limit = TimeBudget(10.0, used_s=4.0, _start=clock[0])
    assert limit.remaining() == 6.0
    clock[0] += 5.0
    assert limit.elapsed() == 9.0
    assert not limit.expired()
    clock[0] += 5.0
    assert limit.remaining() == 0.0
    assert limit.expired()


def test_without_a_limit_time_never_ends(clock: list[float]) -> None:
    limit = TimeBudget(None)
    clock[0] += 1e9
    assert limit.remaining() == float("inf")
    assert not limit.expired()


def test_a_zero_limit_is_a_limit() -> None:
    assert TimeBudget(0.0).expired()


def test_memory_beyond_the_limit_is_refused_with_both_figures() -> None:
    limit = MemoryBudget(1000.0)
    limit.require(1000.0, "The table")
    with pytest.raises(BudgetError, match=r"1,500 MB.*1,000 MB"):
        limit.require(1500.0, "The table")


def test_memory_of_processes_is_measured() -> None:
    mine = budget.resident_mb()
    assert mine > 5.0
    assert MemoryBudget(mine / 10).exceeded([os.getpid()])
    assert not MemoryBudget(mine * 100).exceeded([os.getpid()])
    assert budget.resident_mb(2**22 + 1) == 0.0  # no such process


def test_what_is_free_is_found() -> None:
    assert budget.available_mb() > 10.0
    assert MemoryBudget.detect(0.5).limit_mb < budget.available_mb()
    assert budget.cpu_count() >= 1


def test_loading_is_counted_once() -> None:
    code = (
        "import time; began = time.perf_counter(); import autoglm; task = autoglm.AutoTask\n"
        "took = time.perf_counter() - began\n"
        "rows = [{'x': n % 7, 'y': n % 2} for n in range(40)]\n"
        "first = task.create(dataset=rows, target='y').seconds\n"
        "assert first > 0.5 * took, (first, took)\n"
        "assert task.create(dataset=rows, target='y').seconds < first\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
