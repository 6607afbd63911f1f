"""Several tables as one: links are found, rows are summed up, new rows are joined the same way."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autoglm.core.errors import BundleError, DataError
from autoglm.dataflow.joins import Joins, find_joins
from autoglm.dataflow.profile import profile_table
from autoglm.dataflow.several import read_several, several


def shop(n: int = 200, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Return a shop: customers with orders, of products, in cities; and a table of no use."""
    rng = np.random.default_rng(seed)
    orders = rng.integers(0, 6, n)
    customers = pd.DataFrame({
        "id": [f"C{i:04}" for i in range(n)],
        "age": rng.integers(18, 80, n),
        "city": rng.choice(["Bonn", "Ulm", "Jena", "Kiel"], n),
        "churned": np.where(orders < 2, "yes", "no"),
    })  # fmt: skip
    total = int(orders.sum())
    bought = pd.DataFrame({
        "order_no": range(9_000, 9_000 + total),
        "customer_id": np.repeat(customers["id"], orders).to_numpy(),
        "product": rng.choice([f"P{i}" for i in range(40)], total),
        "amount": rng.uniform(1, 90, total).round(2),
        "ordered": pd.date_range("2024-01-01", periods=total, freq="h").strftime("%Y-%m-%d %H:%M"),
        "express": rng.choice(["yes", "no"], total),
    })  # fmt: skip
    products = pd.DataFrame({
        "product": [f"P{i}" for i in range(40)],
        "group": rng.choice(["food", "toys", "books"], 40),
        "weight_kg": rng.uniform(0.1, 9, 40).round(2),
    })  # fmt: skip
    cities = pd.DataFrame({"city": ["Bonn", "Ulm", "Jena", "Kiel"], "people": [330, 126, 110, 247]})
    rivers = pd.DataFrame({"river": ["Rhein", "Donau", "Saale"], "km": [1233, 2850, 413]})
    return {
        "customers": customers, "orders": bought, "products": products, "cities": cities,
        "rivers": rivers,
    }  # fmt: skip


def joins_of(tables: dict[str, pd.DataFrame], main: str = "customers") -> Joins:
    return find_joins(tables, {n: profile_table(t) for n, t in tables.items()}, main)


def test_links_are_found_over_two_tables() -> None:
    found = {link.table: link for link in joins_of(shop()).links}
    assert set(found) == {"orders", "products", "cities"}
    assert (found["orders"].to, found["orders"].keys) == ("customers", (("id", "customer_id"),))
    assert (found["products"].to, found["products"].keys) == ("orders", (("product", "product"),))
    assert [found[n].many for n in ("orders", "products", "cities")] == [True, False, False]


def test_rows_are_summed_up() -> None:
    tables = shop()
    joined = joins_of(tables).apply(tables)
    assert joined["id"].tolist() == tables["customers"]["id"].tolist()
    one = tables["orders"]["customer_id"].iloc[0]
    own = tables["orders"][tables["orders"]["customer_id"] == one]
    row = joined.set_index("id").loc[one]
    assert row["orders count"] == len(own)
    assert row["orders.amount mean"] == pytest.approx(own["amount"].mean())
    assert row["orders.amount sum"] == pytest.approx(own["amount"].sum())
    assert row["orders.amount max"] == own["amount"].max()
    assert row["orders.express share"] == pytest.approx((own["express"] == "yes").mean())
    assert row["orders.ordered last"].startswith(own["ordered"].max())
    groups = own.merge(tables["products"], on="product")["group"]
    assert row["orders.products.group distinct"] == groups.nunique()
    assert row["orders.products.group most"] in groups.mode().tolist()
    assert row["cities.people"] == dict(tables["cities"].to_numpy())[row["city"]]
    none = joined.set_index("id").loc[
        ~joined["id"].isin(tables["orders"]["customer_id"]).to_numpy()
    ]
    assert (none["orders count"] == 0).all() and none["orders.amount mean"].isna().all()


def test_new_rows_are_joined_the_same_way() -> None:
    joins = Joins.from_json(joins_of(shop()).to_json())
    new = shop(50, seed=1)
    new["customers"] = new["customers"].drop(columns="churned")
    joined = joins.apply(new)
    assert len(joined) == 50
    assert set(joins.apply(shop()).columns) - {"churned"} == set(joined.columns)
    assert len(joins.apply({**new, "orders": new["orders"].iloc[:0]})) == 50


def test_a_key_of_two_columns() -> None:
    days = [f"2024-05-{d:02}" for d in range(1, 21)]
    sales = pd.DataFrame([{"store": s, "date": d, "sold": i} for i, (s, d) in enumerate(
        (s, d) for s in "ABC" for d in days)])  # fmt: skip
    weather = pd.DataFrame([{"store": s, "date": d, "rain": len(s + d) + i % 7} for i, (s, d) in
                            enumerate((s, d) for s in "ABC" for d in days)])  # fmt: skip
    tables = {"sales": sales, "weather": weather.sample(frac=1, random_state=0)}
    found = joins_of(tables, "sales").links
    assert [set(link.keys) for link in found] == [{("store", "store"), ("date", "date")}]
    joined = Joins(main="sales", links=found).apply(tables)
    assert joined["weather.rain"].tolist() == weather["rain"].tolist()


