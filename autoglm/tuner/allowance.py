"""What the contracts of a task allow one model, and what a trial is worth under a preference.

The search asks it before a trial (what is known to be too dear is not tried, or made smaller),
after the first fold (what turned out too dear is given up) and when it ranks trials. All
answers are functions of finished trials, so that equal searches stay equal.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from autoglm.core.contracts import Preference
from autoglm.core.space import Params
from autoglm.core.spec import TaskSpec
from autoglm.core.text import say
from autoglm.tuner.trials import Trial, trial_key

#: What one row takes on its way to the models and back, microseconds, about.
DOOR_US = 150.0
#: Whatever the way takes, this share of a latency is left for models.
MODEL_SHARE = 0.3
#: Share of a saved model that its models may take; the rest is for what prepares rows.
SIZE_SHARE = 0.95
#: Whatever the contract, so much is allowed: something must be tried, to tell what is nearest.
LEAST_US, LEAST_MB = 20.0, 0.02
#: Fewer rounds or trees than this are no model worth having.
LEAST_TREES = 8
_MOST_RATE, _LEAST_WIDTH = 0.3, 16


@dataclass(frozen=True)
class Allowance:
    """Bounds on one model, and what may be given up for what.

    Attributes
    ----------
    row_us
        Microseconds that the model may take for a row.
    model_mb
        Megabytes that it may have.
    prefer
        How accuracy, latency, cost and size are weighed; None for accuracy alone.
    timed
        Whether seconds count as cost. A run that is bounded by trials alone must not depend
        on them.
    """

    row_us: float = math.inf
    model_mb: float = math.inf
    prefer: Preference | None = None
    timed: bool = False

    @classmethod
    def of(cls, spec: TaskSpec, *, timed: bool) -> Allowance:
        """Return what a task allows."""
        row_us, model_mb = math.inf, math.inf
        if spec.latency_ms.value is not None:
            whole = 1000.0 * spec.latency_ms.value
            row_us = max(MODEL_SHARE * whole, whole - DOOR_US, LEAST_US)
        if spec.size_mb.value is not None:
            model_mb = max(SIZE_SHARE * spec.size_mb.value, LEAST_MB)
        return cls(row_us, model_mb, spec.prefer.value, timed)

    # --- bounds --------------------------------------------------------------------------

    def excess(self, trial: Trial) -> float:
        """Return how many times one model of the trial exceeds a bound; 1 or less is within."""
        done = [r for r in trial.results.values() if r.score is not None]
        if not done:
            return 0.0
        return max(max(r.predict_us / self.row_us, r.size / 1e6 / self.model_mb) for r in done)

    def refusal(self, trial: Trial) -> str:
        """Return why no model of the trial can be used, or ""."""
        excess = self.excess(trial)
        if excess <= 1.0:
            return ""
        return say(en=f"{excess:.3g} times what latency and size allow one model",
                   zh=f"是延迟与大小所允许单个模型的 {excess:.3g} 倍")  # fmt: skip

    def shaped(self, learner: str, params: Params, closed: Sequence[Trial]) -> Params | None:
        """Return the parameters, made smaller where trials of the learner were refused.

        None when the learner cannot be made small enough.
        """
        refused = [t for t in closed if t.learner == learner and self.excess(t) > 1.0]
        if not refused:
            return params
        small = smaller(refused[-1], self.excess(refused[-1]))
        if small is None:
            return None
        shaped = dict(params)
        for name in ("rounds", "n_estimators", "width"):
            if name in small:
                shaped[name] = min(small[name], shaped.get(name, small[name]))
        # Fewer steps have to be longer ones.
        if "rounds" in small and "learning_rate" in small and "learning_rate" in params:
            rate, longer = float(params["learning_rate"]), float(small["learning_rate"])
            shaped["learning_rate"] = max(rate, min(_MOST_RATE, longer))
        return shaped

    def again(self, closed: Sequence[Trial], tried: Collection[str]) -> tuple[str, Params] | None:
        """Return learner and parameters of a refused trial made smaller; None when there is none.

        Parameters
        ----------
        closed
            Finished trials.
        tried
            Keys of all trials.
        """
        for trial in closed:
            excess = self.excess(trial)
            params = smaller(trial, excess) if excess > 1.0 else None
            if params is not None and trial_key(trial.learner, params, trial.seed) not in tried:
                return trial.learner, params
        return None

    # --- preference ----------------------------------------------------------------------

    def worth(self, trial: Trial, among: Sequence[Trial], folds: range) -> float:
        """Return what a trial is worth: its score, or its value under the preference.

        Parameters
        ----------
        trial
            With a score.
        among
            Finished trials; the best of them is worth 0 under a preference.
        folds
            Folds that scores are taken over.
        """
        score = trial.score(folds)
        known = [t for t in among if t.scores(folds)]
        if self.prefer is None or not known or not math.isfinite(score):
            return score
        best = max(known, key=lambda t: t.score(folds))
        floor = min((t for t in known if t.learner == "constant"), default=None,
                    key=lambda t: t.index)  # fmt: skip
        base = min(t.score(folds) for t in known) if floor is None else floor.score(folds)
        span = best.score(folds) - base
        loss = (best.score(folds) - score) / span if span > 0 else 0.0
        return self.prefer.value(
            loss=loss,
            latency=(DOOR_US + _row_us(trial)) / (DOOR_US + _row_us(best)),
            cost=self._cost(trial) / self._cost(best),
            size=(_size(trial) + 1e3) / (_size(best) + 1e3),
        )

    def _cost(self, trial: Trial) -> float:
        """Return the cost of a fit: seconds where time counts, else the work of predicting."""
        return trial.seconds() + 0.01 if self.timed else _row_us(trial) + 1.0


#: Everything is allowed, and accuracy alone counts.
ANYTHING = Allowance()


def smaller(trial: Trial, excess: float) -> Params | None:
    """Return the parameters of a trial for a model `excess` times smaller; None if none.

    What boosts gets fewer and longer steps, a forest fewer trees, a network fewer units.
    """
    keep = 0.9 / excess
    none: Params = {}
    learned = next((r.learned for r in trial.results.values() if r.learned), none)
    params = dict(trial.params)
    if "rounds" in learned:
        params["rounds"] = int(float(learned["rounds"]) * keep)
        if "learning_rate" in params:
            rate = float(params["learning_rate"])
            params["learning_rate"] = round(max(rate, min(_MOST_RATE, rate / keep)), 4)
        return params if params["rounds"] >= LEAST_TREES else None
    if "n_estimators" in params:
        params["n_estimators"] = int(params["n_estimators"] * keep)
        return params if params["n_estimators"] >= LEAST_TREES else None
    if "width" in params:
        params["width"] = int(params["width"] * math.sqrt(keep))
        return params if params["width"] >= _LEAST_WIDTH else None
    return None


def _row_us(trial: Trial) -> float:
    """Return the mean time of one of its models for a row."""
    return trial.bag()["predict_us"] / max(1, len(trial.models()))


def _size(trial: Trial) -> float:
    """Return the mean size of one of its models, bytes."""
    return 1e6 * trial.bag()["size_mb"] / max(1, len(trial.models()))
