"""Statements that are compiled once for each dialect.

SQLAlchemy finds a statement's compiled form, prepares its values and wraps its result anew with
each execution, which takes ten times as long as SQLite takes for the statement. What runs for every
visitor is built once, at import, and goes straight to the driver.
"""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from sqlalchemy import BindParameter, ClauseElement, Dialect, Insert
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

Values = Mapping[str, Any]
Convert = Callable[[Any], Any]
GROUP = "group"
"""The execution option of a connection that holds the group of its transaction (db/groups.py)."""


class StatementQueue(Protocol):
    """The protocol of a group of statements that are sent together."""

    def add(self, compiled: Compiled, values: Values) -> PendingRows:
        """Add a statement."""

    def send(self) -> None:
        """Send the added statements."""


@dataclass(slots=True)
class PendingRows:
    """The future rows of a statement, sent at the latest when they are read."""

    rows: list[Any] | None = None
    group: StatementQueue | None = None

    def read(self) -> list[Any]:
        """Return the rows, as named tuples.

        Raises SQLAlchemy's `DBAPIError`.
        """
        if self.rows is None and self.group is not None:
            self.group.send()
        assert self.rows is not None, "the transaction is over"
        return self.rows


class Prepared:
    """A statement whose values are named by `bindparam`, or by the columns of an INSERT.

    The same values are given each time; a column of an INSERT that is not among them gets its
    constant default. Whoever listens to `before_cursor_execute` is told of each.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._has_rows = bool(list(getattr(statement, "exported_columns", ())))
        if isinstance(statement, Insert) and not self._has_rows:
            statement = statement.inline()  # SQLAlchemy would ask for the new id otherwise
        self._statement = statement
        self._compiled: dict[str, Compiled] = {}

    def run(self, session: Session, values: Values) -> list[Any]:
        """Execute the statement; return its rows as named tuples, none if it returns none.

        Raises SQLAlchemy's `DBAPIError`. In a group a statement without rows is executed later.
        """
        answer = self.start(session, values)
        return answer.read() if answer.rows is not None or self._has_rows else []

    def start(self, session: Session, values: Values) -> PendingRows:
        """Start the statement; in a group it is sent with the next rows that are read.

        Raises SQLAlchemy's `DBAPIError`.
        """
        connection = _find_connection(session)
        compiled = self.compile(connection.dialect, values)
        tell_listeners(connection, compiled, [values])
        if group := connection.get_execution_options().get(GROUP):
            return cast(StatementQueue, group).add(compiled, values)
        driver = connection.connection.driver_connection
        try:
            return PendingRows(compiled.execute(driver, values))
        except connection.dialect.loaded_dbapi.Error as error:
            raise give_up(connection, compiled, error) from error

    def run_many(self, session: Session, rows: Sequence[Values]) -> int:
        """Execute the statement once for each of `rows`; return the number of changed rows.

        In a group they are executed later; none has changed by then.
        """
        connection = _find_connection(session)
        compiled = self.compile(connection.dialect, rows[0])
        tell_listeners(connection, compiled, rows)
        if group := connection.get_execution_options().get(GROUP):
            for row in rows:
                group.add(compiled, row)
            return 0
        driver: Any = connection.connection.driver_connection
        try:
            cursor = driver.cursor()
            if len(rows) == 1:
                cursor.execute(compiled.text, compiled.bind(rows[0]))
            else:
                cursor.executemany(compiled.text, [compiled.bind(row) for row in rows])
            return int(cursor.rowcount)
        except connection.dialect.loaded_dbapi.Error as error:
            raise give_up(connection, compiled, error) from error

    def compile(self, dialect: Dialect, values: Values) -> Compiled:
        """Return the statement compiled for `dialect`; `values` are example parameters."""
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _compile(self._statement, dialect, values)
        return compiled


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement compiled for a driver.

    `fixed` are the values that it brings along, `needed` is how many others it needs, `order` the
    order of all of them where the driver tells them apart by it. `numbered` is the text with
    parameters as PostgreSQL's protocol has them, $1, $2 …, and their names. `to_driver` converts
    values by name, `from_driver` the columns of a row by number.
    """

    text: str
    needed: int
    fixed: dict[str, Any]
    order: Sequence[str] | None
    numbered: tuple[bytes, Sequence[str]]
    to_driver: Sequence[tuple[str, Convert]]
    from_driver: Sequence[tuple[int, Convert]]
    make_row: Convert

    def execute(self, driver: Any, values: Values) -> list[Any]:
        """Execute the statement on a driver's connection and return its rows."""
        cursor = driver.execute(self.text, self.bind(values))
        return self.read_rows(cursor.fetchall()) if cursor.description else []

    def bind(self, values: Values) -> Any:
        """Return all values, converted for the driver."""
        if len(values) != self.needed:
            raise TypeError(f"{len(values)} values were given, {self.needed} are needed")
        filled = {**self.fixed, **values}
        for name, write in self.to_driver:
            filled[name] = write(filled[name])
        return filled if self.order is None else tuple([filled[name] for name in self.order])

    def read_rows(self, rows: Iterable[Sequence[Any]]) -> list[Any]:
        """Return rows of the driver as named tuples."""
        return [self._read(row) for row in rows]

    def _read(self, row: Sequence[Any]) -> Any:
        if self.from_driver:
            row = list(row)
            for number, read in self.from_driver:
                row[number] = read(row[number])
        return self.make_row(row)


