"""From finished trials to a predictor: blend, limits kept, facts, bundle."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from autoglm._measure import measure, sample_rows
from autoglm._prepare import Prepared
from autoglm.core.budget import TimeBudget, resident_mb
from autoglm.core.errors import WorkerError
from autoglm.core.events import emit
from autoglm.core.journal import read_journal
from autoglm.core.spec import TaskSpec
from autoglm.core.text import say
from autoglm.dataflow.findings import Finding
from autoglm.dataflow.profile import TableProfile
from autoglm.evaluate.facts import Candidate, Receipt, ReportFacts, Step
from autoglm.evaluate.metrics import metric
from autoglm.predictor import Predictor, measure_latency_ms
from autoglm.tuner.blend import DEFAULT_PREDICT_US, DEFAULT_SIZE_MB, Outcome, build_blend
from autoglm.tuner.executor import InlineExecutor, Job
from autoglm.tuner.search import SearchOutcome
from autoglm.tuner.trials import Trial
from autoglm.tuner.workspace import Workspace

#: Time that a report takes to write, about; with less left it is left for the asking.
REPORT_S = 0.6
#: Megabytes of models that can be finished in a second, about.
MB_PER_SECOND = 6.0


@dataclass
class RunInfo:
    """What a run knows beside its workspace.

    Attributes
    ----------
    spec, profile, findings
        The task and what was found in its table.
    prepared
        What turns raw rows into views.
    budget
        Time of the whole run.
    peak_mb
        Highest memory seen, all processes together.
    """

    spec: TaskSpec
    profile: TableProfile | None
    findings: tuple[Finding, ...]
    prepared: Prepared
    budget: TimeBudget
    peak_mb: float = 0.0

    def to_json(self) -> str:
        """Return what a resumed run needs, as JSON."""
        return json.dumps(
            {
                "spec": json.loads(self.spec.to_json()),
                "profile": self.profile.model_dump(mode="json") if self.profile else None,
                "findings": [f.model_dump(mode="json") for f in self.findings],
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str, prepared: Prepared, budget: TimeBudget) -> RunInfo:
        """Read what `to_json` wrote."""
        data = json.loads(text)
        profile = TableProfile.model_validate(data["profile"]) if data["profile"] else None
        findings = tuple(Finding.model_validate(f) for f in data["findings"])
        spec = TaskSpec.from_json(json.dumps(data["spec"]))
        return cls(spec, profile, findings, prepared, budget)


def finish(found: SearchOutcome, work: Workspace, info: RunInfo) -> Predictor:
    """Blend, keep the limits of the task, measure, and write the bundle into the run folder."""
    complete = [t for t in found.trials if t.state == "complete"]
    if not complete:
        complete = [_fallback(found, work, info.spec.seed.value)]
    outcome, predictor = _within_limits(complete, found, work, info)
    predictor.facts = _facts(outcome, predictor, work, info, found.compared)
    emit("ensemble_ready", members=len(outcome.blend.members), score=predictor.facts.score)
    left = info.budget.remaining()
    if left > 0.3:
        predictor.facts = replace(
            predictor.facts, **measure(work, info.prepared, outcome.blend, min(0.4 * left, 5.0))
        )
    predictor.receipts["time_s"]["actual"] = round(info.budget.elapsed(), 3)
    predictor.facts = replace(predictor.facts, receipts=_receipt_rows(predictor.receipts))
    predictor.save(work.folder / "model")
    if info.budget.remaining() > REPORT_S:
        predictor.report(work.folder / "report.html")
    return predictor


def _fallback(found: SearchOutcome, work: Workspace, seed: int) -> Trial:
    """Return a constant model, fitted now: there was no time for anything better.

    Raises
    ------
    WorkerError
        When not even that can be fitted or scored.
    """
    trial = Trial(len(found.trials), "constant", {}, seed)
    executor = InlineExecutor(work.folder)
    executor.submit(Job(trial.key, 0, "constant", {}, seed, 60.0))
    result = executor.wait(0.0)[0]
    if result.score is None:
        reason = next((t.reason for t in found.trials if t.reason), result.error)
        raise WorkerError(
            say(en=f"No model could be fitted: {reason}", zh=f"没有模型能够训练:{reason}"),
            hint=say(en="Look at the metric and the table; AUTOGLM_DEBUG=1 shows the traceback.",
                     zh="请检查指标与表格;AUTOGLM_DEBUG=1 会显示错误堆栈。"),
        )  # fmt: skip
    trial.results[0], trial.state = result, "complete"
    found.trials.append(trial)
    return trial


def _within_limits(
    complete: Sequence[Trial], found: SearchOutcome, work: Workspace, info: RunInfo
) -> tuple[Outcome, Predictor]:
    """Build the blend; while it misses a limit on latency, build a cheaper one."""
    spec = info.spec
    rows, _ = sample_rows(work)
    records = [{str(k): v for k, v in r.items()} for r in rows.head(12).to_dict("records")]
    classes = work.facts.n_classes if work.facts.n_classes > 2 else 0
    max_us = DEFAULT_PREDICT_US * (1 + classes / 3)
    size = 0.9 * spec.size_mb.value if spec.size_mb.value is not None else DEFAULT_SIZE_MB
    # Large models take their time to be read, merged and written.
    size = min(size, max(2.0, MB_PER_SECOND * info.budget.remaining()))
    while True:
        outcome = build_blend(
            complete, work,
            max_predict_us=max_us,
            max_size_mb=size,
            seed=spec.seed.value,
        )  # fmt: skip
        predictor = Predictor(
            spec=spec,
            prepared=info.prepared,
            blend=outcome.blend,
            trials=[{"key": t.key, **t.to_record(found.compared)} for t in found.trials],
            run_dir=work.folder,
            stopped_by=found.stopped_by,
        )
        latency = measure_latency_ms(predictor, records)
        wanted = spec.latency_ms.value
        if wanted is None or latency <= wanted or len(outcome.blend.members) == 1:
            break
        costs = [t.bag()["predict_us"] for t in complete]
        max_us = max(min(costs), 0.5 * min(max_us, sum(costs)))
        if max_us <= min(costs):
            complete = [min(complete, key=lambda t: t.bag()["predict_us"])]
    predictor.receipts = _receipts(predictor, info, latency)
    return outcome, predictor


def _receipts(predictor: Predictor, info: RunInfo, latency: float) -> dict[str, Any]:
    spec = info.spec
    size = sum(map(len, predictor.blend.dump().values())) / 1e6
    size += sum(map(len, info.prepared.dump().values())) / 1e6
    peak = max(info.peak_mb, resident_mb())
    return {
        "time_s": {"planned": info.budget.limit_s, "actual": None},
        "latency_ms": {"planned": spec.latency_ms.value, "actual": round(latency, 3)},
        "size_mb": {"planned": spec.size_mb.value, "actual": round(size, 3)},
        "memory_mb": {"planned": spec.memory_mb.value, "actual": round(peak, 1)},
    }


def _receipt_rows(receipts: dict[str, Any]) -> tuple[Receipt, ...]:
    return tuple(Receipt(name, r["planned"], r["actual"]) for name, r in receipts.items())


def _facts(
    outcome: Outcome, predictor: Predictor, work: Workspace, info: RunInfo, compared: range
) -> ReportFacts:
    target = info.prepared.target
    y, prediction = work.y[outcome.rows], outcome.prediction
    if work.facts.regression:
        y, prediction = target.decode(y), target.decode(prediction)
    unit = metric(work.metric.name, false_negative_cost=work.metric.false_negative_cost)
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
        receipts=_receipt_rows(predictor.receipts),
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
