"""Copy all tables from a snapshot of one database to another, SQLite or PostgreSQL.

A row is a list of plain values that JSON holds, the same for both databases: a moment is text in
UTC as SQLite stores it, JSON is its text, bytes are in base64. Tables and columns are reflected, so
that a database of any revision can be read.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Connection,
    DateTime,
    LargeBinary,
    MetaData,
    create_engine,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import Table

from newsletter.errors import DatabaseError, Refused

ROWS_AT_ONCE = 2000
"""Rows read or written in one batch, so that memory does not grow with a table."""
REVISION_TABLE = "alembic_version"

Row = list[Any]


@dataclass(frozen=True, slots=True)
class TableShape:
    """The names of a table's columns, and the kind of each."""

    name: str
    columns: tuple[str, ...]
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A consistent snapshot of a database.

    `sequences` holds the last number given out in each table, so that none is used twice.
    """

    connection: Connection
    revision: str
    tables: tuple[TableShape, ...]
    sequences: Mapping[str, int]

    def read_rows(self, table: TableShape) -> Iterator[Row]:
        """Yield the rows of a table, in the order of its primary key."""
        postgresql = self.connection.dialect.name == "postgresql"
        columns = [
            f"CAST({_quote(name)} AS TEXT)" if postgresql and kind == "json" else _quote(name)
            for name, kind in zip(table.columns, table.kinds, strict=True)
        ]
        order = ", ".join(str(number) for number in range(1, len(columns) + 1))
        key = ", ".join(_quote(name) for name in _find_key(self.connection, table.name)) or order
        # Names of our own tables and columns alone are put into the text.
        names = ", ".join(columns)
        query = f"SELECT {names} FROM {_quote(table.name)} ORDER BY {key}"  # noqa: S608
        result = self.connection.execution_options(
            stream_results=True, yield_per=ROWS_AT_ONCE
        ).execute(text(query))
        encode = [_ENCODERS[kind] for kind in table.kinds]
        for row in result:
            yield [
                None if value is None else write(value)
                for write, value in zip(encode, row, strict=True)
            ]

    def count(self, table: str) -> int:
        """Count the rows of a table."""
        return count_rows(self.connection, table)


@contextmanager
def open_snapshot(url: str) -> Iterator[Snapshot]:
    """Open a consistent snapshot of a database that is in use.

    Raises `Refused` where it holds no tables of this program.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).exists():
        raise DatabaseError(f"there is no database at {parsed.database}")
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    options = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        metadata = MetaData()
        metadata.reflect(connection)
        if REVISION_TABLE not in metadata.tables:
            raise Refused("the database is empty", hint="there is nothing to copy")
        query = f"SELECT version_num FROM {REVISION_TABLE}"  # noqa: S608
        revision = connection.scalar(text(query))
        tables = tuple(
            _describe(table) for table in metadata.sorted_tables if table.name != REVISION_TABLE
        )
        yield Snapshot(connection, str(revision), tables, _read_sequences(connection, tables))
    engine.dispose()


def count_rows(connection: Connection, table: str) -> int:
    """Count the rows of a table."""
    return int(connection.scalar(text(f"SELECT count(*) FROM {_quote(table)}")) or 0)  # noqa: S608


def fill(
    connection: Connection,
    tables: Iterable[TableShape],
    rows_of: Callable[[TableShape], Iterable[Row]],
    sequences: Mapping[str, int],
) -> dict[str, int]:
    """Replace the rows of every table, in the caller's transaction; return their numbers.

    The tables exist, at the revision that the rows are of.
    """
    tables = tuple(tables)
    postgresql = connection.dialect.name == "postgresql"
    _empty(connection, [table.name for table in tables])
    write = _copy_in if postgresql else _insert
    for table in tables:
        write(connection, table, rows_of(table))
    for table_name, last in sequences.items():
        _set_sequence(connection, table_name, last)
    if not postgresql and (broken := connection.execute(text("PRAGMA foreign_key_check")).first()):
        raise Refused(f"a row of {broken[0]} refers to one that is missing from {broken[2]}")
    return {table.name: count_rows(connection, table.name) for table in tables}


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _describe(table: Table) -> TableShape:
    columns = list(table.columns)
    return TableShape(
        table.name,
        tuple(column.name for column in columns),
        tuple(_classify(column.type) for column in columns),
    )


