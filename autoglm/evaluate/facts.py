"""What a report is made of, as plain values, and how it is kept beside a model."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.core.errors import BundleError
from autoglm.core.spec import TaskSpec
from autoglm.core.text import say
from autoglm.dataflow.findings import Finding
from autoglm.dataflow.profile import TableProfile
from autoglm.evaluate.explain import Importance
from autoglm.evaluate.robustness import Stress, Subgroup
from autoglm.evaluate.threshold import LabelRule

Array = NDArray[Any]

_MAX_ROWS = 20_000


@dataclass(frozen=True)
class Candidate:
    """One row of the leaderboard.

    Attributes
    ----------
    learner
        Its name.
    score
        In the metric's own unit (not the utility); None when it did not finish.
    seconds
        Time spent fitting, all folds together.
    folds
        Folds finished.
    weight
        Its share of the final model, 0 to 1; 0 when it is no part of it.
    predict_ms
        Time to predict one row, in milliseconds.
    params
        Its settings, shown as a tooltip.
    """

    learner: str
    score: float | None = None
    seconds: float | None = None
    folds: int | None = None
    weight: float = 0.0
    predict_ms: float | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One finished trial of the search.

    Attributes
    ----------
    elapsed_s
        Seconds since the start of the run at which it ended.
    score
        Its score, in the metric's own unit.
    learner
        Its name.
    """

    elapsed_s: float
    score: float
    learner: str = ""


@dataclass(frozen=True)
class Computed:
    """A column that is computed from others.

    Attributes
    ----------
    text
        The expression.
    reason
        Why it was proposed.
    gain
        Share of the loss that it took away out of fold when it was tested; None if it was not.
    cost_ms
        Milliseconds for 1,000 rows.
    """

    text: str
    reason: str = ""
    gain: float | None = None
    cost_ms: float | None = None


@dataclass(frozen=True)
class Receipt:
    """One limit: what was planned and what was measured.

    Attributes
    ----------
    name
        "time_s", "latency_ms", "size_mb", "memory_mb", "against_directions", "selection_gap" or
        "score"; other names are shown as they are.
    planned
        The limit; None where there was none.
    actual
        What was measured; None where it was not.
    fast
        The same of the "fast" output, where it has a value of its own.
    """

    name: str
    planned: float | None = None
    actual: float | None = None
    fast: float | None = None

    @property
    def kept(self) -> bool | None:
        """Whether the limit was kept; None where there was none or nothing was measured."""
        if self.planned is None or self.actual is None:
            return None
        return self.actual <= TOLERANCE * self.planned

    @property
    def over(self) -> float | None:
        """By how much a limit was missed, in its own unit; None when it was not."""
        if self.planned is None or self.actual is None or self.kept:
            return None
        return self.actual - self.planned


#: Measuring is not exact: a limit counts as kept up to this multiple.
TOLERANCE = 1.02


@dataclass(frozen=True)
class Spot:
    """A model that the run could give: how good it is, and what it takes.

    Attributes
    ----------
    model
        The learners in it, the heaviest first.
    score
        Out of fold, in the metric's own unit.
    loss
        Share of accuracy that it lacks beside the most accurate one: 1 is a constant guess.
    latency_ms
        Time for one row through the public door.
    size_mb
        Its models.
    cost_s
        Seconds to fit it and to predict as many rows as it learned from.
    models
        Fitted models in it.
    frontier
        Whether none is at least as good in score, latency and size and better in one.
    chosen
        "best" or "fast" for the outputs of the run, "" for others.
    measured
        Whether the latency was measured; it is estimated otherwise.
    """

    model: str
    score: float
    loss: float
    latency_ms: float
    size_mb: float
    cost_s: float
    models: int
    frontier: bool = False
    chosen: str = ""
    measured: bool = False


