from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from autoglm.core.errors import BundleError
from autoglm.core.spec import CleanAction, Decision, TaskSpec
from autoglm.core.text import use_language
from autoglm.dataflow.findings import Finding
from autoglm.dataflow.profile import ColumnProfile, TableProfile
from autoglm.evaluate.advice import advise
from autoglm.evaluate.explain import Importance
from autoglm.evaluate.facts import Candidate, Receipt, ReportFacts, Step
from autoglm.evaluate.report import render_report
from autoglm.evaluate.robustness import Stress, Subgroup
from autoglm.evaluate.threshold import LabelRule

HOSTILE = "</style><script>alert('x')</script>\x00\ud800&\"'"
_VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails on unbalanced tags."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def ids(self) -> set[str]:
        return {a["id"] or "" for _, a in self.tags if "id" in a}


def spec(task_type: str = "binary", metric: str = "roc_auc", **more) -> TaskSpec:
    made = TaskSpec(
        target=Decision(value="churn", source="sentence", reason="it is named in the sentence"),
        task_type=Decision(value=task_type, source="profile"),
        metric=Decision(value=metric, source="default"),
    )
    return made.model_copy(update=more)


def two_classes(n: int = 400, name: str = "yes") -> ReportFacts:
    rng = np.random.default_rng(0)
    high = rng.random(n)
    y = (rng.random(n) < high).astype(int)
    return ReportFacts(
        spec(description="who will leave?"),
        y=y,
        prediction=np.column_stack([1 - high, high]),
        classes=("no", name),
        rule=LabelRule(0.4),
    )


def full(words: str = "plain", language: str = "en") -> ReportFacts:
    column = ColumnProfile(
        name=words, kind="category", raw_kind="category", n_rows=9, n_unique=2,
        top=((words, 5),), examples=(words,),
    )  # fmt: skip
    number = ColumnProfile(
        name="age", kind="number", raw_kind="number", n_rows=9, n_missing=6, n_unique=3, mean=2.0,
        min=1.0, max=3.0, quantiles=(1.0, 1.1, 1.5, 2.0, 2.5, 2.9, 3.0),
    )  # fmt: skip
    action = CleanAction(name="drop_id", column=words, reason=words, affected=3)
    told = spec(description=words, language=language, cleaning=(action,))
    told = told.model_copy(update={"target": Decision(value=words, reason=words)})
    return replace(
        two_classes(name=words),
        spec=told,
        profile=TableProfile(n_rows=9, n_columns=2, columns={words: column, "age": number}),
        findings=(Finding(name="id", column=words, message=words, action=action),),
        leaderboard=(
            Candidate(words, 0.8, 1.5, 5, 0.75, 0.2, {"a": 0.5, "b": words}),
            Candidate("constant", 0.5),
            Candidate("broken"),
        ),
        importance=(Importance(words, 0.2, 0.01, 5), Importance("age", -0.01, None, 1)),
        robustness=(
            Stress("number_noise", 0.1, 0.8, 0.6, 0.75, 0.9),
            Stress("missing_cells", 0.05, 0.8, float("nan"), None, None),
        ),
        subgroups=(Subgroup(words, words, 40, 0.6, -0.2, -5.0),
                   Subgroup("age", "missing", 60, 0.9, 0.1, 2.0, "missing")),
        history=(Step(1.0, 0.6, words), Step(2.0, 0.8, "b"), Step(3.0, 0.7, "c")),
        receipts=(Receipt("time_s", 10.0, 9.5), Receipt("size_mb", 1.0, 3.0), Receipt(words)),
        n_folds=5,
        stopped_by="time",
        model={"features": 12, words: words},
        created="2026-01-02T03:04:05+00:00",
    )  # fmt: skip


def test_the_page_is_whole_and_holds_every_part():
    page = Page(render_report(full()))
    sections = {"next", "quality", "importance", "robustness", "search", "task", "data"}
    assert page.ids() >= sections | {"receipts", "card"}
    linked = {a["href"] for t, a in page.tags if t == "a"}
    assert linked == {f"#{name}" for name in page.ids()}
    assert sum(t == "figure" for t, _ in page.tags) == 7  # six of the model, one of the search
    for words in (
        "ROC AUC",
        "the time was up",
        "−0.2",
        "kept",
        "missed",
        "2026-01-02 03:04:05 UTC",
    ):
        assert words in page.text


