"""The data path: a sentence and a table become a predictor.

task = AutoTask.create(dataset="customers.csv", description="predict which customers churn")
pipeline = task.auto_build()
predictor = pipeline.launch(time_limit=60)
"""

from __future__ import annotations

import importlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Unpack

from pydantic import BaseModel, ConfigDict, model_validator

from autoglm._finish import RunInfo, finish
from autoglm._invent import SHARE, UNBOUNDED_S, Inventor
from autoglm._prepare import Prepared, RunOptions, prepare
from autoglm._run_folder import new_folder, nothing_left, read_run_record, run_name, run_record
from autoglm.core import hooks
from autoglm.core.budget import LOADING, MemoryBudget, TimeBudget, cpu_count, resident_mb
from autoglm.core.config import Resolved, Settings, apply_to_spec, resolve
from autoglm.core.contracts import Contracts, Preference, read_contracts
from autoglm.core.errors import RunError, WorkerError
from autoglm.core.events import emit
from autoglm.core.journal import Journal
from autoglm.core.spec import Split, TaskSpec, TaskType
from autoglm.core.text import say, use_language
from autoglm.dataflow.clean import plan_cleaning
from autoglm.dataflow.findings import Finding, examine_target
from autoglm.dataflow.joins import Joins
from autoglm.dataflow.profile import TableProfile, profile_table
from autoglm.dataflow.read import Table, read_table
from autoglm.dataflow.several import read_several, several
from autoglm.predictor import Predictor, load
from autoglm.task.meta import Advice, RunContext, keep, recall
from autoglm.task.proposer import model_parser
from autoglm.task.tables import join_tables
from autoglm.task.understand import understand
from autoglm.tuner.allowance import Allowance
from autoglm.tuner.executor import Executor, InlineExecutor, ProcessExecutor
from autoglm.tuner.plan import Plan
from autoglm.tuner.portfolio import Step
from autoglm.tuner.samplers import SamplerName
from autoglm.tuner.search import Search, SearchOptions, available_learners
from autoglm.tuner.workspace import Workspace

__all__ = ["AutoTask", "Pipeline", "Predictor", "TaskOptions", "load", "resume"]


#: Learners whose models a person can read.
INTERPRETABLE = ("constant", "linear", "linear_text")


