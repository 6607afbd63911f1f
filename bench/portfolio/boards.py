"""Cached predictions of one cut of a table, and what ensembles of them would score.

Ensembles are nested: weights are chosen on one half of the rows and scored on the other, both
ways. Scores are normalised for each cut: 0 is the median configuration, 1 the best one.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from cache import Cache, read_predictions
from numpy.typing import NDArray

from autoglm.tuner.ensemble import Pool, select
from autoglm.tuner.portfolio import size_class
from autoglm.tuner.scoring import Scorer
from autoglm.tuner.workspace import Workspace

#: Rows of a cut that are looked at; more make the choice slower, not better.
ROWS = 1_600
#: Weights that a new member is tried with when candidates are screened.
TRIED_WEIGHTS = (0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
#: The part of an ensemble's time axis that counts, seconds of one core.
FROM_S, UNTIL_S = 0.5, 200.0
UNIT = "lightgbm/d0"

Array = NDArray[np.float64]


class Board:
    """One cut with all its configurations.

    Parameters
    ----------
    cache, records
        The job's cache, and the records of this cut.

    Attributes
    ----------
    name, source, kind, size
        Which cut it is.
    seconds
        Time on all folds by configuration, those that failed counted as the unit.
    """

    def __init__(self, cache: Cache, records: Sequence[dict[str, Any]]) -> None:
        first = records[0]
        self.name, self.source, self.kind = first["table"], first["source"], first["kind"]
        work = Workspace(cache.table(self.name))
        self.size = size_class(work.facts.n_rows)
        self._scorer = Scorer(work.metric)
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        rows = rng.permutation(len(work.y))[:ROWS]
        self._y = work.y[rows]
        self._p: dict[str, Array] = {}
        self.seconds: dict[str, float] = {}
        for record in records:
            name = record["configuration"]
            if "error" not in record:
                stored = read_predictions(cache.predictions(self.name, name), self.kind)
                self._p[name] = stored[rows].astype(np.float64)
                self.seconds[name] = max(1e-3, sum(record["seconds"]))
            else:
                self.seconds[name] = float("nan")
        half = len(rows) // 2
        self._halves = (np.arange(half), np.arange(half, len(rows)))
        self.singles = {n: self._scorer.utility(self._y, p) for n, p in self._p.items()}
        self.unit_s = self.seconds.get(UNIT) or float(np.nanmedian(list(self.seconds.values())))
        self._scale()
        self._ensembles: dict[frozenset[str], tuple[float, list[Array]]] = {}
        self._gains: dict[tuple[frozenset[str], str], float] = {}

    def _scale(self) -> None:
        """Set what 0 and 1 are; a table on which all do the same tells nothing."""
        values = np.array(list(self.singles.values()))
        self._zero, top = float(np.median(values)), float(values.max())
        whole = top - float(values.min())
        self._unit = max(top - self._zero, 0.02 * whole, 1e-9)

    def cost(self, name: str) -> float:
        """Return the seconds of a configuration, all folds; nothing where it does not suit."""
        seconds = self.seconds.get(name, 0.0)
        return self.unit_s if np.isnan(seconds) else seconds

    def standing(self, name: str) -> float:
        """Return the normalised score of a single configuration, -1 at worst."""
        return self._normal(self.singles[name]) if name in self.singles else -1.0

    def score(self, chosen: Sequence[str]) -> float:
        """Return the normalised score of the ensemble of those chosen; -1 without any."""
        return self._ensemble(chosen)[0]

    def gain(self, chosen: Sequence[str], name: str) -> float:
        """Return about what one more configuration adds; never less than nothing.

        The weights of those chosen are kept and that of the new one is tried out, which is
        much quicker than a new ensemble.
        """
        if name not in self._p:
            return 0.0
        key = (frozenset(chosen), name)
        if key not in self._gains:
            now, blends = self._ensemble(chosen)
            if blends:
                scores = [self._with_one_more(i, blends[i], name) for i in (0, 1)]
                value = self._normal(float(np.mean(scores))) - now
            else:
                value = self.score([name]) - now
            self._gains[key] = max(0.0, value)
        return self._gains[key]

    def area(self, sequence: Sequence[str]) -> float:
        """Return the mean score over the logarithm of time while a sequence is worked off."""
        spent, total, now = 0.0, 0.0, -1.0
        start = np.log(FROM_S)
        for i, name in enumerate(sequence):
            spent += self.cost(name)
            moment = float(np.clip(np.log(spent), np.log(FROM_S), np.log(UNTIL_S)))
            total += now * (moment - start)
            start, now = moment, self.score(sequence[: i + 1])
        total += now * (np.log(UNTIL_S) - start)
        return float(total / (np.log(UNTIL_S) - np.log(FROM_S)))

    def _ensemble(self, chosen: Sequence[str]) -> tuple[float, list[Array]]:
        """Return the score of an ensemble, and its prediction of all rows for each half."""
        key = frozenset(n for n in chosen if n in self._p)
        if key not in self._ensembles:
            names = sorted(key)
            blends, scores = [], []
            for i, rows in enumerate(self._halves if names else ()):
                found = select(
                    [self._p[n][rows].astype(np.float32) for n in names],
                    self._y[rows],
                    self._scorer,
                )
                blend = found.pool([self._p[names[m]] for m in found.members], found.weights)
                other = self._halves[1 - i]
                blends.append(np.asarray(blend))
                scores.append(self._scorer.utility(self._y[other], blends[-1][other]))
            score = self._normal(float(np.mean(scores))) if scores else -1.0
            self._ensembles[key] = (score, blends)
        return self._ensembles[key]

    def _with_one_more(self, half: int, blend: Array, name: str) -> float:
        own, other = self._halves[half], self._halves[1 - half]
        new, pool = self._p[name], Pool(log=blend.ndim == 2)
        best, weight = self._scorer.utility(self._y[own], blend[own]), 0.0
        for w in TRIED_WEIGHTS:
            value = self._scorer.utility(self._y[own], pool([blend[own], new[own]], [1 - w, w]))
            if value > best:
                best, weight = value, w
        mixed = pool([blend[other], new[other]], [1 - weight, weight])
        return self._scorer.utility(self._y[other], mixed)

    def _normal(self, utility: float) -> float:
        return float(np.clip((utility - self._zero) / self._unit, -1.0, 1.5))
