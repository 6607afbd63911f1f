"""Write a table in another format."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq

from autoglm.core.errors import ConfigError, DataError
from autoglm.core.files import write_file
from autoglm.core.imports import need
from autoglm.core.text import say
from autoglm.dataflow._typed import json_text

__all__ = ["FORMATS", "write_table"]

_EXCEL_ROWS, _EXCEL_COLUMNS = 1_048_576, 16_384


def write_table(frame: pd.DataFrame, path: Path | str) -> Path:
    """Write a frame in the format that the file's ending names, whole or not at all.

    CSV (``.csv``), tab-separated (``.tsv``), JSON records (``.json``), JSON lines
    (``.jsonl``), Parquet (``.parquet``), Arrow (``.arrow``), Feather (``.feather``) and Excel
    (``.xlsx``); a further ``.gz``, ``.bz2``, ``.xz`` or ``.zst`` packs it. Text is UTF-8; dates
    are ISO 8601; missing cells are empty, or null in JSON.

    Parameters
    ----------
    frame
        The rows; its index is not written.
    path
        Where to; an existing file is replaced.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ConfigError
        When the ending names no known format.
    DataError
        When the format cannot hold the table.
    StorageError
        When the file cannot be written.
    """
    path = Path(path).expanduser()
    endings = [ending.lower() for ending in path.suffixes]
    pack = _PACKERS.get(endings[-1]) if endings else None
    if pack is not None:
        endings.pop()
    encode = FORMATS.get(endings[-1]) if endings else None
    if encode is None:
        raise ConfigError(
            say(
                en=f"The ending of {path.name!r} names no table format.",
                zh=f"{path.name!r} 的扩展名不是已知的表格格式。",
            ),
            hint=say(
                en=f"Use one of: {', '.join(FORMATS)}, or one of these with .gz.",
                zh=f"请使用:{', '.join(FORMATS)},可再加 .gz。",
            ),
        )
    content = encode(frame)
    write_file(path, pack(content) if pack else content)
    return path


def _csv(frame: pd.DataFrame, separator: str = ",") -> bytes:
    text = _text_cells(frame)
    return text.to_csv(index=False, sep=separator, lineterminator="\n").encode("utf-8")


def _tsv(frame: pd.DataFrame) -> bytes:
    return _csv(frame, "\t")


def _json(frame: pd.DataFrame) -> bytes:
    return ("[\n" + ",\n".join(_json_rows(frame)) + "\n]\n").encode("utf-8")


def _jsonl(frame: pd.DataFrame) -> bytes:
    return "".join(row + "\n" for row in _json_rows(frame)).encode("utf-8")


def _json_rows(frame: pd.DataFrame) -> list[str]:
    names = list(frame.columns)
    columns = [[_json_value(v) for v in _iso(frame[name]).tolist()] for name in names]
    return [
        json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, allow_nan=False)
        for row in zip(*columns, strict=True)
    ]


def _json_value(value: Any) -> Any:
    """Return a cell as a JSON value; what JSON cannot hold is null or text."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if isinstance(value, str | bool | int) else str(value)


def _iso(column: pd.Series) -> pd.Series:
    if not pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column
    cells = [None if pd.isna(v) else v.isoformat() for v in column]
    return pd.Series(cells, dtype=object)


def _text_cells(frame: pd.DataFrame) -> pd.DataFrame:
    columns = {name: _iso(frame[name]).reset_index(drop=True) for name in frame.columns}
    return pd.DataFrame(columns)


def _arrow_table(frame: pd.DataFrame) -> pa.Table:
    """Return an Arrow table; a column of mixed values becomes text."""
    columns = {}
    for name in frame.columns:
        try:
            columns[str(name)] = pa.array(frame[name], from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            cells = [None if _absent(v) else _cell_text(v) for v in frame[name]]
            columns[str(name)] = pa.array(cells, pa.string())
    return pa.table(columns)


def _absent(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or value != value


def _cell_text(value: Any) -> str:
    return json_text(value) if isinstance(value, dict | list | tuple) else str(value)


def _parquet(frame: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    pq.write_table(_arrow_table(frame), out, compression="zstd")
    return out.getvalue()


def _arrow(frame: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    table = _arrow_table(frame)
    with pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def _feather(frame: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    pyarrow.feather.write_feather(_arrow_table(frame), out, compression="lz4")
    return out.getvalue()


def _excel(frame: pd.DataFrame) -> bytes:
    if len(frame) >= _EXCEL_ROWS or len(frame.columns) > _EXCEL_COLUMNS:
        raise DataError(
            say(
                en=f"Excel holds at most {_EXCEL_ROWS - 1:,} rows and {_EXCEL_COLUMNS:,} columns.",
                zh=f"Excel 最多 {_EXCEL_ROWS - 1:,} 行、{_EXCEL_COLUMNS:,} 列。",
            ),
            hint=say(en="Write Parquet or CSV.", zh="请改用 Parquet 或 CSV。"),
        )
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("data")
    sheet.append([_excel_cell(sheet, str(name)) for name in frame.columns])
    columns = [frame[name].astype(object).tolist() for name in frame.columns]
    for row in zip(*columns, strict=True):
        sheet.append([_excel_cell(sheet, value) for value in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _excel_cell(sheet: Any, value: Any) -> Any:
    """Return a value that Excel can hold; text stays text even where it begins with ``=``."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, pd.Timestamp):
        return value.tz_localize(None).to_pydatetime()
    text = ILLEGAL_CHARACTERS_RE.sub("", _cell_text(value))[:32_767]
    if not text.startswith("="):
        return text
    cell = WriteOnlyCell(sheet, value=text)
    cell.data_type = "s"
    return cell


def _zstd(content: bytes) -> bytes:
    zstandard = need("zstandard", extra="zstd", feature=say(en="A .zst file", zh=".zst 文件"))
    packed: bytes = zstandard.ZstdCompressor().compress(content)
    return packed


#: Writers by file ending.
FORMATS: dict[str, Callable[[pd.DataFrame], bytes]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".json": _json,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".feather": _feather,
    ".xlsx": _excel,
}

_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": lambda content: gzip.compress(content, mtime=0),
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": _zstd,
}
