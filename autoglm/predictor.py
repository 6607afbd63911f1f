"""`Predictor`: a finished model, with all that is known of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoglm._board import board
from autoglm._compiled import CompiledBlend, compile_blend, is_single
from autoglm._compiled_check import ROWS, Comparison, make_plain
from autoglm._measure import measure, sample_rows
from autoglm._prepare import Prepared
from autoglm.core import hooks
from autoglm.core.errors import BundleError, DataError, RunError
from autoglm.core.events import emit
from autoglm.core.files import write_file
from autoglm.core.spec import TaskSpec
from autoglm.core.text import Language, say
from autoglm.dataflow.clean import Rows
from autoglm.dataflow.columns import Columns
from autoglm.dataflow.joins import Joins
from autoglm.dataflow.read import read_table
from autoglm.dataflow.several import joined
from autoglm.evaluate.facts import ReportFacts, Spot
from autoglm.evaluate.metrics import Metric, all_metrics, metric
from autoglm.registry.bundle import bundle_bytes, read_bundle, write_bundle
from autoglm.tuner.blend import Blend
from autoglm.tuner.workspace import Workspace

KIND = "tabular"
#: Seconds that a comparison of compiled and ordinary predictions may go on when a model is saved.
SAVE_S = 2.0


@dataclass
class Predictor:
    """A finished model.

    Attributes
    ----------
    spec
        The task it was made for.
    receipts
        What was planned and what came out: time, latency, size, memory.
    run_dir
        Folder of the run, or None for a model that was loaded from elsewhere.
    stopped_by
        What ended the search: "time", "trials", "patience" or "interrupt".
    fast
        The blend of the "fast" output, see `variant`; None where there is none.
    joins
        How its table was made of several, see `joined`; None for a single one.

    Examples
    --------
    >>> from autoglm import load  # doctest: +SKIP
    >>> load("churn.aglm").predict(new_customers)  # doctest: +SKIP
    """

    spec: TaskSpec
    prepared: Prepared
    blend: Blend
    receipts: dict[str, Any] = field(default_factory=dict)
    trials: list[dict[str, Any]] = field(default_factory=list)
    facts: ReportFacts | None = None
    run_dir: Path | None = None
    stopped_by: str = ""
    fast: Blend | None = None
    joins: Joins | None = None
    _plans: dict[int, tuple[Blend, CompiledBlend | None]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def variant(self, name: str = "fast") -> Predictor:
        """Return the model that one of the two outputs of the run is.

        Parameters
        ----------
        name
            "best" for the full ensemble, which is this one; "fast" for the output of at most
            three models, which answers quicker and scores a little lower. Its expected score
            is in ``receipts["score"]``. Saved by itself it is a small model of its own.

        Raises
        ------
        BundleError
            When the model has no such output.
        """
        if name == "best" or (name == "fast" and self.fast is self.blend):
            return self
        if name != "fast" or self.fast is None:
            raise no_variant(name)
        return replace(self, blend=self.fast)._told_as_fast()

    def _told_as_fast(self) -> Predictor:
        """Return the same model with the receipts of the "fast" output."""
        receipts = {
            n: {**r, "actual": r.get("fast", r["actual"])} if "actual" in r else r.get("fast", {})
            for n, r in self.receipts.items()
        }
        facts = self.facts
        if facts is not None:
            # What was measured of the other output is not true of this one.
            score = receipts.get("score", {}).get("actual")
            facts = replace(facts, score=score, y=None, prediction=None, importance=(),
                            robustness=(), subgroups=())  # fmt: skip
        return replace(self, receipts=receipts, facts=facts)

    def frontier(self) -> pd.DataFrame:
        """Return what the run could have given: accuracy against latency, size and cost.

        Returns
        -------
        pandas.DataFrame
            ``model``, ``score`` in the metric's own unit, ``loss`` (the share of accuracy it
            lacks beside the most accurate), ``latency_ms`` of one row, ``size_mb``, ``cost_s``,
            ``models``, ``frontier`` (whether nothing beats it in score, latency and size
            together), ``chosen`` ("best", "fast" or ""), ``measured`` (whether its latency was
            measured or is an estimate); the chosen first.
        """
        spots = [] if self.facts is None else [vars(s) for s in self.facts.frontier]
        return pd.DataFrame(spots, columns=[f.name for f in fields(Spot)])

    # --- predicting ----------------------------------------------------------------------

    @property
    def classes(self) -> list[Any]:
        """The labels, in the order of the columns of `predict_proba`; empty for regression."""
        return list(self.prepared.target.classes)

    @overload
    def predict(self, rows: pd.DataFrame | Sequence[Mapping[str, Any]]) -> pd.Series: ...

    @overload
    def predict(self, rows: Mapping[str, Any]) -> Any: ...

    def predict(self, rows: Rows) -> Any:
        """Predict labels or values.

        Parameters
        ----------
        rows
            A frame, a list of records or a mapping of lists, with the columns of the training
            table; others are ignored. One row may also be a mapping of scalars.

        Returns
        -------
        pandas.Series
            (n,) labels, or values in the target's unit; indexed as the frame was. For one row
            given as a mapping of scalars the bare label or number.

        Raises
        ------
        DataError
            When a needed column is missing.
        """
        raw, bare = self._raw(rows)
        values = self._decoded(raw)
        if bare:
            return values.tolist()[0]
        return pd.Series(values, index=_index(rows), name=self.spec.target.value)

    @overload
    def predict_proba(self, rows: pd.DataFrame | Sequence[Mapping[str, Any]]) -> pd.DataFrame: ...

    @overload
    def predict_proba(self, rows: Mapping[str, Any]) -> Any: ...

    def predict_proba(self, rows: Rows) -> Any:
        """Predict calibrated probabilities: one column a class, named by it.

        For one row given as a mapping of scalars, a dict from class to probability.

        Raises
        ------
        DataError
            When the task is a regression, or a needed column is missing.
        """
        if self.spec.task_type.value == "regression":
            raise DataError(
                say(en="A regression has no class probabilities.", zh="回归任务没有类别概率。"),
                hint=say(en="Use predict.", zh="请使用 predict。"),
            )
        raw, bare = self._raw(rows)
        if bare:
            return dict(zip(self.prepared.target.classes, raw[0].tolist(), strict=True))
        return pd.DataFrame(raw, columns=self._class_index, index=_index(rows))

    @cached_property
    def _class_index(self) -> Any:
        return pd.Index(self.classes)

    def joined(self, dataset: Any) -> pd.DataFrame:
        """Return new rows of several tables as one, joined as those of the training were.

        Parameters
        ----------
        dataset
            A folder, a list of files, or frames by name, with the tables of the training; or a
            single table, which is read as it is.

        Raises
        ------
        DataError
            When a table or a column of a key is missing.
        """
        return read_table(dataset).frame if self.joins is None else joined(self.joins, dataset)

    def _raw(self, rows: Rows) -> tuple[NDArray[np.float64], bool]:
        """Return predictions as `_ordinary` does, and whether rows are one mapping of scalars."""
        plan = self._plan()
        found = None if plan is None else plan.predict(rows)
        if found is not None:
            return found, isinstance(rows, Mapping)
        cleaner = self.prepared.cleaner
        return self._ordinary(cleaner.columns(rows)), is_single(rows, cleaner.inputs)

    def _ordinary(self, columns: Columns) -> NDArray[np.float64]:
        """Return probabilities (n, k), or values on the learners' scale (n,)."""
        return self.blend.predict(self.prepared.encoder.transform(columns, self.blend.views))

    def _plan(self) -> CompiledBlend | None:
        """Return the compiled form, where the receipt says that it is equal."""
        known = self._plans.get(id(self.blend))
        if known is None:
            told = self.receipts.get("compiled", {})
            plan = compile_blend(self.prepared, self.blend) if told.get("used") else None
            if plan is None and told.get("rows"):
                make_plain(self.blend)
            known = self._plans[id(self.blend)] = (self.blend, plan)
        return known[1]

    def compare(self, rows: pd.DataFrame, seconds: float, n_rows: int = ROWS) -> None:
        """Find out whether the quick ways say what the ordinary way says; write the receipt.

        Parameters
        ----------
        rows
            Raw rows, to make others from.
        seconds
            When to stop.
        n_rows
            How many rows are enough.
        """
        self._plans.pop(id(self.blend), None)
        verdict = Comparison(self.prepared, self.blend, rows).run(seconds, n_rows)
        told = self.receipts.get("compiled", {})
        others = {"fast": told["fast"]} if "fast" in told else {}
        self.receipts["compiled"] = verdict.to_receipt() | others

    def _decoded(self, raw: NDArray[np.float64]) -> NDArray[Any]:
        if raw.ndim == 2:
            return self.prepared.target.decode(self.blend.rule.labels(raw))
        return self.prepared.target.decode(raw)

    # --- judging -------------------------------------------------------------------------

    def evaluate(self, rows: pd.DataFrame) -> dict[str, float]:
        """Score rows whose target is known, by every metric of the task type.

        Returns
        -------
        dict
            Score by metric name, in each metric's own unit; the task's metric first.

        Raises
        ------
        DataError
            When the target column is missing, or no row has a target.
        """
        target = self.spec.target.value
        if target not in rows.columns:
            raise DataError(
                say(en=f"The table has no column {target!r}.", zh=f"表中没有列 {target!r}。"),
                hint=say(en="evaluate needs the true values; use predict without them.",
                         zh="evaluate 需要真实值;没有时请用 predict。"),
            )  # fmt: skip
        values, keep = self.prepared.cleaner.target_values(rows)
        codes = self.prepared.target.encode(values[keep])
        raw = self._ordinary(self.prepared.cleaner.columns(rows[keep]))
        return self._scores(codes, raw)

    def _scores(self, codes: NDArray[Any], raw: NDArray[np.float64]) -> dict[str, float]:
        own = self.spec.metric.value
        cost = self.spec.false_negative_cost.value
        names = [own, *(m.name for m in all_metrics(self.spec.task_type.value) if m.name != own)]
        scale = self.prepared.target.decode
        scores = {}
        for name in names:
            one = metric(name, false_negative_cost=cost)
            if raw.ndim == 1:
                scores[name] = one.score(scale(codes), scale(raw))
            else:
                scores[name] = self.scored(codes, raw, one)
        return scores

    def scored(self, y: NDArray[Any], prediction: NDArray[np.float64], one: Metric) -> float:
        """Return the score of probabilities (n, k), under the label rule, or of values (n,).

        Parameters
        ----------
        y
            (n,) class codes, or values in the target's unit.
        prediction
            For the same rows.
        one
            The metric.
        """
        if prediction.ndim == 2 and one.needs == "label":
            return one.score(y, self.blend.rule.labels(prediction))
        return one.score(y, prediction)

    def leaderboard(self) -> pd.DataFrame:
        """Return the ensemble, its members and all other trials, the better first.

        A trial's score is the mean over the folds that all trials were compared on, under the
        best threshold of each fold where the metric needs one. The ensemble's is that of its
        out-of-fold predictions taken together, calibrated and under the one threshold that is
        used for new rows; so it may lie below the best of the others.

        Returns
        -------
        pandas.DataFrame
            ``learner``, ``score`` in the metric's own unit, ``weight`` in the ensemble,
            ``state``, ``folds``, ``fit_s`` seconds, ``predict_us`` microseconds a row,
            ``size_mb``, ``trial`` number, ``params``, ``reason`` where it was given up.
        """
        weights = {m.key: m.weight for m in self.blend.members}
        score = None if self.facts is None else self.facts.score
        return board(self.trials, weights, metric(self.spec.metric.value), score)

    def explain(self, time_limit_s: float = 10.0) -> pd.DataFrame:
        """Return how much each column matters: the loss of score when it is shuffled.

        Measured on validation rows by models that have not seen them, while the run folder is
        there; otherwise what was measured when the model was made is returned.

        Returns
        -------
        pandas.DataFrame
            ``column``, ``importance``, ``std``; the most important first.

        Raises
        ------
        RunError
            When nothing was measured and the run folder is gone.
        """
        found = self._measured(time_limit_s)
        if not found.importance:
            raise RunError(
                say(en="Importances were not measured before the model was saved.",
                    zh="保存模型前没有计算重要性。"),
                hint=say(en="Call explain on the predictor of the run, then save it.",
                         zh="请在原运行上调用 explain 后再保存。"),
            )  # fmt: skip
        return pd.DataFrame(
            [{"column": i.column, "importance": i.mean, "std": i.std} for i in found.importance]
        )

    def report(self, path: Path | str | None = None, language: Language | None = None) -> str:
        """Return the report as one self-contained HTML page; write it when a path is given.

        Parameters
        ----------
        path
            Where to write it.
        language
            "en" or "zh"; that of the sentence by default.
        """
        from autoglm.evaluate.report import render_report

        facts = self._measured(10.0)
        if language is not None:
            facts = replace(facts, spec=facts.spec.model_copy(update={"language": language}))
        html = render_report(facts)
        if path is not None:
            write_file(path, html)
        return html

    def _measured(self, time_limit_s: float) -> ReportFacts:
        """Measure what has not been measured yet, while the rows of the run are there."""
        facts = self.facts if self.facts is not None else ReportFacts(self.spec)
        there = self.run_dir is not None and (self.run_dir / "data" / "about.json").is_file()
        if there and not (facts.importance and facts.robustness):
            assert self.run_dir is not None
            work = Workspace(self.run_dir)
            facts = replace(facts, **measure(work, self.prepared, self.blend, time_limit_s))
            self.facts = facts
        return facts

    def refine(
        self,
        sentence: str,
        *,
        time_limit: float | None = None,
        dataset: Any = None,
        confirm: Callable[[Any], bool] | None = None,
    ) -> Predictor:
        """Return a model made from this one's run by what is said of it.

        "Too slow, and too many false alarms": the task is changed and the search goes on, in a
        run of its own. ``receipts["refined"]`` of the new model holds the changes and both
        models side by side; limits that could not be kept are named there.

        Parameters
        ----------
        sentence
            What is wrong, in Chinese or English.
        time_limit
            Seconds for it; by default what the sentence says, else half of what the run had.
        dataset
            The table; needed again where columns change and its file has moved.
        confirm
            Called with the plan (``changes``, ``seconds``) before anything is done; where it
            returns False this model is returned.

        Raises
        ------
        SpecError
            When nothing in the sentence can be acted on.
        RunError
            When the run is gone, or the table that is needed.
        """
        made: Predictor = hooks.upward("refine")(
            self, sentence, time_limit=time_limit, dataset=dataset, confirm=confirm
        )
        return made

    # --- keeping -------------------------------------------------------------------------

    def save(self, path: Path | str) -> Path:
        """Write the model: a name ending in ``.aglm`` gives one file, any other a folder.

        Raises
        ------
        StorageError
            When it cannot be written; nothing is left behind then.
        """
        if self.run_dir is not None and Path(path).absolute().parent != self.run_dir.absolute():
            self._compare_enough()
        written = write_bundle(path, self._files(), about=self._about())
        emit("model_saved", path=str(written), size_mb=_size_mb(written))
        return written

    def _compare_enough(self) -> None:
        """Compare on more rows than there was time for at the end of the run."""
        told = self.receipts.get("compiled")
        assert self.run_dir is not None
        if not told or not (self.run_dir / "prepared" / "sample.json").is_file():
            return
        rows, _ = sample_rows(Workspace(self.run_dir))
        if _unfinished(told):
            self.compare(rows, SAVE_S)
        if _unfinished(told.get("fast", {})):
            quick = self.variant("fast")
            quick.compare(rows, SAVE_S)
            self.receipts["compiled"]["fast"] = quick.receipts["compiled"]

    def saved_mb(self) -> float:
        """Return the size that the model has when it is saved as a folder, megabytes."""
        return bundle_bytes(self._files(), about=self._about()) / 1e6

    def _files(self) -> dict[str, bytes]:
        files = {f"prepared/{name}": data for name, data in self.prepared.dump().items()}
        files |= {f"blend/{name}": data for name, data in self.blend.dump().items()}
        if self.fast is not None and self.fast is not self.blend:
            files |= {f"fast/{name}": data for name, data in self.fast.dump().items()}
        files["spec.json"] = self.spec.to_json().encode()
        files["trials.json"] = json.dumps(self.trials, ensure_ascii=False).encode()
        run = {"stopped_by": self.stopped_by, "one_output": self.fast is self.blend}
        files["run.json"] = json.dumps(run).encode()
        if self.joins is not None:
            files["joins.json"] = self.joins.to_json().encode()
        if self.facts is not None:
            files |= {f"report/{name}": data for name, data in self.facts.to_files().items()}
        return files

    def __getstate__(self) -> dict[str, Any]:
        """Return the files of the bundle: copies and other processes get what `load` reads."""
        return {"files": self._files(), "receipts": self.receipts}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Rebuild from the files of the bundle."""
        self.__dict__.update(vars(_rebuilt(state["files"], state["receipts"], None)))

    def _about(self) -> dict[str, Any]:
        target = self.spec.target.value
        kind = "number" if self.spec.task_type.value == "regression" else "category"
        kinds = self.prepared.cleaner.kinds
        return {
            "kind": KIND,
            "signature": {
                "inputs": [{"name": n, "kind": kinds[n]} for n in kinds],
                "outputs": [{"name": target, "kind": kind}],
            },
            "spec": json.loads(self.spec.to_json()),
            "receipts": self.receipts,
        }


def load(path: Path | str, variant: str = "best") -> Predictor:
    """Load a saved model, or the model of a run folder.

    Nothing in a bundle is executed; every byte is checked against its manifest first.

    Parameters
    ----------
    path
        The model, or the folder of a run.
    variant
        Which of the two outputs: "best", or "fast" of at most three models; of the latter
        nothing else is read.

    Raises
    ------
    BundleError
        When there is no model, it is damaged, or it needs something that is not installed.
    RunError
        When it is the folder of a run that has no model yet.
    """
    path = Path(path)
    run = path if (path / "model" / "manifest.json").is_file() else None
    if run is None and (path / "journal.log").is_file():
        raise RunError(
            say(en=f"The run {path} was stopped before it had a model.",
                zh=f"运行 {path} 在得到模型之前就停止了。"),
            hint=say(en=f"Go on with it: autoglm resume {path}",
                     zh=f"可继续运行:autoglm resume {path}"),
        )  # fmt: skip
    bundle = read_bundle(path / "model" if run is not None else path)
    if bundle.manifest.kind != KIND:
        raise BundleError(
            say(en=f"This is a model of kind {bundle.manifest.kind!r}.",
                zh=f"这是 {bundle.manifest.kind!r} 类模型。"),
            hint=say(en="A newer version may be able to load it.", zh="新版本也许可以加载。"),
        )  # fmt: skip
    try:
        return _rebuilt(bundle.files, dict(bundle.manifest.receipts), run, variant)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(
            say(en=f"The saved model is not what a model of this kind holds: {error!r}.",
                zh=f"保存的模型内容不符合该类模型:{error!r}。"),
            hint=say(en="Save it again from its run.", zh="请从原来的运行重新保存。"),
        ) from error  # fmt: skip


def _rebuilt(
    files: Mapping[str, bytes], receipts: dict[str, Any], run: Path | None, variant: str = "best"
) -> Predictor:
    facts, about = _below(files, "report/"), json.loads(files["run.json"])
    quick = _below(files, "fast/")
    if variant != "best" and not (variant == "fast" and (quick or about.get("one_output"))):
        raise no_variant(variant)
    fast = Blend.load(quick) if quick else None
    blend = fast if fast is not None and variant == "fast" else Blend.load(_below(files, "blend/"))
    prepared = Prepared.load(_below(files, "prepared/"))
    width = len(prepared.encoder.tree_names())
    for one in (blend, fast):
        # Trees follow their numbers into the row without looking.
        if one is not None and one.facts.n_features["tree"] != width:
            raise ValueError("the models were fitted to other columns")
    made = Predictor(
        spec=TaskSpec.from_json(files["spec.json"]),
        prepared=prepared,
        blend=blend,
        receipts=receipts,
        trials=json.loads(files["trials.json"]),
        facts=ReportFacts.from_files(facts) if facts else None,
        run_dir=run,
        stopped_by=about["stopped_by"],
        fast=blend if about.get("one_output") else fast,
        joins=Joins.from_json(files["joins.json"]) if "joins.json" in files else None,
    )
    return made._told_as_fast() if variant == "fast" and quick else made


def no_variant(name: str) -> BundleError:
    """Return the error for an output that a model does not have."""
    return BundleError(
        say(en=f"The model has no output {name!r}.", zh=f"该模型没有输出 {name!r}。"),
        hint=say(en='Outputs are "best" and "fast"; models of older versions have "best" alone.',
                 zh='输出有 "best" 与 "fast";旧版本的模型只有 "best"。'),
    )  # fmt: skip


def _unfinished(told: Mapping[str, Any]) -> bool:
    """Return whether a comparison found no difference so far, on fewer rows than wanted."""
    return bool(told.get("used")) and told["rows"] < ROWS


def _below(files: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    return {name[len(folder) :]: files[name] for name in files if name.startswith(folder)}


def _index(rows: Rows) -> pd.Index | None:
    return rows.index if isinstance(rows, pd.DataFrame) else None


def _size_mb(path: Path) -> float:
    if path.is_file():
        return path.stat().st_size / 1e6
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) / 1e6
