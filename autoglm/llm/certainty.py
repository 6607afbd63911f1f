"""How often a model's answers were right, by how probable it found them: measured, not asked.

A small model's own probability of an answer says much about whether it is right, but not as a
share: on problems that it was not trained on it is counted how many answers of that probability
were. Only such a count can be a confidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

#: Log-probability of an answer, and the share of such answers that were right.
Point = tuple[float, float]


@dataclass(frozen=True)
class Certainty:
    """What was counted for a model.

    Attributes
    ----------
    agreed, alone
        Points in rising order: for answers that another derivation came to as well, and for others.
    least
        Share from which on an answer may be called verified.
    """

    agreed: tuple[Point, ...]
    alone: tuple[Point, ...]
    least: float = 0.98

    def of(self, logprob: float, *, agreed: bool) -> float:
        """Return the share of such answers that were right.

        Parameters
        ----------
        logprob
            Natural log-probability of the whole answer.
        agreed
            Whether another derivation came to the same.

        Examples
        --------
        >>> counted = Certainty(agreed=((-4.0, 0.5), (0.0, 1.0)), alone=((-4.0, 0.1), (0.0, 0.7)))
        >>> counted.of(-2.0, agreed=True), counted.of(-9.0, agreed=False)
        (0.75, 0.1)
        """
        at, shares = zip(*(self.agreed if agreed else self.alone), strict=True)
        return float(np.interp(logprob, at, shares))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"agreed": self.agreed, "alone": self.alone, "least": self.least}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Certainty:
        """Read what `to_dict` gave.

        Raises
        ------
        ValueError
            When the points are none, or shares or log-probabilities do not rise.
        """
        try:
            least = float(data["least"])
            found = cls(_points(data["agreed"]), _points(data["alone"]), least)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"not a count of right answers: {error!r}") from error
        if not 0 <= least <= 1:
            raise ValueError("a share is between 0 and 1")
        return found


def _points(values: Sequence[Sequence[float]]) -> tuple[Point, ...]:
    points = tuple((float(at), float(share)) for at, share in values)
    rising = all(a[0] < b[0] and a[1] <= b[1] for a, b in pairwise(points))
    if not points or not rising or not all(at <= 0 <= share <= 1 for at, share in points):
        raise ValueError("points must rise, from log-probabilities to shares")
    return points


def counted(logprobs: Sequence[float], right: Sequence[bool], most: int = 12) -> tuple[Point, ...]:
    """Return points from answers: a share that never falls as the probability rises.

    Neighbours that would fall are pooled (Barlow et al., 1972), then thinned to `most`. Each share
    counts one wrong answer more than there was, so that no small group looks certain.

    Examples
    --------
    >>> counted([-3.0, -2.0, -1.0, -0.5], [False, True, False, True])
    ((-3.0, 0.0), (-1.5, 0.3333333333333333), (-0.5, 0.5))
    """
    if not len(logprobs):
        return ((0.0, 0.0),)  # nothing is known, so nothing is certain
    order = np.argsort(logprobs, kind="stable")
    at = np.asarray(logprobs, np.float64)[order]
    hit = np.asarray(right, np.float64)[order]
    size = max(1, len(at) // most)
    groups: list[list[float]] = []  # sum of log-probabilities, right ones, answers
    for start in range(0, len(at), size):
        part = slice(start, start + size)
        groups.append([float(at[part].sum()), float(hit[part].sum()), float(len(at[part]))])
        while len(groups) > 1 and not _rises(_point(groups[-2]), _point(groups[-1])):
            last = groups.pop()
            groups[-1] = [a + b for a, b in zip(groups[-1], last, strict=True)]
    return tuple(map(_point, groups))


def _point(group: Sequence[float]) -> Point:
    total, hits, answers = group
    return total / answers, hits / (answers + 1)


def _rises(one: Point, next_one: Point) -> bool:
    return one[0] < next_one[0] and one[1] < next_one[1]
