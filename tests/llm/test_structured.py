"""Answers with a shape: found, repaired, asked for again, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from autoglm.core.errors import ModelError
from autoglm.llm.contract import Request, as_messages
from autoglm.llm.scripted import ScriptedModel
from autoglm.llm.structured import ask_json, read_json

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "target": {"type": "string"},
        "rows": {"type": "integer", "minimum": 0},
    },
    "required": ["target"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ('{"target": "流失", "rows": 3}', False),
        ('好的。\n```json\n{"target": "流失", "rows": 3}\n```\n希望有帮助', False),
        ('I first thought of {"goal": 1}, but {"target": "流失", "rows": 3} is right.', False),
        ("{'target': '流失', 'rows': 3,}", True),
        ('{"target": "流失", "rows": 3', True),
        ('{"target": "流失" "rows": 3}', True),
        ("{“target”: “流失”, “rows”: 3}", True),
    ],
)
def test_the_value_is_found_in_what_models_write(text: str, repaired: bool) -> None:
    assert read_json(text, SCHEMA) == ({"target": "流失", "rows": 3}, repaired)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON"),
        ("I cannot.", "no JSON"),
        ('{"rows": 3}', "'target' is a required property"),
        ('{"target": 5}', "target: 5 is not of type 'string'"),
        ('{"target": "a", "rows": NaN}', "rows"),
        ('{"target": "a", "x": 1}', "'x' was unexpected"),
        ("[" * 100_000, "no JSON"),
        ('{"target": "a", "rows": ' + "9" * 10_000 + "}", "rows"),
    ],
)
def test_what_is_wrong_is_said(text: str, why: str) -> None:
    found = read_json(text, SCHEMA)
    assert isinstance(found, str)
    assert why in found


def test_a_wrong_answer_is_asked_for_again_with_the_reason() -> None:
    model = ScriptedModel(['{"target": 5}', 'Sorry: {"target": "churn"}'])
    shaped = ask_json(model, Request(as_messages("Which column?")), SCHEMA)
    assert shaped.value == {"target": "churn"}
    assert len(shaped.replies) == 2
    first, second = (r.messages for r in model.requests)
    assert first[0].content == "Which column?" and '"required"' in first[1].content
    assert second[2].content == '{"target": 5}'
    assert "5 is not of type 'string'" in second[3].content
    assert model.requests[0].sampling.schema_ == SCHEMA


def test_after_the_last_try_the_error_says_where() -> None:
    model = ScriptedModel(["no", "no", "no"])
    with pytest.raises(ModelError, match="no JSON"):
        ask_json(model, Request(as_messages("?")), SCHEMA, again=2)
    assert len(model.requests) == 3
