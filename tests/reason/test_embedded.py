"""The model of the package: published examples run as they are written, offline, without torch."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from autoglm.cli import main
from autoglm.llm.engines import EMBEDDED
from autoglm.reason.numbers import CIRCLED
from autoglm.reason.plan import Plan
from autoglm.reason.reasoner import AutoReasoner

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "glm_nano"
APPLES = "如果3个苹果等于6元,那么5个苹果多少钱?"
SNIPPET = f"""
import sys
from openautoglm import AutoReasoner
print(AutoReasoner(model="glm-large").solve(question="{APPLES}", enable_self_refine=True).answer)
assert not {{"torch", "transformers", "tokenizers"}} & set(sys.modules)
"""


@pytest.fixture(autouse=True)
def no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ZHIPUAI_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "AUTOGLM_LLM"):
        monkeypatch.delenv(name, raising=False)


def test_the_published_example_runs_verbatim() -> None:
    clean = {k: v for k, v in os.environ.items() if "API_KEY" not in k}
    run = subprocess.run(
        [sys.executable, "-c", SNIPPET], capture_output=True, text=True, check=True, env=clean,
        timeout=120,
    )  # fmt: skip
    assert run.stdout.strip() == "10元"


def test_a_question_from_the_shell_needs_no_setting(capsys: pytest.CaptureFixture[str]) -> None:
    question = "Tom had 15 apples and gave 6 to Ann. How many apples does Tom have left?"
    assert main(["solve", question, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["answer"] == "9 apples"
    assert found["cost"]["tokens"] > 0
    assert main(["solve", APPLES, "--llm", "glm-large", "--trace", os.devnull]) == 0
    told = capsys.readouterr()
    assert "10元" in told.out
    assert "glm-nano" in told.err


def test_what_it_writes_is_shown_with_the_numbers_of_the_question() -> None:
    seen: list[str] = []
    AutoReasoner(model="glm-nano").solve(APPLES, method="program", watch=seen.append)
    shown = "".join(seen)
    assert "6" in shown and not set(CIRCLED) & set(shown)


def test_check_names_it_and_it_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["llm", "check", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model"] == "glm-nano"
    assert "Answer: " in found["answer"]  # that it is alive; sums are not its strength


@pytest.mark.parametrize(
    "question",
    ["中国的首都是哪里?", "Which is largest?\nA. 3\nB. 5\nC. 4", "Who was Ada Lovelace?"],
)
def test_what_it_does_not_read_is_no_answer_and_says_so(
    question: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result = AutoReasoner(model="glm-nano").solve(question)
    assert (result.answer, result.verified, result.cost.calls) == (None, False, 0)
    assert "glm-nano" in result.why
    split = AutoReasoner(model="glm-nano").solve(APPLES, method="decompose")
    assert (split.answer, split.cost.calls) == (None, 0)
    for asked in (question, APPLES):
        assert main(["solve", asked, "--dry-run", "--json"]) == 0
        assert (json.loads(capsys.readouterr().out)["most_calls"] > 0) == (asked == APPLES)


def test_it_is_small_and_brings_its_count() -> None:
    assert sum(f.stat().st_size for f in EMBEDDED.iterdir()) < 20e6
    model = AutoReasoner(model="glm-nano").model
    assert model.certainty is not None
    assert model.certainty.of(-0.001, agreed=True) > model.certainty.of(-5.0, agreed=True)


def test_it_solves_most_of_what_it_was_made_for() -> None:
    sys.path.insert(0, str(RECIPE))
    try:
        import families
        import sets
    finally:
        sys.path.remove(str(RECIPE))
    draw = random.Random(77)
    asked = [families.chain(draw, depth) for depth in (1, 2, 3) for _ in range(8)]
    reasoner = AutoReasoner(model="glm-nano")
    found = [reasoner.solve(p.text, "program", plan=Plan(votes=1)) for p in asked]
    right = [
        r.value is not None and sets.near(r.value, p.answer)
        for r, p in zip(found, asked, strict=True)
    ]
    assert sum(right) >= 20
    sure = [r for r, f in zip(right, found, strict=True) if f.verified]
    assert sure and all(sure)