@dataclass(frozen=True)
class ReportFacts:
    """Everything a report may show. Only the spec is required; what is absent is not shown.

    Attributes
    ----------
    spec
        The task. Its language is the report's.
    profile
        Profile of the training table.
    findings
        What stood out in it.
    leaderboard
        The candidates, in any order.
    y
        (n,) truth of the training rows: class codes, or values in the target's own unit.
    prediction
        The final model's out-of-fold prediction of the same rows: (n, k) probabilities, or
        (n,) values in the target's own unit.
    classes
        Names of the classes, in the order of the codes.
    rule
        How probabilities become labels; None for the most probable class.
    score
        Score of the final model in the metric's own unit; None to compute it from `prediction`.
        Scores of labels are always computed, under `rule`.
    importance, robustness, subgroups
        As `permutation_importance`, `robustness` and `subgroup_scores` return them.
    history
        The finished trials, in order of time.
    receipts
        Limits planned and measured.
    frontier
        Models that the run could give, accuracy against latency and size.
    computed
        Columns that are computed from others.
    n_folds
        Folds of the cross-validation; None when it is not known.
    stopped_by
        Why the search ended: "time", "trials", "patience", "interrupt", or "".
    model
        More rows for the model card. "learners", "models", "features", "rows", "python",
        "version" and "run" get a title in the report's language; others are shown as they are.
    created
        When, ISO 8601; "" to leave it out.
    """

    spec: TaskSpec
    profile: TableProfile | None = None
    findings: Sequence[Finding] = ()
    leaderboard: Sequence[Candidate] = ()
    y: Array | None = None
    prediction: Array | None = None
    classes: Sequence[str] = ()
    rule: LabelRule | None = None
    score: float | None = None
    importance: Sequence[Importance] = ()
    robustness: Sequence[Stress] = ()
    subgroups: Sequence[Subgroup] = ()
    history: Sequence[Step] = ()
    receipts: Sequence[Receipt] = ()
    frontier: Sequence[Spot] = ()
    computed: Sequence[Computed] = ()
    n_folds: int | None = None
    stopped_by: str = ""
    model: Mapping[str, str | int | float] = field(default_factory=dict)
    created: str = ""

    def to_files(self) -> dict[str, bytes]:
        """Return the facts as two small files, to be kept in a bundle.

        Truth and prediction are thinned to 20,000 rows, predictions kept in single precision.
        """
        data = {
            "spec": self.spec.model_dump(mode="json"),
            "profile": self.profile.model_dump(mode="json") if self.profile else None,
            "findings": [f.model_dump(mode="json") for f in self.findings],
            "rule": asdict(self.rule) if self.rule else None,
        }
        for name in _LISTS:
            data[name] = [asdict(item) for item in getattr(self, name)]
        for name in _PLAIN:
            data[name] = getattr(self, name)
        text = json.dumps(data, ensure_ascii=False, default=_plain)
        # A lone surrogate may stand in a cell; no UTF-8 text holds it.
        files = {"report.json": text.encode("utf-8", "replace")}
        if self.y is not None and self.prediction is not None:
            files["report.npz"] = _pack(np.asarray(self.y), np.asarray(self.prediction))
        return files

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> ReportFacts:
        """Read what `to_files` wrote.

        Raises
        ------
        BundleError
            When it is absent or damaged.
        """
        try:
            facts = _unpack(json.loads(files["report.json"]))
            if "report.npz" not in files:
                return facts
            with np.load(io.BytesIO(files["report.npz"]), allow_pickle=False) as arrays:
                y, prediction = arrays["y"], arrays["prediction"].astype(np.float64)
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise BundleError(
                say(en="The stored facts of the report are damaged.",
                    zh="保存的报告数据已损坏。"),
                hint=say(en="Save the model again.", zh="请重新保存模型。"),
            ) from error  # fmt: skip
        return replace(facts, y=y, prediction=prediction)


_LISTS: dict[str, type[Any]] = {
    "leaderboard": Candidate,
    "importance": Importance,
    "robustness": Stress,
    "subgroups": Subgroup,
    "history": Step,
    "receipts": Receipt,
    "frontier": Spot,
    "computed": Computed,
}
_PLAIN = ("classes", "score", "n_folds", "stopped_by", "model", "created")


def _unpack(data: Mapping[str, Any]) -> ReportFacts:
    values: dict[str, Any] = {name: data[name] for name in _PLAIN}
    values["classes"] = tuple(values["classes"])
    for name, kind in _LISTS.items():
        # An older version wrote fewer lists.
        values[name] = tuple(kind(**item) for item in data.get(name, ()))
    rule, profile = data["rule"], data["profile"]
    if rule is not None:
        weights = rule["weights"]
        values["rule"] = LabelRule(rule["threshold"], tuple(weights) if weights else None)
    values["profile"] = TableProfile.model_validate(profile) if profile else None
    values["findings"] = tuple(Finding.model_validate(f) for f in data["findings"])
    return ReportFacts(TaskSpec.model_validate(data["spec"]), **values)


def _plain(value: Any) -> Any:
    """Return a numpy number as a Python one, a mapping as a dict, anything else as text."""
    if isinstance(value, np.generic):
        return value.item()
    return dict(value) if isinstance(value, Mapping) else str(value)


def _pack(y: Array, prediction: Array) -> bytes:
    if len(y) > _MAX_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(len(y), _MAX_ROWS, replace=False))
        y, prediction = y[rows], prediction[rows]
    out = io.BytesIO()
    np.savez_compressed(out, y=y, prediction=prediction.astype(np.float32))
    return out.getvalue()
