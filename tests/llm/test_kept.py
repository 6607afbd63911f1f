"""Answers that are kept: the cache that saves calls, the cassette that refuses to guess."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from autoglm.core.errors import ModelError, StorageError
from autoglm.llm.cache import CachedModel, Cassette
from autoglm.llm.contract import Message, Reply, Request, Sampling, Usage, as_messages
from autoglm.llm.many import generate_many, samples
from autoglm.llm.scripted import ScriptedModel

QUESTION = Request(as_messages("3个苹果6元,5个多少钱?"))


def counting(name: str = "counting") -> ScriptedModel:
    """Return a model that says how often it was asked."""
    numbers: Iterator[int] = count(1)
    return ScriptedModel(lambda _: f"answer {next(numbers)}", name=name)


def test_the_same_request_is_asked_once(tmp_path: Path) -> None:
    model = counting()
    cached = CachedModel(model, tmp_path / "deep" / "llm.sqlite")
    first, second = cached.generate(QUESTION), cached.generate(QUESTION)
    assert (first.text, first.cached) == ("answer 1", False)
    assert (second.text, second.cached, second.cost) == ("answer 1", True, 0.0)
    assert second.usage == first.usage
    assert len(model.requests) == 1


@pytest.mark.parametrize(
    "other",
    [
        Request(as_messages("another question")),
        Request((Message("system", "简短"), *QUESTION.messages)),
        Request(QUESTION.messages, Sampling(temperature=0.5)),
        Request(QUESTION.messages, Sampling(thinking=True)),
        QUESTION.with_sample(1),
    ],
)
def test_whatever_the_answer_depends_on_is_part_of_the_key(other: Request, tmp_path: Path) -> None:
    cached = CachedModel(counting(), tmp_path / "llm.sqlite")
    assert cached.generate(QUESTION).text != cached.generate(other).text
    same = CachedModel(counting("another model"), tmp_path / "llm.sqlite")
    assert not same.generate(QUESTION).cached


def test_draws_of_one_question_stay_apart_and_are_found_again(tmp_path: Path) -> None:
    cached = CachedModel(counting(), tmp_path / "llm.sqlite")
    texts = {r.text for r in samples(cached, QUESTION, 5) if isinstance(r, Reply)}
    again = {r.text for r in samples(cached, QUESTION, 5) if isinstance(r, Reply)}
    assert len(texts) == 5 and again == texts


def test_streams_are_kept_too_unless_they_were_cut(tmp_path: Path) -> None:
    whole = Reply("ten", usage=Usage(1, 1), reasoning="well")
    model = ScriptedModel([Reply("te", finish="cut"), whole])
    cached = CachedModel(model, tmp_path / "llm.sqlite")
    assert [d.text for d in cached.stream(QUESTION)] == ["te", ""]
    for _ in range(2):
        last = list(cached.stream(QUESTION))[-1].reply
        assert last is not None and (last.text, last.reasoning) == ("ten", "well")
    assert len(model.requests) == 2


def test_what_was_kept_survives_a_kill(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from autoglm.llm.cache import CachedModel
from autoglm.llm.contract import Request, as_messages
from autoglm.llm.scripted import ScriptedModel
cached = CachedModel(ScriptedModel(["10"], name="m"), Path({str(tmp_path / "llm.sqlite")!r}))
cached.generate(Request(as_messages("?")))
os.kill(os.getpid(), signal.SIGKILL)
"""
    run = subprocess.run([sys.executable, "-c", program], check=False)
    assert run.returncode == -9
    cached = CachedModel(ScriptedModel([], name="m"), tmp_path / "llm.sqlite")
    assert cached.generate(Request(as_messages("?"))).text == "10"


def test_a_file_that_is_no_cache_is_named(tmp_path: Path) -> None:
    (tmp_path / "llm.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StorageError, match=r"llm\.sqlite"):
        CachedModel(counting(), tmp_path / "llm.sqlite")


def test_a_cassette_replays_and_never_asks(tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    Cassette(counting(), path, "record").generate(QUESTION)
    silent = ScriptedModel([], name="counting")
    assert Cassette(silent, path).generate(QUESTION).text == "answer 1"
    with pytest.raises(ModelError, match="another question"):
        Cassette(silent, path).generate(Request(as_messages("another question")))
    assert silent.requests == []
    again = counting()
    assert Cassette(again, path, "record").generate(QUESTION).text == "answer 1"
    assert again.requests == []


def test_any_text_survives_a_cassette(tmp_path: Path) -> None:
    text = "one\u2028two\x85three\x0cfour"
    path = tmp_path / "talk.jsonl"
    asked = Request(as_messages(text))
    Cassette(ScriptedModel([text], name="m"), path, "record").generate(asked)
    assert Cassette(ScriptedModel([], name="m"), path).generate(asked).text == text


def test_a_cassette_that_is_missing_or_torn_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        Cassette(counting(), tmp_path / "none.jsonl")
    (tmp_path / "torn.jsonl").write_text(json.dumps({"key": "k"}) + "\n{", encoding="utf-8")
    with pytest.raises(StorageError):
        Cassette(counting(), tmp_path / "torn.jsonl")


def test_many_requests_keep_their_order_and_their_errors() -> None:
    def say(request: Request) -> str | Exception:
        asked = request.messages[0].content
        return ModelError("odd") if int(asked) % 2 else asked

    told: list[int] = []
    found = generate_many(
        ScriptedModel(say),
        [Request(as_messages(str(n))) for n in range(20)],
        done=lambda place, _: told.append(place),
    )
    assert [isinstance(r, ModelError) for r in found] == [n % 2 == 1 for n in range(20)]
    assert [r.text for r in found if isinstance(r, Reply)] == [str(n) for n in range(0, 20, 2)]
    assert sorted(told) == list(range(20))
    assert generate_many(ScriptedModel(say), []) == []
