"""What runs for every message: reads the rows of a lease, notes how far they may be offered, writes
outcomes down.

The same transactions as elsewhere in this package, on a connection past the ORM: here microseconds
count. A row is written once, when its outcome is known.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from newsletter.db.direct import DirectConnection
from newsletter.errors import LeaseLost
from newsletter.outbox.types import DeliveryUpdate, LeasedBatch, LeasedDelivery

_ROWS = """
SELECT d.id, d.mail, d.campaign_id, d.cursor, d.attempts, d.doubts, d.created_at, d.context,
       s.list_id, s.handle, s.round, s.status, s.cadence, p.email, p.name, p.language, x.reason, d.lost_replies
FROM deliveries d
LEFT JOIN campaigns c ON c.id = d.campaign_id
LEFT JOIN subscriptions s ON s.id = d.subscription_id
LEFT JOIN subscribers p ON p.id = s.subscriber_id
LEFT JOIN suppressions x ON x.email_key = p.email_key
WHERE {open} AND d.id > :after AND (d.campaign_id IS NULL OR c.status = 'sending')
ORDER BY d.id LIMIT :limit
"""
_SLICE = _ROWS.format(
    open="d.id BETWEEN :first AND :last AND d.campaign_id = :campaign AND d.status = 'queued' AND d.due_at IS NULL"
)
_DUE = _ROWS.format(open="d.lease_id = :lease AND d.status IN ('queued', 'in_doubt')")

_ADVANCE = (
    "UPDATE leases SET through_id = :through, expires_at = {now} + :seconds WHERE id = :lease"
)
# What a server has taken was sent, whatever was decided about the row while it was on its way.
_SENT = """
UPDATE deliveries SET status = 'sent', code = {code}, text = {text}, finished_at = {now}, due_at = NULL, lease_id = NULL
{where} AND status <> 'sent'
"""
_SENT_ONE = _SENT.format(code=":code", text=":text", now=":now", where="WHERE id = :id")
_SENT_ALL = _SENT.format(
    code="v.code",
    text="v.text",
    now=":now",
    where="FROM unnest(:ids::bigint[], :codes::int[], :texts::text[]) AS v(id, code, text) WHERE deliveries.id = v.id",
)
_MARK = """
UPDATE deliveries SET status = :status, code = :code, text = :text, attempts = attempts + :attempts,
       doubts = doubts + :doubts, lost_replies = lost_replies + :lost_replies,
       crashes = CASE WHEN :offered = 1 THEN 0 ELSE crashes END,
       due_at = :due_at, finished_at = :finished_at, lease_id = NULL
WHERE id = :id AND status IN ('queued', 'in_doubt')
"""
TEXT_AT_MOST = 500


class Ledger:
    """One worker's own; `close` it when done."""

    def __init__(self) -> None:
        self._direct = DirectConnection()
        clock = (
            "unixepoch()"
            if self._direct.sqlite
            else "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS BIGINT)"
        )
        self._advance = self._direct.translate(_ADVANCE.format(now=clock))
        self._mark = self._direct.translate(_MARK)

    def close(self) -> None:
        """Let go of the database."""
        self._direct.close()

    def read(self, held: LeasedBatch, *, after_id: int, limit: int) -> list[LeasedDelivery]:
        """The next rows of a lease, by id, each with its reader as he is now; none of a campaign
        that is not being sent any more.
        """
        if held.campaign_id is None:
            where: dict[str, Any] = {"lease": held.id}
        else:
            where = {"first": held.first_id, "last": held.last_id, "campaign": held.campaign_id}
        found = self._direct.rows(
            _DUE if held.campaign_id is None else _SLICE,
            {**where, "after": after_id, "limit": limit},
        )
        return [_row(found) for found in found]

    def advance(self, held: LeasedBatch, *, through_id: int, seconds: int) -> None:
        """Note that messages up to `through_id` may be offered now, and renews the lease.

        Raises `LeaseLost`.
        """
        with self._direct.transaction() as connection:
            if not self._renewed(connection, held, through_id, seconds):
                raise LeaseLost

    def _renewed(self, connection: Any, held: LeasedBatch, through_id: int, seconds: int) -> bool:
        values = {"through": through_id, "seconds": seconds, "lease": held.id}
        return bool(connection.execute(self._advance, values).rowcount == 1)

    def record(
        self,
        groups: Sequence[tuple[LeasedBatch, int, Sequence[DeliveryUpdate]]],
        *,
        now: datetime,
        seconds: int,
    ) -> set[int]:
        """Write outcomes down, in one transaction: of each lease its marks, and how far
        (`through_id`) it may go on.

        Returns the leases that another worker has taken over: what a server accepted of those is
        recorded all the same, the rest is the other worker's.
        """
        lost = set()
        with self._direct.transaction() as connection:
            for (
                held,
                through_id,
                marks,
            ) in groups:  # the lease before its rows, in the order in which `recover` locks
                ours = self._renewed(connection, held, through_id, seconds)
                self._sent(connection, [mark for mark in marks if mark.status == "sent"], now)
                if ours:
                    self._others(connection, [mark for mark in marks if mark.status != "sent"], now)
                else:
                    lost.add(held.id)
        return lost

    def _sent(self, connection: Any, marks: Sequence[DeliveryUpdate], now: datetime) -> None:
        if not marks:
            return
        if self._direct.sqlite:
            rows = [
                {"id": mark.id, "code": mark.code, "text": _text(mark), "now": _moment(now)}
                for mark in marks
            ]
            connection.executemany(_SENT_ONE, rows)
        else:
            ids, codes = [mark.id for mark in marks], [mark.code for mark in marks]
            values = {
                "ids": ids,
                "codes": codes,
                "texts": [_text(mark) for mark in marks],
                "now": now,
            }
            connection.execute(self._direct.translate(_SENT_ALL), values)

    def _others(self, connection: Any, marks: Sequence[DeliveryUpdate], now: datetime) -> None:
        moment = _moment if self._direct.sqlite else _as_it_is
        for mark in marks:
            values = {
                "id": mark.id,
                "status": mark.status,
                "code": mark.code,
                "text": _text(mark),
                "attempts": mark.attempts,
                "doubts": mark.doubts,
                "lost_replies": mark.lost_replies,
                "offered": int(mark.offered),
                "due_at": moment(mark.due_at) if mark.due_at else None,
                "finished_at": None if mark.due_at else moment(now),
            }
            connection.execute(self._mark, values)


def _row(found: tuple[Any, ...]) -> LeasedDelivery:
    created_at, context = found[6], found[7]
    if isinstance(created_at, str):  # SQLite has no type for moments, and none for JSON
        created_at = datetime.fromisoformat(created_at).replace(tzinfo=UTC)
    if isinstance(context, str):
        context = json.loads(context)
    return LeasedDelivery._make((*found[:6], created_at, context, *found[8:]))


def _text(mark: DeliveryUpdate) -> str | None:
    return mark.text[:TEXT_AT_MOST] if mark.text else None


def _as_it_is(moment: datetime) -> object:
    return moment


def _moment(moment: datetime) -> object:
    """As SQLite's rows hold it (`newsletter.db.session.UTCDateTime`)."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
