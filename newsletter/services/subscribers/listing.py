"""List subscribers and subscriptions for the API, page by page with bounded cost.

A page that is to be filtered looks at `WINDOW` rows at most, and so may hold fewer rows than were
asked for, or none: whether there is a next one is said apart. Of a list only its own are counted,
in the order in which they came to it: neither how many pages there are nor who stands where may say
anything of other lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased, joinedload

from newsletter.db.session import reading
from newsletter.errors import NotFound
from newsletter.models import Subscriber, Subscription
from newsletter.services.lookup import get_list
from newsletter.services.subscribers import admin
from newsletter.services.subscribers.views import (
    SubscriberView,
    SubscriptionView,
    describe_subscription,
    describe_with_tags,
    read_topic_names,
)
from newsletter.vocabulary import Cadence, SubscriptionStatus

WINDOW = 10_000
HIGHEST = 2**31 - 1
"""The highest row id that every database accepts in a query."""


@dataclass(frozen=True, slots=True)
class OwnedSubscription:
    """A subscription with its subscriber."""

    subscriber_id: int
    email: str
    view: SubscriptionView


@dataclass(frozen=True, slots=True)
class SubscriptionFilter:
    """A filter of a list's subscriptions; None matches all.

    `before` is the subscription that the page before ended with.
    """

    slug: str
    status: SubscriptionStatus | None = None
    cadence: Cadence | None = None
    before: int | None = None


def list_subscribers(
    chosen: admin.SubscriberFilter, *, limit: int
) -> tuple[list[SubscriberView], int | None]:
    """Return a page of subscribers, newest first, and the key of the next page.

    Of one list, that is a subscription; else a subscriber.
    """
    before = chosen.before or HIGHEST
    if chosen.slug:
        return _list_subscribers_of(chosen, before, limit)
    with reading() as session:
        lowest = _find_lowest(session, None, before)
    page = admin.iterate_subscribers(replace(chosen, before=before, down_to=lowest), page=limit)
    rows = list(islice(page, limit))
    return rows, _find_next([row.id for row in rows], limit, lowest)


def _list_subscribers_of(
    chosen: admin.SubscriberFilter, before: int, limit: int
) -> tuple[list[SubscriberView], int | None]:
    """Return a page of the subscribers of one list, in the order of its subscriptions."""
    with reading() as session:
        list_id = get_list(session, chosen.slug).id
        lowest = _find_lowest(session, list_id, before)
        place = aliased(Subscription)
        query = (
            select(place.id, Subscriber)
            .join(Subscriber, Subscriber.id == place.subscriber_id)
            .where(place.list_id == list_id, place.id < before, place.id >= lowest)
            .where(*admin.filter_clauses(session, replace(chosen, before=None, down_to=None)))
            .order_by(place.id.desc())
            .limit(limit)
        )
        rows = session.execute(query).all()
        views = [describe_with_tags(session, row.Subscriber) for row in rows]
        return views, _find_next([row.id for row in rows], limit, lowest)


def list_subscriptions(
    chosen: SubscriptionFilter, *, limit: int
) -> tuple[list[OwnedSubscription], int | None]:
    """Return a page of a list's subscriptions, newest first, and the key of the next page.

    Raises `NotFound` (no such list).
    """
    before = chosen.before or HIGHEST
    lowest = 1
    with reading() as session:
        list_id = get_list(session, chosen.slug).id
        query = select(Subscription).where(
            Subscription.list_id == list_id, Subscription.id < before
        )
        if chosen.status or chosen.cadence:
            lowest = _find_lowest(session, list_id, before)
            query = query.where(Subscription.id >= lowest)
        if chosen.status:
            query = query.where(Subscription.status == chosen.status)
        if chosen.cadence:
            query = query.where(Subscription.cadence == chosen.cadence)
        ordered = query.order_by(Subscription.id.desc()).limit(limit)
        load = (joinedload(Subscription.subscriber), joinedload(Subscription.mailing_list))
        names = read_topic_names(session)
        rows = [
            OwnedSubscription(
                row.subscriber_id, row.subscriber.email, describe_subscription(row, names)
            )
            for row in session.scalars(ordered.options(*load))
        ]
    return rows, _find_next([row.view.id for row in rows], limit, lowest)


def get_subscription(subscription_id: int) -> OwnedSubscription:
    """Return one subscription with its subscriber.

    Raises `NotFound`.
    """
    with reading() as session:
        row = session.get(Subscription, subscription_id)
        if row is None:
            raise NotFound("there is no such subscription")
        view = describe_subscription(row, read_topic_names(session))
        return OwnedSubscription(row.subscriber_id, row.subscriber.email, view)


def _find_lowest(session: Session, list_id: int | None, before: int) -> int:
    """Return the lowest id among the `WINDOW` subscriptions of a list before one, or 1.

    Without a list, of all subscribers.
    """
    column = Subscriber.id if list_id is None else Subscription.id
    query = select(column).where(column < before).order_by(column.desc())
    if list_id is not None:
        query = query.where(Subscription.list_id == list_id)
    return session.scalar(query.offset(WINDOW - 1).limit(1)) or 1


def _find_next(ids: Sequence[int], limit: int, lowest: int) -> int | None:
    """Return the key of the next page: the last row, or the end of the window."""
    if len(ids) == limit:
        return ids[-1]
    return lowest if lowest > 1 else None
