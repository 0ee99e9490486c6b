"""Who gets a letter: a list's readers, or a segment of them; and what the letter may know of each."""

from __future__ import annotations

import time as clock
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, literal, not_, or_, select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.addresses import parse_address
from newsletter.authoring.segment import Comparison, Joined, Not, OneOf, Tagged, Term, parse_segment
from newsletter.db.session import reading
from newsletter.errors import InvalidInput, NotFound, TemplateProblem
from newsletter.mail.templating.merge_fields import (
    ARCHIVE_SUBSCRIBER,
    Filler,
    MergeTemplates,
    SubscriberFields,
    make_subscriber_fields,
)
from newsletter.models import MailingList, Subscriber, Subscription, Suppression, Tag
from newsletter.outbox import LeasedDelivery
from newsletter.schedule import zone_of
from newsletter.services import resources, tags
from newsletter.services.runtime import Environment

PAGE = 500
KNOWN_FOR = 5.0
"""Seconds that what is known of a reader is good for during a run."""
_JOINED = func.coalesce(Subscription.confirmed_at, Subscription.created_at)


def chosen(mailing_list: MailingList, segment: str, now: datetime) -> Select[int]:
    """The subscriptions that a letter to (a segment of) a list goes to now.

    Raises `InvalidInput`.
    """
    suppressed = exists().where(Suppression.email_key == Subscriber.email_key)
    query = (
        select(Subscription.id)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(
            Subscription.list_id == mailing_list.id, Subscription.status == "active", ~suppressed
        )
        .where(or_(Subscription.paused_until.is_(None), Subscription.paused_until <= now))
    )
    term = parse_segment(segment)
    return query.where(_condition(term, mailing_list.zone)) if term else query


def counted(session: Session, mailing_list: MailingList, segment: str, now: datetime) -> int:
    """How many that are."""
    return (
        session.scalar(
            select(func.count()).select_from(chosen(mailing_list, segment, now).subquery())
        )
        or 0
    )


def split(query: Select[int], *, first: int, seed: str) -> Select[Any]:
    """`first` of the readers, drawn by lot, with 0 or 1 beside each in turn: who gets which
    subject.
    """
    inner = query.subquery()
    drawn = (inner.c.id * 7919 + int(seed[:6], 16)) % 1_000_003
    place = func.row_number().over(order_by=(drawn, inner.c.id)).label("place")
    lots = select(inner.c.id, place).subquery()
    return select(lots.c.id, lots.c.place % 2).where(lots.c.place <= first)


def everybody(query: Select[int], *, edition: int) -> Select[Any]:
    """All the readers, with the number of the edition they get beside each."""
    inner = query.subquery()
    return select(inner.c.id, literal(edition))


# ── segments
# ───────────────────────────────────────────────────────────────────────────────────────


def _condition(term: Term, zone: ZoneInfo) -> ColumnElement[bool]:
    match term:
        case Joined(word="and", terms=terms):
            return and_(*(_condition(each, zone) for each in terms))
        case Joined(terms=terms):
            return or_(*(_condition(each, zone) for each in terms))
        case Not(term=inner):
            return not_(_condition(inner, zone))
        case Tagged(tag=tag):
            return exists().where(Tag.subscriber_id == Subscription.subscriber_id, Tag.tag == tag)
        case OneOf(field=name, values=values):
            return or_(false(), *(_equal(name, value) for value in values))
        case Comparison(field="joined"):
            return _on_day(term, zone)
        case Comparison(field=name, operator=operator, value=value):
            same = _equal(name, str(value))
            return same if operator == "==" else not_(same)


def _equal(name: str, value: str) -> ColumnElement[bool]:
    match name:
        case "cadence":
            return Subscription.cadence == value
        case "language":
            return Subscriber.language == value
        case "email":
            return Subscriber.email_key == _key(value)
        case "domain":
            return Subscriber.email_key.endswith(_key(f"x@{value}")[1:], autoescape=True)
    return Subscriber.name == value


def _key(address: str) -> str:
    try:
        return parse_address(address).key
    except InvalidInput:
        raise InvalidInput(
            {"segment": f'"{address.removeprefix("x@")}" is no address or domain'}
        ) from None


def _on_day(term: Comparison, zone: ZoneInfo) -> ColumnElement[bool]:
    """Days of the list's zone: ``joined > "2026-01-01"`` means from the second of January on."""
    assert isinstance(term.value, date)
    day = datetime.combine(term.value, time(), zone)
    following = datetime.combine(term.value + timedelta(days=1), time(), zone)
    match term.operator:
        case ">":
            return following <= _JOINED
        case ">=":
            return day <= _JOINED
        case "<":
            return day > _JOINED
        case "<=":
            return following > _JOINED
    within = and_(day <= _JOINED, following > _JOINED)
    return within if term.operator == "==" else not_(within)


