"""Racing: a configuration far behind after its first fold is given up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autoglm.core.events import emit
from autoglm.tuner.board import Board
from autoglm.tuner.trials import Trial

#: A trial more than this many standard errors behind after one fold is given up.
PRUNE_SE = 2.0
#: ... unless a blend with the best one is better by this many standard errors.
BLEND_GAIN_SE = 0.25


def cleared(trial: Trial, rivals: Sequence[Trial], board: Board) -> bool:
    """Decide after its first fold whether a trial is worth the others; once decided it stays so.

    Parameters
    ----------
    trial
        Its first fold is finished.
    rivals
        The complete trials it is compared with.
    board
        The search.
    """
    if trial.cleared or board.plan.depth == 1:
        return True
    refusal = board.options.allowance.refusal(trial)
    if refusal:
        _prune(trial, refusal, board)
        return False
    if rivals and _hopeless(trial, rivals, board):
        return False
    trial.cleared = True
    return True


def _hopeless(trial: Trial, rivals: Sequence[Trial], board: Board) -> bool:
    best = max(rivals, key=lambda t: t.score(board.compared))
    first, rival = trial.score(range(1)), best.score(range(1))
    error = float(np.std(best.scores(board.compared))) / np.sqrt(board.plan.depth)
    if first >= rival - PRUNE_SE * max(error, 1e-12):
        return False
    work = board.work
    y = work.y[work.folds[0][1]]
    mine, theirs = work.out_of_fold(trial.key, 0), work.out_of_fold(best.key, 0)
    mixed = [board.scorer.utility(y, w * mine + (1 - w) * theirs) for w in (0.1, 0.3)]
    if max(mixed) > rival + BLEND_GAIN_SE * error:
        return False  # worse alone, but it would help the blend
    allowance = board.options.allowance
    if allowance.prefer is not None and allowance.worth(trial, rivals, range(1)) >= 0.0:
        return False  # less accurate, but cheap enough to make up for it
    _prune(trial, f"{rival - first:.4g} behind after one fold", board)
    return True


def _prune(trial: Trial, reason: str, board: Board) -> None:
    trial.state, trial.reason = "pruned", reason
    emit("trial_pruned", trial=trial.index, learner=trial.learner,
         score=board.scorer.metric.to_utility(trial.score(range(1))), reason=reason)  # fmt: skip
