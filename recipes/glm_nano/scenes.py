"""Problems of several facts and one question, from `scenes`: not all that is told is needed.

Which facts a question needs follows from the letters of its arithmetic. The others are told now and
then, facts may come in another order where the scene allows it, and numbers may be words.

    python recipes/glm_nano/scenes.py FILE [--show 3]

says what of a file can be told: how often numbers are found for each question, and samples.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from families import TRIES, number, slotted, words
from sets import Problem

from autoglm.core.text import Language
from autoglm.reason.expression import Expression, ExpressionError, evaluate, parse

FOLDER = Path(__file__).with_name("scenes")
#: Share of the facts that a question does not need and that are told all the same.
BESIDE = 0.4
#: Kinds of numbers whose shares and sums need not come out whole.
BROKEN = ("decimal", "money")
LANGUAGES: tuple[Language, ...] = ("zh", "en")

Told = Mapping[str, tuple[tuple[str, ...], ...]]


@dataclass(frozen=True)
class Asked:
    """A question about a scene: its arithmetic, and ways to ask it by language."""

    program: Expression
    side: str
    told: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Scene:
    """Facts that belong together.

    Attributes
    ----------
    free
        Whether the facts may come in any order.
    order
        Pairs of letters of which the first must have the larger value.
    kinds
        The kind of number of letters that are not plain.
    things
        What {x} and {y} are drawn from, by language; empty for things of all sorts.
    facts
        Ways to tell each fact, by language.
    asked
        What can be asked.
    """

    free: bool
    order: tuple[tuple[str, str], ...]
    kinds: dict[str, str]
    things: dict[str, list[str]]
    facts: Told
    asked: tuple[Asked, ...]


@lru_cache(maxsize=2)
def scenes(path: Path = FOLDER) -> tuple[Scene, ...]:
    """Read the scenes of a file, or of all files of a folder."""
    found: list[Scene] = []
    for file in sorted(path.glob("*.txt")) if path.is_dir() else [path]:
        text = re.sub(r"^#.*\n", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        found += map(_scene, re.split(r"\n\s*\n", text.strip()))
    return tuple(found)


def _scene(block: str) -> Scene:
    facts, *questions = re.split(r"^ask ", block.strip(), flags=re.MULTILINE)
    head, *lines = facts.strip().splitlines()
    things = dict(line.removeprefix("things ").split(" ", 1) for line in lines if line[0] == "t")
    asked = []
    for question in questions:
        side, *told = question.strip().splitlines()
        ways = {kind: _ways(told, kind) for kind in LANGUAGES}
        asked.append(Asked(parse(side), side, {k: w[0] for k, w in ways.items() if w}))
    return Scene(
        "free" in head.split(), tuple(re.findall(r"needs (\w) > (\w)", head)),
        dict(re.findall(r"\b([a-f]):(\w+)", head)),
        {kind: [one.strip() for one in told.split(",")] for kind, told in things.items()},
        {kind: _ways(lines, kind) for kind in LANGUAGES}, tuple(asked),
    )  # fmt: skip


def _ways(lines: list[str], language: str) -> tuple[tuple[str, ...], ...]:
    own = [line[3:] for line in lines if line.startswith(language + " ")]
    return tuple(tuple(way.strip() for way in line.split(" | ")) for line in own)


def scene(draw: random.Random, language: Language | None = None) -> Problem:
    """Return a problem about a scene."""
    while True:
        spoken = language or draw.choice(LANGUAGES)
        one = draw.choice(scenes())
        made = told(one, draw.choice(one.asked), spoken, draw)
        if made is not None:
            return made


def told(one: Scene, asked: Asked, language: Language, draw: random.Random) -> Problem | None:
    """Return a question of a scene with numbers; None where none were found that make sense."""
    if language not in asked.told:
        return None
    question = draw.choice(asked.told[language])
    needed = _letters(asked.side) | _letters(question, told=True)
    facts = [
        ways
        for ways in one.facts[language]
        if _letters(ways[0], told=True) & needed or draw.random() < BESIDE
    ]
    if one.free and draw.random() < 0.3:
        draw.shuffle(facts)
    said = words(language, draw, one.things.get(language))
    spoken = [_way(ways, first=not at, draw=draw) for at, ways in enumerate(facts)]
    joined = ("" if language == "zh" else " ").join([*spoken, question])
    letters = sorted(_letters(joined, told=True))
    if not needed <= set(letters):
        return None
    for _ in range(TRIES):
        drawn = {x: number(one.kinds.get(x, ""), language, draw) for x in letters}
        values = {name: value for name, (value, _) in drawn.items()}
        answer = _answer(one, asked, values)
        if answer is not None:
            shown = {name: text for name, (_, text) in drawn.items()}
            text = joined.format(**said, **shown)
            return slotted(text[0].upper() + text[1:], asked.program, values, answer)
    return None


def _way(ways: tuple[str, ...], *, first: bool, draw: random.Random) -> str:
    """Return a way to tell a fact; the first one must not speak of somebody not named yet."""
    if first:
        plain = [way for way in ways if not re.search(r"\{(?:he|his|him)\}|\bthem\b", way)]
        ways = tuple(plain) or ways
    way = draw.choice(ways)
    if first:
        way = way.replace("{he}", "{p}").replace("{him}", "{p}")
        way = way.replace("{his}", "{p}'s")
    return "{He}" + way[4:] if way.startswith("{he}") else way


def _answer(one: Scene, asked: Asked, values: Mapping[str, Fraction]) -> Fraction | None:
    """Return what comes out, where it is a sensible answer of different numbers."""
    if len(set(values.values())) < len(values):
        return None
    if any(x in values and y in values and values[x] <= values[y] for x, y in one.order):
        return None
    try:
        answer = evaluate(asked.program, values)
    except ExpressionError:
        return None
    broken = any(one.kinds.get(name) in BROKEN for name in values)
    return answer if answer > 0 and (broken or answer.denominator == 1) else None


def _letters(text: str, *, told: bool = False) -> set[str]:
    return set(re.findall(r"\{([a-f])\}" if told else r"\b([a-f])\b", text))


def main() -> None:
    """Say what of a file can be told."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--show", type=int, default=0, help="samples of each question")
    args = parser.parse_args()
    draw, few = random.Random(0), 0
    every = scenes(args.file)
    for at, one in enumerate(every, 1):
        for asked in one.asked:
            for language in (kind for kind in LANGUAGES if kind in asked.told):
                made = [told(one, asked, language, draw) for _ in range(20)]
                found = [problem for problem in made if problem is not None]
                if len(found) < 10:
                    few += 1
                    print(f"scene {at}, {language}, {asked.side}: {len(found)} of 20 came out")
                for problem in found[: args.show]:
                    print(f"  {problem.text}  [{asked.side}] {problem.answer}")
    print(f"{len(every)} scenes, {sum(len(one.asked) for one in every)} questions, {few} seldom")


if __name__ == "__main__":
    main()
