"""Check whether an author may see an object, by the list that it belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import assert_never

from sqlalchemy import Select, select

from newsletter.db.session import reading
from newsletter.errors import NotFound
from newsletter.models import Campaign, Entry, Feed, MailingList, Subscriber, Subscription
from newsletter.services.authors.authors import AuthorView

HIGHEST_ID = 2**31 - 1
"""The highest id that every database accepts in a query."""


class Scope(StrEnum):
    """The kind of object that a page shows; its value is the URL argument that names it."""

    LIST = "slug"
    CAMPAIGN = "campaign_id"
    ENTRY = "entry_id"
    FEED = "feed_id"
    SUBSCRIBER = "subscriber"
    """By the subscriber's handle."""


def require_possible(values: Iterable[object]) -> None:
    """Raise `NotFound` for an id that no row can have."""
    if any(isinstance(value, int) and value > HIGHEST_ID for value in values):
        raise NotFound("there is no such page")


def require_visible(author: AuthorView, scope: Scope, value: object) -> None:
    """Raise `NotFound` unless an object belongs to a list that the author may see.

    The answer is the same for what does not exist.
    """
    with reading() as session:
        lists = set(session.scalars(_lists_query(scope, value)))
    visible = bool(lists & author.lists.keys())
    if not visible and not (scope is Scope.SUBSCRIBER and not author.limited):
        raise NotFound("there is no such page")


def _lists_query(scope: Scope, value: object) -> Select[int]:
    match scope:
        case Scope.LIST:
            return select(MailingList.id).where(MailingList.slug == value)
        case Scope.CAMPAIGN:
            return select(Campaign.list_id).where(Campaign.id == value)
        case Scope.ENTRY:
            return select(Entry.list_id).where(Entry.id == value)
        case Scope.FEED:
            return select(Feed.list_id).where(Feed.id == value)
        case Scope.SUBSCRIBER:
            return (
                select(Subscription.list_id)
                .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
                .where(Subscriber.handle == value)
            )
        case _:
            assert_never(scope)
