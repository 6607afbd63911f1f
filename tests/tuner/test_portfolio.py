"""The portfolio: what it resolves to on any table, where it comes from, what is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any, get_args

import pytest

from autoglm.core.errors import ConfigError
from autoglm.core.space import Choice
from autoglm.core.spec import TaskType
from autoglm.tuner.portfolio import (
    LEAD,
    ORDER,
    Entry,
    portfolio,
    read_portfolio,
    size_class,
)
from autoglm.tuner.samplers import inside
from autoglm.tuner.scoring import Scorer
from autoglm.tuner.search import available_learners
from autoglm.tuner.workspace import Workspace
from autoglm.zoo.contract import Facts, Fold, Learner, Limits

BENCH = Path(__file__).resolve().parents[2] / "bench" / "portfolio"
ROWS = (30, 999, 1_000, 9_999, 10_000, 300_000)
LEARNERS = {n: one for n, one in available_learners().items() if one.available()}

FILE = """
format = 1
learners = ["constant", "linear", "linear_text", "lightgbm", "knn"]

[[steps.binary.small]]
learner = "knn"
default = 0
params = { k = 7 }

[[steps.binary.small]]
learner = "lightgbm"
default = 1
params = { learning_rate = { share = 0.25 }, num_leaves = 12 }

[[steps.binary.large]]
learner = "lightgbm"
default = 0

[[steps.binary.large]]
learner = "lightgbm"
default = 99

[[steps.binary.large]]
learner = "came_with_a_plug_in"
default = 0
"""


def facts(kind: str, rows: int, *, categories: bool = True) -> Facts:
    """Return what learners know of a table with so many rows."""
    return Facts(
        task_type=kind,  # type: ignore[arg-type]
        n_classes={"binary": 2, "multiclass": 6, "regression": 1}[kind],
        n_rows=rows,
        n_features={"tree": 9, "dense": 14, "sparse": 14},
        categorical={0: 3, 4: 40} if categories else {},
        metric={"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}[kind],
    )


def shares(learner: Learner, kind: str, share: float, rows: int) -> Entry:
    """Return an entry that names a place in every range of a learner."""
    space = learner.space(facts(kind, rows))
    return Entry(learner.name, None, {name: {"share": share} for name in space})


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A portfolio file that the settings name."""
    path = tmp_path / "mine.toml"
    path.write_text(FILE, encoding="utf-8")
    monkeypatch.setenv("AUTOGLM_PORTFOLIO", str(path))
    return path


@pytest.mark.parametrize("kind", get_args(TaskType))
@pytest.mark.parametrize("rows", ROWS)
def test_steps_are_distinct_and_of_learners_that_suit(kind: str, rows: int) -> None:
    table = facts(kind, rows)
    steps = portfolio(LEARNERS, table)
    assert {name for name, _ in steps} == {n for n, one in LEARNERS.items() if one.suits(table)}
    assert all(step not in steps[:i] for i, step in enumerate(steps))
    assert steps[0][0] == "constant"
    for name, params in steps:
        defaults = {key for one in LEARNERS[name].defaults(table) for key in one}
        assert set(params) <= {*defaults, *LEARNERS[name].space(table)}


@pytest.mark.parametrize("share", [0.0, 0.37, 1.0])
@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_places_lie_in_the_range_of_any_table(name: str, share: float) -> None:
    learner = LEARNERS[name]
    for kind in get_args(TaskType):
        entry = shares(learner, kind, share, 4_000)
        for rows in ROWS:
            for categories in (True, False):
                table = facts(kind, rows, categories=categories)
                space = learner.space(table)
                params = entry.resolve(learner, table)
                assert params is not None
                offered = {n: d for n, d in space.items() if n in entry.params}
                assert set(params) == set(offered)
                assert inside(params, offered)


@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_a_learner_takes_what_entries_resolve_to(name: str, work: Workspace) -> None:
    learner, (train, valid) = LEARNERS[name], work.folds[0]
    if not learner.suits(work.facts):
        pytest.skip("not for this table")
    params = shares(learner, "binary", 0.3, work.facts.n_rows).resolve(learner, work.facts)
    assert params is not None
    X = work.view(learner.view)
    model = learner.fit(Fold(X, work.y, train, valid), params, work.facts, Limits(monotonic() + 2))
    score = Scorer(work.metric).utility(work.y[valid], model.predict(X[valid]))
    assert score >= (0.5 if name == "constant" else 0.8)


def test_values_are_brought_into_the_range() -> None:
    learner, table = LEARNERS["lightgbm"], facts("binary", 500)
    space = learner.space(table)
    wild = {name: 1e9 for name, d in space.items() if not isinstance(d, Choice)}
    params = Entry("lightgbm", 0, wild).resolve(learner, table)
    assert params is not None
    assert [params[name] for name in wild] == [space[name].high for name in wild]  # type: ignore[union-attr]
    assert Entry("lightgbm", None, {"learning_rate": "quick"}).resolve(learner, table) == {}


def test_a_file_is_used_for_its_kind_and_size(file: Path) -> None:
    small = portfolio(LEARNERS, facts("binary", 999))
    lead = [name for name, _ in small if (name, 0) in LEAD]
    assert [name for name, _ in small[: len(lead)]] == lead
    assert [name for name, _ in small[len(lead) : len(lead) + 2]] == ["knn", "lightgbm"]
    assert small[len(lead) + 1][1]["num_leaves"] == 12
    table = facts("binary", 10_000)
    large = portfolio(LEARNERS, table)
    assert large[len(lead)] == ("lightgbm", LEARNERS["lightgbm"].defaults(table)[0])
    assert "came_with_a_plug_in" not in dict(large)
    # Nothing was learned for the class between, nor for other kinds.
    for other in (facts("binary", 1_000), facts("regression", 999)):
        assert portfolio(LEARNERS, other) == by_hand(other)


