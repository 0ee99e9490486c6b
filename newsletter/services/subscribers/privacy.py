"""Export all data of a subscriber as JSON, and erase it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.addresses import parse_address
from newsletter.db.session import checkpoint, reading, transaction
from newsletter.errors import LinkInvalid, LinkSpent, NotFound
from newsletter.link_purposes import LinkPurpose
from newsletter.models import (
    AddressChange,
    Campaign,
    ConsentEvent,
    SeriesLetter,
    SeriesLetterSent,
    Subscriber,
    Subscription,
    SubscriptionRequest,
    Suppression,
)
from newsletter.outbox import DeliveryRow
from newsletter.services import idempotency, tags
from newsletter.services.bounce_events import scrub as scrub_events
from newsletter.services.campaigns import tapped_answers
from newsletter.services.consent import Evidence
from newsletter.services.link_holders import find_retired, open_subscriber, open_subscription
from newsletter.services.lists import topics
from newsletter.services.runtime import Environment
from newsletter.services.signup.confirmations import is_current, lock_owner
from newsletter.services.subscribers.subscriptions import (
    LinkedSubscription,
    describe_subscription,
    leave,
)
from newsletter.services.subscription_state import record_removed
from newsletter.services.suppressions import hash_address
from newsletter.vocabulary import Actor, SubscriptionStatus, SuppressionReason


def find_linked_subscription(
    env: Environment, purpose: LinkPurpose, token: str
) -> LinkedSubscription | None:
    """Return the subscription of a link to export or erase data, None if it was erased.

    Raises `LinkError`.
    """
    with reading() as session:
        subscription = _open_subscription(env, session, purpose, token)
        return describe_subscription(subscription, env.now) if subscription else None


def export_data(env: Environment, token: str) -> dict[str, Any]:
    """Return all data of a link's subscriber.

    Raises `LinkError`.
    """
    with reading() as session:
        subscription = _open_subscription(env, session, LinkPurpose.EXPORT, token)
        if subscription is None:
            raise LinkInvalid
        return collect_data(session, subscription.subscriber)


def collect_data(session: Session, subscriber: Subscriber) -> dict[str, Any]:
    """Collect a subscriber with subscriptions, evidence and mails; moments are in ISO 8601."""
    return {
        "email": subscriber.email,
        "new_email_waiting_to_be_confirmed": subscriber.new_email,
        "name": subscriber.name,
        "language": subscriber.language,
        "tags": list(tags.read_tags(session, [subscriber.id]).get(subscriber.id, ())),
        "created_at": subscriber.created_at.isoformat(),
        "earlier_addresses": _describe_earlier_addresses(session, subscriber),
        "subscriptions": [
            _export_subscription(session, subscription) for subscription in subscriber.subscriptions
        ],
    }


def _describe_earlier_addresses(session: Session, subscriber: Subscriber) -> list[dict[str, Any]]:
    """Describe the changes of address that can still be undone."""
    query = select(AddressChange).where(AddressChange.subscriber_id == subscriber.id)
    return [
        {"email": change.old_email, "changed_at": _make_plain(change.changed_at)}
        for change in session.scalars(query.order_by(AddressChange.changed_at))
    ]


def _export_subscription(session: Session, subscription: Subscription) -> dict[str, Any]:
    events = (
        select(ConsentEvent)
        .where(ConsentEvent.subscription_id == subscription.id)
        .order_by(ConsentEvent.id)
    )
    mails = outbox.list_history(session, subscription.id)
    return {
        "list": subscription.mailing_list.slug,
        "title": subscription.mailing_list.title,
        **_read_columns(
            subscription,
            hidden={"id", "handle", "list_id", "subscriber_id", "round", "cursor", "joined_seq"},
        ),
        "topics": [offer.name for offer in topics.find_chosen_topics(session, subscription)],
        "consent": [
            {
                **_read_columns(event, hidden={"id", "subscription_id"}),
                "wording": event.wording.text if event.wording else "",
            }
            for event in session.scalars(events)
        ],
        "answers_in_letters": tapped_answers.export_answers(session, subscription.id),
        "letters_of_the_series": _describe_series(session, subscription),
        "waiting_requests": _describe_requests(session, subscription),
        "mails": [_describe_mail(session, row) for row in mails],
    }


def _describe_requests(session: Session, subscription: Subscription) -> list[dict[str, Any]]:
    """Describe the requests of a subscription that wait for a confirmation."""
    query = select(SubscriptionRequest).where(
        SubscriptionRequest.subscription_id == subscription.id
    )
    return [
        {
            **_read_columns(request, hidden={"subscription_id", "delivery_id"}),
            "wording": request.wording.text if request.wording else "",
        }
        for request in session.scalars(query.order_by(SubscriptionRequest.number))
    ]


def _describe_mail(session: Session, row: DeliveryRow) -> dict[str, Any]:
    """Describe a mail: campaign, status and the mail server's reply."""
    campaign = session.get(Campaign, row.campaign_id) if row.campaign_id else None
    return {
        "mail": row.mail,
        "subject": campaign.subject if campaign else "",
        "status": row.status,
        "at": _make_plain(row.finished_at),
        "tries": row.attempts,
        "server_code": row.code,
        "server_answer": row.text or "",
    }


