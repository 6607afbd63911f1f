"""What is told of a finished run: facts of the report, receipts, the frontier."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from autoglm._outputs import Outputs
from autoglm._run_info import RunInfo
from autoglm.core.budget import resident_mb
from autoglm.core.journal import read_journal
from autoglm.evaluate.facts import Candidate, Computed, Receipt, ReportFacts, Spot, Step
from autoglm.evaluate.metrics import Metric, metric
from autoglm.predictor import Predictor
from autoglm.tuner.blend import Outcome
from autoglm.tuner.frontier import on_frontier
from autoglm.tuner.workspace import Workspace

#: Points that are kept for the report and `Predictor.frontier`.
MOST_SPOTS = 60
#: Bytes that manifest, trials and frontier of a short run take, about.
TOLD_BYTES = 12_000


def first_receipts(info: RunInfo, latency: float) -> dict[str, Any]:
    """Return planned and actual of every limit, as far as known before the end."""
    spec = info.spec
    peak = max(info.peak_mb, resident_mb())
    return {
        "time_s": {"planned": info.budget.limit_s, "actual": None},
        "latency_ms": {"planned": spec.latency_ms.value, "actual": round(latency, 3)},
        "size_mb": {"planned": spec.size_mb.value, "actual": None},
        "memory_mb": {"planned": spec.memory_mb.value, "actual": round(peak, 1)},
    }


def receipt_rows(receipts: Mapping[str, Mapping[str, Any]]) -> tuple[Receipt, ...]:
    """Return the receipts of a run as a report shows them."""
    return tuple(
        Receipt(name, r["planned"], r["actual"], r.get("fast"))
        for name, r in receipts.items()
        if "planned" in r
    )


def settle(predictor: Predictor, outputs: Outputs, info: RunInfo) -> None:
    """Put the last figures into receipts and facts: what everything took in the end."""
    assert predictor.facts is not None
    receipts, limit = predictor.receipts, predictor.spec.size_mb.value
    spots = _spots(outputs, receipts, _unit(predictor))
    predictor.facts = replace(predictor.facts, frontier=spots)
    receipts["time_s"]["actual"] = round(info.budget.elapsed(), 3)
    _tell_receipts(predictor)  # what they take counts too
    # A smaller model goes before charts that can be drawn from it later, and before tables.
    for part in ({"y": None, "prediction": None}, {"profile": None, "findings": ()}):
        if limit is not None and predictor.saved_mb() > limit:
            predictor.facts = replace(predictor.facts, **part)
    if predictor.fast is not predictor.blend:
        receipts["size_mb"]["fast"] = round(predictor.variant("fast").saved_mb(), 3)
    receipts["size_mb"]["actual"] = round(predictor.saved_mb(), 3)
    _tell_receipts(predictor)


def _tell_receipts(predictor: Predictor) -> None:
    """Say of each limit whether it was kept, in the receipts and in the report."""
    assert predictor.facts is not None
    rows = receipt_rows(predictor.receipts)
    for row in rows:
        predictor.receipts[row.name] |= {"kept": row.kept, "over": row.over}
    predictor.facts = replace(predictor.facts, receipts=rows)


def told_mb(info: RunInfo) -> float:
    """Return about what a bundle takes beside models and encoding, megabytes.

    Without what may be left out of it, see `settle`.
    """
    # The spec stands in the manifest, in the report and by itself.
    return (3 * len(info.spec.to_json().encode()) + TOLD_BYTES) / 1e6


def _unit(predictor: Predictor) -> Metric:
    spec = predictor.spec
    return metric(spec.metric.value, false_negative_cost=spec.false_negative_cost.value)


def _spots(outputs: Outputs, receipts: Mapping[str, Any], unit: Metric) -> tuple[Spot, ...]:
    """Return the frontier as the report shows it; latencies between the measured ones."""
    latency = receipts["latency_ms"]
    door, pace = _pace(outputs, latency["actual"], latency.get("fast"))
    marks = on_frontier(outputs.points)
    spots = []
    for point, mark in zip(outputs.points, marks, strict=True):
        role = outputs.role(point)
        known = {"best": latency["actual"], "fast": latency.get("fast")}.get(role)
        about = max(0.02, door + pace * point.row_us / 1e3)
        spots.append(Spot(
            model=point.title,
            score=unit.to_utility(point.mix.score),
            loss=max(0.0, round(point.loss, 6)),
            latency_ms=round(about if known is None else known, 4),
            size_mb=round(point.size_mb, 4),
            cost_s=round(point.cost_s, 3),
            models=point.models,
            frontier=mark,
            chosen=role,
            measured=known is not None,
        ))  # fmt: skip
    spots.sort(key=lambda s: (not s.chosen, not s.frontier, s.loss))
    return tuple(spots[:MOST_SPOTS])


def _pace(outputs: Outputs, best_ms: float, fast_ms: float | None) -> tuple[float, float]:
    """Return what a row takes beside the models, ms, and the true share of their estimate."""
    best, fast = outputs.best.row_us / 1e3, outputs.fast.row_us / 1e3
    if fast_ms is None or best <= 1.2 * fast:
        return best_ms - best, 1.0
    pace = float(np.clip((best_ms - fast_ms) / (best - fast), 0.1, 30.0))
    return fast_ms - pace * fast, pace


def run_facts(
    outcome: Outcome, predictor: Predictor, work: Workspace, info: RunInfo, compared: range
) -> ReportFacts:
    """Return what a report tells of a run.

    Parameters
    ----------
    outcome
        The "best" output, with its out-of-fold predictions.
    predictor
        The same as a model; its receipts and trials are told.
    work, info
        The workspace, and what the run knows beside it.
    compared
        Folds that trials were compared on.
    """
    target = info.prepared.target
    y, prediction = work.y[outcome.rows], outcome.prediction
    if work.facts.regression:
        y, prediction = target.decode(y), target.decode(prediction)
    unit = _unit(predictor)
    # Where only one fold was compared, the chosen have the other folds of one validation.
    most = max((t["folds"] for t in predictor.trials), default=0)
    folds = len(compared) if len(compared) > 1 else most
    return ReportFacts(
        spec=info.spec,
        profile=info.profile,
        findings=info.findings,
        leaderboard=_candidates(predictor, unit),
        y=y,
        prediction=prediction,
        classes=target.names,
        rule=None if work.facts.regression else predictor.blend.rule,
        score=predictor.scored(y, prediction, unit),
        history=_history(work.folder, unit, compared),
        receipts=receipt_rows(predictor.receipts),
        computed=tuple(
            Computed(one.text, one.reason, one.gain, one.cost_ms)
            for one in info.prepared.cleaner.derived
        ),
        n_folds=folds or None,
        stopped_by=predictor.stopped_by,
        model={
            "learners": ", ".join(dict.fromkeys(m.learner for m in predictor.blend.members)),
            "models": sum(len(m.models) for m in predictor.blend.members),
            "features": max(work.facts.n_features.values()),
            "python": platform.python_version(),
            "run": work.folder.name,
        },
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _candidates(predictor: Predictor, unit: Any) -> tuple[Candidate, ...]:
    weights = {m.key: m.weight for m in predictor.blend.members}
    return tuple(
        Candidate(
            learner=t["learner"],
            score=None if t["score"] is None else unit.to_utility(t["score"]),
            seconds=t["fit_s"],
            folds=t["folds"],
            weight=weights.get(t["key"], 0.0),
            predict_ms=t["predict_us"] / 1e3,
            params=t["params"],
        )
        for t in predictor.trials
    )


def _history(folder: Path, unit: Any, compared: range) -> tuple[Step, ...]:
    """Return the mean score of each trial when the last of its compared folds ended."""
    scores: dict[str, list[float]] = {}
    last: dict[str, tuple[float, str]] = {}
    for record in read_journal(folder / "journal.log"):
        if record["kind"] == "fold" and record["score"] is not None and record["fold"] in compared:
            scores.setdefault(record["key"], []).append(record["score"])
            last[record["key"]] = (record["elapsed_s"], record["learner"])
    steps = [
        Step(elapsed, unit.to_utility(float(np.mean(scores[key]))), learner)
        for key, (elapsed, learner) in last.items()
    ]
    return tuple(sorted(steps, key=lambda s: s.elapsed_s))


def score_of(outcome: Outcome, predictor: Predictor, work: Workspace) -> float:
    """Return the score of an output on its out-of-fold predictions, in the metric's own unit."""
    y, prediction = work.y[outcome.rows], outcome.prediction
    if work.facts.regression:
        target = predictor.prepared.target
        y, prediction = target.decode(y), target.decode(prediction)
    return predictor.scored(y, prediction, _unit(predictor))
