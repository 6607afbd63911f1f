"""`Study`: search any space for the best value of any function, durably.

The same engine that tunes learners, for a user's own objective. Values are maximised.

The sampler "auto" joins three things: it starts from configurations that are known to be good,
goes on with a Gaussian process that also looks near the best ones, and gives up a trial whose
intermediate value is not among the better ones at its step (as in Li et al., "A System for
Massively Parallel Hyperparameter Tuning", 2020); what a trial showed until then still teaches
the process.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from autoglm.core.errors import AutoGLMError, ConfigError
from autoglm.core.journal import Journal
from autoglm.core.space import Params, Space
from autoglm.core.text import say
from autoglm.tuner.samplers import Observation, SamplerName, propose

State = Literal["running", "complete", "pruned", "failed"]


class Pruned(Exception):
    """Raise it in an objective to give up a trial that `Trial.should_prune` condemned."""


@dataclass
class Trial:
    """One try.

    Attributes
    ----------
    number
        0 for the first.
    params
        What to try.
    state, value, error
        What became of it.
    reports
        Intermediate values, higher is better, one for each step.
    """

    number: int
    params: Params
    study: Study = field(repr=False, compare=False)
    state: State = "running"
    value: float | None = None
    error: str = ""
    reports: list[float] = field(default_factory=list)

    def report(self, value: float) -> None:
        """Tell an intermediate value, at the next step."""
        self.reports.append(value)

    def should_prune(self) -> bool:
        """Return whether earlier trials did better at this step, by their median.

        With the sampler "auto", whether it is not among the best third of all that came as far.
        """
        if self.study.sampler == "auto":
            return self.study.trails(self)
        step = len(self.reports)
        others = [
            t.reports[step - 1]
            for t in self.study.trials
            if t.state == "complete" and len(t.reports) >= step
        ]
        enough = step > 0 and len(others) >= self.study.pruning_warm_up
        return enough and max(self.reports) < statistics.median(others)


Objective = Callable[[Trial], float]


class Study:
    """A search over a space.

    Parameters
    ----------
    space
        The dimensions to choose from.
    sampler
        "grid", "random", "tpe", "gp" or "auto".
    seed
        Same seed, same number of trials, one worker: same trials.
    journal
        A file that keeps every finished trial; an existing one is continued.
    first
        Configurations to try before any other; they need not lie in the space.

    Examples
    --------
    >>> from autoglm.core.space import Float
    >>> study = Study({"x": Float(-2, 2)}, sampler="random", seed=1)
    >>> study.optimize(lambda trial: -(trial.params["x"] ** 2), n_trials=30)
    >>> abs(study.best.params["x"]) < 0.3
    True
    """

    pruning_warm_up = 5
    #: Share of the trials that came to a step that may go on from there, with "auto".
    kept_share = 1 / 3

    def __init__(
        self,
        space: Space,
        sampler: SamplerName = "tpe",
        seed: int = 0,
        journal: Path | str | None = None,
        first: Sequence[Params] = (),
    ) -> None:
        self.space, self.sampler, self.seed = space, sampler, seed
        self.first = [dict(params) for params in first]
        self.trials: list[Trial] = []
        self._journal = Journal(journal) if journal else None
        for record in self._journal.records if self._journal else ():
            trial = Trial(record["number"], record["params"], self)
            trial.state, trial.value = record["state"], record["value"]
            trial.error, trial.reports = record["error"], record["reports"]
            self.trials.append(trial)

    @property
    def best(self) -> Trial:
        """The complete trial with the highest value.

        Raises
        ------
        ConfigError
            When no trial is complete.
        """
        complete = [t for t in self.trials if t.state == "complete"]
        if not complete:
            raise ConfigError(
                say(en="No trial has been completed.", zh="还没有完成的试验。"),
                hint=say(en="Call optimize first.", zh="请先调用 optimize。"),
            )
        return max(complete, key=lambda t: t.value if t.value is not None else float("-inf"))

    def ask(self) -> Trial:
        """Return a new trial to be run."""
        number = 1 + max((t.number for t in self.trials), default=-1)
        trial = Trial(number, self._params(number), self)
        self.trials.append(trial)
        return trial

    def _params(self, number: int) -> Params:
        if number < len(self.first):
            return dict(self.first[number])
        past = self._observations()
        return propose(self.sampler, self.space, past, number=number, seed=self.seed)

    def _observations(self) -> list[Observation]:
        """Return what the sampler may learn from.

        For "auto" a trial that was given up counts too, at the value it would have ended with
        if it had gone on like the complete ones did from that step.
        """
        complete = [t for t in self.trials if t.state == "complete" and t.value is not None]
        found = {t.number: Observation(t.params, float(t.value or 0.0)) for t in complete}
        for t in self.trials if self.sampler == "auto" else ():
            rises = [
                float(c.value or 0.0) - c.reports[len(t.reports) - 1]
                for c in complete
                if len(c.reports) >= len(t.reports) > 0
            ]
            if t.state == "pruned" and rises:
                found[t.number] = Observation(t.params, t.reports[-1] + statistics.mean(rises))
        return [found[number] for number in sorted(found)]

    def trails(self, trial: Trial) -> bool:
        """Return whether a trial is not among the best third of those that came to its step."""
        step = len(trial.reports)
        others = sorted(
            t.reports[step - 1]
            for t in self.trials
            if t is not trial and t.state != "running" and len(t.reports) >= step > 0
        )
        if len(others) < self.pruning_warm_up:
            return False
        return trial.reports[-1] < others[-max(1, round(self.kept_share * len(others)))]

    def tell(self, trial: Trial, state: State, value: float | None = None, error: str = "") -> None:
        """Say what became of a trial; it is kept once this returns."""
        trial.state, trial.value, trial.error = state, value, error
        if self._journal:
            self._journal.append(
                {"number": trial.number, "params": trial.params, "state": state,
                 "value": value, "error": error, "reports": trial.reports}
            )  # fmt: skip

    def optimize(self, objective: Objective, n_trials: int, workers: int = 1) -> None:
        """Run trials until there are `n_trials`, those of an earlier run counted in.

        Parameters
        ----------
        objective
            Takes a trial, returns its value, higher is better. An `AutoGLMError`,
            `ValueError` or `ArithmeticError` fails the trial; any other ends the search.
        n_trials
            Trials in all.
        workers
            Threads; above 1 the order of trials is no longer the same every time.
        """
        with ThreadPoolExecutor(workers) as pool:
            running: dict[Future[float], Trial] = {}
            while running or len(self.trials) < n_trials:
                while len(running) < workers and len(self.trials) < n_trials:
                    trial = self.ask()
                    running[pool.submit(objective, trial)] = trial
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    self._finish(running.pop(future), future)

    def _finish(self, trial: Trial, future: Future[float]) -> None:
        try:
            self.tell(trial, "complete", float(future.result()))
        except Pruned:
            self.tell(trial, "pruned", trial.reports[-1] if trial.reports else None)
        except (AutoGLMError, ValueError, ArithmeticError) as error:
            self.tell(trial, "failed", error=str(error))

    def close(self) -> None:
        """Release the journal."""
        if self._journal:
            self._journal.close()
