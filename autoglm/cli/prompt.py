"""``prompt optimise`` and ``prompt align``: prompts that are measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from autoglm.cli._options import Answer, Common
from autoglm.cli.llm import BaseUrl, Model
from autoglm.core.text import say

Examples = Annotated[
    Path,
    typer.Argument(help=say(en="Examples: JSON lines with every name of the signature.",
                            zh="例子:JSON 行,包含签名中的全部名称。")),
]  # fmt: skip
SignatureText = Annotated[
    str, typer.Option(help=say(en="What goes in and comes out.", zh="输入与输出。"))
]
Instruction = Annotated[
    str, typer.Option(help=say(en="What the model is told.", zh="给模型的指令。"))
]
Program = Annotated[
    Path | None,
    typer.Option(help=say(en="A saved prompt to start from.", zh="作为起点的已保存提示。")),
]


@dataclass(frozen=True, kw_only=True)
class _PromptOptions(Common):
    examples: Examples
    signature: SignatureText = "question -> answer"
    instruction: Instruction = ""
    program: Program = None
    tokens: Annotated[
        int | None, typer.Option(help=say(en="Most tokens in all.", zh="token 总上限。"))
    ] = None
    llm_base_url: BaseUrl = None


@dataclass(frozen=True, kw_only=True)
class OptimiseOptions(_PromptOptions):
    """Options of ``autoglm prompt optimise``."""

    metric: Annotated[
        Literal["exact", "number", "overlap"],
        typer.Option(help=say(en="How an answer is scored.", zh="回答的评分方式。")),
    ] = "exact"
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help=say(en="Write the best prompt here.",
                                             zh="最佳提示写入处。")),
    ] = None  # fmt: skip
    seed: Annotated[int, typer.Option(help=say(en="Seed of the split.", zh="划分的随机种子。"))] = 0
    llm: Model = None


@dataclass(frozen=True, kw_only=True)
class AlignOptions(_PromptOptions):
    """Options of ``autoglm prompt align``."""

    llm: Annotated[
        list[str],
        typer.Option("--llm", help=say(en="An engine; repeat for each.", zh="引擎,可重复给出。")),
    ]


def optimise(options: OptimiseOptions) -> Answer:
    """Improve a prompt against examples, and say what it gains on examples it never saw.

    zh: 用例子改进提示,并报告在未见例子上的提升。
    """
    from autoglm.cli._console import note, settings, table
    from autoglm.llm.account import Account
    from autoglm.llm.engines import open_model
    from autoglm.llm.optimise import METRICS, AutoPrompter, SearchPlan
    from autoglm.llm.programs import read_examples

    found = settings(options, llm=options.llm, llm_base_url=options.llm_base_url).settings
    program = _program(options)
    examples = read_examples(options.examples, program.signature)
    model = open_model(found)
    try:
        prompter = AutoPrompter(
            model, budget=Account(tokens=options.tokens), plan=SearchPlan(seed=options.seed),
            watch=lambda line: note(options, line),
        )  # fmt: skip
        best = prompter.optimize(program, examples, METRICS[options.metric])
    finally:
        model.close()
    if options.out:
        best.program.save(options.out)
    heads = (say(en="candidate", zh="候选"), say(en="score", zh="得分"),
             say(en="examples", zh="例数"), say(en="shots", zh="示例"),
             say(en="instruction", zh="指令"))  # fmt: skip
    rows = ([t["origin"], t["score"], t["compared_on"], t["shots"], t["instruction"][:60]]
            for t in best.tried[:12])  # fmt: skip
    low, high = best.interval
    gain = say(
        en=f"{best.before:.3f} -> {best.after:.3f} on {best.held_out} held-out examples "
        f"(gain {best.gain:+.3f}, 95 % [{low:+.3f}, {high:+.3f}]), {best.tokens} tokens",
        zh=f"在 {best.held_out} 个未见例子上 {best.before:.3f} -> {best.after:.3f}"
        f"(提升 {best.gain:+.3f},95 % [{low:+.3f}, {high:+.3f}]),{best.tokens} 个 token",
    )
    return Answer(best.to_dict(), _group(table(heads, rows), gain))


def align(options: AlignOptions) -> Answer:
    """Ask several engines the same, and say how often they agree.

    zh: 向多个引擎提同样的问题,报告一致率。
    """
    from autoglm.cli._console import settings, table
    from autoglm.llm.account import Account
    from autoglm.llm.align import align as compare
    from autoglm.llm.engines import open_model
    from autoglm.llm.programs import read_examples

    found = settings(options, llm_base_url=options.llm_base_url).settings
    program = _program(options).pinned()
    examples = read_examples(options.examples, program.signature)
    account = Account(tokens=options.tokens)
    models = [open_model(found, name=name, account=account) for name in options.llm]
    for number, model in enumerate(models):
        if model.name in {m.name for m in models[:number]}:
            model.name = f"{model.name} {number + 1}"
    try:
        result = compare(program, models, examples)
    finally:
        for model in models:
            model.close()
    heads = (say(en="engine", zh="引擎"), say(en="right shape", zh="格式正确"))
    pairs = [f"{a} = {b}: {share:.1%}" for (a, b), share in result.agreement.items()]
    every = say(en=f"all agree: {result.unanimous:.1%}", zh=f"全部一致:{result.unanimous:.1%}")
    return Answer(result.to_dict(), _group(table(heads, result.valid.items()), *pairs, every))


def _program(options: _PromptOptions) -> Any:
    from autoglm.llm.programs import PromptProgram

    if options.program is not None:
        return PromptProgram.load(options.program)
    return PromptProgram.of(options.signature, options.instruction)


def _group(*parts: Any) -> Any:
    from rich.console import Group

    return Group(*parts)