class TaskOptions(BaseModel):
    """The less common settings of a task; unknown names are refused.

    Attributes
    ----------
    time_limit_s, latency_ms, size_mb, memory_mb
        Limits: seconds for the whole run, milliseconds for one row, megabytes of the saved
        model and of memory; or text, under short names too: ``latency="300us"``,
        ``size="5MB"``, ``memory="2GB"``, ``time_limit="2m"``.
    prefer
        What may be given up for what: "balanced", weights of accuracy, latency, cost and
        size, or a trade like "1% for 3x"; see `autoglm.core.contracts.Preference`.
    drop_columns
        Columns to leave out.
    group_column, time_column, split
        How rows are set apart for validation.
    positive_class, false_negative_cost
        The class that matters, and what missing it costs in false alarms.
    seed
        Seed of every random choice.
    interpretable
        Only models a person can read.
    increasing, decreasing
        Columns of numbers that the prediction must not fall with, or must not rise with: the
        value, or the probability of the positive class.
    fair_to
        Columns that are not learned from, and whose groups are to be selected alike.
    query, sheet
        What to read from a database or a workbook.
    main
        Of several tables the one whose rows are predicted.
    planner, llm
        Who reads the sentence: "auto", "rules" or "model", and which language model that is;
        by default as set.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    time_limit_s: float | None = None
    latency_ms: float | None = None
    size_mb: float | None = None
    memory_mb: float | None = None
    prefer: Preference | None = None
    drop_columns: tuple[str, ...] | None = None
    group_column: str | None = None
    time_column: str | None = None
    split: Split | None = None
    positive_class: str | None = None
    false_negative_cost: float | None = None
    seed: int | None = None
    interpretable: bool | None = None
    increasing: tuple[str, ...] | None = None
    decreasing: tuple[str, ...] | None = None
    fair_to: tuple[str, ...] | None = None
    query: str | None = None
    sheet: str | int | None = None
    main: str | None = None
    planner: Literal["auto", "rules", "model"] | None = None
    llm: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _contracts_read(cls, given: Any) -> Any:
        return read_contracts(given) if isinstance(given, dict) else given

    def given(self) -> dict[str, Any]:
        """Return the `TaskSpec` fields that were set."""
        other = {"query", "sheet", "main", "prefer", "planner", "llm"}
        set_ = self.model_dump(exclude_none=True, exclude=other)
        return set_ | ({} if self.prefer is None else {"prefer": self.prefer})


@dataclass
class AutoTask:
    """A task: a table and what is to be done with it.

    Attributes
    ----------
    spec
        The task, each part with its source and reason; ``print(task.spec)`` shows it.
    table
        The table as it was read, with notes on repairs.
    profile, findings
        What is in the table, and what stands out in view of the target.
    seconds
        How long loading, reading and understanding took; it counts towards the time limit.
    typed
        Whether the cells have types of their own (a frame, records): the text "0" is then a
        label and not the number that it would be in a text file.
    origin
        The file or folder it was read from as a whole; None for anything else.
    joins
        How it was made of several tables; None for a single one.
    """

    spec: TaskSpec
    table: Table
    profile: TableProfile
    findings: tuple[Finding, ...]
    seconds: float = 0.0
    typed: bool = False
    origin: str | None = None
    joins: Joins | None = None

    @classmethod
    def create(
        cls,
        task_type: TaskType | None = None,
        *,
        dataset: Any,
        description: str = "",
        target: str | None = None,
        metric: str | None = None,
        options: TaskOptions | None = None,
        ask: Callable[[Any], str] | None = None,
        **contracts: Unpack[Contracts],
    ) -> AutoTask:
        """Read a table and understand what is wanted of it.

        Parameters
        ----------
        task_type
            "binary", "multiclass" or "regression"; found out when not given.
        dataset
            A file, an address, a database URL, a pandas, polars or Arrow table, or records; or
            several tables: a folder, a list of files, or frames by name. The one that holds
            the target is then the main table, and the others are joined to it.
        description
            What is wanted, in a sentence of Chinese or English.
        target, metric
            They override what the sentence says.
        options
            Everything less common.
        ask
            Called with a question where the sentence leaves something open; without it an
            open question is an `AmbiguousTask` error.
        **contracts
            ``latency="1ms"``, ``size="5MB"``, ``memory="2GB"``, ``time_limit="2m"`` and
            ``prefer="balanced"``, as in `TaskOptions`; they override those of `options`.

        Raises
        ------
        ConfigError
            When a contract cannot be read.
        DataError
            When the table cannot be read.
        SpecError
            When the sentence does not fit the table.
        """
        start = time.monotonic() - LOADING.take()
        options = options or TaskOptions()
        named = {"task_type": task_type, "target": target, "metric": metric}
        given: dict[str, Any] = {k: v for k, v in named.items() if v is not None}
        given |= options.given()
        given |= read_contracts(contracts)
        clock = _Pausing(ask)
        asking = clock.ask if ask else None
        table, joins, known = _tables(dataset, description, given.get("target"), options, asking)
        profile = profile_table(table.frame)
        settings = resolve({"planner": options.planner, "llm": options.llm}).settings
        with model_parser(settings, description, given.get("time_limit_s")) as parser:
            spec = understand(
                description, profile, given=given, ask=asking, parser=parser, known=known
            )
        plain = options.query is None and options.sheet is None
        task = cls._cleaned(apply_to_spec(spec, resolve()), table, profile, dataset, plain)
        task.joins = joins
        task.seconds = time.monotonic() - start - clock.paused_s
        return task

    @classmethod
    def of_spec(cls, spec: TaskSpec, *, dataset: Any, main: str | None = None) -> AutoTask:
        """Read a table for a task that is decided already; how to clean it is found anew.

        Parameters
        ----------
        spec
            The task.
        dataset, main
            As in `create`; the main one of several tables.

        Raises
        ------
        DataError
            When the table cannot be read.
        """
        start = time.monotonic()
        table, joins, _ = _tables(dataset, "", spec.target.value, TaskOptions(main=main), None)
        task = cls._cleaned(spec, table, profile_table(table.frame), dataset, True)
        task.joins = joins
        task.seconds = time.monotonic() - start
        return task

    @classmethod
    def _cleaned(
        cls, spec: TaskSpec, table: Table, profile: TableProfile, dataset: Any, plain: bool
    ) -> AutoTask:
        with use_language(spec.language):
            target_name, kind = spec.target.value, spec.task_type.value
            findings = examine_target(
                table.frame, profile, target_name, kind, split=spec.split.value
            )
            drop = (*spec.drop_columns.value, *spec.fair_to.value)
            actions = plan_cleaning(profile, findings, target=target_name, drop=drop)
        typed = not isinstance(dataset, (str, bytes, os.PathLike, Table))
        file = plain and isinstance(dataset, (str, os.PathLike)) and Path(dataset).exists()
        origin = str(Path(dataset).absolute()) if file else None
        cleaned = spec.model_copy(update={"cleaning": actions})
        return cls(cleaned, table, profile, findings, typed=typed, origin=origin)

    def auto_build(self) -> Pipeline:
        """Return the steps that will be taken; each can be looked at and changed."""
        only = INTERPRETABLE if self.spec.interpretable.value else None
        found = available_learners(only).values()
        return Pipeline(self, self.spec, sorted(one.name for one in found if one.available()))

    def launch(self, time_limit: float | None = None, **how: Any) -> Predictor:
        """Build the pipeline and launch it, see `Pipeline.launch`."""
        return self.auto_build().launch(time_limit, **how)


def _tables(
    dataset: Any,
    sentence: str,
    target: str | None,
    options: TaskOptions,
    ask: Callable[[Any], str] | None,
) -> tuple[Table, Joins | None, dict[str, Any]]:
    """Read the table, or several as one; then with how, and the target that was found."""
    sources = several(dataset)
    if sources is None:
        return read_table(dataset, query=options.query, sheet=options.sheet), None, {}
    if len(sources) == 1:
        return read_table(next(iter(sources.values()))), None, {}
    shown = str(dataset) if isinstance(dataset, str | os.PathLike) else ", ".join(sources)
    tables = read_several(sources, shown)
    made = join_tables(tables, sentence, target=target, main=options.main, ask=ask)
    known = {} if made.target.source == "user" else {"target": made.target}
    return made.table, made.joins, known


class _Pausing:
    """Puts questions and keeps how long the answers took, which is not ours to count."""

    def __init__(self, ask: Callable[[Any], str] | None) -> None:
        self._ask, self.paused_s = ask, 0.0

    def ask(self, question: Any) -> str:
        assert self._ask is not None
        start = time.monotonic()
        try:
            return self._ask(question)
        finally:
            self.paused_s += time.monotonic() - start


@dataclass
class Pipeline:
    """The steps from a table to a predictor.

    Attributes
    ----------
    task
        Where the table comes from.
    spec
        What will be done; assign ``pipeline.spec.changed(metric="f1")`` to change it, or
        ``pipeline.spec.without_action("drop_id", "order_no")`` to undo a cleaning action.
    learners
        Names of the learners that may be tried; remove some, or add a plug-in's.
    sampler
        How configurations are proposed after the portfolio: "auto", "tpe", "gp", "random",
        "grid".
    """

    task: AutoTask
    spec: TaskSpec
    learners: list[str] = field(default_factory=list)
    sampler: SamplerName = "auto"

    @property
    def steps(self) -> list[str]:
        """The steps in words, in order."""
        spec = self.spec
        with use_language(spec.language):
            clean = ", ".join(f"{a.name}({a.column or ''})" for a in spec.cleaning) or "-"
            return [
                say(en="read", zh="读取") + f": {self.task.table.source}",
                say(en="clean", zh="清洗") + f": {clean}",
                say(en="encode", zh="编码") + ": tree, dense, sparse",
                say(en="split", zh="划分") + f": {spec.split.value}",
                say(en="search", zh="搜索") + f": {', '.join(self.learners)}; {self.sampler}",
                say(en="blend", zh="集成") + f": {spec.metric.value}",
                say(en="calibrate, choose a threshold", zh="校准与阈值"),
                say(en="save", zh="保存"),
            ]

    def __str__(self) -> str:
        numbered = [f"{i}. {step}" for i, step in enumerate(self.steps, 1)]
        return "\n".join([self.spec.card(), "", *numbered])

    def launch(
        self,
        time_limit: float | str | None = None,
        *,
        run_dir: Path | str | None = None,
        max_trials: int | None = None,
        workers: int | None = None,
        engine: str | None = None,
        open_trials: int | None = None,
    ) -> Predictor:
        """Search, blend and save; return the finished model.

        Parameters
        ----------
        time_limit
            Wall-clock limit in seconds, reading the table included; by default the spec's, or
            none when `max_trials` is given.
        run_dir
            Folder in which the run gets a folder of its own.
        max_trials
            Trials in all; with it and no time limit, the same seed gives the same model.
        workers
            Worker processes; 0 runs everything in this process.
        engine
            Where fits run: "local", "ray", or the address of a Ray cluster; by default as
            set. On a cluster `workers` bounds the fits at a time.
        open_trials
            Trials that may be open at a time when `max_trials` bounds the run; more keep a
            larger cluster busy, and each choice knows less. Part of what makes runs equal.

        Raises
        ------
        StorageError
            When the run folder cannot be written.
        DataError, BudgetError
            When the table leaves nothing to learn from, or does not fit in memory.
        MissingDependency, WorkerError
            When Ray is wanted and not installed, or its cluster cannot be used.
        """
        given = {"run_dir": run_dir, "workers": workers or None, "time_limit": time_limit}
        resolved = resolve(given | {"engine": engine, "open_trials": open_trials})
        settings = resolved.settings
        with use_language(self.spec.language):
            limit = self._limit(time_limit, max_trials)
            budget = TimeBudget(limit, used_s=self.task.seconds)
            options = SearchOptions(
                self.spec.seed.value, max_trials, self.sampler, tuple(self.learners),
                open_trials=settings.open_trials,
            )  # fmt: skip
            folder = new_folder(settings.run_dir, run_name(self.spec.target.value))
            n_workers = 0 if workers == 0 else _most_workers(resolved)
            with Journal(folder / "journal.log") as journal:
                with nothing_left(folder):
                    record = run_record(options, limit, n_workers, settings.engine)
                    journal.append(record | {"origin": self.task.origin})
                    executor = _start_workers(folder, n_workers, settings.engine, self.spec)
                try:
                    remote = settings.engine != "local" and n_workers != 0
                    fits = executor.slots if remote else n_workers or 0
                    with nothing_left(folder), self._inventor(settings, limit) as inventor:
                        how = RunOptions(
                            limit, fits, options.learners, self.task.typed, remote, inventor
                        )
                        work, prepared, plan = prepare(
                            self.task.table.frame, self.task.profile, self.spec, folder, how
                        )
                    info = RunInfo(
                        self.spec, self.task.profile, self.task.findings, prepared, budget,
                        joins=self.task.joins,
                    )  # fmt: skip
                    work.store_text("info.json", info.to_json())
                    return _search_and_finish(work, journal, executor, plan, options, info)
                finally:
                    executor.close()

    @contextmanager
    def _inventor(self, settings: Settings, limit: float | None) -> Iterator[Inventor | None]:
        """Give who proposes columns to compute; with a limit on time it takes a share of it."""
        if settings.features == "off" or self.spec.interpretable.value:
            yield None
            return
        seconds = SHARE * limit if limit is not None else UNBOUNDED_S
        asked = self.spec.description if settings.features == "auto" else ""
        with model_parser(settings, asked, limit) as parser:
            yield Inventor(seconds, None if parser is None else parser.model)

    def _limit(self, time_limit: float | str | None, max_trials: int | None) -> float | None:
        """Return the time limit: the argument, else the spec's unless trials bound the run."""
        if time_limit is not None:
            return float(resolve({"time_limit": time_limit}).settings.time_limit)
        decided = self.spec.time_limit_s
        if max_trials is not None and decided.source in ("default", "config"):
            return None
        return decided.value


