"""Describe subscribers and subscriptions for the author."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from newsletter.addresses import parse_address
from newsletter.db.session import reading
from newsletter.errors import NotFound
from newsletter.models import MailingList, Subscriber, Subscription, Topic
from newsletter.services import tags
from newsletter.services.lists.topics import unpack_topics
from newsletter.vocabulary import Cadence, SubscriptionStatus


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """A subscription as its author sees it.

    `topics` are those that were chosen, none meaning all of them; `fields` holds the answers to the
    author's own fields, with consents as true or false.
    """

    id: int
    list: str
    status: SubscriptionStatus
    cadence: Cadence
    paused_until: datetime | None
    topics: tuple[str, ...]
    fields: Mapping[str, Any]
    created_at: datetime
    confirmed_at: datetime | None
    unsubscribed_at: datetime | None


@dataclass(frozen=True, slots=True)
class SubscriberView:
    """A subscriber and their subscriptions."""

    id: int
    email: str
    name: str
    language: str
    created_at: datetime
    subscriptions: tuple[SubscriptionView, ...]
    tags: tuple[str, ...] = ()


def get_subscriber(session: Session, address: str) -> Subscriber:
    """Return the subscriber with an address.

    Raises `InvalidInput`, `NotFound`.
    """
    key = parse_address(address).key
    subscriber: Subscriber | None = session.scalar(
        select(Subscriber).where(Subscriber.email_key == key)
    )
    if subscriber is None:
        raise NotFound(
            "there is no subscriber with this address", hint="see `newsletter subscriber ls`"
        )
    return subscriber


def lock_subscriber(session: Session, subscriber: Subscriber) -> SubscriberView:
    """Lock a subscriber until the transaction ends, and return their current view.

    Their subscriptions are locked too. SQLite has one writer at a time anyway.
    """
    of_subscriber = Subscription.subscriber_id == subscriber.id
    session.execute(select(Subscriber.id).where(Subscriber.id == subscriber.id).with_for_update())
    session.execute(select(Subscription.id).where(of_subscriber).with_for_update())
    session.expire_all()
    return describe_with_tags(session, subscriber)


def get_view(subscriber_id: int, *, lists: Collection[str] | None = None) -> SubscriberView:
    """Return a subscriber by id, with their tags.

    With `lists` only one who has a subscription to one of them. Raises `NotFound`.
    """
    with reading() as session:
        return describe_with_tags(session, _get_on(session, Subscriber.id == subscriber_id, lists))


def get_view_of(address: str, *, lists: Collection[str] | None = None) -> SubscriberView:
    """Return the subscriber with an address, with their tags.

    With `lists` only one who has a subscription to one of them. Raises `InvalidInput`, `NotFound`.
    """
    key = parse_address(address).key
    with reading() as session:
        return describe_with_tags(session, _get_on(session, Subscriber.email_key == key, lists))


def _get_on(
    session: Session, named: ColumnElement[bool], lists: Collection[str] | None
) -> Subscriber:
    """Return a subscriber with a subscription to one of `lists`. Raises `NotFound` for others."""
    query = select(Subscriber).where(named)
    if lists is not None:
        ids = select(MailingList.id).where(MailingList.slug.in_(lists))
        query = query.where(
            exists().where(
                Subscription.subscriber_id == Subscriber.id, Subscription.list_id.in_(ids)
            )
        )
    subscriber: Subscriber | None = session.scalar(query)
    if subscriber is None:
        raise NotFound("there is no such subscriber")
    return subscriber


def describe_with_tags(session: Session, row: Subscriber) -> SubscriberView:
    """Describe a subscriber with all subscriptions and tags."""
    words = tags.read_tags(session, [row.id]).get(row.id, ())
    return replace(describe_subscriber(session, row), tags=words)


def read_topic_names(session: Session) -> dict[int, str]:
    """Read the names of all topics by id, to describe several subscribers."""
    return {row.id: row.name for row in session.execute(select(Topic.id, Topic.name))}


def describe_subscriber(
    session: Session,
    row: Subscriber,
    topic_names: Mapping[int, str] | None = None,
    list_ids: Collection[int] | None = None,
) -> SubscriberView:
    """Describe a subscriber with the subscriptions to these lists (None: to all).

    The name is theirs on every list. Whoever has confirmed none of these has not told it here.
    Their address is spelt by its key then: another spelling was typed on another list, perhaps.
    """
    names = read_topic_names(session) if topic_names is None else topic_names
    visible = [part for part in row.subscriptions if list_ids is None or part.list_id in list_ids]
    is_told = list_ids is None or any(part.confirmed_at for part in visible)
    return SubscriberView(
        id=row.id,
        email=row.email if list_ids is None else row.email_key,
        name=row.name if is_told else "",
        language=row.language,
        created_at=row.created_at,
        subscriptions=tuple(describe_subscription(part, names) for part in visible),
    )


def describe_subscription(row: Subscription, topic_names: Mapping[int, str]) -> SubscriptionView:
    """Describe a subscription; `topic_names` are by the ids of topics."""
    return SubscriptionView(
        row.id,
        row.mailing_list.slug,
        row.status,
        row.cadence,
        row.paused_until,
        tuple(topic_names[part] for part in unpack_topics(row.topics) if part in topic_names),
        dict(row.answers),
        row.created_at,
        row.confirmed_at,
        row.unsubscribed_at,
    )
