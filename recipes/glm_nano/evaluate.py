"""Measure a trained model on test parts: direct, in steps, with checks, as programs.

    python recipes/glm_nano/evaluate.py --model DIR --data DATA --out FILE [--limit 200] [--seeds 3]

One line of JSON for each set, method and seed: accuracy, how many answers were given and how many
were called verified, how many of those are right, tokens and seconds. Seed 0 is greedy where a
single answer is drawn. Then a table with 95 % intervals (Wilson) over all seeds.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path

import corpus
import families
import sets

from autoglm.llm.contract import Message
from autoglm.llm.nano.decode import Decoding, generate
from autoglm.llm.nano.engine import NanoModel
from autoglm.reason.plan import Plan
from autoglm.reason.program import run_program
from autoglm.reason.question import Question
from autoglm.reason.reasoner import AutoReasoner
from autoglm.reason.slots import slots_of, values_of
from autoglm.reason.steps import answer_value, read_steps

#: Rows that are decoded together, and tokens of an answer.
ROWS, MOST_TOKENS = 32, 160
#: Made-up chains of each depth; the training has depths to 6.
CHAINS, DEPTHS = 100, range(1, 9)
SEED_OF_CHAINS = 20_261_130


@dataclass(frozen=True)
class Line:
    """What a method came to on a set; where it abstained its guess counts as right or wrong."""

    set: str
    method: str
    seed: int
    rows: int
    right: int
    answered: int
    answered_right: int
    verified: int
    verified_right: int
    tokens: int
    seconds: float


@dataclass(frozen=True)
class Answer:
    """What was answered to a question."""

    value: Fraction | None
    answered: bool = True
    verified: bool = False
    tokens: int = 0


Method = Callable[[NanoModel, Sequence[sets.Problem], int], list[Answer]]


def at_once(mode: corpus.Mode) -> Method:
    """Return the method that draws one answer in a mode, many questions at a time."""

    def run(model: NanoModel, problems: Sequence[sets.Problem], seed: int) -> list[Answer]:
        how = Decoding(
            max_tokens=MOST_TOKENS, stop=model.stop, temperature=0.7 if seed else 0.0, seed=seed
        )
        found: list[Answer] = []
        for at in range(0, len(problems), ROWS):
            part = problems[at : at + ROWS]
            prompts = [prompt_of(model, one, mode) for one in part]
            for one, prompt, row in zip(
                part, prompts, generate(model.network, prompts, how), strict=True
            ):
                text = model.tokenizer.decode(row.tokens)
                tokens = len(prompt) + len(row.tokens) + row.stopped
                found.append(Answer(value_of(one, mode, text), tokens=tokens))
        return found

    return run


def prompt_of(model: NanoModel, one: sets.Problem, mode: corpus.Mode) -> list[int]:
    """Return what the model reads."""
    turns = (Message("system", mode), Message("user", corpus.asked(one.text, mode)))
    return model.tokens_of(turns)


def value_of(one: sets.Problem, mode: corpus.Mode, text: str) -> Fraction | None:
    """Return the number that a text answers."""
    if mode == "program":
        return run_program(f"answer = {text}", values_of(slots_of(one.text))).value
    return answer_value(read_steps(text).answer)


def reasoned(plan: Plan) -> Method:
    """Return the method of the reasoner with a plan."""

    def run(model: NanoModel, problems: Sequence[sets.Problem], seed: int) -> list[Answer]:
        found = []
        for one in problems:
            own = replace(plan, first_sample=seed, max_tokens=MOST_TOKENS)
            result = AutoReasoner(model).solve(one.text, plan.method, plan.refine, plan=own)
            answered = result.answer is not None
            found.append(Answer(result.value, answered, result.verified, result.cost.tokens))
        return found

    return run


METHODS: dict[str, Method] = {
    "direct": at_once("direct"),
    "step": at_once("steps"),
    "step + verify": reasoned(Plan("cot", rounds=0, votes=4, cross=False)),
    "step + verify + back-track": reasoned(Plan("cot", rounds=2, votes=4, cross=False)),
    "program": at_once("program"),
    "program and steps": reasoned(Plan("program", votes=2)),
}


def tests(data: Path, limit: int) -> dict[str, list[sets.Problem]]:
    """Return the problems by set: chains of each depth, then the public test parts.

    What is nothing but arithmetic is a set of its own: the reasoner computes it without the model,
    which shows what the gate saves.
    """
    draw = random.Random(SEED_OF_CHAINS)
    found = {"arithmetic": [families.arithmetic(draw) for _ in range(min(CHAINS, limit))]}
    found |= {
        f"chain {depth}": [
            families.chain(random.Random(SEED_OF_CHAINS + 1000 * depth + number), depth)
            for number in range(min(CHAINS, limit))
        ]
        for depth in DEPTHS
    }
    for name, part in sets.testing(data).items():
        asks = [p for p in part.problems if Question.read(p.text).arithmetic is None]
        found[name] = asks[:limit]
    return found


def measure(
    model: NanoModel, name: str, method: str, problems: Sequence[sets.Problem], seed: int
) -> Line:
    """Run a method over a set."""
    started = time.monotonic()
    answers = METHODS[method](model, problems, seed)
    seconds = time.monotonic() - started
    right = [
        a.value is not None and sets.near(a.value, p.answer)
        for a, p in zip(answers, problems, strict=True)
    ]

    def both(said: Sequence[bool]) -> tuple[int, int]:
        return sum(said), sum(r and s for r, s in zip(right, said, strict=True))

    return Line(
        name, method, seed, len(answers), sum(right), *both([a.answered for a in answers]),
        *both([a.verified for a in answers]), sum(a.tokens for a in answers), round(seconds, 3),
    )  # fmt: skip


def interval(right: int, rows: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson)."""
    if rows == 0:
        return 0.0, 1.0
    z, share = 1.96, right / rows
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    return middle - half / (1 + z * z / rows), middle + half / (1 + z * z / rows)


def shares(said: int, right: int, total: int) -> str:
    """Return the share of all that was said, and of that what was right."""
    return f"{said / total:.3f}, {right / said:.3f}" if said else "-"


def table(lines: Sequence[Line]) -> str:
    """Return the lines as a Markdown table, seeds taken together."""
    groups: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        groups[line.set, line.method].append(line)
    rows = [
        "| set | method | accuracy, interval | answered, right | verified, right | tokens | ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for (name, method), group in groups.items():
        total = sum(one.rows for one in group)
        right = sum(one.right for one in group)
        low, high = interval(right, total)
        said = shares(sum(one.answered for one in group),
                      sum(one.answered_right for one in group), total)  # fmt: skip
        sure = shares(sum(one.verified for one in group),
                      sum(one.verified_right for one in group), total)  # fmt: skip
        tokens = sum(one.tokens for one in group) / max(1, total)
        spent = 1000 * sum(one.seconds for one in group) / max(1, total)
        rows.append(
            f"| {name} | {method} | {right / max(1, total):.3f} [{low:.3f}, {high:.3f}] "
            f"| {said} | {sure} | {tokens:.0f} | {spent:.0f} |"
        )
    return "\n".join(rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=10_000, help="problems of a set")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="*")
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    args = parser.parse_args()
    model, lines = NanoModel(args.model), []
    for name, problems in tests(args.data, args.limit).items():
        if args.sets and name not in args.sets:
            continue
        for method in args.methods:
            for seed in range(args.seeds):
                lines.append(measure(model, name, method, problems, seed))
                with args.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(lines[-1])) + "\n")
    print(table(lines))


if __name__ == "__main__":
    main()