def resume(
    run: Path | str, add_time_s: float | None = None, engine: str | None = None
) -> Predictor:
    """Go on with a run that was stopped, or give a finished one more time.

    Finished folds are taken from the journal and never fitted again.

    Parameters
    ----------
    run
        The folder of the run.
    add_time_s
        Seconds to add to its limit.
    engine
        Where fits run from here on; by default where they did.

    Raises
    ------
    RunError
        When there is no such run, it is in use, or it was stopped before its data were kept.
    """
    folder = Path(run)
    work = Workspace(folder)
    with Journal(folder / "journal.log") as journal:
        first = next((r for r in journal.records if r["kind"] == "run"), None)
        if first is None or not (folder / "info.json").is_file():
            raise RunError(
                say(en=f"{folder} was stopped before its first step.",
                    zh=f"{folder} 在第一步之前就停止了。"),
                hint=say(en="Start the run again.", zh="请重新开始运行。"),
            )  # fmt: skip
        ended = any(r["kind"] == "end" for r in journal.records)
        if ended and add_time_s is None and (folder / "model" / "manifest.json").is_file():
            return load(folder)
        options, limit, n_workers = read_run_record(journal, add_time_s)
        if add_time_s is not None:
            journal.append({"kind": "extend", "add_time_s": add_time_s})
        used = max((r["elapsed_s"] for r in journal.records if "elapsed_s" in r), default=0.0)
        prepared = Prepared.load(work.prepared())
        text = (folder / "info.json").read_text("utf-8")
        info = RunInfo.from_json(text, prepared, TimeBudget(limit, used_s=used))
        plan = Plan(**json.loads((folder / "plan.json").read_text("utf-8")))
        engine = resolve({"engine": engine or first.get("engine", "local")}).settings.engine
        executor = _start_workers(folder, n_workers, engine, info.spec)
        try:
            with use_language(info.spec.language):
                return _search_and_finish(work, journal, executor, plan, options, info)
        finally:
            executor.close()