def test_nothing_comes_from_elsewhere_and_the_policy_allows_the_style():
    html = render_report(full())
    page = Page(html)
    assert not {t for t, _ in page.tags} & {"script", "link", "img", "iframe", "object", "base"}
    names = {name for _, attrs in page.tags for name in attrs}
    assert not {n for n in names if n.startswith("on") or n in ("style", "src")}
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    assert "url(" not in style[1] and "@import" not in style[1] and "//" not in html
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv"))
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_words_of_the_user_are_never_markup(language):
    html = render_report(full(HOSTILE, language))
    page = Page(html)
    assert not any(t == "script" for t, _ in page.tags)
    assert sum(t == "style" for t, _ in page.tags) == 1
    assert "alert('x')" in page.text  # shown, not run
    assert "\x00" not in html
    html.encode("utf-8")


def test_the_language_is_that_of_the_sentence_unless_asked_otherwise():
    chinese = Page(render_report(full("客户", "zh"))).text
    assert "排行榜" in chinese and "Leaderboard" not in chinese
    assert "缺失" in chinese and "missing" not in chinese
    english = Page(render_report(full("客户", "zh"), "en")).text
    assert "Leaderboard" in english and "排行榜" not in english
    with use_language("zh"):
        assert "Leaderboard" in render_report(full())


def test_a_task_alone_makes_a_report_without_empty_parts():
    for task_type, metric in (("binary", "f1"), ("regression", "mae")):
        page = Page(render_report(ReportFacts(spec(task_type, metric))))
        assert page.ids() == {"next", "task", "card"}
        assert "figure" not in {t for t, _ in page.tags}


@pytest.mark.parametrize("k", [3, 20])
def test_several_classes(k):
    rng = np.random.default_rng(0)
    y = rng.integers(0, k, 600)
    proba = rng.dirichlet(np.ones(k), 600) * 0.5 + 0.5 * np.eye(k)[y]
    names = [f"a rather long name {i}" for i in range(k)]
    html = render_report(
        ReportFacts(spec("multiclass", "log_loss"), y=y, prediction=proba, classes=names)
    )
    page = Page(html)
    assert ("confusion matrix" in html) == (k <= 12)
    assert names[0] in page.text


@pytest.mark.parametrize("metric", ["rmse", "rmsle"])
def test_numbers_with_outliers_and_missing_predictions(metric):
    rng = np.random.default_rng(0)
    y = np.abs(rng.standard_t(1.2, 900))
    value = y + rng.normal(0, 0.1, 900)
    value[:3] = np.nan
    page = Page(render_report(ReportFacts(spec("regression", metric), y=y, prediction=value)))
    assert sum(t == "figure" for t, _ in page.tags) == 3
    points = " ".join(a.get("points") or a.get("d") or "" for _, a in page.tags)
    assert "nan" not in points and "inf" not in points


@pytest.mark.parametrize("n", [1, 2, 7])
def test_hardly_any_rows(n):
    few = replace(two_classes(), y=np.arange(n) % 2, prediction=np.full((n, 2), 0.5))
    Page(render_report(few))
    numbers = ReportFacts(spec("regression", "r2"), y=np.ones(n), prediction=np.ones(n))
    Page(render_report(numbers))


def test_the_score_shown_is_the_one_given_or_the_one_of_the_predictions():
    assert "0.1234" in Page(render_report(replace(two_classes(), score=0.1234))).text
    perfect = replace(two_classes(), prediction=np.eye(2)[two_classes().y])
    assert "in 100% of cases" in Page(render_report(perfect)).text


def test_many_columns_and_candidates_are_cut_with_a_count():
    one = ColumnProfile(name="x", kind="number", raw_kind="number")
    many = {f"c{i}": one.model_copy(update={"name": f"c{i}"}) for i in range(5000)}
    facts = replace(
        two_classes(),
        profile=TableProfile(n_rows=400, n_columns=5000, columns=many),
        leaderboard=[Candidate("lightgbm", 0.5 + i / 1e4) for i in range(300)],
    )
    html = render_report(facts)
    assert "and 4940 more" in html and "and 275 more" in html
    assert len(html) < 200_000


