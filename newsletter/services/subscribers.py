"""The author's hand on subscribers: look, add on her own word, correct, remove."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.addresses import parse_address
from newsletter.content import plain
from newsletter.db import reading, transaction
from newsletter.errors import InvalidInput, NotFound, Refused
from newsletter.models import ConsentEvent, MailingList, Subscriber, Subscription
from newsletter.outbox import DeliveryRow
from newsletter.schedule import CADENCES
from newsletter.services.environment import Environment
from newsletter.services.feeds import find_list
from newsletter.services.subscriptions import Evidence, SignUp, leave, note_consent, subscribe
from newsletter.services.suppressions import suppressed
from newsletter.tokens import new_handle


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
class Story:
    """A subscriber with everything that happened: consent events and mails, oldest first."""

    subscriber: SubscriberView
    events: tuple[tuple[datetime, str], ...]
    suppressed: bool


def ls(
    *, slug: str | None = None, status: str | None = None, search: str = "", limit: int = 100
) -> list[SubscriberView]:
    """Subscribers, newest first."""
    query = select(Subscriber).order_by(Subscriber.id.desc()).limit(limit)
    if slug or status:
        query = query.join(Subscription).join(MailingList).distinct()
        query = query.where(MailingList.slug == slug) if slug else query
        query = query.where(Subscription.status == status) if status else query
    if search:
        query = query.where(Subscriber.email_key.contains(search.lower(), autoescape=True))
    with reading() as session:
        return [_view(row) for row in session.scalars(query)]


def count(*, slug: str | None = None, status: str | None = None) -> int:
    """How many subscriptions there are, of one list and status if given."""
    query = select(func.count(Subscription.id)).join(MailingList)
    query = query.where(MailingList.slug == slug) if slug else query
    query = query.where(Subscription.status == status) if status else query
    with reading() as session:
        return session.scalar(query) or 0


def show(env: Environment, address: str) -> Story:
    """One reader's whole story. Raises `NotFound`."""
    with reading() as session:
        found = _find(session, address)
        events: list[tuple[datetime, str]] = []
        for subscription in found.subscriptions:
            slug = subscription.mailing_list.slug
            noted = select(ConsentEvent).where(ConsentEvent.subscription_id == subscription.id)
            events += [(event.at, _told(event, slug)) for event in session.scalars(noted)]
            events += [(row.finished_at or env.now, _mailed(row)) for row in outbox.history(session, subscription.id)]
        return Story(_view(found), tuple(sorted(events)), suppressed(env, session, found.email_key))


def _told(event: ConsentEvent, slug: str) -> str:
    note = f" ({event.note})" if event.note else ""
    return f"{event.kind} {slug} by {event.source}{note}"


def _mailed(row: DeliveryRow) -> str:
    what = f"{row.mail} of campaign {row.campaign_id}" if row.campaign_id else row.mail
    said = f": {row.text}" if row.text and row.status != "sent" else ""
    return f"{what} {row.status}{said}"


def add(
    env: Environment,
    address: str,
    *,
    slug: str | None = None,
    name: str = "",
    cadence: str | None = None,
    because: str = "",
) -> SubscriberView:
    """Adds a subscriber. With `because` (the author's word that he agreed) at once active; else he is asked to confirm.

    Raises `InvalidInput`, `Refused` where the address is suppressed or has left before.
    """
    with reading() as session:
        slug = find_list(session, slug).slug
    parsed = parse_address(address)
    if not because:
        subscribe(env, slug, SignUp(address, name=name, cadence=cadence or ""), Evidence("author"))
    else:
        with transaction() as session:
            activate(env, session, slug, address, name=name, cadence=cadence, evidence=Evidence("author", note=because))
    with reading() as session:
        found = session.scalar(select(Subscriber).where(Subscriber.email_key == parsed.key))
        if found is None:
            raise Refused("this address is suppressed", hint="see `newsletter suppression ls`")
        return _view(found)


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
    """Makes an address active on the author's word, mailing nobody. Returns ``new``, ``updated`` or ``known``.

    Raises `InvalidInput`, `Refused` (suppressed, or unsubscribed: his own word stands above the author's).
    """
    known, subscription = _row(env, session, slug, address, name, cadence)
    if subscription.status == "active":
        return "known"
    subscription.status, subscription.confirmed_at = "active", env.now
    subscription.cursor = subscription.mailing_list.entry_seq
    kind = "imported" if evidence.source == "import" else "added"
    note_consent(session, subscription, kind, evidence, env.now)
    return "updated" if known else "new"


