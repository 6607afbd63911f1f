"""What is tried first, and in what order.

The order is learned: `portfolio.toml` beside this file was written by the job in
`bench/portfolio` from cached predictions of many configurations on many tables, for each kind
of task and class of size. `ORDER` is what stands in where nothing was learned: for learners
that came later, and for the setting ``portfolio = "fixed"``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from autoglm.core.config import resolve
from autoglm.core.errors import ConfigError
from autoglm.core.space import Choice, Dimension, Int, Params
from autoglm.core.text import say
from autoglm.tuner._gp import value_at
from autoglm.zoo.contract import Facts, Learner

FORMAT = 1
FILE_NAME = "portfolio.toml"

#: Classes of size by rows of the training table, each below its bound.
SIZES: tuple[tuple[str, float], ...] = (
    ("small", 1_000),
    ("medium", 10_000),
    ("large", float("inf")),
)

#: Each step names a learner and which of its own default configurations; cheap and strong
#: first, then what differs most from that. Learners not named here follow at the end.
ORDER: tuple[tuple[str, int], ...] = (
    ("constant", 0),
    ("linear_text", 0),
    ("lightgbm", 0),
    ("linear", 0),
    ("lightgbm", 8),
    ("lightgbm", 6),
    ("mlp", 0),
    ("lightgbm", 4),
    ("catboost", 0),
    ("mlp", 2),
    ("lightgbm", 2),
    ("spline_linear", 0),
    ("hist_gbm", 0),
    ("lightgbm", 7),
    ("lightgbm", 1),
    ("extra_trees", 0),
    ("random_forest", 0),
    ("lightgbm", 3),
    ("knn", 0),
    ("lightgbm", 5),
    ("mlp", 3),
    ("mlp", 1),
    ("elastic", 0),
)
#: What comes before everything that was learned: something to fall back on at once, and what
#: reads text, which the tables that the portfolio is learned on have little of.
LEAD: tuple[tuple[str, int], ...] = (("constant", 0), ("linear_text", 0))
#: With more classes than this, where each has trees of its own, a network costs least.
MANY_CLASSES = 10
#: What then comes first.
OF_MANY_CLASSES: tuple[tuple[str, int], ...] = (("mlp", 1), ("lightgbm", 8), ("knn", 0))

Step = tuple[str, Params]


@dataclass(frozen=True)
class Entry:
    """One step of a learned portfolio, in a form that fits tables of any size.

    Attributes
    ----------
    learner
        Name of the learner.
    default
        Which of its default configurations to start from; None to start from nothing.
    params
        What is set beyond that: values, or ``{"share": u}`` for the place u in 0..1 of the
        learner's own range for the table, on the scale of the dimension.
    gain
        What the step added to the score of the ensemble on the tables that it was learned on,
        where 0 is a plain model and 1 the best ensemble known.
    cost
        Time of a fit in units of the first LightGBM default on the same table.
    """

    learner: str
    default: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    gain: float = 0.0
    cost: float = 1.0

    def resolve(self, learner: Learner, facts: Facts) -> Params | None:
        """Return the parameters for a table, or None when the learner has no such default.

        A place in a range that the learner does not offer for the table is left out.
        """
        params: Params = {}
        if self.default is not None:
            defaults = learner.defaults(facts)
            if self.default >= len(defaults):
                return None
            params = dict(defaults[self.default])
        space = learner.space(facts)
        for name, value in self.params.items():
            if name in space:
                params |= _placed(name, space[name], value)
            elif not isinstance(value, Mapping):
                params[name] = value
        return params


def portfolio(learners: Mapping[str, Learner], facts: Facts) -> list[Step]:
    """Return (learner, parameters) in the order they are tried.

    Learners that are not installed or do not suit the task are left out.

    Raises
    ------
    ConfigError
        When the setting `portfolio` names a file that is no portfolio.
    """
    fitting = {n: one for n, one in learners.items() if one.can(facts)}
    by_hand = _in_order(fitting, facts)
    setting = resolve().settings.portfolio
    steps = by_hand
    if setting != "fixed":
        book = read_portfolio(None if setting == "learned" else Path(setting))
        learned = list(_resolved(book.steps_for(facts), fitting, facts))
        steps = _merged(learned, by_hand, frozenset(book.learners)) if learned else by_hand
    return _for_many_classes(steps, fitting, facts)


def _for_many_classes(
    steps: list[Step], fitting: Mapping[str, Learner], facts: Facts
) -> list[Step]:
    """Return the steps with a network before most trees where there are many classes."""
    if facts.n_classes <= MANY_CLASSES:
        return steps
    known = [(n, list(fitting[n].defaults(facts)), i) for n, i in OF_MANY_CLASSES if n in fitting]
    first = [(n, dict(defaults[i])) for n, defaults, i in known if i < len(defaults)]
    rest = [step for step in steps if step not in first]
    place = sum((n, 0) in LEAD for n, _ in rest)
    return [*rest[:place], *first, *rest[place:]]


def size_class(n_rows: int) -> str:
    """Return the class of size that a table of `n_rows` rows belongs to."""
    return next(name for name, bound in SIZES if n_rows < bound)


@dataclass(frozen=True)
class Book:
    """A portfolio file.

    Attributes
    ----------
    steps
        The entries by kind of task and class of size.
    learners
        Learners that were tried when it was learned: what is not chosen of them is of no use.
    """

    steps: Mapping[str, Mapping[str, tuple[Entry, ...]]] = field(default_factory=dict)
    learners: tuple[str, ...] = ()

    def steps_for(self, facts: Facts) -> tuple[Entry, ...]:
        """Return the entries for a task; none when nothing was learned for its like."""
        return self.steps.get(facts.task_type, {}).get(size_class(facts.n_rows), ())


def read_portfolio(path: Path | None = None) -> Book:
    """Read a portfolio file; by default the one that comes with the package.

    Raises
    ------
    ConfigError
        When it cannot be read or is not a portfolio.
    """
    try:
        if path is None:
            return _packaged()
        return _parsed(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            say(en=f"{path or FILE_NAME} is no portfolio: {error!r}.",
                zh=f"{path or FILE_NAME} 不是有效的组合文件:{error!r}。"),
            hint=say(en='Set portfolio to a file written by bench/portfolio/choose.py, "learned" '
                        'or "fixed".',
                     zh="请将 portfolio 设为 bench/portfolio/choose.py 写出的文件、learned 或 "
                        "fixed。"),
        ) from error  # fmt: skip


@lru_cache(maxsize=1)
def _packaged() -> Book:
    file = resources.files("autoglm.tuner") / FILE_NAME
    return _parsed(file.read_text(encoding="utf-8"))


def _parsed(text: str) -> Book:
    data = tomllib.loads(text)
    if data.get("format") != FORMAT:
        raise ValueError(f"format {data.get('format')!r}")
    steps = {
        kind: {size: tuple(_entry(item) for item in items) for size, items in sizes.items()}
        for kind, sizes in data.get("steps", {}).items()
    }
    unknown = {size for sizes in steps.values() for size in sizes} - {size for size, _ in SIZES}
    if unknown:
        raise ValueError(f"no class of size: {sorted(unknown)}")
    return Book(steps, tuple(data.get("learners", ())))


def _entry(item: Mapping[str, Any]) -> Entry:
    default, params = item.get("default"), dict(item.get("params", {}))
    places = [float(value["share"]) for value in params.values() if isinstance(value, Mapping)]
    if not (
        isinstance(item["learner"], str)
        and (default is None or (isinstance(default, int) and default >= 0))
        and all(0 <= place <= 1 for place in places)
    ):
        raise ValueError(f"not a step: {dict(item)!r}")
    return Entry(
        learner=item["learner"],
        default=default,
        params=params,
        gain=float(item.get("gain", 0.0)),
        cost=float(item.get("cost", 1.0)),
    )


def _in_order(fitting: Mapping[str, Learner], facts: Facts) -> list[Step]:
    defaults: dict[str, Sequence[Params]] = {n: one.defaults(facts) for n, one in fitting.items()}
    steps = [(n, i) for n, i in ORDER if n in defaults and i < len(defaults[n])]
    named = set(steps)
    rest = [(n, i) for n in defaults for i in range(len(defaults[n])) if (n, i) not in named]
    # All first choices before any second one.
    rest.sort(key=lambda step: step[1])
    return [(n, dict(defaults[n][i])) for n, i in steps + rest]


def _resolved(
    entries: Sequence[Entry], fitting: Mapping[str, Learner], facts: Facts
) -> Iterator[Step]:
    for entry in entries:
        if entry.learner in fitting:
            params = entry.resolve(fitting[entry.learner], facts)
            if params is not None:
                yield entry.learner, params


def _merged(learned: list[Step], by_hand: list[Step], known: frozenset[str]) -> list[Step]:
    """Return the lead, what was learned, and the rest of the order by hand.

    The first configuration of a learner that was not there when the portfolio was learned
    keeps its place of the order by hand; it may be good, and nothing is known of it.
    """
    lead = [step for step in by_hand if (step[0], 0) in LEAD]
    steps = [step for step in learned if step not in lead]
    new = [s for s in by_hand if s[0] not in known and s not in lead]
    first = {s[0]: s for s in reversed(new)}
    for place, step in enumerate(s for s in by_hand if s not in lead):
        if step in first.values() and step not in steps:
            steps.insert(min(place, len(steps)), step)
    merged: list[Step] = []
    for step in [*lead, *steps, *by_hand]:
        if step not in merged:
            merged.append(step)
    return merged


def _placed(name: str, dimension: Dimension, value: Any) -> Params:
    """Return a value of the dimension: at the place named, or the nearest to the value named.

    What is no value of it is left out.
    """
    if isinstance(value, Mapping):
        return {name: value_at(dimension, float(value["share"]))}
    if isinstance(dimension, Choice):
        return {name: value} if value in dimension.options else {}
    if not isinstance(value, int | float):
        return {}
    value = min(max(value, dimension.low), dimension.high)
    return {name: round(value) if isinstance(dimension, Int) else float(value)}
