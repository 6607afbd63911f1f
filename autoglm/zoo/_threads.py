"""How many threads predict a batch."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

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
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda b: ask(*b), bounds))
