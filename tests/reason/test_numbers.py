"""Numbers in questions: every spelling, in both languages, exactly."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoglm.reason.numbers import chinese_number, narrow, read_numbers


def values(text: str) -> list[str]:
    return [str(q.value) for q in read_numbers(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("如果3个苹果等于6元,那么5个苹果多少钱?", ["3", "6", "5"]),
        ("１２％，（３）", ["3/25", "3"]),
        ("1,250.50 dollars and .5", ["2501/2", "1/2"]),
        ("打八折,买一送一", ["8", "1", "1"]),
        ("它的(2/5)是6,3/4的一半", ["2/5", "6", "3/4", "1", "1/2"]),
        ("1 1/2 cups, 2(1/3)米", ["3/2", "7/3"]),
        ("百分之二十,百分之12.5,千分之三,三分之二", ["1/5", "1/8", "3/1000", "2/3"]),
        ("25 percent, 5‰", ["1/4", "1/200"]),
        ("1.5亿, 3万人, 2 million, 1.2e3", ["150000000", "30000", "2000000", "1200"]),
        ("两万三千零五十个,三百五,三千克,千米,万一", ["23050", "350", "3", "1"]),
        ("twenty-one, one hundred and five, two thousand three hundred", ["21", "105", "2300"]),
        ("twice as many; half of a dozen; two thirds", ["2", "1/2", "12", "2/3"]),
        ("no numbers here: often, someone, weight", []),
        ("3/0 and 5", ["5"]),
        ("", []),
    ],
)
def test_numbers_are_read(text: str, expected: list[str]) -> None:
    assert values(text) == expected


def test_places_are_those_of_the_text_as_given() -> None:
    text = "共(1/2)千克,占１２％"
    found = read_numbers(text)
    assert [text[q.start : q.end] for q in found] == ["(1/2)", "１２％"]
    assert [q.percent for q in found] == [False, True]
    assert [q.written for q in read_numbers("three of 4")] == [False, True]


@pytest.mark.parametrize("text", ["9" * 100_000, "亿" * 100_000, "一" * 100_000, "1/" * 50_000])
def test_what_is_endless_is_read_in_bounds(text: str) -> None:
    assert all(len(str(q.value)) < 200 for q in read_numbers(text))


@given(st.integers(min_value=0, max_value=10**12 - 1))
def test_chinese_numerals_are_read_back(number: int) -> None:
    assert chinese_number(in_chinese(number)) == number


def in_chinese(number: int) -> str:
    """Write a number as it is spoken."""
    if number == 0:
        return "零"
    text, zero = "", False
    for scale, name in ((10**8, "亿"), (10**4, "万"), (1, "")):
        part, number = divmod(number, scale)
        if part:
            text += ("零" if text and (zero or part < 1000) else "") + _thousands(part) + name
        zero = bool(text) and part == 0
    return text


def _thousands(part: int) -> str:
    text, gap = "", False
    for scale, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, part = divmod(part, scale)
        if digit:
            text += ("零" if gap and text else "") + "零一二三四五六七八九"[digit] + name
        gap = digit == 0
    return text


@given(st.fractions(min_value=0, max_value=10**9, max_denominator=10**4))
def test_fractions_are_read_back(value: Fraction) -> None:
    assert values(f"is {value.numerator}/{value.denominator} big") == [str(value)]


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    assert len(narrow(text)) == len(text)
    for found in read_numbers(text):
        assert text[found.start : found.end] == found.text
