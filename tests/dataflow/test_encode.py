"""Typed columns to matrices: the same for the same rows, whatever comes with them."""

from __future__ import annotations

import numpy as np
import pytest

from autoglm.dataflow.columns import Column, Columns
from autoglm.dataflow.encode import Encoder, pack_arrays, unpack_arrays
from autoglm.dataflow.ngrams import FORMS, hashed_ngrams

VIEWS = ("tree", "dense", "sparse")
N = 400


def objects(values: list[str | None]) -> np.ndarray:
    """Return an object array of texts."""
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


@pytest.fixture
def columns() -> Columns:
    """One column of each kind, with gaps."""
    rng = np.random.default_rng(0)
    number = rng.lognormal(3, 2, N)
    number[::7] = np.nan
    words = ["快递很快", "屏幕坏了", "good value", "arrived broken", "电池不错"]
    text = [" ".join(rng.choice(words, 3)) if i % 9 else None for i in range(N)]
    day = 86_400.0 * (18_000 + np.arange(N)) + 3600 * 5
    day[3] = np.nan
    grades = [str(rng.integers(1, 13)) if i % 11 else None for i in range(N)]
    return Columns(
        {
            "价格,元": Column("number", number),
            "flag": Column("boolean", rng.integers(0, 2, N).astype(float)),
            "when": Column("date", day),
            "grade": Column("category", objects(grades)),
            "review": Column("text", objects(text)),
        },
        N,
    )


def test_views_have_the_shapes_they_name(columns: Columns) -> None:
    encoder = Encoder.fit(columns)
    views = encoder.transform(columns, VIEWS)
    assert views["tree"].shape == (N, len(encoder.tree_names()))
    assert views["dense"].shape == (N, len(encoder.dense_names()))
    assert views["sparse"].shape[0] == N
    assert np.isfinite(views["dense"]).all()
    assert np.abs(views["dense"][:, : len(encoder.numbers)]).max() < 3 * np.sqrt(2)
    assert np.isnan(views["tree"][0, 0])  # the gap is kept for trees
    assert encoder.transform(columns, ["dense"]).keys() == {"dense"}


def test_a_row_is_encoded_alone_as_in_a_crowd(columns: Columns) -> None:
    encoder = Encoder.fit(columns)
    whole = encoder.transform(columns, VIEWS)
    for row in (0, 3, 9, 11, N - 1):
        one = encoder.transform(columns.take(np.array([row])), VIEWS)
        np.testing.assert_allclose(one["tree"][0], whole["tree"][row], atol=1e-5)
        np.testing.assert_allclose(one["dense"][0], whole["dense"][row], atol=1e-5)
        np.testing.assert_allclose(
            one["sparse"].toarray()[0], whole["sparse"][row].toarray()[0], atol=1e-5
        )


def test_stored_and_loaded_it_encodes_the_same(columns: Columns) -> None:
    encoder = Encoder.fit(columns, seed=3)
    again = Encoder.load(encoder.dump())
    for name, matrix in encoder.transform(columns, VIEWS).items():
        other = again.transform(columns, VIEWS)[name]
        a, b = (m.toarray() if name == "sparse" else m for m in (matrix, other))
        np.testing.assert_array_equal(a, b)
    assert again.dense_names() == encoder.dense_names()


def test_categories_have_codes_in_natural_order(columns: Columns) -> None:
    encoder = Encoder.fit(columns)
    category = next(c for c in encoder.categories if c.name == "grade")
    assert list(category.codes) == sorted(category.codes, key=int)  # "2" before "10"
    assert [c.name for c in encoder.categories if c.folded] == ["review"]  # its texts repeat
    index, size = next(iter(encoder.categorical.items()))
    tree = encoder.transform(columns, ["tree"])["tree"]
    codes = tree[:, index]
    assert np.nanmax(codes) == size - 1
    names = encoder.dense_names()
    dense = encoder.transform(columns, ["dense"])["dense"]
    for row in (1, 2, 4):
        value = columns["grade"].values[row]
        hot = [n for n in names if n.startswith("grade = ") and dense[row, names.index(n)] == 1]
        assert hot == [f"grade = {value}"]


def test_unseen_and_missing_values_are_neither_errors_nor_codes(columns: Columns) -> None:
    encoder = Encoder.fit(columns)
    index = next(iter(encoder.categorical))
    strange = Columns(
        {
            "价格,元": Column("number", np.array([np.nan, 1e30])),
            "flag": Column("boolean", np.array([np.nan, 1.0])),
            "when": Column("date", np.array([np.nan, -1e9])),
            "grade": Column("category", objects(["九十九", None])),
            "review": Column("text", objects([None, "完全没见过 zzz"])),
        },
        2,
    )
    views = encoder.transform(strange, VIEWS)
    assert np.isnan(views["tree"][:, index]).all()
    assert np.isfinite(views["dense"]).all()


def test_ngrams_depend_on_text_and_column_alone() -> None:
    rows, buckets = hashed_ngrams(["abc def", None, "", "客户要退货", "abc def"])
    assert set(rows) == {0, 3, 4}
    assert buckets.max() < 1 << FORMS[2].bits
    np.testing.assert_array_equal(np.sort(buckets[rows == 0]), np.sort(buckets[rows == 4]))
    alone = hashed_ngrams(["abc def"])[1]
    np.testing.assert_array_equal(np.sort(buckets[rows == 0]), np.sort(alone))
    assert not set(alone) & set(hashed_ngrams(["abc def"], salt=1)[1])
    # Two words side by side count too, in their order; saved models of the first form know none.
    one, other = (set(hashed_ngrams([text])[1]) for text in ("good bad", "bad good"))
    assert len(one - other) > len(set(hashed_ngrams(["good bad"], 0, 1)[1])
                                  - set(hashed_ngrams(["bad good"], 0, 1)[1]))  # fmt: skip
    # An ideograph counts alone: two sentences that share one word share n-grams.
    shared = set(hashed_ngrams(["退货太慢"])[1]) & set(buckets[rows == 3])
    assert len(shared) >= 3


def test_arrays_of_objects_are_refused() -> None:
    with pytest.raises(ValueError, match="objects"):
        pack_arrays(bad=objects(["x"]))
    stored = unpack_arrays(pack_arrays(a=np.arange(3), b=np.eye(2)))
    np.testing.assert_array_equal(stored["b"], np.eye(2))
