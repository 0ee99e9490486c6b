"""The database: engine settings, column types, and the one way to write (`transaction`).

Knows no table.

SQLite: WAL, foreign keys on, writers wait for each other (within a process in the order they came,
`db/fair_lock.py`; else by knocking, then by `busy_timeout`) and start with BEGIN IMMEDIATE, so that
a write never fails half-way because another one came first. Every commit of a session reaches the
disk (`synchronous=FULL`): a power cut must not bring back who has left. PostgreSQL: psycopg 3, READ
COMMITTED.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from shutil import disk_usage
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Engine,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    TypeDecorator,
    UniqueConstraint,
    event,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DatabaseError as SqlDatabaseError
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, registry

from newsletter.db.fair_lock import Turns
from newsletter.errors import Conflict, DatabaseError
from newsletter.files import prepare_database

BUSY_TIMEOUT_MS = 40_000
"""A backup or an import may hold the database for half a minute (D01); shorter than a lease of the
outbox, whose outcomes wait for it.
"""

PRAGMAS = (
    "journal_mode=WAL",
    f"busy_timeout={BUSY_TIMEOUT_MS}",
    "foreign_keys=ON",
    "synchronous=FULL",
    "secure_delete=ON",
)
"""What every connection to SQLite is set to.

Deleted content is overwritten with zeros: erased is erased.
"""

CHECKPOINT_TIMEOUT_MS = 1_000
"""Milliseconds that emptying the write-ahead log may wait for readers; the worker tries again every
hour.
"""

NOT_SAVED = "the last step was not saved; what was saved before it stands"
DISK_FULL_BELOW = 1_000_000
"""Octets.

With less room than this SQLite's "disk I/O error" means a full disk: its shared memory cannot grow.
"""

KNOCK_EVERY_MS, KNOCK_FOR_MS = 2, 2_000

_turns = Turns()

BigId = BigInteger().with_variant(Integer, "sqlite")
"""A 64-bit key; SQLite's own row id is one by nature."""


