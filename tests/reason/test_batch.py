"""Files of questions: in order, durable, and gone on with after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autoglm.cli import main
from autoglm.core.errors import DataError, ModelError, RunError
from autoglm.llm.scripted import ScriptedModel
from autoglm.reason.batch import read_questions, solve_file
from autoglm.reason.reasoner import AutoReasoner

QUESTIONS = [f"What is {n} * {n + 1}?" for n in range(40)]


def questions_in(tmp_path: Path, name: str = "q.jsonl") -> Path:
    path = tmp_path / name
    path.write_text("\n".join(json.dumps({"question": q}) for q in QUESTIONS), encoding="utf-8")
    return path


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_file_is_answered_in_order(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    summary = solve_file(
        AutoReasoner(ScriptedModel([])), questions_in(tmp_path), tmp_path / "a.jsonl",
        done=lambda at, of: seen.append((at, of)),
    )  # fmt: skip
    assert (summary.questions, summary.answered, summary.verified, summary.failed) == (
        40,
        40,
        40,
        0,
    )
    assert [r["answer"] for r in read(tmp_path / "a.jsonl")] == [
        str(n * (n + 1)) for n in range(40)
    ]
    assert seen == [(n, 40) for n in range(1, 41)]


def test_a_killed_batch_loses_and_repeats_nothing(tmp_path: Path) -> None:
    path, out = questions_in(tmp_path), tmp_path / "a.jsonl"
    program = f"""
import os, signal
from pathlib import Path
from autoglm.llm.scripted import ScriptedModel
from autoglm.reason.batch import solve_file
from autoglm.reason.reasoner import AutoReasoner
def done(at, of):
    if at == 17:
        os.kill(os.getpid(), signal.SIGKILL)
solve_file(AutoReasoner(ScriptedModel([])), Path({str(path)!r}), Path({str(out)!r}), done=done)
"""
    run = subprocess.run([sys.executable, "-c", program], check=False, env=dict(os.environ))
    assert run.returncode == -signal.SIGKILL
    assert len(read(out)) == 17
    with out.open("ab") as file:
        file.write(b'{"question": "What is 17 * 18?", "answ')  # torn by the kill
    numbers: list[int] = []
    summary = solve_file(
        AutoReasoner(ScriptedModel([])), path, out, done=lambda at, _: numbers.append(at)
    )
    assert numbers == list(range(18, 41))
    assert summary.answered == 40
    assert [r["question"] for r in read(out)] == QUESTIONS


def test_a_question_that_fails_leaves_its_error_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text("中国的首都是哪里?\n1+1=?\n", encoding="utf-8")
    reasoner = AutoReasoner(ScriptedModel([ModelError("gone")]))
    summary = solve_file(reasoner, tmp_path / "q.txt", tmp_path / "a.jsonl")
    assert (summary.answered, summary.failed) == (1, 1)
    assert read(tmp_path / "a.jsonl")[0]["error"] == "model"


def test_answers_to_other_questions_are_not_overwritten(tmp_path: Path) -> None:
    path, out = questions_in(tmp_path), tmp_path / "a.jsonl"
    out.write_text(json.dumps({"question": "another"}) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="other questions"):
        solve_file(AutoReasoner(ScriptedModel([])), path, out)
    assert read(out) == [{"question": "another"}]


def test_a_second_process_may_not_write_the_same_answers(tmp_path: Path) -> None:
    path, out = questions_in(tmp_path), tmp_path / "a.jsonl"

    def done(at: int, _: int) -> None:
        if at == 3:
            with pytest.raises(RunError, match="in use"):
                solve_file(AutoReasoner(ScriptedModel([])), path, out)

    solve_file(AutoReasoner(ScriptedModel([])), path, out, done=done)
    assert [r["question"] for r in read(out)] == QUESTIONS


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("q.jsonl", '{"question": "1+1"}\n{"id": 3}\n', "line 2"),
        ("q.jsonl", "{\n", "line 1"),
        ("q.txt", "\udcff", "cannot be read"),
    ],
)
def test_a_line_without_a_question_is_named(name: str, text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=why):
        read_questions(tmp_path / name)


def test_solve_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    answers = ["6 / 3 = 2 元\n2 * 5 = 10 元\n答案:10元", "answer = 6 / 3 * 5"]
    Path("s.jsonl").write_text("\n".join(map(json.dumps, answers)), encoding="utf-8")
    question = "如果3个苹果等于6元,那么5个苹果多少钱?"
    words = ["solve", question, "--llm", "scripted:s.jsonl", "--trace", "t.html"]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "Answer: 10元" in out and "verified" in out
    assert "2 * 5 = 10 元" in err
    assert "<svg" in Path("t.html").read_text(encoding="utf-8")
    assert main([*words, "--json", "--tokens", "20000"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["answer"], found["verified"], found["value"]) == ("10元", True, "10")
    assert main([*words, "--quiet"]) == 0
    assert capsys.readouterr() == ("10元\n", "")
    questions_in(tmp_path)
    words = ["solve", "--file", "q.jsonl", "--out", "a.jsonl", "--llm", "scripted:s.jsonl"]
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verified"] == 40
    capsys.readouterr()
    words = ["solve", question, "--llm", "scripted:s.jsonl", "--dry-run", "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["most_calls"] == 12
    assert main(["solve", "--llm", "scripted:s.jsonl"]) == 4
