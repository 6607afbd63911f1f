"""Compare the samplers of `Study` on real tables: grid, random, TPE, GP and "auto".

    python bench/tuners/run.py --catalog FILE --out DIR --portfolios DIR
    python bench/tuners/run.py --out DIR --summary

Every sampler searches the same space of the same learner by the same objective, the mean AUC
over the folds of a cross-validation, and is given the same number of trials and the same
seconds (time of the core for fits and proposals, one thread). The AUC that is shown is that of
the best trial's fold models, averaged, on rows that no tuner sees. "auto" starts from the
portfolio's configurations of the learner, learned without the table at hand when
`--portfolios` names files made by ``bench/portfolio/choose.py --each-left-out`` (else from the
order by hand), and gives up trials after their first folds; the others run every fold, as they
are usually meant.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))
from catalog import loader_of

TABLES = ("adult", "bank_marketing", "higgs7k")
SAMPLERS = ("grid", "random", "tpe", "gp", "auto")
#: Configurations that "auto" starts from.
FIRST = 5
FOLDS = 3
#: For each learner: rows that the tuner sees, trials, seconds, and seconds that a fit may take.
#: All of it together takes two cores about 25 minutes.
SIZES = {"lightgbm": (1200, 40, 10.0, 4.0), "mlp": (400, 15, 20.0, 0.7)}
#: A run goes on until it has the trials and the seconds, but never beyond so many trials.
MOST_TRIALS = 400


@dataclass(frozen=True)
class Contest:
    """One run of one sampler."""

    table: str
    learner: str
    sampler: str
    seed: int

    @property
    def name(self) -> str:
        """Return its name, which is also how it is found again."""
        return f"{self.table}/{self.learner}/{self.sampler}/{self.seed}"


def main() -> None:
    """Run what is missing, then print the table."""
    args = _arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "tuners.jsonl"
    if not args.summary:
        os.environ["OMP_NUM_THREADS"] = "1"
        done = {r["name"] for r in _read(path)}
        left = [c for c in _contests(args) if c.name not in done]
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(args.workers, mp_context=context) as pool:
            for record in pool.map(run, left, [vars(args)] * len(left)):
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(record) + "\n")
                took = f"{record['trials']} trials, {record['seconds']:.1f} s"
                print(f"{record['name']:40s} {took}", flush=True)
    summarise(_read(path), args.sizes)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    named = os.environ.get("AUTOGLM_BENCH_CATALOG")
    parser.add_argument("--catalog", type=Path, default=Path(named) if named else None)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--portfolios", type=Path, help="folder of <table>.toml")
    parser.add_argument("--tables", nargs="*", default=TABLES)
    parser.add_argument(
        "--sizes",
        nargs="*",
        default=SIZES,
        action=_Sizes,
        metavar="LEARNER=...",
        help="mlp=400,15,20,0.7: rows, trials, seconds of a run and of a fit",
    )
    parser.add_argument("--samplers", nargs="*", default=SAMPLERS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--summary", action="store_true", help="only print what is there")
    return parser.parse_args()  # fmt: skip


class _Sizes(argparse.Action):
    """Reads sizes as in `SIZES`."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        found = {}
        for text in values:
            name, _, numbers = text.partition("=")
            rows, trials, seconds, fit = numbers.split(",")
            found[name] = (int(rows), int(trials), float(seconds), float(fit))
        setattr(namespace, self.dest, found)


def _contests(args: argparse.Namespace) -> Iterator[Contest]:
    for seed in range(args.seeds):
        for table in args.tables:
            for learner in args.sizes:
                for sampler in args.samplers:
                    yield Contest(table, learner, sampler, seed)


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


def run(contest: Contest, args: dict[str, Any]) -> dict[str, Any]:
    """Run one contest; the clock counts fits and proposals only."""
    with tempfile.TemporaryDirectory() as folder:
        bout = _bout(contest, args, Path(folder))
        _, trials, seconds, _ = args["sizes"][contest.learner]
        number, steps = _search(contest, bout, trials, seconds)
    return {"name": contest.name, **vars(contest), "trials": number,
            "seconds": bout.seconds, "steps": steps}  # fmt: skip


def _search(
    contest: Contest, bout: Bout, trials: int, seconds: float
) -> tuple[int, list[list[float]]]:
    """Return the trials made, and (trial, seconds, validation and held-out AUC) of each best."""
    from autoglm.core.errors import ConfigError
    from autoglm.tuner.study import Study

    first = bout.known_configurations() if contest.sampler == "auto" else ()
    study = Study(bout.space, contest.sampler, seed=contest.seed, first=first)  # type: ignore[arg-type]
    best, number = -np.inf, 0
    steps: list[list[float]] = []
    while number < MOST_TRIALS and (number < trials or bout.seconds < seconds):
        began = time.process_time()
        try:
            trial = study.ask()
        except ConfigError:
            break  # a grid comes to an end
        bout.seconds += time.process_time() - began
        value, models = bout.value(trial)
        study.tell(trial, "pruned" if models is None else "complete", value)
        number += 1
        if models is not None and value > best:
            best = value
            steps.append([number, round(bout.seconds, 3), value, bout.held_out(models)])
    return number, steps


