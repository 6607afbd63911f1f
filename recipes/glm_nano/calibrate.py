"""Count how often a trained model is right, by how sure it is, on problems it did not learn from.

    python recipes/glm_nano/calibrate.py --model DIR --data DATA

The problems are those of the training parts that `train.py` holds back, and made-up ones. What is
counted goes into ``nano.json``, and from then on decides what the reasoner calls verified.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import families
import scenes
import sets
from train import real_problems

from autoglm.core.files import write_file
from autoglm.llm.certainty import Certainty, counted
from autoglm.llm.nano.engine import NanoModel
from autoglm.reason.judge import choose
from autoglm.reason.plan import Plan
from autoglm.reason.question import Question
from autoglm.reason.solver import Solver

SEED = 7_011
#: Tokens of an answer, and made-up problems of each kind.
MOST_TOKENS, MADE = 160, 150


@dataclass(frozen=True)
class Seen:
    """An answer: how probable it was, whether derivations agreed, whether it is right."""

    logprob: float
    agreed: bool
    right: bool


def seen(model: NanoModel, problems: Sequence[sets.Problem]) -> list[Seen]:
    """Answer problems and compare."""
    found = []
    for one in problems:
        solver = Solver(
            model, Question.read(one.text), Plan("program", votes=2, max_tokens=MOST_TOKENS)
        )
        solver.solve()
        choice = choose(solver.found)
        if choice is None or choice.logprob is None or not choice.sound or choice.rivals:
            continue
        value = choice.candidate.value
        right = value is not None and sets.near(value, one.answer)
        found.append(Seen(choice.logprob, choice.agreed, right))
    return found


def main() -> None:
    """Count and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=10_000, help="problems of the sets")
    parser.add_argument("--made", type=int, default=MADE, help="made-up problems of each kind")
    parser.add_argument("--least", type=float, default=0.98)
    args = parser.parse_args()
    about = json.loads((args.model / "nano.json").read_text(encoding="utf-8"))
    about.pop("certainty", None)
    model = NanoModel(args.model)
    model.certainty = None  # what is counted must not depend on an earlier count
    _, held = real_problems(args.data, about["sets"])
    draw = random.Random(SEED)
    drawn = families.problems(draw)
    made = [p for _ in range(args.made) for p in (next(drawn), scenes.scene(draw))]
    found = seen(model, [*draw.sample(held, min(len(held), args.limit)), *made])
    parts = {
        name: counted([s.logprob for s in found if s.agreed == agreed],
                      [s.right for s in found if s.agreed == agreed])
        for name, agreed in (("agreed", True), ("alone", False))
    }  # fmt: skip
    certainty = Certainty(parts["agreed"], parts["alone"], args.least)
    about["certainty"] = certainty.to_dict()
    write_file(args.model / "nano.json", json.dumps(about, indent=1))
    sure = [s for s in found if s.agreed and certainty.of(s.logprob, agreed=True) >= args.least]
    print(f"{len(found)} answers, {sum(s.right for s in found)} right; {len(sure)} verified, "
          f"{sum(s.right for s in sure)} of them right")  # fmt: skip


if __name__ == "__main__":
    main()
