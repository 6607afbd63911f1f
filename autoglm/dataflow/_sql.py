"""Rows from a database, through SQLAlchemy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd

from autoglm.core.errors import DataError
from autoglm.core.text import say
from autoglm.dataflow._limits import ReadLimits
from autoglm.dataflow._records import columns_frame

_CHUNK = 10_000
_SCHEME = re.compile(r"[a-z][a-z0-9_]*(\+[a-z][a-z0-9_]*)?")


def is_database(scheme: str) -> bool:
    """Return whether what stands before ``://`` can name a database."""
    return _SCHEME.fullmatch(scheme) is not None


def read_sqlite_file(
    path: Path, query: str | None, table: str | None, limits: ReadLimits
) -> tuple[pd.DataFrame, str, list[str]]:
    """Read from a SQLite file; see `read_sql`."""
    return read_sql(f"sqlite:///{path}", query, table, limits)


def read_sql(
    url: str, query: str | None, table: str | None, limits: ReadLimits
) -> tuple[pd.DataFrame, str, list[str]]:
    """Return what a query gives; what it changes is rolled back.

    Parameters
    ----------
    url
        As SQLAlchemy writes it, ``dialect+driver://user:password@host/database``.
    query
        SQL that returns rows.
    table
        A table to read whole when there is no query; may be None when there is one only.

    Returns
    -------
    frame, source, notes

    Raises
    ------
    DataError
        When the database cannot be reached or the query fails.
    """
    import sqlalchemy as sa

    try:
        engine = sa.create_engine(url)
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ValueError) as error:
        raise _refused(url.split("://", 1)[0], error) from error
    except ImportError as error:
        raise _no_driver(url.split("://", 1)[0], error) from error
    shown = engine.url.render_as_string(hide_password=True)
    try:
        with engine.connect() as connection:
            statement = query or _whole_table(connection, table, shown)
            result = connection.execution_options(stream_results=True).execute(sa.text(statement))
            if not result.returns_rows:
                raise _no_result()
            names, rows = list(result.keys()), _fetch(result, limits)
            connection.rollback()
    except sa.exc.SQLAlchemyError as error:
        raise _refused(shown, getattr(error, "orig", None) or error) from error
    finally:
        engine.dispose()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    frame, notes = columns_frame(list(zip(names, columns, strict=True)), limits)
    return frame, shown, notes


def _fetch(result: Any, limits: ReadLimits) -> list[Any]:
    rows: list[Any] = []
    while chunk := result.fetchmany(_CHUNK):
        rows += chunk
        limits.check_cells(len(rows), len(chunk[0]))
    return rows


def _whole_table(connection: Any, table: str | None, shown: str) -> str:
    import sqlalchemy as sa

    names = sa.inspect(connection).get_table_names()
    if table is None and len(names) == 1:
        table = names[0]
    if table in names:
        quoted = connection.dialect.identifier_preparer.quote(table)
        return f"SELECT * FROM {quoted}"
    listed = ", ".join(names[:20]) or say(en="none", zh="无")
    raise DataError(
        say(en=f"{shown} needs a query.", zh=f"{shown} 需要查询语句。"),
        hint=say(
            en=f'Give query="SELECT ... FROM ..."; the tables are: {listed}.',
            zh=f'请给出 query="SELECT ... FROM ...";已有的表:{listed}。',
        ),
    )


def _no_result() -> DataError:
    return DataError(
        say(en="The query gives no rows.", zh="该语句不返回数据行。"),
        hint=say(en="Give a SELECT.", zh="请给出 SELECT 语句。"),
    )


def _no_driver(scheme: str, error: ImportError) -> DataError:
    module = error.name or scheme
    return DataError(
        say(en=f"A {scheme} database needs the Python package {module}.",
            zh=f"{scheme} 数据库需要 Python 包 {module}。"),
        hint=say(en=f"Install it with: pip install {module}", zh=f"请安装:pip install {module}"),
    )  # fmt: skip


def _refused(shown: str, reason: object) -> DataError:
    first = (str(reason).strip().splitlines() or [""])[0][:300]
    return DataError(
        say(en=f"Cannot read from {shown}: {first}.", zh=f"无法从 {shown} 读取:{first}。"),
        hint=say(
            en="Check the address, the user's rights and the query.",
            zh="请检查地址、用户权限和查询语句。",
        ),
    )
