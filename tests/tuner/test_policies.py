"""What a search does with its slots, seen from the executor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tuner_work import build_work

from autoglm.core.budget import TimeBudget
from autoglm.core.journal import Journal
from autoglm.core.space import Params
from autoglm.tuner.blend import assemble
from autoglm.tuner.executor import InlineExecutor, Job, ProcessExecutor, Result
from autoglm.tuner.library import choose_best
from autoglm.tuner.plan import Plan, make_plan
from autoglm.tuner.search import Search, SearchOptions, SearchOutcome
from autoglm.tuner.workspace import Workspace

QUICK = ("constant", "linear", "lightgbm", "knn")
FULL = Plan(n_folds=3, repeats=1, depth=3, explore=1.0)
ONE_FOLD_FIRST = Plan(n_folds=3, repeats=1, depth=1, explore=0.5)


class TwoSlots(InlineExecutor):
    """Two fits at a time, the newer one finished first; notes what it was asked to do."""

    slots = 2

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.busy_at_wait: list[int] = []
        self.jobs: list[Job] = []

    def submit(self, job: Job) -> None:
        self.jobs.append(job)
        super().submit(job)

    def wait(self, timeout: float) -> list[Result]:
        self.busy_at_wait.append(self.busy)
        self._jobs.rotate(1)
        return super().wait(timeout)


def search(
    work: Workspace, executor: TwoSlots, plan: Plan, trials: int, limit_s: float | None
) -> SearchOutcome:
    options = SearchOptions(max_trials=trials, learners=QUICK)
    with Journal(work.folder / "journal.log") as journal:
        return Search(work, journal, executor, TimeBudget(limit_s), plan, options).run()


def test_with_a_clock_no_slot_waits_for_another(work: Workspace) -> None:
    executor = TwoSlots(work.folder)
    outcome = search(work, executor, FULL, trials=8, limit_s=3600.0)
    assert len(outcome.trials) == 8
    # Only the very last fits may be alone.
    assert all(busy == 2 for busy in executor.busy_at_wait[:-2])


def test_without_a_clock_the_order_of_finishing_changes_nothing(tmp_path: Path) -> None:
    one, two = build_work(tmp_path / "one"), build_work(tmp_path / "two")
    swapped = search(one, TwoSlots(one.folder), FULL, trials=8, limit_s=None)
    options = SearchOptions(max_trials=8, learners=QUICK)
    with Journal(two.folder / "journal.log") as journal:
        budget = TimeBudget(None)
        plain = Search(two, journal, InlineExecutor(two.folder), budget, FULL, options).run()
    assert [(t.key, t.scores()) for t in swapped.trials] == [
        (t.key, t.scores()) for t in plain.trials
    ]


def test_the_best_get_all_folds_and_are_compared_on_the_first(work: Workspace) -> None:
    executor = TwoSlots(work.folder)
    outcome = search(work, executor, ONE_FOLD_FIRST, trials=6, limit_s=3600.0)
    first_folds = [job for job in executor.jobs if job.fold == 0]
    assert len(first_folds) == 6
    assert outcome.compared == range(1)
    best = max(outcome.trials, key=lambda t: t.score(range(1)))
    assert best.done() == [0, 1, 2]
    # Nothing is fitted twice.
    asked = [(job.key, job.fold) for job in executor.jobs]
    assert len(asked) == len(set(asked))


class Slow(InlineExecutor):
    """Tells of fits that they took two seconds."""

    def wait(self, timeout: float) -> list[Result]:
        return [replace(result, seconds=2.0) for result in super().wait(timeout)]


def test_what_costs_much_of_the_time_waits_for_what_does_not(work: Workspace) -> None:
    order = tuple((name, {}) for name in ("lightgbm", "hist_gbm", "linear", "knn"))
    tried = {}
    for limit_s in (20.0, 3600.0):
        options = SearchOptions(max_trials=4, order=order)
        with Journal(work.folder / f"journal-{limit_s}.log") as journal:
            budget, executor = TimeBudget(limit_s), Slow(work.folder)
            found = Search(work, journal, executor, budget, ONE_FOLD_FIRST, options).run()
        tried[limit_s] = [trial.learner for trial in found.trials]
    # For two classes histogram boosting takes about twice as long as LightGBM.
    assert tried[20.0] == ["lightgbm", "linear", "knn", "hist_gbm"]
    assert tried[3600.0] == ["lightgbm", "hist_gbm", "linear", "knn"]


class SlowButLightGBM(TwoSlots):
    """Says that LightGBM took next to nothing, and everything else two seconds."""

    def wait(self, timeout: float) -> list[Result]:
        return [
            replace(result, seconds=1e-3 if result.key.startswith("lightgbm") else 2.0)
            for result in super().wait(timeout)
        ]


def test_the_last_seconds_do_not_go_to_whoever_is_merely_quick(work: Workspace) -> None:
    names = ("lightgbm", "knn", "extra_trees")
    options = SearchOptions(max_trials=8, order=tuple((n, {}) for n in names), learners=names)
    with Journal(work.folder / "journal.log") as journal:
        budget, executor = TimeBudget(2.2), SlowButLightGBM(work.folder)
        found = Search(work, journal, executor, budget, ONE_FOLD_FIRST, options).run()
    assert [t.learner for t in found.trials] == list(names)
    assert all(t.state == "complete" for t in found.trials)
    # It is the worst of the three here, and alone would end in time.
    assert min(found.trials, key=lambda t: t.score(found.compared)).learner == "lightgbm"


def test_starting_a_worker_is_not_the_time_of_its_first_job(work: Workspace) -> None:
    executor = ProcessExecutor(work.folder, 1)
    executor.GRACE_S = 0.5  # type: ignore[misc]
    # Less than an interpreter takes to start.
    executor.submit(Job("constant-x", 0, "constant", {}, 0, 0.01))
    results: list[Result] = []
    while not results:
        results = executor.wait(30.0)
    executor.close()
    assert results[0].error == ""
    assert results[0].score is not None


class Peaked(TwoSlots):
    """Scores all but neighbours best by far, and these by how near to 40 they are."""

    slots = 1

    def wait(self, timeout: float) -> list[Result]:
        params = {job.key: job.params for job in self.jobs}
        found = super().wait(timeout)
        return [replace(r, score=-off(params[r.key]) if params[r.key] else 10.0) for r in found]


def off(params: Params) -> float:
    return abs(float(np.log(params["k"] / 40)))


def test_a_search_learns_from_what_it_gives_up(work: Workspace) -> None:
    order = (("knn", {"k": 1}), ("constant", {}))
    options = SearchOptions(max_trials=25, order=order, learners=("knn", "constant"))
    with Journal(work.folder / "journal.log") as journal:
        executor = Peaked(work.folder)
        found = Search(work, journal, executor, TimeBudget(3600.0), FULL, options).run()
    drawn = found.trials[2:]
    assert len(drawn) == 23
    assert all(t.state == "pruned" for t in drawn)
    # At random it would be about 0.8.
    assert np.median([off(t.params) for t in drawn[-10:]]) < 0.3


WITH_WHOLE = Plan(n_folds=3, repeats=1, depth=3, explore=0.0, whole=4)


def test_the_chosen_are_fitted_again_on_all_rows_and_stand_for_their_folds(
    work: Workspace,
) -> None:
    executor = TwoSlots(work.folder)
    outcome = search(work, executor, WITH_WHOLE, trials=6, limit_s=3600.0)
    whole = [job for job in executor.jobs if job.fold < 0]
    assert {job.learner for job in whole} >= {"lightgbm"}
    for trial in outcome.trials:
        own = [job for job in whole if job.key == trial.key]
        folds = [job.fold for job in own]
        # Where the seed changes nothing one fit is all there is.
        few = trial.learner in ("linear", "knn", "constant")
        assert folds in ([], [-1] if few else [-1, -2, -3, -4])
        assert len({job.seed for job in own}) == len(own)
        assert trial.models() == (folds or trial.done())
        assert all(r >= 0 for r in trial.done())
    boosted = next(job for job in whole if job.learner == "lightgbm")
    trial = next(t for t in outcome.trials if t.key == boosted.key)
    rounds = [trial.results[f].learned["rounds"] for f in range(3)]
    assert min(rounds) <= boosted.params["rounds"] <= max(rounds)
    # Folds of one cross-validation first, then all rows.
    order = [job.fold for job in executor.jobs if job.key == boosted.key]
    assert order == [0, 1, 2, -1, -2, -3, -4]
    mix, _ = choose_best([trial], work, np.inf, np.inf)
    made = assemble(mix, [len(trial.models())], work).blend.members[0]
    trees = made.models[0].booster.num_trees()
    assert trees == 4 * boosted.params["rounds"]


def test_a_resumed_search_takes_fits_on_all_rows_from_its_journal(work: Workspace) -> None:
    before = TwoSlots(work.folder)
    search(work, before, WITH_WHOLE, trials=4, limit_s=3600.0)
    after = TwoSlots(work.folder)
    again = search(work, after, WITH_WHOLE, trials=4, limit_s=3600.0)
    done = {(job.key, job.fold) for job in before.jobs}
    assert any(fold < 0 for _, fold in done)
    assert [(j.key, j.fold) for j in after.jobs if (j.key, j.fold) in done] == []
    assert any(t.whole() for t in again.trials)


@pytest.mark.parametrize(
    ("rows", "time_split", "repeats", "whole"),
    [(799, False, 3, 0), (800, False, 1, 5), (9_999, False, 1, 5), (10_000, False, 1, 0),
     (400, True, 1, 0), (2_000, True, 1, 0)],
)  # fmt: skip
def test_the_size_decides_between_repeats_and_fits_on_all_rows(
    work: Workspace, rows: int, time_split: bool, repeats: int, whole: int
) -> None:
    plan = make_plan(replace(work.facts, n_rows=rows), 60.0, 2, time_split)
    assert (plan.repeats, plan.whole) == (repeats, whole)
