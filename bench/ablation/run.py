"""What each part adds: the same runs with one part taken out at a time.

    python bench/ablation/run.py --catalog FILE --out DIR [--portfolios DIR2] [--budget 10]
    python bench/ablation/run.py --out DIR --summary

A quarter of each table's training part is held out and scored; no test split is read. DIR2 holds
a portfolio for each table that was learned without it (``bench/portfolio/choose.py
--each-left-out``). A run that is there already is not done again. Nothing else should be running.

whole        everything
portfolio    the order by hand instead of the learned one
features     no target encoding, crosses or arithmetic inside members
splines      without the linear model over splines
network      without the network
ensemble     greedy selection by the metric instead of the log pool with a ridge
refits       models of folds alone, none that is fitted on all rows
computed     the other way round: with computed columns, which are off otherwise
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))
from catalog import loader_of

TABLES = (
    "adult", "bank_marketing", "credit_g", "blood_transfusion", "churn_mlc", "sick", "mammography",
    "higgs7k", "credit_data_missing", "car", "cnae9", "letter", "cmc", "eucalyptus", "ames",
    "california_housing", "wine_quality_white", "insurance", "midwest_survey", "videogame_sales",
)  # fmt: skip
#: A change of the remaining error by less than this share counts as none.
TIE = 0.002
#: Steps of the greedy selection.
STEPS = 40


def main() -> None:
    """Do the runs that are missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--catalog", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--portfolios", type=Path, help="folder of portfolios, one for each table")
    parser.add_argument("--budget", type=float, default=10.0, help="seconds")
    parser.add_argument("--tables", nargs="*", default=TABLES)
    parser.add_argument("--parts", nargs="*", default=list(PARTS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--summary", action="store_true")
    parser.add_argument("--one", nargs=3, metavar=("TABLE", "PART", "SEED"))
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(*args.one[:2], int(args.one[2]), args)))
        return
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "ablation.jsonl"
    path.touch()
    found = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    done = {(r["table"], r["part"], r["seed"], r["budget_s"]) for r in found}
    for seed in range(args.seeds if not args.summary else 0):
        for table in args.tables:
            for part in args.parts:
                if (table, part, seed, args.budget) not in done:
                    found.append(_apart(table, part, seed, args))
                    with path.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(found[-1]) + "\n")
    print(summary([r for r in found if r["budget_s"] == args.budget]))


