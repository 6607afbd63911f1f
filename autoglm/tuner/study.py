"""`Study`: search any space for the best value of any function, durably.

The same engine that tunes learners, for a user's own objective. Values are maximised.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
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
        """Return whether earlier trials did better at this step, by their median."""
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
        "grid", "random", "tpe" or "gp".
    seed
        Same seed, same number of trials, one worker: same trials.
    journal
        A file that keeps every finished trial; an existing one is continued.

    Examples
    --------
    >>> from autoglm.core.space import Float
    >>> study = Study({"x": Float(-2, 2)}, sampler="random", seed=1)
    >>> study.optimize(lambda trial: -(trial.params["x"] ** 2), n_trials=30)
    >>> abs(study.best.params["x"]) < 0.3
    True
    """

    pruning_warm_up = 5

    def __init__(
        self,
        space: Space,
        sampler: SamplerName = "tpe",
        seed: int = 0,
        journal: Path | str | None = None,
    ) -> None:
        self.space, self.sampler, self.seed = space, sampler, seed
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
        past = [
            Observation(t.params, t.value)
            for t in self.trials
            if t.state == "complete" and t.value is not None
        ]
        number = 1 + max((t.number for t in self.trials), default=-1)
        params = propose(self.sampler, self.space, past, number=number, seed=self.seed)
        trial = Trial(number, params, self)
        self.trials.append(trial)
        return trial

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
