"""Bundles: written whole, read with suspicion, refused at the first wrong byte."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from autoglm.core.errors import BundleError, StorageError
from autoglm.registry.bundle import BundleLimits, read_bundle, write_bundle

FILES = {
    "weights.bin": bytes(range(256)) * 40,
    "trees/model.txt": b"tree\n" * 500,
    "notes-\u4e2d\u6587.json": b"{}",
    "empty": b"",
}
ABOUT = {
    "kind": "tabular",
    "signature": {
        "inputs": [
            {"name": "\u5e74\u9f84", "kind": "number"},
            {"name": "city", "kind": "category"},
        ],
        "outputs": [{"name": "churn", "kind": "category"}],
        "params": {"threshold": 0.5},
    },
    "spec": {"target": "churn"},
    "receipts": {"time_s": {"planned": 60.0, "actual": 58.5}},
}

FORMS = pytest.mark.parametrize("name", ["model", "model.aglm"])


@FORMS
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    path = write_bundle(tmp_path / "new" / name, FILES, about=ABOUT)
    bundle = read_bundle(path)
    assert dict(bundle.files) == FILES
    manifest = bundle.manifest
    assert manifest.kind == "tabular"
    assert [f.name for f in manifest.signature.inputs] == ["\u5e74\u9f84", "city"]
    assert manifest.signature.params == {"threshold": 0.5}
    assert manifest.spec == ABOUT["spec"]
    assert manifest.receipts == ABOUT["receipts"]
    assert manifest.files["empty"].size == 0
    assert manifest.environment["packages"]["numpy"]
    assert [p.name for p in path.parent.iterdir()] == [name]  # no scratch left


def test_an_archive_is_one_ordinary_zip_file(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "m.aglm", FILES, about=ABOUT)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist()[:2] == ["manifest.json", "manifest.sha256"]
        assert archive.namelist()[2:] == sorted(FILES)
        assert archive.testzip() is None
        assert {i.date_time for i in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert path.stat().st_size < sum(map(len, FILES.values()))


@FORMS
def test_a_second_save_replaces_the_first(tmp_path: Path, name: str) -> None:
    write_bundle(tmp_path / name, FILES, about=ABOUT)
    write_bundle(tmp_path / name, {"only": b"1"}, about=ABOUT)
    assert dict(read_bundle(tmp_path / name).files) == {"only": b"1"}
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_every_changed_byte_of_an_archive_is_refused(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "m.aglm", {"a": b"some content"}, about={"kind": "t"})
    good = path.read_bytes()
    for position in range(len(good)):
        bad = bytearray(good)
        bad[position] ^= 0x21
        path.write_bytes(bad)
        with pytest.raises(BundleError):
            read_bundle(path)
    for cut in (good[:-1], good + b"\0", good[: len(good) // 2], b""):
        path.write_bytes(cut)
        with pytest.raises(BundleError) as caught:
            read_bundle(path)
        assert caught.value.hint


def test_every_changed_byte_of_a_folder_is_refused(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "m", {"a": b"some content"}, about={"kind": "t"})
    for file in sorted(folder.iterdir()):
        good = file.read_bytes()
        for position in range(len(good)):
            bad = bytearray(good)
            bad[position] ^= 0x21
            file.write_bytes(bad)
            with pytest.raises(BundleError):
                read_bundle(folder)
        for changed in (good[:-1], good + b"\0"):
            file.write_bytes(changed)
            with pytest.raises(BundleError):
                read_bundle(folder)
        file.write_bytes(good)
    assert read_bundle(folder).files["a"] == b"some content"


def _missing(folder: Path) -> None:
    (folder / "trees" / "model.txt").unlink()


def _extra(folder: Path) -> None:
    (folder / "extra.txt").write_text("x")


def _hidden(folder: Path) -> None:
    (folder / "trees" / ".hidden").write_text("x")


def _no_checksum(folder: Path) -> None:
    (folder / "manifest.sha256").unlink()


def _link(folder: Path) -> None:
    target = folder.parent / "outside"
    target.write_bytes((folder / "empty").read_bytes())
    (folder / "empty").unlink()
    (folder / "empty").symlink_to(target)


def _folder_link(folder: Path) -> None:
    (folder / "trees").rename(folder.parent / "trees")
    (folder / "trees").symlink_to(folder.parent / "trees")


def _pipe(folder: Path) -> None:
    (folder / "empty").unlink()
    os.mkfifo(folder / "empty")


@pytest.mark.parametrize(
    "damage", [_missing, _extra, _hidden, _no_checksum, _link, _folder_link, _pipe]
)
def test_a_folder_with_other_files_is_refused(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = write_bundle(tmp_path / "m", FILES, about=ABOUT)
    damage(folder)
    with pytest.raises(BundleError) as caught:
        read_bundle(folder)
    assert caught.value.hint
    assert caught.value.exit_code == 7


def test_a_file_changed_after_opening_is_refused(tmp_path: Path) -> None:
    bundle = read_bundle(write_bundle(tmp_path / "m", FILES, about=ABOUT))
    (tmp_path / "m" / "weights.bin").write_bytes(b"other")
    with pytest.raises(BundleError):
        bundle.files["weights.bin"]
    with pytest.raises(KeyError):
        bundle.files["absent"]


def _sealed(entries: list[tuple[zipfile.ZipInfo, bytes]]) -> bytes:
    """Return an archive with any entries whose own hash is right, as an attacker would."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for info, content in entries:
            archive.writestr(info, content)
        archive.comment = b"0" * 64
    body = buffer.getvalue()[:-64]
    return body + hashlib.sha256(body).hexdigest().encode()


