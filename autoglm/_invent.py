"""Columns computed from others: proposed, tested out of fold, and added where they pay."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoglm.core.events import emit
from autoglm.core.spec import TaskSpec
from autoglm.dataflow.clean import Cleaner
from autoglm.dataflow.columns import Columns
from autoglm.dataflow.derive import Derived
from autoglm.dataflow.encode import Encoder
from autoglm.llm.contract import LanguageModel
from autoglm.task.features import Idea, by_model, by_rules
from autoglm.tuner.gain import gains
from autoglm.zoo.contract import Facts

#: Share of a run's time that the test may take, and the least time that makes it worth while, s.
SHARE, LEAST_S = 0.06, 1.0
#: ... and where trials alone bound the run, so much that every proposal is tested.
UNBOUNDED_S = 3600.0
#: Rows that the test looks at.
MOST_ROWS = 20_000
#: Rows on which the cost of a column is measured.
COST_ROWS = 1000


@dataclass(frozen=True)
class Inventor:
    """Who proposes columns, and how long they may be tested.

    Attributes
    ----------
    seconds
        For all of it.
    model
        Proposes beside the rules; None for the rules alone.
    """

    seconds: float
    model: LanguageModel | None = None

    def invent(
        self, cleaner: Cleaner, columns: Columns, encoder: Encoder, y: NDArray[np.float64],
        facts: Facts, spec: TaskSpec,
    ) -> Cleaner:  # fmt: skip
        """Return a cleaner that computes the columns that pay as well.

        The test has random folds, so that of a task whose rows are split by groups or by time
        nothing is invented. Nor is anything where directions are to be kept: a column made of one
        with a direction would go against it.

        Parameters
        ----------
        cleaner, columns, encoder
            What makes columns of rows, those of the training rows, and what makes views of them.
        y
            (n,) targets as learners see them.
        facts, spec
            The task.
        """
        apart = spec.split.value in ("grouped", "time")
        if self.seconds < LEAST_S or apart or facts.directions:
            return cleaner
        deadline, seed = time.monotonic() + self.seconds, spec.seed.value
        rows = np.sort(np.random.default_rng(seed).permutation(len(y))[:MOST_ROWS])
        some = columns.take(rows)
        ideas = self._ideas(some, spec)
        if not ideas:
            return cleaner
        added = np.column_stack([_as_numbers(Derived.fit(i.text, some), some) for i in ideas])
        tree = encoder.transform(some, {"tree"})["tree"]
        found = gains(tree, added, y[rows], facts, deadline=deadline, seed=seed)
        kept = [_told(ideas[g.index], g.gain, columns) for g in found]
        emit("features_derived", tried=len(ideas), kept=[one.text for one in kept],
             reasons=[one.reason for one in kept])  # fmt: skip
        return cleaner.with_derived(kept) if kept else cleaner

    def _ideas(self, columns: Columns, spec: TaskSpec) -> Sequence[Idea]:
        ideas = by_rules(columns)
        if self.model is not None:
            facts = ({"name": name, "kind": column.kind} for name, column in columns)
            shown = "\n".join(json.dumps(fact, ensure_ascii=False) for fact in facts)
            ideas = [
                *by_model(self.model, columns, spec.description, spec.target.value, shown),
                *ideas,
            ]
        return list({idea.text: idea for idea in ideas}.values())


def _as_numbers(one: Derived, columns: Columns) -> NDArray[np.float32]:
    values = one.column(columns).values
    if one.kind == "category":
        codes, _ = pd.factorize(values)
        return np.asarray(np.where(codes < 0, np.nan, codes), np.float32)
    return np.asarray(np.clip(values, -3e38, 3e38), np.float32)


def _told(idea: Idea, gain: float, columns: Columns) -> Derived:
    """Return a column fitted on all rows, with what it gained and costs."""
    one = Derived.fit(idea.text, columns, reason=idea.reason)
    some = columns.take(np.arange(min(COST_ROWS, columns.n_rows)))
    began = time.perf_counter()
    one.column(some)
    spent = 1e3 * (time.perf_counter() - began) * COST_ROWS / max(1, some.n_rows)
    return one.model_copy(update={"gain": round(gain, 5), "cost_ms": round(spent, 3)})
