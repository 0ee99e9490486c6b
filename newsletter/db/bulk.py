"""Insert many rows of one table: a prepared statement on SQLite, COPY on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Column, Integer, Table, TypeDecorator, bindparam, insert, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from newsletter.db.prepared import GROUP, Prepared

Row = Mapping[str, Any]
"""The values of a row by the names of their columns."""
FEW = 50
"""Rows below which an ordinary INSERT is as fast."""


def reserve_ids(session: Session, table: Table, count: int) -> Sequence[int]:
    """Reserve `count` new ids of `table`, and return them in ascending order.

    For a write transaction. On SQLite it holds the only lock, and the table must be declared with
    `sqlite_autoincrement`.
    """
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        query = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        last = connection.execute(query, {"name": table.name}).scalar() or 0
        return range(last + 1, last + 1 + count)
    query = text(
        "SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :count)"
    )
    return list(connection.execute(query, {"name": table.name, "count": count}).scalars())


@cache
def build_reservation(dialect: str, *tables: str) -> Prepared:
    """Build the statement that reserves an id of each of `tables`, named by the table.

    It is one that no row has or has had, for a write transaction (`reserve_ids`).
    """
    next_id = {
        "sqlite": "(SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = '{0}')",
        "postgresql": "nextval(pg_get_serial_sequence('{0}', 'id'))",
    }[dialect]
    columns = ", ".join(f"{next_id.format(table)} AS {table}" for table in tables)
    query = text(f"SELECT {columns}")
    return Prepared(query.columns(**dict.fromkeys(tables, Integer)))


def insert_rows(session: Session, table: Table, rows: Sequence[Row]) -> None:
    """Insert `rows`, which all have the same columns, in their order.

    Columns that are not given get their constant default. Raises SQLAlchemy's `IntegrityError` for
    a broken constraint, as a single insert does.
    """
    connection = session.connection()
    if len(rows) < FEW:
        if rows:
            _prepare(table, tuple(rows[0])).run_many(session, rows)
        return
    columns = {
        column.name: _collect(connection, column, rows)
        for column in table.columns
        if column.name in rows[0] or column.default is not None
    }
    lines = zip(*columns.values(), strict=True)
    if connection.dialect.name == "sqlite":
        _execute_many(connection, table, list(columns), list(lines))
    else:
        _copy(connection, table, list(columns), lines)


@cache
def _prepare(table: Table, columns: tuple[str, ...]) -> Prepared:
    """Build the ordinary INSERT of rows with these columns."""
    return Prepared(insert(table).values({name: bindparam(name) for name in columns}))


def _collect(connection: Connection, column: Column[Any], rows: Sequence[Row]) -> list[Any]:
    """Return the values of a column, one for each row, converted for the driver."""
    if column.name in rows[0]:
        return _convert(connection, column, list(map(itemgetter(column.name), rows)))
    default: Any = column.default
    assert default.is_scalar, f"{column} has no constant default"
    return _convert(connection, column, [default.arg]) * len(rows)


def _convert(connection: Connection, column: Column[Any], values: list[Any]) -> list[Any]:
    dialect = connection.dialect
    process = column.type.dialect_impl(dialect).bind_processor(dialect)
    if process is None:
        return values
    if values.count(values[0]) == len(values):
        return [process(values[0])] * len(values)
    if isinstance(column.type, TypeDecorator):
        # Moments and members of closed sets repeat from row to row.
        known = {value: process(value) for value in set(values)}
        return [known[value] for value in values]
    return [process(value) for value in values]


def _execute_many(
    connection: Connection, table: Table, names: list[str], lines: list[tuple[Any, ...]]
) -> None:
    statement = insert(table).compile(dialect=connection.dialect, column_keys=names)
    connection.exec_driver_sql(str(statement), lines)


def _copy(
    connection: Connection, table: Table, names: list[str], lines: Iterable[tuple[Any, ...]]
) -> None:
    dialect: Any = connection.dialect
    quoted = ", ".join(map(dialect.identifier_preparer.quote, names))
    statement = f"COPY {table.name} ({quoted}) FROM STDIN"
    driver: Any = connection.connection.driver_connection
    if group := connection.get_execution_options().get(GROUP):
        group.send()
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for line in lines:
                copy.write_row(line)
    except dialect.dbapi.Error as error:
        raise DBAPIError.instance(
            statement, None, error, dialect.dbapi.Error, hide_parameters=True, dialect=dialect
        ) from error
