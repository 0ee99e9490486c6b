"""List, add, unsubscribe and remove subscribers for the author."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session, selectinload

from newsletter.db.session import checkpoint, reading, transaction
from newsletter.errors import NotFound, Refused
from newsletter.html.text import to_plain_line
from newsletter.i18n import Text, find_language
from newsletter.models import Subscriber, Subscription, Tag
from newsletter.services import subscription_state, tags
from newsletter.services.audience import segments
from newsletter.services.consent import Evidence
from newsletter.services.lists import topics
from newsletter.services.lookup import get_list
from newsletter.services.runtime import Environment
from newsletter.services.signup.address_policy import accept_address
from newsletter.services.signup.subscribe import Submission, subscribe
from newsletter.services.subscribers import correct
from newsletter.services.subscribers.privacy import delete_subscriber
from newsletter.services.subscribers.subscriptions import leave
from newsletter.services.subscribers.views import (
    SubscriberView,
    describe_subscriber,
    get_subscriber,
    read_topic_names,
)
from newsletter.services.suppressions import is_suppressed
from newsletter.tokens import new_handle
from newsletter.vocabulary import Actor, Cadence, ConsentKind, EvidenceSource, SubscriptionStatus

PAGE = 500


@dataclass(frozen=True, slots=True)
class SubscriberFilter:
    """A filter of subscribers; empty fields match all.

    By list, by the status and cadence of a subscription, by a part of the address or name, by the
    day since which they are known, by tag, or by whom a letter to a `segment` would reach `at` a
    moment. `before` is the subscriber that the page before ended with, `down_to` the last to be
    looked at.
    """

    slug: str | None = None
    status: SubscriptionStatus | None = None
    cadence: Cadence | None = None
    search: str = ""
    since: datetime | None = None
    tag: str = ""
    segment: str = ""
    at: datetime | None = None
    before: int | None = None
    down_to: int | None = None


def iterate_subscribers(
    chosen: SubscriberFilter = SubscriberFilter(), *, page: int = PAGE
) -> Iterator[SubscriberView]:
    """Yield every subscriber that the filter matches, newest first, read `page` rows at a time.

    Raises `NotFound` (no such list).
    """
    before = chosen.before
    load = selectinload(Subscriber.subscriptions).selectinload(Subscription.mailing_list)
    while True:
        with reading() as session:
            query = (
                select(Subscriber)
                .where(*filter_clauses(session, chosen))
                .order_by(Subscriber.id.desc())
                .limit(page)
            )
            query = query.where(Subscriber.id < before) if before else query
            rows = session.scalars(query.options(load)).all()
            names = read_topic_names(session)
            words = tags.read_tags(session, [row.id for row in rows])
            views = [
                replace(describe_subscriber(session, row, names), tags=words.get(row.id, ()))
                for row in rows
            ]
            before = rows[-1].id if rows else None
        yield from views
        if before is None:
            return


def count_subscribers(chosen: SubscriberFilter = SubscriberFilter()) -> int:
    """Count the subscribers that the filter matches."""
    with reading() as session:
        return (
            session.scalar(
                select(func.count(Subscriber.id)).where(*filter_clauses(session, chosen))
            )
            or 0
        )


def filter_clauses(session: Session, chosen: SubscriberFilter) -> list[ColumnElement[bool]]:
    """Build the conditions for the subscribers that the filter matches."""
    conditions: list[ColumnElement[bool]] = []
    of_subscription = [Subscription.subscriber_id == Subscriber.id]
    if chosen.slug:
        of_subscription.append(Subscription.list_id == get_list(session, chosen.slug).id)
    if chosen.status:
        of_subscription.append(Subscription.status == chosen.status)
    if chosen.cadence:
        of_subscription.append(Subscription.cadence == chosen.cadence)
    if len(of_subscription) > 1:
        conditions.append(exists().where(*of_subscription))
    if chosen.search:
        part = chosen.search.lower()
        conditions.append(
            or_(
                Subscriber.email_key.contains(part, autoescape=True),
                func.lower(Subscriber.name).contains(part, autoescape=True),
            )
        )
    if chosen.since:
        conditions.append(Subscriber.created_at >= chosen.since)
    if chosen.down_to is not None:
        conditions.append(Subscriber.id >= chosen.down_to)
    if chosen.tag:
        conditions.append(
            exists().where(
                Tag.subscriber_id == Subscriber.id, Tag.tag == chosen.tag.strip().lower()
            )
        )
    if chosen.segment and chosen.at:
        mailing_list = get_list(session, chosen.slug)
        conditions.append(
            exists().where(
                Subscription.subscriber_id == Subscriber.id,
                segments.segment_clause(mailing_list, chosen.segment, chosen.at),
            )
        )
    return conditions


@dataclass(frozen=True, slots=True)
class Addition:
    """A subscriber to add; None and empty fields use the list's defaults.

    `because` is how the author knows that they agreed, kept as evidence.
    """

    email: str
    slug: str | None = None
    name: str = ""
    language: str = ""
    cadence: Cadence | None = None
    topics: Sequence[str] = ()
    answers: Mapping[str, str] = field(default_factory=dict)
    tag: Sequence[str] = ()
    because: str = ""


def add_subscriber(env: Environment, added: Addition) -> SubscriberView:
    """Add a subscriber.

    With `because` the subscription is active at once; without it, a confirmation is mailed, and
    what was added counts once it is confirmed. Raises `InvalidInput`, `Refused` where the address
    is suppressed or has left before.
    """
    with reading() as session:
        slug = get_list(session, added.slug).slug
    parsed = accept_address(env, added.email)
    if added.because:
        _add_active(env, added, slug)
    else:
        tags.clean_tags(added.tag)
        submission = Submission(
            added.email,
            name=added.name,
            cadence=added.cadence or "",
            language=added.language,
            topics=added.topics,
            answers=added.answers,
        )
        subscribe(env, slug, submission, Evidence(EvidenceSource.AUTHOR))
    with transaction() as session:
        subscriber = session.scalar(select(Subscriber).where(Subscriber.email_key == parsed.key))
        if subscriber is None:
            raise Refused(
                Text("this address is suppressed"), hint=Text("see `newsletter suppression ls`")
            )
        tags.add_tags(session, subscriber.id, added.tag)
        return describe_subscriber(session, subscriber)


def _add_active(env: Environment, added: Addition, slug: str) -> None:
    evidence = Evidence(EvidenceSource.AUTHOR, note=added.because)
    with transaction() as session:
        is_changed = activate(
            env,
            session,
            slug,
            added.email,
            name=added.name,
            cadence=added.cadence,
            evidence=evidence,
        )
        if not is_changed:
            return
        subscriber = get_subscriber(session, added.email)
        subscriber.language = subscriber.language or find_language(added.language)
        subscription = next(
            row for row in subscriber.subscriptions if row.mailing_list.slug == slug
        )
        if added.topics:
            topics.choose_topics(session, subscription, added.topics)
        correct.set_answers(session, subscription, added.answers, added.because)


def activate(
    env: Environment,
    session: Session,
    slug: str,
    address: str,
    *,
    name: str = "",
    cadence: Cadence | None = None,
    evidence: Evidence,
) -> bool:
    """Activate a subscription on the author's authority, without a confirmation.

    Returns whether it was not active before. Raises `InvalidInput`, `Refused` (suppressed, or
    unsubscribed: the subscriber's own word stands above the author's).
    """
    subscription = _get_or_add(env, session, slug, address, name, cadence)
    if subscription.status == SubscriptionStatus.ACTIVE:
        return False
    is_import = evidence.source is EvidenceSource.IMPORT
    kind = ConsentKind.IMPORTED if is_import else ConsentKind.ADDED
    subscription_state.activate(session, subscription, kind, evidence, env.now)
    return True


def _get_or_add(
    env: Environment, session: Session, slug: str, address: str, name: str, cadence: Cadence | None
) -> Subscription:
    """Return the subscription of an address, creating it if there is none."""
    parsed = accept_address(env, address)
    mailing_list = get_list(session, slug)
    if is_suppressed(env, session, parsed.key):
        raise Refused(
            Text("this address is suppressed"), hint=Text("see `newsletter suppression ls`")
        )
    subscriber = session.scalar(select(Subscriber).where(Subscriber.email_key == parsed.key))
    if subscriber is None:
        subscriber = Subscriber(
            handle=new_handle(),
            email=parsed.email,
            email_key=parsed.key,
            created_at=env.now,
        )
        session.add(subscriber)
        session.flush()
    if not any(row.confirmed_at for row in subscriber.subscriptions):
        subscriber.name = subscriber.name or to_plain_line(name, limit=200)
    pair = (Subscription.subscriber_id == subscriber.id, Subscription.list_id == mailing_list.id)
    existing = session.scalar(select(Subscription).where(*pair))
    if existing is not None:
        if existing.unsubscribed_at is not None:  # whatever somebody typed into a form since
            raise Refused(
                Text("this address has unsubscribed"),
                hint=Text("only its owner can subscribe again"),
            )
        if existing.status is SubscriptionStatus.PENDING:  # a stranger may have typed another
            existing.cadence = cadence or mailing_list.default_cadence
        return existing
    return subscription_state.add_pending(
        session, mailing_list, subscriber.id, env.now, cadence=cadence
    )


def unsubscribe(env: Environment, address: str, slug: str) -> bool:
    """Unsubscribe a subscriber at their request, as their own link would.

    Returns whether it was active, and so a goodbye is mailed. Raises `NotFound` where there is no
    such subscription.
    """
    with transaction() as session:
        subscriber = get_subscriber(session, address)
        subscription = next(
            (row for row in subscriber.subscriptions if row.mailing_list.slug == slug), None
        )
        if subscription is None:
            raise NotFound(
                f"this address has no subscription to {slug}", hint="see `newsletter subscriber ls`"
            )
        was_active = subscription.status == SubscriptionStatus.ACTIVE
        leave(env, session, subscription, Evidence(EvidenceSource.AUTHOR))
        return was_active


def remove_subscriber(env: Environment, address: str) -> SubscriberView:
    """Delete a subscriber: queued mail is cancelled, sent mail stays in the totals.

    Raises `NotFound`.
    """
    with transaction() as session:
        subscriber = get_subscriber(session, address)
        view = describe_subscriber(session, subscriber)
        subscription_state.record_removed(session, subscriber, Actor.AUTHOR, "removed", env.now)
        delete_subscriber(session, subscriber, env.now)
    checkpoint()
    return view
