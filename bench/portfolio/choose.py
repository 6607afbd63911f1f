"""Choose the portfolio from cached predictions and write it as TOML.

    python bench/portfolio/choose.py --cache DIR --out autoglm/tuner/portfolio.toml
    python bench/portfolio/choose.py --cache DIR --leave-out adult --out without-adult.toml
    python bench/portfolio/choose.py --cache DIR --each-left-out DIR2
    python bench/portfolio/choose.py --cache DIR --evaluate

Greedy, for each kind of task and class of size: the next step is the configuration that adds
most to the ensemble of those before it for the time it takes, averaged over tables. Time
counts by its logarithm, as a run may have ten seconds or three hundred. Tables of the same
class of size count in full, others of the kind less.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from boards import Board
from cache import Cache
from configurations import named, readable

from autoglm.tuner.portfolio import FORMAT, LEAD, ORDER, SIZES
from autoglm.tuner.search import available_learners

KINDS = ("binary", "multiclass", "regression")
#: Weight of a table whose class of size is 0, 1 or 2 steps away.
WEIGHTS = (1.0, 0.35, 0.12)
LENGTH = 16
#: Candidates of a learner that are looked at: the best ones on the average, and any that is
#: among the best three on some table.
KEPT, ALSO_BEST = 8, 3
#: A candidate must have been run on this share of the tables that its learner suits.
COVERED = 0.7
#: Standard errors that are taken off a mean gain, against picking what was lucky.
CAUTION = 0.25
#: Candidates whose gain is computed exactly, of those that screen best.
EXACT = 5
#: A step must add so much.
LEAST_GAIN = 0.004
#: Tables of a kind that something can be learned from; those of another class of size count as
#: their weight.
LEAST_TABLES = 4.0
#: Seconds before the first model, against dividing by nothing.
START_S = 0.5


@dataclass(frozen=True)
class Chosen:
    """A step of the sequence: the configuration, what it adds, and its cost."""

    name: str
    gain: float
    cost: float


def main() -> None:
    """Write what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="SOURCE")
    parser.add_argument(
        "--each-left-out",
        type=Path,
        metavar="DIR",
        help="write DIR/<source>.toml for every source that is not made up",
    )
    parser.add_argument("--sources", nargs="*", help="with --each-left-out: only these")
    parser.add_argument("--learners", nargs="*", help="only these learners may be chosen")
    parser.add_argument(
        "--evaluate",
        action="store_true",
        help="compare with the order by hand, each source left out in turn",
    )
    args = parser.parse_args()  # fmt: skip
    library = Library(Cache(args.cache), args.learners)
    if args.out:
        args.out.write_text(library.text(frozenset(args.leave_out)), encoding="utf-8")
    if args.each_left_out:
        args.each_left_out.mkdir(parents=True, exist_ok=True)
        for source in args.sources or library.real_sources():
            text = library.text(frozenset([source]))
            (args.each_left_out / f"{source}.toml").write_text(text, encoding="utf-8")
    if args.evaluate:
        library.evaluate()


