"""A durable journal: append, fsync, and read back after any crash.

One record a line: eight hexadecimal digits of CRC-32, a blank, a JSON object. A record is
acknowledged once `append` returns. A torn tail (a crash in the middle of an append) is cut
off on open; a damaged record before the tail is an error, as nothing after it can be trusted.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any

from autoglm.core.errors import RunError
from autoglm.core.files import lock, storage_errors, sync_folder
from autoglm.core.text import say

Record = dict[str, Any]


def _encode(record: Record) -> bytes:
    body = json.dumps(record, ensure_ascii=False, allow_nan=True, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _decode(line: bytes) -> Record | None:
    """Return the record, or None when the line is torn or damaged."""
    if not line.endswith(b"\n") or line[8:9] != b" ":
        return None
    body = line[9:-1]
    try:
        if int(line[:8], 16) != zlib.crc32(body):
            return None
        record = json.loads(body)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def read_journal(path: Path | str) -> list[Record]:
    """Return the whole records of a journal without changing it.

    Raises
    ------
    RunError
        When there is none, or a record before the last is damaged.
    """
    return _read(Path(path))[0]


def _read(path: Path) -> tuple[list[Record], int]:
    """Return the records and the number of bytes they take."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise RunError(
            say(en=f"No journal at {path}.", zh=f"{path} 没有运行日志。"),
            hint=say(en="Give the folder of a run.", zh="请给出一次运行的文件夹。"),
        ) from error
    records: list[Record] = []
    good = 0
    for number, line in enumerate(lines, 1):
        record = _decode(line)
        if record is None:
            if number < len(lines):
                raise RunError(
                    say(en=f"{path} is damaged at line {number}.",
                        zh=f"{path} 第 {number} 行已损坏。"),
                    hint=say(en="Restore it from a copy, or start a new run.",
                             zh="请从备份恢复,或开始新的运行。"),
                )  # fmt: skip
            break
        records.append(record)
        good += len(line)
    return records, good


class Journal:
    """An open journal, locked against other writers.

    Parameters
    ----------
    path
        The file; made when absent.

    Attributes
    ----------
    records
        All records, those found on open first.

    Raises
    ------
    RunError
        When another process has it open, or it is damaged before its tail.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        with storage_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered, so that a write that failed is not tried again behind our back.
            self._file = self.path.open("ab", buffering=0)
        try:
            lock(self._file, self.path.parent)
            self.records, size = _read(self.path)
        except RunError:
            self._file.close()
            raise
        self._file.truncate(size)
        sync_folder(self.path.parent)

    def append(self, record: Record) -> None:
        """Add a record; it survives any crash once this returns.

        Raises
        ------
        StorageError
            When it could not be written; the journal then ends where it did before.
        """
        line = _encode(record)
        start = os.fstat(self._file.fileno()).st_size
        with storage_errors(self.path):
            try:
                left = line
                while left:
                    left = left[self._file.write(left) :]
                os.fsync(self._file.fileno())
            except OSError:
                self._file.truncate(start)
                raise
        self.records.append(record)

    def close(self) -> None:
        """Release the file and its lock."""
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
