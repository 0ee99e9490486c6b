"""The author's hand on subscribers: look, add on her own word, correct, remove."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session, selectinload

from newsletter import outbox
from newsletter.addresses import parse_address
from newsletter.db.session import checkpoint, reading, transaction
from newsletter.errors import InvalidInput, NotFound, Refused
from newsletter.html.text import to_plain_line
from newsletter.models import Subscriber, Subscription, Tag
from newsletter.schedule import CADENCES
from newsletter.services import subscription_state
from newsletter.services.audience import segments
from newsletter.services.consent import Evidence
from newsletter.services.lookup import get_list
from newsletter.services.runtime import Environment
from newsletter.services.signup.address_policy import accept_address
from newsletter.services.signup.subscribe import Submission, subscribe
from newsletter.services.subscribers.subscriptions import leave
from newsletter.services.suppressions import is_suppressed
from newsletter.tokens import new_handle
from newsletter.vocabulary import Cadence, ConsentKind, EvidenceSource

PAGE = 500


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """A subscription as its author sees it."""

    list: str
    status: str
    cadence: str
    paused_until: datetime | None


@dataclass(frozen=True, slots=True)
class SubscriberView:
    """A subscriber and her subscriptions."""

    email: str
    name: str
    language: str
    created_at: datetime
    subscriptions: tuple[SubscriptionView, ...]


@dataclass(frozen=True, slots=True)
class SubscriberFilter:
    """Which subscribers: of one list, with a subscription of this status and cadence, whose address
    or name holds `search`, known since `since`, with this `tag`; whom a letter to a `segment` would
    reach `at` this moment. Nothing said: all.
    """

    slug: str | None = None
    status: str | None = None
    cadence: str | None = None
    search: str = ""
    since: datetime | None = None
    tag: str = ""
    segment: str = ""
    at: datetime | None = None


def list_subscribers(
    wanted: SubscriberFilter = SubscriberFilter(), *, limit: int = 100
) -> list[SubscriberView]:
    """Subscribers, newest first."""
    return list(islice(iterate_subscribers(wanted), limit))


def iterate_subscribers(wanted: SubscriberFilter = SubscriberFilter()) -> Iterator[SubscriberView]:
    """Every one of them, newest first, a page at a time.

    Raises `NotFound` (no such list).
    """
    before: int | None = None
    load = selectinload(Subscriber.subscriptions).selectinload(Subscription.mailing_list)
    while True:
        with reading() as session:
            query = (
                select(Subscriber)
                .where(*_which(session, wanted))
                .order_by(Subscriber.id.desc())
                .limit(PAGE)
            )
            query = query.where(Subscriber.id < before) if before else query
            rows = session.scalars(query.options(load)).all()
            page = [describe_subscriber(row) for row in rows]
            before = rows[-1].id if rows else None
        yield from page
        if before is None:
            return


def count_subscribers(wanted: SubscriberFilter = SubscriberFilter()) -> int:
    """How many there are."""
    with reading() as session:
        return (
            session.scalar(select(func.count(Subscriber.id)).where(*_which(session, wanted))) or 0
        )


def _which(session: Session, wanted: SubscriberFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    here = [Subscription.subscriber_id == Subscriber.id]
    if wanted.slug:
        here.append(Subscription.list_id == get_list(session, wanted.slug).id)
    if wanted.status:
        here.append(Subscription.status == wanted.status)
    if wanted.cadence:
        here.append(Subscription.cadence == wanted.cadence)
    if len(here) > 1:
        found.append(exists().where(*here))
    if wanted.search:
        part = wanted.search.lower()
        found.append(
            or_(
                Subscriber.email_key.contains(part, autoescape=True),
                func.lower(Subscriber.name).contains(part, autoescape=True),
            )
        )
    if wanted.since:
        found.append(Subscriber.created_at >= wanted.since)
    if wanted.tag:
        found.append(
            exists().where(
                Tag.subscriber_id == Subscriber.id, Tag.tag == wanted.tag.strip().lower()
            )
        )
    if wanted.segment and wanted.at:
        mailing_list = get_list(session, wanted.slug)
        found.append(
            exists().where(
                Subscription.subscriber_id == Subscriber.id,
                segments.segment_clause(mailing_list, wanted.segment, wanted.at),
            )
        )
    return found


def add_subscriber(
    env: Environment,
    address: str,
    *,
    slug: str | None = None,
    name: str = "",
    cadence: str | None = None,
    because: str = "",
) -> SubscriberView:
    """Add a subscriber.

    With `because` (the author's word that he agreed) at once active; else he is asked to confirm.

    Raises `InvalidInput`, `Refused` where the address is suppressed or has left before.
    """
    with reading() as session:
        slug = get_list(session, slug).slug
    parsed = accept_address(env, address)
    if not because:
        subscribe(
            env,
            slug,
            Submission(address, name=name, cadence=cadence or ""),
            Evidence(EvidenceSource.AUTHOR),
        )
    else:
        with transaction() as session:
            activate(
                env,
                session,
                slug,
                address,
                name=name,
                cadence=cadence,
                evidence=Evidence(EvidenceSource.AUTHOR, note=because),
            )
    with reading() as session:
        found = session.scalar(select(Subscriber).where(Subscriber.email_key == parsed.key))
        if found is None:
            raise Refused("this address is suppressed", hint="see `newsletter suppression ls`")
        return describe_subscriber(found)


def activate(
    env: Environment,
    session: Session,
    slug: str,
    address: str,
    *,
    name: str = "",
    cadence: str | None = None,
    evidence: Evidence,
) -> str:
    """Make an address active on the author's word, mailing nobody.

    Returns ``new``, ``updated`` or ``known``.

    Raises `InvalidInput`, `Refused` (suppressed, or unsubscribed: his own word stands above the
    author's).
    """
    known, subscription = _row(env, session, slug, address, name, cadence)
    if subscription.status == "active":
        return "known"
    is_import = evidence.source is EvidenceSource.IMPORT
    kind = ConsentKind.IMPORTED if is_import else ConsentKind.ADDED
    subscription_state.activate(session, subscription, kind, evidence, env.now)
    return "updated" if known else "new"


def _row(
    env: Environment, session: Session, slug: str, address: str, name: str, cadence: str | None
) -> tuple[bool, Subscription]:
    """The subscription of an address, made (pending) where there is none; and whether it was there."""
    parsed = accept_address(env, address)
    mailing_list = get_list(session, slug)
    if cadence and cadence not in CADENCES:
        raise InvalidInput({"cadence": f"is none of {', '.join(CADENCES)}"})
    if is_suppressed(env, session, parsed.key):
        raise Refused("this address is suppressed", hint="see `newsletter suppression ls`")
    subscriber = session.scalar(select(Subscriber).where(Subscriber.email_key == parsed.key))
    if subscriber is None:
        subscriber = Subscriber(
            handle=new_handle(),
            email=parsed.email,
            email_key=parsed.key,
            name=to_plain_line(name, limit=200),
            created_at=env.now,
        )
        session.add(subscriber)
        session.flush()
    here = (Subscription.subscriber_id == subscriber.id, Subscription.list_id == mailing_list.id)
    known = session.scalar(select(Subscription).where(*here))
    if known is not None:
        if known.unsubscribed_at is not None:  # whatever somebody typed into a form since
            raise Refused(
                "this address has unsubscribed", hint="only its owner can subscribe again"
            )
        return True, known
    chosen = Cadence(cadence) if cadence else None
    return False, subscription_state.add_pending(
        session, mailing_list, subscriber.id, env.now, cadence=chosen
    )


def unsubscribe(env: Environment, address: str, slug: str) -> bool:
    """End one subscription on its owner's request, as their own click would.

    Returns whether it was active, and so a goodbye is mailed. Raises `NotFound` where there is no
    such subscription.
    """
    with transaction() as session:
        subscriber = get_subscriber(session, address)
        subscription = next(
            (each for each in subscriber.subscriptions if each.mailing_list.slug == slug), None
        )
        if subscription is None:
            raise NotFound(f"this address has no subscription to {slug}")
        was_active = subscription.status == "active"
        leave(env, session, subscription, Evidence(EvidenceSource.AUTHOR))
        return was_active


def remove_subscriber(env: Environment, address: str) -> SubscriberView:
    """Forget a subscriber: what waits for him is dropped, what was mailed stays counted.

    Raises `NotFound`.
    """
    with transaction() as session:
        found = get_subscriber(session, address)
        shown = describe_subscriber(found)
        outbox.cancel(
            session, [subscription.id for subscription in found.subscriptions], now=env.now
        )
        session.delete(found)
    checkpoint()
    return shown


def get_subscriber(session: Session, address: str) -> Subscriber:
    """A subscriber by her address.

    Raises `InvalidInput`, `NotFound`.
    """
    key = parse_address(address).key
    found: Subscriber | None = session.scalar(select(Subscriber).where(Subscriber.email_key == key))
    if found is None:
        raise NotFound("there is no subscriber with this address")
    return found


def describe_subscriber(row: Subscriber) -> SubscriberView:
    """A subscriber as her author sees her."""
    return SubscriberView(
        email=row.email,
        name=row.name,
        language=row.language,
        created_at=row.created_at,
        subscriptions=tuple(
            SubscriptionView(each.mailing_list.slug, each.status, each.cadence, each.paused_until)
            for each in row.subscriptions
        ),
    )
