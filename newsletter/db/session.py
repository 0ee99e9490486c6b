"""The database engine and sessions, and the only way to write: `transaction`.

Knows no table.

SQLite runs in WAL mode with foreign keys. Writers begin with BEGIN IMMEDIATE, so that no write
fails half-way because of another one; within a process they wait in the order they came
(db/fair_lock.py), across processes by trying again (db/write_lock.py). Every commit of a session
reaches the disk (`synchronous=FULL`): a power cut must not make anybody active again who has
unsubscribed.
PostgreSQL runs with psycopg 3 at READ COMMITTED.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    JSON,
    BigInteger,
    Dialect,
    Engine,
    Integer,
    MetaData,
    event,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DatabaseError as SqlDatabaseError
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, registry

from newsletter.db.causes import describe_cause
from newsletter.db.column_types import UTCDateTime
from newsletter.db.constraints import name_constraint
from newsletter.db.fair_lock import FairLock
from newsletter.db.groups import start_group
from newsletter.db.notices import announce_commit, ask_for_news
from newsletter.db.postgres import check_connection
from newsletter.db.write_lock import BUSY_TIMEOUT_MS, begin_promptly, set_timeout
from newsletter.errors import Conflict, DatabaseError
from newsletter.files import prepare_database

PRAGMAS = (
    "journal_mode=WAL",
    "foreign_keys=ON",
    "synchronous=FULL",
    "secure_delete=ON",
)
"""Settings of every connection to SQLite. `secure_delete` overwrites deleted content with zeros."""

CHECKPOINT_TIMEOUT_MS = 1_000
"""Milliseconds to wait for other connections before the write-ahead log is emptied.

The worker tries again every hour.
"""

NOT_SAVED = "the last step was not saved; what was saved before it stands"
_writers = FairLock()

committed = threading.Event()
"""An event that is set after each `transaction` of this process; the waiting thread clears it."""

BigId = BigInteger().with_variant(Integer, "sqlite")
"""The type of 64-bit keys; SQLite's Integer row ids have 64 bits."""


class Base(DeclarativeBase):
    """The base of all models. Constraints are named by rule, so that migrations find them."""

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


def make_engine_options(url: str, busy_timeout_ms: int) -> dict[str, Any]:
    """Return the options of SQLAlchemy's engine for a database URL.

    `busy_timeout_ms` is how long SQLite waits for a lock before anything was written. Error
    messages do not show the values of a statement, which may be addresses.
    """
    if url.startswith("sqlite"):
        return {"hide_parameters": True, "connect_args": {"timeout": busy_timeout_ms / 1000}}
    return {
        "hide_parameters": True,
        "pool_size": 5,
        "max_overflow": 20,
        "pool_events": [(check_connection, "checkout")],
    }


@event.listens_for(Engine, "do_connect")
def _create_private_file(
    dialect: Dialect, record: object, arguments: list[Any], keywords: dict[str, Any]
) -> None:
    """Create a new SQLite file readable by its owner only; refuse that of another user."""
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
        elif not begin_promptly(connection.connection.driver_connection):
            connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def transaction(*, announced: bool = True, grouped: bool = False) -> Iterator[Session]:
    """Run a write transaction on this thread's session: commit at the end, roll back on errors.

    In one that is `grouped` PostgreSQL gets prepared statements when rows are read (db/groups.py).
    Nobody is woken by one that is not `announced`; SQLite tells other processes of any.
    Raises `DatabaseError` where the database is locked, full, read-only or gone, and `Conflict`
    with the name of the constraint where a change breaks one; nothing of it has been written then.
    """
    session = db.session()
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("changes were made outside a transaction")
    if session.in_transaction():  # of a query before this one, which only read
        session.rollback()
    with wait_for_turn():
        try:
            connection = session.connection(execution_options={"writes": True})
            session.info["writes"] = connection
            group = start_group(connection) if grouped else None
            yield session
            session.flush()
            news = ask_for_news(session) if announced else None
            if group is not None:
                group.send(commit=True)
            session.commit()
            if announced:
                committed.set()
            if news and news.read()[0].is_written:
                announce_commit(db.engine)
        except DBAPIError as error:
            session.rollback()
            if isinstance(error, IntegrityError):
                raise Conflict(name_constraint(error, Base.metadata)) from error
            if not _concerns_database(error):
                raise
            raise DatabaseError(
                f"the database cannot be written: {explain_error(error)}", hint=NOT_SAVED
            ) from error
        except BaseException:
            session.rollback()
            raise
        finally:
            session.info.pop("writes", None)