def _compile(statement: Any, dialect: Dialect, values: Values) -> Compiled:
    compiled: Any = statement.compile(dialect=dialect, column_keys=list(values))
    expanded = compiled.construct_expanded_state(values, escape_names=False)
    to_driver = {
        name: write
        for name in expanded.parameters
        if (write := expanded.processors.get(name) or _find_writer(compiled.binds[name], dialect))
    }
    fixed = {name: value for name, value in expanded.parameters.items() if name not in values}
    for column in getattr(compiled, "insert_prefetch", ()):
        assert column.default.is_scalar, f"{column} has no constant default"
        fixed[column.key] = column.default.arg
    for name in fixed.keys() & to_driver.keys():
        fixed[name] = to_driver.pop(name)(fixed[name])
    columns = list(getattr(statement, "exported_columns", ()))
    from_driver = [
        column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns
    ]
    row_type = cast(Any, namedtuple)("Row", [column.key for column in columns], rename=True)
    return Compiled(
        expanded.statement,
        len(values),
        fixed,
        expanded.positiontup,
        _number_parameters(expanded.statement),
        list(to_driver.items()),
        [(number, read) for number, read in enumerate(from_driver) if read is not None],
        row_type._make,
    )


def _number_parameters(statement: str) -> tuple[bytes, Sequence[str]]:
    """Convert psycopg's parameters %(name)s to $1, $2 …; return the names in order as well."""
    names: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        return f"${names.setdefault(match[1], len(names) + 1)}" if match[1] else "%"

    return re.sub(r"%(?:\((\w+)\)s|%)", number, statement).encode(), list(names)


def _find_writer(parameter: BindParameter[Any], dialect: Dialect) -> Convert | None:
    return parameter.type.dialect_impl(dialect).bind_processor(dialect)


def _find_connection(session: Session) -> Connection:
    """Return the connection of a session, cached since the look-up is slower than a statement."""
    return session.info.get("writes") or session.connection()


@dataclass(frozen=True, slots=True)
class _Context:
    """An execution context with the values by name, for SQLAlchemy's event listeners."""

    compiled_parameters: Sequence[Values]


def tell_listeners(connection: Connection, compiled: Compiled, rows: Sequence[Values]) -> None:
    """Call the `before_cursor_execute` listeners of a connection."""
    if listeners := connection.dispatch.before_cursor_execute:
        call_listeners(listeners, connection, compiled, rows)


def call_listeners(
    listeners: Iterable[Callable[..., object]],
    connection: Connection,
    compiled: Compiled,
    rows: Sequence[Values],
) -> None:
    """Call these `before_cursor_execute` listeners."""
    many = len(rows) > 1
    values = [compiled.bind(row) for row in rows]
    for listener in listeners:
        listener(
            connection, None, compiled.text, values if many else values[0], _Context(rows), many
        )


def make_error(
    dialect: Dialect, compiled: Compiled, error: Exception, *, disconnected: bool
) -> DBAPIError:
    """Convert a driver's error to SQLAlchemy's."""
    translated = DBAPIError.instance(
        compiled.text,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=disconnected,
        dialect=dialect,
    )
    assert isinstance(translated, DBAPIError)
    return translated


def give_up(connection: Connection, compiled: Compiled, error: Exception) -> DBAPIError:
    """Convert a driver's error to SQLAlchemy's, and invalidate the connection if it is broken."""
    dialect: Any = connection.dialect
    broken = dialect.is_disconnect(error, connection.connection.driver_connection, None)
    if broken:
        connection.invalidate(error)
    return make_error(dialect, compiled, error, disconnected=broken)
