"""Answers with a shape: found in what the model wrote, repaired, checked, asked for again.

A format that is forced on a model while it thinks costs accuracy (Tam et al. 2024, "Let Me Speak
Freely?"): where a question needs steps, let it write them first and ask for the shape afterwards,
with the steps in the conversation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from autoglm.core.errors import ModelError
from autoglm.core.text import say
from autoglm.llm.contract import LanguageModel, Message, Reply, Request

#: Characters of an answer that are searched for JSON.
MOST_CHARACTERS = 1_000_000
#: Objects in an answer that are tried.
MOST_TRIED = 20
_FENCE = re.compile(r"```(?:json|JSON)?\s*\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Shaped:
    """A value that follows its schema, and the answers it took.

    Attributes
    ----------
    value
        Plain JSON values.
    replies
        Every answer of the model, the last one has the value.
    repaired
        Whether its text was no JSON as it stood.
    """

    value: Any
    replies: tuple[Reply, ...]
    repaired: bool = False


def ask_json(
    model: LanguageModel, request: Request, schema: dict[str, Any], *, again: int = 1
) -> Shaped:
    """Ask for an answer that follows a JSON Schema.

    Parameters
    ----------
    model, request
        Who is asked, and what; the schema is put behind the question.
    schema
        JSON Schema (draft 2020-12) of the answer.
    again
        Times to ask again, with the error, when the answer does not follow it.

    Raises
    ------
    ModelError
        When it does not follow it in the end; the message says where.
    """
    how = request.sampling.model_copy(update={"schema_": schema})
    turns = [*request.messages, Message("user", _demand(schema))]
    replies: list[Reply] = []
    for _ in range(again + 1):
        replies.append(model.generate(replace(request, messages=tuple(turns), sampling=how)))
        found = read_json(replies[-1].text, schema)
        if not isinstance(found, str):
            return Shaped(found[0], tuple(replies), found[1])
        turns += [
            Message("assistant", replies[-1].text),
            Message("user", say(en=f"This does not follow the schema: {found}. Answer again, "
                                "with the JSON alone.",
                                zh=f"这不符合模式:{found}。请重新回答,只给出 JSON。")),
        ]  # fmt: skip
    raise ModelError(
        say(en=f"{model.name} gave no answer that follows the schema: {found}.",
            zh=f"{model.name} 没有给出符合模式的回答:{found}。"),
        hint=say(en="Choose a larger model, or a simpler schema.",
                 zh="请换更大的模型或更简单的模式。"),
    )  # fmt: skip


def _demand(schema: dict[str, Any]) -> str:
    shown = json.dumps(schema, ensure_ascii=False, sort_keys=True)
    return say(en=f"Answer with JSON alone that follows this schema:\n{shown}",
               zh=f"只用符合下面模式的 JSON 回答:\n{shown}")  # fmt: skip


def read_json(text: str, schema: dict[str, Any]) -> tuple[Any, bool] | str:
    r"""Find the value in an answer.

    Returns
    -------
    tuple or str
        The first value that follows the schema, and whether its text had to be repaired; or what
        is wrong with the best try.

    Examples
    --------
    >>> number = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    >>> read_json('I think ```json\n{"n": 3}\n```', number)
    ({'n': 3}, False)
    >>> read_json("{'n': 3,}", number)
    ({'n': 3}, True)
    >>> read_json('{"n": "three"}', number)
    "n: 'three' is not of type 'integer'"
    """
    from jsonschema import Draft202012Validator

    check, first = Draft202012Validator(schema), ""
    for value, repaired in _values(text[:MOST_CHARACTERS]):
        errors = sorted(check.iter_errors(value), key=lambda e: [str(p) for p in e.path])
        if not errors:
            return value, repaired
        wrong = errors[0]
        where = ".".join(map(str, wrong.absolute_path))
        first = first or f"{where}: {wrong.message}"[:300].removeprefix(": ")
    return first or say(en="there is no JSON in it", zh="其中没有 JSON")


def _values(text: str) -> Iterator[tuple[Any, bool]]:
    """Yield values that a text holds, those that are JSON as they stand first."""
    places = [text, *_FENCE.findall(text)]
    for place in places:
        try:
            yield json.loads(place, parse_constant=_no_number), False
        except (ValueError, RecursionError):
            continue
    found = list(_objects(text))
    yield from ((value, False) for value in found)
    start = min((i for i in map(text.find, "{[") if i >= 0), default=-1)
    if start >= 0 and not found:
        yield from ((value, True) for value in _repaired([*places[1:], text[start:]]))


def _objects(text: str) -> Iterator[Any]:
    """Yield the objects and lists that begin anywhere in a text, outermost ones."""
    decoder, at, tried = json.JSONDecoder(parse_constant=_no_number), 0, 0
    while (match := re.compile(r"[{\[]").search(text, at)) and tried < MOST_TRIED:
        tried += 1
        try:
            value, at = decoder.raw_decode(text, match.start())
            yield value
        except (ValueError, RecursionError):
            at = match.start() + 1


def _no_number(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are no JSON


def _repaired(texts: list[str]) -> Iterator[Any]:
    from json_repair import repair_json

    for text in texts[:MOST_TRIED]:
        try:
            value = repair_json(text, return_objects=True)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, (dict, list)) and value:
            yield value
