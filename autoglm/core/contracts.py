"""What a finished model must keep to, and what may be given up for what.

Contracts are written as people write them ("1ms", "300us", "5MB", "2GB", "2m") and read into
the fields of a `TaskSpec`. A `Preference` weighs accuracy against latency, cost and size.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Self, TypedDict

from pydantic import BaseModel, ConfigDict, Field, model_validator

from autoglm.core.budget import parse_duration, parse_latency_ms, parse_size_mb
from autoglm.core.errors import ConfigError
from autoglm.core.text import say

#: A ratio of latency, cost or size that counts as one unit, as one per cent of accuracy does.
UNIT_RATIO = 3.0

_WEIGHTS = ("accuracy", "latency", "cost", "size")


class Preference(BaseModel):
    """Weights of accuracy, latency, cost and size against each other.

    One unit of accuracy is one per cent of what separates a constant guess from the most
    accurate model; one unit of latency, cost or size is a factor of three. With accuracy and
    latency at equal weight, a model that is three times quicker may lose one per cent.

    Attributes
    ----------
    accuracy, latency, cost, size
        Weights, 0 or more. Latency is that of one row, cost the seconds to fit and predict,
        size that of the models.
    most_loss
        The largest share of accuracy that may be lost, or None.

    Examples
    --------
    >>> even = Preference(accuracy=1, latency=1, cost=0)
    >>> round(even.value(loss=0.01, latency=1 / 3), 9)
    0.0
    >>> even.value(loss=0.01, latency=1 / 9) > 0
    True
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    accuracy: float = Field(default=0.8, ge=0.0, le=1e6)
    latency: float = Field(default=0.6, ge=0.0, le=1e6)
    cost: float = Field(default=0.3, ge=0.0, le=1e6)
    size: float = Field(default=0.0, ge=0.0, le=1e6)
    most_loss: float | None = Field(default=None, ge=0.0, le=1.0)

    @model_validator(mode="after")
    def _some_weight(self) -> Self:
        if not any(getattr(self, name) for name in _WEIGHTS):
            raise ValueError("one of the weights must be above zero")
        return self

    def value(
        self, *, loss: float, latency: float = 1.0, cost: float = 1.0, size: float = 1.0
    ) -> float:
        """Return how much a model is worth, beside one worth 0.

        Parameters
        ----------
        loss
            Share of accuracy that it lacks; below 0 when it is more accurate.
        latency, cost, size
            Its latency, cost and size as multiples of the other's.
        """
        gains = (
            -self.accuracy * 100.0 * loss,
            -self.latency * _units(latency),
            -self.cost * _units(cost),
            -self.size * _units(size),
        )
        return sum(gains)

    def __str__(self) -> str:
        if self.most_loss is not None:
            kind = next((n for n in ("latency", "size", "cost") if getattr(self, n)), "latency")
            share = f"{100 * self.most_loss:g}%"
            return f"{share} accuracy for {self._factor(kind):.3g}x {kind}"
        return ", ".join(f"{n} {getattr(self, n):g}" for n in _WEIGHTS if getattr(self, n))

    def _factor(self, kind: str) -> float:
        """Return the ratio that is worth the whole of `most_loss`."""
        weight = getattr(self, kind)
        units = self.accuracy * 100.0 * (self.most_loss or 0.0) / weight if weight else 1.0
        return float(UNIT_RATIO**units)


BALANCED = Preference()


def _units(ratio: float) -> float:
    return math.log(max(ratio, 1e-9)) / math.log(UNIT_RATIO)


_TRADE = re.compile(r"(\d+(?:\.\d+)?)\s*[%％].*?(\d+(?:\.\d+)?)\s*(?:x\b|×|times\b|倍)")
_KINDS = {
    "size": re.compile(r"small|size|体积|大小|更小"),
    "cost": re.compile(r"cost|cheap|成本|便宜"),
}