def _describe_series(session: Session, subscription: Subscription) -> list[dict[str, Any]]:
    """Return the letters of the list's series that were queued for a subscription, and when."""
    query = (
        select(SeriesLetter.subject, SeriesLetterSent.at)
        .join(SeriesLetter, SeriesLetter.id == SeriesLetterSent.step_id)
        .order_by(SeriesLetterSent.at)
    )
    rows = session.execute(query.where(SeriesLetterSent.subscription_id == subscription.id))
    return [{"subject": subject, "at": _make_plain(at)} for subject, at in rows]


def _read_columns(row: Any, *, hidden: Iterable[str]) -> dict[str, Any]:
    """Return every column of a row except `hidden` ones, so that new columns are included."""
    names = [attribute.key for attribute in row.__mapper__.column_attrs]
    return {name: _make_plain(getattr(row, name)) for name in names if name not in hidden}


def _make_plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def erase(env: Environment, token: str) -> LinkedSubscription | None:
    """Erase the subscriber of a link; idempotent.

    Raises `LinkError`.
    """
    with transaction() as session:
        subscription = _open_subscription(env, session, LinkPurpose.ERASE, token)
        if subscription is None:
            return None
        lock_owner(session, subscription.handle)
        view = describe_subscription(subscription, env.now)
        erase_subscriber(env, session, subscription.subscriber)
    checkpoint()
    return view


def erase_address(env: Environment, address: str) -> None:
    """Erase a subscriber at the author's request.

    Raises `NotFound`.
    """
    key = parse_address(address).key
    with transaction() as session:
        subscriber = session.scalar(select(Subscriber).where(Subscriber.email_key == key))
        if subscriber is None:
            raise NotFound(
                "there is no subscriber with this address",
                hint="`suppression add` bars one that never was",
            )
        erase_subscriber(env, session, subscriber)
    checkpoint()


def find_disputed_request(env: Environment, token: str) -> LinkedSubscription | None:
    """Return the request that a link disputes, None if it was disputed already.

    Raises `LinkError`.
    """
    with reading() as session:
        subscription = _open_refusal(env, session, token)
        return describe_subscription(subscription, env.now) if subscription else None


def dispute_request(env: Environment, token: str, evidence: Evidence) -> LinkedSubscription | None:
    """Erase the subscriber of a disputed request, and suppress their address.

    Of a subscriber who once confirmed another list only the request ends, because a link in a mail
    must not end an account. Return the subscription that is left then, else None; a second time is
    no error. Raises `LinkError`.
    """
    with transaction() as session:
        subscription = _open_refusal(env, session, token)
        if subscription is None:
            return None
        if any(row.confirmed_at for row in subscription.subscriber.subscriptions):
            leave(env, session, subscription, evidence)
            return describe_subscription(subscription, env.now)
        erase_subscriber(
            env, session, subscription.subscriber, note="said that they did not sign up"
        )
    checkpoint()
    return None


def _open_refusal(env: Environment, session: Session, token: str) -> Subscription | None:
    try:
        subscription, round_ = open_subscription(env, session, LinkPurpose.NEVER, token, lock=True)
    except LinkInvalid:
        if find_retired(env, session, LinkPurpose.NEVER, token):
            raise
        return None
    if subscription.status == SubscriptionStatus.ACTIVE or not is_current(
        session, subscription, round_
    ):
        raise LinkSpent(subscription.mailing_list.slug)
    return subscription


def erase_subscriber(
    env: Environment, session: Session, subscriber: Subscriber, *, note: str = ""
) -> None:
    """Erase a subscriber and everything that belongs to them.

    A keyed hash stays, so that no import brings them back, and counted rows of the outbox without
    any of their data (O07).
    """
    known = session.scalars(
        select(Suppression).where(
            Suppression.email_hash.in_(hash_address(env, subscriber.email_key))
        )
    )
    rows = list(known)
    for row in rows:
        row.email_key = None
        row.note = ""
    if not rows:
        session.add(
            Suppression(
                email_hash=hash_address(env, subscriber.email_key)[0],
                reason=SuppressionReason.ERASED,
                note=note,
                created_at=env.now,
            )
        )
    record_removed(session, subscriber, Actor.SUBSCRIBER, "erased", env.now)
    delete_subscriber(session, subscriber, env.now)


def delete_subscriber(session: Session, subscriber: Subscriber, now: datetime) -> None:
    """Delete a subscriber with all personal data; their messages stay in the totals."""
    idempotency.forget_answers(session, subscriber)
    ids = [subscription.id for subscription in subscriber.subscriptions]
    outbox.cancel(session, ids, now=now)
    outbox.scrub(session, ids)
    outbox.forget_folded(session, ids)
    scrub_events(session, subscriber.id)
    tapped_answers.fold_answers_of(session, ids)
    session.delete(subscriber)


def _open_subscription(
    env: Environment, session: Session, purpose: LinkPurpose, token: str
) -> Subscription | None:
    """Return the subscription of a link, None if it was erased."""
    try:
        return open_subscriber(env, session, purpose, token)[1]
    except LinkInvalid:
        if find_retired(env, session, purpose, token):
            raise
        return None
