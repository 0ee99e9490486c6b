"""Record events about subscriptions, campaigns and entries, in the transaction that causes them.

History, webhooks, statistics and the author's pages read these rows. Only the modules that own a
life cycle write them (services/subscription_state.py, services/campaigns/state.py,
services/polling/entry_state.py), an import, which writes its rows as a set, and returned mail
(services/inbound/apply.py). Failed deliveries are recorded by newsletter/outbox/failed_events.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, delete, select
from sqlalchemy.orm import Session

from newsletter.db.bulk import insert_rows
from newsletter.db.session import reading
from newsletter.models import Event, MailingList, Subscription
from newsletter.services.webhook_queue import queue_messages
from newsletter.vocabulary import Actor, EventKind

KEPT_FOR = timedelta(days=800)
"""Retention of events: two years and a season, so that years can be compared."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A transition to record.

    `reason` is a short code, never typed text and never an address.
    """

    kind: EventKind
    actor: Actor
    at: datetime
    list_id: int
    subscription_id: int | None = None
    campaign_id: int | None = None
    entry_id: int | None = None
    consent_event_id: int | None = None
    reason: str = ""


_COLUMNS = tuple(field.name for field in fields(NewEvent))
_events = cast(Table, Event.__table__)


def record_events(session: Session, events: Iterable[NewEvent]) -> None:
    """Insert `events` in one statement, and queue messages for the webhooks that want them."""
    rows = [_to_row(event) for event in events]
    if rows:
        insert_rows(session, _events, rows)
        queue_messages(session, rows)


def _to_row(event: NewEvent) -> dict[str, Any]:
    """Return the columns of an event; `dataclasses.asdict` copies each value, ten times slower."""
    return {name: getattr(event, name) for name in _COLUMNS}


def record_event(session: Session, event: NewEvent) -> None:
    """Insert one event, and queue its messages for webhooks."""
    record_events(session, [event])


@dataclass(frozen=True, slots=True)
class EventView:
    """An event as programs read it."""

    id: int
    at: datetime
    type: EventKind
    actor: Actor
    reason: str
    list: str
    subscriber: int | None
    campaign: int | None
    entry: int | None


def list_events(
    *,
    slugs: Collection[str] | None = None,
    kind: EventKind | None = None,
    before: int | None = None,
    limit: int | None = None,
) -> list[EventView]:
    """List events, newest first, of all lists or of `slugs`.

    `before` is the event that the page before ended with.
    """
    query = (
        select(Event, MailingList.slug, Subscription.subscriber_id)
        .join(MailingList, MailingList.id == Event.list_id)
        .outerjoin(Subscription, Subscription.id == Event.subscription_id)
        .order_by(Event.id.desc())
        .limit(limit)
    )
    if slugs is not None:
        query = query.where(MailingList.slug.in_(slugs))
    if kind is not None:
        query = query.where(Event.kind == kind)
    if before is not None:
        query = query.where(Event.id < before)
    with reading() as session:
        return [
            EventView(
                row.id,
                row.at,
                row.kind,
                row.actor,
                row.reason,
                slug,
                subscriber_id,
                row.campaign_id,
                row.entry_id,
            )
            for row, slug, subscriber_id in session.execute(query)
        ]


def delete_old_events(session: Session, now: datetime) -> None:
    """Delete the events that are older than their retention (`KEPT_FOR`)."""
    session.execute(delete(Event).where(Event.at < now - KEPT_FOR))