def test_facts_survive_the_way_through_files():
    facts = full("客户")
    files = facts.to_files()
    back = ReportFacts.from_files(files)
    assert back.y is not None and back.prediction is not None
    np.testing.assert_array_equal(back.y, facts.y)
    np.testing.assert_allclose(back.prediction, facts.prediction, atol=1e-6)
    assert replace(back, y=None, prediction=None).to_files() == {
        "report.json": files["report.json"]
    }
    assert render_report(back)
    assert ReportFacts.from_files(full(HOSTILE).to_files()).n_folds == 5
    bare = ReportFacts(spec())
    assert ReportFacts.from_files(bare.to_files()) == bare


def test_large_facts_are_thinned():
    facts = two_classes(60_000)
    files = facts.to_files()
    assert sum(map(len, files.values())) < 400_000
    back = ReportFacts.from_files(files)
    assert back.y is not None and len(back.y) == 20_000


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"report.json": b"{"},
        {"report.json": b"{}"},
        {"report.json": b"[]"},
        {**full().to_files(), "report.npz": b"no archive"},
    ],
)
def test_damaged_facts_are_refused(files):
    with pytest.raises(BundleError) as caught:
        ReportFacts.from_files(files)
    assert caught.value.hint


# --- what to try next ---------------------------------------------------------------------


def titles(facts: ReportFacts) -> str:
    with use_language("en"):
        return " | ".join(a.title for a in advise(facts, limit=20))


def test_a_run_without_faults_is_sent_to_fresh_rows():
    assert titles(two_classes()) == "Score it on rows it has never seen"


def test_each_rule_speaks_when_its_facts_are_there():
    facts = replace(two_classes(), score=0.9)
    steps = tuple(Step(float(i), 0.5 + i / 100, "a") for i in range(1, 9))
    weak = Subgroup("city", "Rome", 90, 0.5, -0.3, -6.0)
    noise = Stress("text_typos", 0.05, 0.9, 0.5, 0.55, 0.8)
    one = tuple(Importance(c, v, 0.0, 5) for c, v in zip("abcd", (9.0, 0.0, 0.0, 0.0), strict=True))
    leak = Finding(name="leakage", column="closed_at", severity="warning")
    date = ColumnProfile(name="day", kind="date", raw_kind="date")
    dated = TableProfile(n_rows=400, n_columns=1, columns={"day": date})
    cases = [
        (replace(facts, history=steps, stopped_by="time"), "more time"),
        (replace(facts, subgroups=(weak,)), "“city” is Rome"),
        (replace(facts, robustness=(noise,)), "text mistyped"),
        (replace(facts, importance=one), "“a” is known beforehand"),
        (replace(facts, importance=one), "3 idle columns"),
        (replace(facts, findings=(leak,)), "“closed_at” is known beforehand"),
        (replace(facts, profile=dated), "split by time"),
        (replace(facts, score=0.51), "columns that say more"),
        (replace(facts, spec=spec(metric="accuracy"), y=(np.arange(400) < 30) * 1), "other metric"),
        (replace(facts, y=(np.arange(400) < 30) * 1), "more rows of class “yes”"),
        (
            replace(two_classes(800), prediction=two_classes(800).prediction[:, ::-1]),
            "not the probabilities",
        ),
    ]
    for given, words in cases:
        assert words in titles(given), words
        assert words not in titles(facts), words


def test_time_is_not_asked_for_when_the_search_had_settled():
    steps = (Step(1.0, 0.9, "a"), *(Step(float(i), 0.5, "a") for i in range(2, 9)))
    assert "time" not in titles(replace(two_classes(), history=steps, stopped_by="time"))
    rising = tuple(Step(float(i), 0.5 + i / 100, "a") for i in range(1, 9))
    assert "time" not in titles(replace(two_classes(), history=rising, stopped_by="patience"))
