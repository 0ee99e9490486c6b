"""Send statements of one transaction on PostgreSQL together: a group is one round trip.

BEGIN goes with the first group, COMMIT with the last one (libpq's pipeline mode). A statement waits
until the rows of one after it are read, or the transaction ends; its error comes then. SQLAlchemy's
own statements end a group.
"""

from __future__ import annotations

import itertools
import select
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection

from newsletter.db.prepared import GROUP, Compiled, PendingRows, Values, give_up

Waiting = tuple[Compiled, Values, PendingRows]
"""A queued statement, its values, and the callback for its rows."""
_NAMES = "names of grouped statements"
"""The key of a connection's info under which the names of prepared statements are stored."""
_numbers = itertools.count()


def start_group(connection: Connection) -> StatementGroup | None:
    """Start to collect the prepared statements of a connection's transaction, if possible."""
    if connection.dialect.name != "postgresql":
        return None
    group = StatementGroup(connection)
    connection.execution_options(**{GROUP: group})
    return group


@dataclass(slots=True)
class StatementGroup:
    """The queued statements of a transaction."""

    connection: Connection
    _waiting: list[Waiting] = field(default_factory=list)

    def add(self, compiled: Compiled, values: Values) -> PendingRows:
        """Add a statement."""
        answer = PendingRows(group=self)
        self._waiting.append((compiled, compiled.bind(values), answer))
        return answer

    def send(self, *, commit: bool = False) -> None:
        """Send the queued statements, followed by COMMIT if requested, and process the results.

        Raises SQLAlchemy's `DBAPIError`; nothing after the statement that failed was executed then.
        """
        waiting = self._waiting
        self._waiting = []
        if not waiting:
            return
        driver: Any = self.connection.connection.driver_connection
        try:
            driver.pgconn.enter_pipeline_mode()
            sent = self._send(driver, waiting, commit=commit)
            results = _read_results(driver.pgconn)
            driver.pgconn.exit_pipeline_mode()
        except self.connection.dialect.loaded_dbapi.Error as error:
            driver.close()  # it is not known what the server has done
            raise give_up(self.connection, waiting[0][0], error) from error
        finally:
            if driver.pgconn.pipeline_status:  # interrupted
                driver.close()
        self._take(driver, sent, results)

    def _send(self, driver: Any, waiting: list[Waiting], *, commit: bool) -> list[Waiting | None]:
        """Send commands, and return the statement of each, None for other commands."""
        from psycopg.adapt import PyFormat, Transformer
        from psycopg.pq import TransactionStatus

        raw = driver.pgconn
        write = Transformer(driver).dump_sequence
        names: dict[bytes, bytes] = self.connection.info.setdefault(_NAMES, {})
        sent: list[Waiting | None] = []
        if raw.transaction_status == TransactionStatus.IDLE:
            raw.send_query_params(b"BEGIN", None)
            sent.append(None)
        for entry in waiting:
            text, order = entry[0].numbered
            values = write([entry[1][name] for name in order], [PyFormat.TEXT] * len(order))
            if driver.prepare_threshold is None:  # behind PgBouncer (db/postgres.py)
                raw.send_query_params(text, values)
            else:
                if text not in names:
                    names[text] = b"group%d" % next(_numbers)
                    raw.send_prepare(names[text], text)
                    sent.append(None)
                raw.send_query_prepared(names[text], values)
            sent.append(entry)
        if commit:
            raw.send_query_params(b"COMMIT", None)
            sent.append(None)
        raw.pipeline_sync()
        return sent

    def _take(self, driver: Any, sent: list[Waiting | None], results: list[Any]) -> None:
        """Pass each result to its callback; raise the first error."""
        from psycopg.adapt import Transformer
        from psycopg.errors import error_from_result
        from psycopg.pq import ExecStatus

        reader = Transformer(driver)
        for entry, result in zip(sent, results, strict=True):
            if result.status == ExecStatus.FATAL_ERROR:
                self.connection.info.pop(_NAMES)
                failed = entry or next(filter(None, sent))
                raise give_up(self.connection, failed[0], error_from_result(result))
            if entry is not None:
                reader.set_pgresult(result)
                rows = reader.load_rows(0, result.ntuples, tuple)
                entry[2].rows = entry[0].read_rows(rows)


def _read_results(raw: Any) -> list[Any]:
    """Wait for the result of each command that was sent."""
    from psycopg import OperationalError
    from psycopg.pq import ExecStatus

    while raw.flush():
        _wait(raw, select.POLLIN | select.POLLOUT)
        raw.consume_input()
    results: list[Any] = []
    between = True
    while True:
        while raw.is_busy():
            _wait(raw, select.POLLIN)
            raw.consume_input()
        result = raw.get_result()
        if result is None:  # once between two results
            if between:
                raise OperationalError("the connection ended")
            between = True
        elif result.status == ExecStatus.PIPELINE_SYNC:
            return results
        else:
            results.append(result)
            between = False


def _wait(raw: Any, events: int) -> None:
    poll = select.poll()
    poll.register(raw.socket, events)
    poll.poll()


@event.listens_for(Engine, "do_execute")
@event.listens_for(Engine, "do_executemany")
@event.listens_for(Engine, "do_execute_no_params")
def _send_before(_cursor: object, _statement: str, *arguments: Any) -> None:
    """Send the queued statements before SQLAlchemy executes another one."""
    context = arguments[-1]
    if group := context.root_connection.get_execution_options().get(GROUP):
        group.send()
