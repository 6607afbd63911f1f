"""Charts the size of a table cell."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from autoglm.evaluate._svg import percent


def bar_strip(value: float, high: float, low: float = 0.0, whisker: float | None = None) -> str:
    """Draw a bar from 0 to `value` on the scale low..high, for a table cell."""
    room = (high - low) or 1.0
    zero, end = ((v - low) / room * 100 for v in (0.0, value))
    left, wide = min(zero, end), abs(end - zero)
    kind = "first" if value >= 0 else "second"
    marks = f'<rect class="bar {kind}" x="{left:.1f}" y="2" width="{wide:.1f}" height="8"/>'
    if whisker:
        a, b = (np.clip((value + s * whisker - low) / room * 100, 0, 100) for s in (-1, 1))
        marks += f'<line class="whisker" x1="{a:.1f}" x2="{b:.1f}" y1="6" y2="6"/>'
    return _strip(marks)


def quantile_strip(quantiles: Sequence[float]) -> str:
    """Draw the 1, 5, 25, 50, 75, 95 and 99 % quantiles as a box and line, for a table cell."""
    low, high = quantiles[0], quantiles[-1]
    room = (high - low) or 1.0
    at = [(q - low) / room * 98 + 1 for q in quantiles]
    return _strip(
        f'<line class="range" x1="{at[0]:.1f}" x2="{at[-1]:.1f}" y1="6" y2="6"/>'
        f'<rect class="bar first" x="{at[2]:.1f}" y="2" width="{max(at[4] - at[2], 1):.1f}" '
        f'height="8"/><line class="median" x1="{at[3]:.1f}" x2="{at[3]:.1f}" y1="1" y2="11"/>'
    )


def share_strip(shares: Sequence[tuple[str, float]]) -> str:
    """Draw the shares of the most frequent values, for a table cell."""
    left, marks = 0.0, []
    for i, (name, share) in enumerate(shares):
        wide = max(100 * share, 0.0)
        tip = f"<title>{escape(name)}: {percent(share)}</title>"
        box = f'x="{left:.2f}" y="2" width="{max(wide - 0.6, 0.2):.2f}" height="8"'
        marks.append(f'<rect class="bar shade{min(i, 4)}" {box}>{tip}</rect>')
        left += wide
    rest = max(100.0 - left, 0.0)
    return _strip("".join(marks) + f'<rect class="rest" x="{left:.2f}" y="2" '
                  f'width="{rest:.2f}" height="8"/>')  # fmt: skip


def _strip(marks: str) -> str:
    return (
        '<svg class="strip" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">'
        f"{marks}</svg>"
    )
