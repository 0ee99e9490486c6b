"""Read the earlier bounces of an address, for the decision about a new one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.bounce_vocabulary import BounceClass, BounceEffect
from newsletter.models import BounceEvent, Delivery, Subscription
from newsletter.services.inbound.decide import AddressHistory, Attempt, find_soft_row
from newsletter.services.inbound.identify import Owner
from newsletter.vocabulary import DeliveryStatus

ATTEMPTS_AT_MOST = 60
"""Latest messages to an address that are read."""

_NOTHING = AddressHistory()


def read_history(
    session: Session,
    owner: Owner,
    bounce_class: BounceClass,
    now: datetime,
    *,
    dead_domain: bool = True,
) -> AddressHistory:
    """Read the earlier events that the decision about a class needs.

    A dead mailbox has no history that matters; a `dead_domain` has.
    """
    subscription = owner.subscription
    if subscription is None or not owner.proof.valid:
        return _NOTHING
    if bounce_class is BounceClass.HARD and dead_domain:
        days = session.scalars(
            select(BounceEvent.at).where(
                BounceEvent.subscriber_id == subscription.subscriber_id,
                BounceEvent.bounce_class == BounceClass.HARD,
                BounceEvent.effect == BounceEffect.COUNTED,
            )
        )
        return AddressHistory(domain_days=frozenset(moment.date() for moment in days))
    if bounce_class is BounceClass.SOFT:
        return AddressHistory(
            soft_row=_read_soft_row(session, owner, subscription.subscriber_id, now)
        )
    return _NOTHING


def _read_soft_row(
    session: Session, owner: Owner, subscriber_id: int, now: datetime
) -> tuple[datetime, ...]:
    """Return the consecutive soft bounces, including this one, by the times of their messages."""
    events = session.execute(
        select(BounceEvent.delivery_id, BounceEvent.at)
        .where(
            BounceEvent.subscriber_id == subscriber_id,
            BounceEvent.bounce_class == BounceClass.SOFT,
            BounceEvent.effect == BounceEffect.COUNTED,
        )
        .order_by(BounceEvent.id.desc())
        .limit(ATTEMPTS_AT_MOST)
    ).all()
    soft = {delivery_id: at for delivery_id, at in events if delivery_id is not None}
    attempts = [
        Attempt(at, sent=False, soft_at=at) for delivery_id, at in events if delivery_id is None
    ]
    present = owner.delivery.id if owner.delivery else None
    if present is not None:
        soft.setdefault(present, now)
    for delivery_id, finished_at, status in _read_deliveries(session, subscriber_id):
        bounced_at = finished_at if delivery_id in soft else None
        attempts.append(Attempt(finished_at, status == DeliveryStatus.SENT, bounced_at))
        soft.pop(delivery_id, None)
    if present is None or present in soft:  # its outcome is not written down yet
        attempts.append(Attempt(now, sent=False, soft_at=now))
    attempts.sort(key=lambda attempt: attempt.at, reverse=True)
    return find_soft_row(attempts, now)


def _read_deliveries(session: Session, subscriber_id: int) -> list[tuple[int, datetime, str]]:
    query = (
        select(Delivery.id, Delivery.finished_at, Delivery.status)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .where(
            Subscription.subscriber_id == subscriber_id,
            Delivery.status.in_((DeliveryStatus.SENT, DeliveryStatus.FAILED)),
            Delivery.finished_at.is_not(None),
        )
        .order_by(Delivery.id.desc())
        .limit(ATTEMPTS_AT_MOST)
    )
    return [(row[0], row[1], row[2]) for row in session.execute(query) if row[1] is not None]
