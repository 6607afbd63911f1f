"""Reading tables of every format from every place."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import sqlite3
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from autoglm.core.errors import DataError
from autoglm.dataflow.read import ReadLimits, Table, read_table


def rows(table: Table) -> list[list[Any]]:
    return [list(table.frame.columns), *table.frame.astype(object).values.tolist()]


NUMBERS = [["x", "y"], ["1", "2.5"], ["3", None], ["-4", "1e3"]]


@pytest.mark.parametrize(
    "text",
    [
        "x,y\n1,2.5\n3,\n-4,1e3\n",
        "x\ty\r\n1\t2.5\r\n3\t\r\n-4\t1e3\r\n",
        "x;y\r1;2.5\r3;\r-4;1e3",
        "x|y\n1|2.5\n\n3|\n-4|1e3\n\n",
        '"x","y"\n"1","2.5"\n"3",""\n"-4","1e3"\n',
        "x, y\n1, 2.5\n3, \n-4, 1e3\n",
        "'x','y'\n'1','2.5'\n'3',''\n'-4','1e3'\n",
    ],
)
def test_finds_separator_quote_and_line_end(text: str) -> None:
    table = read_table(text.encode())
    assert rows(table) == NUMBERS
    assert table.notes == ()


def test_runs_of_blanks_separate() -> None:
    table = read_table(b"  x   y z\n  1   2 3\n 10  20\t30 \n")
    assert rows(table) == [["x", "y", "z"], ["1", "2", "3"], ["10", "20", "30"]]


def test_decimal_commas_do_not_separate() -> None:
    table = read_table(b"x;y\n1,5;2,5\n3,5;4,5\n")
    assert rows(table) == [["x", "y"], ["1,5", "2,5"], ["3,5", "4,5"]]


def test_separators_and_line_ends_inside_quotes() -> None:
    table = read_table('id,note\n1,"a, ""b""\nc"\n2,"第一行,\n第二行"\n'.encode())
    assert rows(table)[1:] == [["1", 'a, "b"\nc'], ["2", "第一行,\n第二行"]]


def test_one_column() -> None:
    assert rows(read_table(b"price\n1\n2\n")) == [["price"], ["1"], ["2"]]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a,b\n1,2\n3,4\n", True),
        ("1,2\n3,4\n5,6\n", False),
        ("name,city\nAnn,Rome\nBo,Oslo\n", True),
        ("red,round\nblue,round\nred,square\n", False),
        ("country,2019,2020,2021\nFR,1,2,3\nDE,4,5,6\n", True),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n6.0,2.0,virginica\n", False),
        ("日期,金额\n2024年1月5日,￥12\n2024年2月5日,￥8\n", True),
        ("date,kind\n2024-01-05,a\n2024-01-06,b\n", True),
        ("?,1,x\n3,?,y\n4,5,x\n", False),
        ("a fine film,1\na bad film,0\nnothing new,0\n", False),
    ],
)
def test_header_or_none(text: str, named: bool) -> None:
    table = read_table(text.encode())
    lines = text.count("\n")
    assert len(table.frame) == lines - named
    assert table.frame.columns[0] == (text.split(",")[0] if named else "column 1")


TEXT = "城市,人数,备注\n北京,12,好的\n上海,7,不错，很好\n广州,3,还可以\n"


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030", "gbk"],
)
def test_encodings_of_chinese(encoding: str) -> None:
    table = read_table(TEXT.encode(encoding))
    assert list(table.frame.columns) == ["城市", "人数", "备注"]
    assert table.frame["备注"].tolist() == ["好的", "不错，很好", "还可以"]


@pytest.mark.parametrize("word", ["café", "Zoë", "naïve – “so”", "Straße", "Ångström", "été à"])
def test_western_letters_are_not_taken_for_chinese(word: str) -> None:
    table = read_table(f"id,word\n1,{word}\n2,plain\n".encode("cp1252"))
    assert table.frame["word"].tolist() == [word, "plain"]


def test_quoted_and_bare_files_read_alike() -> None:
    generator = np.random.default_rng(0)
    cells = generator.integers(0, 1000, (300, 5)).astype(str)
    cells[generator.random(cells.shape) < 0.2] = ""
    cells[:, 0] = "k"
    names = [f"c{i}" for i in range(5)]
    bare = "\n".join([",".join(names), *(",".join(row) for row in cells)])
    quoted = "\n".join([",".join(names), *(",".join(f'"{c}"' for c in row) for row in cells)])
    one, other = read_table(bare.encode()).frame, read_table(quoted.encode()).frame
    pd.testing.assert_frame_equal(one, other)
    assert set(map(str, one.dtypes)) == {"object"}


def test_line_ends_in_quotes_read_alike_with_and_without_inner_quotes() -> None:
    tidy = 'a,b\n"1","x\ny"\n"2","p,q"\n"","z"\n'
    inner = tidy + '"3","say ""hi"""\n'
    one, other = read_table(tidy.encode()).frame, read_table(inner.encode()).frame
    pd.testing.assert_frame_equal(one, other.iloc[:3])
    assert one.values.tolist() == [["1", "x\ny"], ["2", "p,q"], [None, "z"]]
    assert other["b"][3] == 'say "hi"'