def _row(
    env: Environment, session: Session, slug: str, address: str, name: str, cadence: str | None
) -> tuple[bool, Subscription]:
    """The subscription of an address, made (pending) where there is none; and whether it was there."""
    parsed = parse_address(address)
    mailing_list = find_list(session, slug)
    if cadence and cadence not in CADENCES:
        raise InvalidInput({"cadence": f"is none of {', '.join(CADENCES)}"})
    if suppressed(env, session, parsed.key):
        raise Refused("this address is suppressed", hint="see `newsletter suppression ls`")
    subscriber = session.scalar(select(Subscriber).where(Subscriber.email_key == parsed.key))
    if subscriber is None:
        subscriber = Subscriber(
            handle=new_handle(), email=parsed.email, email_key=parsed.key, name=plain(name, limit=200),
            created_at=env.now,
        )  # fmt: skip
        session.add(subscriber)
        session.flush()
    here = (Subscription.subscriber_id == subscriber.id, Subscription.list_id == mailing_list.id)
    known = session.scalar(select(Subscription).where(*here))
    if known is not None:
        if known.unsubscribed_at is not None:  # whatever somebody typed into a form since
            raise Refused("this address has unsubscribed", hint="only its owner can subscribe again")
        return True, known
    made = Subscription(
        handle=new_handle(), list_id=mailing_list.id, subscriber_id=subscriber.id, status="pending",
        cadence=cadence or mailing_list.default_cadence, created_at=env.now,
    )  # fmt: skip
    session.add(made)
    session.flush()
    return False, made


def edit(
    address: str, *, name: str | None = None, slug: str | None = None, cadence: str | None = None
) -> SubscriberView:
    """Corrects a name, or a cadence on one list. Raises `NotFound`, `InvalidInput`."""
    with transaction() as session:
        found = _find(session, address)
        if name is not None:
            found.name = plain(name, limit=200)
        if cadence is not None:
            if cadence not in CADENCES:
                raise InvalidInput({"cadence": f"is none of {', '.join(CADENCES)}"})
            for subscription in found.subscriptions:
                if slug in (None, subscription.mailing_list.slug):
                    subscription.cadence = cadence
        session.flush()
        return _view(found)


def unsubscribe(env: Environment, address: str, slug: str) -> SubscriberView:
    """Ends one subscription on its owner's request, as his own click would."""
    with transaction() as session:
        found = _find(session, address)
        for subscription in found.subscriptions:
            if subscription.mailing_list.slug == slug:
                leave(session, subscription, Evidence("author"), env.now)
        session.flush()
        return _view(found)


def remove(env: Environment, address: str) -> SubscriberView:
    """Forgets a subscriber: what waits for him is dropped, what was mailed stays counted. Raises `NotFound`."""
    with transaction() as session:
        found = _find(session, address)
        shown = _view(found)
        outbox.cancel(session, [subscription.id for subscription in found.subscriptions], now=env.now)
        session.delete(found)
        return shown


def _find(session: Session, address: str) -> Subscriber:
    key = parse_address(address).key
    found: Subscriber | None = session.scalar(select(Subscriber).where(Subscriber.email_key == key))
    if found is None:
        raise NotFound("there is no subscriber with this address")
    return found


def _view(row: Subscriber) -> SubscriberView:
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