def _forged(names: dict[str, bytes], promised: dict[str, int] | None = None) -> bytes:
    """Return a sealed archive whose manifest lists `names`, sizes as `promised` where given."""
    files = {
        name: {
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": (promised or {}).get(name, len(content)),
        }
        for name, content in names.items()
    }
    manifest = json.dumps({"format_version": 1, "kind": "t", "files": files}).encode()
    checksum = hashlib.sha256(manifest).hexdigest().encode() + b"\n"
    content = {"manifest.json": manifest, "manifest.sha256": checksum} | names
    entries = []
    for name, data in content.items():
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        entries.append((info, data))
    return _sealed(entries)


def test_a_well_formed_forgery_is_read(tmp_path: Path) -> None:
    (tmp_path / "m.aglm").write_bytes(_forged({"a": b"1"}))
    assert read_bundle(tmp_path / "m.aglm").files["a"] == b"1"


@pytest.mark.parametrize(
    "name",
    [
        "../out",
        "/etc/passwd",
        "a/../../out",
        "a//b",
        "./a",
        "C:out",
        "a\\b",
        "a\nb",
        "dot.",
        "n" * 300,
    ],
)
def test_names_that_leave_the_bundle_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "m.aglm").write_bytes(_forged({name: b"1"}))
    with pytest.raises(BundleError, match="not allowed"):
        read_bundle(tmp_path / "m.aglm")
    with pytest.raises(BundleError, match="not allowed"):
        write_bundle(tmp_path / "own", {name: b"1"}, about=ABOUT)
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize("names", [["manifest.json"], ["manifest.sha256"], ["Model", "model"]])
def test_names_that_collide_are_not_written(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(BundleError):
        write_bundle(tmp_path / "m", dict.fromkeys(names, b"1"), about=ABOUT)


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("a")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    (tmp_path / "m.aglm").write_bytes(_sealed([(info, b"/etc/passwd")]))
    with pytest.raises(BundleError, match="link"):
        read_bundle(tmp_path / "m.aglm")


def test_a_name_twice_in_an_archive_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(_forged({"a": b"1"}))) as archive:
        entries = [(i, archive.read(i)) for i in archive.infolist()]
    with pytest.warns(UserWarning, match="Duplicate"):
        sealed = _sealed([*entries, (zipfile.ZipInfo("a"), b"1")])
    (tmp_path / "m.aglm").write_bytes(sealed)
    with pytest.raises(BundleError, match="twice"):
        read_bundle(tmp_path / "m.aglm")


