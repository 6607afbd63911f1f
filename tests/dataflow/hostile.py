"""Files that a reader must survive, made by code: run it to write them to a folder.

    python tests/dataflow/hostile.py FOLDER

Each file ends in one of three ways: "error" is a `DataError` whose message holds the given
words, "repaired" a table with a note that holds them, "fine" a table as it stands.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

End = Literal["error", "repaired", "fine"]
MB = 1 << 20


class Hostile(NamedTuple):
    """How to make a file and how reading it must end."""

    build: Callable[[], bytes]
    end: End
    words: str = ""


def _table(rows: int = 20, name: str = "a") -> bytes:
    return f"{name},b,c\n".encode() + b"".join(
        b"%d,x%d,%d.5\n" % (i, i % 3, i) for i in range(rows)
    )


def _zeros(size: int) -> bytes:
    return b"a,b\n" + b"0,0\n" * (size // 4)


def _zip(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return out.getvalue()


def _nested_zip() -> bytes:
    inner = _table()
    for _ in range(6):
        inner = _zip(a__zip=inner)
    return inner


def _overlapping_zip() -> bytes:
    """Return a zip in whose directory 2,000 members share one body of 1 MB of zeros."""
    body = _zip(a__csv=b"0" * MB)
    end = body.rfind(b"PK\x05\x06")
    start = struct.unpack_from("<I", body, end + 16)[0]
    entry = body[start:end]
    directory = b"".join(entry[:46] + b"%05d" % i + entry[51:] for i in range(2000))
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 2000, 2000, len(directory), start, 0)
    return body[:start] + directory + tail


def _lying_zip() -> bytes:
    """Return a zip bomb whose headers say that it unpacks to 10 bytes."""
    packed = bytearray(_zip(a__csv=_zeros(8 * MB)))
    directory = packed.rfind(b"PK\x01\x02")
    struct.pack_into("<I", packed, 22, 10)
    struct.pack_into("<I", packed, directory + 24, 10)
    return bytes(packed)


def _encrypted_zip() -> bytes:
    packed = bytearray(_zip(a__csv=_table()))
    packed[6] |= 1
    packed[packed.rfind(b"PK\x01\x02") + 8] |= 1
    return bytes(packed)


def _huge_directory() -> bytes:
    packed = bytearray(_zip(a__csv=_table()))
    end = packed.rfind(b"PK\x05\x06")
    struct.pack_into("<I", packed, end + 12, 0xFFFFFFF0)
    return bytes(packed)


def _parquet(table: pa.Table, **options: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def _arrow(table: pa.Table, compression: str | None = None) -> bytes:
    out = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_file(out, table.schema, options=options) as writer:
        writer.write_table(table)
    return out.getvalue()


def _small() -> pa.Table:
    return pa.table({"a": list(range(50)), "b": [f"x{i}" for i in range(50)]})


def _zero_column() -> pa.Table:
    buffers = [None, pa.py_buffer(bytes(112 * MB))]
    return pa.table({"a": pa.Array.from_buffers(pa.int64(), 14 * MB, buffers)})


def _cut(data: bytes, share: float = 0.6) -> bytes:
    return data[: int(len(data) * share)]


def _flipped(data: bytes, at: float = 0.3) -> bytes:
    changed = bytearray(data)
    for i in range(40):
        changed[int(len(data) * at) + i] ^= 0xFF
    return bytes(changed)


def _null_column(rows: int) -> bytes:
    """Return an Arrow file of one batch that declares far more rows than it has bytes."""
    small = 7_654_321
    schema = pa.schema([("a", pa.null())])
    out = io.BytesIO()
    with pa.ipc.new_file(out, schema) as writer:
        writer.write_batch(pa.record_batch([pa.nulls(small)], schema=schema))
    return out.getvalue().replace(struct.pack("<q", small), struct.pack("<q", rows))


def _book(fill: Callable[[openpyxl.worksheet.worksheet.Worksheet], None]) -> bytes:
    book = openpyxl.Workbook()
    fill(book.active)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _far_cell(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
    for row in range(1, 6):
        sheet.append([f"n{row}", row])
    sheet.cell(1_048_576, 16_384, 1)


def _far_column(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
    for row in range(1, 1500):
        sheet.cell(row, 16_384, row)


def _with_errors(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
    sheet.append(["x", "y"])
    for row in range(10):
        sheet.append([row, "#DIV/0!" if row == 3 else row * 2])


def _titled(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
    sheet.append(["Report of the year"])
    sheet.append([])
    sheet.append(["x", "y", None, "z"])
    for row in range(10):
        sheet.append([row, f"v{row}", None, row / 2])


def _swapped(book: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """Return a workbook with one part rewritten."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(out, "w", 8) as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content) if name == part else content)
    return out.getvalue()


