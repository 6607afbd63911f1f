"""What fits cost, about, before any was made."""

from __future__ import annotations

from autoglm.zoo.contract import Facts

#: Seconds of a default LightGBM fit at 10,000 rows and 30 columns on one thread, for each tree of
#: a round: measured on eleven tables, within a factor of two on nine of them. Numbers take more
#: rounds and more leaves than classes.
_ANCHOR_S = {"binary": 0.35, "multiclass": 0.4, "regression": 1.0}


def boosting_seconds(facts: Facts) -> float:
    """Return how long a default LightGBM fit takes on one thread, about: learning rate 0.05."""
    columns = facts.n_features.get("tree", 1)
    trees = facts.n_classes if facts.n_classes > 2 else 1
    rows = 0.1 + facts.n_rows / 10_000
    return float(_ANCHOR_S[facts.task_type] * rows * (0.2 + 0.8 * (columns / 30) ** 0.5) * trees)
