"""The simulated speed-up as a drawing for the documentation; it follows a light or dark page."""

from __future__ import annotations

import math
from typing import Any

WIDTH, HEIGHT = 560, 380
LEFT, RIGHT, TOP, BOTTOM = 52, 100, 34, 48
STYLE = """
text{font:12px system-ui,sans-serif;fill:#5b6270}
.grid{stroke:#e3e6ea}.guide{stroke:#9aa1ac;stroke-dasharray:4 4;fill:none}
.line{fill:none;stroke-width:2;stroke-linejoin:round}
.c0{--c:#3b6fd4}.c1{--c:#c2571a}.c2{--c:#2a8a57}
.line{stroke:var(--c)}circle{fill:var(--c)}text.c0,text.c1,text.c2{fill:var(--c)}
@media(prefers-color-scheme:dark){text{fill:#a9b0bc}.grid{stroke:#333a44}
.c0{--c:#7fa6f0}.c1{--c:#ee9a62}.c2{--c:#6cc795}}
"""


def draw(found: dict[str, Any]) -> str:
    """Return the speed-up over nodes, in doublings, one line for each number of open trials."""
    rows = found["rows"]
    most = max(r["nodes"] for r in rows)
    kinds = sorted({r["open_trials"] for r in rows})
    marks = [_frame(most), f'<path class="guide" d="M{_at(1, 1, most)}L{_at(most, most, most)}"/>']
    ends: list[tuple[float, str, str]] = []
    for number, kind in enumerate(kinds):
        line = [r for r in rows if r["open_trials"] == kind]
        points = [_at(r["nodes"], r["speedup"], most) for r in line]
        marks.append(f'<polyline class="line c{number}" points="{" ".join(points)}"/>')
        for point, row in zip(points, line, strict=True):
            x, y = point.split(",")
            tip = f"{row['nodes']} nodes: {row['speedup']:g} times, {row['seconds']:g} s"
            marks.append(f'<circle class="c{number}" cx="{x}" cy="{y}" r="3.5">'
                         f"<title>{tip}</title></circle>")  # fmt: skip
        ends.append((float(points[-1].split(",")[1]), f"c{number}", f"{kind} open trials"))
    marks += _named(ends)
    cpus = found["cpus_a_node"]
    title = f"Simulated speed-up of a search of {found['trials']} trials, by nodes of {cpus} CPUs"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{title}"><style>{STYLE}</style>'
        f'<text x="{LEFT}" y="18">{title}</text>{"".join(marks)}</svg>\n'
    )


def _at(nodes: float, times: float, most: int) -> str:
    across = math.log2(nodes) / math.log2(most) * (WIDTH - LEFT - RIGHT)
    up = math.log2(times) / math.log2(most) * (HEIGHT - TOP - BOTTOM)
    return f"{LEFT + across:.1f},{HEIGHT - BOTTOM - up:.1f}"


def _frame(most: int) -> str:
    out = []
    value = 1
    while value <= most:
        x, y = _at(value, value, most).split(",")
        out.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        out.append(f'<text x="{LEFT - 8}" y="{float(y) + 4}" text-anchor="end">{value}×</text>')
        out.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value}</text>')
        value *= 2
    middle = (LEFT + WIDTH - RIGHT) / 2
    out.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">nodes</text>')
    end_x, end_y = _at(most, most, most).split(",")
    out.append(f'<text x="{float(end_x) + 8}" y="{float(end_y) + 4}">ideal</text>')
    return "".join(out)


def _named(ends: list[tuple[float, str, str]]) -> list[str]:
    """Write each line's name at its end, moved apart where ends meet."""
    out, free = [], HEIGHT - BOTTOM + 12.0
    for y, kind, words in sorted(ends, reverse=True):
        free = min(y, free - 14)
        out.append(
            f'<text class="{kind}" x="{WIDTH - RIGHT + 8}" y="{free + 4:.1f}">{words}</text>'
        )
    return out
