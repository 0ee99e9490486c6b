"""A driver connection without the ORM, for statements that run for every message."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from newsletter.db.session import NOT_SAVED, db, describe_driver_error, take_turn
from newsletter.db.write_lock import BUSY_TIMEOUT_MS, set_timeout
from newsletter.errors import DatabaseError


class DirectConnection:
    """A driver connection of one worker, opened at first use, without session and ORM.

    On SQLite a commit survives the end of this process at once, and a power cut from the next
    commit of any session on (`synchronous=NORMAL`); `read_boot_id` tells whether there was one.
    `:name` marks a parameter on both databases. Every error is raised as `DatabaseError`, and
    nothing of the transaction was written then.
    """

    def __init__(self) -> None:
        dialect = db.engine.dialect
        assert dialect.dbapi is not None
        self.sqlite = dialect.name == "sqlite"
        self._error: type[Exception] = dialect.dbapi.Error
        self._raw: Any = None
        self._translations: dict[str, str] = {}

    @property
    def _connection(self) -> Any:
        if self._raw is None:
            pooled = db.engine.raw_connection()
            self._raw = pooled.driver_connection
            pooled.detach()
            if not self.sqlite:
                self._raw.autocommit = True
                return self._raw
            set_timeout(self._raw, BUSY_TIMEOUT_MS)
            if read_boot_id():
                self._raw.execute("PRAGMA synchronous=NORMAL")
        return self._raw

    def close(self) -> None:
        """Close the connection."""
        if self._raw is not None:
            self._raw.close()
            self._raw = None

    def translate(self, statement: str) -> str:
        """Convert the parameters of `statement` to the driver's style."""
        if self.sqlite:
            return statement
        if statement not in self._translations:
            self._translations[statement] = re.sub(r"(?<!:):(\w+)", r"%(\1)s", statement)
        return self._translations[statement]

    def rows(self, statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self._translate_errors():
            return list(self._connection.execute(self.translate(statement), values).fetchall())

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """Run a write transaction; yield the driver's connection."""
        with self._translate_errors():
            connection = self._connection
            if self.sqlite:
                with take_turn():
                    connection.execute("BEGIN IMMEDIATE")
                    with connection:
                        yield connection
            else:
                with connection.transaction():
                    yield connection

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            raise DatabaseError(
                f"the database cannot be used: {describe_driver_error(error)}", hint=NOT_SAVED
            ) from None


def read_boot_id() -> str:
    """Return the id of this machine's boot, or "" if it has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
