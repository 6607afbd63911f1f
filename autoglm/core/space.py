"""Search spaces: what a learner lets the tuner choose.

A space is a mapping from parameter names to dimensions. It knows nothing of how it is
searched; `autoglm.tuner` hands it to a sampler.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Value = float | int | str | bool | None
Params = dict[str, Any]


@dataclass(frozen=True)
class Float:
    """A real number between `low` and `high`, both included; `log` for scale parameters."""

    low: float
    high: float
    log: bool = False

    def grid(self, points: int) -> list[Value]:
        """Return `points` values evenly spaced on the dimension's own scale."""
        if points == 1:
            return [(self.low * self.high) ** 0.5 if self.log else (self.low + self.high) / 2]
        steps = [i / (points - 1) for i in range(points)]
        if self.log:
            return [self.low * (self.high / self.low) ** s for s in steps]
        return [self.low + (self.high - self.low) * s for s in steps]


@dataclass(frozen=True)
class Int:
    """A whole number between `low` and `high`, both included."""

    low: int
    high: int
    log: bool = False

    def grid(self, points: int) -> list[Value]:
        """Return at most `points` distinct values evenly spaced on the dimension's scale."""
        values = Float(self.low, self.high, self.log).grid(points)
        return list(dict.fromkeys(round(float(v)) for v in values if v is not None))


@dataclass(frozen=True)
class Choice:
    """One of `options`."""

    options: tuple[Value, ...]

    def grid(self, points: int) -> list[Value]:
        """Return all options, whatever `points` is."""
        return list(self.options)


Dimension = Float | Int | Choice
Space = Mapping[str, Dimension]
