"""A node's own copy of a run's encoded data, one for all workers of the node.

A copy is a folder named by a digest of its content, so that it is fetched once a node, whatever
worker or run asks for it first. Who uses a copy holds a shared lock on its folder, and the last
one to leave removes it. Locks vanish with their process: what a crash left behind is taken over
when it is wanted again, and removed once it is a day old.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoglm.core.errors import StorageError, WorkerError
from autoglm.core.files import storage_errors, write_folder
from autoglm.core.text import say

#: Files travel in pieces of this many bytes, so that no store must hold a whole one.
CHUNK = 32 * 2**20
#: A copy that nobody uses is kept for so long: a killed run may be resumed.
STALE_S = 86_400.0
_WORK = "work-"


def content(folder: Path) -> dict[str, Path]:
    """Return the files of a folder and those below it, by name, in the order of names."""
    found = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p for p in found}


def digest(folder: Path) -> str:
    """Return the SHA-256 of a folder's content: names, sizes and bytes of all files."""
    total = hashlib.sha256()
    for name, path in content(folder).items():
        total.update(f"{name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def pieces(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield the bytes of a file, at most `CHUNK` at a time."""
    for start in range(0, path.stat().st_size, CHUNK):
        yield np.fromfile(path, np.uint8, count=CHUNK, offset=start)


def cache_root() -> Path:
    """Return the folder of this node's copies, in its temporary folder, ours alone.

    Raises
    ------
    StorageError
        When it cannot be made, or belongs to somebody else.
    """
    root = Path(tempfile.gettempdir()) / f"autoglm-{os.getuid()}"
    with storage_errors(root):
        root.mkdir(mode=0o700, exist_ok=True)
        facts = root.lstat()
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
            raise StorageError(
                say(en=f"{root} belongs to somebody else.", zh=f"{root} 属于其他用户。"),
                hint=say(en="Set TMPDIR on that node.", zh="请在该节点设置 TMPDIR。"),
            )
        root.chmod(0o700)
    return root


class NodeCopy:
    """The copy that this process uses, and a workspace of its own around it.

    Parameters
    ----------
    root
        Folder of the node's copies.
    name
        Digest of the content, see `digest`.
    fetch
        Writes the content into an empty folder; called only when no copy is there yet.

    Attributes
    ----------
    workspace
        A folder for this process alone; its ``data`` is the copy.
    fetched
        Whether the copy was not there yet.

    Raises
    ------
    StorageError
        When the copy cannot be written.
    WorkerError
        When what was fetched is not what was sent.
    """

    def __init__(self, root: Path, name: str, fetch: Callable[[Path], None]) -> None:
        self._root, self._data = root, root / name
        with _locked(root), storage_errors(root):
            _sweep(root, keep=name)
            self.fetched = not self._data.is_dir()
            if self.fetched:
                with write_folder(self._data) as scratch:
                    fetch(scratch)
                    _check(scratch, name)
            os.utime(self._data)
            self.workspace = Path(tempfile.mkdtemp(prefix=_WORK, dir=root))
            (self.workspace / "data").symlink_to(self._data)
            self._held = [_hold(self._data), _hold(self.workspace)]

    def leave(self) -> None:
        """Remove the workspace, and the copy too when nobody else uses it."""
        with _locked(self._root):
            for handle in self._held:
                os.close(handle)
            self._held = []
            for folder in (self.workspace, self._data):
                if _is_free(folder):
                    _remove(folder)


def _check(folder: Path, name: str) -> None:
    if digest(folder) != name:
        raise WorkerError(
            say(en="The training data arrived damaged.", zh="训练数据在传输中损坏。"),
            hint=say(en="Try again.", zh="请重试。"),
        )


def _sweep(root: Path, keep: str) -> None:
    """Remove what no living process uses; the lock on `root` is held."""
    for path in root.iterdir():
        if path.name == keep or not _is_free(path):
            continue
        passing = path.name.startswith((_WORK, "."))
        if passing or time.time() - path.stat().st_mtime > STALE_S:
            _remove(path)


def _remove(folder: Path) -> None:
    """Remove a folder; a crash on the way leaves none that looks whole."""
    gone = folder.with_name(f".{folder.name}.gone")
    shutil.rmtree(gone, ignore_errors=True)
    os.replace(folder, gone)
    shutil.rmtree(gone, ignore_errors=True)


def _hold(folder: Path) -> int:
    """Take a shared lock on a folder; it lasts until the handle is closed."""
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_SH)
    return handle


def _is_free(folder: Path) -> bool:
    """Return whether no process holds the folder."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return False  # gone, or not ours to remove
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Keep other workers of the node from making and removing copies."""
    handle = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
