"""Record what happens to subscriptions, campaigns and entries, in the transaction that does it.

History, webhooks, statistics and the author's pages read these rows. Only the modules that own a
life cycle write them (services/subscription_state.py, services/campaigns/state.py,
services/polling/entry_state.py), and an import, which writes its rows as a set.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from newsletter.models import Event
from newsletter.vocabulary import Actor, EventKind

KEPT_FOR = timedelta(days=800)
"""Two years and a season, so that a year can be compared with the one before it."""


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


def record_events(session: Session, events: Iterable[NewEvent]) -> None:
    """Add rows for `events` in one statement."""
    rows = [asdict(event) for event in events]
    if rows:
        session.execute(insert(Event), rows)


def record_event(session: Session, event: NewEvent) -> None:
    """Add one row for `event`."""
    record_events(session, [event])


def delete_old_events(session: Session, now: datetime) -> None:
    """Delete the events that are older than their retention (`KEPT_FOR`)."""
    session.execute(delete(Event).where(Event.at < now - KEPT_FOR))