def _classify(type_: object) -> str:
    kinds = ((DateTime, "moment"), (Boolean, "bool"), (JSON, "json"), (LargeBinary, "bytes"))
    return next((kind for base, kind in kinds if isinstance(type_, base)), "plain")


def _find_key(connection: Connection, table: str) -> list[str]:
    from sqlalchemy import inspect

    return list(inspect(connection).get_pk_constraint(table)["constrained_columns"])


# ── values
# ─────────────────────────────────────────────────────────────────────────────────────────


def _write_moment(value: object) -> str:
    """Format a moment as SQLite stores it; text from SQLite stays unchanged."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return str(value)


_ENCODERS: dict[str, Callable[[Any], Any]] = {
    "moment": _write_moment,
    "bool": bool,
    "json": str,
    "bytes": lambda value: base64.b64encode(bytes(value)).decode("ascii"),
    "plain": lambda value: value,
}
_FOR_SQLITE: dict[str, Callable[[Any], Any]] = {
    "moment": str,
    "bool": int,
    "json": str,
    "bytes": base64.b64decode,
    "plain": lambda value: value,
}
_FOR_POSTGRESQL: dict[str, Callable[[Any], Any]] = {
    **_FOR_SQLITE,
    "moment": lambda value: datetime.fromisoformat(value).replace(tzinfo=UTC),
    "bool": bool,
}


# ── filling
# ────────────────────────────────────────────────────────────────────────────────────────


def _empty(connection: Connection, tables: list[str]) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"TRUNCATE {', '.join(map(_quote, tables))}"))
        return
    for table in reversed(tables):
        connection.execute(text(f"DELETE FROM {_quote(table)}"))  # noqa: S608


def _insert(connection: Connection, table: TableShape, rows: Iterable[Row]) -> None:
    decode = [_FOR_SQLITE[kind] for kind in table.kinds]
    marks = ", ".join("?" * len(table.columns))
    names = ", ".join(map(_quote, table.columns))
    statement = f"INSERT INTO {_quote(table.name)} ({names}) VALUES ({marks})"  # noqa: S608
    decoded = iter(
        [None if value is None else read(value) for read, value in zip(decode, row, strict=True)]
        for row in rows
    )
    while batch := list(islice(decoded, ROWS_AT_ONCE)):
        connection.exec_driver_sql(statement, [tuple(row) for row in batch])


def _copy_in(connection: Connection, table: TableShape, rows: Iterable[Row]) -> None:
    """Fill a table with one COPY, so that rows may refer to later ones of the same table."""
    decode = [_FOR_POSTGRESQL[kind] for kind in table.kinds]
    names = ", ".join(map(_quote, table.columns))
    driver: Any = connection.connection.driver_connection
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {_quote(table.name)} ({names}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(
                [
                    None if value is None else read(value)
                    for read, value in zip(decode, row, strict=True)
                ]
            )


# ── numbers that were given out
# ────────────────────────────────────────────────────────────────────


def _read_sequences(connection: Connection, tables: Iterable[TableShape]) -> dict[str, int]:
    if connection.dialect.name == "sqlite":
        known = {table.name for table in tables}
        has = connection.scalar(
            text("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_sequence'")
        )
        rows = connection.execute(text("SELECT name, seq FROM sqlite_sequence")) if has else ()
        return {name: int(last) for name, last in rows if name in known}
    return {
        table.name: last
        for table in tables
        if (sequence := _find_sequence(connection, table.name))
        and (last := _read_last(connection, sequence))
    }


def _find_sequence(connection: Connection, table: str) -> str | None:
    columns = text(
        "SELECT pg_get_serial_sequence(:table, column_name) FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name = :name "
        "AND (column_default LIKE 'nextval(%' OR is_identity = 'YES')"
    )
    sequence: str | None = connection.scalar(columns, {"table": _quote(table), "name": table})
    return sequence


def _read_last(connection: Connection, sequence: str) -> int:
    query = f"SELECT last_value, is_called FROM {sequence}"  # noqa: S608
    row = connection.execute(text(query)).one()
    return int(row[0]) if row[1] else 0


def _set_sequence(connection: Connection, table: str, last: int) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table})
        connection.execute(
            text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"),
            {"name": table, "last": last},
        )
    elif sequence := _find_sequence(connection, table):
        connection.execute(text("SELECT setval(:name, :last)"), {"name": sequence, "last": last})