def by_hand(table: Facts) -> list[tuple[str, dict[str, Any]]]:
    """Return the order by hand: the named steps, then all first defaults before second ones."""
    defaults = {n: one.defaults(table) for n, one in LEARNERS.items() if one.suits(table)}
    named = [(n, i) for n, i in ORDER if i < len(defaults.get(n, ()))]
    rest = [(n, i) for n in defaults for i in range(len(defaults[n])) if (n, i) not in named]
    rest.sort(key=lambda step: step[1])
    return [(n, dict(defaults[n][i])) for n, i in named + rest]


def test_the_setting_fixed_is_the_order_by_hand(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = facts("binary", 500)
    assert portfolio(LEARNERS, table) != by_hand(table)
    monkeypatch.setenv("AUTOGLM_PORTFOLIO", "fixed")
    assert portfolio(LEARNERS, table) == by_hand(table)


def test_a_learner_that_came_later_keeps_its_place(file: Path) -> None:
    table = facts("binary", 500)
    names = [name for name, _ in portfolio(LEARNERS, table)]
    # "linear" was there and was not chosen; "mlp" was not: it may be good.
    assert names.index("mlp") < names.index("linear")


@pytest.mark.parametrize("setting", ["learned", "fixed"])
def test_many_classes_begin_with_a_network(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGLM_PORTFOLIO", setting)
    few, many = facts("multiclass", 5_000), replace(facts("multiclass", 5_000), n_classes=26)
    before = [name for name, _ in portfolio(LEARNERS, few)]
    after = [name for name, _ in portfolio(LEARNERS, many)]
    assert sorted(before) == sorted(after)
    assert before.index("lightgbm") < before.index("mlp")
    assert after.index("mlp") < after.index("lightgbm")


def test_classes_of_size_meet_without_a_gap() -> None:
    assert [size_class(n) for n in (1, 999, 1_000, 9_999, 10_000, 10**9)] == [
        "small", "small", "medium", "medium", "large", "large"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "[[steps",
        "format = 2",
        'format = 1\n[[steps.binary.small]]\nlearner = "knn"\ndefault = -1',
        'format = 1\n[[steps.binary.small]]\nlearner = "knn"\ndefault = "first"',
        "format = 1\n[[steps.binary.small]]\ndefault = 0",
        "format = 1\n[[steps.binary.small]]\nlearner = 5",
        'format = 1\n[[steps.binary.huge]]\nlearner = "knn"',
        'format = 1\n[[steps.binary.small]]\nlearner = "knn"\nparams = { k = { at = 0.5 } }',
        'format = 1\n[[steps.binary.small]]\nlearner = "knn"\nparams = { k = { share = 7 } }',
        'format = 1\n[[steps.binary.small]]\nlearner = "knn"\nparams = 3',
        "format = 1\nsteps = 3",
        None,
    ],
)
def test_a_bad_file_is_an_error_that_says_what_helps(text: str | None, file: Path) -> None:
    file.unlink()
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(str(file))) as caught:
        portfolio(LEARNERS, facts("binary", 500))
    assert "bench/portfolio/choose.py" in caught.value.hint


def test_every_step_of_the_package_names_what_exists() -> None:
    for kind, sizes in read_portfolio().steps.items():
        for entries in sizes.values():
            for entry in entries:
                if entry.learner in LEARNERS:
                    learner, table = LEARNERS[entry.learner], facts(kind, 4_000)
                    assert entry.resolve(learner, table) is not None
                    defaults = {key for one in learner.defaults(table) for key in one}
                    assert set(entry.params) <= {*defaults, *learner.space(table)}


# --- the job that learns it ---------------------------------------------------------------


def job(script: str, *words: object) -> str:
    """Run a script of the job in a process of its own and return what it printed."""
    command = [sys.executable, str(BENCH / f"{script}.py"), *map(str, words)]
    path = os.pathsep.join(filter(None, [str(BENCH.parents[1]), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_job_goes_on_where_it_stopped_and_its_choice_can_be_read(tmp_path: Path) -> None:
    cache, sources = tmp_path / "cache", [f"made_multiclass_{i}" for i in range(3)]
    sources += ["sk_iris", "sk_wine"]
    common = ("--cache", cache, "--rounds", 1, "--workers", 1,
              "--learners", "constant", "linear", "elastic")  # fmt: skip
    job("run", *common, "--sources", *sources[:2])
    lines = (cache / "results.jsonl").read_bytes()
    assert lines.count(b"\n") == 6
    # A kill in the middle of a line costs that line only.
    (cache / "results.jsonl").write_bytes(lines[:-10])
    job("run", *common, "--sources", *sources)
    records = [json.loads(line) for line in (cache / "results.jsonl").read_text().splitlines()]
    done = [(r["table"], r["configuration"]) for r in records]
    assert len(done) == len(set(done)) == 15
    assert [r for r in records if "error" in r] == []

    for out, left_out in (("all", []), ("four", ["sk_wine"])):
        job("choose", "--cache", cache, "--out", tmp_path / out, "--leave-out", *left_out)
    steps = read_portfolio(tmp_path / "all").steps
    assert {e.learner for e in steps["multiclass"]["small"]} <= {"linear", "elastic"}
    assert all(e.gain > 0 and e.cost > 0 for e in steps["multiclass"]["small"])
    assert '"sk_wine"' in (tmp_path / "four").read_text()
    four = read_portfolio(tmp_path / "four").steps
    assert four["multiclass"]["small"] != steps["multiclass"]["small"]  # it has no say
