"""Change the status of subscriptions; no other module does.

Each transition sets the columns that belong to the new status, adds its evidence to the consent
record and writes one event, in the caller's transaction. Mails that a transition causes (a
welcome, a goodbye, a series) are queued by the caller.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from newsletter.db.prepared import Prepared
from newsletter.models import MailingList, Subscriber, Subscription, SubscriptionRequest
from newsletter.services import counting
from newsletter.services.consent import Evidence, note_consent
from newsletter.services.events import NewEvent, record_event, record_events
from newsletter.tokens import new_handle
from newsletter.vocabulary import (
    Actor,
    Cadence,
    ConsentKind,
    EventKind,
    SubscriptionStatus,
)

EXPIRED = "expired"
"""The reason of an event about a request that was not confirmed in time."""
ENDED = SubscriptionStatus.UNSUBSCRIBED

_subscriptions = cast(Table, Subscription.__table__)
_PENDING = Prepared(insert(_subscriptions))
_REQUESTED = Prepared(
    update(_subscriptions)
    .where(_subscriptions.c.id == bindparam("which"))
    .values(
        status=SubscriptionStatus.PENDING,
        round=bindparam("number"),
        confirmation_at=bindparam("requested_at"),
    )
)


# ── requests ─────────────────────────────────────────────────────────────────


def insert_pending(session: Session, values: dict[str, Any]) -> None:
    """Insert a pending subscription with the `values` of its other columns, including the id.

    Past the ORM: every visitor of a form may cause it. `record_requested` writes the event.
    """
    _PENDING.run(session, {**values, "status": SubscriptionStatus.PENDING})


def mark_requested(session: Session, subscription_id: int, number: int, now: datetime) -> None:
    """Set an existing subscription to pending, for its request of this `number`.

    Past the ORM, as `insert_pending`.
    """
    values = {"which": subscription_id, "number": number, "requested_at": now}
    _REQUESTED.run(session, values)


def record_requested(
    session: Session,
    subscription_id: int,
    list_id: int,
    evidence: Evidence,
    now: datetime,
    *,
    consent_event_id: int | None,
) -> None:
    """Record the event of a sign-up request, and count it."""
    source = evidence.source
    event = NewEvent(
        EventKind.SUBSCRIPTION_REQUESTED,
        source.actor,
        now,
        list_id,
        subscription_id=subscription_id,
        consent_event_id=consent_event_id,
        reason=source.value,
    )
    record_event(session, event)
    counting.count_asked(session, list_id, evidence, now)


def add_pending(
    session: Session,
    mailing_list: MailingList,
    subscriber_id: int,
    now: datetime,
    *,
    cadence: Cadence | None = None,
) -> Subscription:
    """Add a subscription that the same transaction activates with `activate`.

    It writes neither evidence nor event.
    """
    subscription = Subscription(
        handle=new_handle(),
        list_id=mailing_list.id,
        subscriber_id=subscriber_id,
        status=SubscriptionStatus.PENDING,
        cadence=cadence or mailing_list.default_cadence,
        created_at=now,
    )
    session.add(subscription)
    session.flush()
    return subscription


# ── beginning and end ────────────────────────────────────────────────────────


def activate(
    session: Session,
    subscription: Subscription,
    kind: ConsentKind,
    evidence: Evidence,
    now: datetime,
    *,
    wording: str = "",
    message_id: str = "",
) -> None:
    """Activate a subscription; it is owed entries that become ready from now on.

    An unsubscription that is taken back keeps the moment of its first confirmation.
    """
    was_active = subscription.status is SubscriptionStatus.ACTIVE
    subscription.status = SubscriptionStatus.ACTIVE
    if kind is not ConsentKind.RESUBSCRIBED or subscription.confirmed_at is None:
        subscription.confirmed_at = now
    subscription.unsubscribed_at = None
    subscription.paused_until = None
    subscription.cursor = subscription.mailing_list.entry_seq
    subscription.joined_seq = subscription.cursor
    consent_event_id = note_consent(
        session, subscription.id, kind, evidence, now, wording=wording, message_id=message_id
    )
    _record(
        session,
        subscription,
        EventKind.SUBSCRIPTION_CONFIRMED,
        evidence,
        now,
        kind.value,
        consent_event_id,
    )
    if not was_active:
        counting.count_joined(session, subscription, kind, now, message_id=message_id)


def end_subscription(
    session: Session,
    subscription: Subscription,
    kind: ConsentKind,
    evidence: Evidence,
    now: datetime,
    *,
    ended_at: datetime | None = None,
) -> bool:
    """End a subscription and void its requests; do nothing if it has ended already.

    `ended_at` is the moment it ended where that is not `now`. Return whether it was active.
    """
    if subscription.status is SubscriptionStatus.UNSUBSCRIBED:
        return False
    was_active = subscription.status is SubscriptionStatus.ACTIVE
    subscription.status = SubscriptionStatus.UNSUBSCRIBED
    subscription.unsubscribed_at = ended_at or now
    delete_requests(session, subscription)
    consent_event_id = note_consent(session, subscription.id, kind, evidence, now)
    _record(
        session,
        subscription,
        EventKind.SUBSCRIPTION_ENDED,
        evidence,
        now,
        kind.value,
        consent_event_id,
    )
    counting.count_ended(session, subscription, kind, evidence, now, was_active=was_active)
    return was_active


def withdraw_confirmation(
    session: Session, subscription: Subscription, evidence: Evidence, now: datetime
) -> None:
    """End an active subscription for which the same transaction requests a new confirmation."""
    subscription.status = SubscriptionStatus.UNSUBSCRIBED
    subscription.series_due_at = None
    session.flush()
    reason = ConsentKind.RELEASED.value
    _record(session, subscription, EventKind.SUBSCRIPTION_ENDED, evidence, now, reason, None)
    counting.count_removed(session, [(subscription.list_id, True)], reason, now)


def delete_requests(session: Session, subscription: Subscription) -> None:
    """Delete the requests of a subscription, so that confirmation links of earlier mails expire."""
    session.execute(
        delete(SubscriptionRequest).where(SubscriptionRequest.subscription_id == subscription.id)
    )


def expire_unconfirmed(session: Session, before: datetime, now: datetime) -> None:
    """Expire the unconfirmed requests made before `before`.

    A subscription that was never active is deleted; one that had ended before ends again.
    """
    old = (
        Subscription.status == SubscriptionStatus.PENDING,
        Subscription.confirmation_at < before,
    )
    rows = session.execute(select(Subscription.list_id, Subscription.id).where(*old)).all()
    record_events(
        session, (_make_ended(row.list_id, row.id, Actor.SYSTEM, EXPIRED, now) for row in rows)
    )
    counting.count_removed(session, [(row.list_id, False) for row in rows], EXPIRED, now)
    session.execute(delete(Subscription).where(*old, Subscription.confirmed_at.is_(None)))
    session.execute(update(Subscription).where(*old).values(status=SubscriptionStatus.UNSUBSCRIBED))


def record_removed(
    session: Session, subscriber: Subscriber, actor: Actor, reason: str, now: datetime
) -> None:
    """Record the end of every subscription of a subscriber who is being deleted.

    The events go with the subscriptions; what webhooks are told of them stays.
    """
    rows = [row for row in subscriber.subscriptions if row.status is not ENDED]
    record_events(session, [_make_ended(row.list_id, row.id, actor, reason, now) for row in rows])
    ended = [(row.list_id, row.status is SubscriptionStatus.ACTIVE) for row in rows]
    counting.count_removed(session, ended, reason, now)


def _make_ended(
    list_id: int, subscription_id: int, actor: Actor, reason: str, now: datetime
) -> NewEvent:
    return NewEvent(
        EventKind.SUBSCRIPTION_ENDED,
        actor,
        now,
        list_id,
        subscription_id=subscription_id,
        reason=reason,
    )


# ── changes without a new status ─────────────────────────────────────────────


def change_cadence(
    session: Session,
    subscription: Subscription,
    cadence: Cadence,
    evidence: Evidence,
    now: datetime,
) -> None:
    """Change the cadence of an active subscription, and count the change."""
    before = subscription.cadence
    subscription.cadence = cadence
    counting.count_cadence(session, subscription, before, evidence, now)


def record_change(
    session: Session,
    subscription: Subscription,
    reason: str,
    evidence: Evidence,
    now: datetime,
    *,
    kind: ConsentKind | None = None,
) -> None:
    """Record the event of a change that keeps the status; with `kind`, evidence as well.

    `reason` is a short code, such as ``cadence`` or ``address``.
    """
    noted = note_consent(session, subscription.id, kind, evidence, now) if kind else None
    _record(session, subscription, EventKind.SUBSCRIPTION_CHANGED, evidence, now, reason, noted)


def _record(
    session: Session,
    subscription: Subscription,
    kind: EventKind,
    evidence: Evidence,
    now: datetime,
    reason: str,
    consent_event_id: int | None,
) -> None:
    event = NewEvent(
        kind,
        evidence.source.actor,
        now,
        subscription.list_id,
        subscription_id=subscription.id,
        consent_event_id=consent_event_id,
        reason=reason,
    )
    record_event(session, event)