def parse_preference(given: Preference | Mapping[str, Any] | str) -> Preference:
    """Return what may be given up for what.

    Parameters
    ----------
    given
        "balanced"; weights as a mapping or as text, where what is not named weighs nothing;
        or a trade in words: so much accuracy for so many times less latency, size or cost.

    Raises
    ------
    ConfigError
        When it is none of these.

    Examples
    --------
    >>> parse_preference("balanced") == BALANCED
    True
    >>> parse_preference("latency=1, accuracy=2").accuracy
    2.0
    >>> str(parse_preference("give up 1 % accuracy for 3x lower latency"))
    '1% accuracy for 3x latency'
    >>> parse_preference("2%精度换4倍更小的体积").most_loss
    0.02
    """
    if isinstance(given, Preference):
        return given
    if isinstance(given, Mapping):
        return _weighted(given)
    text = str(given).strip().lower()
    if text in ("balanced", "均衡", "平衡"):
        return BALANCED
    traded = _TRADE.search(text)
    if traded is not None:
        return _trade(float(traded[1]), float(traded[2]), text)
    pairs = [part.partition("=") for part in re.split(r"[,;\s]+", text) if part]
    if pairs and all(sep for _, sep, _ in pairs):
        return _weighted({name: number for name, _, number in pairs})
    raise _unclear(given)


def _weighted(given: Mapping[str, Any]) -> Preference:
    """Return the preference of the weights named; `most_loss` may stand among them."""
    try:
        return Preference.model_validate(dict.fromkeys(_WEIGHTS, 0.0) | dict(given))
    except ValueError as error:
        raise _unclear(dict(given)) from error


def _trade(percent: float, factor: float, text: str) -> Preference:
    if not (0 < percent <= 100 and factor > 1):
        raise _unclear(text)
    kind = next((name for name, words in _KINDS.items() if words.search(text)), "latency")
    weights = dict.fromkeys(_WEIGHTS, 0.0) | {"accuracy": 1.0, kind: percent / _units(factor)}
    return Preference(**weights, most_loss=percent / 100.0)


def _unclear(given: Any) -> ConfigError:
    return ConfigError(
        say(en=f"{given!r} is no preference I know.", zh=f"看不懂这个偏好:{given!r}。"),
        hint=say(
            en='Write "balanced", weights like "latency=0.6,cost=0.3,accuracy=0.8" (also size),'
            ' or a trade like "1% for 3x".',
            zh='可写 "balanced"、权重如 "latency=0.6,cost=0.3,accuracy=0.8"(也可有 size),'
            '或交换如 "1%换3倍"。',
        ),
    )


class Contracts(TypedDict, total=False):
    """Contracts as arguments: text, or numbers in seconds, milliseconds and megabytes."""

    time_limit: float | str
    latency: float | str
    size: float | str
    memory: float | str
    prefer: Preference | Mapping[str, Any] | str


#: Contracts by the name people use: the field of a task that holds each, and its reader.
CONTRACTS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "time_limit": ("time_limit_s", parse_duration),
    "latency": ("latency_ms", parse_latency_ms),
    "size": ("size_mb", parse_size_mb),
    "memory": ("memory_mb", parse_size_mb),
    "prefer": ("prefer", parse_preference),
}
_READERS = dict(CONTRACTS.values())


def read_contracts(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by the names of the task's fields, contracts read into their units.

    Parameters
    ----------
    given
        Values by name; ``latency="1ms"`` and ``latency_ms=1`` say the same. Names that are no
        contract are passed on as they are.

    Raises
    ------
    ConfigError
        When a contract cannot be read, or is given under both of its names.

    Examples
    --------
    >>> read_contracts({"latency": "300us", "size": "5MB", "seed": 7})
    {'latency_ms': 0.3, 'size_mb': 5.0, 'seed': 7}
    """
    read: dict[str, Any] = {}
    for name, value in given.items():
        field, reader = CONTRACTS.get(name, (name, None))
        reader = _READERS.get(field, reader)
        if field in read:
            raise ConfigError(
                say(en=f"{field} is given twice.", zh=f"{field} 给出了两次。"),
                hint=say(en=f"Give it once, as {name}.", zh=f"请只用 {name} 给出一次。"),
            )
        plain = value is None or reader is None or _is_decision(value)
        read[field] = value if plain or reader is None else reader(value)
    return read


def _is_decision(value: Any) -> bool:
    """Whether it is a `Decision`, whose value was read before."""
    return hasattr(value, "source") and hasattr(value, "value")
