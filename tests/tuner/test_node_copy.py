"""A node's copy of the data: fetched once, shared, removed by the last, safe after a crash."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from autoglm.core.errors import StorageError, WorkerError
from autoglm.tuner import _node_copy
from autoglm.tuner._node_copy import NodeCopy, cache_root, content, digest, pieces
from autoglm.tuner.workspace import Workspace


class Sender:
    """Hands out the data of a run, and counts how often."""

    def __init__(self, work: Workspace) -> None:
        self.data, self.times = work.data, 0

    def __call__(self, folder: Path) -> None:
        self.times += 1
        for name, path in content(self.data).items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                for piece in pieces(path):
                    file.write(piece)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of a node with a temporary folder of its own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return cache_root()


def test_workers_of_a_node_share_one_copy_and_the_last_removes_it(
    work: Workspace, root: Path
) -> None:
    send, name = Sender(work), digest(work.data)
    copies = [NodeCopy(root, name, send) for _ in range(3)]
    assert [c.fetched for c in copies] == [True, False, False]
    assert send.times == 1
    assert len({c.workspace for c in copies}) == 3
    there = Workspace(copies[2].workspace)
    np.testing.assert_array_equal(there.view("tree"), work.view("tree"))
    assert there.facts == work.facts
    for copy in copies[:2]:
        copy.leave()
    assert Workspace(copies[2].workspace).y is not None
    copies[2].leave()
    assert list(root.iterdir()) == []


def test_files_larger_than_a_piece_arrive_whole(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_node_copy, "CHUNK", 1000)
    data = tmp_path / "data"
    (data / "sparse").mkdir(parents=True)
    (data / "empty").touch()
    (data / "sparse" / "x.npy").write_bytes(os.urandom(3500))
    send = Sender.__new__(Sender)
    send.data, send.times = data, 0
    copy = NodeCopy(root, digest(data), send)
    assert digest(copy.workspace / "data") == digest(data)


def test_what_arrives_damaged_is_refused_and_not_kept(work: Workspace, root: Path) -> None:
    send = Sender(work)

    def damage(folder: Path) -> None:
        send(folder)
        (folder / "y.npy").write_bytes(b"other")

    with pytest.raises(WorkerError, match="damaged"):
        NodeCopy(root, digest(work.data), damage)
    assert NodeCopy(root, digest(work.data), send).fetched


def test_a_crashed_worker_leaves_a_copy_that_is_taken_over(work: Workspace, root: Path) -> None:
    send, name = Sender(work), digest(work.data)
    crashing = os.fork()
    if crashing == 0:
        NodeCopy(root, name, send)
        os._exit(0)
    os.waitpid(crashing, 0)
    (left,) = root.glob("work-*")
    again = NodeCopy(root, name, send)
    assert not again.fetched
    assert not left.exists()
    again.leave()
    assert list(root.iterdir()) == []


def test_old_copies_that_nobody_uses_are_removed(work: Workspace, root: Path) -> None:
    old, used = root / ("0" * 64), root / ("1" * 64)
    young = root / ("2" * 64)
    for folder in (old, used, young):
        folder.mkdir()
    for folder in (old, used):
        os.utime(folder, (0, 0))
    handle = _node_copy._hold(used)
    NodeCopy(root, digest(work.data), Sender(work))
    os.close(handle)
    assert (old.exists(), used.exists(), young.exists()) == (False, True, True)


def test_a_folder_of_somebody_else_is_refused(root: Path, tmp_path: Path) -> None:
    root.rmdir()
    (tmp_path / "elsewhere").mkdir()
    root.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError) as caught:
        cache_root()
    assert caught.value.hint


def test_the_digest_sees_names_and_bytes(work: Workspace, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(work.data, other)
    assert digest(other) == digest(work.data)
    (other / "y.npy").rename(other / "z.npy")
    assert digest(other) != digest(work.data)
