"""Which of several tables is the one to predict, and how the others are joined to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from autoglm.core.errors import AmbiguousTask, DataError, SpecError
from autoglm.core.spec import Decision
from autoglm.core.text import has_chinese, say, use_language
from autoglm.dataflow.joins import CERTAIN, Joins, Link, find_joins
from autoglm.dataflow.profile import TableProfile, profile_table
from autoglm.dataflow.read import Table
from autoglm.dataflow.several import Tables
from autoglm.task.understand import Question, RuleParser

#: Two tables whose targets are this close to each other are worth a question.
CLOSE = 0.1


@dataclass(frozen=True)
class Joined:
    """Several tables as one.

    Attributes
    ----------
    table
        The rows of the main table with what the others say of them, and notes on the joins.
    joins
        How it was made.
    target
        What the sentence wants predicted, as found in the main table.
    """

    table: Table
    joins: Joins
    target: Decision[Any]


def join_tables(
    tables: Tables,
    sentence: str,
    *,
    target: str | None = None,
    main: str | None = None,
    ask: Callable[[Question], str] | None = None,
) -> Joined:
    """Find the main table of a task and join the others to it.

    Parameters
    ----------
    tables
        All of them.
    sentence
        What is wanted.
    target, main
        The column to predict and the table it stands in, where they are given.
    ask
        Called with a question, once at the most, where the choice is open: which table it is, or
        whether tables that may belong together do.

    Raises
    ------
    SpecError
        When the sentence fits no table.
    AmbiguousTask
        When it fits two, and there is nobody to ask.
    """
    profiles = {name: profile_table(frame) for name, frame in tables.frames.items()}
    with use_language("zh" if has_chinese(sentence) else None):
        asking = _Once(ask)
        targets = _targets(profiles, sentence, target)
        name = _main(targets, profiles, main, asking)
        joins = find_joins(tables.frames, profiles, name, targets[name].value)
        sure, notes = _confirmed(joins, asking)
        frame = sure.apply(tables.frames)
        found = [note for table in tables.by_name.values() for note in table.notes]
        table = Table(frame, f"{tables.source} ({name})", (*found, *notes))
        return Joined(table, sure, targets[name])


class _Once:
    """Asks one question; after that nobody is there."""

    def __init__(self, ask: Callable[[Question], str] | None) -> None:
        self._ask = ask

    def __call__(self, question: Question) -> str | None:
        ask, self._ask = self._ask, None
        return None if ask is None else ask(question).strip()


def _targets(
    profiles: Mapping[str, TableProfile], sentence: str, target: str | None
) -> dict[str, Decision[Any]]:
    """Return for each table that has one the column that is to be predicted."""
    found: dict[str, Decision[Any]] = {}
    why = say(en="set by you", zh="由你指定")
    for name, profile in profiles.items():
        if target is not None:
            if target in profile.columns:
                found[name] = Decision[Any](value=target, source="user", reason=why)
            continue
        try:
            found[name] = RuleParser().propose(sentence, profile, {}).decisions["target"]
        except SpecError:
            continue
    if found:
        return found
    shown = "; ".join(f"{n}: {', '.join(list(p.columns)[:6])}" for n, p in profiles.items())
    raise SpecError(
        say(en="The sentence fits no column of these tables.",
            zh="这句话与这些表格的任何列都对不上。"),
        hint=say(en=f"Say what to predict, or give --target. The columns are: {shown}",
                 zh=f"请说明要预测什么,或用 --target 指定。各表的列:{shown}"),
    )  # fmt: skip


def _main(
    targets: Mapping[str, Decision[Any]],
    profiles: Mapping[str, TableProfile],
    wanted: str | None,
    asking: _Once,
) -> str:
    """Return the name of the table to predict."""
    if wanted is not None:
        if wanted in targets:
            return wanted
        raise DataError(
            say(
                en=f"There is no table {wanted!r} with such a column.",
                zh=f"没有包含该列的表格 {wanted!r}。",
            ),
            hint=say(
                en=f"Tables are: {', '.join(profiles)}.", zh=f"表格有:{'、'.join(profiles)}。"
            ),
        )
    # Of tables that fit equally well the one in which the column is no key of another.
    key = {name: _is_key(targets[name], profiles[name]) for name in targets}
    ranked = sorted(targets, key=lambda name: (-targets[name].confidence, key[name]))
    best = ranked[0]
    least = targets[best].confidence - CLOSE
    close = [n for n in ranked if targets[n].confidence > least and key[n] == key[best]]
    if len(close) == 1:
        return best
    text = say(en=f"Which table holds what is to be predicted: {' or '.join(close[:4])}?",
               zh=f"要预测的内容在哪张表里:{' 还是 '.join(close[:4])}?")  # fmt: skip
    answer = asking(Question("main", text, tuple(close), "--main"))
    if answer is None:
        raise AmbiguousTask(
            text, field="main", candidates=tuple(close[:2]), flag="--main",
            hint=say(en=f"Settle it with --main, e.g. --main {best!r}.",
                     zh=f"请用 --main 指定,例如 --main {best!r}。"),
        )  # fmt: skip
    return _main(targets, profiles, answer, asking)


def _is_key(target: Decision[Any], profile: TableProfile) -> bool:
    return profile.columns[target.value].kind == "id"


def _confirmed(joins: Joins, asking: _Once) -> tuple[Joins, list[str]]:
    """Return the joins without those that are unsure and not confirmed, and what was done."""
    unsure = [link for link in joins.links if link.sure < CERTAIN]
    taken = False
    if unsure:
        shown = "; ".join(map(str, unsure))
        text = say(en=f"Do these belong together? {shown}", zh=f"这些表是否相关?{shown}")
        answer = asking(Question("joins", text, ("yes", "no"), "--main"))
        taken = (answer or "no").lower() in ("yes", "y", "是", "对")
    left = [] if taken else _with_those_behind(unsure, joins.links)
    kept = tuple(link for link in joins.links if link not in left)
    notes = list(map(str, kept))
    notes += [say(en=f"not joined, as it is not sure: {link}", zh=f"不够确定,未连接:{link}")
              for link in left]  # fmt: skip
    return joins.model_copy(update={"links": kept}), notes


def _with_those_behind(unsure: list[Link], links: tuple[Link, ...]) -> list[Link]:
    """Return links with all that hang on the tables they would bring."""
    left = list(unsure)
    for link in links:
        if link not in left and link.to in {one.table for one in left}:
            left.append(link)
    return left
