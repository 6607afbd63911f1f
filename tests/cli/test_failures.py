"""Failures: one clear message, the documented exit code, never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pluggy
import pytest

from autoglm.core import errors, hooks

Run = Callable[..., Any]


def _subclasses(kind: type[errors.AutoGLMError]) -> list[type[errors.AutoGLMError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _subclasses(child))]


@pytest.mark.parametrize(
    "words",
    [
        ["fly"],
        ["run"],
        ["config", "--lang", "fr"],
        ["config", "extra"],
        ["predict", "model"],
        ["run", "a sentence", "file.csv", "--trials", "0"],
        ["data"],
    ],
)
def test_a_mistake_in_the_command_line_is_2(autoglm: Run, words: list[str]) -> None:
    result = autoglm(*words)
    assert result.code == 2
    assert result.out == ""
    assert "--help" in result.err
    answer = autoglm(*words, "--json")
    assert answer.code == 2
    assert answer.json["error"] == "usage"


def test_a_wrong_setting_is_5(autoglm: Run, tmp_path: Path) -> None:
    (tmp_path / "autoglm.toml").write_text("workerz = 3\n")
    result = autoglm("config")
    assert result.code == 5
    assert "workers" in result.err
    assert autoglm("config", "--json").json["error"] == "config"


def test_a_missing_model_is_named(autoglm: Run) -> None:
    result = autoglm("report", "no-such-model")
    assert result.code in (errors.BundleError.exit_code, errors.RunError.exit_code)
    assert "no-such-model" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_missing_file_is_3(autoglm: Run, lang: str) -> None:
    result = autoglm("data", "profile", "no-such-file.csv", "--lang", lang)
    assert result.code == 3
    assert "no-such-file.csv" in result.err
    assert result.err.startswith("错误" if lang == "zh" else "Error")
    assert len(result.err.strip().splitlines()) == 2  # what is wrong, and what to do


def _raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make the listing of learners fail in a given way."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(hooks, "manager", fail)


@pytest.mark.parametrize(
    "kind", [k for k in _subclasses(errors.AutoGLMError) if k is not errors.AmbiguousTask]
)
def test_every_error_has_its_exit_code(
    autoglm: Run, monkeypatch: pytest.MonkeyPatch, kind: type[errors.AutoGLMError]
) -> None:
    _raising(monkeypatch, kind("Something is wrong.", hint="Do this."))
    result = autoglm("models", "--json")
    assert result.code == kind.exit_code
    assert result.json == {
        "exit_code": kind.exit_code,
        "error": kind.code,
        "message": "Something is wrong.",
        "hint": "Do this.",
        "retryable": kind.retryable,
    }
    assert result.err == "Error: Something is wrong.\nDo this.\n"


def test_an_ambiguous_task_shows_its_candidates(
    autoglm: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = errors.AmbiguousTask(
        "Two columns fit.", field="target", candidates=["a", "b"], flag="--target"
    )
    _raising(monkeypatch, error)
    found = autoglm("models", "--json").json
    assert found["candidates"] == ["a", "b"]
    assert found["flag"] == "--target"


def test_a_defect_keeps_its_traceback_in_a_file(
    autoglm: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    _raising(monkeypatch, ZeroDivisionError("by zero"))
    result = autoglm("models", "--json")
    assert result.code == 1
    assert "Traceback" not in result.err
    kept = Path(result.json["traceback"])
    assert kept.parent == tmp_path
    assert "ZeroDivisionError: by zero" in kept.read_text()


def test_ctrl_c_is_130(autoglm: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _raising(monkeypatch, KeyboardInterrupt())
    result = autoglm("models")
    assert result.code == 130
    assert result.out == ""


def test_prints_of_libraries_do_not_spoil_the_json(
    autoglm: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = hooks.manager

    def noisy() -> pluggy.PluginManager:
        print("noise")
        return real()

    monkeypatch.setattr(hooks, "manager", noisy)
    result = autoglm("models", "--json")
    assert result.json["models"]
    assert result.err == "noise\n"
