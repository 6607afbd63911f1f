"""From finished trials to a predictor: blend, limits kept, facts, bundle."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from autoglm._account import first_receipts, run_facts, score_of, settle, told_mb
from autoglm._measure import measure, sample_rows
from autoglm._outputs import Kind, Outputs, built, choose_outputs, fast_models, rooms
from autoglm._run_info import RunInfo
from autoglm.core.errors import WorkerError
from autoglm.core.events import emit
from autoglm.core.files import write_file
from autoglm.core.text import say
from autoglm.evaluate.fairness import MOST_GAP, selection_gap
from autoglm.evaluate.report import render_report
from autoglm.predictor import Predictor
from autoglm.tuner.allowance import Allowance
from autoglm.tuner.blend import Outcome
from autoglm.tuner.executor import Executor, InlineExecutor, Job
from autoglm.tuner.refit import Refits
from autoglm.tuner.search import SearchOutcome
from autoglm.tuner.trials import Trial
from autoglm.tuner.workspace import Workspace

__all__ = ["RunInfo", "finish"]

#: Time that a report takes to write, about; with less left it is left for the asking.
REPORT_S = 0.6
#: Seconds that "fast" and saving take after the measurements, about, and the share of what is
#: left beyond them that measurements may take.
AFTER_S, MEASURE_SHARE = 0.4, 0.4
#: Seconds, and share of the time left, for comparing compiled and ordinary predictions.
COMPARE_S, COMPARE_SHARE = 0.3, 0.1
#: Rows and values that directions are checked on, and the relative change that counts as none.
WALKED_ROWS, WALK, SAME = 40, 16, 1e-6


def finish(found: SearchOutcome, work: Workspace, info: RunInfo, executor: Executor) -> Predictor:
    """Make both outputs, keep the limits of the task, measure, and write the bundle.

    Parameters
    ----------
    found, work
        What the search leaves, and its workspace.
    info
        What the run knows beside it.
    executor
        Fits the members of "fast" again while the rest is made.
    """
    complete = [t for t in found.trials if t.state == "complete"]
    # Where nothing was finished as planned, what there is.
    complete = complete or [t for t in found.trials if t.done()]
    if not complete:
        complete = [_fallback(found, work, info.spec.seed.value)]
    maker = _Maker(found, work, info)
    outputs = maker.chosen(complete)
    refits = None if outputs.one else fast_models(outputs, executor, work, info.budget)
    outcome, outputs = maker.best(outputs)
    predictor = maker.predictor
    predictor.facts = run_facts(outcome, predictor, work, info, found.compared)
    emit("ensemble_ready", members=len(outcome.blend.members), score=predictor.facts.score)
    spare = min(5.0, MEASURE_SHARE * (info.budget.remaining() - AFTER_S))
    if spare > 0.03:
        predictor.facts = replace(
            predictor.facts, **measure(work, info.prepared, outcome.blend, spare)
        )
    maker.add_fast(outputs, refits)
    settle(predictor, outputs, info)
    predictor.save(work.folder / "model")
    if info.budget.remaining() > REPORT_S:
        # With what was measured by now; asked for later, a report measures the rest.
        write_file(work.folder / "report.html", render_report(predictor.facts))
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


class _Maker:
    """Makes the outputs of one run."""

    def __init__(self, found: SearchOutcome, work: Workspace, info: RunInfo) -> None:
        self._found, self._work, self._info = found, work, info
        rows, _ = sample_rows(work)
        self._rows, records = rows, rows.head(12).to_dict("records")
        self._records = [{str(k): v for k, v in r.items()} for r in records]
        self._fixed_mb = _mb(info.prepared.dump()) + told_mb(info)
        self.predictor: Predictor

    def chosen(self, complete: Sequence[Trial]) -> Outputs:
        """Choose both outputs."""
        info, budget = self._info, self._info.budget
        allowance = Allowance.of(info.spec, timed=budget.limit_s is not None)
        both = rooms(info.spec, allowance, self._work.facts, self._fixed_mb, budget)
        return choose_outputs(complete, self._work, allowance, both, budget)

    def best(self, outputs: Outputs) -> tuple[Outcome, Outputs]:
        """Build "best"; while it misses a limit on size or latency, a cheaper one."""
        spec, budget, work = self._info.spec, self._info.budget, self._work
        wanted, room = spec.latency_ms.value, self._models_mb(outputs)
        held: tuple[Kind, ...] = ("row_us",) if wanted is not None else ()
        while True:
            outcome = built(outputs.best, work, spec.seed.value)
            in_time = budget.remaining() > 0
            smaller = outputs.cheaper("size_mb", _mb(outcome.blend.dump()), room, held)
            if smaller is not None and in_time:
                outputs = smaller
                continue
            self.predictor = self._predictor(outcome)
            self.predictor.compare(self._rows, self._compare_s())
            latency = measure_latency_ms(self.predictor, self._records)
            held = () if room is None else ("size_mb",)
            quicker = outputs.cheaper("row_us", latency, wanted, held)
            if quicker is None or not in_time:
                break
            outputs, held = quicker, ("row_us",)
        self.predictor.receipts = first_receipts(self._info, latency) | self.predictor.receipts
        if work.facts.directions:
            share = against_directions(self.predictor, self._rows)
            self.predictor.receipts["against_directions"] = {"planned": 0.0, "actual": share}
        if work.groups:
            gap = self._selection_gap(outcome)
            self.predictor.receipts["selection_gap"] = {"planned": MOST_GAP, "actual": gap}
        return outcome, outputs

    def add_fast(self, outputs: Outputs, refits: Refits | None) -> None:
        """Build "fast" beside "best", and measure it."""
        predictor, receipts = self.predictor, self.predictor.receipts
        assert predictor.facts is not None
        receipts["score"] = {"planned": None, "actual": predictor.facts.score}
        if outputs.one:
            predictor.fast = predictor.blend
            return
        outcome = built(outputs.fast, self._work, self._info.spec.seed.value, refits)
        predictor.fast = outcome.blend
        quick = predictor.variant("fast")
        quick.compare(self._rows, self._compare_s())
        receipts["compiled"]["fast"] = quick.receipts["compiled"]
        receipts["score"]["fast"] = score_of(outcome, quick, self._work)
        latency = measure_latency_ms(quick, self._records)
        receipts["latency_ms"]["fast"] = round(latency, 3)
        if "against_directions" in receipts:
            share = against_directions(quick, self._rows)
            receipts["against_directions"]["fast"] = share
        if "selection_gap" in receipts:
            receipts["selection_gap"]["fast"] = self._selection_gap(outcome)

    def _selection_gap(self, outcome: Outcome) -> float:
        """Return how unlike groups are selected, on out-of-fold predictions."""
        selected = outcome.blend.rule.labels(outcome.prediction) == 1
        groups = [codes[outcome.rows] for codes in self._work.groups]
        return round(selection_gap(selected, groups), 4)

    def _models_mb(self, outputs: Outputs) -> float | None:
        """Return what the task's limit leaves for the models of "best"; None without a limit."""
        limit = self._info.spec.size_mb.value
        if limit is None:
            return None
        return limit - self._fixed_mb - (0.0 if outputs.one else outputs.fast.size_mb)

    def _compare_s(self) -> float:
        """Return the seconds that comparing compiled and ordinary predictions may take."""
        return min(COMPARE_S, COMPARE_SHARE * max(0.0, self._info.budget.remaining()))

    def _predictor(self, outcome: Outcome) -> Predictor:
        found = self._found
        return Predictor(
            spec=self._info.spec,
            prepared=self._info.prepared,
            blend=outcome.blend,
            trials=[{"key": t.key, **t.to_record(found.compared)} for t in found.trials],
            run_dir=self._work.folder,
            stopped_by=found.stopped_by,
            joins=self._info.joins,
        )


