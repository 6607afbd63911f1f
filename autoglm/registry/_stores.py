"""The two forms a bundle takes on disk, folder and archive, read with suspicion.

Nothing here is extracted: files are read into memory one at a time, never beyond the size
their reader allows, so that an archive cannot write outside a folder or grow without end.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from autoglm.core.errors import BundleError
from autoglm.core.text import say
from autoglm.registry.manifest import check_name, damaged

_DIGEST = 64  # hexadecimal digits of SHA-256, the comment at the archive's end
_END = 22  # bytes of the end-of-central-directory record
_ENTRY = 46 + 200 + 64  # bytes of a central directory entry with a name of ours, and some
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class BundleLimits:
    """What a bundle may hold at most; anything above is refused before it is read.

    Attributes
    ----------
    max_bytes, max_manifest_bytes
        Unpacked size of all files, and of the manifest.
    max_files
        Number of files.
    max_ratio
        Unpacked size over archive size; small archives, up to 100 MB unpacked, are exempt.
    """

    max_bytes: int = 2_000_000_000
    max_files: int = 10_000
    max_manifest_bytes: int = 32_000_000
    max_ratio: int = 200


class Store(Protocol):
    """Files by name, whatever holds them."""

    def names(self) -> list[str]:
        """Return the names of all files."""

    def size(self) -> float:
        """Return the bytes it takes on disk, as far as they bound what it unpacks to."""

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open a file for reading from its start."""


class FolderStore:
    """A bundle that is a folder."""

    def __init__(self, path: Path, limits: BundleLimits) -> None:
        self.path, self._limits = path, limits

    def names(self) -> list[str]:
        """Return the names of all files; refuse links and special files."""
        found: list[str] = []
        pending = [""]
        while pending:
            prefix = pending.pop()
            with os.scandir(self.path / prefix) as entries:
                for entry in entries:
                    name = prefix + entry.name
                    mode = entry.stat(follow_symlinks=False).st_mode
                    if stat.S_ISDIR(mode):
                        pending.append(name + "/")
                    elif stat.S_ISREG(mode):
                        found.append(name)
                    else:
                        raise damaged(say(en=f"{name} is a link or a special file",
                                          zh=f"{name} 是链接或特殊文件"))  # fmt: skip
            if len(found) + len(pending) > self._limits.max_files:
                raise too_large()
        return found

    def size(self) -> float:
        """Return infinity: a folder holds its files as they are."""
        return float("inf")

    def open(self, name: str) -> IO[bytes]:
        """Open a file, never one behind a link."""
        return open(os.open(self.path / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb")


class ArchiveStore:
    """A bundle that is one file: a zip archive whose comment is the hash of all before it."""

    def __init__(self, path: Path, limits: BundleLimits) -> None:
        self.path = path
        _check_outline(path, limits)
        try:
            with zipfile.ZipFile(path) as archive:
                self._entries = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise _no_archive() from error
        for entry in self._entries:
            _check_entry(entry)

    def names(self) -> list[str]:
        """Return the names of all entries, repeated ones as often as they occur."""
        return [entry.filename for entry in self._entries]

    def size(self) -> float:
        """Return the size of the archive in bytes."""
        return self.path.stat().st_size

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file; it is unpacked only as far as it is read."""
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(name) as file:
                yield file
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise damaged(say(en=f"{name} cannot be unpacked", zh=f"{name} 无法解压")) from error


def too_large() -> BundleError:
    """Return the error for a bundle above its limits."""
    return BundleError(
        say(en="The saved model is larger than allowed.", zh="保存的模型超过允许的大小。"),
        hint=say(en="If you trust it, read it with higher BundleLimits.",
                 zh="若信任其来源,可用更高的 BundleLimits 读取。"),
    )  # fmt: skip


def archive_bytes(files: Mapping[str, bytes]) -> bytes:
    """Return `files` as an archive: same files, same bytes, whatever the day."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _FIRST_DATE)
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
        archive.comment = b"0" * _DIGEST
    body = buffer.getvalue()[:-_DIGEST]
    return body + hashlib.sha256(body).hexdigest().encode()


def _check_outline(path: Path, limits: BundleLimits) -> None:
    """Refuse by size and by hash, and before a long directory is parsed."""
    size = path.stat().st_size
    if size > limits.max_bytes:
        raise too_large()
    if size < _END + _DIGEST:
        raise _no_archive()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        left = size - _DIGEST
        while left and (block := file.read(min(left, 1 << 20))):
            digest.update(block)
            left -= len(block)
        if file.read() != digest.hexdigest().encode():
            raise damaged(say(en="its bytes are not the ones that were written",
                              zh="内容与写入时不一致"))  # fmt: skip
        file.seek(max(0, size - _DIGEST - _END - 20))
        tail = file.read(20 + _END)
    # The larger "zip64" directory is never written by us, and would escape the next check.
    if tail[-_END:][:4] != b"PK\x05\x06" or tail[:4] == b"PK\x06\x07":
        raise _no_archive()
    if int.from_bytes(tail[-_END:][12:16], "little") > limits.max_files * _ENTRY:
        raise too_large()


def _check_entry(entry: zipfile.ZipInfo) -> None:
    check_name(entry.filename)
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
        raise damaged(say(en=f"{entry.filename} is a link or a special file",
                          zh=f"{entry.filename} 是链接或特殊文件"))  # fmt: skip
    if entry.flag_bits & 1 or entry.compress_type not in (0, zipfile.ZIP_DEFLATED):
        raise damaged(say(en=f"{entry.filename} is packed in an unknown way",
                          zh=f"{entry.filename} 的压缩方式未知"))  # fmt: skip


def _no_archive() -> BundleError:
    return damaged(say(en="it is not an .aglm file", zh="不是 .aglm 文件"))
