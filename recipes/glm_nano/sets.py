"""Public sets of word problems as programs over the numbers of their questions.

Every reader gives `Problem` records; a row whose equation cannot be read, or does not come to its
answer, is left out and counted. Files are those of a data folder with one folder a set; none of
them is part of this project.
"""

from __future__ import annotations

import gzip
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from autoglm.reason.expression import (
    Expression,
    ExpressionError,
    Name,
    Number,
    Operation,
    evaluate,
    names,
    parse,
    solve_linear,
)
from autoglm.reason.slots import slots_of, values_of, with_slots

#: Steps of a GSM8K solution.
_STEP = re.compile(r"<<([^<>=]+)=([^<>]+)>>")
#: Relative difference from the answer that rounding explains.
NEAR = Fraction(1, 1000)


@dataclass(frozen=True)
class Problem:
    """A question and the arithmetic that answers it.

    Attributes
    ----------
    text
        The question.
    program
        Over the slots of the question.
    answer
        What it comes to, as the set has it.
    source
        The set.
    """

    text: str
    program: Expression
    answer: Fraction
    source: str


@dataclass(frozen=True)
class Loaded:
    """What a reader found."""

    problems: list[Problem]
    rows: int

    @property
    def share(self) -> float:
        """Return the share of rows that could be read."""
        return len(self.problems) / max(1, self.rows)


def opened(path: Path) -> str:
    """Return the text of a file, gzipped or not."""
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")


def records(path: Path) -> list[dict[str, Any]]:
    """Return the JSON objects of a file: a list, lines, or one after another."""
    text, found, at = opened(path).strip(), [], 0
    if text.startswith("["):
        return list(json.loads(text))
    decoder = json.JSONDecoder()
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        found.append(value)
        while at < len(text) and text[at].isspace():
            at += 1
    return found


def problem(text: str, equation: str, answer: str, source: str) -> Problem | None:
    """Return a row as a program; None when it cannot be read or comes to something else."""
    text = tidy(text)
    slots = slots_of(text)
    try:
        expected = value_of(answer)
        program = with_slots(_side(equation), slots)
        found = evaluate(program, values_of(slots))
    except (ExpressionError, ValueError, ZeroDivisionError):
        return None
    if expected is None or not near(found, expected) or not names(program):
        return None
    return Problem(text, program, expected, source)


def tidy(text: str) -> str:
    """Return a question as people write it: single blanks, none before a sign."""
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r" (?=[.,?!;:](?:\s|$))", "", text)


def near(found: Fraction, expected: Fraction) -> bool:
    """Return whether a value is the expected one, up to its rounding."""
    return abs(found - expected) <= NEAR * max(abs(expected), Fraction(1, 10))


def value_of(answer: str) -> Fraction | None:
    """Return the value of an answer: arithmetic, a percentage, a mixed number."""
    text = re.sub(r"\((\d+)\)", r"\1", str(answer).strip().replace(",", ""))
    text = re.sub(r"(\d+)\((\d+)/(\d+)\)", r"(\1+\2/\3)", text)
    try:
        return evaluate(parse(text))
    except ExpressionError:
        return None


def _side(equation: str) -> str:
    """Return what the unknown is equal to; the equation is solved where it stands elsewhere."""
    left, sign, right = equation.partition("=")
    if not sign:
        return equation
    if left.strip().lower() == "x":
        return right
    if right.strip().lower() == "x":
        return left
    name = next(iter(names(parse(left)) | names(parse(right))), "x")
    return str(solve_linear(parse(left), parse(right), name))


def mwp_toolkit(path: Path, source: str) -> Loaded:
    """Read a set in the layout of MWPToolkit, or of Math23K and Ape210K, which is the same."""
    rows = records(path)
    found = (problem(r["original_text"], r["equation"], str(r["ans"]), source) for r in rows)
    return Loaded([p for p in found if p is not None], len(rows))


def svamp(path: Path, source: str = "svamp") -> Loaded:
    """Read SVAMP."""
    rows = records(path)
    found = (
        problem(
            f"{r['Body'].rstrip('. ')}. {r['Question']}", r["Equation"], str(r["Answer"]), source
        )
        for r in rows
    )
    return Loaded([p for p in found if p is not None], len(rows))


