"""Models saved by earlier versions stay loadable and predict what they predicted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from autoglm import examples, load, read_table
from autoglm.registry.manifest import FORMAT_VERSION

BUNDLES = sorted((Path(__file__).parent / "bundles").glob("tabular-*.aglm"))


@pytest.mark.parametrize("path", BUNDLES, ids=lambda p: p.stem)
def test_a_model_of_every_format_still_predicts_the_same(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    model = load(path)
    rows = read_table(examples.path("new_customers.csv")).frame[: len(expected["labels"])]
    assert model.predict(rows).tolist() == expected["labels"]
    np.testing.assert_allclose(model.predict_proba(rows)["yes"], expected["proba"], atol=1e-6)
    assert {m.learner for m in model.blend.members} == set(expected["learners"])
    assert "churned" in model.report()


def test_there_is_one_for_the_present_format() -> None:
    assert f"tabular-{FORMAT_VERSION}" in {p.stem for p in BUNDLES}