def test_an_archive_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    zeros = bytes(120_000_000)
    path = tmp_path / "m.aglm"
    path.write_bytes(_forged({"a": zeros}))
    with pytest.raises(BundleError, match="larger"):
        read_bundle(path)
    path.write_bytes(_forged({"a": zeros}, promised={"a": 10}))
    with pytest.raises(BundleError, match="changed"):
        read_bundle(path)


def test_limits_are_kept(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "m.aglm", FILES, about=ABOUT)
    folder = write_bundle(tmp_path / "m", FILES, about=ABOUT)
    for limits in (
        BundleLimits(max_bytes=2_000),
        BundleLimits(max_files=3),
        BundleLimits(max_manifest_bytes=100),
    ):
        for place in (path, folder):
            with pytest.raises(BundleError, match="larger"):
                read_bundle(place, limits=limits)


@pytest.mark.parametrize("version", [0, 2, 999])
def test_an_unknown_format_version_is_refused(tmp_path: Path, version: int) -> None:
    folder = write_bundle(tmp_path / "m", FILES, about=ABOUT)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["format_version"] = version
    _put_manifest(folder, json.dumps(manifest).encode())
    with pytest.raises(BundleError, match=f"version {version}"):
        read_bundle(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"[" * 100_000, b"\xff\xfe", b"nul"])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = write_bundle(tmp_path / "m", FILES, about=ABOUT)
    _put_manifest(folder, content)
    with pytest.raises(BundleError):
        read_bundle(folder)


def _put_manifest(folder: Path, content: bytes) -> None:
    (folder / "manifest.json").write_bytes(content)
    checksum = hashlib.sha256(content).hexdigest() + "\n"
    (folder / "manifest.sha256").write_text(checksum)


def test_places_without_a_bundle_are_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello " * 50)
    (tmp_path / "folder").mkdir()
    for name in ("absent", "text", "folder"):
        with pytest.raises(BundleError) as caught:
            read_bundle(tmp_path / name)
        assert caught.value.hint


def test_other_things_are_never_replaced(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "letter").write_text("dear")
    (tmp_path / "file").write_text("x")
    (tmp_path / "d.aglm").mkdir()
    for name in ("home", "file", "d.aglm"):
        with pytest.raises(StorageError):
            write_bundle(tmp_path / name, FILES, about=ABOUT)
    assert (home / "letter").read_text() == "dear"


def test_unknown_facts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="colour"):
        write_bundle(tmp_path / "m", FILES, about={"kind": "t", "colour": "red"})
    assert not (tmp_path / "m").exists()


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bundle(tmp_path / "m.aglm", {"a": b"1"}, about=ABOUT)
    write_bundle(tmp_path / "m", {"a": b"1"}, about=ABOUT)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for name in ("m", "m.aglm"):
        with pytest.raises(StorageError) as caught:
            write_bundle(tmp_path / name, FILES, about=ABOUT)
        assert "space" in caught.value.hint
        assert dict(read_bundle(tmp_path / name).files) == {"a": b"1"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m", "m.aglm"]


def test_format_1_stays_readable() -> None:
    bundle = read_bundle(Path(__file__).parent / "bundles" / "format-1.aglm")
    assert bundle.manifest.format_version == 1
    assert bundle.manifest.created == "2026-11-23T07:36:00+00:00"
    assert bundle.files["model/weights.json"] == b"[1.0, 2.5]"
    assert [f.kind for f in bundle.manifest.signature.inputs] == ["number", "category"]
