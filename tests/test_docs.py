"""The documentation holds: its code runs, its commands exist, and nothing is left out."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer.main

import autoglm
from autoglm.cli.app import app
from autoglm.core import errors
from autoglm.core.config import PREFIX, Settings, resolve
from autoglm.core.events import EVENTS
from autoglm.core.hooks import Hooks, manager
from autoglm.core.spec import CleanAction, Decision, TaskSpec
from autoglm.dataflow.clean import ACTIONS
from autoglm.dataflow.findings import FINDINGS
from autoglm.evaluate.metrics import all_metrics

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
PAGES = (*READMES, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))

#: Time limits in documents are what a person would choose; here each run gets this many seconds.
SECONDS = 6


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced code blocks of a page in one language."""
    pattern = rf"^```{language}\n(.*?)^```"
    return re.findall(pattern, page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def programs() -> list[Any]:
    """Return every distinct Python block with the page it stands on."""
    found: dict[str, str] = {}
    for page in PAGES:
        for number, code in enumerate(blocks(page, "python"), 1):
            found.setdefault(code, f"{page.relative_to(ROOT)} {number}")
    return [pytest.param(code, id=name) for code, name in found.items()]


@pytest.mark.parametrize("code", programs())
def test_python_in_the_documents_runs(code: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(re.sub(r"time_limit=\d+", f"time_limit={SECONDS}", code), encoding="utf-8")
    found_here = os.environ | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, program.name],
        cwd=tmp_path,
        env=found_here,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]


def shell_commands() -> Iterator[tuple[str, list[str]]]:
    """Yield (page, words) for each line of the shell blocks."""
    for page in PAGES:
        for block in blocks(page, "bash"):
            for line in block.splitlines():
                words = shlex.split(line, comments=True)
                if words:
                    yield str(page.relative_to(ROOT)), words


def commands() -> dict[str, dict[str, Any]]:
    """Return the parameters of each command of the program, by its words."""
    tree: dict[str, dict[str, Any]] = {}

    def walk(command: Any, name: str) -> None:
        for word, child in getattr(command, "commands", {}).items():
            walk(child, f"{name} {word}".strip())
        if not hasattr(command, "commands"):
            tree[name] = {flag: p for p in command.params for flag in (*p.opts, *p.secondary_opts)}

    walk(typer.main.get_command(app), "")
    return tree


def _check_autoglm(words: list[str]) -> None:
    name = " ".join(words[:2]) if words[0] in ("data", "llm", "prompt") else words[0]
    known = commands()
    assert name in known, f"no command {name!r}"
    for flag in (w.partition("=")[0] for w in words if w.startswith("-")):
        assert flag in known[name], f"autoglm {name} has no {flag}"


def _check_make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in words:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"no target {target}"


def _check_pip(words: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for flag, value in pairwise(words):
        if flag in ("-r", "-c"):
            assert (ROOT / value).is_file()
    for extras in re.findall(r"\[([\w,]+)\]", " ".join(words)):
        assert set(extras.split(",")) <= set(project["optional-dependencies"])


def test_shell_commands_in_the_documents_exist() -> None:
    checks = {"autoglm": _check_autoglm, "make": _check_make, "pip": _check_pip}
    seen = set()
    for page, words in shell_commands():
        assert words[0] in checks, f"{page}: {words}"
        checks[words[0]](words[1:])
        seen.add(words[0])
    assert seen == set(checks)


def _row(page: str, name: str) -> bool:
    """Whether a table row or heading of a reference page names `name` in code."""
    lines = (REFERENCE / page).read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith(("|", "#", "`"))]
    return any(f"`{name}`" in line for line in rows)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_settings_are_documented(name: str) -> None:
    assert _row("settings.md", name)
    assert _row("settings.md", PREFIX + name.upper())


