"""Made-up word problems in both languages, from `families.txt` and from chains of changes.

`problems` draws single ones; `chain` tells a story of so many changes in a row, which is how depth
grows beyond what any set has.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from sets import Problem

from autoglm.core.text import Language
from autoglm.reason.expression import (
    Expression,
    ExpressionError,
    evaluate,
    parse,
    show,
    show_value,
)
from autoglm.reason.slots import slots_of, values_of, with_slots

FILE = Path(__file__).with_name("families.txt")
#: Draws of numbers for a telling before it is given up.
TRIES = 60

PEOPLE: dict[Language, list[str]] = {
    "zh": [
        "小明", "小红", "小华", "小丽", "小刚", "小芳", "李明", "王芳", "张伟", "刘洋", "陈静",
        "妈妈", "爸爸", "老师", "爷爷", "奶奶", "亮亮", "丽丽", "小强", "小林", "小东", "小英",
        "小军", "甲", "乙", "姐姐", "哥哥", "王叔叔", "李阿姨",
    ],
    "en": [
        "Anna", "Ben", "Carla", "David", "Emma", "Frank", "Grace", "Henry", "Ivy", "Jack", "Kate",
        "Leo", "Mia", "Noah", "Olivia", "Paul", "Rosa", "Sam", "Tom", "Lily", "Jerry", "Sara",
        "Dan", "Joan", "Mike", "Nancy", "Fred", "Sally", "Tim", "Alyssa", "Keith", "Jessica",
        "Bryan", "Paige", "Robin", "Edward", "Haley", "Will", "Maria", "Adam", "Zoe", "Oscar",
    ],
}  # fmt: skip
#: Singular and plural where a language has them.
THINGS: dict[Language, list[str]] = {
    "zh": [
        "苹果", "橘子", "梨", "桃子", "西瓜", "气球", "铅笔", "本子", "橡皮", "玩具", "邮票",
        "贝壳", "杯子", "面包", "鸡蛋", "糖果", "积木", "足球", "帽子", "零件", "书包", "铅笔盒",
        "乒乓球", "灯笼", "风筝", "饼干", "萝卜", "彩球", "椅子", "卡片",
    ],
    "en": [
        "apple/apples", "orange/oranges", "pencil/pencils", "book/books", "marble/marbles",
        "stamp/stamps", "balloon/balloons", "cookie/cookies", "shell/shells", "ticket/tickets",
        "card/cards", "flower/flowers", "cup/cups", "toy/toys", "bottle/bottles",
        "sticker/stickers", "egg/eggs", "ball/balls", "shirt/shirts", "pie/pies", "cake/cakes",
        "candy/candies", "peach/peaches", "toy car/toy cars", "crayon/crayons", "coin/coins",
        "seashell/seashells", "action figure/action figures", "video game/video games",
        "pack of gum/packs of gum", "bird/birds", "fish/fish", "puppy/puppies", "tree/trees",
        "ribbon/ribbons", "photo/photos", "peanut/peanuts", "kite/kites", "muffin/muffins",
    ],
}  # fmt: skip
#: Sorts of a thing.
SORTS: dict[Language, list[str]] = {
    "zh": ["红色", "蓝色", "绿色", "黄色", "白色", "黑色", "大号", "小号"],
    "en": [
        "red", "blue", "green", "white", "black", "big", "small", "old", "new", "plastic",
        "wooden", "sweet", "salty", "broken", "shiny", "purple",
    ],
}  # fmt: skip
#: English names of women; the others are of men.
WOMEN = {
    "Anna", "Carla", "Emma", "Grace", "Ivy", "Kate", "Mia", "Olivia", "Rosa", "Lily", "Sara",
    "Joan", "Nancy", "Sally", "Alyssa", "Jessica", "Paige", "Robin", "Haley", "Maria", "Zoe",
}  # fmt: skip
_NUMERALS: dict[Language, str] = {
    "zh": "零 一 两 三 四 五 六 七 八 九 十 十一 十二",
    "en": "zero one two three four five six seven eight nine ten eleven twelve",
}
#: Share of small whole numbers that are written as words.
WORDED = {"zh": 0.05, "en": 0.12}


@dataclass(frozen=True)
class Family:
    """Arithmetic over letters, and ways to tell it.

    Attributes
    ----------
    program
        What answers the question.
    letters
        The kind of number of each letter.
    whole
        What must come out whole besides being positive; None when nothing must.
    tellings
        By language.
    """

    program: Expression
    letters: dict[str, str]
    whole: Expression | None
    tellings: dict[str, tuple[str, ...]]


@lru_cache(maxsize=4)
def families(path: Path = FILE) -> tuple[Family, ...]:
    """Read the families of a file."""
    text = re.sub(r"^#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return tuple(_family(block) for block in re.split(r"\n\s*\n", text.strip()))


def _family(block: str) -> Family:
    head, *lines = block.strip().splitlines()
    side, _, conditions = head.partition("|")
    letters = dict.fromkeys(re.findall(r"\b[a-d]\b", side), "")
    letters |= dict(re.findall(r"\b([a-d]):(\w+)", conditions))
    needs = re.search(r"whole(?:\s+([a-d/*+\-() ]+?)(?=\s+[a-d]:|$))?", conditions)
    whole = None if needs is None else parse(needs[1] or side)
    told = {
        kind: tuple(line[3:] for line in lines if line.startswith(kind)) for kind in ("zh", "en")
    }
    return Family(parse(side), letters, whole, told)


def problems(draw: random.Random, language: Language | None = None) -> Iterator[Problem]:
    """Yield problems without end."""
    every = families()
    while True:
        spoken = language or draw.choice(("zh", "en"))
        family = draw.choice(every)
        tellings = family.tellings[spoken]
        if not tellings:
            continue
        made = _told(family, draw.choice(tellings), spoken, draw)
        if made is not None:
            yield made


def _told(family: Family, telling: str, language: Language, draw: random.Random) -> Problem | None:
    for _ in range(TRIES):
        numbers = {name: number(kind, language, draw) for name, kind in family.letters.items()}
        values = {name: value for name, (value, _) in numbers.items()}
        try:
            answer = evaluate(family.program, values)
            whole = None if family.whole is None else evaluate(family.whole, values)
        except ExpressionError:
            continue
        if answer <= 0 or (whole is not None and whole.denominator != 1):
            continue
        said = words(language, draw) | {name: shown for name, (_, shown) in numbers.items()}
        text = telling.format(**said)
        return slotted(text, family.program, values, answer)
    return None


def slotted(
    text: str, program: Expression, values: dict[str, Fraction], answer: Fraction
) -> Problem | None:
    """Return a problem whose letters have become the slots of its text, in the order told."""
    text = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
    slots = slots_of(text)
    shown = show(program, show_value)
    for name in sorted(values, key=len, reverse=True):
        shown = re.sub(rf"\b{name}\b", f"({show_value(values[name])})", shown)
    try:
        tree = with_slots(shown.replace("(", "( "), slots)
        found = evaluate(tree, values_of(slots))
    except ExpressionError:
        return None
    return Problem(text, tree, answer, "made") if found == answer else None


def number(kind: str, language: Language, draw: random.Random) -> tuple[Fraction, str]:
    """Return a number and how it is written."""
    if kind == "percent":
        share = draw.choice(
            [5, 10, 12, 15, 20, 25, 30, 35, 40, 50, 60, 75, 80, draw.randint(1, 99)]
        )
        return Fraction(share, 100), f"{share}%"
    if kind == "fraction":
        low = draw.randint(2, 9)
        value = Fraction(draw.randint(1, low - 1), low)
        top, bottom = value.numerator, value.denominator
        return value, f"({top}/{bottom})" if language == "zh" else f"{top}/{bottom}"
    if kind == "decimal":
        value = Fraction(draw.randint(1, 999), draw.choice((10, 100)))
        return value, show_value(value)
    if kind == "money" and draw.random() < 0.4:
        value = Fraction(draw.randint(25, 5999), 100)
        return value, f"{float(value):.2f}"
    least, most = {"big": (10, 5000), "few": (2, 9), "age": (5, 60)}.get(kind, (2, 60))
    if not kind and draw.random() < 0.3:
        most = draw.choice((12, 200, 1000))
    found = draw.randint(least, most)
    if kind == "big" and draw.random() < 0.5:
        found = max(10, found // 10 * 10)
    if 2 <= found <= 12 and draw.random() < WORDED[language]:
        return Fraction(found), _NUMERALS[language].split()[found]
    return Fraction(found), str(found)


def words(
    language: Language, draw: random.Random, things: list[str] | None = None
) -> dict[str, str]:
    """Return names of people, things (of those given, or any) and sorts for a telling."""
    p, q, r = draw.sample(PEOPLE[language], 3)
    x, y = draw.sample(things or THINGS[language], 2)
    k, m = draw.sample(SORTS[language], 2)
    one, other = x.split("/"), y.split("/")
    he, his, him = ("she", "her", "her") if p in WOMEN else ("he", "his", "him")
    return {
        "p": p, "q": q, "r": r, "x": one[0], "X": one[-1], "y": other[0], "Y": other[-1],
        "k": k, "l": m, "he": he, "He": he.capitalize(), "his": his, "him": him,
    }  # fmt: skip


#: Ways to ask for plain arithmetic.
PLAIN: dict[Language, tuple[str, ...]] = {
    "zh": ("计算 {side}", "{side} 等于多少?", "{side}=?"),
    "en": ("What is {side}?", "Calculate {side}.", "{side} = ?"),
}


def arithmetic(draw: random.Random, language: Language | None = None) -> Problem:
    """Return a question that is nothing but arithmetic."""
    spoken = language or draw.choice(("zh", "en"))
    while True:
        a, b, c = (draw.randint(2, draw.choice((20, 99, 999))) for _ in range(3))
        one, two = draw.choice("+-*"), draw.choice("+-*/")
        side = draw.choice((f"{a} {one} {b}", f"({a} {one} {b}) {two} {c}", f"{a} * {b} {one} {c}"))
        text = draw.choice(PLAIN[spoken]).format(side=side)
        answer = evaluate(parse(side))
        if answer.denominator == 1 and answer >= 0:
            return Problem(text, with_slots(side, slots_of(text)), answer, "arithmetic")


#: Changes of a chain: arithmetic on what there is (v) and a number (n), and how it is told.
CHANGES: dict[Language, tuple[tuple[str, str], ...]] = {
    "zh": (
        ("v + n", "{p}又买了{n}个。"),
        ("v + n", "{q}送来{n}个。"),
        ("v - n", "{p}吃了{n}个。"),
        ("v - n", "{p}送给{q}{n}个。"),
        ("v + n", "{p}又找到{n}个。"),
        ("v - n", "又用掉{n}个。"),
        ("v * n", "后来数量变成原来的{n}倍。"),
        ("v / n", "{p}把它们平均分成{n}份,只留下一份。"),
    ),
    "en": (
        ("v + n", "Then {p} bought {n} more."),
        ("v + n", "{q} brought {n} more."),
        ("v - n", "{p} ate {n} of them."),
        ("v - n", "{p} gave {n} to {q}."),
        ("v + n", "{p} found another {n}."),
        ("v - n", "After that {n} were lost."),
        ("v * n", "Then the number grew to {n} times as many."),
        ("v / n", "{p} put them into {n} equal parts and kept a part."),
    ),
}
BEGIN: dict[Language, tuple[str, ...]] = {
    "zh": ("{p}有{n}个{x}。", "{p}原来有{n}个{x}。"),
    "en": ("{p} had {n} {X}.", "{p} started with {n} {X}."),
}
ASK: dict[Language, tuple[str, ...]] = {
    "zh": ("现在{p}有多少个{x}?", "最后{p}还有几个{x}?"),
    "en": ("How many {X} does {p} have now?", "How many {X} are there in the end?"),
}
#: What a chain may grow to.
MOST = 5_000


def chain(draw: random.Random, depth: int, language: Language | None = None) -> Problem:
    """Return a story of so many changes."""
    spoken = language or draw.choice(("zh", "en"))
    while True:
        made = _chain(draw, depth, spoken)
        if made is not None:
            return made


def _chain(draw: random.Random, depth: int, language: Language) -> Problem | None:
    said = words(language, draw)
    value = draw.randint(2, 60)
    told = [draw.choice(BEGIN[language]).format(n=value, **said)]
    shown = str(value)
    for _ in range(depth):
        side, telling = draw.choice(CHANGES[language])
        change = draw.randint(2, 9) if side[2] in "*/" else draw.randint(2, 60)
        found = evaluate(parse(side), {"v": Fraction(value), "n": Fraction(change)})
        if found.denominator != 1 or not 0 < found <= MOST:
            return None
        value = int(found)
        told.append(telling.format(n=change, **said))
        shown = f"({shown}) {side[2]} {change}"
    told.append(draw.choice(ASK[language]).format(**said))
    text = ("" if language == "zh" else " ").join(told)
    slots = slots_of(text)
    tree = with_slots(shown, slots)
    if evaluate(tree, values_of(slots)) != value:
        return None
    return Problem(text, tree, Fraction(value), f"chain{depth}")
