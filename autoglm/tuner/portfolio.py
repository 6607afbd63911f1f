"""What is tried first, and in what order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoglm.core.space import Params
from autoglm.zoo.contract import Facts, Learner

#: Each step names a learner and which of its own default configurations; cheap and strong
#: first, then what differs most from that. Learners not named here follow at the end.
ORDER: tuple[tuple[str, int], ...] = (
    ("constant", 0),
    ("linear_text", 0),
    ("linear", 0),
    ("lightgbm", 0),
    ("mlp", 0),
    ("catboost", 0),
    ("hist_gbm", 0),
    ("lightgbm", 2),
    ("lightgbm", 1),
    ("extra_trees", 0),
    ("lightgbm", 4),
    ("random_forest", 0),
    ("lightgbm", 3),
    ("knn", 0),
    ("lightgbm", 5),
    ("mlp", 1),
    ("elastic", 0),
)


def portfolio(learners: Mapping[str, Learner], facts: Facts) -> list[tuple[str, Params]]:
    """Return (learner, parameters) in the order they are tried.

    Learners that are not installed or do not suit the task are left out.
    """
    fitting = {n: one for n, one in learners.items() if one.available() and one.suits(facts)}
    defaults: dict[str, Sequence[Params]] = {n: one.defaults(facts) for n, one in fitting.items()}
    steps = [(n, i) for n, i in ORDER if n in defaults and i < len(defaults[n])]
    named = set(steps)
    rest = [(n, i) for n in defaults for i in range(len(defaults[n])) if (n, i) not in named]
    # All first choices before any second one.
    rest.sort(key=lambda step: step[1])
    return [(n, dict(defaults[n][i])) for n, i in steps + rest]