def test_notes_name_the_lines_of_short_rows() -> None:
    text = 'a,b,c\n1,"two\nlines",3\n\n4,5\n6,7,8\n9\n' + "1,2,3\n" * 5
    table = read_table(text.encode())
    assert table.frame.iloc[1].tolist() == ["4", "5", None]
    assert "(line 5, 7)" in table.notes[0]


def test_row_names_without_a_name() -> None:
    table = read_table(b"mpg,cyl\nMazda,21,6\nFiat,32,4\nHonda,30,4\n")
    assert list(table.frame.columns) == ["column 1", "mpg", "cyl"]


def test_cells_keep_blanks_and_zeros() -> None:
    table = read_table(b"code,city\n007, Rome \n010,Oslo\n012,Bonn\n")
    assert rows(table)[1] == ["007", " Rome "]


RECORDS = [{"x": 1, "y": "a"}, {"x": 2, "y": None}]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(RECORDS),
        "\n".join(map(json.dumps, RECORDS)),
        "\n".join(json.dumps(record, indent=2) for record in RECORDS),
        '{"x": [1, 2], "y": ["a", null]}',
        '{"meta": 5, "data": [{"x": 1, "y": "a"}, {"x": 2, "y": null}]}',
        '{"columns": ["x", "y"], "index": [0, 1], "data": [[1, "a"], [2, null]]}',
        '{"x": {"0": 1, "1": 2}, "y": {"0": "a", "1": null}}',
        '[["x", "y"], [1, "a"], [2, null]]',
    ],
)
def test_json_shapes(text: str) -> None:
    frame = read_table(text.encode()).frame
    assert frame["x"].tolist() == [1, 2]
    assert frame["y"].tolist() == ["a", None]
    assert frame["x"].dtype == np.int64


def test_json_nested_records_become_columns() -> None:
    table = read_table(b'[{"a": {"b": 1, "c": [1, 2]}, "d": 1}, {"a": null, "d": 2.5}]')
    frame = table.frame
    assert list(frame.columns) == ["a.b", "a.c", "d"]
    assert np.isnan(frame["a.b"][1])
    assert frame["a.c"].tolist() == ["[1, 2]", None]
    assert "'a.c'" in table.notes[0]


def test_arff() -> None:
    text = """% a comment
@RELATION 'my data'
@attribute 'the class' {yes, 'no, never'}
@attribute size numeric
@attribute "it's" string
@DATA
yes, 1.5, 'don\\'t'
'no, never', ?, "x"
% another
yes, 2, ?
"""
    table = read_table(text.encode())
    assert rows(table) == [
        ["the class", "size", "it's"],
        ["yes", "1.5", "don't"],
        ["no, never", None, '"x"'],
        ["yes", "2", None],
    ]


def test_sparse_arff() -> None:
    text = "@relation r\n@attribute a real\n@attribute b real\n@data\n{1 5}\n{0 2, 1 3}\n"
    assert rows(read_table(text.encode()))[1:] == [["0", "5"], ["2", "3"]]


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    """Workbook with an empty sheet, a table that begins at C3, and a second table."""
    book = openpyxl.Workbook()
    sheet = book.create_sheet("sales")
    day = dt.datetime(2024, 1, 5, tzinfo=None)  # noqa: DTZ001
    for i, row in enumerate([["day", "n", "share"], [day, 1, 0.5], [day, 2, None]]):
        for j, value in enumerate(row):
            sheet.cell(3 + i, 3 + j, value)
    book.create_sheet("more").append(["only", "words"])
    book["more"].append(["here", "and there"])
    book.save(tmp_path / "book.xlsx")
    return tmp_path / "book.xlsx"


