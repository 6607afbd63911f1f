"""A model text from a stranger is checked before LightGBM follows its numbers."""

from __future__ import annotations

import re

import numpy as np
import pytest

from autoglm.zoo._arrays import pack_text
from autoglm.zoo._boosters import load_trees
from autoglm.zoo.contract import Facts, Fold, Limits
from autoglm.zoo.lightgbm import LightGBM

FACTS = Facts("binary", 2, 4000, {"tree": 3}, {2: 8})


@pytest.fixture(scope="module")
def text() -> str:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 3)).astype(np.float32)
    X[:, 2] = rng.integers(0, 8, 4000)
    y = (np.isin(X[:, 2], [1, 4, 6]) ^ (X[:, 0] > 1)).astype(np.int64)
    rows = np.arange(4000)
    fold = Fold(X, y, rows[:3000], rows[3000:])
    return LightGBM().fit(fold, {"rounds": 5, "num_leaves": 8}, FACTS, Limits()).text


def changed(text: str, name: str, value: str) -> str:
    """Put another first number into the first line of that name, one that has several if any."""
    several, one = (re.search(rf"^{name}=(-?\d+){end}", text, re.MULTILINE) for end in (" ", "$"))
    found = several or one
    assert found is not None
    return text[: found.start(1)] + value + text[found.end(1) :]


def test_an_honest_model_loads(text: str) -> None:
    assert re.search(r"^num_cat=[1-9]", text, re.MULTILINE)  # splits by category are in it
    load_trees({"model.txt.z": pack_text(text)}, FACTS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("left_child", "0"),  # a loop
        ("right_child", "99"),
        ("left_child", "-99"),
        ("split_feature", "70000"),
        ("split_feature", "-1"),
        ("cat_boundaries", "5"),
        ("cat_threshold", "-7"),
        ("cat_threshold", "4294967296"),
        ("cat_threshold", "x"),
        ("leaf_value", "1 1"),
    ],
)
def test_a_tree_that_is_none_is_refused(text: str, name: str, value: str) -> None:
    if name == "leaf_value":
        bad = text.replace("leaf_value=", f"leaf_value={value} ", 1)
    else:
        bad = changed(text, name, value)
    with pytest.raises(ValueError, match="not a"):
        load_trees({"model.txt.z": pack_text(bad)}, FACTS)


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("max_feature_idx=2", "max_feature_idx=90000"),
        ("num_tree_per_iteration=1", "num_tree_per_iteration=5"),
    ],
)
def test_trees_of_another_shape_are_refused(text: str, line: str, other: str) -> None:
    assert line in text
    bad = text.replace(line, other).replace(
        "num_class=1\n", "num_class=5\n" if "5" in other else "num_class=1\n"
    )
    if "90000" in other:
        names = " ".join(f"f{i}" for i in range(90001))
        bad = re.sub("feature_names=.*", f"feature_names={names}", bad)
        bad = re.sub("feature_infos=.*", "feature_infos=" + " ".join(["none"] * 90001), bad)
    with pytest.raises(ValueError, match=r"not of this task|not a LightGBM model"):
        load_trees({"model.txt.z": pack_text(bad)}, FACTS)


def test_a_row_of_another_length_is_not_followed(text: str) -> None:
    answer = load_trees({"model.txt.z": pack_text(text)}, FACTS).one_row()
    assert answer is not None
    assert 0 < float(answer(np.zeros(3, np.float32))) < 1
    with pytest.raises(ValueError, match="features"):
        answer(np.zeros(2, np.float32))