def _plain_book() -> bytes:
    return _book(lambda sheet: [sheet.append(r) for r in (["x", "y"], [1, 2], [3, 4])])  # type: ignore[func-returns-value]


_SHEET = "xl/worksheets/sheet1.xml"
_LAUGHS = b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def _billion_laughs() -> bytes:
    return _swapped(_plain_book(), _SHEET, lambda xml: _LAUGHS + xml)


def _xml_bomb() -> bytes:
    return _swapped(_plain_book(), _SHEET, lambda xml: xml + b" " * (60 * MB))


def _long_number_book() -> bytes:
    return _swapped(
        _plain_book(), _SHEET, lambda xml: xml.replace(b"<v>1</v>", b"<v>" + b"9" * 5000 + b"</v>")
    )


def _text_heavy(rows: int, odd: bytes) -> bytes:
    line = b'%d,"a review, quoted and long enough to be text, number %d"\n'
    return b"id,review\n" + b"".join(line % (i, i) for i in range(rows)) + odd


FILES: dict[str, Hostile] = {
    # Nothing there, or next to nothing.
    "empty.csv": Hostile(lambda: b"", "error", "empty"),
    "blank_lines.csv": Hostile(lambda: b"\n \r\n\t\n\n", "error", "empty"),
    "only_bom.csv": Hostile(lambda: b"\xef\xbb\xbf", "error", "empty"),
    "only_header.csv": Hostile(lambda: b"a,b,c\n", "error", "no rows"),
    "only_separators.csv": Hostile(lambda: b",,\n,,\n,,\n", "error", "no rows"),
    "one_row.csv": Hostile(lambda: b"a,b\n1,2\n", "fine"),
    "one_cell.csv": Hostile(lambda: b"7", "repaired", "No column names"),
    "no_line_end.csv": Hostile(lambda: _table()[:-1], "fine"),
    "empty.gz": Hostile(lambda: gzip.compress(b""), "error", "empty"),
    "empty.zip": Hostile(lambda: _zip(), "error", "no such table"),
    "empty.json": Hostile(lambda: b"[]", "error", "no table"),
    "empty_object.json": Hostile(lambda: b"{}", "error", "no table"),
    "empty_records.json": Hostile(lambda: b"[{}, {}]", "error", "no columns"),
    "empty.parquet": Hostile(lambda: _parquet(_small().slice(0, 0)), "error", "no rows"),
    "empty.xlsx": Hostile(lambda: _book(lambda sheet: None), "error", "no columns"),
    # Names.
    "same_names.csv": Hostile(lambda: b"a,a,a\n1,2,3\n4,5,6\n", "repaired", "'a (2)'"),
    "blank_names.csv": Hostile(lambda: b"a,,c\n1,2,3\n4,5,6\n", "repaired", "'column 2'"),
    "taken_number.csv": Hostile(lambda: b"a,a (2),a\n1,2,3\n4,5,6\n", "repaired", "'a (3)'"),
    "nul_in_name.csv": Hostile(lambda: b"a\x00b,c\n1,2\n3,4\n", "repaired", "NUL"),
    "odd_names.csv": Hostile(
        lambda: '"a\nb","x"";DROP",<script>,$(rm),😀\n1,2,3,4,5\n'.encode(), "fine"
    ),
    "long_name.csv": Hostile(lambda: b"a" * 100 + b",b\n" + b"1,2\n" * 5, "fine"),
    "no_header.csv": Hostile(lambda: _table().split(b"\n", 1)[1], "repaired", "No column names"),
    # Rows of unequal length.
    "short_rows.csv": Hostile(lambda: _table() + b"7\n8,x\n", "repaired", "fewer than 3"),
    "long_rows.csv": Hostile(lambda: _table() + b"1,x,2,3\n", "error", "line 22"),
    "long_empty_cells.csv": Hostile(
        lambda: _table() + b"1,x,2,,,\n", "repaired", "beyond the last"
    ),
    "comma_in_text.csv": Hostile(
        lambda: (
            b"id,note\n" + b"1,a note of several words here\n" * 30 + b"2,one, two, and three\n"
        ),
        "repaired",
        "free-text column",
    ),
    "trailing_separator.csv": Hostile(lambda: b"a,b\n" + b"1,2,\n" * 9, "repaired", "empty last"),
    "row_names.csv": Hostile(lambda: b"a,b\n" + b"r1,2,3\n" * 9, "repaired", "one name less"),
    "title_lines.csv": Hostile(lambda: b"Sales 2024\n\n" + _table(), "repaired", "above the table"),
    "empty_end.csv": Hostile(lambda: _table() + b",,\n" * 9, "repaired", "at the end"),
    "shapeless.csv": Hostile(
        lambda: b"".join(b"1," * (i * 7 % 23) + b"2\n" for i in range(60)),
        "repaired",
        "No separator",
    ),
    # Quotes.
    "open_quote.csv": Hostile(lambda: _table() + b'1,"x,2\n' + _table(), "repaired", "Quotes are"),
    "open_quote_end.csv": Hostile(lambda: _table() + b'1,"x,2', "repaired", "Quotes are"),
    "inner_quotes.csv": Hostile(
        lambda: _text_heavy(30, b'31,"She said "no, never" twice"\n'), "repaired", "Quotes are"
    ),
    "hopeless_quotes.csv": Hostile(
        lambda: b"a,b\n" + b'1,"two\nlines"\n' * 20 + b'2,"x"y\n', "error", "A quote near line 42"
    ),
    "backslash_quotes.csv": Hostile(lambda: _text_heavy(30, b'31,"a \\"word\\", x"\n'), "fine"),
    "only_quotes.csv": Hostile(lambda: b'"' * 100_001, "repaired", "Quotes are"),
    "many_quotes.csv": Hostile(lambda: b"a,b\n" + b'"x,' * 200_000, "error", "columns"),
    # Characters and numbers.
    "nul_bytes.csv": Hostile(lambda: _table() + b"1,x\x00y,2\n", "repaired", "NUL"),
    "all_nul.csv": Hostile(lambda: b"\x00" * 5000, "error", "known format"),
    "random.csv": Hostile(
        lambda: bytes((i * i * 31 + i * 7) % 256 for i in range(4000)), "error", "known format"
    ),
    "latin1.csv": Hostile(
        lambda: "nom,ville\nZoé,Orléans\nRené,Nîmes\n".encode("latin-1"), "repaired", "cp1252"
    ),
    "gb18030.csv": Hostile(
        lambda: "姓名,城市\n张三,北京\n李四,上海\n".encode("gb18030"), "repaired", "GB18030"
    ),
    "utf16_bare.csv": Hostile(lambda: "a,b\n1,é\n2,ü\n".encode("utf-16-le"), "fine"),
    "utf16_cut.csv": Hostile(
        lambda: ("a,b\n" + "1,é\n" * 50).encode("utf-16")[:-1], "repaired", "not valid utf-16"
    ),
    "utf8_bad_byte.csv": Hostile(
        lambda: "城市,数\n".encode() + "北京,1\n".encode() * 50 + b"\xff\xfe,2\n",
        "repaired",
        "not valid utf-8",
    ),
    "lone_surrogate.json": Hostile(lambda: b'[{"a": "\\ud800", "b": 1}]', "fine"),
    "long_integer.csv": Hostile(lambda: b"a,b\n1," + b"9" * 5000 + b"\n2,3\n", "fine"),
    "long_integer.json": Hostile(
        lambda: b'[{"a": ' + b"9" * 5000 + b"}]", "repaired", "400 digits"
    ),
    "long_integer.xlsx": Hostile(_long_number_book, "error", "damaged"),
    "big_integer.json": Hostile(lambda: b'[{"a": 99999999999999999999}, {"a": 1}]', "fine"),
    "huge_float.csv": Hostile(lambda: b"a,b\n1,1e400\n2,-1e400\n", "fine"),
    "huge_float.json": Hostile(lambda: b'[{"a": 1e400}, {"a": NaN}, {"a": -Infinity}]', "fine"),
    "mixed_types.json": Hostile(lambda: b'[{"a": 1}, {"a": "x"}, {"a": [1]}]', "repaired", "JSON"),
    "long_cell.csv": Hostile(lambda: _table() + b"1," + b"x" * (4 * MB) + b",2\n", "fine"),
    "one_line.txt": Hostile(lambda: b"x" * (20 * MB), "repaired", "No column names"),
    # Shapes.
    "wide.csv": Hostile(
        lambda: b",".join(b"c%d" % i for i in range(30_000)) + b"\n" + b"1," * 29_999 + b"1\n",
        "error",
        "30,000 columns",
    ),
    "ten_thousand_columns.csv": Hostile(
        lambda: b",".join(b"c%d" % i for i in range(10_000)) + b"\n" + (b"1," * 9999 + b"1\n") * 20,
        "fine",
    ),
    "other_keys.json": Hostile(
        lambda: json.dumps([{f"k{i}": 1} for i in range(30_000)]).encode(), "error", "columns"
    ),
    "unequal_columns.json": Hostile(lambda: b'{"a": [1, 2], "b": [1]}', "error", "lengths"),
    "deep.json": Hostile(lambda: b"[" * 200_000 + b"]" * 200_000, "error", "too deeply"),
    "deep_object.json": Hostile(
        lambda: b'[{"a":' * 50_000 + b"1" + b"}]" * 50_000, "error", "too deeply"
    ),
    "cut.json": Hostile(lambda: b'[{"a": 1}, {"a": 2', "error", "not valid JSON"),
    "cut.jsonl": Hostile(lambda: b'{"a": 1}\n{"a": 2}\n{"a"', "error", "line 3"),
    "single_quotes.json": Hostile(lambda: b"[{'a': 1}]", "error", "valid JSON"),
    "scalars_mixed.json": Hostile(lambda: b'[{"a": 1}, 5]', "error", "Element 2"),
    "no_data.arff": Hostile(lambda: b"@relation x\n@attribute a numeric\n", "error", "@data"),
    "short_row.arff": Hostile(
        lambda: b"@relation x\n@attribute a real\n@attribute b real\n@data\n1,2\n1\n",
        "error",
        "line 6",
    ),
    "far_index.arff": Hostile(
        lambda: b"@relation x\n@attribute a real\n@data\n{99999999999 1}\n", "error", "line 4"
    ),
    # Bombs and damage.
    "bomb.csv.gz": Hostile(lambda: gzip.compress(_zeros(10 * MB), 6) * 13, "error", "bomb"),
    "bomb.csv.bz2": Hostile(lambda: bz2.compress(b"0" * MB * 16) * 8, "error", "bomb"),
    "bomb.csv.xz": Hostile(lambda: lzma.compress(b"0" * MB * 16, preset=0) * 8, "error", "bomb"),
    "bomb.zip": Hostile(lambda: _zip(a__csv=_zeros(110 * MB)), "error", "bomb"),
    "lying.zip": Hostile(_lying_zip, "error", "damaged"),
    "overlapping.zip": Hostile(_overlapping_zip, "error", "several files"),
    "nested.zip": Hostile(_nested_zip, "error", "packed more than"),
    "huge_directory.zip": Hostile(_huge_directory, "error", "too many"),
    "encrypted.zip": Hostile(_encrypted_zip, "error", "encrypted"),
    "two_tables.zip": Hostile(lambda: _zip(a__csv=_table(), b__csv=_table()), "error", "several"),
    "cut.csv.gz": Hostile(lambda: _cut(gzip.compress(_table(500))), "error", "damaged"),
    "flipped.csv.gz": Hostile(lambda: _flipped(gzip.compress(_table(500))), "error", "damaged"),
    "cut.zip": Hostile(lambda: _cut(_zip(a__csv=_table(500))), "error", "damaged"),
    "cut.parquet": Hostile(lambda: _cut(_parquet(_small())), "error", "damaged"),
    "flipped.parquet": Hostile(lambda: _flipped(_parquet(_small()), 0.7), "error", "damaged"),
    "bomb.parquet": Hostile(lambda: _parquet(_zero_column()), "error", "bomb"),
    "cut.arrow": Hostile(lambda: _cut(_arrow(_small())), "error", "damaged"),
    "flipped.arrow": Hostile(lambda: _flipped(_arrow(_small()), 0.8), "error", "damaged"),
    "bomb.arrow": Hostile(lambda: _arrow(_zero_column(), "zstd"), "error", "bomb"),
    "null_rows.arrow": Hostile(lambda: _null_column(1 << 40), "error", "rows"),
    "cut.xlsx": Hostile(lambda: _cut(_plain_book()), "error", "damaged"),
    "laughs.xlsx": Hostile(_billion_laughs, "error", "damaged"),
    "bomb.xlsx": Hostile(_xml_bomb, "error", "bomb"),
    "broken_sheet.xlsx": Hostile(
        lambda: _swapped(_plain_book(), _SHEET, lambda xml: xml[:200]), "error", "damaged"
    ),
    "far_cell.xlsx": Hostile(lambda: _book(_far_cell), "error", "nearly empty"),
    "far_column.xlsx": Hostile(lambda: _book(_far_column), "error", "nearly empty"),
    "errors.xlsx": Hostile(lambda: _book(_with_errors), "repaired", "Excel error"),
    "titled.xlsx": Hostile(lambda: _book(_titled), "repaired", "above the table"),
    "word.docx": Hostile(
        lambda: _zip(**{"[Content_Types]__xml": b"<Types/>", "word/document__xml": b"<w/>"}),
        "error",
        "not an Excel",
    ),
    # Other things.
    "page.csv": Hostile(lambda: b"<!DOCTYPE html><html><body>404</body></html>", "error", "HTML"),
    "picture.csv": Hostile(lambda: b"\x89PNG\r\n\x1a\n" + bytes(200), "error", "PNG"),
    "pickle.csv": Hostile(lambda: b"\x80\x04\x95" + bytes(50), "error", "pickle"),
    "old.xls": Hostile(lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "error", ".xls"),
    "broken.sqlite": Hostile(lambda: b"SQLite format 3\x00" + bytes(500), "error", "Cannot read"),
}


def main(folder: Path) -> None:
    """Write every file into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, hostile in FILES.items():
        (folder / name).write_bytes(hostile.build())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
