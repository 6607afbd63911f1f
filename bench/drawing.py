"""Lines on logarithmic axes, drawn for the documentation; they follow a light or dark page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

WIDTH, HEIGHT = 560, 380
LEFT, RIGHT, TOP, BOTTOM = 60, 118, 34, 48
STYLE = """
text{font:12px system-ui,sans-serif;fill:#5b6270}
.grid{stroke:#e3e6ea}.guide{stroke:#9aa1ac;stroke-dasharray:4 4;fill:none}
.line{fill:none;stroke-width:2;stroke-linejoin:round}
.c0{--c:#3b6fd4}.c1{--c:#c2571a}.c2{--c:#2a8a57}.c3{--c:#8a4fc0}.c4{--c:#9a7a12}
.line{stroke:var(--c)}circle{fill:var(--c)}
text.c0,text.c1,text.c2,text.c3,text.c4{fill:var(--c)}
@media(prefers-color-scheme:dark){text{fill:#a9b0bc}.grid{stroke:#333a44}
.c0{--c:#7fa6f0}.c1{--c:#ee9a62}.c2{--c:#6cc795}.c3{--c:#c39bea}.c4{--c:#d8b94a}}
"""

#: A point of a line: x, y, and what is said of it when it is pointed at.
Point = tuple[float, float, str]


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis.

    Attributes
    ----------
    title
        The unit; written below the axis across, upwards the drawing's title tells it.
    marks
        Values that are written beside it, in order; the first and last are its ends.
    words
        How a value is written.
    """

    title: str
    marks: Sequence[float]
    words: Callable[[float], str] = field(default="{:g}".format)

    def share(self, value: float) -> float:
        """Return how far along the axis a value stands, 0 to 1."""
        low, high = math.log(self.marks[0]), math.log(self.marks[-1])
        return (math.log(value) - low) / (high - low)


def draw(
    title: str, across: Axis, up: Axis, lines: Mapping[str, Sequence[Point]], guide: str = ""
) -> str:
    """Return a drawing as SVG.

    Parameters
    ----------
    title
        Stands above it.
    across, up
        The axes.
    lines
        Points of each line by its name, from left to right.
    guide
        Name of a dashed diagonal from corner to corner; "" for none.
    """
    marks = _frame(across, up)
    if guide:
        x, y = _at(across, up, across.marks[-1], up.marks[-1])
        marks.append(f'<path class="guide" d="M{LEFT},{HEIGHT - BOTTOM}L{x},{y}"/>')
        marks.append(f'<text x="{x + 8}" y="{y + 4}">{guide}</text>')
    ends: list[tuple[float, str, str]] = []
    for number, (name, points) in enumerate(lines.items()):
        places = [_at(across, up, x, y) for x, y, _ in points]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        marks.append(f'<polyline class="line c{number}" points="{joined}"/>')
        for (x, y), (_, _, tip) in zip(places, points, strict=True):
            marks.append(f'<circle class="c{number}" cx="{x:.1f}" cy="{y:.1f}" r="3.5">'
                         f"<title>{tip}</title></circle>")  # fmt: skip
        ends.append((places[-1][1], f"c{number}", name))
    marks += _named(ends)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{title}"><style>{STYLE}</style>'
        f'<text x="{LEFT}" y="18">{title}</text>{"".join(marks)}</svg>\n'
    )


def _at(across: Axis, up: Axis, x: float, y: float) -> tuple[float, float]:
    return (
        LEFT + across.share(x) * (WIDTH - LEFT - RIGHT),
        HEIGHT - BOTTOM - up.share(y) * (HEIGHT - TOP - BOTTOM),
    )


def _frame(across: Axis, up: Axis) -> list[str]:
    out = []
    for value in up.marks:
        _, y = _at(across, up, across.marks[0], value)
        out.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        out.append(
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{up.words(value)}</text>'
        )
    for value in across.marks:
        x, _ = _at(across, up, value, up.marks[0])
        out.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">'
                   f"{across.words(value)}</text>")  # fmt: skip
    middle = (LEFT + WIDTH - RIGHT) / 2
    out.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{across.title}</text>')
    return out


def _named(ends: list[tuple[float, str, str]]) -> list[str]:
    """Write each line's name at its end, moved apart where ends meet."""
    out, free = [], HEIGHT - BOTTOM + 12.0
    for y, kind, words in sorted(ends, reverse=True):
        free = min(y, free - 14)
        out.append(
            f'<text class="{kind}" x="{WIDTH - RIGHT + 8}" y="{free + 4:.1f}">{words}</text>'
        )
    return out
