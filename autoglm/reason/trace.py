"""What happened on the way to an answer: every step, its prompt, checks, retries and cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from autoglm.llm.contract import Message, Reply, Usage
from autoglm.reason.verify import Check

Kind = Literal["gate", "direct", "steps", "program", "resume", "decompose", "hop", "compose",
               "vote", "back", "abstain"]  # fmt: skip


@dataclass
class Node:
    """One attempt at a part of the question.

    Attributes
    ----------
    number
        In the order in which they were made.
    kind
        What was tried.
    parent
        Number of the node that led here; None at the root.
    title
        For people, in their language.
    lines
        Steps as written, one a line.
    answer
        What it came to.
    prompt
        What the model was asked; empty when no model was.
    checks
        What was checked of it.
    confidence
        From 0 to 1; None when it says nothing of the answer.
    kept
        Whether the final answer rests on it.
    usage, cost, seconds, attempts
        Of the call.
    """

    number: int
    kind: Kind
    parent: int | None
    title: str
    lines: tuple[str, ...] = ()
    answer: str = ""
    prompt: tuple[Message, ...] = ()
    checks: tuple[Check, ...] = ()
    confidence: float | None = None
    kept: bool = False
    usage: Usage = field(default_factory=Usage)
    cost: float | None = None
    seconds: float = 0.0
    attempts: int = 0

    @property
    def failed(self) -> bool:
        """Return whether a check failed."""
        return any(c.status == "failed" for c in self.checks)


@dataclass
class Trace:
    """The nodes of one question, a tree."""

    question: str
    nodes: list[Node] = field(default_factory=list)

    def add(self, kind: Kind, title: str, parent: int | None = None, **facts: Any) -> Node:
        """Add a node and return it."""
        node = Node(len(self.nodes), kind, parent, title, **facts)
        self.nodes.append(node)
        return node

    def called(
        self,
        kind: Kind,
        title: str,
        parent: int | None,
        prompt: Sequence[Message],
        reply: Reply,
    ) -> Node:
        """Add the node of a call of the model."""
        node = self.add(kind, title, parent, prompt=tuple(prompt))
        node.usage, node.cost = reply.usage or Usage(), reply.cost
        node.seconds, node.attempts = reply.seconds, reply.attempts
        return node

    def path(self) -> list[Node]:
        """Return the nodes that the final answer rests on, in order."""
        return [n for n in self.nodes if n.kept]

    def children(self, number: int | None) -> Iterator[Node]:
        """Yield the nodes that a node led to."""
        return (n for n in self.nodes if n.parent == number)

    def keep(self, node: Node) -> None:
        """Mark a node and those that led to it as what the answer rests on.

        A derivation that was resumed has the good steps of the one before, which failed.
        """
        at: Node | None = node
        while at is not None:
            at.kept = True
            above = None if at.parent is None else self.nodes[at.parent]
            while at.kind == "resume" and above is not None and above.kind in ("steps", "resume"):
                above = None if above.parent is None else self.nodes[above.parent]
            at = above

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"question": self.question, "nodes": [asdict(n) for n in self.nodes]}

    def __str__(self) -> str:
        return "\n".join(line for node in self.path() for line in (node.title, *node.lines))
