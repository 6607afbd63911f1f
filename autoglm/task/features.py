"""Columns worth computing from others: proposed by what names and types say, or by a model.

A proposal is a text in the language of `autoglm.dataflow.derive` and a reason. Whether it is any
good is found out on the data, see `autoglm.tuner.gain`; here it only has to make sense.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autoglm.core.errors import BudgetError, ModelError, SpecError
from autoglm.core.events import emit
from autoglm.core.text import current_language, say
from autoglm.dataflow.columns import Columns
from autoglm.dataflow.derive import Derived
from autoglm.llm.contract import LanguageModel, Request, Sampling
from autoglm.llm.prompts import template
from autoglm.llm.structured import ask_json

FOLDER = Path(__file__).with_name("templates")
#: Proposals of the rules, and of a model.
MOST_BY_RULES, MOST_BY_MODEL = 40, 20
#: Values of a category that make it a group, and columns that are looked at of a wide table.
LEAST_GROUPS, MOST_GROUPS, MOST_COLUMNS = 4, 400, 150
#: Rows on which is seen whether a proposal makes sense.
SEEN_ROWS = 2_000
#: Share of the texts that have a mark, for them to be cut at it.
MARKED = 0.9
_MARKS = ("-", "_", "/", ".", ",", "@", " ")
#: Words in names of columns by what they measure.
_WORDS = {
    "money": (
        "pric cost amount fee charge salar income revenue sales balance spent spend paym loan debt "
        "credit budget wage asset fare 金额 价 费 收入 余额 贷款 资产 负债 工资 销售额"
    ),
    "count": (
        "count num n_ times visit call order room household population people person child family "
        "member qty quantity purchase 次数 数量 人数 户数 件数"
    ),
    "time": "tenure month days years duration age hours minutes 时长 天数 月数 年限 年龄",
    "area": "area sqft square acre 面积",
    "length": "length width height depth diameter 长 宽 高 直径",
    "weight": "weight mass 重",
}
_QUANTITIES = tuple(
    (name, re.compile("|".join(words.split()), re.IGNORECASE)) for name, words in _WORDS.items()
)
#: Kinds of quantities whose quotient means something.
_QUOTIENTS = (
    ("money", "count"), ("money", "area"), ("money", "time"), ("count", "count"),
    ("money", "money"), ("count", "time"), ("weight", "length"), ("count", "area"),
    ("area", "count"),
)  # fmt: skip


@dataclass(frozen=True)
class Idea:
    """An expression, and why it may help."""

    text: str
    reason: str


def by_rules(columns: Columns) -> list[Idea]:
    """Return what names and types of the columns suggest, the likelier first."""
    kinds = {name: _quantity(name) for name, c in _numbers(columns)}
    ways = (
        _quotients(kinds), _of_groups(columns, kinds), _sums(kinds), _of_texts(columns),
        _pieces(columns), _lengths(kinds),
    )  # fmt: skip
    # One of each kind in turn, so that no kind takes all the room.
    mixed = (idea for row in itertools.zip_longest(*ways) for idea in row if idea is not None)
    found = dict.fromkeys(itertools.islice(mixed, 4 * MOST_BY_RULES))
    return _sensible(list(found), columns)[:MOST_BY_RULES]


def by_model(
    model: LanguageModel, columns: Columns, sentence: str, target: str, shown: str
) -> list[Idea]:
    """Return what a language model proposes; nothing when it cannot be asked.

    Parameters
    ----------
    model
        Is asked once, and once more where its answer does not have the shape.
    columns
        What expressions may be made of.
    sentence, target
        The task.
    shown
        The columns, one a line.
    """
    values = {"sentence": sentence, "target": target, "columns": shown, "most": MOST_BY_MODEL}
    turns = template("features", current_language(), FOLDER).fill(values)
    text = {"type": "string"}
    one = {
        "type": "object",
        "properties": {"expression": text, "reason": text},
        "required": ["expression", "reason"],
    }
    schema = {"type": "array", "items": one, "maxItems": MOST_BY_MODEL}
    try:
        found = ask_json(model, Request(turns, Sampling(max_tokens=1500, thinking=False)), schema)
    except (ModelError, BudgetError) as error:
        emit("model_failed", model=model.name, reason=error.message)
        return []
    ideas = [Idea(str(i["expression"]), " ".join(str(i["reason"]).split())[:200])
             for i in found.value]  # fmt: skip
    return _sensible(ideas, columns)


def _sensible(ideas: Sequence[Idea], columns: Columns) -> list[Idea]:
    """Return the ideas whose expressions can be computed and are no constants."""
    some, found = columns.take(np.arange(min(SEEN_ROWS, columns.n_rows))), []
    for idea in ideas:
        try:
            values = Derived.fit(idea.text, some).column(some).values
        except SpecError:
            continue
        known = {value for value in values.tolist() if value is not None and value == value}
        if len(known) > 1:
            found.append(idea)
    return found


def _numbers(columns: Columns) -> list[tuple[str, np.ndarray]]:
    found = [(n, c.values) for n, c in columns if c.kind == "number"]
    return found[:MOST_COLUMNS]


def _quantity(name: str) -> str:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return next((kind for kind, words in _QUANTITIES if words.search(spaced)), "")


def _quotients(kinds: dict[str, str]) -> Iterator[Idea]:
    for top, low in _QUOTIENTS:
        for a, b in itertools.permutations(kinds, 2):
            if (kinds[a], kinds[b]) == (top, low) and (top != low or a < b):
                yield Idea(f"`{a}` / `{b}`", say(en=f"{a} for each {b}", zh=f"每 {b} 的 {a}"))


def _sums(kinds: dict[str, str]) -> Iterator[Idea]:
    for kind in ("money", "count", "time"):
        same = [n for n in kinds if kinds[n] == kind]
        for a, b in itertools.combinations(same[:6], 2):
            yield Idea(f"`{a}` - `{b}`", say(en=f"how far {a} is above {b}",
                                             zh=f"{a} 比 {b} 多多少"))  # fmt: skip
    for a, b in itertools.permutations(kinds, 2):
        if (kinds[a], kinds[b]) == ("money", "time") and a != b:
            yield Idea(f"`{a}` * `{b}`", say(en=f"{a} over all of {b}", zh=f"{b} 内累计的 {a}"))


def _lengths(kinds: dict[str, str]) -> Iterator[Idea]:
    long = [n for n in kinds if kinds[n] == "length"]
    for a, b in itertools.combinations(long[:5], 2):
        yield Idea(f"`{a}` * `{b}`", say(en="an area", zh="面积"))
        yield Idea(f"`{a}` / `{b}`", say(en="a shape", zh="长宽比"))


def _of_groups(columns: Columns, kinds: dict[str, str]) -> Iterator[Idea]:
    groups = [n for n, c in columns if c.kind == "category" and _is_group(c.values)]
    measured = [n for n in kinds if kinds[n]] or list(kinds)
    for group in groups[:5]:
        if measured:
            yield Idea(f"count(`{measured[0]}` by `{group}`)",
                       say(en=f"how often {group} occurs", zh=f"{group} 出现的次数"))  # fmt: skip
        for name in measured[:6]:
            yield Idea(f"`{name}` - mean(`{name}` by `{group}`)",
                       say(en=f"{name} beside what is usual for its {group}",
                           zh=f"{name} 与同一 {group} 平均值之差"))  # fmt: skip


def _is_group(values: np.ndarray) -> bool:
    distinct = len(set(values.tolist()))
    return LEAST_GROUPS <= distinct <= min(MOST_GROUPS, 0.5 * len(values))


def _of_texts(columns: Columns) -> Iterator[Idea]:
    for name, column in columns:
        if column.kind == "text":
            yield Idea(f"length(`{name}`)", say(en=f"how long {name} is", zh=f"{name} 的长度"))
            yield Idea(f"words(`{name}`)", say(en=f"words in {name}", zh=f"{name} 的词数"))
            yield Idea(f"digits(`{name}`)", say(en=f"share of digits in {name}",
                                                zh=f"{name} 中数字的占比"))  # fmt: skip


def _pieces(columns: Columns) -> Iterator[Idea]:
    """Yield pieces of texts that are made of pieces, such as codes and names."""
    for name, column in columns:
        if column.kind not in ("category", "text", "id"):
            continue
        cells = [c for c in column.values[:3000].tolist() if c]
        for mark in _MARKS:
            if cells and sum(mark in c for c in cells) >= MARKED * len(cells):
                for at in (0, 1, -1):
                    why = say(en=f"piece {at} of {name}", zh=f"{name} 的第 {at} 段")
                    yield Idea(f'part(`{name}`, "{mark}", {at})', why)
                break
