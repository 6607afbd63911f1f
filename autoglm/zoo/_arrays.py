"""Models as files: one JSON header and one npz of plain arrays."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HEADER, _ARRAYS = "model.json", "arrays.npz"

#: No model of ours unpacks to more than this many bytes.
MAX_BYTES = 2 << 30


def dump_arrays(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> dict[str, bytes]:
    """Return a JSON header and arrays (no objects) as two files."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **dict(arrays))
    head = json.dumps(dict(header), sort_keys=True).encode()
    return {_HEADER: head, _ARRAYS: buffer.getvalue()}


def load_arrays(files: Mapping[str, bytes]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read what `dump_arrays` wrote.

    Raises
    ------
    ValueError
        When a file is missing, damaged or holds objects.
    """
    header = load_header(files)
    try:
        with zipfile.ZipFile(io.BytesIO(files[_ARRAYS])) as packed:
            if sum(info.file_size for info in packed.infolist()) > MAX_BYTES:
                raise ValueError("the arrays are larger than any model of ours")
        with np.load(io.BytesIO(files[_ARRAYS]), allow_pickle=False) as data:
            return header, {name: data[name] for name in data.files}
    except (KeyError, zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise ValueError(f"not the arrays of a model: {error!r}") from error


def load_header(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Read the JSON header alone.

    Raises
    ------
    ValueError
        When it is missing or no JSON object.
    """
    try:
        header = json.loads(files[_HEADER])
    except KeyError as error:
        raise ValueError("the model has no header") from error
    if not isinstance(header, dict):
        raise ValueError("the header of the model is no object")
    return header


def pack_text(text: str, level: int = 1) -> bytes:
    """Return a text compressed with zlib: level 1 is quick, 9 is small."""
    return zlib.compress(text.encode("utf-8"), level)


def unpack_text(data: bytes) -> str:
    """Read what `pack_text` wrote.

    Raises
    ------
    ValueError
        When the data are damaged, cut off or unpack to more than `MAX_BYTES`.
    """
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, MAX_BYTES)
    except zlib.error as error:
        raise ValueError(f"damaged model text: {error}") from error
    if not unpacker.eof or unpacker.unconsumed_tail:
        raise ValueError("the model text is cut off or too large")
    return text.decode("utf-8")
