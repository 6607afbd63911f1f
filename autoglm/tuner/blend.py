"""The final model: a weighted blend of fold bags, calibrated, with a rule for labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm.core.errors import BundleError
from autoglm.core.text import say
from autoglm.evaluate.calibrate import Calibrator, fit_calibrator
from autoglm.evaluate.threshold import LabelRule, choose_rule
from autoglm.tuner.ensemble import Weights, select
from autoglm.tuner.scoring import MetricChoice, Scorer
from autoglm.tuner.search import available_learners, common_rows
from autoglm.tuner.trials import Trial
from autoglm.tuner.workspace import Workspace, facts_from
from autoglm.zoo.contract import Facts, Model, View

Array = NDArray[np.float64]

#: Prediction time of the whole blend for one row of a batch, microseconds on one thread,
#: when the task sets no limit; so much again for every three classes, which have trees of
#: their own.
DEFAULT_PREDICT_US = 300.0
#: Size of the models, megabytes, when the task sets no limit.
DEFAULT_SIZE_MB = 18.0
#: Models of a bag that are worth having; repeats of the cross-validation bring more.
BAG_FOLDS = 5


@dataclass
class Member:
    """One configuration in the blend: the models of its folds, averaged.

    Attributes
    ----------
    learner, key
        Its learner and the name of its configuration.
    view
        The view it eats.
    weight
        Its share.
    models
        One model a fold, or one that stands for all.
    """

    learner: str
    key: str
    view: View
    weight: float
    models: list[Model]

    def predict(self, X: Any) -> Array:
        """Return the mean prediction of its models."""
        total = self.models[0].predict(X)
        for model in self.models[1:]:
            total = total + model.predict(X)
        return np.asarray(total / len(self.models))


@dataclass
class Blend:
    """A finished model on encoded rows.

    Attributes
    ----------
    members
        Heaviest first.
    facts, metric
        The task as learners and scorers see it.
    calibrator, rule
        What is done to probabilities, and how labels follow.
    """

    members: list[Member]
    facts: Facts
    metric: MetricChoice
    calibrator: Calibrator
    rule: LabelRule

    @property
    def views(self) -> set[View]:
        """The views that it needs."""
        return {m.view for m in self.members}

    def predict(self, views: Mapping[str, Any]) -> Array:
        """Return calibrated probabilities (n, k), or values (n,) on the learners' scale."""
        scorer = Scorer(self.metric)
        parts = [m.weight * scorer.bounded(m.predict(views[m.view])) for m in self.members]
        return self.calibrated(np.sum(parts, axis=0))

    def calibrated(self, raw: Array) -> Array:
        """Return blended predictions after calibration."""
        return raw if self.facts.regression else self.calibrator.apply(raw)

    def dump(self) -> dict[str, bytes]:
        """Return the blend as files in safe formats, paths with "/"."""
        plan = {
            "facts": asdict(self.facts),
            "metric": asdict(self.metric),
            "members": [
                {"learner": m.learner, "key": m.key, "view": m.view, "weight": m.weight,
                 "models": len(m.models)}
                for m in self.members
            ],
        }  # fmt: skip
        files = {
            "blend.json": json.dumps(plan, ensure_ascii=False).encode(),
            "calibrator.json": self.calibrator.to_json().encode(),
            "rule.json": self.rule.to_json().encode(),
        }
        for i, member in enumerate(self.members):
            for j, model in enumerate(member.models):
                for name, content in model.dump().items():
                    files[f"models/{i}/{j}/{name}"] = content
        return files

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Blend:
        """Return the blend that `dump` wrote.

        Raises
        ------
        BundleError
            When it needs a learner that is not there, or its files are not what they should be.
        """
        try:
            plan = json.loads(files["blend.json"])
            facts = facts_from(plan["facts"])
            members = [_load_member(i, m, files, facts) for i, m in enumerate(plan["members"])]
            return cls(
                members,
                facts,
                MetricChoice(**plan["metric"]),
                Calibrator.from_json(files["calibrator.json"]),
                LabelRule.from_json(files["rule.json"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(
                say(en=f"The saved model is not complete: {error!r}.",
                    zh=f"保存的模型不完整:{error!r}。"),
                hint=say(en="Save it again from its run.", zh="请从原来的运行重新保存。"),
            ) from error  # fmt: skip


@dataclass
class Outcome:
    """A blend with what it was chosen on.

    Attributes
    ----------
    blend
        The model.
    score
        Utility of the blend on out-of-fold predictions.
    rows
        Rows that have an out-of-fold prediction (m,).
    prediction
        The blend's calibrated out-of-fold predictions for these rows.
    """

    blend: Blend
    score: float
    rows: NDArray[np.int64]
    prediction: Array


def build_blend(
    trials: Sequence[Trial],
    work: Workspace,
    *,
    max_predict_us: float = DEFAULT_PREDICT_US,
    max_size_mb: float = float("inf"),
    seed: int = 0,
) -> Outcome:
    """Choose, calibrate and load the final model from finished trials.

    Parameters
    ----------
    trials
        Complete trials; at least one.
    work
        Their workspace.
    max_predict_us
        Bound on the prediction time of a row in a batch, on one thread, microseconds.
    max_size_mb
        Bound on the size of the models.
    seed
        Seed of the calibration and the threshold.
    """
    scorer = Scorer(work.metric)
    chosen, weights, rows, raw = _choose(trials, work, scorer, max_predict_us, max_size_mb)
    y = work.y[rows]
    calibrator, rule = Calibrator(), LabelRule()
    if not work.facts.regression:
        calibrator = fit_calibrator(y, raw, seed=seed)
        rule = choose_rule(scorer.metric, y, calibrator.apply(raw), seed=seed)
    folds = _folds_kept(chosen, weights.weights, max_predict_us, max_size_mb)
    members = [
        _member(t, w, work, kept) for t, w, kept in zip(chosen, weights.weights, folds, strict=True)
    ]
    blend = Blend(members, work.facts, work.metric, calibrator, rule)
    return Outcome(blend, weights.score, rows, blend.calibrated(raw))


_Choice = tuple[list[Trial], Weights, NDArray[np.int64], Array]


def _choose(
    trials: Sequence[Trial], work: Workspace, scorer: Scorer, max_us: float, max_mb: float
) -> _Choice:
    """Choose among the trials with all folds, unless one with fewer is clearly better.

    Where time was short only some trials have all folds. Rows of the first fold are common
    to all; a blend of whole bags that is no worse there than any single trial is kept, as a
    bag of all folds predicts better than its first model, which is what is compared.
    """
    covered_by = [len(_covered(t, work)) for t in trials]
    whole = [t for t, n in zip(trials, covered_by, strict=True) if n == max(covered_by)]
    found = _select(whole, work, scorer, max_us, max_mb)
    if len(whole) == len(trials):
        return found
    first = work.folds[0][1]
    covered = np.isin(found[2], first)
    score = scorer.utility(work.y[found[2][covered]], found[3][covered])
    if score >= max(t.score(range(1)) for t in trials):
        return found
    return _select(list(trials), work, scorer, max_us, max_mb)


def _covered(trial: Trial, work: Workspace) -> NDArray[np.int64]:
    """Return the rows that have an out-of-fold prediction."""
    return np.unique(np.concatenate([work.folds[f][1] for f in trial.done()]))


def _select(
    trials: list[Trial], work: Workspace, scorer: Scorer, max_us: float, max_mb: float
) -> _Choice:
    predictions, rows = common_rows(trials, work)
    prices = [_fold_price(t, max_us, max_mb) * _counted_folds(t) for t in trials]
    weights = select(
        [p[rows] for p in predictions], work.y[rows], scorer, costs=prices, max_cost=1.0
    )
    parts = [
        w * predictions[i][rows].astype(np.float64)
        for i, w in zip(weights.members, weights.weights, strict=True)
    ]
    return [trials[i] for i in weights.members], weights, rows, np.sum(parts, axis=0)


def _fold_price(trial: Trial, max_us: float, max_mb: float) -> float:
    """Return what one model of the bag takes of the bounds: the larger of its two shares."""
    bag = trial.bag()
    return max(bag["predict_us"] / max_us, bag["size_mb"] / max_mb) / max(1, len(trial.done()))


def _counted_folds(trial: Trial) -> float:
    """Return how many models of a bag are reckoned with when members are chosen.

    Half of one cross-validation: few members with most of their models predict better than
    many that are cut down to one each.
    """
    return max(1.0, min(len(trial.done()), BAG_FOLDS) / 2)


def _folds_kept(
    trials: Sequence[Trial], weights: Sequence[float], max_us: float, max_mb: float
) -> list[int]:
    """Return how many models of each bag are kept, the costliest for its weight cut first."""
    kept = [len(t.done()) for t in trials]
    price = [_fold_price(t, max_us, max_mb) for t in trials]
    while sum(k * p for k, p in zip(kept, price, strict=True)) > 1.0 and max(kept) > 1:
        able = [i for i, k in enumerate(kept) if k > 1]
        cut = max(able, key=lambda i: kept[i] * price[i] / weights[i])
        kept[cut] -= 1
    return kept


def _member(trial: Trial, weight: float, work: Workspace, n_folds: int) -> Member:
    learner = available_learners()[trial.learner]
    models = [
        learner.load(work.model_files(trial.key, fold), work.facts)
        for fold in trial.done()[:n_folds]
    ]
    merged = learner.merge(models) if len(models) > 1 else None
    return Member(
        trial.learner, trial.key, learner.view, weight, models if merged is None else [merged]
    )


def _load_member(
    place: int, plan: Mapping[str, Any], files: Mapping[str, bytes], facts: Facts
) -> Member:
    learners = available_learners()
    if plan["learner"] not in learners:
        raise BundleError(
            say(en=f"The model needs the learner {plan['learner']!r}, which is not installed.",
                zh=f"该模型需要学习器 {plan['learner']!r},但尚未安装。"),
            hint=say(en="Install the plug-in that brings it.", zh="请安装提供它的插件。"),
        )  # fmt: skip
    learner = learners[plan["learner"]]
    models = []
    for j in range(plan["models"]):
        start = f"models/{place}/{j}/"
        own = {name[len(start) :]: files[name] for name in files if name.startswith(start)}
        models.append(learner.load(own, facts))
    return Member(plan["learner"], plan["key"], plan["view"], plan["weight"], models)
