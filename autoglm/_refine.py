"""The second conversation: what is said of a model changes its task, and the search goes on.

The new run begins where the old one ended: its encoded data and finished folds are taken over,
scored anew where the metric changed, and nothing is fitted twice. A change of what a row holds
(columns left out) needs the table again. The old run stays as it is.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from autoglm._run_folder import new_folder, nothing_left
from autoglm.automl import INTERPRETABLE, AutoTask, resume
from autoglm.core.errors import RunError
from autoglm.core.files import write_file, write_folder
from autoglm.core.journal import Journal, Record, read_journal
from autoglm.core.spec import TaskSpec
from autoglm.core.text import say, use_language
from autoglm.dataflow.profile import TableProfile
from autoglm.evaluate.metrics import metric
from autoglm.predictor import Predictor, load
from autoglm.task.feedback import Change, Feedback, Standing, feedback
from autoglm.task.meta import Advice
from autoglm.tuner.scoring import MetricChoice, Scorer
from autoglm.tuner.workspace import Workspace

#: Fields that change what a row holds, or what every fit has to keep.
OF_THE_TABLE = frozenset({"drop_columns", "increasing", "decreasing", "fair_to"})
#: Share of the time of a run that goes on where nothing is said of it, and the least, seconds.
SHARE, LEAST_S = 0.5, 5.0


@dataclass(frozen=True)
class Plan:
    """What a sentence about a model asks for, before it is done.

    Attributes
    ----------
    run
        The folder of the model's run.
    said
        The sentence.
    heard
        The changes.
    seconds
        What the search that follows has.
    """

    run: Path
    said: str
    heard: Feedback
    seconds: float

    @property
    def changes(self) -> tuple[Change, ...]:
        """The fields of the task that change."""
        return self.heard.changes

    @property
    def reads_again(self) -> bool:
        """Whether the table is needed again."""
        return any(change.field in OF_THE_TABLE for change in self.changes)


def refine(
    model: Predictor | Path | str,
    sentence: str,
    *,
    time_limit: float | None = None,
    dataset: Any = None,
    confirm: Callable[[Plan], bool] | None = None,
) -> Predictor:
    """Act on what is said of a model, see `autoglm.predictor.Predictor.refine`."""
    before = model if isinstance(model, Predictor) else load(model)
    plan = planned(before, sentence, time_limit)
    with use_language(before.spec.language):
        if confirm is not None and not confirm(plan):
            return before
        after = _from_the_table(before, plan, dataset) if plan.reads_again else _going_on(
            before, plan)  # fmt: skip
        after.receipts["refined"] = _told(before, after, plan)
        assert after.run_dir is not None
        after.save(after.run_dir / "model")
        return after


def planned(before: Predictor, sentence: str, time_limit: float | None = None) -> Plan:
    """Return what a sentence asks for.

    Raises
    ------
    RunError
        When the folder of the model's run is gone.
    SpecError
        When nothing in the sentence can be acted on.
    """
    run = before.run_dir
    if run is None or not (run / "info.json").is_file():
        raise RunError(
            say(en="This model is not in the folder of its run.", zh="该模型不在其运行文件夹中。"),
            hint=say(en="Give the folder that `autoglm run` named.",
                     zh="请给出 `autoglm run` 显示的文件夹。"),
        )  # fmt: skip
    told = json.loads((run / "info.json").read_text("utf-8"))["profile"]
    heard = feedback(sentence, before.spec, _standing(before), TableProfile.model_validate(told))
    had = _standing(before).seconds
    again = any(change.field in OF_THE_TABLE for change in heard.changes)
    usual = max(LEAST_S, had if again else SHARE * had)
    said = (s for s in (time_limit, heard.seconds) if s is not None)
    return Plan(run, sentence, heard, next(said, usual))


def _standing(predictor: Predictor) -> Standing:
    receipts, spec = predictor.receipts, predictor.spec

    def actual(name: str) -> float | None:
        value = receipts.get(name, {}).get("actual")
        return None if value is None else float(value)

    cost = None
    if spec.task_type.value == "binary":
        cut = float(np.clip(predictor.blend.rule.threshold, 1e-3, 1 - 1e-3))
        set_ = spec.false_negative_cost.value
        cost = (1 - cut) / cut if set_ is None else set_
    time = receipts.get("time_s", {})
    known = (float(time[n]) for n in ("planned", "actual") if time.get(n) is not None)
    return Standing(
        actual("latency_ms"), actual("size_mb"), actual("memory_mb"), cost,
        next(known, Standing.seconds),
    )  # fmt: skip


# --- with the data of the run ------------------------------------------------------------


def _going_on(before: Predictor, plan: Plan) -> Predictor:
    """Make a run that takes over the old one's data and folds, and go on with it."""
    work, spec = Workspace(plan.run), plan.heard.applied(before.spec)
    stem = plan.run.name.partition("-refined")[0]
    folder = new_folder(plan.run.parent, f"{stem}-refined")
    with nothing_left(folder), write_folder(folder) as scratch:
        for part in ("data", "prepared", "folds"):
            _link(work.folder / part, scratch / part)
        shutil.copy2(work.folder / "plan.json", scratch / "plan.json")
        choice = replace(
            work.metric, name=spec.metric.value, false_negative_cost=spec.false_negative_cost.value
        )
        _rewrite(scratch / "data" / "about.json", _with_metric(choice))
        _rewrite(scratch / "info.json", _with_spec(spec), work.folder / "info.json")
        with Journal(scratch / "journal.log") as journal:
            for record in _records(work, choice, spec, before, plan):
                journal.append(record)
    return resume(folder)


