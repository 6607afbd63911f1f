"""How far a question is taken, and what that could cost."""

from __future__ import annotations

from dataclasses import dataclass

from autoglm.reason.gate import Method


@dataclass(frozen=True)
class Plan:
    """How far a question is taken.

    Attributes
    ----------
    method
        See `autoglm.reason.gate`.
    refine
        Whether a failed check leads to another derivation from the failing step.
    rounds
        Such derivations at the most.
    votes
        Derivations of a kind at the most while two disagree.
    cross
        Whether a second derivation of the other kind is wanted.
    max_tokens
        Of an answer of the model.
    temperature
        Of draws after the first.
    back
        Whether a derivation that passes its checks is asked back: with its answer given and a
        number of the question hidden, the model must find that number (Weng et al., 2023).
    first_sample
        Number of the first draw; above 0 it is random too.
    """

    method: Method = "auto"
    refine: bool = True
    rounds: int = 2
    votes: int = 3
    cross: bool = True
    max_tokens: int = 1024
    temperature: float = 0.7
    back: bool = False
    first_sample: int = 0


@dataclass(frozen=True)
class Estimate:
    """What a question could take.

    Attributes
    ----------
    least_calls, most_calls
        Of the model, attempts of one call not counted.
    least_tokens
        The prompts of as many calls, without answers.
    most_tokens
        What a budget must hold for all calls, each with its longest answer.
    """

    least_calls: int
    most_calls: int
    least_tokens: int
    most_tokens: int
