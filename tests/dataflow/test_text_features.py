"""Text features: rows in parts, and what is refused of a file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autoglm.dataflow import text_features
from autoglm.dataflow.text_features import TextFeatures

TEXTS = {
    "a": [f"row {i} is {'good' if i % 2 else 'bad'} 商品{i % 5}" for i in range(60)],
    "b": [None if i % 3 else "late again" for i in range(60)],
}


def test_rows_that_are_read_in_parts_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = TextFeatures.fit(TEXTS)
    at_once = whole.tfidf(TEXTS, 60)
    assert at_once.shape == (60, len(whole.terms)) and at_once.nnz > 0
    monkeypatch.setattr(text_features, "CHUNK", 50)
    parts = TextFeatures.fit(TEXTS)
    np.testing.assert_array_equal(parts.terms, whole.terms)
    np.testing.assert_array_equal(whole.tfidf(TEXTS, 60).toarray(), at_once.toarray())
    assert whole.tfidf({"a": [], "b": []}, 0).shape == (0, len(whole.terms))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("terms", lambda a: a[::-1].copy()),
        ("terms", lambda a: a + 2**22),
        ("idf", lambda a: a[:3]),
        ("basis", lambda a: a + 10**6),
        ("basis", lambda a: a - 1),
        ("components", lambda a: a[:, :-1]),
        ("components", lambda a: a[0]),
        ("scale", lambda a: a[:-1]),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(name: str, change: Any) -> None:
    fitted = TextFeatures.fit(TEXTS)
    stored = fitted.arrays()
    same = TextFeatures.of_arrays(fitted.columns, stored, fitted.form)
    np.testing.assert_array_equal(same.reduce(TEXTS, same.tfidf(TEXTS, 60)),
                                  fitted.reduce(TEXTS, fitted.tfidf(TEXTS, 60)))  # fmt: skip
    with pytest.raises(ValueError, match="fit together"):
        TextFeatures.of_arrays(fitted.columns, stored | {name: change(stored[name])}, 2)
    with pytest.raises(ValueError, match="form 9"):
        TextFeatures.of_arrays(fitted.columns, stored, 9)
