"""A small plot: scales, ticks, marks, as one inline SVG without scripts or styles.

Colours come from the page through classes, so that one chart serves light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.core.text import current_language

Array = NDArray[Any]

WIDTH, HEIGHT = 400, 286
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 28, 40


def number(value: float | None, digits: int = 4) -> str:
    """Return a number for people: `digits` significant, thousands apart; "–" for none.

    Examples
    --------
    >>> number(0.123456), number(1234567), number(-3.0), number(None), number(2.5e-7)
    ('0.1235', '1,234,567', '−3', '–', '2.5e-07')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size < -4 or size > 14:
        text = f"{value:.{digits - 1}g}"
    else:
        text = f"{value:,.{max(0, digits - 1 - size)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return "−" + text[1:] if value < 0 else text


def compact(value: float) -> str:
    """Return a short number for an axis, in the current language's steps of size."""
    steps = [(1e8, "亿"), (1e4, "万")] if current_language() == "zh" else [
        (1e9, "B"), (1e6, "M"), (1e3, "k")]  # fmt: skip
    for step, unit in steps:
        if abs(value) >= step:
            return number(value / step, 3) + unit
    return number(value, 3)


def percent(value: float | None, digits: int = 1) -> str:
    """Return a share as per cent; "–" for none.

    Examples
    --------
    >>> percent(0.1234), percent(1.0), percent(None)
    ('12.3%', '100%', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{100 * value:.{digits}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "%"


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round numbers within [low, high]."""
    raw = (high - low) / about
    size = 10.0 ** math.floor(math.log10(raw))
    step = min((1.0, 2.0, 2.5, 5.0, 10.0), key=lambda m: abs(m * size - raw)) * size
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return round numbers within [low, high] for an axis of powers of ten.

    Examples
    --------
    >>> log_ticks(0.04, 3.0), log_ticks(2.0, 7.0)
    ([0.1, 1.0], [2.0, 3.0, 5.0])
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for steps in ((1.0,), (1.0, 3.0), (1.0, 2.0, 3.0, 5.0)):
        found = [s * 10.0**power for power in range(first, last + 1) for s in steps]
        inside = [round(v, 12) for v in found if low <= v <= high]
        if len(inside) >= (2 if len(steps) == 1 else 3):
            break
    return inside