def _search_and_finish(
    work: Workspace,
    journal: Journal,
    executor: Executor,
    plan: Plan,
    options: SearchOptions,
    info: RunInfo,
) -> Predictor:
    """Search until the time left is needed for the end, then make the model."""
    budget = info.budget
    emit("run_started", run=str(work.folder), time_limit_s=budget.limit_s, workers=executor.slots,
         elapsed_s=budget.elapsed())  # fmt: skip
    limit = None if budget.limit_s is None else budget.limit_s - _reserve(budget.limit_s, work)
    # The model is loaded here in the end; its library takes a second to import, and the workers
    # are starting just now.
    later = threading.Timer(min(3.0, 0.2 * (limit or 15.0)), importlib.import_module, ["lightgbm"])
    later.daemon = True
    later.start()
    context = RunContext(info.spec, info.profile, options.learners, budget.limit_s, executor.slots)
    allowance = Allowance.of(info.spec, timed=budget.limit_s is not None)
    options = replace(options, order=_order(work, journal, context), allowance=allowance)
    search = Search(
        work, journal, executor, TimeBudget(limit, used_s=budget.elapsed()), plan, options
    )
    found = search.run()
    pids = executor.pids() if isinstance(executor, ProcessExecutor) else []
    info.peak_mb = resident_mb() + sum(map(resident_mb, pids))
    predictor = finish(found, work, info, executor)
    executor.close()
    elapsed = budget.elapsed()
    journal.append({"kind": "end", "stopped_by": found.stopped_by, "elapsed_s": elapsed})
    score = predictor.facts.score if predictor.facts else None
    emit("run_finished", run=str(work.folder), score=score, trials=len(found.trials),
         elapsed_s=elapsed, stopped_by=found.stopped_by)  # fmt: skip
    weights = {m.key: m.weight for m in predictor.blend.members}
    keep(work, context, resolve().settings, predictor.trials, weights)
    return predictor


