"""Writing: whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from autoglm.core.errors import StorageError
from autoglm.core.files import storage_errors, write_file, write_folder


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    write_file(tmp_path / "a" / "b.txt", "文字")
    assert (tmp_path / "a" / "b.txt").read_text(encoding="utf-8") == "文字"
    write_file(tmp_path / "a" / "b.txt", b"\x00")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"\x00"
    assert os.stat(tmp_path / "a" / "b.txt").st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path / "a") == ["b.txt"]


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    write_file(path, "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError) as caught:
        write_file(path, "new")
    assert "space" in caught.value.hint
    assert caught.value.retryable
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["f"]


def test_a_folder_appears_whole_and_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "out"
    for number in range(2):
        with write_folder(path) as scratch:
            assert number == 0 or (path / "0").exists()  # the old one stands until the end
            (scratch / str(number)).write_text("x")
        assert os.listdir(path) == [str(number)]
    assert os.listdir(tmp_path) == ["out"]


def test_a_folder_that_failed_is_not_there(tmp_path: Path) -> None:
    with write_folder(tmp_path / "out") as scratch:
        (scratch / "good").write_text("x")

    def fill(folder: Path) -> None:
        (folder / "bad").write_text("x")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), write_folder(tmp_path / "out") as scratch:
        fill(scratch)
    assert os.listdir(tmp_path) == ["out"]
    assert os.listdir(tmp_path / "out") == ["good"]


def test_leftovers_of_a_crash_do_not_stand_in_the_way(tmp_path: Path) -> None:
    for name in ("out", ".out.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "stale").write_text("x")
    with write_folder(tmp_path / "out") as scratch:
        (scratch / "new").write_text("x")
    assert os.listdir(tmp_path / "out") == ["new"]
    assert os.listdir(tmp_path) == ["out"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for write in (lambda p: write_file(p, "x"), lambda p: write_folder(p).__enter__()):
        with pytest.raises(StorageError, match="below") as caught:
            write(tmp_path / "file" / "below")
        assert caught.value.hint


def test_only_errors_of_the_system_are_turned() -> None:
    with pytest.raises(KeyError), storage_errors("x"):
        raise KeyError("mine")
