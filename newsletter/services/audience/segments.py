"""Build the queries for the recipients of a letter: a list's subscribers, or a segment of them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, literal, not_, or_, select
from sqlalchemy.orm import Session

from newsletter.addresses import parse_address
from newsletter.authoring.segment import parse_segment
from newsletter.authoring.segment_terms import (
    Answer,
    Answered,
    Comparison,
    Connective,
    Had,
    Joined,
    Not,
    OfTopic,
    OneOf,
    Tagged,
    Term,
    Untagged,
)
from newsletter.errors import InvalidInput
from newsletter.i18n import Text
from newsletter.models import MailingList, Subscriber, Subscription, Tag
from newsletter.services.audience import known_facts
from newsletter.services.audience.mailable import mailable_clause

JOINED_AT = func.coalesce(Subscription.confirmed_at, Subscription.created_at)
"""The moment of a subscription, as SQL; imported ones have no confirmation of their own."""


def segment_clause(mailing_list: MailingList, segment: str, now: datetime) -> ColumnElement[bool]:
    """Build the condition that a letter to `segment` of a list reaches a subscription at `now`.

    The enclosing query has both `Subscription` and `Subscriber`. An empty segment is the whole
    list. Raises `InvalidInput` if the segment cannot be parsed.
    """
    term = parse_segment(segment)
    conditions = [Subscription.list_id == mailing_list.id, mailable_clause(now)]
    if term:
        conditions.append(_term_clause(term, mailing_list))
    return and_(*conditions)


def is_in_segment(
    session: Session, mailing_list: MailingList, segment: str, subscription_id: int
) -> bool:
    """Tell whether a subscription belongs to a segment now, whether or not it may be mailed.

    Raises `InvalidInput` if the segment cannot be parsed.
    """
    term = parse_segment(segment)
    if term is None:
        return True
    query = select(Subscription.id).join(Subscriber, Subscriber.id == Subscription.subscriber_id)
    query = query.where(Subscription.id == subscription_id, _term_clause(term, mailing_list))
    return session.scalar(query) is not None


def segment_query(mailing_list: MailingList, segment: str, now: datetime) -> Select[int]:
    """Select the ids of the subscriptions that a letter to `segment` reaches at `now`.

    Raises `InvalidInput` if the segment cannot be parsed.
    """
    return (
        select(Subscription.id)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(segment_clause(mailing_list, segment, now))
    )


def segment_page_query(
    mailing_list: MailingList, segment: str, now: datetime, *, after: int, limit: int
) -> Select[int, int]:
    """Select a page of a segment: ids of subscriptions and subscribers, in the subscribers' order.

    `after` is the subscriber that the page before ended with. The order is that of the unique index
    on (list, subscriber), so that a page reads its own rows only, however long the list is.
    """
    return (
        select(Subscription.id, Subscription.subscriber_id)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(segment_clause(mailing_list, segment, now), Subscription.subscriber_id > after)
        .order_by(Subscription.subscriber_id)
        .limit(limit)
    )


def count_segment(session: Session, mailing_list: MailingList, segment: str, now: datetime) -> int:
    """Count the subscribers a letter to `segment` would reach at `now`.

    Raises `InvalidInput` if the segment cannot be parsed.
    """
    query = segment_query(mailing_list, segment, now).subquery()
    return session.scalar(select(func.count()).select_from(query)) or 0


def draw_query(query: Select[int], *, first: int, seed: str) -> Select[Any]:
    """Select `first` random subscriptions of `query`, with edition 0 or 1 in turn.

    The same `seed` (hexadecimal) draws the same subscriptions.
    """
    inner = query.subquery()
    lot = (inner.c.id * 7919 + int(seed[:6], 16)) % 1_000_003
    place = func.row_number().over(order_by=(lot, inner.c.id)).label("place")
    places = select(inner.c.id, place).subquery()
    return select(places.c.id, places.c.place % 2).where(places.c.place <= first)


def edition_query(query: Select[int], *, edition: int) -> Select[Any]:
    """Select all subscriptions of `query`, each with the number of the edition it gets."""
    inner = query.subquery()
    return select(inner.c.id, literal(edition))


def _term_clause(term: Term, mailing_list: MailingList) -> ColumnElement[bool]:
    match term:
        case Joined(word=Connective.AND, terms=terms):
            return and_(*(_term_clause(part, mailing_list) for part in terms))
        case Joined(terms=terms):
            return or_(*(_term_clause(part, mailing_list) for part in terms))
        case Not(term=inner):
            return not_(_term_clause(inner, mailing_list))
        case Answer() | Answered() | OfTopic() | Had():
            return known_facts.fact_clause(term, mailing_list)
        case Tagged(tag=tag):
            return exists().where(Tag.subscriber_id == Subscription.subscriber_id, Tag.tag == tag)
        case Untagged():
            return ~exists().where(Tag.subscriber_id == Subscription.subscriber_id)
        case OneOf(field=name, values=values):
            return or_(false(), *(_equal_clause(name, value) for value in values))
        case Comparison(field="joined"):
            return _on_day_clause(term, mailing_list.zone)
        case Comparison(field=name, operator=operator, value=value):
            is_equal = _equal_clause(name, str(value))
            return is_equal if operator == "==" else not_(is_equal)


def _equal_clause(name: str, value: str) -> ColumnElement[bool]:
    match name:
        case "cadence":
            return Subscription.cadence == value
        case "language":
            return Subscriber.language == value
        case "email":
            return Subscriber.email_key == _make_key(value)
        case "domain":
            return Subscriber.email_key.endswith(_make_key(f"x@{value}")[1:], autoescape=True)
    return Subscriber.name == value


def _make_key(address: str) -> str:
    try:
        return parse_address(address).key
    except InvalidInput:
        raise InvalidInput(
            {
                "segment": Text(
                    '"%(written)s" is no address or domain',
                    written=address.removeprefix("x@"),
                )
            }
        ) from None


def _on_day_clause(term: Comparison, zone: ZoneInfo) -> ColumnElement[bool]:
    """Compare days of the list's zone: ``joined > "2026-01-01"`` starts on the second."""
    assert isinstance(term.value, date)
    day = datetime.combine(term.value, time(), zone)
    following = datetime.combine(term.value + timedelta(days=1), time(), zone)
    match term.operator:
        case ">":
            return following <= JOINED_AT
        case ">=":
            return day <= JOINED_AT
        case "<":
            return day > JOINED_AT
        case "<=":
            return following > JOINED_AT
    within = and_(day <= JOINED_AT, following > JOINED_AT)
    return within if term.operator == "==" else not_(within)
