"""List subscribers page by page, and search them by the beginning of address or name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased, selectinload

from newsletter.db.session import reading
from newsletter.errors import NotFound
from newsletter.models import Subscriber, Subscription
from newsletter.services.subscribers.views import (
    SubscriberView,
    describe_subscriber,
    read_topic_names,
)

PAGE = 25
LAST_LETTER = "\U0010ffff"
"""The highest code point, which sorts after every letter."""


@dataclass(frozen=True, slots=True)
class ListedSubscriber:
    """A subscriber in a listing; URLs contain the handle."""

    handle: str
    view: SubscriberView


@dataclass(frozen=True, slots=True)
class SubscriberPage:
    """A page of a listing of subscribers.

    `next` is the key of the page after it, "" on the last: of the newest subscribers the handle of
    the page's last one (a number would tell how many there are on all lists), an address in a
    search. `named` are those whose name matches, on the first page of a search.
    """

    rows: tuple[ListedSubscriber, ...]
    named: tuple[ListedSubscriber, ...]
    next: str


def list_newest(list_ids: Collection[int], *, limited: bool, before: str = "") -> SubscriberPage:
    """List subscribers, newest first, before a key ("" or an invalid one: from the newest).

    With `limited` only those of these lists are listed, with nothing of other lists: in the order
    in which they came to these, for another order would tell whom other lists knew before.
    """
    with reading() as session:
        rows = _read_newest(session, list_ids, before) if limited else _read_all(session, before)
        key = rows[PAGE - 1].handle if len(rows) > PAGE else ""
        visible = list_ids if limited else None
        return SubscriberPage(_describe(session, rows[:PAGE], visible), (), key)


def _read_all(session: Session, before: str) -> list[Subscriber]:
    """Read a page of the subscribers of all lists."""
    query = _query((), limited=False).order_by(Subscriber.id.desc()).limit(PAGE + 1)
    last = session.scalar(select(Subscriber.id).where(Subscriber.handle == before))
    return list(session.scalars(query if last is None else query.where(Subscriber.id < last)))


def _read_newest(session: Session, list_ids: Collection[int], before: str) -> list[Subscriber]:
    """Read a page of the subscribers of several lists, by their newest subscription."""
    last = (
        select(func.max(Subscription.id))
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(Subscriber.handle == before, Subscription.list_id.in_(list_ids))
    )
    before_id = session.scalar(last) if before else None
    newer = aliased(Subscription)
    places: list[tuple[int, int]] = []
    for list_id in list_ids:
        query = select(Subscription.id, Subscription.subscriber_id).where(
            Subscription.list_id == list_id,
            ~exists().where(
                newer.subscriber_id == Subscription.subscriber_id,
                newer.list_id.in_(list_ids),
                newer.id > Subscription.id,
            ),
        )
        if before_id is not None:
            query = query.where(Subscription.id < before_id)
        newest = session.execute(query.order_by(Subscription.id.desc()).limit(PAGE + 1))
        places += [(row.id, row.subscriber_id) for row in newest]
    ids = [subscriber_id for _, subscriber_id in sorted(places, reverse=True)[: PAGE + 1]]
    rows = session.scalars(_query((), limited=False).where(Subscriber.id.in_(ids)))
    by_id = {row.id: row for row in rows}
    return [by_id[subscriber_id] for subscriber_id in ids if subscriber_id in by_id]


def search(
    list_ids: Collection[int], beginning: str, *, limited: bool, after: str = ""
) -> SubscriberPage:
    """Find subscribers by the beginning of their address or name, in order of addresses.

    At most a page of names is found: more letters find fewer.
    """
    with reading() as session:
        query = _query(list_ids, limited=limited)
        begins = _begins_clause(session, Subscriber.email_key, beginning.lower())
        by_address = query.where(begins, Subscriber.email_key > after)
        rows = session.scalars(by_address.order_by(Subscriber.email_key).limit(PAGE + 1)).all()
        spellings = dict.fromkeys((beginning, beginning.lower(), beginning.title()))
        names = or_(*(_begins_clause(session, Subscriber.name, name) for name in spellings))
        if limited:
            names = and_(names, _told_clause(list_ids))
        named = [] if after else session.scalars(query.where(names).limit(PAGE)).all()
        key = rows[PAGE - 1].email_key if len(rows) > PAGE else ""
        visible = list_ids if limited else None
        return SubscriberPage(
            _describe(session, rows[:PAGE], visible), _describe(session, named, visible), key
        )


def get_address(handle: str) -> str:
    """Return the address of the subscriber with a handle.

    Raises `NotFound`.
    """
    with reading() as session:
        address: str | None = session.scalar(
            select(Subscriber.email).where(Subscriber.handle == handle)
        )
    if address is None:
        raise NotFound("there is no such subscriber")
    return address


def _query(list_ids: Collection[int], *, limited: bool) -> Select[Subscriber]:
    load = selectinload(Subscriber.subscriptions).selectinload(Subscription.mailing_list)
    query = select(Subscriber).options(load)
    if limited:
        query = query.where(
            exists().where(
                Subscription.subscriber_id == Subscriber.id, Subscription.list_id.in_(list_ids)
            )
        )
    return query


def _told_clause(list_ids: Collection[int]) -> ColumnElement[bool]:
    """Build the condition that a subscriber has a confirmed subscription to one of these lists."""
    return exists().where(
        Subscription.subscriber_id == Subscriber.id,
        Subscription.list_id.in_(list_ids),
        Subscription.confirmed_at.is_not(None),
    )


def _begins_clause(
    session: Session, column: InstrumentedAttribute[str], beginning: str
) -> ColumnElement[bool]:
    """Build the condition that a column begins with a text.

    SQLite finds the range in its index; other databases sort by rules of their own.
    """
    begins = column.startswith(beginning, autoescape=True)
    if session.connection().dialect.name != "sqlite":
        return begins
    return and_(column >= beginning, column < beginning + LAST_LETTER, begins)


def _describe(
    session: Session, rows: Sequence[Subscriber], list_ids: Collection[int] | None
) -> tuple[ListedSubscriber, ...]:
    names = read_topic_names(session)
    return tuple(
        ListedSubscriber(row.handle, describe_subscriber(session, row, names, list_ids))
        for row in rows
    )