@pytest.mark.parametrize("name", EVENTS)
def test_events_and_their_data_are_documented(name: str) -> None:
    text = (REFERENCE / "events.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith(f"| `{name}`"))
    assert re.findall(r"`(\w+)`", row)[1:] == EVENTS[name].split(", ")


@pytest.mark.parametrize("metric", all_metrics(), ids=lambda m: m.name)
def test_metrics_are_documented(metric: Any) -> None:
    text = (REFERENCE / "metrics.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith(f"| `{metric.name}`"))
    assert ("higher" if metric.greater_is_better else "lower") in row


def learners() -> list[Any]:
    return [one for group in manager().hook.autoglm_learners() for one in group]


@pytest.mark.parametrize("learner", learners(), ids=lambda one: one.name)
def test_learners_are_documented(learner: Any) -> None:
    assert _row("learners.md", learner.name)


def test_no_learner_is_made_up() -> None:
    text = (REFERENCE / "learners.md").read_text(encoding="utf-8")
    table = text.partition("Each learner eats")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == {one.name for one in learners()}


def error_classes() -> list[type[errors.AutoGLMError]]:
    return [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.AutoGLMError)
    ]


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.__name__)
def test_errors_are_documented_with_their_exit_codes(kind: type[errors.AutoGLMError]) -> None:
    text = (REFERENCE / "errors.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith(f"| `{kind.__name__}`"))
    assert row.endswith(f"| `{kind.code}` | {kind.exit_code} |")
    assert ("retryable" in row) == kind.retryable
    for page in READMES:
        assert f"| {kind.exit_code} |" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", commands())
def test_commands_and_their_options_are_documented(name: str) -> None:
    text = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    common, _, rest = text.partition("\n## ")
    section = next(s for s in ("\n## " + rest).split("\n## ") if s.splitlines()[:1] == [name])
    missing = [
        flag
        for flag in commands()[name]
        if flag.startswith("-") and f"`{flag}`" not in common + section
    ]
    assert missing == []


def test_no_option_is_made_up() -> None:
    text = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    known = {flag for flags in commands().values() for flag in flags}
    assert set(re.findall(r"`(--[\w-]+)`", text)) - known == {"--help"}


@pytest.mark.parametrize("name", [*TaskSpec.model_fields, *Decision.model_fields])
def test_spec_fields_are_documented(name: str) -> None:
    assert _row("spec.md", name)


@pytest.mark.parametrize("name", CleanAction.model_fields)
def test_parts_of_a_cleaning_action_are_documented(name: str) -> None:
    assert f"`{name}`" in (REFERENCE / "spec.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [n for n in vars(Hooks) if n.startswith("autoglm_")])
def test_hooks_are_documented(name: str) -> None:
    assert _row("plugins.md", name)


@pytest.mark.parametrize("name", [*ACTIONS, *FINDINGS])
def test_cleaning_actions_and_findings_are_documented(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", autoglm.__all__)
def test_public_names_are_documented(name: str) -> None:
    if not name.startswith("_"):
        assert _row("python.md", name)


@pytest.mark.parametrize("name", autoglm.TaskOptions.model_fields)
def test_task_options_are_documented(name: str) -> None:
    assert f"`{name}`" in (REFERENCE / "python.md").read_text(encoding="utf-8")


def _skeleton(page: Path) -> list[str]:
    """Return a page's heading levels and code, in order; words may differ between languages."""
    text = page.read_text(encoding="utf-8")
    parts = re.findall(r"^```(?!text)\w+\n.*?^```|^#+ ", text, re.DOTALL | re.MULTILINE)
    return [part.strip() for part in parts]


def test_both_readmes_have_the_same_headings_code_and_tables() -> None:
    english, chinese = READMES
    assert _skeleton(english) == _skeleton(chinese)
    rows = [[ln.split("|")[1] for ln in p.read_text().splitlines() if re.match(r"\| [`\d]", ln)]
            for p in READMES]  # fmt: skip
    assert rows[0] == rows[1]


def _links(page: Path) -> list[str]:
    found = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    return [link.partition("#")[0] for link in found if not link.startswith("http")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files(page: Path) -> None:
    assert [link for link in _links(page) if link and not (page.parent / link).is_file()] == []


@pytest.mark.parametrize("page", READMES, ids=lambda page: page.name)
def test_the_tree_shows_every_room(page: Path) -> None:
    tree = next(b for b in blocks(page, "text") if b.startswith("autoglm/"))
    named = set(re.findall(r"^ {2}([\w.]+)", tree, re.MULTILINE))
    inside = {p.name for p in (ROOT / "autoglm").iterdir() if not p.name.startswith(("_", "py."))}
    assert named == inside
    folders = set(re.findall(r"^(\w+)/", tree, re.MULTILINE))
    assert all((ROOT / folder).is_dir() for folder in folders)


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    pages = {p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md")}
    assert set(re.findall(r": (\S+\.md)$", navigation, re.MULTILINE)) == pages


def test_the_dev_container_and_toml_examples_are_well_formed() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert container["postCreateCommand"].endswith("make .venv/dev.stamp")
    for page in PAGES:
        for block in blocks(page, "toml"):
            tomllib.loads(block)


def test_the_settings_example_is_accepted(tmp_path: Path) -> None:
    example_file = blocks(REFERENCE / "settings.md", "toml")[0]
    (tmp_path / "autoglm.toml").write_text(example_file, encoding="utf-8")
    settings = resolve({}, environ={}, folder=tmp_path).settings
    assert (settings.time_limit, settings.memory, settings.lang) == (300.0, 4000.0, "zh")
