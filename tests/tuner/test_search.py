"""The search through its public door, with real learners on real data."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tuner_work import build_work

from autoglm.core.budget import TimeBudget
from autoglm.core.errors import BudgetError
from autoglm.core.events import subscribe
from autoglm.core.journal import Journal, read_journal
from autoglm.tuner.blend import Blend, Outcome, assemble
from autoglm.tuner.executor import Executor, InlineExecutor, Job, ProcessExecutor, Result
from autoglm.tuner.library import choose_best, folds_kept
from autoglm.tuner.plan import Plan
from autoglm.tuner.search import Search, SearchOptions, SearchOutcome
from autoglm.tuner.trials import Trial
from autoglm.tuner.workspace import Workspace

PLAN = Plan(n_folds=3, repeats=1, depth=3, explore=1.0)
QUICK = ("constant", "linear", "lightgbm", "knn")


def search(
    work: Workspace, executor: Executor, trials: int = 8, limit_s: float | None = None
) -> SearchOutcome:
    """Run one search in the workspace's own journal."""
    options = SearchOptions(max_trials=trials, learners=QUICK)
    with Journal(work.folder / "journal.log") as journal:
        try:
            return Search(work, journal, executor, TimeBudget(limit_s), PLAN, options).run()
        finally:
            executor.close()


def summary(outcome: SearchOutcome) -> list[tuple[str, str, list[float]]]:
    """Return what must be equal between equal searches."""
    return [(t.key, t.state, t.scores()) for t in outcome.trials]


def test_same_seed_same_trials_with_and_without_workers(tmp_path: Path) -> None:
    one, two = build_work(tmp_path / "one"), build_work(tmp_path / "two")
    alone = search(one, InlineExecutor(one.folder))
    together = search(two, ProcessExecutor(two.folder, 2))
    assert len(alone.trials) == 8
    assert summary(alone) == summary(together)


def test_finished_folds_are_taken_from_the_journal(work: Workspace) -> None:
    before = search(work, InlineExecutor(work.folder), trials=4)
    done = len(read_journal(work.folder / "journal.log"))

    class Refusing(InlineExecutor):
        def submit(self, job: Job) -> None:
            raise AssertionError(f"{job.key} fold {job.fold} was fitted again")

    again = search(work, Refusing(work.folder), trials=4)
    assert summary(again) == summary(before)
    assert len(read_journal(work.folder / "journal.log")) == done


def test_a_longer_search_begins_like_a_shorter_one(tmp_path: Path) -> None:
    short, long = build_work(tmp_path / "short"), build_work(tmp_path / "long")
    first = summary(search(short, InlineExecutor(short.folder), trials=4))
    assert summary(search(long, InlineExecutor(long.folder), trials=7))[:4] == first


def test_a_worker_that_dies_fails_its_trial_and_is_replaced(work: Workspace) -> None:
    executor = ProcessExecutor(work.folder, 1)
    job = Job("linear-x", 0, "linear", {}, 0, 60.0)
    executor.submit(job)
    os.kill(executor.pids()[0], signal.SIGKILL)
    results: list[Result] = []
    while not results:
        results = executor.wait(10.0)
    assert results[0].score is None
    assert "died" in results[0].error
    executor.submit(job)
    results = []
    while not results:
        results = executor.wait(10.0)
    executor.close()
    assert results[0].score is not None


def test_a_plug_in_finds_all_of_lightgbm_in_a_worker(work: Workspace) -> None:
    executor = ProcessExecutor(work.folder, 1, plugins=("plugged_learners",))
    executor.submit(Job("wrapped-x", 0, "wrapped", {}, 0, 60.0))
    results: list[Result] = []
    while not results:
        results = executor.wait(60.0)
    executor.close()
    assert results[0].error == ""
    assert results[0].score is not None


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what a process has loaded")
def test_a_worker_fits_with_scikit_learn_and_loads_no_pandas(work: Workspace) -> None:
    executor = ProcessExecutor(work.folder, 1)
    results: list[Result] = []
    for n, learner in enumerate(("lightgbm", "extra_trees", "hist_gbm", "random_forest")):
        executor.submit(Job(f"{learner}-x", 0, learner, {}, 0, 60.0))
        while len(results) <= n:
            results += executor.wait(60.0)
    loaded = Path(f"/proc/{executor.pids()[0]}/maps").read_text()
    executor.close()
    assert all(r.error == "" for r in results)
    assert "/sklearn/" in loaded
    assert "/pandas/" not in loaded


def test_an_overdue_job_is_stopped(work: Workspace) -> None:
    executor = ProcessExecutor(work.folder, 1)
    executor.GRACE_S = 0.0  # type: ignore[misc]
    executor.submit(Job("lightgbm-x", 0, "lightgbm", {}, 0, 0.0))
    results: list[Result] = []
    while not results:
        results = executor.wait(5.0)
    executor.close()
    assert results[0].error == "took longer than its time"


def test_a_learner_that_fails_is_reported_and_the_search_goes_on(work: Workspace) -> None:
    runner = InlineExecutor(work.folder)
    runner.submit(Job("lightgbm-bad", 0, "lightgbm", {"num_leaves": -5}, 0, 60.0))
    (result,) = runner.wait(0.0)
    assert result.score is None
    assert result.error


