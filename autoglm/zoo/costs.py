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


#: Time of a learner's first default in units of LightGBM's on the same table, for two classes,
#: several, and numbers: medians over 95 cuts of 67 tables, 700 to 15,000 rows. Others count 1.
_BESIDE_LIGHTGBM = {
    "linear": (0.45, 0.1, 0.01),
    "linear_text": (1.0, 0.7, 0.5),
    "elastic": (0.9, 0.15, 0.06),
    "spline_linear": (1.2, 0.3, 0.2),
    "hist_gbm": (2.0, 1.4, 1.0),
    "extra_trees": (3.0, 0.5, 1.8),
    "random_forest": (3.0, 0.5, 1.8),
    "mlp": (14.0, 2.0, 4.5),
    "knn": (0.5, 0.05, 0.1),
}


def beside_lightgbm(learner: str, facts: Facts) -> float:
    """Return how many times as long as LightGBM's first default a fit takes, about."""
    kinds = ("binary", "multiclass", "regression")
    return _BESIDE_LIGHTGBM.get(learner, (1.0, 1.0, 1.0))[kinds.index(facts.task_type)]
