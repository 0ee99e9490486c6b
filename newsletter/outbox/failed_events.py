"""The statements that record failed deliveries as events, and queue webhook messages.

They stand beside the recorder, because an outcome and its event are written in one transaction, and
outcomes are written past the ORM. `newsletter/services/webhook_queue.py` writes the same rows for
every other event. Written twice, they find the event and add nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from newsletter.outbox.types import DeliveryUpdate
from newsletter.vocabulary import Actor, DeliveryStatus, EventKind, MessageStatus

_KIND = EventKind.DELIVERY_FAILED.value
_ACTOR = Actor.SYSTEM.value
_FROM = "FROM deliveries d JOIN subscriptions s ON s.id = d.subscription_id"
_WHERE = f"""
WHERE d.id = :id AND d.status = '{DeliveryStatus.FAILED.value}' AND d.finished_at = :finished_at
      AND NOT EXISTS (SELECT 1 FROM events e WHERE e.subscription_id = s.id
                      AND e.kind = '{_KIND}' AND e.at = d.finished_at
                      AND COALESCE(e.campaign_id, 0) = COALESCE(d.campaign_id, 0))
"""  # noqa: S608 (constants of this program)
_EVENT = f"""
INSERT INTO events (at, kind, actor, reason, list_id, subscription_id, campaign_id)
SELECT d.finished_at, '{_KIND}', '{_ACTOR}', CAST(:reason AS TEXT), s.list_id, s.id, d.campaign_id
{_FROM} {_WHERE}
"""
# Numbers, a slug (a-z, 0-9 and hyphens) and an SMTP code need no escapes in JSON.
_PAYLOAD = (
    f"""'{{"type": "{_KIND}", "timestamp": "' || CAST(:moment AS TEXT)"""
    """ || '", "data": {"list": "' || l.slug"""
    f""" || '", "actor": "{_ACTOR}", "reason": "' || CAST(:reason AS TEXT)"""
    """ || '", "subscriber": ' || CAST(s.subscriber_id AS TEXT)"""
    """ || ', "subscription": ' || CAST(s.id AS TEXT)"""
    """ || COALESCE(', "campaign": ' || CAST(d.campaign_id AS TEXT), '') || '}}'"""
)
_LIST_IDS = "REPLACE(REPLACE(REPLACE(CAST(w.list_ids AS TEXT), '[', ','), ']', ','), ' ', '')"
_MESSAGES = f"""
INSERT INTO webhook_messages
    (webhook_id, handle, kind, subject, subscriber_id, payload, status, created_at, due_at)
SELECT w.id, CAST(:handle AS TEXT) || '-' || CAST(w.id AS TEXT), '{_KIND}',
       'subscriber/' || CAST(s.subscriber_id AS TEXT), s.subscriber_id, {_PAYLOAD},
       '{MessageStatus.QUEUED.value}', d.finished_at, d.finished_at
{_FROM} JOIN mailing_lists l ON l.id = s.list_id JOIN webhooks w ON
    (CAST(w.events AS TEXT) = '[]' OR CAST(w.events AS TEXT) LIKE '%"{_KIND}"%')
    AND (w.list_ids IS NULL OR {_LIST_IDS} LIKE '%,' || CAST(s.list_id AS TEXT) || ',%')
{_WHERE}
"""
FAILED_STATEMENTS = (_MESSAGES, _EVENT)
"""The statements in order: messages are inserted only if the event does not exist yet."""


def make_failed_values(
    updates: Sequence[DeliveryUpdate], now: datetime, convert: Callable[[datetime], object]
) -> Iterator[dict[str, Any]]:
    """Yield the values of both statements for each update that ends a delivery as failed."""
    for update in updates:
        if update.status is DeliveryStatus.FAILED:
            yield {
                "id": update.id,
                "finished_at": convert(now),
                "moment": now.isoformat(),
                "reason": str(update.code or ""),
                "handle": f"msg_{secrets.token_urlsafe(18)}",
            }