def span(*arrays: Array, pad: float = 0.04) -> tuple[float, float]:
    """Return the range of the finite values with a margin; never empty."""
    known = np.concatenate([np.asarray(a, dtype=np.float64).ravel() for a in arrays])
    known = known[np.isfinite(known)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    if high - low < 1e-9 * max(abs(low), abs(high), 1e-300):
        room = abs(low) * 0.1 or 1.0
        return low - room, high + room
    return low - pad * (high - low), high + pad * (high - low)


@dataclass
class Plot:
    """A plot under construction.

    Parameters
    ----------
    title
        What it shows, for those who cannot see it.
    x_range, y_range
        What the axes span.
    x_title, y_title
        What they are.
    x_percent, y_percent
        Whether the ticks of an axis are per cent.
    x_log
        Whether equal steps across are equal ratios; `x_range` is then above 0.
    """

    title: str
    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)
    x_title: str = ""
    y_title: str = ""
    x_percent: bool = False
    y_percent: bool = False
    x_log: bool = False
    _marks: list[str] = field(default_factory=list)

    def x(self, value: float) -> float:
        """Return the place of a value across."""
        low, high = self.x_range
        if self.x_log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return round(_LEFT + (value - low) / (high - low) * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        """Return the place of a value down."""
        low, high = self.y_range
        return round(HEIGHT - _BOTTOM - (value - low) / (high - low) * self._height, 1)

    @property
    def _height(self) -> float:
        return HEIGHT - _TOP - _BOTTOM

    def line(self, xs: Array, ys: Array, kind: str = "line", tip: str = "") -> Plot:
        """Join points."""
        points = " ".join(f"{self.x(a)},{self.y(b)}" for a, b in zip(xs, ys, strict=True))
        self._marks.append(f'<polyline class="{kind}" points="{points}">{_tip(tip)}</polyline>')
        return self

    def area(self, xs: Array, low: Array, high: Array, kind: str = "band") -> Plot:
        """Fill between two lines."""
        there = [f"{self.x(a)},{self.y(b)}" for a, b in zip(xs, high, strict=True)]
        back = [f"{self.x(a)},{self.y(b)}" for a, b in zip(xs[::-1], low[::-1], strict=True)]
        self._marks.append(f'<polygon class="{kind}" points="{" ".join(there + back)}"/>')
        return self

    def dot(self, x: float, y: float, kind: str = "dot", tip: str = "", r: float = 3.5) -> Plot:
        """Put a dot."""
        place = f'cx="{self.x(x)}" cy="{self.y(y)}" r="{r}"'
        self._marks.append(f'<circle class="{kind}" {place}>{_tip(tip)}</circle>')
        return self

    def cloud(self, xs: Array, ys: Array, kind: str = "cloud") -> Plot:
        """Put many small dots as one path."""
        parts = (f"M{self.x(a)} {self.y(b)}h0" for a, b in zip(xs, ys, strict=True))
        self._marks.append(f'<path class="{kind}" d="{"".join(parts)}"/>')
        return self

    def bar(self, x: tuple[float, float], y: tuple[float, float], kind: str, tip: str) -> Plot:
        """Put a rectangle between two values of each axis."""
        left, right, top, bottom = self.x(x[0]), self.x(x[1]), self.y(y[1]), self.y(y[0])
        wide, high = max(right - left - 0.8, 0.4), max(bottom - top, 0.0)
        box = f'x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{high:.1f}"'
        self._marks.append(f'<rect class="{kind}" {box}>{_tip(tip)}</rect>')
        return self

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> Plot:
        """Write at a place given in values."""
        self._marks.append(words_at(self.x(x), self.y(y), words, kind, anchor))
        return self

    def legend(self, entries: Sequence[tuple[str, str]]) -> Plot:
        """Name kinds of mark, in the top right corner."""
        right = float(WIDTH - _RIGHT)
        for kind, words in reversed(entries):
            self._marks.append(words_at(right, 14, words, "", "end"))
            right -= 6.2 * columns(words) + 8
            self._marks.append(f'<circle class="key {kind}" cx="{right}" cy="10.5" r="4"/>')
            right -= 14
        return self

    def svg(self) -> str:
        """Return the finished plot."""
        return frame(self.title, self._axes() + "".join(self._marks))

    def _axes(self) -> str:
        bottom, out = HEIGHT - _BOTTOM, []
        for value in ticks(*self.y_range):
            at, words = self.y(value), percent(value, 0) if self.y_percent else compact(value)
            out.append(
                f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at}" y2="{at}"/>'
            )
            out.append(words_at(_LEFT - 6, at + 4, words, "tick", "end"))
        for value in log_ticks(*self.x_range) if self.x_log else ticks(*self.x_range):
            at, words = self.x(value), percent(value, 0) if self.x_percent else compact(value)
            out.append(f'<line class="axis" x1="{at}" x2="{at}" y1="{bottom}" y2="{bottom + 4}"/>')
            out.append(words_at(at, bottom + 16, words, "tick", "middle"))
        out.append(f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" '
                   f'y1="{bottom}" y2="{bottom}"/>')  # fmt: skip
        out.append(words_at(4, 14, self.y_title, "axis-title", "start"))
        out.append(words_at(WIDTH - _RIGHT, HEIGHT - 6, self.x_title, "axis-title", "end"))
        return "".join(out)


def frame(title: str, marks: str, width: float = WIDTH, height: float = HEIGHT) -> str:
    """Wrap marks as one inline image with a name."""
    head = f'<svg class="plot" viewBox="0 0 {width:g} {height:g}" role="img"'
    return f'{head} aria-label="{escape(title)}">{marks}</svg>'


def words_at(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """Return a text mark; words are escaped."""
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {where}>{escape(words)}</text>'


def shorten(words: str, room: int) -> str:
    """Cut words to `room` columns, CJK characters taking two."""
    if columns(words) <= room:
        return words
    kept, used = "", 1
    for letter in words:
        used += columns(letter)
        if used > room:
            break
        kept += letter
    return kept + "…"


def columns(words: str) -> int:
    """Return how wide words are; a CJK character takes two columns."""
    return sum(2 if ord(c) > 0x2E7F else 1 for c in words)


def _tip(words: str) -> str:
    return f"<title>{escape(words)}</title>" if words else ""
