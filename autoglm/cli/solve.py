"""``solve``: a question, its steps as they are written, and the answer with its checks."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from autoglm.cli._options import Answer, Common
from autoglm.cli.llm import BaseUrl, Model
from autoglm.core.errors import SpecError
from autoglm.core.events import Event, subscribe
from autoglm.core.text import say


@dataclass(frozen=True, kw_only=True)
class SolveOptions(Common):
    """Options of ``autoglm solve``."""

    question: Annotated[str | None, typer.Argument(help=say(en="The question.", zh="问题。"))] = (
        None
    )
    file: Annotated[
        Path | None,
        typer.Option(help=say(en="Questions, one a line (text or JSON lines).",
                              zh="问题文件,每行一个(文本或 JSON 行)。")),
    ] = None  # fmt: skip
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help=say(en="Where answers of --file go; goes on where it "
                                             "stopped.", zh="--file 的回答写入处;可续跑。")),
    ] = None  # fmt: skip
    method: Annotated[
        Literal["auto", "direct", "cot", "program", "decompose"],
        typer.Option(help=say(en="How to answer.", zh="作答方式。")),
    ] = "auto"
    refine: Annotated[
        bool,
        typer.Option(help=say(en="Derive again where a check fails.", zh="检查失败时重新推导。")),
    ] = True
    tokens: Annotated[
        int | None,
        typer.Option(help=say(en="Most tokens for a question.", zh="每个问题最多的 token。")),
    ] = None
    seconds: Annotated[
        str | None,
        typer.Option(help=say(en="Most time for a question.", zh="每个问题最长时间。")),
    ] = None
    money: Annotated[
        float | None,
        typer.Option(help=say(en="Most money for a question; needs llm_price.",
                              zh="每个问题最多的金额,需设置 llm_price。")),
    ] = None  # fmt: skip
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help=say(en="Say what it could take; ask no model.",
                                           zh="只估计开销,不调用模型。")),
    ] = False  # fmt: skip
    trace: Annotated[
        Path | None,
        typer.Option(help=say(en="Write the trace as an HTML page.", zh="将推导写成 HTML 页面。")),
    ] = None
    llm: Model = None
    llm_base_url: BaseUrl = None


def solve(options: SolveOptions) -> Answer:
    """Answer a question in checked steps, or a file of them.

    zh: 用经过检查的步骤回答问题,或回答一个文件中的问题。
    """
    from autoglm.cli._console import settings
    from autoglm.reason.reasoner import AutoReasoner

    if (options.question is None) == (options.file is None):
        raise SpecError(
            say(en="Give a question, or a file of them.", zh="请给出一个问题,或一个问题文件。"),
            hint=say(en='autoglm solve "..." or autoglm solve --file q.jsonl --out a.jsonl',
                     zh='autoglm solve "..." 或 autoglm solve --file q.jsonl --out a.jsonl'),
        )  # fmt: skip
    found = settings(options, llm=options.llm, llm_base_url=options.llm_base_url).settings
    with subscribe(lambda event: _stood_in(options, event)):
        reasoner = AutoReasoner(settings=found)
    limits = {"tokens": options.tokens, "seconds": options.seconds, "money": options.money}
    ways: dict[str, Any] = {
        "method": options.method,
        "enable_self_refine": options.refine,
        "budget": {k: v for k, v in limits.items() if v is not None},
    }
    if options.dry_run:
        return _estimate(options, reasoner, found)
    try:
        return _many(options, reasoner, ways) if options.file else _one(options, reasoner, ways)
    finally:
        reasoner.close()


def _stood_in(options: SolveOptions, event: Event) -> None:
    from autoglm.cli._console import note

    if event.name == "model_stands_in":
        wanted, used = event.data["wanted"], event.data["used"]
        note(options, say(en=f"{wanted} is not here; {used} answers.",
                          zh=f"此处没有 {wanted},由 {used} 回答。"))  # fmt: skip


def _estimate(options: SolveOptions, reasoner: Any, found: Any) -> Answer:
    """Say what the question, or all of a file, could take."""
    from autoglm.llm.contract import Usage
    from autoglm.llm.engines import price_of
    from autoglm.reason.batch import read_questions

    asked = read_questions(options.file) if options.file else [options.question]
    each = [reasoner.estimate(q, options.method, options.refine) for q in asked]
    price = price_of(found)
    tokens = sum(e.most_tokens for e in each)
    data = {
        "model": reasoner.model.name,
        "questions": len(each),
        "least_calls": sum(e.least_calls for e in each),
        "most_calls": sum(e.most_calls for e in each),
        "least_tokens": sum(e.least_tokens for e in each),
        "most_tokens": tokens,
        "most_money": None if price is None else max(price.of(Usage(tokens)),
                                                     price.of(Usage(0, tokens))),
    }  # fmt: skip
    text = say(
        en=f"{data['questions']} questions to {data['model']}: {data['least_calls']} to "
        f"{data['most_calls']} calls, at most {tokens:,} tokens",
        zh=f"{data['questions']} 个问题交给 {data['model']}:{data['least_calls']} 到 "
        f"{data['most_calls']} 次调用,最多 {tokens:,} 个 token",
    )
    if price is not None:
        text += f", {data['most_money']:.6f} {price.currency}"
    return Answer(data, text)


def _one(options: SolveOptions, reasoner: Any, ways: dict[str, Any]) -> Answer:
    show = not options.json and not options.quiet

    def watch(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()

    result = reasoner.solve(options.question, watch=watch if show else None, **ways)
    if show:
        sys.stderr.write("\n")
    if options.trace:
        result.save_trace(options.trace)
    return Answer(result.to_dict(), result.answer if options.quiet else _told(result))


def _told(result: Any) -> str:
    """Return the answer, what was checked of it, and what it took."""
    none = say(en="no answer", zh="没有答案")
    if result.guess:
        none += say(en=f" (likeliest: {result.guess})", zh=f"(最可能:{result.guess})")
    head = say(en="Answer: ", zh="答案:") + (none if result.answer is None else result.answer)
    sure = (
        say(en="verified", zh="已验证") if result.verified else say(en="not verified", zh="未验证")
    )
    marks = {"passed": "✓", "failed": "✗"}
    checks = [c for n in result.trace.path() for c in n.checks if c.status in marks]
    listed = " ".join(f"{marks[c.status]} {c.name}" for c in checks)
    cost = result.cost
    took = say(en=f"{cost.tokens} tokens, {cost.calls} calls, {cost.seconds:.2f} s",
               zh=f"{cost.tokens} 个 token,{cost.calls} 次调用,{cost.seconds:.2f} 秒")  # fmt: skip
    lines = [head, f"{sure} ({result.confidence:.0%}): {result.why}", listed, took]
    return "\n".join(line for line in lines if line)


def _many(options: SolveOptions, reasoner: Any, ways: dict[str, Any]) -> Answer:
    from autoglm.cli._console import note
    from autoglm.reason.batch import solve_file

    assert options.file is not None
    out = options.out or options.file.with_suffix(".answers.jsonl")

    def done(number: int, of: int) -> None:
        note(options, f"{number}/{of}")

    summary = solve_file(reasoner, options.file, out, done=done, **ways)
    text = say(
        en=f"{summary.questions} questions, {summary.answered} answered, {summary.verified} "
        f"verified, {summary.failed} failed, {summary.tokens} tokens: {out}",
        zh=f"{summary.questions} 个问题,回答 {summary.answered},验证 {summary.verified},"
        f"失败 {summary.failed},{summary.tokens} 个 token:{out}",
    )
    return Answer(summary.to_dict() | {"out": str(out)}, text)
