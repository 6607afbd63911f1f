"""Bad input from the outside: one clear error, its exit code, nothing left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autoglm.cli import main

ROWS = [f"{i % 7},{'uvw'[i % 3]},{'yes' if i % 2 else 'no'}" for i in range(60)]
GOOD = "\n".join(["a,b,y", *ROWS])

#: name -> (content of table.csv or None, words after `autoglm run`, exit code, part of the message)
CASES: dict[str, tuple[str | bytes | None, list[str], int, str]] = {
    "missing file": (None, ["", "table.csv", "--target", "y"], 3, "No such file"),
    "folder without a table": (None, ["", ".", "--target", "y"], 3, "no table"),
    "empty": ("", ["", "table.csv", "--target", "y"], 3, "empty"),
    "header only": ("a,b,y\n", ["", "table.csv", "--target", "y"], 3, "no rows"),
    "one row": ("a,b,y\n1,u,no", ["", "table.csv", "--target", "y"], 4, "different values"),
    "one class": (
        GOOD.replace("yes", "no"),
        ["", "table.csv", "--target", "y"],
        4,
        "different values",
    ),
    "absent target": (GOOD, ["", "table.csv", "--target", "yy"], 4, "'yy'"),
    "senseless sentence": (
        GOOD.replace("a,b,y", "red,green,blue"),
        ["what is the meaning of life", "table.csv"],
        4,
        "--target",
    ),
    "misfit metric": (GOOD, ["", "table.csv", "-t", "y", "--metric", "rmse"], 5, "rmse"),
    "unknown metric": (GOOD, ["", "table.csv", "-t", "y", "--metric", "auk"], 5, "auc"),
    "bad time": (GOOD, ["", "table.csv", "-t", "y", "--time", "soon"], 5, "soon"),
    "zero time": (GOOD, ["", "table.csv", "-t", "y", "--time", "0"], 5, "above zero"),
    "bad flag": (GOOD, ["", "table.csv", "--trget", "y"], 2, "--target"),
    "too many cells": (
        GOOD + "\n1,u,no,more,more",
        ["", "table.csv", "--target", "y"],
        3,
        "line 62",
    ),
    "picture": (
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        ["", "table.csv", "--target", "y"],
        3,
        "PNG",
    ),
    "nested too deeply": ("[" * 100_000, ["", "table.csv", "--target", "y"], 3, "nested"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_run_on_bad_input_is_one_clear_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content, words, code, part = CASES[name]
    monkeypatch.chdir(tmp_path)
    if content is not None:
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / "table.csv").write_bytes(data)
    before = set(tmp_path.rglob("*"))

    time = [] if "--time" in words else ["--time", "5s"]
    assert main(["run", *words, *time, "--json"]) == code

    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert answer["exit_code"] == code
    assert answer["hint"]
    assert part in answer["message"] + answer["hint"]
    assert "Traceback" not in err
    assert set(tmp_path.rglob("*")) == before


def test_a_run_folder_that_cannot_be_made_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "table.csv"
    table.write_text(GOOD)
    words = ["run", "", str(table), "--target", "y", "--run-dir", str(table / "runs")]
    assert main([*words, "--time", "5s"]) == 8
    assert str(table / "runs") in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [table]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["predict", "no.aglm", "table.csv"], 7),
        (["report", "no.aglm"], 7),
        (["resume", "no-run"], 9),
        (["data", "profile", "no.csv"], 3),
        (["data", "convert", "no.csv", "out.parquet"], 3),
        (["nothing"], 2),
    ],
)
def test_other_commands_say_what_is_missing(
    words: list[str],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*words, "--json"]) == code
    answer = json.loads(capsys.readouterr().out)
    assert answer["message"]
    assert answer["hint"]
    assert list(tmp_path.iterdir()) == []