class _RolledBack(Exception):
    """The end of a rehearsal."""


@contextmanager
def rehearsal() -> Iterator[Session]:
    """Run a write transaction to its end and roll it back.

    A check takes the path of the command that it checks this way. Raises whatever its statements
    raise, and `DatabaseError` as `transaction` does.
    """
    try:
        with transaction() as session:
            yield session
            session.flush()
            raise _RolledBack
    except _RolledBack:
        return


@contextmanager
def wait_for_turn() -> Iterator[None]:
    """Wait until no other thread of this process writes, where the database is SQLite."""
    if db.engine.dialect.name != "sqlite":
        yield
        return
    with take_turn():
        yield


@contextmanager
def take_turn() -> Iterator[None]:
    """Wait until no other thread of this process writes to SQLite, in the order of arrival.

    SQLite has one writer at a time and serves waiting ones in no order. Raises `DatabaseError`
    after `BUSY_TIMEOUT_MS`.
    """
    try:
        with _writers.hold(BUSY_TIMEOUT_MS / 1000):
            yield
    except TimeoutError:
        raise DatabaseError(
            "the database cannot be written: another write takes too long", hint=NOT_SAVED
        ) from None


@contextmanager
def reading() -> Iterator[Session]:
    """Read within a session whose transaction ends with the block, so that no writer has to wait.

    Raises `DatabaseError` if the database cannot be read, and `RuntimeError` inside a
    `transaction`, which the end of the block would roll back.
    """
    session = db.session()
    if session.info.get("writes"):
        raise RuntimeError("reading() inside a transaction would roll it back")
    try:
        yield session
    except DBAPIError as error:
        if (gone := to_database_error(error)) is None:
            raise
        raise gone from error
    finally:
        session.rollback()


def checkpoint() -> bool:
    """Move SQLite's write-ahead log, with what was deleted, into the database and empty it.

    Returns False if other connections kept it busy. Must not be called inside a transaction.
    """
    if db.engine.dialect.name != "sqlite":
        return True
    pooled = db.engine.raw_connection()
    try:
        connection: Any = pooled.driver_connection
        set_timeout(connection, CHECKPOINT_TIMEOUT_MS)
        [(busy, _, _)] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        set_timeout(connection, BUSY_TIMEOUT_MS)
        return not busy
    except sqlite3.Error:
        pooled.invalidate()
        return False
    finally:
        pooled.close()


def to_database_error(error: Exception) -> DatabaseError | None:
    """Return `error` if it says that the database cannot be used, in our words; else None."""
    if isinstance(error, DatabaseError):
        return error
    if isinstance(error, DBAPIError) and _concerns_database(error):
        return DatabaseError(f"the database cannot be read: {explain_error(error)}")
    return None


def explain_error(error: DBAPIError) -> str:
    """Describe a database error, without the statement and its values."""
    return describe_driver_error(error.orig)


def describe_driver_error(error: BaseException | None) -> str:
    """Describe an error of the driver of this application's database."""
    return describe_cause(error, Path(db.engine.url.database or "").parent)


def _concerns_database(error: DBAPIError) -> bool:
    """Tell whether an error is about the database as a whole (full, gone, damaged)."""
    return isinstance(error, OperationalError) or type(error) is SqlDatabaseError
