"""A reader's preferences: what one link shows of a person's subscriptions and lets them change; and a fresh link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.addresses import mask, parse_address
from newsletter.content import plain
from newsletter.db import reading, transaction
from newsletter.errors import InvalidInput, LinkInvalid, TooMany
from newsletter.languages import Text, known
from newsletter.models import Subscriber, Subscription
from newsletter.services import limits
from newsletter.services.environment import Environment
from newsletter.services.subscriptions import Evidence, answer, leave, note_consent
from newsletter.services.suppressions import suppressed

PAUSE_AT_MOST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Choice:
    """One subscription on the page. `paused_until` is a date or None."""

    slug: str
    title: str
    status: str
    cadence: str
    cadences: tuple[str, ...]
    paused_until: datetime | None


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the page shows. The address is masked: a forwarded mail must not give it away."""

    masked: str
    name: str
    language: str
    choices: tuple[Choice, ...]


def show(env: Environment, token: str) -> Preferences:
    """Raises `LinkError`."""
    with reading() as session:
        return _shown(_subscriber(env, session, token))


def change(env: Environment, token: str, wanted: Mapping[str, str], evidence: Evidence) -> Preferences:
    """Applies ``cadence-<slug>``, ``pause-<slug>`` (a date, or empty), ``leave-<slug>``, ``name`` and ``language`` as
    far as given.

    Raises `LinkError`, `InvalidInput`; then nothing has changed.
    """
    with transaction() as session:
        subscriber = _subscriber(env, session, token)
        if "name" in wanted:
            subscriber.name = plain(wanted["name"], limit=200)
        if "language" in wanted:
            subscriber.language = known(wanted["language"])
        for subscription in subscriber.subscriptions:
            _apply(env, session, subscription, wanted, evidence)
        session.flush()
        return _shown(subscriber)


def _apply(
    env: Environment, session: Session, subscription: Subscription, wanted: Mapping[str, str], evidence: Evidence
) -> None:
    slug = subscription.mailing_list.slug
    if subscription.status != "active":
        return
    if wanted.get(f"leave-{slug}"):
        leave(session, subscription, evidence, env.now)
        return
    cadence = wanted.get(f"cadence-{slug}", subscription.cadence)
    if cadence != subscription.cadence:
        if cadence not in subscription.mailing_list.cadences:
            raise InvalidInput({f"cadence-{slug}": Text("Please choose one of those offered.")})
        evidence_note = f"{subscription.cadence} → {cadence}"
        subscription.cadence = cadence
        note_consent(session, subscription, "changed", evidence, env.now, wording=evidence_note)
    if f"pause-{slug}" in wanted:
        subscription.paused_until = _until(wanted[f"pause-{slug}"], f"pause-{slug}", env.now)


def _until(text: str, field: str, now: datetime) -> datetime | None:
    if not text.strip():
        return None
    try:
        found = datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidInput({field: Text("Please give a date like 2027-01-31.")}) from None
    if found <= now:
        return None
    if found - now > PAUSE_AT_MOST:
        raise InvalidInput({field: Text("A break can last a year at most.")})
    return found


def _subscriber(env: Environment, session: Session, token: str) -> Subscriber:
    handle = env.tokens.open("preferences", token, env.now)
    found: Subscription | None = session.scalar(select(Subscription).where(Subscription.handle == handle))
    if found is None or suppressed(env, session, found.subscriber.email_key):
        raise LinkInvalid
    return found.subscriber


def _shown(subscriber: Subscriber) -> Preferences:
    return Preferences(
        masked=mask(subscriber.email),
        name=subscriber.name,
        language=subscriber.language,
        choices=tuple(
            Choice(
                slug=subscription.mailing_list.slug,
                title=subscription.mailing_list.title,
                status=subscription.status,
                cadence=subscription.cadence,
                cadences=tuple(subscription.mailing_list.cadences),
                paused_until=subscription.paused_until,
            )
            for subscription in subscriber.subscriptions
            if subscription.status != "pending"
        ),
    )


def send_link(env: Environment, email: object, evidence: Evidence) -> None:
    """Mails a fresh link to the preferences, or to confirm where that was not done yet; nothing to strangers.

    The same answer for everybody. Raises `InvalidInput`, `TooMany`.
    """
    address = parse_address(email)
    with transaction() as session:
        limited = None
        try:
            limits.sign_up(env, session, list_id=0, ip=evidence.ip)
        except TooMany as error:
            limited = error
    if limited:
        raise limited
    with transaction() as session:
        subscription = session.scalar(
            select(Subscription)
            .join(Subscriber)
            .where(Subscriber.email_key == address.key)
            .order_by((Subscription.status == "active").desc(), (Subscription.status == "pending").desc())
            .limit(1)
        )
        if subscription is None or suppressed(env, session, address.key):
            return
        if subscription.status == "pending":
            answer(session, subscription, subscription.cadence, env.now)
            return
        day = int(env.now.timestamp())
        if limits.count(session, f"link/{subscription.subscriber_id}", now=day, seconds=86_400) <= 3:
            outbox.enqueue(session, mail="link", subscription_id=subscription.id, now=env.now)
