"""How far a run is, shown while it happens: what is tried, best score, time left."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from autoglm.cli._console import console, shown
from autoglm.core.events import Event, subscribe
from autoglm.core.text import current_language, say, use_language

Mode = Literal["auto", "bar", "lines", "none"]


class RunFacts:
    """What the events of a run have told so far.

    Attributes
    ----------
    learner, trial
        What is being tried.
    best_score
        The best score yet, or None.
    finished
        The data of ``run_finished``, empty until then.
    saved
        The data of ``model_saved``, empty until then.
    """

    def __init__(self) -> None:
        self.learner, self.trial = "", ""
        self.best_score: float | None = None
        self.limit_s: float | None = None
        self.started = time.monotonic()
        self.finished: dict[str, Any] = {}
        self.saved: dict[str, Any] = {}

    def take(self, event: Event) -> None:
        """Learn from one event."""
        data = event.data
        if event.name == "run_started":
            self.limit_s = data.get("time_limit_s")
            self.started = time.monotonic() - data.get("elapsed_s", 0.0)
        elif event.name == "trial_started":
            self.learner, self.trial = str(data["learner"]), str(data["trial"])
        elif event.name == "trial_finished":
            self.best_score = data.get("best_score", self.best_score)
        elif event.name == "run_finished":
            self.finished = dict(data)
        elif event.name == "model_saved":
            self.saved = dict(data)

    def share(self) -> float:
        """Return the share of the time limit that is gone, 0 to 1."""
        if not self.limit_s:
            return 0.0
        return min(1.0, (time.monotonic() - self.started) / self.limit_s)

    def left(self) -> str:
        """Return the time left in words, empty without a limit."""
        if self.limit_s is None:
            return ""
        seconds = max(0.0, self.limit_s - (time.monotonic() - self.started))
        return say(en=f"{seconds:.0f} s left", zh=f"剩余 {seconds:.0f} 秒")


@contextmanager
def progress(mode: Mode) -> Iterator[RunFacts]:
    """Show progress on stderr inside the block, and collect what the run tells.

    Parameters
    ----------
    mode
        "bar" for one living line, "lines" for one line a step, "none" for silence, "auto"
        for a bar on a terminal and lines elsewhere.
    """
    facts = RunFacts()
    if mode == "auto":
        mode = "bar" if sys.stderr.isatty() else "lines"
    with subscribe(facts.take):
        if mode == "bar":
            with _bar(facts):
                yield facts
        elif mode == "lines":
            with subscribe(_print_line):
                yield facts
        else:
            yield facts


@contextmanager
def _bar(facts: RunFacts) -> Iterator[None]:
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    language = current_language()  # the line is drawn by a thread that knows nothing of it

    def draw() -> Table:
        line = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=1.0, completed=facts.share(), width=24)
        with use_language(language):
            words = facts.left(), _best(facts.best_score), f"{facts.trial} {facts.learner}"
        line.add_row(bar, *words)
        return line

    with Live(
        get_renderable=draw, console=console(sys.stderr), refresh_per_second=4, transient=True
    ):
        yield


def _best(score: float | None) -> str:
    return "" if score is None else say(en="best ", zh="最佳 ") + shown(score)


def _print_line(event: Event) -> None:
    line = _line(event.name, event.data)
    if line:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def _line(name: str, data: dict[str, Any]) -> str:
    """Return an event in words, or nothing for those a person need not follow."""
    if name == "data_ready":
        return say(
            en=f"data: {data['rows']} rows, {data['columns']} columns, {data['features']} features",
            zh=f"数据:{data['rows']} 行,{data['columns']} 列,{data['features']} 个特征",
        )
    if name == "trial_finished":
        left = data.get("remaining_s", math.inf)
        end = "" if math.isinf(left) else say(en=f", {left:.0f} s left", zh=f",剩余 {left:.0f} 秒")
        score, best = shown(data["score"]), _best(data.get("best_score"))
        return f"{data['trial']} {data['learner']}: {score} ({best}{end})"
    if name == "trial_failed":
        return f"{data['trial']} {data['learner']}: {data['error']}"
    if name == "ensemble_ready":
        score, size = shown(data["score"]), _size(data["members"])
        return say(en=f"ensemble of {size}: {score}", zh=f"{size} 个模型集成:{score}")
    return ""


def _size(members: Any) -> int:
    return members if isinstance(members, int) else len(members)
