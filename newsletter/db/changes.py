"""Wait for changes of the database, by this or other processes.

SQLite tells by a number that each commit changes, PostgreSQL by a message (NOTIFY) that
`transaction` sends after each commit that has written something. Whatever is not noticed is found
a minute later at most: nothing relies on it but speed.
"""

from __future__ import annotations

import os
import select
import threading
from contextlib import suppress
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from newsletter.db.direct import DirectConnection
from newsletter.db.notices import CHANNEL
from newsletter.db.session import committed, db
from newsletter.errors import DatabaseError

LOOK_SECONDS = 1.0
"""Seconds between two checks for writes of other processes to SQLite; a check reads no table."""
LISTEN_SECONDS = 15.0
"""Seconds of silence after which a connection to PostgreSQL is tested."""
RECONNECT_SECONDS = 1.0
"""Seconds between two tries to connect."""


class Changes(Protocol):
    """Waits for changes of the database. Its methods need an application context."""

    def wait(self) -> bool:
        """Wait for a change or for `wake`, a few seconds at most.

        Return whether the database may have changed since the last call; True the first time, and
        where it cannot be read.
        """

    def wake(self) -> None:
        """Interrupt the wait of another thread."""

    def close(self) -> None:
        """Close the connection."""


def watch_changes() -> Changes | None:
    """Return what waits for changes of this database; None behind PgBouncer."""
    if db.engine.dialect.name == "sqlite":
        return SqliteChanges()
    return None if db.engine.url.query.get("pgbouncer") in ("1", "true") else PostgresChanges()


class SqliteChanges:
    """Polls SQLite's data version once a second, and after each transaction of this process."""

    def __init__(self) -> None:
        self._direct = DirectConnection()
        self._version: object = None

    def wait(self) -> bool:
        """Wait for a transaction of this process, a second at most."""
        committed.wait(LOOK_SECONDS)
        committed.clear()
        version: object = object()
        try:
            version = self._direct.rows("PRAGMA data_version", {})
        except DatabaseError:
            self._direct.close()
        is_changed = version != self._version
        self._version = version
        return is_changed

    def wake(self) -> None:
        """Interrupt the wait."""
        committed.set()

    def close(self) -> None:
        """Close the connection."""
        self._direct.close()


class PostgresChanges:
    """Listens on a separate connection to PostgreSQL, which is reopened when it breaks."""

    def __init__(self) -> None:
        dialect: Any = db.engine.dialect
        self._error = dialect.loaded_dbapi.Error
        self._raw: Any = None
        self._is_told = False
        self._pipe: tuple[int, int] | None = None
        self._guard = threading.Lock()

    def wait(self) -> bool:
        """Wait for a message."""
        if self._pipe is None:
            self._pipe = os.pipe()
            for end in self._pipe:
                os.set_blocking(end, False)
        try:
            if self._raw is None:
                self._listen()
                return True  # whatever was written before
            return self._hear(self._pipe[0])
        except (self._error, SQLAlchemyError, OSError):
            self._drop()
            select.select([self._pipe[0]], [], [], RECONNECT_SECONDS)
            _empty(self._pipe[0])
            return True

    def _listen(self) -> None:
        pooled = db.engine.raw_connection()
        self._raw = pooled.driver_connection
        pooled.detach()
        self._raw.autocommit = True
        self._raw.add_notify_handler(self._note)
        self._raw.execute(f"LISTEN {CHANNEL}")

    def _note(self, _message: object) -> None:
        self._is_told = True

    def _hear(self, wakes: int) -> bool:
        """Wait for a message or `wake`; raise the driver's error if the connection is broken.

        A connection that has been silent for long is asked whether it still is one.
        """
        connection = self._raw.pgconn
        ready, _, _ = select.select([connection.socket, wakes], [], [], LISTEN_SECONDS)
        if not ready:
            self._raw.execute("SELECT 1")  # hears messages as well, by `_note`
        _empty(wakes)
        connection.consume_input()
        while connection.notifies() is not None:
            self._is_told = True
        is_told = self._is_told
        self._is_told = False
        return is_told

    def wake(self) -> None:
        """Interrupt the wait."""
        with self._guard, suppress(BlockingIOError):  # full: the other thread is awake already
            if self._pipe is not None:
                os.write(self._pipe[1], b"x")

    def _drop(self) -> None:
        if self._raw is not None:
            with suppress(self._error):
                self._raw.close()
        self._raw = None

    def close(self) -> None:
        """Close the connection."""
        self._drop()
        with self._guard:
            for end in self._pipe or ():
                os.close(end)
            self._pipe = None


def _empty(pipe: int) -> None:
    with suppress(BlockingIOError):
        while os.read(pipe, 4096):
            pass
