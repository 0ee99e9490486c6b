"""Record the outcomes of messages in groups: one transaction and one round trip each.

The group renews the leases it belongs to. On SQLite it is committed at once, in microseconds. On
PostgreSQL a commit waits for a disk and a network: there a group is handed to a connection of its
own (db/pipeline.py), and whoever sends goes on until its end is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from newsletter.db.direct import DirectConnection
from newsletter.db.pipeline import Pipeline, Statement, number_parameters, to_text
from newsletter.outbox.failed_events import FAILED_STATEMENTS, make_failed_values
from newsletter.outbox.types import UNSETTLED, DeliveryUpdate, LeasedBatch
from newsletter.vocabulary import DeliveryStatus

TEXT_AT_MOST = 500
"""Characters of a server's reply that are stored, as many as the column holds."""

_ADVANCE = (
    "UPDATE leases SET through_id = :through, expires_at = {now} + :seconds WHERE id = :lease"
)
# A message that a server has taken was sent, whatever was decided about it while it was in flight.
# Of one whose subscriber was removed meanwhile nothing is kept that may name them.
_SENT = """
UPDATE deliveries SET status = 'sent', code = {code}, finished_at = :now,
       text = CASE WHEN subscription_id IS NULL AND status = 'cancelled' THEN NULL ELSE {text} END,
       due_at = NULL, lease_id = NULL
{where} AND status <> 'sent'
"""
_SENT_ONE = _SENT.format(code=":code", text=":text", where="WHERE id = :id")
_SENT_ALL = _SENT.format(
    code="v.code",
    text="v.text",
    where="FROM unnest(:ids::bigint[], :codes::int[], :texts::text[]) AS v(id, code, text)"
    " WHERE deliveries.id = v.id",
)
# Only while the lease is held, and once: written twice, it finds the row as it left it.
_OTHER = f"""
UPDATE deliveries SET status = :status, code = :code, text = :text, attempts = attempts + :attempts,
       doubts = doubts + :doubts, lost_replies = lost_replies + :lost_replies,
       crashes = CASE WHEN :offered = 1 THEN 0 ELSE crashes END,
       due_at = :due_at, finished_at = :finished_at, lease_id = NULL
WHERE id = :id AND {UNSETTLED} AND (lease_id = :lease OR due_at IS NULL)
      AND EXISTS (SELECT 1 FROM leases WHERE leases.id = :lease)
"""  # noqa: S608 (a constant of this package)


class Group(NamedTuple):
    """The updates of one lease, and the id up to which messages may be offered (`through_id`)."""

    batch: LeasedBatch
    through_id: int
    updates: Sequence[DeliveryUpdate]


class Recorder(Protocol):
    """Records groups of updates, with at most one transaction in progress.

    Raises `DatabaseError`: then it is not known whether the transaction was committed. To write
    the same again changes nothing that was.
    """

    def fileno(self) -> int | None:
        """Return the descriptor that is readable once there is a result, or None."""
        ...

    def submit(self, groups: Sequence[Group], *, now: datetime, seconds: int) -> None:
        """Begin to record groups, and to renew their leases for a number of seconds."""
        ...

    def result(self, *, wait: bool) -> set[int] | None:
        """Return the leases that other workers have taken over; None while in progress.

        What a server accepted of those is recorded all the same, the rest belongs to the other
        worker.
        """
        ...

    def close(self) -> None:
        """Close its connection."""
        ...


def make_recorder(direct: DirectConnection) -> Recorder:
    """Return the recorder for the database in use; on SQLite it writes through `direct`."""
    return SqliteRecorder(direct) if direct.sqlite else PostgresRecorder()


def advance_statement(*, sqlite: bool) -> str:
    """Return the statement that renews a lease and moves its mark, by the database's clock."""
    postgres = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS BIGINT)"
    return _ADVANCE.format(now="unixepoch()" if sqlite else postgres)