def build_blend(trials: Sequence[Trial], work: Workspace) -> Outcome:
    """Return the blend that is chosen among trials when everything is allowed."""
    mix, _ = choose_best(trials, work, np.inf, np.inf)
    return assemble(mix, folds_kept(mix.trials, mix.weights, np.inf, np.inf), work)


def test_time_ends_a_search_and_a_blend_comes_out(work: Workspace) -> None:
    outcome = search(work, InlineExecutor(work.folder), trials=10_000, limit_s=2.0)
    assert outcome.stopped_by == "time"
    done = [t for t in outcome.trials if t.state == "complete"]
    assert build_blend(done, work).score > 0.9


def test_more_folds_and_luck_on_the_first_do_not_leave_one_member_alone(work: Workspace) -> None:
    outcome = search(work, InlineExecutor(work.folder), trials=6)
    done = [t for t in outcome.trials if t.state == "complete" and t.learner != "constant"]
    lucky = next(t for t in done if t.learner == "knn")
    truth = np.eye(2)[work.y.astype(int)]
    for fold in range(3):
        rows = work.folds[fold][1]
        said = truth[rows] if fold == 0 else truth[np.random.default_rng(fold).permutation(rows)]
        np.save(work.fit_folder(lucky.key, fold) / "oof.npy", said.astype(np.float32))
    for trial in done:
        if trial is not lucky:
            del trial.results[2]
    mix, _ = choose_best(done, work, np.inf, np.inf)
    assert len(mix.trials) > 1 or mix.trials[0] is not lucky
    assert set(mix.rows) == {*work.folds[0][1], *work.folds[1][1]}


def test_the_best_candidate_is_not_kept_out_because_half_its_models_do_not_fit(
    work: Workspace,
) -> None:
    outcome = search(work, InlineExecutor(work.folder), trials=6)
    done = [t for t in outcome.trials if t.state == "complete" and t.learner != "constant"]
    best, bound = done[0], 120.0
    truth = np.eye(2)[work.y.astype(int)]
    for trial in done:
        for fold, result in trial.results.items():
            trial.results[fold] = replace(result, predict_us=100.0 if trial is best else 1.0)
            if trial is best:
                said = 0.9 * truth[work.folds[fold][1]] + 0.05
                np.save(work.fit_folder(best.key, fold) / "oof.npy", said.astype(np.float32))
    mix, _ = choose_best(done, work, bound, np.inf)
    assert best in mix.trials
    kept = folds_kept(mix.trials, mix.weights, bound, np.inf)
    costs = [t.bag()["predict_us"] / len(t.models()) for t in mix.trials]
    assert sum(k * c for k, c in zip(kept, costs, strict=True)) <= bound


@pytest.mark.parametrize("regression", [False, True])
def test_blend_is_no_worse_than_its_best_member_and_survives_files(
    tmp_path: Path, regression: bool
) -> None:
    work = build_work(tmp_path / "run", regression=regression)
    outcome = search(work, InlineExecutor(work.folder), trials=6)
    done = [t for t in outcome.trials if t.state == "complete"]
    best = build_blend(done, work)
    alone = max(build_blend([t], work).score for t in done)
    assert best.score >= alone - 1e-9
    again = Blend.load(best.blend.dump())
    views = {name: np.asarray(work.view(name)) for name in best.blend.views}
    np.testing.assert_allclose(best.blend.predict(views), again.predict(views), atol=1e-9)


def test_events_tell_each_trial_once(work: Workspace) -> None:
    seen: list[tuple[str, int]] = []
    with subscribe(lambda e: seen.append((e.name, e.data.get("trial", -1)))):
        outcome = search(work, InlineExecutor(work.folder), trials=5)
    ends = [t for n, t in seen if n in ("trial_finished", "trial_pruned", "trial_failed")]
    assert sorted(ends) == [t.index for t in outcome.trials]


def test_memory_limit_has_a_clear_error() -> None:
    from autoglm.core.budget import MemoryBudget

    with pytest.raises(BudgetError, match="1,000 MB") as caught:
        MemoryBudget(10.0).require(1000.0, "The table")
    assert caught.value.hint


def test_a_space_that_is_used_up_ends_the_search(work: Workspace) -> None:
    options = SearchOptions(max_trials=500, learners=("knn",))
    with Journal(work.folder / "journal.log") as journal:
        budget = TimeBudget(None)
        found = Search(work, journal, InlineExecutor(work.folder), budget, PLAN, options).run()
    assert 10 < len(found.trials) < 300
    assert len({t.key for t in found.trials}) == len(found.trials)


def test_a_grid_ends_without_an_error(work: Workspace) -> None:
    options = SearchOptions(max_trials=500, learners=("knn",), sampler="grid")
    with Journal(work.folder / "journal.log") as journal:
        budget = TimeBudget(None)
        found = Search(work, journal, InlineExecutor(work.folder), budget, PLAN, options).run()
    assert 3 < len(found.trials) <= 7  # the default, and three values of k twice