def _link(source: Path, copy: Path) -> None:
    """Copy a folder whose files are never written to again, without their bytes if possible."""

    def one(old: str, new: str) -> str:
        try:
            os.link(old, new)
        except OSError:
            shutil.copy2(old, new)
        return new

    if source.is_dir():
        shutil.copytree(source, copy, copy_function=one)


def _rewrite(
    path: Path, change: Callable[[dict[str, Any]], dict[str, Any]], source: Path | None = None
) -> None:
    """Write a changed JSON file in the place of a linked one, whose bytes others have too."""
    data = change(json.loads((source or path).read_text("utf-8")))
    write_file(path, json.dumps(data, ensure_ascii=False))


def _with_metric(choice: MetricChoice) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def change(about: dict[str, Any]) -> dict[str, Any]:
        facts = about["facts"] | {"metric": choice.name}
        return about | {"metric": asdict(choice), "facts": facts}

    return change


def _with_spec(spec: TaskSpec) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda info: info | {"spec": json.loads(spec.to_json())}


def _records(
    work: Workspace, choice: MetricChoice, spec: TaskSpec, before: Predictor, plan: Plan
) -> Iterator[Record]:
    """Yield the journal of the new run: what bounds it, what is tried first, what is finished."""
    old = read_journal(work.folder / "journal.log")
    first = next(r for r in old if r["kind"] == "run")
    used = max((r["elapsed_s"] for r in old if "elapsed_s" in r), default=0.0)
    learners = list(INTERPRETABLE) if spec.interpretable.value else first["learners"]
    bounds = {"time_limit_s": used + plan.seconds, "max_trials": None, "learners": learners}
    yield first | bounds
    yield {"kind": "refined", "of": str(plan.run), "said": plan.said}
    order = Advice.from_records(old)
    steps = [(t["learner"], t["params"]) for t in before.trials if t["state"] == "complete"]
    steps += [] if order is None else list(order.steps)
    allowed = [s for s in steps if learners is None or s[0] in learners]
    yield Advice(tuple(_once(allowed))).to_record()
    scorer = Scorer(choice)
    same = choice == work.metric
    for record in old:
        if record["kind"] == "fold" and record["score"] is not None:
            yield record if same else record | {"score": _scored(work, scorer, record)}


