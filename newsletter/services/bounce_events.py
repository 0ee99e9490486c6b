"""List, count and delete bounce events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, String, case, delete, func, select, type_coerce, update
from sqlalchemy.orm import Session

from newsletter.bounce_vocabulary import BounceClass, BounceEffect, BounceProof, BounceSource
from newsletter.db.session import reading
from newsletter.errors import NotFound
from newsletter.models import BounceEvent, Delivery, Subscriber

FAILURES = (
    BounceClass.HARD,
    BounceClass.SOFT,
    BounceClass.POLICY,
    BounceClass.CONTENT,
    BounceClass.SENDER,
)

KEPT_FOR = timedelta(days=30)
"""Retention of unproved reports, and of quotations from reports, for debugging."""

_NOT_PROVED = (BounceProof.ADDRESS, BounceProof.NONE)


@dataclass(frozen=True, slots=True)
class BounceView:
    """A bounce event as it is listed.

    `email` is the subscriber's address, or "". `recipient` is another one that its mail went to,
    such as an author's, as long as that mail's row knows it; else "".
    """

    id: int
    at: datetime
    source: BounceSource
    bounce_class: BounceClass
    status: str
    reason: str
    recipient: str
    email: str
    proof: BounceProof
    effect: BounceEffect
    campaign: int | None

    def as_json(self) -> dict[str, object]:
        """Return the event as `newsletter bounce ls --json` prints it."""
        return {
            "id": self.id,
            "at": self.at,
            "source": self.source,
            "class": self.bounce_class,
            "status": self.status,
            "reason": self.reason,
            "recipient": self.recipient,
            "email": self.email,
            "proof": self.proof,
            "effect": self.effect,
            "campaign": self.campaign,
        }


@dataclass(frozen=True, slots=True)
class Returned:
    """Counts of a campaign's messages that came back, were reported as spam, or were answered."""

    bounced: int = 0
    complained: int = 0
    replied: int = 0


UNKNOWN = (BounceEffect.UNKNOWN, BounceEffect.ADVISORY)
"""Effects of events that were not understood or not proved: an author has to look at them."""


def list_bounces(
    *, effects: Sequence[BounceEffect] = (), limit: int | None = None
) -> list[BounceView]:
    """List events, newest first; all of them, or those with one of these effects."""
    query = select(BounceEvent).where(*_filter_clauses(effects))
    with reading() as session:
        return _read_views(session, query.order_by(BounceEvent.id.desc()).limit(limit))


def count_events(*, effects: Sequence[BounceEffect] = ()) -> int:
    """Count events; all of them, or those with one of these effects."""
    query = select(func.count(BounceEvent.id)).where(*_filter_clauses(effects))
    with reading() as session:
        return session.scalar(query) or 0


def _filter_clauses(effects: Sequence[BounceEffect]) -> list[ColumnElement[bool]]:
    return [BounceEvent.effect.in_(effects)] if effects else []


def _read_views(session: Session, query: object) -> list[BounceView]:
    rows = session.execute(
        query.add_columns(Subscriber.email, Delivery.context)  # type: ignore[attr-defined]
        .outerjoin(Subscriber, Subscriber.id == BounceEvent.subscriber_id)
        .outerjoin(Delivery, Delivery.id == BounceEvent.delivery_id)
    )
    return [
        BounceView(
            id=event.id,
            at=event.at,
            source=event.source,
            bounce_class=event.bounce_class,
            status=event.status,
            reason=event.reason,
            recipient=str((context or {}).get("to", "")),
            email=email or "",
            proof=event.proof,
            effect=event.effect,
            campaign=event.campaign_id,
        )
        for event, email, context in rows
    ]


def read_content(event_id: int) -> bytes:
    """Return the stored content of a report that was not understood, or of a reply.

    Raises `NotFound`.
    """
    with reading() as session:
        content = session.scalar(select(BounceEvent.content).where(BounceEvent.id == event_id))
        if content is None:
            raise NotFound(
                f"nothing is kept of event {event_id}", hint="see `newsletter bounce ls --unknown`"
            )
        return content


def count(session: Session, effects: Sequence[BounceEffect]) -> int:
    """Count the events with one of these effects."""
    query = select(func.count()).where(BounceEvent.effect.in_(effects))
    return session.scalar(query) or 0


def list_bounces_of_subscriber(session: Session, subscriber_id: int) -> list[BounceView]:
    """List the bounces of a subscriber, oldest first."""
    query = select(BounceEvent).where(BounceEvent.subscriber_id == subscriber_id)
    return _read_views(session, query.order_by(BounceEvent.id))


def find_bounce_of_delivery(session: Session, delivery_id: int) -> BounceView | None:
    """Find the last failure or complaint reported about a delivery."""
    query = select(BounceEvent).where(
        BounceEvent.delivery_id == delivery_id,
        BounceEvent.bounce_class.in_((*FAILURES, BounceClass.COMPLAINT)),
    )
    return next(iter(_read_views(session, query.order_by(BounceEvent.id.desc()).limit(1))), None)


def find_bounce_of_campaign(
    session: Session, campaign_id: int, subscription_id: int
) -> BounceView | None:
    """Find the last failure or complaint about a campaign's message to one subscription."""
    query = select(BounceEvent).where(
        BounceEvent.subscription_id == subscription_id,
        BounceEvent.campaign_id == campaign_id,
        BounceEvent.bounce_class.in_((*FAILURES, BounceClass.COMPLAINT)),
    )
    return next(iter(_read_views(session, query.order_by(BounceEvent.id.desc()).limit(1))), None)


def count_returned(session: Session, campaign_id: int) -> Returned:
    """Count a campaign's messages that bounced, were reported as spam, or were answered."""
    return count_returned_by_campaign(session, [campaign_id])[campaign_id]


def count_returned_by_campaign(
    session: Session, campaign_ids: Sequence[int]
) -> dict[int, Returned]:
    """Count the returned messages of several campaigns, in one statement."""
    kind = case(
        (BounceEvent.bounce_class.in_(FAILURES), BounceClass.HARD.value),
        else_=type_coerce(BounceEvent.bounce_class, String),
    )
    query = (
        select(BounceEvent.campaign_id, kind, func.count(func.distinct(BounceEvent.delivery_id)))
        .where(BounceEvent.campaign_id.in_(campaign_ids), BounceEvent.proof.not_in(_NOT_PROVED))
        .group_by(BounceEvent.campaign_id, kind)
    )
    counts = {
        (campaign_id, name): int(count) for campaign_id, name, count in session.execute(query)
    }
    names = (BounceClass.HARD.value, BounceClass.COMPLAINT.value, BounceClass.REPLY.value)
    return {
        campaign_id: Returned(*(counts.get((campaign_id, name), 0) for name in names))
        for campaign_id in campaign_ids
    }


def scrub(session: Session, subscriber_id: int) -> None:
    """Remove personal data from the events of a subscriber who is being erased."""
    events = update(BounceEvent).where(BounceEvent.subscriber_id == subscriber_id)
    session.execute(events.values(reason="", content=None))


def delete_old(session: Session, now: datetime) -> None:
    """Delete unproved events older than `KEPT_FOR`, and the quotations of proved ones."""
    old = BounceEvent.at < now - KEPT_FOR
    session.execute(delete(BounceEvent).where(old, BounceEvent.proof.in_(_NOT_PROVED)))
    quoted = BounceEvent.content.is_not(None)
    session.execute(update(BounceEvent).where(old, quoted).values(content=None))
