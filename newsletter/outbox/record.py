"""Read the rows of a lease, and record up to which id they may be offered.

This runs for every message. The transactions are those of the rest of the package, on a connection
without the ORM, because microseconds count here. Outcomes are written down by recorder.py.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from newsletter.db.direct import DirectConnection
from newsletter.errors import LeaseLost
from newsletter.outbox.recorder import advance_statement, make_recorder
from newsletter.outbox.types import UNSETTLED, LeasedBatch, LeasedDelivery
from newsletter.vocabulary import Cadence, MailKind, SubscriptionStatus

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


class Ledger:
    """Runs one worker's statements about its leases, on a separate connection."""

    def __init__(self) -> None:
        self._direct = DirectConnection()
        self._advance = self._direct.translate(advance_statement(sqlite=self._direct.sqlite))
        self.recorder = make_recorder(self._direct)

    def close(self) -> None:
        """Close its connections."""
        self.recorder.close()
        self._direct.close()

    def read(self, batch: LeasedBatch, *, after_id: int, limit: int) -> list[LeasedDelivery]:
        """Read the next rows of a lease by id, each with the current state of its subscriber.

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
        """Record that messages up to `through_id` may be offered now, and renew the lease.

        Raises `LeaseLost`.
        """
        values = {"through": through_id, "seconds": seconds, "lease": batch.id}
        with self._direct.transaction() as connection:
            if connection.execute(self._advance, values).rowcount != 1:
                raise LeaseLost


_KINDS = {kind.value: kind for kind in MailKind}
_STATUSES = {status.value: status for status in SubscriptionStatus}
_CADENCES = {cadence.value: cadence for cadence in Cadence}


def _make_delivery(row: tuple[Any, ...]) -> LeasedDelivery:
    created_at = row[6]
    context = row[7]
    if isinstance(created_at, str):  # SQLite has no type for moments, and none for JSON
        created_at = _parse_moment(created_at)
    if isinstance(context, str):
        context = json.loads(context)
    # A single mail to an author has no subscription.
    status = None if row[11] is None else _STATUSES[row[11]]
    cadence = None if row[12] is None else _CADENCES[row[12]]
    known = (*row[8:11], status, cadence, *row[13:])
    return LeasedDelivery._make((row[0], _KINDS[row[1]], *row[2:6], created_at, context, *known))


@lru_cache(maxsize=16)
def _parse_moment(text: str) -> datetime:
    """Parse a time from SQLite, cached because the rows of a campaign share it."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
