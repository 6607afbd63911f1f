"""Bytes out of wrappers: gzip, bzip2, xz, Zstandard and zip, counted while they unpack."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, Protocol

from autoglm.core.errors import DataError
from autoglm.core.imports import need
from autoglm.core.text import say
from autoglm.dataflow._limits import MB, ReadLimits

_CHUNK = 1 << 20
_LAYERS = 3
#: Bytes of a zip's directory; 8 MB name some 80,000 members, more than any table has.
_DIRECTORY_MOST = 8 * MB
_TABLE_ENDINGS = (
    ".csv", ".tsv", ".tab", ".txt", ".data", ".dat", ".json", ".jsonl", ".ndjson", ".parquet",
    ".arrow", ".feather", ".ipc", ".xlsx", ".xlsm", ".arff", ".gz", ".zst", ".bz2", ".xz",
)  # fmt: skip
_BROKEN = (
    EOFError, IndexError, KeyError, NotImplementedError, OSError, RuntimeError, ValueError,
    lzma.LZMAError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


def unpack(
    name: str, data: bytes, limits: ReadLimits, member: str | None = None
) -> tuple[str, bytes]:
    """Take off every layer of compression.

    Parameters
    ----------
    name
        The file's name, for messages; endings come off with the layers.
    data
        The bytes of the file.
    limits
        Bounds on the unpacked bytes.
    member
        Which file of a zip with several to take.

    Raises
    ------
    DataError
        When the bytes are damaged or encrypted, unpack to too much, or a zip holds
        several tables and `member` names none.
    """
    packed = len(data)
    for _ in range(_LAYERS + 1):
        kind = _wrapper(data)
        if kind is None:
            limits.check_bytes(len(data), packed, name)
            return name, data
        if kind == "zip":
            name, data = _from_zip(name, data, packed, limits, member)
        else:
            data = _unwrap(kind, name, data, packed, limits)
            name = name.rsplit(".", 1)[0] if "." in name else name
    raise DataError(
        say(en=f"{name} is packed more than {_LAYERS} times.", zh=f"{name} 压缩层数过多。"),
        hint=say(en="Unpack it and give the table itself.", zh="请先解压,直接给出表格文件。"),
    )


def _wrapper(data: bytes) -> str | None:
    if data.startswith(b"\x1f\x8b"):
        return "gzip"
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return "zstd"
    if data.startswith(b"BZh") and data[4:10] in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"):
        return "bzip2"
    if data.startswith(b"\xfd7zXZ\x00"):
        return "xz"
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return None if is_workbook(data) else "zip"
    return None


def is_workbook(data: bytes) -> bool:
    """Return whether a zip is an Office document, by the names in its directory."""
    return data.startswith(b"PK\x03\x04") and b"[Content_Types].xml" in data[-_CHUNK:]


def damaged(name: str, reason: object = "") -> DataError:
    """Return the error for a file whose bytes are cut off or changed."""
    detail = f" ({reason})" if str(reason) else ""
    return DataError(
        say(en=f"{name} is damaged or cut off{detail}.", zh=f"{name} 已损坏或不完整{detail}。"),
        hint=say(
            en="Download or copy it again, or export the table anew.",
            zh="请重新下载、复制或导出该文件。",
        ),
    )


def _unwrap(kind: str, name: str, data: bytes, packed: int, limits: ReadLimits) -> bytes:
    out = bytearray()
    try:
        for piece in _pieces(kind, data):
            out += piece
            limits.check_bytes(len(out), packed, name)
    except _BROKEN as error:
        raise damaged(name, error) from error
    return bytes(out)


def _pieces(kind: str, data: bytes) -> Iterator[bytes]:
    """Yield unpacked pieces of bounded size."""
    if kind == "zstd":
        zstandard = need("zstandard", extra="zstd", feature=say(en="A .zst file", zh=".zst 文件"))
        try:
            reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(
                io.BytesIO(data), read_across_frames=True
            )
            while piece := reader.read(_CHUNK):
                yield piece
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from error
        return
    opened: Any
    if kind == "gzip":
        opened = gzip.GzipFile(fileobj=io.BytesIO(data))
    elif kind == "bzip2":
        opened = bz2.BZ2File(io.BytesIO(data))
    else:
        opened = lzma.LZMAFile(io.BytesIO(data))  # noqa: SIM115
    with opened:
        while piece := opened.read(_CHUNK):
            yield piece


def _from_zip(
    name: str, data: bytes, packed: int, limits: ReadLimits, member: str | None
) -> tuple[str, bytes]:
    with open_zip(name, data) as archive:
        info = _choose(name, archive, member)
        content = read_member(name, archive, info, packed, limits)
    return info.filename, content


def open_zip(name: str, data: bytes) -> zipfile.ZipFile:
    """Open a zip whose directory is of a sane size.

    Raises
    ------
    DataError
        When it is damaged or has too many members.
    """
    end = data.rfind(b"PK\x05\x06")
    if end < 0:
        raise damaged(name)
    if int.from_bytes(data[end + 12 : end + 16], "little") > _DIRECTORY_MOST:
        raise DataError(
            say(en=f"{name} has too many members.", zh=f"{name} 中的文件过多。"),
            hint=say(en="Unpack it and give the table itself.", zh="请先解压,直接给出表格文件。"),
        )
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except _BROKEN as error:
        raise damaged(name, error) from error


def read_member(
    name: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo, packed: int, limits: ReadLimits
) -> bytes:
    """Return one member's bytes, counted as they come and not as the zip declares them."""
    if info.flag_bits & 1:
        raise DataError(
            say(en=f"{name} is encrypted.", zh=f"{name} 已加密。"),
            hint=say(en="Unpack it with its password first.", zh="请先用密码解压。"),
        )
    out = bytearray()
    try:
        with archive.open(info) as handle:
            while piece := handle.read(_CHUNK):
                out += piece
                limits.check_bytes(len(out), packed, name)
    except _BROKEN as error:
        raise damaged(name, error) from error
    return bytes(out)


def _choose(name: str, archive: zipfile.ZipFile, member: str | None) -> zipfile.ZipInfo:
    files = [
        info
        for info in archive.infolist()
        if not info.is_dir()
        and not info.filename.startswith("__MACOSX/")
        and not info.filename.rsplit("/", 1)[-1].startswith(".")
    ]
    if member is not None:
        files = [i for i in files if member in (i.filename, i.filename.rsplit("/", 1)[-1])]
    elif len(files) > 1:
        tables = [i for i in files if i.filename.lower().endswith(_TABLE_ENDINGS)]
        files = tables or files
    if len(files) == 1:
        return files[0]
    if not files:
        raise DataError(
            say(en=f"{name} holds no such table.", zh=f"{name} 中没有这样的表格。"),
            hint=say(en="Look into the zip file.", zh="请检查该 zip 文件。"),
        )
    shown = ", ".join(i.filename for i in files[:8]) + (", ..." if len(files) > 8 else "")
    raise DataError(
        say(en=f"{name} holds several files: {shown}.", zh=f"{name} 中有多个文件:{shown}。"),
        hint=say(
            en="Say which one with sheet=NAME, or unpack it.",
            zh="请用 sheet=文件名 指定其中一个,或先解压。",
        ),
    )