def _apart(table: str, part: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Return what a run in a process of its own tells."""
    order = str(args.portfolios / f"{table}.toml") if args.portfolios else "learned"
    told = subprocess.run(
        [sys.executable, __file__, "--catalog", args.catalog, "--out", args.out, "--budget",
         str(args.budget), "--one", table, part, str(seed)],
        check=True, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"AUTOGLM_META_STORE": "off",
                          "AUTOGLM_PORTFOLIO": "fixed" if part == "portfolio" else order},
    ).stdout  # fmt: skip
    record: dict[str, Any] = json.loads(told.splitlines()[-1])
    return record


def one(table: str, part: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Return the score of one run on the rows that were held out."""
    from sklearn.model_selection import train_test_split

    from autoglm import AutoTask

    data = loader_of(args.catalog).load_task(table, args.catalog, 0)
    frame = data.X_train.drop(columns="target", errors="ignore")
    frame = frame.assign(target=data.y_train.to_numpy())
    classes = data.task_type != "regression"
    rest, held = train_test_split(
        frame, test_size=0.25, random_state=seed, stratify=frame["target"] if classes else None
    )
    rest, held = rest.reset_index(drop=True), held.reset_index(drop=True)
    task = AutoTask.create(dataset=rest, target="target", metric=data.metric)
    pipeline = task.auto_build()
    PARTS[part](pipeline)
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        model = pipeline.launch(time_limit=args.budget, run_dir=folder)
        seconds = time.monotonic() - start
        score = float(model.evaluate(held)[data.metric])
        guess = _guess(rest["target"], held["target"], data.metric)
    return {
        "table": table, "part": part, "seed": seed, "budget_s": args.budget,
        "metric": data.metric, "score": round(score, 6), "guess": round(guess, 6),
        "seconds": round(seconds, 2),
        "members": [f"{m.learner} {m.weight:.2f}" for m in model.blend.members],
        "computed": [one.text for one in model.prepared.cleaner.derived],
    }  # fmt: skip


def _guess(known: Any, asked: Any, metric: str) -> float:
    """Return the score of always saying the same."""
    if metric == "rmse":
        return float(np.sqrt(np.mean((asked - known.mean()) ** 2)))
    if metric == "roc_auc":
        return 0.5
    shares = known.value_counts(normalize=True)
    return float(-np.log(asked.map(shares).fillna(1e-15)).mean())


# --- parts -----------------------------------------------------------------


def _whole(_: Any) -> None:
    pass


def _no_recipes(_: Any) -> None:
    from autoglm.zoo.lightgbm import LightGBM

    known = LightGBM.defaults
    LightGBM.defaults = lambda self, facts: known(self, facts)[:6]


def _without(learner: str) -> Callable[[Any], None]:
    return lambda pipeline: pipeline.learners.remove(learner)


def _folds_alone(_: Any) -> None:
    from autoglm.tuner import plan

    plan.WHOLE = 0


def _computed(_: Any) -> None:
    os.environ["AUTOGLM_FEATURES"] = "rules"


def _greedy(_: Any) -> None:
    from autoglm.tuner import library

    library.select = greedy


def greedy(
    candidates: Sequence[Any],
    y: Any,
    scorer: Any,
    *,
    costs: Sequence[float] | None = None,
    max_cost: float = float("inf"),
    max_members: int = 12,
) -> Any:
    """Add, with replacement, the candidate that helps most; keep the best of all steps.

    Caruana et al., "Ensemble Selection from Libraries of Models" (ICML 2004).
    """
    from autoglm.tuner.ensemble import Weights

    price = np.zeros(len(candidates)) if costs is None else np.asarray(costs)
    rows = np.random.default_rng(0).permutation(len(y))[:10_000]
    parts, truth = [np.asarray(c[rows], np.float64) for c in candidates], y[rows]
    total, taken = np.zeros_like(parts[0]), np.zeros(len(parts))
    best: tuple[float, Any] | None = None
    for step in range(1, STEPS + 1):
        able = [
            i for i in range(len(parts))
            if taken[i] or (price[taken > 0].sum() + price[i] <= max_cost
                            and (taken > 0).sum() < max_members)
        ] or [int(np.argmin(price))]  # fmt: skip
        scores = [scorer.utility(truth, (total + parts[i]) / step) for i in able]
        chosen = able[int(np.argmax(scores))]
        total, taken[chosen] = total + parts[chosen], taken[chosen] + 1
        if best is None or max(scores) > best[0]:
            best = max(scores), taken.copy()
    assert best is not None
    members = [int(i) for i in np.argsort(-best[1], kind="stable") if best[1][i]]
    shares = best[1] / best[1].sum()
    return Weights(tuple(members), tuple(float(shares[i]) for i in members), float(best[0]))


PARTS: dict[str, Callable[[Any], None]] = {
    "whole": _whole,
    "portfolio": _whole,
    "features": _no_recipes,
    "splines": _without("spline_linear"),
    "network": _without("mlp"),
    "ensemble": _greedy,
    "refits": _folds_alone,
    "computed": _computed,
}


# --- summary -----------------------------------------------------------------


def summary(records: Sequence[dict[str, Any]]) -> str:
    """Return what is lost without each part, as a share of what the whole gains over a guess."""
    runs: dict[tuple[str, int], dict[str, dict[str, Any]]] = {}
    for record in records:
        runs.setdefault((record["table"], record["seed"]), {})[record["part"]] = record
    lines = ["| without | mean change | median | better / as good / worse |", "|---|---|---|---|"]
    for part in PARTS:
        pairs = [(r["whole"], r[part]) for r in runs.values() if "whole" in r and part in r]
        if part == "whole" or not pairs:
            continue
        changes = [_gain(without) / _gain(whole) - 1.0 for whole, without in pairs]
        better, worse = sum(c > TIE for c in changes), sum(c < -TIE for c in changes)
        same = len(changes) - better - worse
        mean, median = 100 * statistics.mean(changes), 100 * statistics.median(changes)
        told = f"{mean:+.2f} % | {median:+.2f} % | {better} / {same} / {worse}"
        lines.append(f"| {part} | {told} |")
    return "\n".join(lines)


def _gain(record: dict[str, Any]) -> float:
    """Return what a run gains over a guess."""
    sign = 1.0 if record["metric"] == "roc_auc" else -1.0
    return float(max(sign * (record["score"] - record["guess"]), 1e-9))


if __name__ == "__main__":
    main()
