"""Cells are read as a person would read them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from autoglm.dataflow.parse import (
    ParseRule,
    cell_reader,
    parse_booleans,
    parse_dates,
    parse_names,
    parse_numbers,
)
from autoglm.dataflow.profile import profile_table

DAY = 86400.0


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("12", 12), (" -1.5e3 ", -1500), ("1,234,567.5", 1234567.5), ("(1,234)", -1234),
        ("¥1.2万", 12000), ("3亿", 3e8), ("2千", 2000), ("12.5%", 0.125), ("12.5％", 0.125),
        ("3‰", 0.003), ("１２．５", 12.5), ("￥５００", 500), ("$1,000.50", 1000.5), ("€5", 5),
        ("USD 20", 20), ("20 USD", 20), ("1,200元", 1200), ("人民币5", None), ("50K", 50000),
        ("1.5M", 1.5e6), ("-$5", -5), ("1'000'000", 1e6), ("+7", 7), ("9" * 5000, None),
        ("1e400", None), ("inf", None), ("NaN", None), ("?", None), ("N/A", None), ("缺失", None),
        ("", None), ("1-2", None), ("abc", None), ("5A", None), ("1,23,456", 123456),
        (10**400, None), (None, None), (True, 1), (dt.timedelta(minutes=1), 60),
    ],
)  # fmt: skip
def test_numbers(cell: object, value: float | None) -> None:
    found = parse_numbers([cell])[0]
    assert np.isnan(found) if value is None else found == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        ("1970-01-02", DAY), ("1970/1/2", DAY), ("02.01.1970", DAY), ("1970年1月2日", DAY),
        ("19700102", DAY), ("Jan 2, 1970", DAY), ("2 January 1970", DAY), ("01/02/1970", DAY),
        ("1970-01-02T00:00:00Z", DAY), ("1970-01-02 08:00:00+08:00", DAY),
        ("1970-01-01 12:30", 45000), ("1970年1月1日 下午1:00", 46800), ("1/1/70 1:00 PM", 46800),
        ("1970-02-30", None), ("yesterday", None), ("", None), (None, None), (pd.NaT, None),
        (dt.date(1970, 1, 2), DAY), (pd.Timestamp("1970-01-02"), DAY),
        (pd.Timestamp("1970-01-02 08:00", tz="Asia/Shanghai"), DAY),
    ],
)  # fmt: skip
def test_dates(cell: object, seconds: float | None) -> None:
    found = parse_dates([cell])[0]
    assert np.isnan(found) if seconds is None else found == seconds


def test_many_dates_read_as_few_do() -> None:
    days = pd.date_range("1969-06-01", periods=500, freq="D")
    iso, mixed = days.strftime("%Y-%m-%d").tolist(), days.strftime("%Y/%m/%d %H:%M").tolist()
    cells = [*iso, *mixed, None, "?", "9999-12-31", "1969-06-01T01:00:00+01:00"]
    many = parse_dates(cells)
    few = np.concatenate([parse_dates([cell]) for cell in cells])
    np.testing.assert_array_equal(many, few)
    assert many[0] == days[0].timestamp()


def test_booleans() -> None:
    cells = ["Yes", "n", "TRUE", "否", "有", 1, 0.0, True, "maybe", None, "1"]
    np.testing.assert_array_equal(
        parse_booleans(cells), [1, 0, 1, 0, 1, 1, 0, 1, np.nan, np.nan, 1]
    )


def test_names_of_equal_numbers_are_equal() -> None:
    assert parse_names([1, 1.0, "1", " 1 "]).tolist() == ["1"] * 4
    assert parse_names([None, float("nan"), pd.NA, pd.NaT, "  "]).tolist() == [None] * 5


def test_one_cell_reads_as_many_do() -> None:
    cells = ["1,5", "2.000,25", "?", None, 7, "x"]
    rule = ParseRule(kind="number", plain=False, decimal=",")
    read = cell_reader("number", rule)
    np.testing.assert_array_equal(parse_numbers(cells, rule), [read(c) for c in cells])


def rule_of(cells: list[object], name: str = "x") -> tuple[str, ParseRule, np.ndarray]:
    column = profile_table(pd.DataFrame({name: pd.Series(cells, dtype=object)})).columns[name]
    return column.kind, column.rule, parse_numbers(cells, column.rule)


def test_units_are_found_and_converted() -> None:
    kind, rule, values = rule_of(["23.4 kmpl", "17 kmpl", None, "12"])
    assert kind == "number" and list(rule.units) == ["kmpl"]
    np.testing.assert_array_equal(values, [23.4, 17, np.nan, 12])
    _, _, values = rule_of(["1 km", "2 km", "500 m"])
    np.testing.assert_allclose(values, [1, 2, 0.5])


def test_what_would_be_lost_is_no_number() -> None:
    assert rule_of(["<=50K", ">50K"] * 5)[0] == "category"
    assert rule_of(["5A", "5B", "6A", "6B"])[0] == "category"
    assert rule_of(["007", "012", "130"])[0] == "category"


def test_decimal_commas_are_found_from_the_column() -> None:
    _, rule, values = rule_of(["1,5", "2,25", "1.000,5", "12"])
    assert rule.decimal == ","
    np.testing.assert_array_equal(values, [1.5, 2.25, 1000.5, 12])
    assert rule_of(["1,500", "22,250", "12"])[1].decimal == "."


def test_day_order_is_found_from_the_column() -> None:
    cells = ["03/01/2024", "25/12/2023", "04/02/2024"]
    column = profile_table(pd.DataFrame({"d": cells})).columns["d"]
    assert column.kind == "date" and column.rule.day_first
    assert parse_dates(cells[:1], column.rule)[0] == pd.Timestamp("2024-01-03").timestamp()


def test_numbers_are_dates_only_when_the_name_says_so() -> None:
    seconds = [1_700_000_000 + i * 1000 for i in range(30)]
    frame = pd.DataFrame({"created_at": seconds, "amount": seconds,
                          "日期": [20240101 + i for i in range(30)]})  # fmt: skip
    columns = profile_table(frame).columns
    assert [columns[n].kind for n in frame] == ["date", "number", "date"]
    assert columns["日期"].first_date == "2024-01-01"
