"""What happens, told as it happens.

Lower rooms emit, upper rooms (a progress bar, a service) subscribe; neither knows the
other. A handler that fails is reported as a warning and never stops the work.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

#: Every event name and what its `data` holds. Emitting any other name is an error.
EVENTS: dict[str, str] = {
    "run_started": "run, time_limit_s, workers, elapsed_s",
    "data_ready": "rows, columns, features, seconds",
    "features_derived": "tried, kept, reasons",
    "order_chosen": "first, past_runs, reasons",
    "trial_started": "trial, learner, params",
    "fold_finished": "trial, learner, fold, score, seconds",
    "fold_lost": "key, fold, times, reason",
    "trial_finished": "trial, learner, score, folds, best_score, elapsed_s, remaining_s",
    "trial_pruned": "trial, learner, score, reason",
    "trial_failed": "trial, learner, error",
    "ensemble_ready": "members, score",
    "run_finished": "run, score, trials, elapsed_s, stopped_by",
    "model_saved": "path, size_mb",
    "model_stands_in": "wanted, used",
    "model_failed": "model, reason",
}


@dataclass(frozen=True)
class Event:
    """One thing that happened: its name, the wall-clock time and its facts."""

    name: str
    data: dict[str, Any]
    timestamp: float = field(default_factory=time.time)


Handler = Callable[[Event], None]
_handlers: list[Handler] = []
_lock = threading.Lock()


@contextmanager
def subscribe(handler: Handler) -> Iterator[None]:
    """Call `handler` with every event emitted inside the block."""
    with _lock:
        _handlers.append(handler)
    try:
        yield
    finally:
        with _lock:
            _handlers.remove(handler)


def emit(name: str, **data: Any) -> None:
    """Tell all subscribers.

    Raises
    ------
    ValueError
        When `name` is not in `EVENTS`.
    """
    if name not in EVENTS:
        raise ValueError(f"unknown event {name!r}")
    event = Event(name, data)
    for handler in tuple(_handlers):
        try:
            handler(event)
        except Exception as error:  # noqa: BLE001 - a listener must not stop the work
            warnings.warn(f"event handler failed on {name}: {error!r}", stacklevel=2)
