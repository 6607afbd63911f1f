"""The trace of a question as one self-contained page: path, checks, failed branches, cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoglm.core.files import write_file
from autoglm.core.text import say, use_language
from autoglm.reason.trace import Node, Trace

if TYPE_CHECKING:
    from autoglm.reason.reasoner import Result

FOLDER = Path(__file__).with_name("templates")
#: Of the drawing, in pixels: a row's height, an indent's width, a dot's radius.
ROW, INDENT, DOT = 34, 26, 8


def trace_page(result: Result) -> str:
    """Return the page as HTML; it loads nothing from elsewhere."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    with use_language("zh" if result.language == "zh" else "en"):
        world = Environment(
            loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, autoescape=True
        )
        rows = list(_rows(result.trace))
        facts = {
            "result": result,
            "rows": rows,
            "edges": _edges(rows),
            "width": INDENT * (2 + max((r["depth"] for r in rows), default=0)),
            "height": ROW * len(rows),
            "dot": DOT,
            "words": _words(),
            "language": result.language,
        }
        return world.get_template("trace.html.j2").render(facts)


def write_trace(result: Result, path: Path) -> None:
    """Write the page to a file."""
    write_file(path, trace_page(result))


def tone(node: Node) -> str:
    """Return how a node is coloured: "good", "fair", "bad" or "plain"."""
    if node.failed:
        return "bad"
    if node.confidence is not None:
        return "good" if node.confidence >= 0.8 else "fair" if node.confidence >= 0.3 else "bad"
    return "good" if any(c.status == "passed" for c in node.checks) else "plain"


def _rows(trace: Trace, parent: int | None = None, depth: int = 0) -> list[dict[str, Any]]:
    found = []
    for node in trace.children(parent):
        found.append({"node": node, "depth": depth, "tone": tone(node)})
        found += _rows(trace, node.number, depth + 1)
    return found


def _edges(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a line from each node to the one that led to it."""
    places = {row["node"].number: at for at, row in enumerate(rows)}
    edges = []
    for at, row in enumerate(rows):
        if row["node"].parent is not None:
            above = places[row["node"].parent]
            edges.append(
                {
                    "x": INDENT * (rows[above]["depth"] + 1),
                    "y": ROW * above + ROW // 2,
                    "x2": INDENT * (row["depth"] + 1),
                    "y2": ROW * at + ROW // 2,
                    "kept": row["node"].kept,
                }
            )
    return edges


def _words() -> dict[str, str]:
    return {
        "title": say(en="How the answer was found", zh="答案的推导过程"),
        "answer": say(en="Answer", zh="答案"),
        "none": say(en="no answer", zh="没有答案"),
        "guess": say(en="likeliest guess", zh="最可能的猜测"),
        "verified": say(en="verified", zh="已验证"),
        "unverified": say(en="not verified", zh="未验证"),
        "confidence": say(en="confidence", zh="置信度"),
        "tokens": say(en="tokens", zh="token"),
        "calls": say(en="calls", zh="调用"),
        "seconds": say(en="seconds", zh="秒"),
        "cost": say(en="cost", zh="费用"),
        "prompt": say(en="prompt", zh="提示"),
        "passed": say(en="passed", zh="通过"),
        "failed": say(en="failed", zh="失败"),
        "skipped": say(en="does not apply", zh="不适用"),
        "tree": say(en="Everything that was tried", zh="全部尝试"),
    }