# ── what a letter knows of its reader
# ──────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Known:
    """A reader, by the handle of the subscription, as letters see him."""

    handle: str
    email: str
    about: SubscriberFields


def known(session: Session, subscription_ids: Select[Any] | list[int]) -> list[Known]:
    """The readers of these subscriptions."""
    query = (
        select(
            Subscription.handle,
            Subscriber.id,
            Subscriber.name,
            Subscriber.email,
            Subscription.cadence,
            Subscriber.language,
            _JOINED,
            MailingList.timezone,
        )
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .join(MailingList, MailingList.id == Subscription.list_id)
        .where(Subscription.id.in_(subscription_ids))
    )
    rows = session.execute(query).all()
    tagged = tags.read_tags(session, [row[1] for row in rows])
    return [
        Known(
            handle,
            email,
            make_subscriber_fields(
                name=name,
                email=email,
                cadence=cadence,
                language=language,
                tags=tagged.get(subscriber_id, ()),
                joined=joined.astimezone(zone_of(zone)).date(),
            ),
        )
        for handle, subscriber_id, name, email, cadence, language, joined, zone in rows
    ]


def find(address: str, slug: str) -> Known:
    """The subscriber of a list with this address, whatever the state of the subscription.

    Raises `NotFound`.
    """
    query = (
        select(Subscription.id)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .join(MailingList, MailingList.id == Subscription.list_id)
        .where(Subscriber.email_key == parse_address(address).key, MailingList.slug == slug)
    )
    with reading() as session:
        found = known(session, query)
    if not found:
        raise NotFound(f"{slug} has no subscriber with this address")
    return found[0]


def given(env: Environment, reader: Known | None) -> dict[str, object]:
    """Return the values that a letter's fields are filled from, for one subscriber or (None) for
    the archive.

    Nothing here reads the database: fields are also filled in inside a transaction.
    """
    if reader is None:
        return {
            "subscriber": ARCHIVE_SUBSCRIBER,
            "resource": lambda name: env.links.resource(str(name)),
        }
    return {
        "subscriber": reader.about,
        "resource": lambda name: env.links.resource_of(reader.handle, str(name), env.now),
    }


class Acquaintance:
    """What letters know of the readers of one run: a campaign's are read a page at a time, in the
    order of its rows.
    """

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}
        self._read_at = float("-inf")

    def of(self, row: LeasedDelivery) -> Known:
        """The reader of `row`.

        Raises `NotFound` where there is none any more.
        """
        handle = str(row.handle)
        if handle not in self._known or clock.monotonic() - self._read_at > KNOWN_FOR:
            if row.campaign_id is None:
                ids = select(Subscription.id).where(Subscription.handle == handle)
            else:
                ids = outbox.next_recipients_query(row.campaign_id, row.id, limit=PAGE)
            with reading() as session:
                self._known = {reader.handle: reader for reader in known(session, ids)}
            self._read_at = clock.monotonic()
        if handle not in self._known:
            raise NotFound("the subscriber was removed")
        return self._known[handle]


@dataclass(frozen=True, slots=True)
class Unfillable:
    """Readers for whom a letter's fields cannot be filled in: how many, why, and one of them."""

    count: int
    why: str
    example: str


def unfillable(
    env: Environment, list_id: int, segment: str, personal: MergeTemplates | None
) -> Unfillable | None:
    """Tell whether every reader's fields can be filled in, found out by doing it.

    None where they can (M07).
    """
    if personal is None:
        return None
    filler, count, why, example = Filler(personal), 0, "", ""
    resource = resources.make_linker(resources.read_names(), env.links.resource)
    for reader in _each(env, list_id, segment):
        try:
            filler({**given(env, reader), "resource": resource})
        except TemplateProblem as error:
            said = f"line {error.line}: {error.reason}" if error.line else error.reason
            count, why, example = count + 1, why or said, example or reader.email
    return Unfillable(count, why, example) if count else None


def _each(env: Environment, list_id: int, segment: str) -> Iterator[Known]:
    """Every reader a letter would go to now, page by page."""
    after = 0
    while True:
        with reading() as session:
            query = chosen(session.get_one(MailingList, list_id), segment, env.now)
            ids = list(
                session.scalars(
                    query.where(Subscription.id > after).order_by(Subscription.id).limit(PAGE)
                )
            )
            found = known(session, ids)
        yield from found
        if len(ids) < PAGE:
            return
        after = ids[-1]