class UTCDateTime(TypeDecorator[datetime]):
    """A moment.

    Refuses naive datetimes; always comes back aware, in UTC.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a zone cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Constraints are named by rule, so that migrations can find them again."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    registry = registry(
        metadata=metadata,
        type_annotation_map={datetime: UTCDateTime, dict[str, Any]: JSON, list[str]: JSON},
    )


db = SQLAlchemy(model_class=Base, disable_autonaming=True)


def engine_options(url: str) -> dict[str, Any]:
    """What SQLAlchemy's engine is made with, by database.

    No error text shows a statement's values: they are people's addresses.
    """
    if url.startswith("sqlite"):
        return {"hide_parameters": True, "connect_args": {"timeout": BUSY_TIMEOUT_MS / 1000}}
    return {"hide_parameters": True, "pool_pre_ping": True, "pool_size": 5, "max_overflow": 20}


@event.listens_for(Engine, "do_connect")
def _open(dialect: Dialect, record: object, arguments: list[Any], keywords: dict[str, Any]) -> None:
    """Let a new SQLite file be readable by its owner only, and leave that of another user alone."""
    file = arguments[0] if dialect.name == "sqlite" and arguments else ""
    if file and not keywords.get("uri") and not file.startswith((":memory:", "file:")):
        prepare_database(Path(file))


@event.listens_for(Engine, "connect")
def _prepare(connection: Any, record: object) -> None:
    if type(connection).__module__ != "sqlite3":
        return
    connection.isolation_level = None  # the begin event below opens transactions, not the driver
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


@event.listens_for(Engine, "begin")
def _begin(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        writes = connection.get_execution_options().get("writes")
        if not writes:
            connection.exec_driver_sql("BEGIN")
        elif not _knock(connection.connection.driver_connection):
            connection.exec_driver_sql("BEGIN IMMEDIATE")


def _knock(connection: Any) -> bool:
    """Begin to write as soon as another process lets go, for a visitor waits: SQLite's own way of
    waiting looks ever less often, at last every 100 ms, and misses its turn again and again. False
    where it takes too long for that.
    """
    [(patience,)] = connection.execute("PRAGMA busy_timeout").fetchall()
    until = time.monotonic() + min(KNOCK_FOR_MS, patience) / 1000
    connection.execute(f"PRAGMA busy_timeout={KNOCK_EVERY_MS}")
    try:
        while time.monotonic() < until:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    return False  # whoever asks the ordinary way is told what it is
                continue
            return True
        return False
    finally:
        connection.execute(f"PRAGMA busy_timeout={patience}")


@contextmanager
def transaction() -> Iterator[Session]:
    """Run one write transaction on this thread's session: commit at the end, roll back on any
    error.

    Raises `DatabaseError` where the database is locked, full, read-only or gone, and `Conflict`
    with the name of the constraint where a change breaks one; nothing of it has been written then.
    """
    session = db.session()
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("changes were made outside a transaction")
    session.rollback()  # ends a reading transaction that a query before this one began
    with _turn():
        try:
            session.connection(execution_options={"writes": True})
            session.info["writes"] = True
            yield session
            session.commit()
        except DBAPIError as error:
            session.rollback()
            if isinstance(error, IntegrityError):
                raise Conflict(constraint_name(error)) from error
            if not _is_of_the_database(error):
                raise
            raise DatabaseError(
                f"the database cannot be written: {reason(error)}", hint=NOT_SAVED
            ) from error
        except BaseException:
            session.rollback()
            raise
        finally:
            session.info.pop("writes", None)


def constraint_name(error: IntegrityError) -> str:
    """Return the name of the constraint that `error` reports, the same on SQLite and PostgreSQL.

    A column that may not be NULL gives `nn_<table>_<column>`. SQLite does not say which foreign key
    is broken: there it is `foreign_key`. What cannot be named is the driver's own message.
    """
    diagnostics = getattr(error.orig, "diag", None)
    if diagnostics is not None:
        if diagnostics.constraint_name:
            return str(diagnostics.constraint_name)
        return f"nn_{diagnostics.table_name}_{diagnostics.column_name}"
    return _sqlite_constraint_name(str(error.orig))


def _sqlite_constraint_name(message: str) -> str:
    kind, _, subject = message.partition(" constraint failed: ")
    if kind == "CHECK":
        return subject
    if kind == "NOT NULL":
        return "nn_" + subject.replace(".", "_")
    if kind == "UNIQUE":
        columns = [name.split(".") for name in subject.split(", ")]
        return _unique_name(columns[0][0], {column[-1] for column in columns})
    if message.startswith("FOREIGN KEY"):
        return "foreign_key"
    table, _, rest = message.partition(" ")
    return f"{table}_append_only" if rest == "is append-only" else message


def _unique_name(table_name: str, columns: set[str]) -> str:
    """Return the name of the unique constraint, primary key or index over exactly these columns."""
    table = Base.metadata.tables.get(table_name)
    for item in _unique_items(table) if table is not None else ():
        if {column.name for column in item.columns} == columns:
            return str(item.name or f"pk_{table_name}")
    return f"uq_{table_name}_{'_'.join(sorted(columns))}"


def _unique_items(table: Table) -> Iterator[PrimaryKeyConstraint | UniqueConstraint | Index]:
    yield table.primary_key
    yield from (item for item in table.constraints if isinstance(item, UniqueConstraint))
    yield from (index for index in table.indexes if index.unique)


class _RolledBack(Exception):
    """Ends a rehearsal."""


@contextmanager
def rehearsal() -> Iterator[Session]:
    """Run a write transaction to its end and roll it back: a check that takes the path of the
    command it checks.

    Raises whatever the statements in it raise, and `DatabaseError` as `transaction` does.
    """
    try:
        with transaction() as session:
            yield session
            session.flush()
            raise _RolledBack
    except _RolledBack:
        return


@contextmanager
def _turn() -> Iterator[None]:
    """SQLite has one writer at a time, and lets the others look again after 1, 2, 5 … 100 ms,
    whoever came first. So the threads of a process queue here; what is left to SQLite is to wait
    for other processes.
    """
    if db.engine.dialect.name != "sqlite":
        yield
        return
    try:
        with _turns.mine(BUSY_TIMEOUT_MS / 1000):
            yield
    except TimeoutError:
        raise DatabaseError(
            "the database cannot be written: another write takes too long", hint=NOT_SAVED
        ) from None


@contextmanager
def reading() -> Iterator[Session]:
    """A short look: nothing is held open afterwards, so that writers of SQLite are never kept
    waiting by a reader.

    Raises `DatabaseError` where the database cannot be read; `RuntimeError` inside a transaction,
    which its end would undo.
    """
    session = db.session()
    if session.info.get("writes"):
        raise RuntimeError("a look inside a transaction would undo it")
    try:
        yield session
    except DBAPIError as error:
        if not _is_of_the_database(error):
            raise
        raise DatabaseError(f"the database cannot be read: {reason(error)}") from error
    finally:
        session.rollback()


class DirectConnection:
    """A driver connection of one worker's own, past session and ORM: for the statements that run
    for every message.

    On SQLite what it commits survives this process at once, and a power cut from the next commit of
    any session on (`synchronous=NORMAL`): `boot` tells whether there was one. Opened at first use;
    `:name` marks a parameter in either database. Every error of the database is raised as
    `DatabaseError`, and nothing was written then.
    """

    def __init__(self) -> None:
        self.sqlite = db.engine.dialect.name == "sqlite"
        self._raw: Any = None
        self._spellings: dict[str, str] = {}

    @property
    def _connection(self) -> Any:
        if self._raw is None:
            pooled = db.engine.raw_connection()
            self._raw = pooled.driver_connection
            pooled.detach()
            if self.sqlite and boot():
                self._raw.execute("PRAGMA synchronous=NORMAL")
            elif not self.sqlite:
                self._raw.autocommit = True
        return self._raw

    def close(self) -> None:
        """Let go of it."""
        if self._raw is not None:
            self._raw.close()
            self._raw = None

    def spelled(self, statement: str) -> str:
        """`statement` as the driver wants it."""
        if self.sqlite:
            return statement
        if statement not in self._spellings:
            self._spellings[statement] = re.sub(r"(?<!:):(\w+)", r"%(\1)s", statement)
        return self._spellings[statement]

    def rows(self, statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with self._translated():
            return list(self._connection.execute(self.spelled(statement), values).fetchall())

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """One write transaction on the driver's own connection, which it yields."""
        with self._translated():
            connection = self._connection
            if self.sqlite:
                with _turn():
                    connection.execute("BEGIN IMMEDIATE")
                    with connection:
                        yield connection
            else:
                with connection.transaction():
                    yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        dbapi = db.engine.dialect.dbapi
        assert dbapi is not None
        try:
            yield
        except dbapi.Error as error:
            raise DatabaseError(
                f"the database cannot be used: {_cause(error)}", hint=NOT_SAVED
            ) from None