def _order(work: Workspace, journal: Journal, context: RunContext) -> tuple[Step, ...] | None:
    """Return what to try first, from the journal when the run has begun before."""
    advice = Advice.from_records(journal.records)
    if advice is None and any(r["kind"] == "fold" for r in journal.records):
        return None  # it began with the portfolio, before orders were kept
    if advice is None:
        advice = recall(work, context, resolve().settings)
        journal.append(advice.to_record())
    return advice.steps


def _reserve(limit_s: float, work: Workspace) -> float:
    """Return the seconds kept for blending, measuring and saving."""
    cells = work.facts.n_rows * max(1, work.facts.n_classes)
    wanted = 1.2 + 0.025 * min(limit_s, 200.0) + min(5.0, cells / 400_000)
    features = work.facts.n_features
    wanted += min(1.0, features.get("tree", 0) / 1500)
    if features.get("sparse", 0) > features.get("dense", 0):
        # Words are looked up anew for every row that is measured.
        wanted += min(1.0, work.facts.n_rows / 20_000)
    return min(wanted, 0.4 * limit_s)


def _most_workers(resolved: Resolved) -> int | None:
    """Return how many fits may run at a time; None for as many as a cluster has CPUs."""
    settings = resolved.settings
    unbounded = settings.engine != "local" and resolved.origins["workers"].source == "default"
    return None if unbounded else settings.workers


def _start_workers(folder: Path, workers: int | None, engine: str, spec: TaskSpec) -> Executor:
    names, complete = hooks.worker_plugins()
    if engine != "local" and workers != 0:
        from autoglm.tuner.ray_executor import RayExecutor

        if not complete:
            raise WorkerError(
                say(en="A cluster cannot import a plug-in defined in __main__.",
                    zh="集群无法导入在 __main__ 中定义的插件。"),
                hint=say(en="Put it into a module that is installed on every node.",
                         zh="请将其放入每个节点都安装的模块。"),
            )  # fmt: skip
        return RayExecutor(folder, engine, workers, names)
    workers = cpu_count() if workers is None else workers
    if workers == 0 or not complete:
        return InlineExecutor(folder)
    memory = spec.memory_mb.value or MemoryBudget.detect().limit_mb
    return ProcessExecutor(folder, workers, names, memory / (workers + 1))
