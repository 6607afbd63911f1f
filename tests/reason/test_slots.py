"""Numbers as slots: equations of real sets become programs that come to the same."""

from __future__ import annotations

import importlib
import random
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest

from autoglm.reason.expression import ExpressionError, evaluate, show
from autoglm.reason.slots import marked, slots_of, values_of, with_slots

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "glm_nano"


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("3个苹果6元,5个多少钱?", "①个苹果②元,③个多少钱?"),
        ("一个班有三十人,第一组(2/5)", "一个班有①人,第一组②/"),
        ("故事书15.4万册,少5.8万册", "故事书①万册,少②万册"),
        ("Seven red apples and 2 million", "① red apples and ② million"),
        ("打八折,涨了20%", "打①折,涨了②%"),
        ("①有5个,②有3个", "(1)有①个,(2)有②个"),
        ("没有数", "没有数"),
    ],
)
def test_numbers_get_marks(text: str, marks: str) -> None:
    assert marked(text, slots_of(text)) == marks


@pytest.mark.parametrize(
    ("text", "equation", "program"),
    [
        ("6米是这段布的(2/5),还剩多少?", "6/(2/5)-6", "n0 / n1 - n0"),
        ("120元,用去80%,文具是15%", "120*80%*15%", "n0 * n1 * n2"),
        ("2(1/3)米和1米", "2(1/3)-1", "n0 - n1"),
        ("4 and 4 more, halved", "(4+4)/2", "(n0 + n1) / 2"),
        ("有5个,每个5元", "5*5", "n0 * n1"),
        ("3个人", "3*12", "n0 * 12"),
    ],
)
def test_equations_become_programs_over_slots(text: str, equation: str, program: str) -> None:
    slots = slots_of(text)
    tree = with_slots(equation, slots)
    assert show(tree) == program
    assert evaluate(tree, values_of(slots)) == evaluate(with_slots(equation, []))


def test_what_is_no_equation_is_refused() -> None:
    for bad in ("x=3", "3 +", "", "1(2/0)"):
        with pytest.raises(ExpressionError):
            evaluate(with_slots(bad, slots_of("3 of 4")))


@pytest.fixture(scope="module")
def sets() -> ModuleType:
    return recipe("sets")


@pytest.fixture(scope="module")
def families(sets: ModuleType) -> ModuleType:
    return recipe("families")


def recipe(name: str) -> ModuleType:
    """Import a file of the recipe, whose files import each other by name."""
    sys.path.insert(0, str(RECIPE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(RECIPE))


#: Of each set, the least share of rows that are read.
TESTS = {"mawps": 0.98, "svamp": 0.99, "math23k": 0.98, "asdiv": 0.65, "gsm8k": 0.9}
TRAINING = {"mawps": 0.75, "math23k": 0.93, "ape210k": 0.9, "gsm8k": 0.9}


def test_public_sets_are_read_as_programs(sets: ModuleType, data_dir: Path) -> None:
    tests, training = sets.testing(data_dir), sets.training(data_dir)
    assert dict.fromkeys(TESTS, True) == {n: tests[n].share >= s for n, s in TESTS.items()}
    assert dict.fromkeys(TRAINING, True) == {n: training[n].share >= s for n, s in TRAINING.items()}
    asked = {sets.normal(p.text) for found in tests.values() for p in found.problems}
    for found in training.values():
        for one in found.problems:
            assert sets.normal(one.text) not in asked
            value = evaluate(one.program, values_of(slots_of(one.text)))
            assert abs(value - one.answer) <= max(abs(one.answer), Fraction(1, 10)) / 1000


def test_made_up_problems_come_to_their_answers(families: ModuleType) -> None:
    every = families.families()
    assert all(family.tellings["zh"] and family.tellings["en"] for family in every)
    drawn = families.problems(random.Random(0))
    seen = [next(drawn) for _ in range(3000)]
    for one in seen:
        assert evaluate(one.program, values_of(slots_of(one.text))) == one.answer > 0
        assert "{" not in one.text
    assert len({show(one.program) for one in seen}) >= len(every)
    again = families.problems(random.Random(0))
    assert [next(again).text for _ in range(50)] == [one.text for one in seen[:50]]


@pytest.mark.parametrize("depth", [1, 4, 8])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_chains_are_as_deep_as_asked(depth: int, language: str, families: ModuleType) -> None:
    for seed in range(20):
        one = families.chain(random.Random(seed), depth, language)
        assert len(slots_of(one.text)) == depth + 1
        assert evaluate(one.program, values_of(slots_of(one.text))) == one.answer
