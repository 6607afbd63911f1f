"""Metrics: their names as people write them, and what people say when they mean one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from autoglm.core.spec import TaskType
from autoglm.task import _prices
from autoglm.task._phrases import group
from autoglm.task._words import misspelt

#: The metrics of each task type; the first is the default.
METRICS: Mapping[TaskType, tuple[str, ...]] = {
    "binary": (
        "roc_auc", "average_precision", "log_loss", "accuracy", "balanced_accuracy", "f1", "f2",
        "precision", "recall", "mcc", "brier", "cost",
    ),
    "multiclass": (
        "log_loss", "accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "roc_auc_ovr",
        "mcc", "quadratic_kappa",
    ),
    "regression": ("rmse", "mae", "r2", "mape", "smape", "rmsle", "median_ae"),
}  # fmt: skip

#: The same idea under the name it has in another task type.
COUNTERPART: Mapping[tuple[str, TaskType], str] = {
    ("roc_auc", "multiclass"): "roc_auc_ovr", ("roc_auc_ovr", "binary"): "roc_auc",
    ("f1", "multiclass"): "macro_f1", ("macro_f1", "binary"): "f1",
    ("weighted_f1", "binary"): "f1", ("f2", "multiclass"): "balanced_accuracy",
    ("recall", "multiclass"): "balanced_accuracy", ("precision", "multiclass"): "macro_f1",
    ("average_precision", "multiclass"): "roc_auc_ovr", ("brier", "multiclass"): "log_loss",
    ("quadratic_kappa", "binary"): "mcc", ("log_loss", "regression"): "",
}  # fmt: skip

#: Words of metrics that are worth putting right.
_WORDS = (
    "weighted", "balanced", "accuracy", "precision", "recall", "average", "absolute", "squared",
    "percentage", "logarithmic", "sensitivity", "symmetric", "quadratic", "error",
)  # fmt: skip
_LONG = re.compile(r"[A-Za-z]{5,}")
_MEANINGS: Mapping[TaskType, tuple[tuple[str, re.Pattern[str]], ...]] = {
    "binary": group("binary"), "multiclass": group("multiclass"), "regression": group("regression"),
}  # fmt: skip


def named(text: str) -> list[tuple[str, tuple[int, int]]]:
    """Return the metrics that a normalised sentence names, most specific first, with places."""
    out: list[tuple[str, tuple[int, int]]] = []
    spelt, places = _spelt(text)
    for name, pattern in group("metric"):
        for found in pattern.finditer(spelt):
            start, end = places[found.start()], places[found.end() - 1] + 1
            if all(end <= a or start >= b for _, (a, b) in out):
                out.append((name, (start, end)))
    return out


def _spelt(text: str) -> tuple[str, list[int]]:
    """Return a text with slips in words of metrics put right, and where each sign comes from."""
    signs: list[str] = []
    places: list[int] = []
    last = 0
    for found in _LONG.finditer(text):
        word = found.group().lower()
        meant = None if word in _WORDS else next((w for w in _WORDS if misspelt(word, w)), None)
        if meant is None:
            continue
        signs += [text[last : found.start()], meant]
        places += range(last, found.start())
        places += (min(found.start() + i, found.end() - 1) for i in range(len(meant)))
        last = found.end()
    return "".join([*signs, text[last:]]), [*places, *range(last, len(text))]


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where metrics are named."""
    for _, span in named(text):
        yield span


def meant(text: str, task_type: TaskType) -> tuple[str, str] | None:
    """Return the metric that the sentence implies and the words that imply it, or None."""
    for name, pattern in _MEANINGS[task_type]:
        found = pattern.search(text)
        if found:
            return name, found.group().strip()
    return None


def miss_ratio(text: str) -> float | None:
    """Return how many times worse a miss is said to be than a false alarm, or None.

    Examples
    --------
    >>> miss_ratio("missing a fraud costs 20 times as much as a false alarm")
    20.0
    """
    price = _prices.find(text)
    return None if price is None else price.ratio


def canonical(name: str) -> str | None:
    """Return our name of a metric as somebody may write it ("AUC", "neg_mean_absolute_error").

    Examples
    --------
    >>> canonical("AUC"), canonical("neg_root_mean_squared_error"), canonical("nonsense")
    ('roc_auc', 'rmse', None)
    """
    plain = name.strip().lower().removeprefix("neg_")
    if any(plain in names for names in METRICS.values()):
        return plain
    hits = [hit for hit, span in named(plain) if span == (0, len(plain))]
    return hits[0] if hits else None
