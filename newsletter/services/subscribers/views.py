"""Describe subscribers to their author."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.addresses import parse_address
from newsletter.db.session import reading
from newsletter.errors import NotFound
from newsletter.models import Subscriber, Topic
from newsletter.services import tags
from newsletter.services.lists.topics import unpack_topics
from newsletter.vocabulary import Cadence, SubscriptionStatus


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """A subscription as its author sees it.

    `topics` are those that were chosen, none meaning all of them; `fields` holds the answers to the
    author's own fields, with consents as true or false.
    """

    list: str
    status: SubscriptionStatus
    cadence: Cadence
    paused_until: datetime | None
    topics: tuple[str, ...]
    fields: Mapping[str, Any]


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
        raise NotFound("there is no subscriber with this address")
    return subscriber


def get_address(subscriber_id: int) -> str:
    """Return the address of a subscriber.

    Raises `NotFound`.
    """
    with reading() as session:
        email: str | None = session.scalar(
            select(Subscriber.email).where(Subscriber.id == subscriber_id)
        )
    if email is None:
        raise NotFound("there is no such subscriber")
    return email


def find_view(address: str) -> SubscriberView:
    """Return the subscriber with an address, with their tags.

    Raises `InvalidInput`, `NotFound`.
    """
    with reading() as session:
        row = get_subscriber(session, address)
        words = tags.read_tags(session, [row.id]).get(row.id, ())
        return replace(describe_subscriber(session, row), tags=words)


def read_topic_names(session: Session) -> dict[int, str]:
    """Return the name of every topic by its id, to describe several subscribers."""
    return {row.id: row.name for row in session.execute(select(Topic.id, Topic.name))}


def describe_subscriber(
    session: Session,
    row: Subscriber,
    topic_names: Mapping[int, str] | None = None,
    list_ids: Collection[int] | None = None,
) -> SubscriberView:
    """Describe a subscriber to the author, with the subscriptions to these lists (None: to all)."""
    names = read_topic_names(session) if topic_names is None else topic_names
    return SubscriberView(
        id=row.id,
        email=row.email,
        name=row.name,
        language=row.language,
        created_at=row.created_at,
        subscriptions=tuple(
            SubscriptionView(
                subscription.mailing_list.slug,
                subscription.status,
                subscription.cadence,
                subscription.paused_until,
                tuple(names[part] for part in unpack_topics(subscription.topics) if part in names),
                dict(subscription.answers),
            )
            for subscription in row.subscriptions
            if list_ids is None or subscription.list_id in list_ids
        ),
    )
