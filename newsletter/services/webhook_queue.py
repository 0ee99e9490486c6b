"""Queue webhook messages, in the transaction that records their events.

So no event is lost, whatever ends the process. `newsletter/outbox/failed_events.py` does the same
in SQL for deliveries that failed, because outcomes are written past the ORM.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from newsletter.db.prepared import Prepared
from newsletter.models import MailingList, Subscription, Webhook, WebhookMessage
from newsletter.vocabulary import MessageStatus

IDS_AT_ONCE = 500
"""Subscriptions looked up with one query, far below the databases' limits of parameters."""
_WEBHOOKS = Prepared(select(Webhook.id, Webhook.events, Webhook.list_ids))


def queue_messages(session: Session, events: Sequence[Mapping[str, Any]]) -> None:
    """Queue a message for each event (columns of `Event`) and each webhook that wants it."""
    webhooks = _WEBHOOKS.run(session, {})
    pairs = [
        (webhook.id, event)
        for event in events
        for webhook in webhooks
        if (not webhook.events or event["kind"] in webhook.events)
        and (webhook.list_ids is None or event["list_id"] in webhook.list_ids)
    ]
    if not pairs:
        return
    lists = session.execute(select(MailingList.id, MailingList.slug))
    slugs = {row.id: row.slug for row in lists}
    owners = _find_subscribers(session, {event["subscription_id"] for _, event in pairs} - {None})
    rows = [
        _make_row(webhook_id, event, slugs[event["list_id"]], owners.get(event["subscription_id"]))
        for webhook_id, event in pairs
    ]
    session.execute(insert(WebhookMessage), rows)


def _find_subscribers(session: Session, subscription_ids: set[int]) -> dict[int, int]:
    ids = sorted(subscription_ids)
    owners: dict[int, int] = {}
    for start in range(0, len(ids), IDS_AT_ONCE):
        part = ids[start : start + IDS_AT_ONCE]
        query = select(Subscription.id, Subscription.subscriber_id).where(Subscription.id.in_(part))
        owners |= {row.id: row.subscriber_id for row in session.execute(query)}
    return owners


def _make_row(
    webhook_id: int, event: Mapping[str, Any], slug: str, subscriber_id: int | None
) -> dict[str, Any]:
    at: datetime = event["at"]
    data = {
        "list": slug,
        "actor": event["actor"],
        "reason": event["reason"],
        "subscriber": subscriber_id,
        "subscription": event["subscription_id"],
        "campaign": event["campaign_id"],
        "entry": event["entry_id"],
    }
    known = {name: value for name, value in data.items() if value is not None}
    body = {"type": event["kind"], "timestamp": at.isoformat(), "data": known}
    return {
        "webhook_id": webhook_id,
        "handle": f"msg_{secrets.token_urlsafe(18)}",
        "kind": event["kind"],
        "subject": _name_subject(event, subscriber_id),
        "subscriber_id": subscriber_id,
        "payload": json.dumps(body),
        "status": MessageStatus.QUEUED,
        "created_at": at,
        "due_at": at,
    }


def _name_subject(event: Mapping[str, Any], subscriber_id: int | None) -> str:
    """Return the subject of an event; messages of one subject are sent in order."""
    if subscriber_id is not None:
        return f"subscriber/{subscriber_id}"
    for name in ("campaign", "entry"):
        if event[f"{name}_id"] is not None:
            return f"{name}/{event[f'{name}_id']}"
    return f"list/{event['list_id']}"
