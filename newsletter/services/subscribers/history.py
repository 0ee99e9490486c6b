"""Read the history of one subscriber for the author: consent, changes and mails by time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.bounce_vocabulary import BounceEffect
from newsletter.db.session import reading
from newsletter.i18n import Text
from newsletter.models import Campaign, ConsentEvent, Subscription, Suppression
from newsletter.services import bounce_events, tags
from newsletter.services.runtime import Environment
from newsletter.services.subscribers.history_words import (
    WORDS,
    describe_evidence,
    describe_mail,
    describe_returned,
)
from newsletter.services.subscribers.views import (
    SubscriberView,
    describe_subscriber,
    get_subscriber,
)
from newsletter.services.suppressions import hash_address
from newsletter.vocabulary import ConsentKind, SuppressionReason


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One event of a subscriber on a list; `timezone` is the list's."""

    at: datetime
    list: str
    timezone: str
    what: str


@dataclass(frozen=True, slots=True)
class History:
    """A subscriber with their whole history, oldest first.

    `suppressed` says why the address is never mailed, empty if it may be.
    """

    subscriber: SubscriberView
    events: tuple[HistoryItem, ...]
    suppressed: str
    tags: tuple[str, ...] = ()


def get_history(env: Environment, address: str, list_ids: Collection[int] | None = None) -> History:
    """Return the history of one subscriber, of all lists or of these.

    Then it has no tags, and does not say why an address is suppressed.

    Raises `NotFound`.
    """
    with reading() as session:
        subscriber = get_subscriber(session, address)
        events = [
            event
            for subscription in subscriber.subscriptions
            if list_ids is None or subscription.list_id in list_ids
            for event in _list_events(
                env,
                session,
                subscription,
                with_mails=list_ids is None or subscription.confirmed_at is not None,
            )
        ]
        returned = (
            []
            if list_ids is not None
            else bounce_events.list_bounces_of_subscriber(session, subscriber.id)
        )
        events += [HistoryItem(event.at, "", "UTC", describe_returned(event)) for event in returned]
        query = select(Suppression).where(
            Suppression.email_hash.in_(hash_address(env, subscriber.email_key))
        )
        suppression = session.scalars(query).first()
        why: str = ""
        if suppression and list_ids is not None:
            why = WORDS[BounceEffect.SUPPRESSED]
        elif suppression:
            reason = SuppressionReason(suppression.reason)
            why = Text("%(reason)s %(note)s", reason=reason, note=suppression.note)
        words = tags.read_tags(session, [subscriber.id]).get(subscriber.id, ())
        words = words if list_ids is None else ()
        return History(
            describe_subscriber(session, subscriber, list_ids=list_ids),
            tuple(sorted(events, key=lambda event: event.at)),
            why,
            words,
        )


def _list_events(
    env: Environment, session: Session, subscription: Subscription, *, with_mails: bool
) -> Iterator[HistoryItem]:
    """Yield the events of a subscription.

    Without the mails, nothing tells whether its confirmation left: that depends on what other lists
    know of the address, and mailed it today.
    """
    mailing_list = subscription.mailing_list
    noted = (
        select(ConsentEvent)
        .where(ConsentEvent.subscription_id == subscription.id)
        .order_by(ConsentEvent.id)
    )
    for event in session.scalars(noted):
        if not with_mails and event.kind in (ConsentKind.ASKED, ConsentKind.MOVED):
            continue
        yield HistoryItem(
            event.at, mailing_list.slug, mailing_list.timezone, describe_evidence(event)
        )
    mails = outbox.list_history(session, subscription.id) if with_mails else []
    ids = {row.campaign_id for row in mails if row.campaign_id}
    query = select(Campaign.id, Campaign.subject).where(Campaign.id.in_(ids))
    subjects = {row.id: row.subject for row in session.execute(query)}
    for row in mails:
        at = row.finished_at or row.due_at or env.now
        yield HistoryItem(
            at,
            mailing_list.slug,
            mailing_list.timezone,
            describe_mail(row, subjects.get(row.campaign_id or 0, "")),
        )