def asdiv(path: Path, source: str = "asdiv") -> Loaded:
    """Read the problems of ASDiv that have one numeric answer."""
    rows = list(ElementTree.fromstring(opened(path)).iter("Problem"))

    def part(row: ElementTree.Element, name: str) -> str:
        return (row.findtext(name) or "").strip()

    found = []
    for row in rows:
        answer = re.match(r"-?[\d,./]+", part(row, "Answer"))
        side = part(row, "Formula").split("=")[0]
        if answer:
            text = f"{part(row, 'Body')} {part(row, 'Question')}"
            found.append(problem(text, side, answer[0].rstrip(".,"), source))
    return Loaded([p for p in found if p is not None], len(rows))


def gsm8k(path: Path, source: str = "gsm8k") -> Loaded:
    """Read GSM8K: the marked calculations of a solution, put into each other."""
    rows = [json.loads(line) for line in opened(path).splitlines()]
    found = (_chained(r["question"], r["answer"], source) for r in rows)
    return Loaded([p for p in found if p is not None], len(rows))


def _chained(text: str, solution: str, source: str) -> Problem | None:
    text = tidy(text)
    slots = slots_of(text)
    steps, _, last = solution.partition("####")
    known: dict[Fraction, Expression] = {}
    program: Expression | None = None
    try:
        expected = value_of(last)
        for side, stated in _STEP.findall(steps):
            program = _linked(with_slots(side, slots), known)
            value = value_of(stated)
            if value is None:
                return None
            known[value] = program
        if expected is None or program is None:
            return None
        program = known.get(expected, program)
        value = evaluate(program, values_of(slots))
    except ExpressionError:
        return None
    if not near(value, expected) or not names(program):
        return None
    return Problem(text, program, expected, source)


def _linked(tree: Expression, known: dict[Fraction, Expression]) -> Expression:
    """Put earlier results where their values stand."""
    if isinstance(tree, Number):
        return known.get(tree.value, tree)
    if isinstance(tree, Name):
        return tree
    return Operation(tree.operator, _linked(tree.left, known), _linked(tree.right, known))


def normal(text: str) -> str:
    """Return a question without blanks and signs, to find the same one under another spelling."""
    return re.sub(r"[\W_]+", "", text).casefold()


def training(data: Path) -> dict[str, Loaded]:
    """Return the training parts by set, without questions that stand in a test part.

    MWPToolkit's parts of Math23K and those of Ape210K overlap the public test of Math23K.
    """
    tests = {normal(p.text) for found in testing(data).values() for p in found.problems}
    ape = data / "reason_ape210k_valid" / "valid.ape.json.gz"
    parts: dict[str, Callable[[], Loaded]] = {
        "mawps": lambda: mwp_toolkit(data / "reason_mawps" / "trainset.json.gz", "mawps"),
        "math23k": lambda: merged(
            mwp_toolkit(data / "reason_math23k" / f"mwptoolkit_{part}set.json.gz", "math23k")
            for part in ("valid", "test")
        ),
        "ape210k": lambda: mwp_toolkit(ape, "ape210k"),
        "gsm8k": lambda: gsm8k(data / "reason_gsm8k" / "train.jsonl.gz"),
    }
    return {name: without(read(), tests) for name, read in parts.items()}


def testing(data: Path) -> dict[str, Loaded]:
    """Return the test parts by set: of SVAMP and ASDiv all, of which nothing is learned from."""
    return {
        "mawps": mwp_toolkit(data / "reason_mawps" / "testset.json", "mawps"),
        "svamp": svamp(data / "reason_svamp" / "SVAMP.json.gz"),
        "math23k": mwp_toolkit(data / "reason_math23k" / "math23k_test.json.gz", "math23k"),
        "asdiv": asdiv(data / "reason_asdiv" / "ASDiv.xml.gz"),
        "gsm8k": gsm8k(data / "reason_gsm8k" / "test.jsonl.gz"),
    }


def merged(parts: Iterator[Loaded]) -> Loaded:
    """Return several parts as one."""
    found = list(parts)
    return Loaded([p for part in found for p in part.problems], sum(part.rows for part in found))


def without(found: Loaded, tests: set[str]) -> Loaded:
    """Return a part without questions that are tested, and without repeats."""
    kept: dict[str, Problem] = {}
    for one in found.problems:
        key = normal(one.text)
        if key not in tests:
            kept.setdefault(key, one)
    return Loaded(list(kept.values()), found.rows)
