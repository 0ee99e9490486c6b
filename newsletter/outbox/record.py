"""Read the rows of a lease, note how far they may be offered, and write down their outcomes.

This runs for every message. The transactions are those of the rest of the package, on a connection
without the ORM, because microseconds count here. A row is written once, when its outcome is known.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from newsletter.db.direct import DirectConnection
from newsletter.errors import LeaseLost
from newsletter.outbox.types import UNSETTLED, DeliveryUpdate, LeasedBatch, LeasedDelivery
from newsletter.vocabulary import DeliveryStatus, MailKind

TEXT_AT_MOST = 500
"""Characters of a server's reply that are kept with a delivery, as many as its column holds."""

_ROWS = """
SELECT deliveries.id, deliveries.mail, deliveries.campaign_id, deliveries.cursor,
       deliveries.attempts, deliveries.doubts, deliveries.created_at, deliveries.context,
       s.list_id, s.handle, s.round, s.status, s.cadence, p.email, p.name, p.language, x.reason,
       deliveries.lost_replies
FROM deliveries
LEFT JOIN campaigns c ON c.id = deliveries.campaign_id
LEFT JOIN subscriptions s ON s.id = deliveries.subscription_id
LEFT JOIN subscribers p ON p.id = s.subscriber_id
LEFT JOIN suppressions x ON x.email_key = p.email_key
WHERE {open} AND deliveries.id > :after
      AND (deliveries.campaign_id IS NULL OR c.status = 'sending')
ORDER BY deliveries.id LIMIT :limit
"""
_SLICE = _ROWS.format(
    open="deliveries.id BETWEEN :first AND :last AND deliveries.campaign_id = :campaign"
    " AND deliveries.status = 'queued' AND deliveries.due_at IS NULL"
)
_DUE = _ROWS.format(open=f"deliveries.lease_id = :lease AND {UNSETTLED}")

_ADVANCE = (
    "UPDATE leases SET through_id = :through, expires_at = {now} + :seconds WHERE id = :lease"
)
# A message that a server has taken was sent, whatever was decided about it while it was in flight.
_SENT = """
UPDATE deliveries SET status = 'sent', code = {code}, text = {text}, finished_at = :now,
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
_UPDATE = f"""
UPDATE deliveries SET status = :status, code = :code, text = :text, attempts = attempts + :attempts,
       doubts = doubts + :doubts, lost_replies = lost_replies + :lost_replies,
       crashes = CASE WHEN :offered = 1 THEN 0 ELSE crashes END,
       due_at = :due_at, finished_at = :finished_at, lease_id = NULL
WHERE id = :id AND {UNSETTLED}
"""  # noqa: S608 (a constant of this package)


class Ledger:
    """The statements of one worker, on a connection of its own; `close` it at the end."""

    def __init__(self) -> None:
        self._direct = DirectConnection()
        clock = (
            "unixepoch()"
            if self._direct.sqlite
            else "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS BIGINT)"
        )
        self._advance = self._direct.translate(_ADVANCE.format(now=clock))
        self._update = self._direct.translate(_UPDATE)

    def close(self) -> None:
        """Close the connection."""
        self._direct.close()

    def read(self, batch: LeasedBatch, *, after_id: int, limit: int) -> list[LeasedDelivery]:
        """Read the next rows of a lease by id, each with its subscriber as they are now.

        A campaign that is not being sent any more has none.
        """
        if batch.campaign_id is None:
            query = _DUE
            where: dict[str, Any] = {"lease": batch.id}
        else:
            query = _SLICE
            where = {"first": batch.first_id, "last": batch.last_id, "campaign": batch.campaign_id}
        rows = self._direct.rows(query, {**where, "after": after_id, "limit": limit})
        return [_make_delivery(row) for row in rows]

    def advance(self, batch: LeasedBatch, *, through_id: int, seconds: int) -> None:
        """Note that messages up to `through_id` may be offered now, and renew the lease.

        Raises `LeaseLost`.
        """
        with self._direct.transaction() as connection:
            if not self._renew(connection, batch, through_id, seconds):
                raise LeaseLost

    def _renew(self, connection: Any, batch: LeasedBatch, through_id: int, seconds: int) -> bool:
        values = {"through": through_id, "seconds": seconds, "lease": batch.id}
        return bool(connection.execute(self._advance, values).rowcount == 1)

    def record(
        self,
        groups: Sequence[tuple[LeasedBatch, int, Sequence[DeliveryUpdate]]],
        *,
        now: datetime,
        seconds: int,
    ) -> set[int]:
        """Write outcomes down in one transaction, and renew the leases they belong to.

        Each group is a lease, how far it may go on (`through_id`), and its updates. Return the
        leases that another worker has taken over: what a server accepted of those is recorded all
        the same, the rest belongs to the other worker.
        """
        lost = set()
        with self._direct.transaction() as connection:
            # The lease before its rows, because `recover` locks them in this order.
            for batch, through_id, updates in groups:
                is_held = self._renew(connection, batch, through_id, seconds)
                sent = [one for one in updates if one.status is DeliveryStatus.SENT]
                self._write_sent(connection, sent, now)
                if is_held:
                    others = [one for one in updates if one.status is not DeliveryStatus.SENT]
                    self._write_others(connection, others, now)
                else:
                    lost.add(batch.id)
        return lost

    def _write_sent(
        self, connection: Any, updates: Sequence[DeliveryUpdate], now: datetime
    ) -> None:
        if not updates:
            return
        if self._direct.sqlite:
            rows = [
                {"id": one.id, "code": one.code, "text": _shorten(one), "now": _as_sqlite(now)}
                for one in updates
            ]
            connection.executemany(_SENT_ONE, rows)
        else:
            values = {
                "ids": [one.id for one in updates],
                "codes": [one.code for one in updates],
                "texts": [_shorten(one) for one in updates],
                "now": now,
            }
            connection.execute(self._direct.translate(_SENT_ALL), values)

    def _write_others(
        self, connection: Any, updates: Sequence[DeliveryUpdate], now: datetime
    ) -> None:
        convert = _as_sqlite if self._direct.sqlite else _as_it_is
        for one in updates:
            values = {
                "id": one.id,
                "status": one.status.value,
                "code": one.code,
                "text": _shorten(one),
                "attempts": one.attempts,
                "doubts": one.doubts,
                "lost_replies": one.lost_replies,
                "offered": int(one.offered),
                "due_at": convert(one.due_at) if one.due_at else None,
                "finished_at": None if one.due_at else convert(now),
            }
            connection.execute(self._update, values)


def _make_delivery(row: tuple[Any, ...]) -> LeasedDelivery:
    created_at = row[6]
    context = row[7]
    if isinstance(created_at, str):  # SQLite has no type for moments, and none for JSON
        created_at = datetime.fromisoformat(created_at).replace(tzinfo=UTC)
    if isinstance(context, str):
        context = json.loads(context)
    return LeasedDelivery._make(
        (row[0], MailKind(row[1]), *row[2:6], created_at, context, *row[8:])
    )


def _shorten(update: DeliveryUpdate) -> str | None:
    return update.text[:TEXT_AT_MOST] if update.text else None


def _as_it_is(moment: datetime) -> object:
    return moment


def _as_sqlite(moment: datetime) -> object:
    """Write a moment as SQLite's rows hold it (`newsletter.db.session.UTCDateTime`)."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
