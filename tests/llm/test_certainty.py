"""Counts of right answers: they rise, they are careful, and a damaged count is refused."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_glm import make_glm, need_transformers

from autoglm.core.errors import BundleError
from autoglm.llm.certainty import Certainty, counted
from autoglm.llm.nano.engine import NanoModel


def test_what_is_counted_meets_the_shares_it_was_drawn_from() -> None:
    rng = np.random.default_rng(4)
    logprobs = -rng.exponential(2.0, 4_000)
    chance = np.exp(logprobs)
    right = rng.random(4_000) < chance
    points = counted(logprobs.tolist(), right.tolist())
    one = Certainty(points, points)
    for at in (-0.2, -1.0, -3.0):
        assert one.of(at, agreed=True) == pytest.approx(np.exp(at), abs=0.06)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(points))


def test_where_nothing_was_counted_nothing_is_certain() -> None:
    assert Certainty(counted([], []), counted([], [])).of(-0.1, agreed=True) == 0.0


@pytest.mark.parametrize("equal", [1, 3, 40])
def test_few_or_equal_answers_never_look_certain(equal: int) -> None:
    points = counted([-1.0] * equal, [True] * equal)
    assert points == ((-1.0, equal / (equal + 1)),)


def test_it_is_written_and_read() -> None:
    one = Certainty(((-2.0, 0.25), (-0.5, 0.75)), ((-1.0, 0.5),), 0.9)
    assert Certainty.from_dict(json.loads(json.dumps(one.to_dict()))) == one


@pytest.mark.parametrize(
    "harm",
    [
        {"agreed": []},
        {"agreed": [[-1.0, 0.5], [-2.0, 0.6]]},
        {"agreed": [[-2.0, 0.6], [-1.0, 0.5]]},
        {"alone": [[-1.0, 1.5]]},
        {"alone": [[1.0, 0.5]]},
        {"alone": [[-1.0]]},
        {"alone": "x"},
        {"alone": None},
        {"least": 2},
        {"least": "high"},
        {"least": 10**400},
        {"agreed": [[float("nan"), 0.5]]},
    ],
)
def test_a_damaged_count_is_refused(harm: dict[str, Any], tmp_path: Path) -> None:
    whole = Certainty(((-2.0, 0.25), (-0.5, 0.75)), ((-1.0, 0.5),)).to_dict()
    with pytest.raises(ValueError, match=r"right answers|a share is"):
        Certainty.from_dict(whole | harm)


def test_a_model_brings_its_count_and_says_how_probable_its_answer_is(tmp_path: Path) -> None:
    need_transformers()
    from autoglm.llm.contract import Request, Sampling, as_messages

    make_glm(tmp_path)
    about = {"prompts": "nano", "certainty": Certainty(((-9.0, 0.5),), ((-9.0, 0.1),)).to_dict()}
    (tmp_path / "nano.json").write_text(json.dumps(about), encoding="utf-8")
    model = NanoModel(tmp_path)
    assert model.certainty is not None
    assert model.certainty.of(-1.0, agreed=False) == 0.1
    reply = model.generate(Request(as_messages("3 + 4"), Sampling(max_tokens=6)))
    assert reply.logprob is not None and reply.logprob < 0
    (tmp_path / "nano.json").write_text('{"certainty": {"agreed": 3}}', encoding="utf-8")
    with pytest.raises(BundleError, match=r"nano\.json"):
        NanoModel(tmp_path)
