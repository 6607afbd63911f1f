"""How much a reader may take in before it says no."""

from __future__ import annotations

from dataclasses import dataclass

from autoglm.core.errors import DataError
from autoglm.core.text import say

MB = 1 << 20


@dataclass(frozen=True)
class ReadLimits:
    """Bounds on what a file may become in memory.

    Parameters
    ----------
    max_bytes
        Bytes after decompression.
    max_columns
        Columns of the table.
    max_cells
        Rows times columns of the table.
    max_ratio
        Decompressed over compressed bytes; looked at only beyond `ratio_from` bytes.
    ratio_from
        Decompressed bytes below which any ratio is allowed.
    """

    max_bytes: int = 4096 * MB
    max_columns: int = 20_000
    max_cells: int = 500_000_000
    max_ratio: float = 200.0
    ratio_from: int = 100 * MB

    def check_bytes(self, unpacked: int, packed: int, name: str) -> None:
        """Raise `DataError` when `unpacked` bytes out of `packed` are too many."""
        if unpacked > self.max_bytes:
            raise DataError(
                say(
                    en=f"{name} holds more than {self.max_bytes / MB:,.0f} MB of data.",
                    zh=f"{name} 的数据超过 {self.max_bytes / MB:,.0f} MB。",
                ),
                hint=say(
                    en="Give a part of it, a Parquet file, or a higher ReadLimits(max_bytes=...).",
                    zh="请给出其中一部分或 Parquet 文件,或提高 ReadLimits(max_bytes=...)。",
                ),
            )
        if unpacked > self.ratio_from and unpacked > self.max_ratio * max(packed, 1):
            raise DataError(
                say(
                    en=f"{name} unpacks to more than {self.max_ratio:,.0f} times its size,"
                    " which looks like a decompression bomb.",
                    zh=f"{name} 解压后超过原大小的 {self.max_ratio:,.0f} 倍,疑似压缩炸弹。",
                ),
                hint=say(
                    en="If you trust the file, unpack it yourself and give the unpacked file.",
                    zh="如果信任该文件,请先自行解压,再给出解压后的文件。",
                ),
            )

    def check_columns(self, columns: int) -> None:
        """Raise `DataError` when a table has too many columns."""
        if columns > self.max_columns:
            raise DataError(
                say(
                    en=f"The table has {columns:,} columns; at most {self.max_columns:,} are read.",
                    zh=f"表格有 {columns:,} 列,最多读取 {self.max_columns:,} 列。",
                ),
                hint=say(
                    en="Check that rows and columns are not exchanged, or give fewer columns.",
                    zh="请检查行列是否颠倒,或减少列数。",
                ),
            )

    def check_cells(self, rows: int, columns: int) -> None:
        """Raise `DataError` when a table has too many columns or cells."""
        self.check_columns(columns)
        if rows * columns > self.max_cells:
            raise DataError(
                say(
                    en=f"The table has {rows:,} rows by {columns:,} columns,"
                    f" more than {self.max_cells:,} cells.",
                    zh=f"表格有 {rows:,} 行 {columns:,} 列,超过 {self.max_cells:,} 个单元格。",
                ),
                hint=say(
                    en="Give a sample of the rows or fewer columns.",
                    zh="请给出部分行,或减少列数。",
                ),
            )
