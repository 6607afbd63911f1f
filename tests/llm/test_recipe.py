"""The recipe of glm-nano, on a toy's scale: trained, killed, gone on with, measured, asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from small_glm import need_transformers

from autoglm.core.errors import AutoGLMError
from autoglm.llm.nano.engine import NanoModel
from autoglm.reason.plan import Plan
from autoglm.reason.reasoner import AutoReasoner

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "glm_nano"
#: A wait that only a defect makes this long, seconds.
LONG_S = 240


def train(out: Path, data: Path, seconds: float) -> list[str]:
    return [
        sys.executable, str(RECIPE / "train.py"), "--data", str(data), "--out", str(out),
        "--hours", str(seconds / 3600), "--size", "tiny", "--sets", "mawps", "--tell", "1",
        "--save", "1", "--tokenizer-rows", "400",
    ]  # fmt: skip


def test_a_killed_training_goes_on_and_its_model_answers(tmp_path: Path, data_dir: Path) -> None:
    need_transformers()
    out = tmp_path / "model"
    first = subprocess.Popen(train(out, data_dir, 600), stdout=subprocess.PIPE, text=True)
    until = time.monotonic() + LONG_S
    while not (out / "nano.json").exists() and time.monotonic() < until:
        assert first.stdout is not None
        first.stdout.readline()  # a line each second
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    before = json.loads((out / "nano.json").read_text(encoding="utf-8"))
    again = subprocess.run(
        train(out, data_dir, before["seconds"] + 4), capture_output=True, text=True, check=True,
        timeout=LONG_S,
    )  # fmt: skip
    assert f"going on from step {before['step']}" in again.stdout
    after = json.loads((out / "nano.json").read_text(encoding="utf-8"))
    assert after["step"] > before["step"] > 0
    assert not list(out.glob("*.bin")) and not list(out.glob("*.pt"))

    model = NanoModel(out)
    assert model.prompt_set == "nano"
    question = "Tom had 5 apples and ate 2. How many are left?"
    result = AutoReasoner(model).solve(question, plan=Plan(votes=1, rounds=1, max_tokens=60))
    assert result.cost.calls > 0  # what it says after some seconds is another matter
    scored = model.score("3 + 4 =", ["7"])
    assert np.isfinite(scored[0]).all()

    counted = subprocess.run(
        [sys.executable, RECIPE / "calibrate.py", "--model", out, "--data", data_dir,
         "--limit", "2", "--made", "3"],
        capture_output=True, text=True, check=True, timeout=LONG_S,
    )  # fmt: skip
    assert "verified" in counted.stdout
    small = tmp_path / "small"
    subprocess.run(
        [sys.executable, RECIPE / "pack.py", "--model", out, "--out", small],
        capture_output=True, text=True, check=True, timeout=LONG_S,
    )  # fmt: skip
    assert sorted(p.name for p in small.iterdir()) == [
        "config.json", "model.safetensors", "nano.json", "tokenizer.json"
    ]  # fmt: skip

    measured = tmp_path / "lines.jsonl"
    words = ["--model", small, "--data", data_dir, "--out", measured]
    words += ["--limit", "2", "--seeds", "1"]
    run = subprocess.run(
        [sys.executable, RECIPE / "evaluate.py", *words, "--sets", "chain 1", "svamp"],
        capture_output=True, text=True, check=True, timeout=LONG_S,
    )  # fmt: skip
    assert "| svamp | program |" in run.stdout
    lines = [json.loads(line) for line in measured.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 2 * 6
    assert all(0 <= line["right"] <= line["rows"] == 2 for line in lines)


def test_what_the_model_writes_is_what_it_is_asked_in_the_reasoner(data_dir: Path) -> None:
    """The corpus and the reasoner's prompts must not drift apart."""
    need_transformers()
    sys.path.insert(0, str(RECIPE))
    try:
        import corpus
        import families
        import scenes
    finally:
        sys.path.remove(str(RECIPE))
    import random

    from autoglm.llm.prompts import FOLDER, template
    from autoglm.reason.question import Question
    from autoglm.reason.slots import order_of

    draw = random.Random(0)
    drawn = families.problems(draw)
    for number in range(400):
        one = next(drawn) if number % 2 else scenes.scene(draw)
        question = Question.read(one.text)
        values = {"question": question.text, "marked": question.marked,
                  "order": order_of(question.slots)}  # fmt: skip
        for mode in corpus.MODES:
            example = corpus.example(one, mode)
            if example is None:
                continue
            turns = template(mode, question.language, FOLDER / "nano").fill(values)
            assert [m.content for m in turns] == [example.mode, example.question]
        written = corpus.example(one, "program", draw)
        assert written is not None
        assert corpus.same(written.answer, one.program, one.text)
        steps = corpus.example(one, "steps")
        if steps is not None:
            from autoglm.reason.steps import read_steps
            from autoglm.reason.verify import check_steps

            found = read_steps(steps.answer)
            assert found.value is not None
            assert abs(found.value - one.answer) <= abs(one.answer) / 1000
            failed = [c for c in check_steps(question, found) if c.status == "failed"]
            assert all(c.name in ("plausible", "operands") for c in failed), failed


def test_a_reasoner_on_an_untrained_model_ends(tmp_path: Path) -> None:
    need_transformers()
    from small_glm import make_glm

    make_glm(tmp_path)
    (tmp_path / "nano.json").write_text('{"prompts": "nano"}', encoding="utf-8")
    try:
        result = AutoReasoner(NanoModel(tmp_path)).solve("3个苹果6元,5个多少钱?", budget=20_000)
    except AutoGLMError as error:
        pytest.fail(str(error))
    assert not result.verified
