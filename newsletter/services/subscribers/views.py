"""Describe subscribers to their author."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.addresses import parse_address
from newsletter.errors import NotFound
from newsletter.models import Subscriber


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """A subscription as its author sees it."""

    list: str
    status: str
    cadence: str
    paused_until: datetime | None


@dataclass(frozen=True, slots=True)
class SubscriberView:
    """A subscriber and their subscriptions."""

    email: str
    name: str
    language: str
    created_at: datetime
    subscriptions: tuple[SubscriptionView, ...]


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


def describe_subscriber(row: Subscriber) -> SubscriberView:
    """Describe a subscriber to the author."""
    return SubscriberView(
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
            )
            for subscription in row.subscriptions
        ),
    )
