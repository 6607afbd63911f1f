"""Which of several derivations to answer with, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from autoglm.llm.certainty import Certainty
from autoglm.reason.trace import Node
from autoglm.reason.verify import Check


@dataclass
class Candidate:
    """A derivation's answer.

    Attributes
    ----------
    node
        Its place in the trace.
    kind
        "steps" or "program".
    answer, value
        What it came to, and the number of that.
    checks
        What was checked of it.
    logprob
        Natural log-probability that the model gave it; None when the engine does not tell.
    """

    node: Node
    kind: str
    answer: str
    value: Fraction | None
    checks: list[Check]
    logprob: float | None = None

    @property
    def sound(self) -> bool:
        """Return whether no check failed and one of substance passed."""
        passed = {c.name for c in self.checks if c.status == "passed"}
        return not self.node.failed and bool(passed - {"plausible"})

    @property
    def key(self) -> Any:
        """Return what two equal answers have in common."""
        return self.value if self.value is not None else self.answer.strip().casefold()


@dataclass(frozen=True)
class Verdict:
    """What a question came to.

    Attributes
    ----------
    answer
        None when nothing checked out.
    guess
        The likeliest answer, even if it did not check out; empty when there is none.
    value
        Its number.
    verified
        Whether every check passed, a second derivation agrees, and the model, if that was measured,
        is right often enough when it is as sure as this.
    confidence
        From 0 to 1.
    why
        For people: what it rests on, or why there is no answer.
    """

    answer: str | None
    guess: str = ""
    value: Fraction | None = None
    verified: bool = False
    confidence: float = 0.0
    why: str = ""


@dataclass(frozen=True)
class Choice:
    """The answer with the most behind it.

    Attributes
    ----------
    candidate
        A derivation of it, one in steps that passed its checks where there is one.
    sound
        Derivations of it that passed their checks.
    agreed
        Whether these are of both kinds.
    rivals
        Whether another answer has as much behind it.
    share
        Of all derivations, those that came to it.
    logprob
        The largest that a sound derivation of it has, programs first.
    """

    candidate: Candidate
    sound: int
    agreed: bool
    rivals: bool
    share: float
    logprob: float | None

    def confidence(self, certainty: Certainty | None) -> float:
        """Return how likely it is right: as it was measured for the model, else a rule of thumb."""
        if certainty is None or self.logprob is None:
            return 0.5 + 0.2 * self.share + 0.25 * self.agreed
        return certainty.of(self.logprob, agreed=self.agreed)

    def verified(self, certainty: Certainty | None) -> bool:
        """Return whether both kinds agree, and the model is sure enough where that was measured."""
        if certainty is None or self.logprob is None:
            return self.agreed
        return self.agreed and self.confidence(certainty) >= certainty.least


def choose(found: Sequence[Candidate]) -> Choice | None:
    """Return the answer that most kinds of sound derivations came to, then most of them.

    None when no derivation has an answer.
    """
    groups: dict[Any, list[Candidate]] = {}
    for candidate in found:
        if candidate.answer:
            groups.setdefault(candidate.key, []).append(candidate)
    if not groups:
        return None

    def weight(group: list[Candidate]) -> tuple[int, int, int]:
        sound = [c for c in group if c.sound]
        return len({c.kind for c in sound}), len(sound), len(group)

    best = max(groups.values(), key=weight)
    kinds, sound, _ = weight(best)
    good = [c for c in best if c.sound]
    chosen = next((c for c in good if c.kind == "steps"), (good or best)[0])
    rivals = any(g is not best and weight(g)[:2] == (kinds, sound) for g in groups.values())
    known = [c for c in good if c.logprob is not None]
    programs = [c for c in known if c.kind == "program"] or known
    logprob = max((c.logprob for c in programs if c.logprob is not None), default=None)
    return Choice(chosen, sound, kinds > 1, rivals, len(best) / len(found), logprob)