def _mb(files: Mapping[str, bytes]) -> float:
    return sum(map(len, files.values())) / 1e6


def measure_latency_ms(predictor: Predictor, rows: Sequence[Mapping[str, Any]]) -> float:
    """Return the median time to predict one row, milliseconds."""
    one = predictor.predict if predictor.spec.task_type.value == "regression" else (
        predictor.predict_proba
    )  # fmt: skip
    times = []
    for i in range(12):
        row = [rows[i % len(rows)]]
        start = time.perf_counter()
        one(row)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times[2:]))


def against_directions(model: Predictor, rows: pd.DataFrame) -> float:
    """Return the share of steps that go against a direction of the task.

    Parameters
    ----------
    model
        Is asked through its public door.
    rows
        Raw rows; in each of some of them a column with a direction walks over the values that
        it has in all of them.
    """
    spec = model.spec
    some = rows.head(WALKED_ROWS)
    wanted = dict.fromkeys(spec.increasing.value, 1) | dict.fromkeys(spec.decreasing.value, -1)
    steps = wrong = 0
    for name, sign in wanted.items():
        column = model.prepared.cleaner.columns(rows)[name].values.astype(np.float64)
        known = np.unique(column[np.isfinite(column)])
        if len(known) < 2:
            continue  # there is nowhere to walk to
        walk = known[np.linspace(0, len(known) - 1, min(WALK, len(known))).astype(int)]
        asked = pd.concat([some.assign(**{name: value}) for value in walk], ignore_index=True)
        answers = (
            model.predict(asked).to_numpy() if spec.task_type.value == "regression"
            else model.predict_proba(asked).to_numpy()[:, 1]
        )  # fmt: skip
        change = sign * np.diff(answers.reshape(len(walk), len(some)), axis=0)
        steps += change.size
        wrong += int((change < -SAME * max(1.0, float(np.abs(answers).max(initial=0)))).sum())
    return wrong / max(1, steps)