@pytest.mark.parametrize("cell", [7, 7.0, "7", " 7 ", "7.0"])
def test_a_key_is_the_same_in_every_spelling(cell: object) -> None:
    main = pd.DataFrame({"shop_id": [cell] * 3, "y": [1, 2, 3]}).astype({"shop_id": object})
    other = pd.DataFrame({"shop_id": [7, 8], "town": ["Ulm", "Bonn"]})
    link = joins_of({"main": main.assign(shop_id=[7, 8, 7]), "other": other}, "main").links
    joined = Joins(main="main", links=link).apply({"main": main, "other": other})
    assert joined["other.town"].tolist() == ["Ulm"] * 3


def test_leading_zeros_make_another_key() -> None:
    main = pd.DataFrame({"code": ["007", "012", "100"], "y": [1, 2, 3]})
    other = pd.DataFrame({"code": ["7", "12", "100"], "town": ["a", "b", "c"]})
    joined = joins_of({"main": main, "other": other}, "main").apply({"main": main, "other": other})
    assert "other.town" not in joined or joined["other.town"].isna().tolist() == [True, True, False]


def test_chinese_names() -> None:
    tables = shop()
    customers = tables["customers"].rename(columns={"id": "客户编号", "city": "城市"})
    orders = tables["orders"].rename(columns={"customer_id": "客户号", "amount": "金额"})
    found = joins_of({"客户": customers, "订单": orders}, "客户").links
    assert [link.keys for link in found] == [(("客户编号", "客户号"),)]


def test_the_target_is_no_key() -> None:
    tables = {k: v for k, v in shop().items() if k in ("customers", "cities")}
    profiles = {n: profile_table(t) for n, t in tables.items()}
    assert find_joins(tables, profiles, "customers", "city").links == ()


def test_wide_tables_take_little_time() -> None:
    rng = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(5_000)])
    wide = {name: pd.DataFrame({f"{name}{i}": rng.choice(words, 4_000) for i in range(80)})
            for name in ("left", "right")}  # fmt: skip
    profiles = {n: profile_table(t) for n, t in wide.items()}
    start = time.process_time()
    find_joins(wide, profiles, "left")
    assert time.process_time() - start < 30  # a guard against reading a column for every pair


def test_what_only_looks_alike_is_not_joined() -> None:
    rng = np.random.default_rng(0)
    people = pd.DataFrame({"age": rng.integers(18, 80, 300), "y": rng.integers(0, 2, 300)})
    cars = pd.DataFrame({"power": rng.integers(18, 80, 300), "price": rng.uniform(1, 9, 300)})
    assert joins_of({"people": people, "cars": cars}, "people").links == ()


def test_missing_tables_and_columns_are_named() -> None:
    tables = shop()
    joins = joins_of(tables)
    with pytest.raises(DataError, match="orders"):
        joins.apply({k: v for k, v in tables.items() if k != "orders"})
    with pytest.raises(DataError, match="customer_id"):
        joins.apply({**tables, "orders": tables["orders"].drop(columns="customer_id")})
    with pytest.raises(DataError, match="amount"):
        joins.apply({**tables, "orders": tables["orders"].drop(columns="amount")})
    one = {"table": "a", "to": "a", "keys": [["x", "x"]]}
    circle = json.dumps({"main": "m", "links": [one]})
    nowhere = json.dumps({"main": "m", "links": [{**one, "to": "b"}]})
    for text in ("", "{}", '{"main": 3}', "[1]", circle, nowhere):
        with pytest.raises(BundleError):
            Joins.from_json(text)


def test_a_folder_a_list_and_frames_by_name(tmp_path: Path) -> None:
    tables = shop(20)
    for name, frame in tables.items():
        frame.to_csv(tmp_path / f"{name}.csv.gz", index=False)
    (tmp_path / "notes.md").write_text("no table")
    found = several(tmp_path)
    assert found is not None and set(found) == set(tables)
    assert read_several(found, "x").frames["cities"]["people"].tolist() == [
        "330",
        "126",
        "110",
        "247",
    ]
    assert set(several([*tmp_path.glob("*.gz")]) or ()) == set(tables)
    assert several(tables) == tables
    for single in (tmp_path / "cities.csv.gz", {"x": [1, 2]}, [{"x": 1}], tables["cities"]):
        assert several(single) is None
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no table"):
        several(tmp_path / "empty")
    (tmp_path / "broken.csv").write_bytes(b"%PDF-1.7")
    with pytest.raises(DataError, match="broken"):
        read_several(several(tmp_path) or {}, "x")
