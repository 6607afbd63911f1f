"""Learners that the tests of the cluster put on its nodes: one that waits, one that dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from autoglm.core.hooks import hookimpl
from autoglm.core.space import Params, Space
from autoglm.zoo.contract import Facts, Fold, Learner, Limits, Model
from autoglm.zoo.linear import Linear

#: The fold that waits at the gate, by its seed in a search of seed 0.
HELD_FOLD = 1


class Gated(Linear):
    """Fits like `Linear`, keeps a list of its fits, and waits in one of them for ever.

    The parameter "gate" names a folder with two FIFOs. The first fit of fold `HELD_FOLD` tells
    the process id of its node's manager through one and waits for the other.
    """

    name: ClassVar[str] = "gated"
    folder: ClassVar[str] = ""

    def defaults(self, facts: Facts) -> Sequence[Params]:
        """Return the one configuration."""
        return [{"gate": self.folder}]

    def space(self, facts: Facts) -> Space:
        """Return nothing to choose from."""
        return {}

    def fit(self, fold: Fold, params: Params, facts: Facts, limits: Limits) -> Model:
        """Fit, or wait."""
        gate = Path(str(params["gate"]))
        with (gate / "fits").open("a") as fits:
            fits.write(f"{limits.seed}\n")
        if limits.seed == HELD_FOLD and not (gate / "passed").exists():
            (gate / "passed").touch()
            (gate / "begun").write_text(str(os.getppid()))
            (gate / "never").read_text()
        return super().fit(fold, {}, facts, limits)


class Deadly(Linear):
    """Ends the process that fits it."""

    name: ClassVar[str] = "deadly"

    def fit(self, fold: Fold, params: Params, facts: Facts, limits: Limits) -> Model:
        """Do not come back."""
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


@hookimpl
def autoglm_learners() -> list[Learner]:
    """Return both."""
    return [Gated(), Deadly()]
