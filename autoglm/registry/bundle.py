"""Saved models: a folder, or one ``.aglm`` file, with the same files inside.

    manifest.json      what it is, what goes in and out, size and SHA-256 of every file
    manifest.sha256    SHA-256 of manifest.json
    ...                the model's own files, in safe formats

Reading checks every byte against the manifest before the first file is handed out. The
hashes show damage and careless change; they are no signature, and whoever can write the
bundle can write matching hashes. That is harmless to load, as nothing in it is ever run.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from autoglm.core.errors import BundleError, StorageError
from autoglm.core.files import write_file, write_folder
from autoglm.core.text import say
from autoglm.registry._stores import (
    ArchiveStore,
    BundleLimits,
    FolderStore,
    Store,
    archive_bytes,
    too_large,
)
from autoglm.registry.manifest import (
    CHECKSUM,
    MANIFEST,
    RESERVED,
    About,
    FileEntry,
    Manifest,
    check_name,
    damaged,
)

__all__ = ["SUFFIX", "Bundle", "BundleLimits", "Manifest", "read_bundle", "write_bundle"]

SUFFIX = ".aglm"


class _Files(Mapping[str, bytes]):
    """The files of a bundle, each read and checked when it is asked for."""

    def __init__(self, store: Store, entries: Mapping[str, FileEntry]) -> None:
        self._store, self._entries = store, entries

    def __getitem__(self, name: str) -> bytes:
        entry = self._entries[name]
        with self._store.open(name) as file:
            data = file.read(entry.size + 1)
        if _sha256(data) != entry.sha256:
            raise _changed(name)
        return data

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class Bundle:
    """A saved model, opened.

    Attributes
    ----------
    path
        Where it lies.
    manifest
        What it says of itself.
    files
        Content by name, without the manifest; read and checked at each access.
    """

    def __init__(self, path: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
        self.path, self.manifest, self.files = path, manifest, files

    def __repr__(self) -> str:
        return f"Bundle({str(self.path)!r}, kind={self.manifest.kind!r}, files={len(self.files)})"


def write_bundle(path: Path | str, files: Mapping[str, bytes], *, about: Mapping[str, Any]) -> Path:
    """Write a bundle whole or not at all.

    Parameters
    ----------
    path
        A name ending in ``.aglm`` gives one file, any other a folder. An earlier bundle
        there is replaced; anything else there is left alone.
    files
        Content by relative name, ``/`` between folders.
    about
        ``kind``, and optionally ``signature``, ``spec`` and ``receipts``; see `About`.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    BundleError
        When a file name is not allowed or `about` has an unknown key.
    StorageError
        When it cannot be written, or something else stands there.
    """
    path = Path(path)
    _check_names(files)
    _check_place(path)
    content = _content(files, about)
    if path.suffix == SUFFIX:
        write_file(path, archive_bytes(content))
    else:
        with write_folder(path) as scratch:
            for name, data in content.items():
                target = scratch / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
    return path


def read_bundle(path: Path | str, *, limits: BundleLimits | None = None) -> Bundle:
    """Open a bundle after checking every byte of it.

    Parameters
    ----------
    path
        A bundle folder or ``.aglm`` file.
    limits
        What it may hold at most.

    Raises
    ------
    BundleError
        When there is none, a byte was changed, a file is missing, added, doubled, linked or
        oddly named, the format version is unknown, or it is above the limits.
    """
    path = Path(path)
    limits = limits if limits is not None else BundleLimits()
    try:
        store = _open(path, limits)
        names = store.names()
        manifest = _read_manifest(store, names, limits)
        _check_files(store, names, manifest, limits)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BundleError(
            say(en=f"Cannot read the saved model {path}: {reason}.",
                zh=f"无法读取保存的模型 {path}:{reason}。"),
            hint=say(en="Check that you may read it.", zh="请检查读取权限。"),
        ) from error  # fmt: skip
    return Bundle(path, manifest, _Files(store, manifest.files))


def bundle_bytes(files: Mapping[str, bytes], *, about: Mapping[str, Any]) -> int:
    """Return how many bytes `write_bundle` would put into a folder.

    Raises
    ------
    BundleError
        When `about` has an unknown key.
    """
    return sum(map(len, _content(files, about).values()))


def _content(files: Mapping[str, bytes], about: Mapping[str, Any]) -> dict[str, bytes]:
    """Return all files of a bundle: the manifest, its checksum, and the others by name."""
    entries = {
        name: FileEntry(sha256=_sha256(files[name]), size=len(files[name]))
        for name in sorted(files)
    }
    try:
        known = About.model_validate(dict(about))
    except ValidationError as error:
        first = error.errors()[0]
        raise BundleError(
            say(en=f"A model cannot be saved with {first['loc']}: {first['msg']}.",
                zh=f"无法保存模型,{first['loc']}:{first['msg']}。"),
            hint=say(en="Give kind, signature, spec and receipts only.",
                     zh="只能给出 kind、signature、spec 与 receipts。"),
        ) from error  # fmt: skip
    manifest = Manifest(**known.model_dump(), files=entries).to_bytes()
    content = {MANIFEST: manifest, CHECKSUM: _sha256(manifest).encode() + b"\n"}
    return content | {name: files[name] for name in entries}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _check_names(files: Mapping[str, bytes]) -> None:
    for name in files:
        check_name(name)
    folded = Counter(name.casefold() for name in (*files, *RESERVED))
    name, count = folded.most_common(1)[0]
    if count > 1:
        raise damaged(say(en=f"two files are called {name}", zh=f"两个文件同名 {name}"))


def _check_place(path: Path) -> None:
    """Refuse to replace anything that is not a bundle of the same form."""
    if path.suffix == SUFFIX:
        free = not path.is_dir()
    else:
        free = not path.exists() or (
            path.is_dir() and ((path / MANIFEST).is_file() or not any(path.iterdir()))
        )
    if not free:
        raise StorageError(
            say(
                en=f"{path} exists and is not a saved model.", zh=f"{path} 已存在且不是保存的模型。"
            ),
            hint=say(en="Choose a new name.", zh="请换一个新名称。"),
        )


def _open(path: Path, limits: BundleLimits) -> Store:
    if path.is_file():
        return ArchiveStore(path, limits)
    if path.is_dir() and (path / MANIFEST).is_file():
        return FolderStore(path, limits)
    raise BundleError(
        say(en=f"There is no saved model at {path}.", zh=f"{path} 没有保存的模型。"),
        hint=say(en=f"Give a folder with {MANIFEST} in it, or a {SUFFIX} file.",
                 zh=f"请给出含有 {MANIFEST} 的文件夹,或 {SUFFIX} 文件。"),
    )  # fmt: skip


def _read_manifest(store: Store, names: list[str], limits: BundleLimits) -> Manifest:
    missing = RESERVED - set(names)
    if missing:
        raise damaged(say(en=f"{min(missing)} is missing", zh=f"缺少 {min(missing)}"))
    with store.open(MANIFEST) as file:
        data = file.read(limits.max_manifest_bytes + 1)
    if len(data) > limits.max_manifest_bytes:
        raise too_large()
    with store.open(CHECKSUM) as file:
        if file.read(66) != _sha256(data).encode() + b"\n":
            raise _changed(MANIFEST)
    return Manifest.from_bytes(data)


def _check_files(store: Store, names: list[str], manifest: Manifest, limits: BundleLimits) -> None:
    if len(names) > limits.max_files + len(RESERVED):
        raise too_large()
    total = sum(entry.size for entry in manifest.files.values())
    if total > limits.max_bytes or total > max(1e8, store.size() * limits.max_ratio):
        raise too_large()
    counts = Counter(names)
    for name, count in counts.items():
        if count > 1:
            raise damaged(say(en=f"{name} is in it twice", zh=f"{name} 出现两次"))
        if name not in manifest.files and name not in RESERVED:
            raise damaged(say(en=f"{name} does not belong to it", zh=f"多出文件 {name}"))
    for name, entry in manifest.files.items():
        check_name(name)
        if name not in counts:
            raise damaged(say(en=f"{name} is missing", zh=f"缺少 {name}"))
        with store.open(name) as file:
            _check_content(file, name, entry)


def _check_content(file: IO[bytes], name: str, entry: FileEntry) -> None:
    """Compare size and hash, a block at a time, stopping at the size promised."""
    digest, left = hashlib.sha256(), entry.size + 1
    while left and (block := file.read(min(left, 1 << 20))):
        digest.update(block)
        left -= len(block)
    if left != 1 or digest.hexdigest() != entry.sha256:
        raise _changed(name)


def _changed(name: str) -> BundleError:
    return damaged(say(en=f"{name} was changed", zh=f"{name} 被改动"))
