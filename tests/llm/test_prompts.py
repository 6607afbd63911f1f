"""Prompts: files with places for values, programs with names, optimised against examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoglm.cli import main
from autoglm.core.errors import BudgetError, ConfigError, ModelError
from autoglm.llm.account import Account
from autoglm.llm.align import align
from autoglm.llm.contract import Request
from autoglm.llm.optimise import METRICS, AutoPrompter, SearchPlan
from autoglm.llm.programs import Prediction, PromptProgram, Signature, read_examples
from autoglm.llm.prompts import FOLDER, Template, template
from autoglm.llm.scripted import ScriptedModel
from autoglm.llm.shots import gram_vectors, pick_shots

VALUES = {
    "question": "3 {{ x }}?", "marked": "①", "order": "①", "good": "a", "bad": "b", "why": "c",
    "masked": "3 {{ x }}?", "answer": "10",
    "labels": "a: b", "text": "3 {{ x }}?",
    "passages": ["p"], "facts": [{"question": "q", "answer": "a"}],
}  # fmt: skip


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.txt")), ids=lambda p: str(p.name))
def test_every_prompt_has_both_languages_and_can_be_filled(path: Path) -> None:
    name, language, _ = path.name.split(".")
    other = path.with_name(f"{name}.{'en' if language == 'zh' else 'zh'}.txt")
    assert other.exists()
    messages = Template(path.name, path.read_text(encoding="utf-8")).fill(VALUES)
    assert messages[0].role == "system"
    assert any("3 {{ x }}?" in m.content or "①" in m.content for m in messages)


def test_values_are_never_read_as_templates() -> None:
    asked = "{% for x in y %} {{ 7 * 7 }} {{ self.__init__ }}"
    assert template("direct", "en").fill({"question": asked})[1].content == asked


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no head", "a part begins"),
        ("--- user\n{{ missing }}", "missing"),
        ("--- user\n{% if %}", "Expected"),
        ("--- user\n{{ ''.__class__.__mro__ }}", "unsafe"),
    ],
)
def test_a_template_that_cannot_be_used_says_why(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        Template("t", text).fill({})


def test_a_pinned_template_is_refused_when_it_changes() -> None:
    found = template("steps", "zh")
    assert found.pinned(found.sha256) is found
    with pytest.raises(ConfigError, match="has changed"):
        Template("t", found.text + " ").pinned(found.sha256)
    with pytest.raises(ConfigError, match="Prompts are"):
        template("nothing", "en")


@pytest.mark.parametrize("bad", ["question", "-> answer", "a -> b: colour", "a b -> c", "a ->", ""])
def test_what_is_no_signature_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="signature"):
        Signature.parse(bad)


def test_several_outputs_come_as_json_of_their_kinds() -> None:
    program = PromptProgram.of("review -> label, stars: integer, day: date", "分类评论。")
    model = ScriptedModel(['{"label": "好", "stars": 5, "day": "2026年1月2日"}',
                           '{"label": "好", "stars": 5, "day": "2026-01-02"}'])  # fmt: skip
    found = program.predict(model, {"review": "很好"})
    assert found.values == {"label": "好", "stars": 5, "day": "2026-01-02"}
    assert len(found.replies) == 2 and found["stars"] == 5
    with pytest.raises(ConfigError, match="review"):
        program.messages({"text": "?"})


def test_shots_are_turns_and_a_program_survives_its_file(tmp_path: Path) -> None:
    shots = ({"question": "1+1", "answer": "2"},)
    program = PromptProgram(Signature.parse("question -> answer"), "算。", shots).pinned()
    program.save(tmp_path / "p.json")
    again = PromptProgram.load(tmp_path / "p.json")
    assert again == program
    turns = [(m.role, m.content) for m in again.messages({"question": "2+2"})]
    assert turns == [("system", "算。"), ("user", "1+1"), ("assistant", "2"), ("user", "2+2")]
    data = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    (tmp_path / "p.json").write_text(json.dumps(data | {"instruction": "别的"}), encoding="utf-8")
    with pytest.raises(ConfigError, match="pinned"):
        PromptProgram.load(tmp_path / "p.json").messages({"question": "?"})
    for bad in ("{", "[]", json.dumps(data | {"format": 9}), json.dumps(data | {"shots": 3})):
        (tmp_path / "p.json").write_text(bad, encoding="utf-8")
        with pytest.raises(ConfigError, match="no saved prompt"):
            PromptProgram.load(tmp_path / "p.json")


def test_examples_are_picked_near_and_not_all_alike() -> None:
    pool = [
        {"q": "一个苹果3元,买5个多少钱?"},
        {"q": "一个苹果4元,买6个多少钱?"},
        {"q": "火车3小时走180千米,每小时多少千米?"},
        {"q": "How many letters has the word?"},
    ]
    found = [s["q"] for s in pick_shots("一个橘子2元,买9个多少钱?", pool, ["q"], 2)]
    assert found[0] in (pool[0]["q"], pool[1]["q"])
    assert found[1] == pool[2]["q"]
    assert pick_shots("x", pool, ["q"], 0) == [] == pick_shots("x", [], ["q"], 3)
    assert len(pick_shots("x", pool, ["q"], 9)) == 4


@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_vectors_are_of_length_one_and_the_same_everywhere(texts: list[str]) -> None:
    found = gram_vectors(texts)
    norms = (found**2).sum(axis=1)
    assert all(abs(n - 1) < 1e-5 or not t for n, t in zip(norms, texts, strict=True))


@pytest.mark.parametrize(
    ("metric", "said", "expected", "score"),
    [
        ("exact", " Yes. ", "yes", 1.0),
        ("exact", "no", "yes", 0.0),
        ("number", "6/3=2, 2*5=10元", "10", 1.0),
        ("number", "about 1,250.50", "1250.5", 1.0),
        ("number", "ten", "10", 0.0),
        ("overlap", "北京市", "北京", 0.8),
        ("overlap", "the cat", "a dog", 0.0),
    ],
)
def test_metrics_score_what_they_say(metric: str, said: str, expected: str, score: float) -> None:
    found = METRICS[metric]({"answer": expected}, Prediction({"answer": said}, ()))
    assert (found[0] if isinstance(found, tuple) else found) == pytest.approx(score)


EXAMPLES = [{"question": f"{a} and {b}", "answer": str(a + b)} for a in range(6) for b in range(6)]


def student(request: Request) -> str:
    """Add when told to add, or when shown how; else give the first number."""
    if "write instructions" in request.messages[0].content:
        wrong = "went wrong" in request.messages[1].content
        return "Add both numbers." if wrong else f"Think {request.sampling.sample}."
    a, b = request.messages[-1].content.split(" and ")
    told = "Add" in request.messages[0].content or len(request.messages) >= 2 + 2 * 4
    return str(int(a) + int(b)) if told else a


def test_a_prompt_gets_better_on_examples_it_never_saw() -> None:
    program = PromptProgram.of("question -> answer", "Answer.")
    lines: list[str] = []
    prompter = AutoPrompter(ScriptedModel(student), watch=lines.append)
    best = prompter.optimize(program, EXAMPLES)
    assert best.before < 0.4 and best.after == 1.0
    assert best.interval[0] > 0
    assert best.held_out == 12
    assert "Add" in best.program.instruction or len(best.program.shots) >= 4
    assert best.stopped_by == "done" and lines
    again = AutoPrompter(ScriptedModel(student)).optimize(program, EXAMPLES)
    assert again.program == best.program


def test_what_is_shown_or_compared_is_not_what_is_reported() -> None:
    program = PromptProgram.of("question -> answer", "Answer.")
    best = AutoPrompter(ScriptedModel(student)).optimize(program, EXAMPLES)
    shown = [s["question"] for s in best.program.shots]
    assert len(shown) == len(set(shown))
    model = ScriptedModel(student)
    AutoPrompter(model, plan=SearchPlan(seed=0)).optimize(program, EXAMPLES)
    held = {r.messages[-1].content for r in model.requests[:12]}
    examples_told = [r.messages[1].content for r in model.requests if "write inst" in
                     r.messages[0].content]  # fmt: skip
    assert examples_told
    assert not any(f'"{q}"' in text for q in held for text in examples_told)
    assert not held & set(shown)


def test_a_prompt_that_cannot_get_better_is_given_back() -> None:
    program = PromptProgram.of("question -> answer", "Answer.")
    best = AutoPrompter(ScriptedModel(lambda _: "?")).optimize(program, EXAMPLES)
    assert best.program == program
    assert (best.before, best.after, best.gain) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("tokens", [6_000, 16_000, 90_000])
def test_a_budget_is_kept_and_leaves_a_comparison(tokens: int) -> None:
    program = PromptProgram.of("question -> answer", "Answer.")
    account = Account(tokens=tokens)
    best = AutoPrompter(ScriptedModel(student), budget=account).optimize(program, EXAMPLES)
    assert account.spent.tokens <= tokens
    assert best.stopped_by == ("done" if tokens == 90_000 else "budget")
    assert best.after >= best.before


def test_too_little_to_begin_with_is_an_error() -> None:
    program = PromptProgram.of("question -> answer")
    with pytest.raises(ConfigError, match="too few"):
        AutoPrompter(ScriptedModel(student)).optimize(program, EXAMPLES[:5])
    with pytest.raises(BudgetError):
        AutoPrompter(ScriptedModel(student), budget=Account(tokens=500)).optimize(program, EXAMPLES)


def test_errors_of_the_model_count_as_wrong_answers() -> None:
    def broken(request: Request) -> Any:
        asked = request.messages[-1].content
        return ModelError("gone") if asked.startswith("3") else student(request)

    best = AutoPrompter(ScriptedModel(broken)).optimize(
        PromptProgram.of("question -> answer", "Answer."), EXAMPLES
    )
    assert 0.5 < best.after < 1.0


def test_engines_are_compared_on_shape_and_content() -> None:
    program = PromptProgram.of("text -> day: date").pinned()
    good = ScriptedModel(lambda _: '{"day": "2026-01-02"}', name="good")
    same = ScriptedModel(lambda _: "好的:{'day': '2026-01-02'}", name="same")
    bad = ScriptedModel(lambda _: '{"day": "Jan 2"}', name="bad")
    found = align(program, [good, same, bad], [{"text": "a"}, {"text": "b"}])
    assert found.valid == {"good": 1.0, "same": 1.0, "bad": 0.0}
    assert found.agreement["good", "same"] == 1.0
    assert found.unanimous == 0.0
    assert isinstance(found.rows[0]["bad"], str)
    assert align(program, [good, same], [{"text": "a"}]).unanimous == 1.0


def test_prompts_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ex.jsonl").write_text("\n".join(map(json.dumps, EXAMPLES[:9])), encoding="utf-8")
    Path("s.jsonl").write_text('"5"\n' * 2000, encoding="utf-8")
    engine = ["--llm", "scripted:s.jsonl"]
    assert main(["prompt", "optimise", "ex.jsonl", *engine, "--out", "p.json", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["held_out"] == 3
    assert PromptProgram.load("p.json").signature == Signature.parse("question -> answer")
    words = ["prompt", "align", "ex.jsonl", "--program", "p.json", *engine, *engine]
    assert main(words) == 0
    assert "all agree: 100.0%" in capsys.readouterr().out
    Path("ex.jsonl").write_text('{"question": "1"}', encoding="utf-8")
    assert main(["prompt", "optimise", "ex.jsonl", *engine]) == 5
    assert "line 1" in capsys.readouterr().err
    with pytest.raises(ConfigError):
        read_examples(Path("none.jsonl"), Signature.parse("a -> b"))