@dataclass
class Bout:
    """A table, a learner and a clock."""

    work: Any
    learner: Any
    test: Any
    y_test: Any
    fit_s: float
    seconds: float = 0.0
    space: Any = field(init=False)

    def __post_init__(self) -> None:
        self.space = self.learner.space(self.work.facts)
        self._X = self.work.view(self.learner.view)

    def known_configurations(self) -> list[dict[str, Any]]:
        """Return what the portfolio knows of this learner."""
        from autoglm.tuner.portfolio import portfolio
        from autoglm.tuner.samplers import projected

        steps = portfolio({self.learner.name: self.learner}, self.work.facts)
        return [projected(params, self.space) for _, params in steps][:FIRST]

    def value(self, trial: Any) -> tuple[float, list[Any] | None]:
        """Return the mean AUC over folds and the models; none for a trial that was given up."""
        from autoglm.tuner.scoring import Scorer
        from autoglm.zoo.contract import Fold, Limits

        scorer, scores, models = Scorer(self.work.metric), [], []
        for number, (train, valid) in enumerate(self.work.folds):
            began = time.process_time()
            fold = Fold(self._X, self.work.y, train, valid)
            limits = Limits(time.monotonic() + self.fit_s, number)
            model = self.learner.fit(fold, trial.params, self.work.facts, limits)
            scores.append(scorer.utility(self.work.y[valid], model.predict(self._X[valid])))
            self.seconds += time.process_time() - began
            models.append(model)
            if trial.study.sampler == "auto" and number + 1 < len(self.work.folds):
                trial.report(float(np.mean(scores)))
                if trial.should_prune():
                    return float(np.mean(scores)), None
        return float(np.mean(scores)), models

    def held_out(self, models: Sequence[Any]) -> float:
        """Return the AUC of the mean of the models on the rows that no tuner sees."""
        from sklearn.metrics import roc_auc_score

        mean = np.mean([m.predict(self.test)[:, 1] for m in models], axis=0)
        return float(roc_auc_score(self.y_test, mean))


def _bout(contest: Contest, args: dict[str, Any], folder: Path) -> Bout:
    from dataclasses import replace

    from autoglm._prepare import RunOptions, prepare
    from autoglm.automl import AutoTask
    from autoglm.dataflow.split import make_folds
    from autoglm.tuner.search import available_learners
    from autoglm.tuner.workspace import Workspace

    rows, _, _, fit_s = args["sizes"][contest.learner]
    named = args["portfolios"]
    os.environ["AUTOGLM_PORTFOLIO"] = str(named / f"{contest.table}.toml") if named else "fixed"
    data = loader_of(args["catalog"]).load_task(contest.table, args["catalog"], 0)
    frame = data.X_train.assign(**{data.y_train.name: data.y_train})
    frame = frame.sample(min(len(frame), rows), random_state=contest.seed).reset_index(drop=True)
    task = AutoTask.create("binary", dataset=frame, target=data.y_train.name, metric="roc_auc")
    work, prepared, _ = prepare(
        frame, task.profile, task.spec, folder, RunOptions(None, 1, None, task.typed)
    )
    learner = available_learners()[contest.learner]
    folds = make_folds(work.y, split="stratified", n_folds=FOLDS, seed=0)
    facts = replace(work.facts, fit_seconds=fit_s)
    views = {learner.view: np.array(work.view(learner.view))}
    work = Workspace.create(folder, views, work.y, folds, facts, work.metric)
    columns = prepared.cleaner.columns(data.X_test)
    test = prepared.encoder.transform(columns, {learner.view})[learner.view]
    y_test = data.y_test.astype(str).to_numpy() == str(prepared.target.names[1])
    return Bout(work, learner, test, y_test, fit_s)


# --- summary -----------------------------------------------------------------


def _at(record: dict[str, Any], column: int, limit: float) -> tuple[float, float]:
    """Return (validation, held-out) AUC of the best trial within a limit, nan without one."""
    within = [step for step in record["steps"] if step[column] <= limit]
    return (within[-1][2], within[-1][3]) if within else (float("nan"), float("nan"))


def _reached(record: dict[str, Any], value: float) -> float:
    """Return the seconds until a validation AUC was reached; infinite if it never was."""
    return next((s[1] for s in record["steps"] if s[2] >= value - 1e-9), float("inf"))


def summarise(records: Sequence[dict[str, Any]], sizes: dict[str, Any]) -> None:
    """Print AUC at equal trials and equal seconds, and the time to random search's best."""
    by_name = {r["name"]: r for r in records}
    print("AUC on held-out rows of the best trial | time to what random search reached within its "
          "trials, as a share of random's own time to it, median (times reached)")  # fmt: skip
    for learner, (_, trials, seconds, _) in sizes.items():
        print(f"{learner}: {trials} trials | {seconds:g} s | time to random's best")
        mine = [r for r in records if r["learner"] == learner]
        for table in (*dict.fromkeys(r["table"] for r in mine), "all"):
            for sampler in dict.fromkeys(r["sampler"] for r in mine):
                rows = [r for r in mine
                        if r["sampler"] == sampler and table in (r["table"], "all")]  # fmt: skip
                print(f"  {table:15s} {sampler:7s} {_line(rows, by_name, trials, seconds)}")


def _line(
    rows: Sequence[dict[str, Any]], by_name: dict[str, Any], trials: int, seconds: float
) -> str:
    of_trials = np.mean([_at(r, 0, trials)[1] for r in rows])
    of_time = np.mean([_at(r, 1, seconds)[1] for r in rows])
    seen = np.mean([_at(r, 1, seconds)[0] for r in rows])
    shares = []
    for r in rows:
        rival = by_name.get(f"{r['table']}/{r['learner']}/random/{r['seed']}")
        if rival:
            goal = _at(rival, 0, trials)[0]
            shares.append(_reached(r, goal) / _reached(rival, goal))
    told = f"{np.median(shares):.2f} ({np.isfinite(shares).sum()} of {len(shares)})"
    return f"{of_trials:.4f} | {of_time:.4f} (validation {seen:.4f}) | {told if shares else '-'}"


if __name__ == "__main__":
    main()
