"""Tables from raw lines of systems that were measured on the same tasks.

    python bench/peers.py bench/results/2026-11-core20/*.jsonl
    python bench/peers.py LINES... --budget 60 --folds 0,1,2 --systems autoglm,autogluon_medium
    python bench/peers.py LINES... --pair autoglm@10:autogluon_medium@60

Each line of JSON is a run of a system on a fold of a task within a budget; of repeated runs the
last one counts. Scores are higher-is-better and averaged over the folds of a task, so that each
task counts once. A failed run scores as the constant does and ranks last. "Normalised" is 0 for
the constant and 1 for the best score on a task among the runs compared, and not less than -1.
The difference is ours less theirs in normalised scores, its interval the 2.5th and 97.5th
percentile of the mean over 10,000 bootstrap samples of tasks. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

#: Systems by the names they have in tables.
TITLES = {
    "autoglm": "Open-AutoGLM",
    "autogluon_medium": "AutoGluon medium",
    "autogluon_good": "AutoGluon good",
    "autogluon_best": "AutoGluon best",
    "flaml": "FLAML",
    "constant": "constant",
}
FLOOR = "constant"
BOOTSTRAPS, TIE, LATE = 10_000, 0.001, 1.02
WORST = 5

Run = dict[str, Any]
#: A system at a budget.
Entry = tuple[str, float]
Scores = NDArray[np.float64]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("lines", nargs="+", type=Path)
    parser.add_argument("--ours", default="autoglm")
    parser.add_argument("--budget", type=float, action="append", help="default: all there are")
    parser.add_argument("--folds", default="0", help="comma-separated")
    parser.add_argument("--systems", help="comma-separated; default: all there are")
    parser.add_argument("--tasks", help="comma-separated; default: all that every system ran")
    parser.add_argument("--pair", action="append", default=[], metavar="OURS@S:THEIRS@S")
    args = parser.parse_args()
    runs = read(args.lines)
    folds = [int(f) for f in args.folds.split(",")]
    runs = {k: r for k, r in runs.items() if k[2] in folds}
    if args.tasks:
        runs = {k: r for k, r in runs.items() if k[1] in args.tasks.split(",")}
    for pair in args.pair:
        ours, theirs = (_entry(words) for words in pair.split(":"))
        print(table(Contest(runs, [ours, theirs], folds), ours))
    if args.pair:
        return
    for budget in args.budget or sorted({b for _, b in _entries(runs)}):
        known = sorted({s for s, b in _entries(runs) if b == budget and s != FLOOR})
        asked = args.systems.split(",") if args.systems else known
        contest = Contest(runs, [(s, budget) for s in known if s in asked], folds)
        ours = (args.ours, budget)
        print(f"\n### {budget:g} seconds, {len(contest.tasks)} tables, folds {args.folds}\n")
        print(table(contest, ours))
        print(costs(contest, ours))
        if ours in contest.entries:
            print(worst(contest, ours))


def read(paths: Iterable[Path]) -> dict[tuple[Entry, str, int], Run]:
    """Return the last run of each system and budget on each task and fold."""
    runs: dict[tuple[Entry, str, int], Run] = {}
    for path in paths:
        for line in path.read_text("utf-8").splitlines():
            run = json.loads(line)
            entry = (run["system"], float(run["budget_s"]))
            runs[entry, run["task"], int(run["fold"])] = run
    return runs


class Contest:
    """Some systems on the tasks that all of them ran.

    Attributes
    ----------
    entries, tasks
        Systems at their budgets, and tasks.
    scores, ranks, normal
        (tasks, entries).
    """

    def __init__(
        self, runs: Mapping[tuple[Entry, str, int], Run], entries: Sequence[Entry], folds: list[int]
    ) -> None:
        self.entries = list(entries)
        names = dict.fromkeys(task for _, task, _ in runs)
        self.tasks = [t for t in names if all((e, t, f) in runs for e in entries for f in folds)]
        self.runs = {e: [runs[e, t, f] for t in self.tasks for f in folds] for e in entries}
        floor = {(t, f): r["score"] for ((s, _), t, f), r in runs.items() if s == FLOOR}
        lacking = [t for t in self.tasks if any((t, f) not in floor for f in folds)]
        if lacking:
            sys.exit(f"no lines of {FLOOR!r}, which scores 0, for: {', '.join(lacking)}")
        floors = np.array([np.mean([floor[t, f] for f in folds]) for t in self.tasks])
        own = [[r["score"] for r in self.runs[e]] for e in entries]
        guesses = [floor[t, f] for t in self.tasks for f in folds]
        filled = [[g if s is None else s for s, g in zip(o, guesses, strict=True)] for o in own]
        shape = (len(entries), len(self.tasks), len(folds))
        self.scores: Scores = np.array(filled, dtype=float).reshape(shape).mean(axis=2).T
        lost = np.array([[s is None for s in o] for o in own]).reshape(shape).any(axis=2).T
        self.failed = {e: int(sum(s is None for s in o)) for e, o in zip(entries, own, strict=True)}
        self.ranks = rankdata(np.where(lost, -np.inf, self.scores) * -1, axis=1)
        span = self.scores.max(axis=1) - floors
        gain = self.scores - floors[:, None]
        safe = np.where(span > 1e-12, span, np.inf)[:, None]
        self.normal: Scores = np.maximum(gain / safe, -1.0)

    def of(self, entry: Entry) -> Scores:
        """Return the normalised scores of a system."""
        return self.normal[:, self.entries.index(entry)]


def table(contest: Contest, ours: Entry) -> str:
    """Return ranks, normalised scores and how ours compares with each."""
    out = _head(
        "system", f"mean rank of {len(contest.entries)}", "normalised",
        "wins / ties / losses of ours", "difference, 95 % interval", "failed",
    )  # fmt: skip
    order = np.argsort(contest.ranks.mean(axis=0), kind="stable")
    for entry in (contest.entries[i] for i in order):
        column = contest.entries.index(entry)
        duel = "- | -"
        if entry != ours and ours in contest.entries:
            duel = _duel(contest.of(ours) - contest.of(entry))
        out.append(
            f"| {title(entry)} | {contest.ranks[:, column].mean():.2f} | "
            f"{contest.of(entry).mean():.3f} | {duel} | {contest.failed[entry]} |"
        )
    return "\n".join(out) + "\n"


def _duel(difference: Scores) -> str:
    draws = np.random.default_rng(0).integers(len(difference), size=(BOOTSTRAPS, len(difference)))
    low, high = np.percentile(difference[draws].mean(axis=1), [2.5, 97.5])
    win, loss = int((difference > TIE).sum()), int((difference < -TIE).sum())
    counts = f"{win} / {len(difference) - win - loss} / {loss}"
    return f"{counts} | {difference.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def costs(contest: Contest, ours: Entry) -> str:
    """Return times, sizes and memory, and how many times ours each takes."""
    out = _head(
        "system", "fit / budget: median, most", "over 102 %", "one row, ms: median, most",
        "1,000 rows, ms", "model, MB", "memory, MB: most", "one row, 1,000 rows, model: times ours",
    )  # fmt: skip
    for entry in contest.entries:
        late = np.array([r["fit_s"] or np.nan for r in contest.runs[entry]]) / entry[1]
        row, many = _column(contest, entry, "latency_p50_ms"), _column(contest, entry, _MANY)
        size, memory = _column(contest, entry, "size_mb"), _column(contest, entry, "peak_rss_mb")
        times = "-"
        if entry != ours and ours in contest.entries:
            times = ", ".join(
                f"{_ratio(_column(contest, entry, c), _column(contest, ours, c)):.1f}"
                for c in ("latency_p50_ms", _MANY, "size_mb")
            )
        out.append(
            f"| {title(entry)} | {np.nanmedian(late):.3f}, {np.nanmax(late):.3f} | "
            f"{int(np.nansum(late > LATE))} | {np.nanmedian(row):.2f}, {np.nanmax(row):.2f} | "
            f"{1000 * np.nanmedian(many):.1f} | {np.nanmedian(size):.2f} | "
            f"{np.nanmax(memory):.0f} | {times} |"
        )
    return "\n".join(out) + "\n"


_MANY = "predict_s_per_1k"


def _column(contest: Contest, entry: Entry, name: str) -> Scores:
    return np.array([np.nan if r[name] is None else r[name] for r in contest.runs[entry]])


def _ratio(theirs: Scores, ours: Scores) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(theirs / ours)
    return float(np.exp(logs[np.isfinite(logs)].mean()))


def worst(contest: Contest, ours: Entry) -> str:
    """Return the tasks on which ours is furthest behind the best of the others."""
    column = contest.entries.index(ours)
    others = [i for i in range(len(contest.entries)) if i != column]
    if not others:
        return ""
    best = contest.normal[:, others].max(axis=1)
    behind = contest.normal[:, column] - best
    out = _head("furthest behind", "metric", "ours", "the best other", "normalised difference")
    for i in np.argsort(behind, kind="stable")[:WORST]:
        other = others[int(contest.normal[i, others].argmax())]
        metric = next(r["metric"] for r in contest.runs[ours] if r["task"] == contest.tasks[i])
        out.append(
            f"| {contest.tasks[i]} | {metric} | {contest.scores[i, column]:.5g} | "
            f"{contest.scores[i, other]:.5g}, {title(contest.entries[other])} | {behind[i]:+.4f} |"
        )
    return "\n".join(out) + "\n"


def _head(*names: str) -> list[str]:
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


def title(entry: Entry) -> str:
    """Return what a system at a budget is called."""
    system, budget = entry
    return f"{TITLES.get(system, system)}, {budget:g} s"


def _entry(words: str) -> Entry:
    system, _, budget = words.partition("@")
    return system, float(budget)


def _entries(runs: Mapping[tuple[Entry, str, int], Run]) -> list[Entry]:
    return [entry for entry, _, _ in runs]


if __name__ == "__main__":
    main()
