"""Activate confirmed sign-ups, and queue confirmations that a limit had withheld."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session, aliased

from newsletter.models import Subscriber, Subscription, SubscriptionRequest
from newsletter.services import subscription_state
from newsletter.services.consent import Evidence, note_consent
from newsletter.services.mailbox_limits import (
    Allowance,
    forget_unanswered,
    lock_mailbox,
    record_mail,
)
from newsletter.services.runtime import Environment
from newsletter.services.signup.asked_mail import queue_confirmation
from newsletter.vocabulary import ConsentKind, EvidenceSource, SubscriptionStatus


def lock_owner(session: Session, handle: str) -> None:
    """Lock the subscriber of a subscription's `handle`, before any of their rows is changed.

    Everything that changes a subscriber locks in one order, so that two requests never wait for
    each other: a visitor's ceilings (on SQLite; PostgreSQL counts them apart), the subscriber,
    their subscriptions, their counters, their mailbox.
    """
    owner = select(Subscriber.id).join(Subscription).where(Subscription.handle == handle)
    session.scalar(owner.with_for_update(of=Subscriber))
    session.expire_all()  # rows that were read before may have changed while this waited


def is_current(session: Session, subscription: Subscription, number: str) -> bool:
    """Tell whether a subscription's request of this `number` can still be answered."""
    if number == str(subscription.round):
        return True
    return (
        number.isdecimal()
        and len(number) < 10
        and find_request(session, subscription.id, int(number)) is not None
    )


def find_request(session: Session, subscription_id: int, number: int) -> SubscriptionRequest | None:
    """Find a sign-up request by its number: an open one, or the one confirmed last."""
    return session.get(SubscriptionRequest, (subscription_id, number))


def accept_request(
    env: Environment, session: Session, subscription: Subscription, number: int, evidence: Evidence
) -> None:
    """Activate a pending subscription with the content of its request of this `number`.

    A subscription that an import made has no request, and keeps its own content. Every other
    request of the subscription is deleted.
    """
    request = find_request(session, subscription.id, number)
    wording = ""
    message_id = ""
    if request is not None:
        _apply(subscription, request)
        wording = request.wording.text if request.wording else ""
        message_id = request.message_id
        for name, text in request.agreed.items():
            agreed = replace(evidence, note=name, form="")
            note_consent(
                session, subscription.id, ConsentKind.AGREED, agreed, env.now, wording=text
            )
    subscription_state.activate(
        session,
        subscription,
        ConsentKind.CONFIRMED,
        evidence,
        env.now,
        wording=wording,
        message_id=message_id,
    )
    session.execute(
        delete(SubscriptionRequest).where(
            SubscriptionRequest.subscription_id == subscription.id,
            SubscriptionRequest.number != number,
        )
    )


def _apply(subscription: Subscription, request: SubscriptionRequest) -> None:
    """Copy a request to its subscription, and to the subscriber if it is their first active one."""
    subscription.cadence = request.cadence
    subscription.topics = request.topics
    subscription.answers = request.answers
    subscriber = subscription.subscriber
    if any(row.status is SubscriptionStatus.ACTIVE for row in subscriber.subscriptions):
        subscriber.name = subscriber.name or request.name
        subscriber.language = subscriber.language or request.language
    else:
        subscriber.name = request.name
        subscriber.language = request.language


def release_mailbox(env: Environment, session: Session, subscriber: Subscriber) -> None:
    """Reset the counter of unanswered confirmations of a subscriber who has just confirmed.

    If another list withheld a confirmation from them, queue it now.
    """
    forget_unanswered(env, session, subscriber.email_key)
    queue_withheld(env, session, subscriber, Allowance.OWN)


def queue_withheld(
    env: Environment, session: Session, subscriber: Subscriber, allowance: Allowance
) -> None:
    """Queue a withheld confirmation to a subscriber of another list, if `allowance` has room."""
    request = _find_withheld_request(session, subscriber)
    mailbox = lock_mailbox(env, session, subscriber.email_key)
    if request is None or not mailbox.allows(allowance, env.now):
        return
    now = env.now
    subscription = session.get_one(Subscription, request.subscription_id)
    sender = subscription.mailing_list.from_email
    delivery, message_id = queue_confirmation(
        session, subscription.id, request.number, request.language, sender, now
    )
    request.delivery_id = delivery
    request.message_id = message_id
    subscription.confirmation_at = now
    evidence = Evidence(EvidenceSource.CONFIRMATION)
    note_consent(session, subscription.id, ConsentKind.ASKED, evidence, now, message_id=message_id)
    record_mail(session, mailbox.with_mail(allowance, delivery, now), now)


def find_withheld(session: Session, *, limit: int) -> Sequence[Subscriber]:
    """Find active subscribers with a withheld confirmation of another list."""
    other = aliased(Subscription)
    query = (
        select(Subscriber)
        .join(Subscription, Subscription.subscriber_id == Subscriber.id)
        .join(SubscriptionRequest, SubscriptionRequest.subscription_id == Subscription.id)
        .where(
            SubscriptionRequest.delivery_id.is_(None),
            SubscriptionRequest.number == Subscription.round,
            Subscription.status == SubscriptionStatus.PENDING,
            exists().where(
                other.subscriber_id == Subscriber.id, other.status == SubscriptionStatus.ACTIVE
            ),
        )
        .order_by(SubscriptionRequest.created_at, SubscriptionRequest.subscription_id)
        .limit(limit)
    )
    return session.scalars(query).unique().all()


def _find_withheld_request(session: Session, subscriber: Subscriber) -> SubscriptionRequest | None:
    """Find the oldest withheld request of a subscriber that is the latest on its list."""
    row: SubscriptionRequest | None = session.scalar(
        select(SubscriptionRequest)
        .join(Subscription)
        .where(
            Subscription.subscriber_id == subscriber.id,
            Subscription.status == SubscriptionStatus.PENDING,
            SubscriptionRequest.number == Subscription.round,
            SubscriptionRequest.delivery_id.is_(None),
        )
        .order_by(SubscriptionRequest.created_at, SubscriptionRequest.subscription_id)
        .limit(1)
    )
    return row