def _once(steps: Sequence[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    seen = set()
    for learner, params in steps:
        key = json.dumps([learner, params], sort_keys=True)
        if key not in seen:
            seen.add(key)
            yield learner, params


def _scored(work: Workspace, scorer: Scorer, record: Mapping[str, Any]) -> float:
    """Return the score of a finished fold by another metric."""
    fold = int(record["fold"])
    if fold < 0:
        return float(record["score"])  # of rows that it knows; never compared
    valid = work.folds[fold][1]
    return float(scorer.utility(work.y[valid], work.out_of_fold(record["key"], fold)))


# --- with the table ----------------------------------------------------------------------


def _from_the_table(before: Predictor, plan: Plan, dataset: Any) -> Predictor:
    """Start a run on the table under the changed task."""
    if dataset is None:
        first = next(r for r in read_journal(plan.run / "journal.log") if r["kind"] == "run")
        dataset = first.get("origin")
    if dataset is None or (isinstance(dataset, str) and not Path(dataset).exists()):
        fields = ", ".join(c.field for c in plan.changes if c.field in OF_THE_TABLE)
        raise RunError(
            say(en=f"Changing {fields} needs the table again, which is not where it was.",
                zh=f"修改 {fields} 需要重新读取表格,但表格已不在原处。"),
            hint=say(en="Give it: autoglm refine RUN SENTENCE --data FILE, or dataset=.",
                     zh="请给出表格:autoglm refine 运行 句子 --data 文件,或 dataset=。"),
        )  # fmt: skip
    main = None if before.joins is None else before.joins.main
    task = AutoTask.of_spec(plan.heard.applied(before.spec), dataset=dataset, main=main)
    return task.launch(plan.seconds, run_dir=plan.run.parent)


# --- what came of it ---------------------------------------------------------------------


def _told(before: Predictor, after: Predictor, plan: Plan) -> dict[str, Any]:
    """Return changes, and both models side by side under the new metric."""
    unit = metric(after.spec.metric.value, false_negative_cost=after.spec.false_negative_cost.value)
    sides = {name: _figures(one, unit) for name, one in (("before", before), ("after", after))}
    return {
        "of": str(plan.run),
        "said": plan.said,
        "changes": [asdict(change) for change in plan.changes],
        "notes": list(plan.heard.notes),
        **sides,
        "unmet": list(_unmet(after)),
    }


def _figures(predictor: Predictor, unit: Any) -> dict[str, float | None]:
    """Return what people ask of a model: score, errors of each kind, what it takes."""
    facts, receipts = predictor.facts, predictor.receipts
    found: dict[str, float | None] = {}
    if facts is not None and facts.y is not None and facts.prediction is not None:
        found[unit.name] = predictor.scored(facts.y, facts.prediction, unit)
        if predictor.spec.task_type.value == "binary":
            said = predictor.blend.rule.labels(facts.prediction)
            per_row = 1000 / max(1, len(said))
            found["misses_per_1000"] = float(((said == 0) & (facts.y == 1)).sum() * per_row)
            found["false_alarms_per_1000"] = float(((said == 1) & (facts.y == 0)).sum() * per_row)
    for name in ("latency_ms", "size_mb"):
        found[name] = receipts.get(name, {}).get("actual")
    return {name: None if value is None else round(value, 5) for name, value in found.items()}


def _unmet(predictor: Predictor) -> Iterator[str]:
    """Say which limits could not be kept, and what came nearest."""
    spots = () if predictor.facts is None else predictor.facts.frontier
    for name in ("latency_ms", "size_mb", "memory_mb"):
        row = predictor.receipts.get(name, {})
        if row.get("kept") is not False:
            continue
        text = say(en=f"{name}: {row['planned']:g} was asked for, {row['actual']:g} was reached",
                   zh=f"{name}:要求 {row['planned']:g},达到 {row['actual']:g}")  # fmt: skip
        if spots and name != "memory_mb":
            near = min(spots, key=lambda spot: getattr(spot, name))
            least, score = f"{getattr(near, name):g}", f"{near.score:.4g}"
            text += say(en=f"; nearest: {near.model}, {least}, score {score}",
                        zh=f";最接近:{near.model},{least},得分 {score}")  # fmt: skip
        yield text
