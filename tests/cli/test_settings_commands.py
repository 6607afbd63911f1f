"""``config``, ``models``, help and version: what a person sees first."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autoglm.core.config import Settings

Run = Callable[..., Any]

COMMANDS = [
    ["run"],
    ["predict"],
    ["evaluate"],
    ["report"],
    ["leaderboard"],
    ["resume"],
    ["models"],
    ["config"],
    ["data", "profile"],
    ["data", "convert"],
    ["llm", "check"],
    ["solve"],
    ["prompt", "optimise"],
    ["prompt", "align"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_and_the_common_options(autoglm: Run, command: list[str]) -> None:
    result = autoglm(*command, "--help")
    assert result.code == 0
    for option in ("--json", "--quiet", "--lang"):
        assert option in result.out


def test_without_words_the_commands_are_listed(autoglm: Run) -> None:
    result = autoglm()
    assert result.code == 0
    for command in COMMANDS:
        assert command[0] in result.out


def test_config_shows_value_and_origin(
    autoglm: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "autoglm.toml").write_text('time_limit = "5m"\n')
    monkeypatch.setenv("AUTOGLM_SEED", "12")
    found = autoglm("config", "--json").json
    rows = {row["name"]: row for row in found["settings"]}
    assert set(rows) == set(Settings.model_fields)
    assert rows["time_limit"]["value"] == 300.0
    assert rows["time_limit"]["where"] == str(tmp_path / "autoglm.toml")
    assert (rows["seed"]["value"], rows["seed"]["source"]) == (12, "environment")
    assert found["files"] == [str(tmp_path / "autoglm.toml")]
    text = autoglm("config").out
    assert "AUTOGLM_SEED" in text
    assert "300" in text


def test_config_warns_of_a_misspelt_variable(autoglm: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGLM_WORKER", "2")
    assert "AUTOGLM_WORKERS" in autoglm("config").out


def test_messages_follow_the_language(autoglm: Run) -> None:
    assert "来源" in autoglm("config", "--lang", "zh").out
    assert "来源" not in autoglm("config", "--lang", "en").out


def test_models_lists_built_in_learners(autoglm: Run) -> None:
    found = {one["name"]: one for one in autoglm("models", "--json").json["models"]}
    assert found["lightgbm"]["available"]
    assert all(one["title"] for one in found.values())
    assert "lightgbm" in autoglm("models").out


def test_help_needs_nothing_heavy() -> None:
    code = (
        "import sys; from autoglm.cli import main; main(['--help']); "
        "print(sorted({m.partition('.')[0] for m in sys.modules}"
        " & {'pandas', 'numpy', 'sklearn', 'lightgbm', 'optuna', 'torch', 'pydantic', 'scipy'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=True,
    )
    assert done.stdout.strip().endswith("[]")


def test_the_module_is_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "autoglm", "config", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("{")
