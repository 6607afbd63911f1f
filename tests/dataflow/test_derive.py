"""Computed columns: what can be written, what comes out, and the same for one row as for many."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from autoglm.core.errors import SpecError
from autoglm.dataflow._flat import FlatRow
from autoglm.dataflow.clean import Cleaner, plan_cleaning
from autoglm.dataflow.columns import Columns
from autoglm.dataflow.derive import Derived, parse
from autoglm.dataflow.encode import Encoder
from autoglm.dataflow.profile import profile_table


def table(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    begun = pd.to_datetime("2023-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D")
    frame = pd.DataFrame({
        "total": rng.uniform(-5, 900, n).round(2),
        "visits": rng.integers(0, 9, n),
        "city": rng.choice(["Ulm", "Bonn", "Jena", "Kiel", "Trier"], n),
        "begun": begun.strftime("%Y-%m-%d"),
        "ended": (begun + pd.to_timedelta(rng.integers(1, 90, n), unit="D")).strftime("%Y-%m-%d"),
        "code": [f"A{i % 7}-{i % 3}" for i in range(n)],
        "note": [" ".join(["good work number"] * (1 + i % 5)) + f" {i}" for i in range(n)],
        "y": rng.integers(0, 2, n),
    })  # fmt: skip
    frame.loc[::11, ["total", "city"]] = None
    return frame


@pytest.fixture(scope="module")
def made() -> tuple[pd.DataFrame, Cleaner, Columns]:
    frame = table()
    profile = profile_table(frame)
    cleaner = Cleaner.build(plan_cleaning(profile, (), target="y"), profile, "y")
    return frame, cleaner, cleaner.columns(frame)


def values(text: str, columns: Columns) -> Any:
    return Derived.fit(text, columns).column(columns).values


def test_arithmetic_and_gaps(made: tuple[pd.DataFrame, Cleaner, Columns]) -> None:
    frame, _, columns = made
    found = values("`total` / `visits` - 2 * (`visits` + 1)", columns)
    with np.errstate(all="ignore"):
        wanted = frame["total"] / frame["visits"] - 2 * (frame["visits"] + 1)
    wanted = wanted.where(np.isfinite(wanted))
    np.testing.assert_allclose(found, wanted)
    assert np.isnan(found[frame["visits"].to_numpy() == 0]).all()
    assert values("-`visits`", columns).tolist() == [-v for v in frame["visits"]]


def test_dates_texts_and_pieces(made: tuple[pd.DataFrame, Cleaner, Columns]) -> None:
    frame, _, columns = made
    begun, ended = (pd.to_datetime(frame[c]) for c in ("begun", "ended"))
    assert values("days(`ended`, `begun`)", columns).tolist() == (ended - begun).dt.days.tolist()
    assert values("month(`begun`)", columns).tolist() == begun.dt.month.tolist()
    assert values("weekday(`begun`)", columns).tolist() == begun.dt.day_of_week.tolist()
    assert values("words(`note`)", columns).tolist() == frame["note"].str.split().str.len().tolist()
    assert values("length(`note`)", columns).tolist() == frame["note"].str.len().tolist()
    pieces = Derived.fit('part(`code`, "-", -1)', columns)
    assert pieces.kind == "category"
    assert pieces.column(columns).values.tolist() == [c[-1] for c in frame["code"]]


def test_groups_are_learned_and_unknown_ones_get_the_whole(
    made: tuple[pd.DataFrame, Cleaner, Columns],
) -> None:
    frame, cleaner, columns = made
    one = Derived.fit("`total` - mean(`total` by `city`)", columns)
    means = frame.groupby("city")["total"].mean()
    wanted = frame["total"] - frame["city"].map(means)
    np.testing.assert_allclose(one.column(columns).values, wanted)
    other = cleaner.columns(frame.head(1).assign(city="Rom", total=10.0))
    assert one.column(other).values[0] == pytest.approx(10 - frame.loc[
        frame["city"].notna(), "total"].mean())  # fmt: skip
    counts = Derived.fit("count(`visits` by `city`)", columns)
    assert counts.column(other).values.tolist() == [0.0]
    again = Derived.model_validate_json(one.model_dump_json())
    np.testing.assert_array_equal(again.column(columns).values, one.column(columns).values)


EXPRESSIONS = (
    "`total` / `visits`", "log(`total`) + sqrt(`visits`)", "max(`total`, `visits`) * 3",
    "`total` - mean(`total` by `city`)", "std(`visits` by `code`)", "days(`ended`, `begun`)",
    "hour(`begun`)", "year(`ended`)", "digits(`note`)", "missing(`city`)", 'part(`code`, "-", 0)',
    "count(`visits` by `city`) / 100 - abs(`total`)",
)  # fmt: skip


def test_one_row_says_what_many_say(made: tuple[pd.DataFrame, Cleaner, Columns]) -> None:
    frame, plain, columns = made
    cleaner = plain.with_derived([Derived.fit(t, columns) for t in EXPRESSIONS])
    cleaner = Cleaner.from_json(cleaner.to_json())
    assert cleaner.inputs == plain.inputs
    wide = cleaner.columns(frame)
    encoder = Encoder.fit(wide, 0)
    assert set(EXPRESSIONS) - {'part(`code`, "-", 0)'} <= set(encoder.numbers)
    views = {"tree", "dense"}
    many = encoder.transform(wide, views)
    flat = FlatRow(cleaner, encoder, views)
    for at, row in enumerate(frame[cleaner.inputs].itertuples(index=False)):
        found = flat(list(row))
        for view in views:
            np.testing.assert_allclose(found[view], many[view][at], rtol=1e-5, atol=1e-6)
    few = encoder.transform(cleaner.columns(frame.head(3)), {"tree"})["tree"]
    np.testing.assert_allclose(few, many["tree"][:3], rtol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "", "`total`", "`total` +", "(`total`", "`total` / `nothing`", "`city` + 1",
        "year(`total`)", "mean(`total`)", "mean(`city` by `total`)", "exec(`total`)",
        "__import__(`total`)",
        "`total`.real", "total / 2", "length(`total`)", "part(`code`, `city`, 0)",
        'part(`code`, "-", 0.5)', 'part(`code`, "-", 0) + 1', "min(`total`)", "days(`begun`)",
        "1; 2", "`total` ** 2", "[`total`]", "lambda", "(" * 50 + "1" + ")" * 50, "`a" * 300,
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused(
    text: str, made: tuple[pd.DataFrame, Cleaner, Columns]
) -> None:
    with pytest.raises(SpecError):
        Derived.fit(text, made[2])


def test_names_of_columns_may_hold_anything_but_a_backtick() -> None:
    frame = pd.DataFrame({"a b/c (d)": [1.0, 2.0, 4.0], "价格": [2.0, 4.0, 8.0], "y": [0, 1, 0]})
    profile = profile_table(frame)
    columns = Cleaner.build((), profile, "y").columns(frame)
    assert values("`价格` / `a b/c (d)`", columns).tolist() == [2.0, 2.0, 2.0]
    assert list(parse("`价格` / `a b/c (d)`").columns()) == ["价格", "a b/c (d)"]


def test_a_step_without_a_value_leaves_none_for_one_row_and_for_many() -> None:
    frame = pd.DataFrame({
        "x": [0.0, 2.0, -4.0, 1e308, None], "y": [1.0, 0.0, 3.0, 1e10, 2.0],
        "day": ["2024-01-01", "2024-02-29", None, "9999-12-31", "1970-01-01"], "t": [0, 1, 0, 1, 0],
    })  # fmt: skip
    profile = profile_table(frame)
    plain = Cleaner.build(plan_cleaning(profile, (), target="t"), profile, "t")
    columns = plain.columns(frame)
    texts = ["1 / (1 / `x`)", "min(1 / `x`, 3)", "max(sqrt(`x`), 1)", "log(`x` * `y`)",
             "min(`x` * `y`, 7)", "year(`day`) + 0", "days(`day`, `day`) / `y`"]  # fmt: skip
    for text in texts:
        one = Derived.fit(text, columns)
        many = one.column(columns).values
        each = one.of_row()
        for at in range(len(frame)):
            cells = {n: columns[n].values.tolist()[at] for n in one.inputs}
            np.testing.assert_equal(each(cells), many[at], text)


@pytest.mark.parametrize(
    "change",
    [{"text": "__import__(1)"}, {"text": "`x` / `nothing`"}, {"text": "-" * 300 + "`x`"},
     {"text": "mean(`x` by `c`)", "groups": {}}, {"kind": 3}],
)  # fmt: skip
def test_a_file_with_another_expression_is_refused(change: dict[str, Any]) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 4.0], "c": ["a", "b", "a"], "y": [0, 1, 0]})
    plain = Cleaner.build((), profile_table(frame), "y")
    derived = [Derived.fit("`x` + 1", plain.columns(frame))]
    told = json.loads(plain.with_derived(derived).to_json())
    told["derived"][0] |= change
    with pytest.raises(ValueError):
        Cleaner.from_json(json.dumps(told))


def test_every_value_is_a_number_or_missing(
    made: tuple[pd.DataFrame, Cleaner, Columns],
) -> None:
    for text in EXPRESSIONS:
        for value in values(text, made[2]).tolist():
            assert value is None or isinstance(value, str) or not math.isinf(value)