class Library:
    """All boards of a cache, loaded kind by kind."""

    def __init__(self, cache: Cache, learners: Sequence[str] | None = None) -> None:
        self._cache = cache
        self._by_cut: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        for record in cache.records:
            if not learners or record["configuration"].split("/")[0] in learners:
                self._by_cut[record["table"]][record["configuration"]] = record
        self._boards: dict[str, list[Board]] = {}
        self._texts: dict[tuple[str, frozenset[str]], list[str]] = {}

    def real_sources(self) -> list[str]:
        """Return the sources that are neither made up nor bundled."""
        found = {r["source"] for r in self._cache.records}
        return sorted(s for s in found if not s.startswith(("made_", "sk_")))

    def boards(self, kind: str) -> list[Board]:
        """Return the boards of a kind of task."""
        if kind not in self._boards:
            cuts = [list(by.values()) for by in self._by_cut.values()]
            self._boards[kind] = [Board(self._cache, c) for c in cuts if c[0]["kind"] == kind]
        return self._boards[kind]

    def text(self, left_out: frozenset[str]) -> str:
        """Return the portfolio file learned without some sources."""
        sources = {r["source"] for r in self._cache.records} - left_out
        names = {r["configuration"] for r in self._cache.records}
        head = [
            "# Written by bench/portfolio/choose.py; see its README. Do not edit by hand.",
            f"format = {FORMAT}",
            f"learners = {json.dumps(sorted({n.split('/')[0] for n in names}))}",
            f"learned_on = {len(sources)}  # tables",
            f"configurations = {len(names)}",
            f"left_out = {json.dumps(sorted(left_out))}",
        ]
        steps = [line for kind in KINDS for line in self._lines(kind, left_out)]
        return "\n".join([*head, *steps]) + "\n"

    def _lines(self, kind: str, left_out: frozenset[str]) -> list[str]:
        own = frozenset(s for s in left_out if any(b.source == s for b in self.boards(kind)))
        if (kind, own) not in self._texts:
            boards = [b for b in self.boards(kind) if b.source not in own]
            lines: list[str] = []
            for size, _ in SIZES:
                for step in sequence(boards, size):
                    lines += ["", f"[[steps.{kind}.{size}]]", *_toml(step, kind)]
            self._texts[kind, own] = lines
        return self._texts[kind, own]

    def evaluate(self) -> None:
        """Print the area under the curve of what was learned beside that of the order by hand."""
        print(f"{'cut':34s} {'kind':11s} {'size':7s} {'learned':>8s} {'by hand':>8s}")
        rows = []
        for board in (b for kind in KINDS for b in self.boards(kind)):
            others = [b for b in self.boards(board.kind) if b.source != board.source]
            by_hand = _by_hand(board)
            steps = [*_lead(board), *(step.name for step in sequence(others, board.size))]
            steps += [name for name in by_hand if name not in steps]
            rows.append((board.kind, board.size, board.area(steps), board.area(by_hand)))
            print(f"{board.name:34s} {board.kind:11s} {board.size:7s} "
                  f"{rows[-1][2]:8.3f} {rows[-1][3]:8.3f}", flush=True)  # fmt: skip
        _summary(rows)


def _summary(rows: Sequence[tuple[str, str, float, float]]) -> None:
    groups: dict[str, list[float]] = defaultdict(list)
    for kind, size, learned, by_hand in rows:
        for group in (f"{kind} {size}", f"all {kind}", "all"):
            groups[group].append(learned - by_hand)
    for group, found in groups.items():
        won = sum(d > 1e-3 for d in found)
        lost = sum(d < -1e-3 for d in found)
        print(f"{group:24s} mean {np.mean(found):+.3f}  won {won}  lost {lost}  of {len(found)}")


def _by_hand(board: Board) -> list[str]:
    return [n for n in (f"{name}/d{i}" for name, i in ORDER) if n in board.seconds]


def _lead(board: Board) -> list[str]:
    return [n for n in (f"{name}/d{i}" for name, i in LEAD) if n in board.seconds]


def sequence(boards: Sequence[Board], size: str) -> list[Chosen]:
    """Return the steps for a class of size, learned on boards of one kind.

    None from fewer than `LEAST_TABLES` tables: the order by hand is the better guess then.
    """
    sizes = [name for name, _ in SIZES]
    weights = np.array([WEIGHTS[abs(sizes.index(b.size) - sizes.index(size))] for b in boards])
    heaviest: dict[str, float] = defaultdict(float)
    for board, weight in zip(boards, weights, strict=True):
        heaviest[board.source] = max(heaviest[board.source], float(weight))
    if sum(heaviest.values()) < LEAST_TABLES:
        return []
    lead = {f"{name}/d{i}" for name, i in LEAD}
    left = _candidates(boards, weights) - lead
    chosen: list[Chosen] = []
    while left and len(chosen) < LENGTH:
        before = [*sorted(lead), *(c.name for c in chosen)]
        rates = {n: _rate(boards, weights, before, n, exact=False) for n in sorted(left)}
        best = sorted(rates, key=lambda n: -rates[n][0])[:EXACT]
        exact = {n: _rate(boards, weights, before, n, exact=True) for n in best}
        name = max(exact, key=lambda n: exact[n][0])
        if exact[name][1] < LEAST_GAIN:
            break
        left.remove(name)
        chosen.append(Chosen(name, exact[name][1], _relative_cost(boards, weights, name)))
    return chosen