def test_excel_first_sheet_with_cells(workbook: Path) -> None:
    table = read_table(workbook)
    assert [str(d)[:10] for d in table.frame.dtypes] == ["datetime64", "int64", "float64"]
    assert table.frame["n"].tolist() == [1, 2]
    assert any("'sales'" in note and "'more'" in note for note in table.notes)


def test_excel_sheet_by_name_and_number(workbook: Path) -> None:
    assert rows(read_table(workbook, sheet="more"))[1] == ["here", "and there"]
    assert rows(read_table(workbook, sheet=2))[1] == ["here", "and there"]
    with pytest.raises(DataError, match="sales, more"):
        read_table(workbook, sheet="nope")


def _zip(members: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_zip_takes_the_table_among_other_files() -> None:
    data = _zip({"readme.md": "hello", "__MACOSX/a.csv": "zz", "in/a.csv": "x,y\n1,2\n3,4\n"})
    assert rows(read_table(data)) == [["x", "y"], ["1", "2"], ["3", "4"]]


def test_zip_member_by_name() -> None:
    data = _zip({"a.csv": "x,y\n1,2\n3,4\n", "in/b.csv": "u,v\n1,2\n3,4\n"})
    assert list(read_table(data, sheet="b.csv").frame.columns) == ["u", "v"]


def test_format_is_found_by_bytes_not_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(gzip.compress(b'[{"x": 1}, {"x": 2}]'))
    assert read_table(tmp_path / "a.csv").frame["x"].tolist() == [1, 2]
    (tmp_path / "b.xls").write_bytes(b"x\ty\n1\t2\n")
    assert rows(read_table(str(tmp_path / "b.xls"))) == [["x", "y"], ["1", "2"]]


@pytest.fixture
def server() -> Iterator[str]:
    """Address of a server that gives a table at /t.csv and else 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.startswith("/t.csv")
            body = b"x,y\n1,2\n3,4\n" if found else b"none"
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/t.csv")
            else:
                self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


def test_url(server: str) -> None:
    assert rows(read_table(f"{server}/t.csv"))[1] == ["1", "2"]
    assert rows(read_table(f"{server}/moved"))[1] == ["1", "2"]


def test_url_source_hides_secrets(server: str) -> None:
    address = server.replace("http://", "http://me:hush@")
    source = read_table(f"{address}/t.csv?token=hush").source
    assert "hush" not in source
    assert source.endswith("/t.csv")


def test_url_errors_name_the_cause(server: str) -> None:
    with pytest.raises(DataError, match="404"):
        read_table(f"{server}/none.csv")
    with pytest.raises(DataError, match="more than"):
        read_table(f"{server}/t.csv", limits=ReadLimits(max_bytes=5))
    with pytest.raises(DataError, match="Cannot download"):
        read_table("http://127.0.0.1:9/t.csv")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """SQLite file with one table of two rows."""
    path = tmp_path / "shop.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE sale (x INTEGER, y TEXT)")
        connection.execute("INSERT INTO sale VALUES (1, 'a'), (2, NULL)")
    connection.close()
    return path


def test_sql_query(database: Path) -> None:
    table = read_table(f"sqlite:///{database}", query="SELECT x, y, x * 2 AS z FROM sale")
    assert rows(table) == [["x", "y", "z"], [1, "a", 2], [2, None, 4]]


def test_sql_whole_table(database: Path) -> None:
    assert rows(read_table(database))[1:] == [[1, "a"], [2, None]]
    assert len(read_table(f"sqlite:///{database}", sheet="sale").frame) == 2


def test_sql_never_changes_the_database(database: Path) -> None:
    with pytest.raises(DataError, match="no rows"):
        read_table(f"sqlite:///{database}", query="DELETE FROM sale")
    assert len(read_table(database).frame) == 2


@pytest.mark.parametrize(
    ("url", "query", "words"),
    [
        ("sqlite:///{}", "SELECT nope FROM sale", "no such column"),
        ("sqlite:///{}", "not sql", "syntax error"),
        ("nosuchdb://me:hush@host/x", "SELECT 1", "nosuchdb"),
    ],
)
def test_sql_errors(database: Path, url: str, query: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as raised:
        read_table(url.format(database), query=query)
    assert raised.value.hint
    assert "hush" not in str(raised.value)


def test_pandas_frame_is_copied_and_made_plain() -> None:
    source = pd.DataFrame(
        {
            "n": pd.array([1, None], dtype="Int64"),
            "b": pd.array([True, None], dtype="boolean"),
            "t": pd.to_datetime(["2024-01-05T02:00+02:00", None], utc=False),
            "c": pd.Categorical(["u", "v"]),
            "o": [{"k": 1}, None],
        },
        index=[5, 9],
    )
    table = read_table(source)
    frame = table.frame
    assert frame.index.tolist() == [0, 1]
    assert frame["n"].dtype == np.float64
    assert frame["b"].tolist() == [True, None]
    assert frame["t"][0] == pd.Timestamp("2024-01-05")
    assert frame["c"].dtype == "category"
    assert frame["o"].tolist() == ['{"k": 1}', None]
    frame["n"] = 0
    assert source["n"][5] == 1


def test_pandas_names() -> None:
    source = pd.DataFrame([[1, 2, 3]], columns=["a", "a", 7])
    assert list(read_table(source).frame.columns) == ["a", "a (2)", "7"]
    source.columns = pd.MultiIndex.from_tuples([("a", "x"), ("a", "y"), ("b", 1)])
    assert list(read_table(source).frame.columns) == ["a.x", "a.y", "b.1"]


def test_pandas_named_index_becomes_a_column() -> None:
    source = pd.DataFrame({"x": [1, 2]}, index=pd.Index(["p", "q"], name="key"))
    table = read_table(source)
    assert table.frame["key"].tolist() == ["p", "q"]
    assert table.notes


@pytest.mark.parametrize("lazy", [False, True])
def test_polars(lazy: bool) -> None:
    source = pl.DataFrame({"x": [1, None], "y": ["a", None], "s": [{"u": 1}, {"u": 2}]})
    frame = read_table(source.lazy() if lazy else source).frame
    assert list(frame.columns) == ["x", "y", "s.u"]
    assert frame["x"].dtype == np.float64
    assert frame["y"].tolist() == ["a", None]


def test_arrow_types() -> None:
    day = dt.date(2024, 1, 5)
    table = pa.table(
        {
            "day": pa.array([day, None]),
            "amount": pa.array(["1.50", None]).cast(pa.decimal128(5, 2)),
            "when": pa.array([0, None], pa.timestamp("s", "Asia/Shanghai")),
            "list": pa.array([[1], None]),
            "word": pa.array(["a", "a"]).dictionary_encode(),
            "none": pa.nulls(2),
            "time": pa.array([dt.time(1, 2), None]),
            "raw": pa.array([b"x", None]),
        }
    )
    frame = read_table(table).frame
    assert frame["day"][0] == pd.Timestamp("2024-01-05")
    assert frame["amount"][0] == 1.5
    assert frame["when"][0] == pd.Timestamp(0)
    assert frame["list"].tolist() == ["[1]", None]
    assert frame["word"].dtype == "category"
    assert frame["none"].tolist() == [None, None]
    assert frame["time"].tolist() == ["01:02:00", None]
    assert frame["raw"].tolist() == ["x", None]


def test_polars_files(tmp_path: Path) -> None:
    source = pl.DataFrame({"x": [1, 2], "y": ["a", None]})
    source.write_ipc(tmp_path / "a.arrow", compression="zstd")
    source.write_ipc_stream(tmp_path / "b.arrow")
    source.write_parquet(tmp_path / "c.parquet")
    for path in sorted(tmp_path.iterdir()):
        assert rows(read_table(path)) == [["x", "y"], [1, "a"], [2, None]]


@pytest.mark.parametrize(
    "source",
    [
        [{"x": 1, "y": "a"}, {"x": 2}],
        iter([{"x": 1, "y": "a"}, {"x": 2}]),
        {"x": np.array([1, 2]), "y": ["a", None]},
        {"x": (1, 2), "y": pd.Series(["a", None], dtype=object)},
        [["x", "y"], [1, "a"], [2, None]],
        np.array([(1, "a"), (2, None)], dtype=[("x", "i8"), ("y", "O")]),
    ],
)
def test_python_values(source: Any) -> None:
    assert rows(read_table(source)) == [["x", "y"], [1, "a"], [2, None]]


def test_numpy_matrix() -> None:
    frame = read_table(np.eye(3)).frame
    assert list(frame.columns) == ["column 1", "column 2", "column 3"]
    assert frame.to_numpy().dtype == np.float64


def test_table_and_open_file_and_stream(tmp_path: Path) -> None:
    table = read_table(b"x,y\n1,2\n")
    assert read_table(table).frame is table.frame
    path = tmp_path / "a.csv"
    path.write_text("x,y\n1,2\n")
    with path.open("rb") as handle:
        assert rows(read_table(handle)) == rows(table)
    assert rows(read_table(io.StringIO("x,y\n1,2\n"))) == rows(table)
    assert rows(read_table(path.as_uri())) == rows(table)


@pytest.mark.parametrize(
    "source", [5, None, object(), [], {}, [1, 2], {"x": [1], "y": 2}, np.zeros((2, 2, 2))]
)
def test_what_is_no_table(source: Any) -> None:
    with pytest.raises(DataError) as raised:
        read_table(source)
    assert raised.value.hint


def test_missing_file_suggests_near_names(tmp_path: Path) -> None:
    (tmp_path / "customers.csv").write_text("x\n1\n")
    with pytest.raises(DataError) as raised:
        read_table(tmp_path / "custmers.csv")
    assert "customers.csv" in raised.value.hint


@pytest.mark.parametrize("name", ["", "no/such/folder/a.csv", "a\x00b.csv", "x" * 5000])
def test_impossible_paths(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError) as raised:
        read_table(str(tmp_path / name))
    assert raised.value.hint


def test_device_is_refused() -> None:
    with pytest.raises(DataError, match="regular file"):
        read_table("/dev/zero")


def test_limits_are_those_given() -> None:
    data = b"a,b,c\n" + b"1,2,3\n" * 100
    assert len(read_table(data).frame) == 100
    with pytest.raises(DataError, match="3 columns"):
        read_table(data, limits=ReadLimits(max_columns=2))
    with pytest.raises(DataError, match="cells"):
        read_table(data, limits=ReadLimits(max_cells=200))
    with pytest.raises(DataError, match="bomb"):
        read_table(gzip.compress(data * 99), limits=ReadLimits(ratio_from=100, max_ratio=5))


@pytest.mark.parametrize(
    ("file", "shape", "first"),
    [
        ("tab_titanic/train.csv", (891, 12), "PassengerId"),
        ("tab_adult/adult-train.csv.gz", (32561, 15), "column 1"),
        ("tab_australian/australian.dat", (690, 15), "column 1"),
        ("tab_bank_marketing/bank-full.csv.gz", (45211, 17), "age"),
        ("tab_mammography/mammography.csv.gz", (11183, 7), "column 1"),
        ("tab_credit_g/credit.g.arff", (1000, 21), "checking_status"),
        ("tab_higgs7k/binary.test", (500, 29), "column 1"),
        ("txt_ag_news/test.csv.gz", (7600, 3), "column 1"),
        ("txt_sst2/train.tsv.gz", (6920, 2), "column 1"),
        ("txt_xnli/dev-zh.tsv.gz", (2490, 3), "column 1"),
        ("txt_online_shopping_10cats/online_shopping_10_cats.zip", (62774, 3), "cat"),
        ("txt_fin_news_zh/news_seed.xlsx", (7046, 5), "日期"),
        ("txt_fewclue_tnews/test_public.json.gz", (2010, 5), "label"),
        ("ts_m4_hourly_weekly/Weekly-train.csv.gz", (359, 2598), "V1"),
    ],
)
def test_real_files(data_dir: Path, file: str, shape: tuple[int, int], first: str) -> None:
    frame = read_table(data_dir / file).frame
    assert frame.shape == shape
    assert frame.columns[0] == first


def test_single_quotes_come_off(data_dir: Path) -> None:
    frame = read_table(data_dir / "tab_mammography/mammography.csv.gz").frame
    assert set(frame["column 7"]) == {"-1", "1"}