def checkpoint() -> bool:
    """Move the write-ahead log of SQLite into the database and empty it, with what was deleted from
    the database.

    Returns False where readers were in the way for too long. Must not be called inside a
    transaction.
    """
    if db.engine.dialect.name != "sqlite":
        return True
    pooled = db.engine.raw_connection()
    try:
        connection: Any = pooled.driver_connection
        connection.execute(f"PRAGMA busy_timeout={CHECKPOINT_TIMEOUT_MS}")
        [(busy, _, _)] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        return not busy
    except sqlite3.Error:
        pooled.invalidate()
        return False
    finally:
        pooled.close()


def boot() -> str:
    """What this machine calls the time since it was started; "" where it does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def reason(error: DBAPIError) -> str:
    """One line of what the driver said, without the statement and its values."""
    return _cause(error.orig)


def _cause(error: BaseException | None) -> str:
    """Name the cause of a driver's error: of a full disk SQLite may say no more than "disk I/O
    error".
    """
    said = " ".join(str(error).split())[:200]
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and _disk_is_full()):
        return f"the disk is full ({said})"
    if name.startswith("SQLITE_IOERR"):
        return f"the disk, or its quota, refuses ({said})"
    return said


def _disk_is_full() -> bool:
    folder = Path(db.engine.url.database or "").parent
    try:
        return disk_usage(folder).free < DISK_FULL_BELOW
    except OSError:
        return False


def _is_of_the_database(error: DBAPIError) -> bool:
    """Tell whether an error is about the database as a whole (full, gone, damaged) and not about
    one statement.
    """
    return isinstance(error, OperationalError) or type(error) is SqlDatabaseError
