"""Target cells as class codes or values, for looking at a table before it is cleaned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoglm.core.spec import TaskType
from autoglm.dataflow._distinct import cells_of
from autoglm.dataflow.parse import name_of, parse_names, parse_numbers
from autoglm.dataflow.profile import ColumnProfile


def read_target(
    series: pd.Series[Any], column: ColumnProfile, task_type: TaskType
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return (n,) int64 codes (-1 where missing) and class names, or float64 values and none."""
    cells, dtype = cells_of(series)
    if dtype == "category":
        cells = series.to_numpy(dtype=object)
    if task_type == "regression":
        return parse_numbers(cells, column.rule), ()
    if dtype in ("number", "boolean", "date"):
        codes, uniques = pd.factorize(cells, sort=True)
        return codes.astype(np.int64), tuple(name_of(u) or "" for u in uniques)
    codes, uniques = pd.factorize(parse_names(cells, column.rule), sort=True)
    return codes.astype(np.int64), tuple(uniques.tolist())
