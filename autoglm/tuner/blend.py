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
from autoglm.evaluate.fairness import fair_rule
from autoglm.evaluate.threshold import LabelRule, choose_rule
from autoglm.tuner.board import available_learners
from autoglm.tuner.ensemble import LINEAR, Pool
from autoglm.tuner.library import Mix
from autoglm.tuner.scoring import MetricChoice, Scorer
from autoglm.tuner.trials import Trial
from autoglm.tuner.workspace import Workspace, facts_from
from autoglm.zoo.contract import Facts, Model, View

Array = NDArray[np.float64]

#: Prediction time of the whole blend for one row of a batch, microseconds on one thread,
#: when the task sets no limit; so much again for every six classes, which have trees of
#: their own.
DEFAULT_PREDICT_US = 300.0
#: Size of a saved model, both outputs together, megabytes, when the task sets no limit.
DEFAULT_SIZE_MB = 10.0


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
    pool
        How the predictions of members become one.
    """

    members: list[Member]
    facts: Facts
    metric: MetricChoice
    calibrator: Calibrator
    rule: LabelRule
    pool: Pool = LINEAR

    @property
    def views(self) -> set[View]:
        """The views that it needs."""
        return {m.view for m in self.members}

    def predict(self, views: Mapping[str, Any]) -> Array:
        """Return calibrated probabilities (n, k), or values (n,) on the learners' scale."""
        scorer = Scorer(self.metric)
        parts = [scorer.bounded(m.predict(views[m.view])) for m in self.members]
        return self.calibrated(self.pool(parts, [m.weight for m in self.members]))

    def calibrated(self, raw: Array) -> Array:
        """Return blended predictions after calibration."""
        return raw if self.facts.regression else self.calibrator.apply(raw)

    def dump(self) -> dict[str, bytes]:
        """Return the blend as files in safe formats, paths with "/"."""
        plan = {
            "facts": asdict(self.facts),
            "metric": asdict(self.metric),
            "pool": asdict(self.pool),
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
                Pool(**plan.get("pool", {})),  # older blends average predictions
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


def assemble(
    mix: Mix,
    folds: Sequence[int],
    work: Workspace,
    *,
    seed: int = 0,
    refitted: Mapping[str, Model] | None = None,
) -> Outcome:
    """Calibrate a choice of trials and load its models.

    Parameters
    ----------
    mix
        The trials, their weights and blended out-of-fold predictions.
    folds
        How many models of each bag are loaded; of one alone the best of its bag.
    work
        The workspace.
    seed
        Seed of the calibration and the threshold.
    refitted
        Models fitted on all rows, by the key of their trial; each stands for its bag.
    """
    scorer = Scorer(work.metric)
    y = work.y[mix.rows]
    calibrator, rule = Calibrator(), LabelRule()
    if not work.facts.regression:
        calibrator = fit_calibrator(y, mix.raw, seed=seed)
        proba = calibrator.apply(mix.raw)
        rule = choose_rule(scorer.metric, y, proba, seed=seed)
        if work.groups:
            groups = [codes[mix.rows] for codes in work.groups]
            rule = fair_rule(scorer.metric, y, proba, rule, groups)
    known = refitted or {}
    members = [
        _member(t, w, work, known.get(t.key, n))
        for t, w, n in zip(mix.trials, mix.weights, folds, strict=True)
    ]
    blend = Blend(members, work.facts, work.metric, calibrator, rule, mix.pool)
    return Outcome(blend, mix.score, mix.rows, blend.calibrated(mix.raw))


def _member(trial: Trial, weight: float, work: Workspace, which: int | Model) -> Member:
    """Return a member of so many models of a bag, or of the model given."""
    learner = available_learners()[trial.learner]
    if isinstance(which, Model):
        return Member(trial.learner, trial.key, learner.view, weight, [which])
    folds = trial.models()[:which]
    if which == 1 and folds[0] >= 0:
        folds = [trial.done()[int(np.argmax(trial.scores()))]]
    models = [learner.load(work.model_files(trial.key, fold), work.facts) for fold in folds]
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
