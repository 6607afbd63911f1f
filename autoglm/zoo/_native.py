"""LightGBM's own single-row functions: a row through all trees without any preparation.

`Booster.predict` spends 40 to 100 microseconds on options and checks before it looks at the
first tree. LightGBM's C interface can do all of that once
(``LGBM_BoosterPredictForMatSingleRowFastInit``), after which a call costs what the trees cost.
"""

from __future__ import annotations

import ctypes
import functools
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FLOAT32, _RAW_SCORE = 0, 1
_OPTIONS = b"num_threads=1 predict_disable_shape_check=true verbosity=-1"


class SingleRow:
    """Raw scores of one row at a time; may be called from several threads at once.

    Parameters
    ----------
    booster
        A `lightgbm.Booster`; kept, as the C library reads its trees.
    rounds
        Rounds to use.
    n_outputs
        Raw scores a row.

    Raises
    ------
    ValueError
        When the library refuses the model.
    """

    def __init__(self, booster: Any, rounds: int, n_outputs: int) -> None:
        # The library writes as many scores, and reads as many features, as the model says.
        if booster.num_model_per_iteration() != n_outputs:
            raise ValueError("the model has another number of outputs")
        self._booster, self._shape = booster, (booster.num_feature(),)
        library = _library()
        config = ctypes.c_void_p()
        failed = library.LGBM_BoosterPredictForMatSingleRowFastInit(
            booster._handle,
            ctypes.c_int(_RAW_SCORE),
            ctypes.c_int(0),
            ctypes.c_int(rounds),
            ctypes.c_int(_FLOAT32),
            ctypes.c_int32(self._shape[0]),
            ctypes.c_char_p(_OPTIONS),
            ctypes.byref(config),
        )
        if failed:
            raise ValueError(f"LightGBM: {library.LGBM_GetLastError().decode()}")
        self._config, self._n_outputs = config.value, n_outputs
        self._predict = library.LGBM_BoosterPredictForMatSingleRowFast
        # The count that the library writes is the same each time, so threads may share it.
        self._count = ctypes.c_int64()
        self._count_at = ctypes.addressof(self._count)
        self._out = ctypes.c_double * n_outputs
        weakref.finalize(self, library.LGBM_FastConfigFree, config)

    def __call__(self, row: NDArray[np.float32]) -> Any:
        """Return the raw scores, a ctypes array of doubles, of a row (p,) without gaps."""
        if row.shape != self._shape:
            raise ValueError("the row has another number of features than the model")
        out = self._out()
        if self._predict(self._config, row.ctypes.data, self._count_at, out):
            raise ValueError(f"LightGBM: {_library().LGBM_GetLastError().decode()}")
        return out


@functools.cache
def _library() -> Any:
    """Return LightGBM's library, with the types of the functions that are called often."""
    import lightgbm

    # Another object for the same library: the types are not those that LightGBM declares.
    library = ctypes.CDLL(vars(lightgbm.basic)["_LIB"]._name)
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    library.LGBM_FastConfigFree.argtypes = [ctypes.c_void_p]
    library.LGBM_BoosterPredictForMatSingleRowFast.argtypes = [ctypes.c_void_p] * 4
    return library