class SqliteRecorder:
    """Records groups synchronously."""

    def __init__(self, direct: DirectConnection) -> None:
        self._direct = direct
        self._advance = advance_statement(sqlite=True)
        self._lost: set[int] = set()

    def fileno(self) -> None:
        """Return None: there is nothing to wait for."""

    def close(self) -> None:
        """Do nothing: the connection belongs to the ledger."""

    def submit(self, groups: Sequence[Group], *, now: datetime, seconds: int) -> None:
        """See `Recorder.submit`."""
        lost = set()
        moment = _as_sqlite(now)
        with self._direct.transaction() as connection:
            for batch, through_id, updates in groups:
                values = {"through": through_id, "seconds": seconds, "lease": batch.id}
                if connection.execute(self._advance, values).rowcount != 1:
                    lost.add(batch.id)
                sent = [
                    {"id": update.id, "code": update.code, "text": _shorten(update), "now": moment}
                    for update in updates
                    if update.status is DeliveryStatus.SENT
                ]
                if sent:
                    connection.executemany(_SENT_ONE, sent)
                for values in _other_values(batch, updates, now, _as_sqlite):
                    connection.execute(_OTHER, values)
                for values in make_failed_values(updates, now, _as_sqlite):
                    for statement in FAILED_STATEMENTS:
                        connection.execute(statement, values)
        self._lost = lost

    def result(self, *, wait: bool) -> set[int]:
        """See `Recorder.result`."""
        return self._lost


class PostgresRecorder:
    """Records groups asynchronously."""

    def __init__(self) -> None:
        self._pipeline = Pipeline()
        self._leases: list[int] = []
        self._statements: dict[str, tuple[bytes, list[str]]] = {}

    def fileno(self) -> int:
        """See `Recorder.fileno`."""
        return self._pipeline.fileno()

    def close(self) -> None:
        """See `Recorder.close`."""
        self._pipeline.close()

    def submit(self, groups: Sequence[Group], *, now: datetime, seconds: int) -> None:
        """See `Recorder.submit`."""
        # The leases before their rows, because `recover` locks them in this order.
        statements = [
            self._write(
                advance_statement(sqlite=False),
                {"through": group.through_id, "seconds": seconds, "lease": group.batch.id},
            )
            for group in groups
        ]
        self._leases = [group.batch.id for group in groups]
        for batch, _, updates in groups:
            sent = [update for update in updates if update.status is DeliveryStatus.SENT]
            if sent:
                values = {
                    "ids": [update.id for update in sent],
                    "codes": [update.code for update in sent],
                    "texts": [_shorten(update) for update in sent],
                    "now": now,
                }
                statements.append(self._write(_SENT_ALL, values))
            for values in _other_values(batch, updates, now, _as_it_is):
                statements.append(self._write(_OTHER, values))
            for values in make_failed_values(updates, now, _as_it_is):
                statements += [self._write(statement, values) for statement in FAILED_STATEMENTS]
        self._pipeline.send(statements)

    def _write(self, statement: str, values: dict[str, Any]) -> Statement:
        if statement not in self._statements:
            self._statements[statement] = number_parameters(statement)
        command, names = self._statements[statement]
        return command, [to_text(values[name]) for name in names]

    def result(self, *, wait: bool) -> set[int] | None:
        """See `Recorder.result`."""
        counts = self._pipeline.finish() if wait else self._pipeline.poll()
        if counts is None:
            return None
        return {lease for lease, renewed in zip(self._leases, counts, strict=False) if not renewed}


def _other_values(
    batch: LeasedBatch, updates: Sequence[DeliveryUpdate], now: datetime, convert: Any
) -> list[dict[str, Any]]:
    return [
        {
            "id": update.id,
            "lease": batch.id,
            "status": update.status.value,
            "code": update.code,
            "text": _shorten(update),
            "attempts": update.attempts,
            "doubts": update.doubts,
            "lost_replies": update.lost_replies,
            "offered": int(update.offered),
            "due_at": convert(update.due_at) if update.due_at else None,
            "finished_at": None if update.due_at else convert(now),
        }
        for update in updates
        if update.status is not DeliveryStatus.SENT
    ]


def _shorten(update: DeliveryUpdate) -> str | None:
    return update.text[:TEXT_AT_MOST] if update.text else None


def _as_it_is(moment: datetime) -> object:
    return moment


def _as_sqlite(moment: datetime) -> object:
    """Format a moment as it is stored in SQLite (`newsletter.db.column_types.UTCDateTime`)."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