def _rate(
    boards: Sequence[Board],
    weights: np.ndarray[Any, Any],
    before: Sequence[str],
    name: str,
    *,
    exact: bool,
) -> tuple[float, float]:
    """Return the careful mean gain for the logarithm of time it takes, and the mean gain."""
    if exact:
        gains = np.array([b.score([*before, name]) - b.score(before) for b in boards])
    else:
        gains = np.array([b.gain(before, name) for b in boards])
    mean = float(np.average(gains, weights=weights))
    spread = float(np.sqrt(np.average((gains - mean) ** 2, weights=weights)))
    effective = weights.sum() ** 2 / (weights**2).sum()
    careful = mean - CAUTION * spread / np.sqrt(effective)
    spent = np.array([START_S + sum(b.cost(n) for n in before) for b in boards])
    longer = np.log1p(np.array([b.cost(name) for b in boards]) / spent)
    return careful / max(float(np.average(longer, weights=weights)), 1e-6), mean


def _candidates(boards: Sequence[Board], weights: np.ndarray[Any, Any]) -> set[str]:
    """Return the configurations that are worth a closer look."""
    by_learner: dict[str, list[str]] = defaultdict(list)
    for name in {n for b in boards for n in b.seconds}:
        learner = name.split("/")[0]
        suited = [b for b in boards if any(n.startswith(learner + "/") for n in b.seconds)]
        if sum(name in b.seconds for b in suited) >= COVERED * len(suited):
            by_learner[learner].append(name)
    kept: set[str] = set()
    for names in by_learner.values():
        mean = {n: float(np.average([b.standing(n) for b in boards], weights=weights))
                for n in names}  # fmt: skip
        kept.update(sorted(names, key=lambda n: (-mean[n], n))[:KEPT])
    usable = {n for names in by_learner.values() for n in names}
    for board in boards:
        ranked = sorted(usable & set(board.singles), key=lambda n: (-board.singles[n], n))
        kept.update(ranked[:ALSO_BEST])
    return kept


def _relative_cost(boards: Sequence[Board], weights: np.ndarray[Any, Any], name: str) -> float:
    pairs = [(np.log(b.cost(name) / b.unit_s), w) for b, w in zip(boards, weights, strict=True)
             if b.cost(name) > 0]  # fmt: skip
    logs, of = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    return float(np.exp(np.average(logs, weights=of)))


def _toml(step: Chosen, kind: str) -> Iterable[str]:
    learners = available_learners()
    entry = named(step.name, learners, kind).entry  # type: ignore[arg-type]
    entry = readable(entry, learners[entry.learner], kind)  # type: ignore[arg-type]
    entry = replace(entry, gain=round(step.gain, 4), cost=float(f"{step.cost:.3g}"))
    yield f'learner = "{entry.learner}"'
    if entry.default is not None:
        yield f"default = {entry.default}"
    if entry.params:
        parts = [f"{name} = {_value(value)}" for name, value in entry.params.items()]
        yield "params = { " + ", ".join(parts) + " }"
    yield f"gain = {entry.gain}"
    yield f"cost = {entry.cost}"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ share = " + str(value["share"]) + " }"
    return json.dumps(value)


if __name__ == "__main__":
    main()
