"""How many threads predict a batch.

Threads of ours and threads of the linear algebra below them would fight for the cores: while ours
are at work the others have one each.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.core.budget import cpu_count

_MANY_ROWS = 1000


def predict_threads(n_rows: int) -> int:
    """Return the threads to predict with.

    One for few rows; else ``AUTOGLM_PREDICT_THREADS``, or ``OMP_NUM_THREADS``, which is 1 where
    fits run side by side, or as many as there are cores.
    """
    if n_rows <= _MANY_ROWS:
        return 1
    for name in ("AUTOGLM_PREDICT_THREADS", "OMP_NUM_THREADS"):
        told = os.environ.get(name, "")
        if told.isdecimal() and int(told):
            return int(told)
    return cpu_count()


def in_blocks(
    ask: Callable[[int, int], NDArray[np.floating]], n_rows: int, size: int
) -> list[NDArray[np.floating]]:
    """Return what `ask` says of each block of rows, from a start to a stop, in order."""
    bounds = [(i, i + size) for i in range(0, max(1, n_rows), size)]
    threads = min(predict_threads(n_rows), len(bounds))
    if threads == 1:
        return [ask(*b) for b in bounds]
    with _SINGLE, ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda b: ask(*b), bounds))


class _SingleBlas:
    """Holds linear algebra to one thread while any batch is in blocks; nests, from any thread."""

    def __init__(self) -> None:
        self._lock, self._users = threading.Lock(), 0
        self._limit: Any = None

    def __enter__(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._limit = _controller().limit(limits=1, user_api="blas")

    def __exit__(self, *ended: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._limit.restore_original_limits()


_SINGLE = _SingleBlas()


@lru_cache(maxsize=1)
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()
