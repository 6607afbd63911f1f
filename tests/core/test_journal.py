"""The journal: what was acknowledged survives, what was torn is cut off."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autoglm.core.errors import RunError, StorageError
from autoglm.core.journal import Journal, read_journal

RECORDS = [
    {"kind": "trial", "n": 1},
    {"说明": "折 2", "score": float("inf")},
    {"x": [None, "\r\n"]},
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a journal with three records."""
    with Journal(tmp_path / "run" / "journal") as journal:
        for record in RECORDS:
            journal.append(record)
    return tmp_path / "run" / "journal"


def test_records_come_back_in_order(path: Path) -> None:
    assert read_journal(path) == RECORDS
    with Journal(path) as journal:
        assert journal.records == RECORDS
        journal.append({"more": True})
    assert read_journal(path) == [*RECORDS, {"more": True}]


def test_a_tail_torn_at_any_byte_is_cut_off(path: Path) -> None:
    whole = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        kept = [r for r, end in zip(RECORDS, ends, strict=True) if end <= size]
        assert read_journal(path) == kept
        with Journal(path) as journal:
            journal.append({"after": size})
        assert read_journal(path) == [*kept, {"after": size}]


def test_damage_before_the_tail_is_an_error_naming_the_line(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[12] ^= 1
    path.write_bytes(whole)
    with pytest.raises(RunError, match="line 1"):
        read_journal(path)
    with pytest.raises(RunError, match="line 1"):
        Journal(path)
    assert path.read_bytes() == bytes(whole)  # refusing changes nothing


def test_two_writers_are_refused(path: Path) -> None:
    with Journal(path):
        with pytest.raises(RunError, match="in use"):
            Journal(path)
        assert read_journal(path) == RECORDS  # readers are free
    Journal(path).close()


def test_no_journal_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        read_journal(tmp_path / "none")
    assert caught.value.hint


@contextmanager
def _largest_file(size: int) -> Iterator[None]:
    """Let this process write no file beyond `size` bytes, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_a_record_that_did_not_fit_is_not_there(path: Path) -> None:
    size = path.stat().st_size
    with Journal(path) as journal:
        with _largest_file(size + 20), pytest.raises(StorageError):
            journal.append({"text": "x" * 100})
        assert journal.records == RECORDS
        assert path.stat().st_size == size
        journal.append({"later": 1})
    assert read_journal(path) == [*RECORDS, {"later": 1}]


def test_a_killed_writer_loses_nothing_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    code = (
        "import sys; from autoglm.core.journal import Journal\n"
        "with Journal(sys.argv[1]) as j:\n"
        "    for n in range(100000):\n"
        "        j.append({'n': n}); print(n, flush=True)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout as lines:
        for line in lines:
            if int(line) >= 40:
                break
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    with Journal(path) as journal:  # the lock went with the process
        numbers = [record["n"] for record in journal.records]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 41
