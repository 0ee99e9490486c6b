"""Run statements on PostgreSQL asynchronously, by libpq's pipeline mode.

A group of statements is one transaction and one round trip (libpq's pipeline mode). Its end is
asked for without waiting, or waited for; `fileno` becomes readable when there is something to ask.
"""

from __future__ import annotations

import re
import select
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from newsletter.db.session import NOT_SAVED, db, describe_driver_error
from newsletter.errors import DatabaseError

Statement = tuple[bytes, Sequence[bytes | None]]
"""A statement with parameters ($1, $2 …), and their values as `to_text` writes them."""

_PREPARED = "prepared"
_EXECUTED = "executed"
_SYNCHRONISED = "synchronised"

ANSWER_SECONDS = 60.0
"""Seconds that `finish` waits for a result; a lock may be held for half a minute."""


class Pipeline:
    """A separate connection, opened at first use, with at most one group in progress.

    Every error is raised as `DatabaseError`; the connection is closed then, and opened again by the
    next `send`. Whether the group was committed is not known if the connection broke.
    """

    def __init__(self) -> None:
        self._raw: Any = None
        self._driver: Any = db.engine.dialect.dbapi
        self._prepares = True
        self._prepared: dict[bytes, bytes] = {}
        self._expected: deque[str] = deque()
        self._counts: list[int] = []

    def fileno(self) -> int:
        """Return the descriptor that is readable when a result has arrived."""
        return int(self._open().pgconn.socket)

    def _open(self) -> Any:
        if self._raw is None:
            pooled = self._attempt(db.engine.raw_connection)
            self._raw = pooled.driver_connection
            pooled.detach()
            self._raw.autocommit = True
            # PgBouncer hands each transaction to another server process (db/session.py).
            self._prepares = self._raw.prepare_threshold is not None
            self._raw.pgconn.nonblocking = 1
            self._raw.pgconn.enter_pipeline_mode()
        return self._raw

    def close(self) -> None:
        """Close the connection."""
        if self._raw is not None:
            self._raw.close()
        self._raw = None
        self._prepared = {}
        self._expected.clear()

    def send(self, statements: Sequence[Statement]) -> None:
        """Send a group of statements as one transaction, without waiting for results."""
        assert not self._expected, "a group is under way"
        self._counts = []
        self._attempt(self._send, self._open().pgconn, statements)

    def _send(self, pgconn: Any, statements: Sequence[Statement]) -> None:
        for command, values in statements:
            if not self._prepares:
                pgconn.send_query_params(command, values)
            else:
                if command not in self._prepared:
                    self._prepared[command] = b"p%d" % len(self._prepared)
                    pgconn.send_prepare(self._prepared[command], command)
                    self._expected.append(_PREPARED)
                pgconn.send_query_prepared(self._prepared[command], values)
            self._expected.append(_EXECUTED)
        pgconn.pipeline_sync()
        self._expected.append(_SYNCHRONISED)
        while pgconn.flush():
            select.select([], [pgconn.socket], [], ANSWER_SECONDS)

    def poll(self) -> list[int] | None:
        """Return the number of rows that each statement changed, None while in progress."""
        counts: list[int] | None = self._attempt(self._poll)
        return counts

    def finish(self) -> list[int]:
        """Wait for the end of the group, and return the number of rows each statement changed."""
        while (counts := self.poll()) is None:
            ready, _, _ = select.select([self.fileno()], [], [], ANSWER_SECONDS)
            if not ready:
                self.close()
                raise _make_error("it does not answer")
        return counts

    def _poll(self) -> list[int] | None:
        pgconn = self._raw.pgconn
        pgconn.consume_input()
        while self._expected:
            if pgconn.is_busy():
                return None
            # None stands between the results of two statements.
            result = pgconn.get_result() or pgconn.get_result()
            if result is None:
                raise _make_error("the connection ended")
            self._take(self._expected.popleft(), result)
        return self._counts

    def _take(self, kind: str, result: Any) -> None:
        if kind == _SYNCHRONISED:
            return
        states = self._driver.pq.ExecStatus
        if result.status not in (states.COMMAND_OK, states.TUPLES_OK):
            raise _make_error(result.error_message.decode("utf-8", "replace"))
        if kind == _EXECUTED:
            self._counts.append(result.command_tuples or 0)

    def _attempt(self, work: Any, *arguments: Any) -> Any:
        try:
            return work(*arguments)
        except DatabaseError:
            self.close()
            raise
        except (self._driver.Error, OSError) as error:
            self.close()
            raise _make_error(describe_driver_error(error)) from None


def _make_error(why: str) -> DatabaseError:
    reason = " ".join(why.split())[:200]
    return DatabaseError(f"the database cannot be used: {reason}", hint=NOT_SAVED)


def number_parameters(statement: str) -> tuple[bytes, list[str]]:
    """Convert parameters `:name` to $1, $2 …; return the statement and the names in order."""
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    return re.sub(r"(?<!:):(\w+)", number, statement).encode(), names


def to_text(value: object) -> bytes | None:
    """Format a value, or a list of values, in PostgreSQL's text format."""
    if value is None:
        return None
    if isinstance(value, list):
        return ("{" + ",".join(map(_write_element, value)) + "}").encode()
    if isinstance(value, datetime):
        return value.isoformat().encode("ascii")
    return str(value).encode()


def _write_element(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    return '"' + str(value).replace("\\", r"\\").replace('"', r"\"") + '"'
