"""Writing that leaves either the old state or the new one, never half of it."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from autoglm.core.errors import RunError, StorageError
from autoglm.core.text import say


@contextmanager
def storage_errors(path: Path | str) -> Iterator[None]:
    """Turn an operating-system error on `path` into a `StorageError` with a hint."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        reason = error.strerror or str(error)
        raise StorageError(
            say(en=f"Cannot write {path}: {reason}.", zh=f"无法写入 {path}:{reason}。"),
            hint=say(en="Free some space, or choose another folder.",
                     zh="请腾出空间,或换一个文件夹。")
            if full
            else say(en="Choose a folder you may write to.", zh="请换一个可写的文件夹。"),
        ) from error  # fmt: skip


def lock(file: IO[Any], shown: Path) -> None:
    """Lock an open file against other writers until it is closed.

    Raises
    ------
    RunError
        When another process has it; `shown` is named as what is in use.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise RunError(
            say(en=f"{shown} is in use by another process.", zh=f"{shown} 正被另一个进程使用。"),
            hint=say(en="Wait for it to end, or stop it.", zh="请等它结束,或先停止它。"),
        ) from error


def sync_folder(folder: Path) -> None:
    """Make renames and new names in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_file(path: Path | str, content: bytes | str) -> None:
    """Write a file whole or not at all, durably.

    Raises
    ------
    StorageError
        When it cannot be written; an existing file is then unchanged.
    """
    path = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


@contextmanager
def write_folder(path: Path | str) -> Iterator[Path]:
    """Give a scratch folder that becomes `path` when the block ends well.

    An existing `path` is replaced. When the block fails, nothing is left behind.
    """
    path = Path(path)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        try:
            yield scratch
            for file in scratch.rglob("*"):
                if file.is_file():
                    with file.open("rb") as handle:
                        os.fsync(handle.fileno())
            old = path.with_name(f".{path.name}.old")
            shutil.rmtree(old, ignore_errors=True)  # left by a crash at this very point
            if path.exists():
                os.replace(path, old)
            os.chmod(scratch, 0o755)
            os.replace(scratch, path)
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        sync_folder(path.parent)
