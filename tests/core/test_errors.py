"""The error tree: as drawn, and each error usable by a person and a program."""

from __future__ import annotations

import json
import re

import pytest

from autoglm.core import errors
from autoglm.core.errors import AmbiguousTask, AutoGLMError, DataError, MissingDependency
from autoglm.core.imports import need

Kind = type[AutoGLMError]


def _all(kind: Kind = AutoGLMError) -> list[Kind]:
    found = [kind]
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            found += _all(child)
    return found


def test_the_tree_at_the_top_of_the_file_is_the_tree() -> None:
    drawn = dict(re.findall(r"[├└]── (\w+) .* exit (\d+)", errors.__doc__ or ""))
    assert drawn == {k.__name__: str(k.exit_code) for k in _all()[1:]}


def test_codes_are_unique_and_leave_the_reserved_ones() -> None:
    codes = [k.code for k in _all()]
    assert len(set(codes)) == len(codes)
    kinds = [k for k in _all()[1:] if k.__base__ is AutoGLMError or k is MissingDependency]
    exits = [k.exit_code for k in kinds]
    assert len(set(exits)) == len(exits)
    assert not {0, 1, 2, 130} & set(exits)


def test_message_and_hint_are_both_shown() -> None:
    error = DataError("No rows.", hint="Give more.")
    assert str(error) == "No rows.\nGive more."
    assert str(DataError("No rows.")) == "No rows."
    assert error.to_dict() == {
        "error": "data",
        "message": "No rows.",
        "hint": "Give more.",
        "retryable": False,
    }


def test_an_ambiguous_task_carries_both_readings() -> None:
    error = AmbiguousTask("Which?", field="target", candidates=["a", "b"], flag="--target")
    data = json.loads(json.dumps(error.to_dict()))
    assert data["candidates"] == ["a", "b"]
    assert (data["field"], data["flag"]) == ("target", "--target")


def test_a_missing_extra_is_an_import_error_with_the_command_that_helps() -> None:
    with pytest.raises(ImportError) as caught:
        need("no_such_package.part", extra="catboost", feature="CatBoost")
    assert isinstance(caught.value, MissingDependency)
    assert "pip install 'open-autoglm[catboost]'" in caught.value.hint
    assert "CatBoost" in caught.value.message
    assert need("json.decoder", extra="x", feature="y").JSONDecoder is json.JSONDecoder
