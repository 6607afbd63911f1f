"""What a run could give, and which of it a preference takes."""

from __future__ import annotations

import numpy as np
import pytest
from tuner_work import build_work

from autoglm.core.budget import TimeBudget
from autoglm.core.contracts import Preference
from autoglm.core.journal import Journal
from autoglm.tuner.executor import InlineExecutor
from autoglm.tuner.frontier import FEW, Point, on_frontier, pick, survey, weighed
from autoglm.tuner.library import Library
from autoglm.tuner.plan import Plan
from autoglm.tuner.refit import refit_params
from autoglm.tuner.search import Search, SearchOptions
from autoglm.tuner.trials import Trial

WEIGHTS = (0.0, 0.01, 0.1, 1.0, 10.0, 1e6)


@pytest.fixture(scope="module")
def trials_and_library(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[list[Trial], Library]:
    """Finished trials of a search on real rows, and their predictions."""
    work = build_work(tmp_path_factory.mktemp("runs") / "run")
    # Without a linear model, which is both the best and the quickest of them on these rows.
    options = SearchOptions(
        max_trials=6, learners=("constant", "lightgbm", "knn", "extra_trees", "hist_gbm")
    )
    plan = Plan(n_folds=3, repeats=1, depth=3, explore=1.0)
    executor = InlineExecutor(work.folder)
    with Journal(work.folder / "journal.log") as journal:
        found = Search(work, journal, executor, TimeBudget(None), plan, options).run()
    done = [t for t in found.trials if t.state == "complete"]
    return done, Library.of(done, work)


@pytest.fixture(scope="module")
def points(trials_and_library: tuple[list[Trial], Library]) -> list[Point]:
    """Single models and blends of few, each with one model and with all of its bag."""
    _, library = trials_and_library
    mixes = survey(library)
    choices = [(m, (k,) * len(m.trials)) for m in mixes for k in (1, 3)]
    return weighed(choices, library, len(library.y))


def test_every_candidate_is_weighed_alone_and_blends_are_small(
    trials_and_library: tuple[list[Trial], Library], points: list[Point]
) -> None:
    trials, _ = trials_and_library
    alone = {p.mix.trials[0].key for p in points if len(p.mix.trials) == 1}
    assert alone == {t.key for t in trials}
    assert max(len(p.mix.trials) for p in points) <= FEW
    assert min(p.loss for p in points) == pytest.approx(0.0, abs=1e-9)
    guess = next(p for p in points if p.title == "constant" and p.models == 1)
    assert guess.loss == pytest.approx(1.0, abs=0.1)


def test_nothing_beats_a_point_of_the_frontier_and_something_beats_the_others(
    points: list[Point],
) -> None:
    marks = on_frontier(points)
    table = np.array([[p.loss, p.row_us, p.size_mb] for p in points])
    for mark, row in zip(marks, table, strict=True):
        beaten = ((table <= row).all(axis=1) & (table < row).any(axis=1)).any()
        assert mark == (not beaten)
    assert 1 < sum(marks) < len(marks)


@pytest.mark.parametrize(
    ("kind", "taken"), [("latency", "row_us"), ("size", "size_mb"), ("cost", "cost_s")]
)
def test_more_weight_never_takes_something_dearer(
    points: list[Point], kind: str, taken: str
) -> None:
    chosen = [pick(points, Preference.model_validate(_only(kind, w))) for w in WEIGHTS]
    dear = [getattr(p, taken) for p in chosen]
    losses = [p.loss for p in chosen]
    assert dear == sorted(dear, reverse=True)
    assert losses == sorted(losses)
    assert dear[-1] < dear[0]
    assert dear[-1] == min(getattr(p, taken) for p in points)
    assert losses[0] == min(p.loss for p in points)


def _only(kind: str, weight: float) -> dict[str, float]:
    return dict.fromkeys(("latency", "cost", "size"), 0.0) | {"accuracy": 1.0, kind: weight}


@pytest.mark.parametrize("most", [0.0, 0.02, 0.2])
def test_no_more_is_lost_than_was_allowed(points: list[Point], most: float) -> None:
    eager = Preference(accuracy=0, latency=1, cost=0, most_loss=most)
    assert pick(points, eager).loss <= most + 1e-9
    free = pick(points, eager.model_copy(update={"most_loss": None}))
    assert free.row_us <= pick(points, eager).row_us


def test_bounds_are_kept_and_the_nearest_is_taken_where_none_is(points: list[Point]) -> None:
    middle = float(np.median([p.row_us for p in points]))
    exact = Preference(accuracy=1, latency=0, cost=0)
    assert pick(points, exact, most_us=middle).row_us <= middle
    small = float(np.median([p.size_mb for p in points]))
    assert pick(points, exact, most_mb=small).size_mb <= small
    assert pick(points, exact, most_us=1e-9).row_us == min(p.row_us for p in points)
    assert pick(points, exact, most_mb=1e-9).size_mb == min(p.size_mb for p in points)


def test_a_fit_on_all_rows_takes_what_the_folds_learned(
    trials_and_library: tuple[list[Trial], Library],
) -> None:
    trials, _ = trials_and_library
    boosted = next(t for t in trials if t.learner == "lightgbm")
    rounds = [boosted.results[f].learned["rounds"] for f in boosted.done()]
    assert refit_params(boosted)["rounds"] == round(float(np.median(rounds)))
    assert (
        refit_params(boosted).items()
        >= {k: v for k, v in boosted.params.items() if k != "rounds"}.items()
    )
