"""A reader's preferences: what one link shows of a person's subscriptions, and lets its holder change.

Mails are forwarded, so the links in them do little: change a rhythm, take a break, leave. What could harm a reader in
another's hands (her name, her address, more newsletters) needs a link of her *own*: one she asked for, mailed to her
alone, and for a day. Her data and her erasure are not on this page at all: they are mailed to her as links.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.addresses import mask
from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput, LinkInvalid
from newsletter.html.sanitize import plain
from newsletter.i18n import Text, known
from newsletter.models import MailingList, Subscriber, Subscription
from newsletter.names import clean_name
from newsletter.services import counters
from newsletter.services.consent import Evidence, note_consent
from newsletter.services.lists import topics
from newsletter.services.mailboxes import Allowance, queue_mail
from newsletter.services.runtime import Environment
from newsletter.services.signup import double_opt_in
from newsletter.services.subscribers import address_change, link_requests
from newsletter.services.subscribers.subscriptions import leave, resume
from newsletter.services.suppressions import suppressed
from newsletter.tokens import new_handle
from newsletter.vocabulary import Cadence

PAUSE_AT_MOST = timedelta(days=366)
OWN_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class TopicChoice:
    """A topic of a list, and whether she gets it."""

    id: int
    name: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """A list on the page: one that is subscribed to, was, or could be (`status` empty). `paused_until` is a date or
    None; `topics` are empty where the list has none."""

    slug: str
    title: str
    language: str
    status: str
    cadence: str
    cadences: tuple[str, ...]
    paused_until: datetime | None
    topics: tuple[TopicChoice, ...]


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the page shows. The address is masked: a forwarded mail must not give it away. `own`: the link is one that
    she asked for; else `name` is empty. `new_masked`: an address that waits to be confirmed."""

    masked: str
    name: str
    language: str
    list_language: str
    choices: tuple[Choice, ...]
    own: bool
    new_masked: str


@dataclass(frozen=True, slots=True)
class _Holder:
    """Whoever holds a link: the subscription it names, and whether it is the reader's own."""

    subscription: Subscription
    own: bool

    @property
    def subscriber(self) -> Subscriber:
        return self.subscription.subscriber


def show(env: Environment, token: str) -> Preferences:
    """Raises `LinkError`."""
    with reading() as session:
        return _shown(session, _holder(env, session, token))


def change(env: Environment, token: str, wanted: Mapping[str, str], evidence: Evidence) -> Preferences:
    """Applies, as far as given, ``cadence-<slug>``, ``pause-<slug>`` (a date, or empty), ``leave-<slug>``,
    ``topics-<slug>`` (then each ``topic-<slug>-<id>`` that is given is chosen) and ``language``; with a link of one's
    own also ``join-<slug>`` and ``name``.

    Raises `LinkError`, `InvalidInput`; then nothing has changed.
    """
    with transaction() as session:
        holder = _holder(env, session, token)
        double_opt_in.lock_owner(session, holder.subscription.handle)
        counters.count_change(env, session, holder.subscription.id)
        subscriber = holder.subscriber
        if "language" in wanted:
            subscriber.language = known(wanted["language"])
        for subscription in subscriber.subscriptions:
            _apply(env, session, subscription, wanted, evidence)
        if holder.own:
            if "name" in wanted:
                subscriber.name = clean_name(plain(wanted["name"], limit=200))
            _join(env, session, subscriber, wanted, evidence)
        session.flush()
        session.expire(subscriber, ["subscriptions"])
        return _shown(session, holder)


def mail_link(env: Environment, token: str, kind: link_requests.Kind) -> Preferences:
    """Mails the reader a link: of her own (``link``), to her data (``export``) or to be erased (``erase``). Whoever
    holds the page's link, the mail goes to her. Raises `LinkError`."""
    with transaction() as session:
        holder = _holder(env, session, token)
        double_opt_in.lock_owner(session, holder.subscription.handle)
        counters.count_change(env, session, holder.subscription.id)
        link_requests.for_reader(env, session, holder.subscription, kind, own=holder.own)
        return _shown(session, holder)


def move(env: Environment, token: str, address: object, ip: str) -> Preferences:
    """Asks the new `address` to confirm that it is hers. Raises `LinkError`, `InvalidInput` under ``address``,
    `TooMany`."""
    checked = address_change.check(env, address)
    counters.require_room(env, counters.Visit(counters.ELSEWHERE, ip, checked.key))
    with transaction() as session:
        holder = _holder(env, session, token)
        if not holder.own:
            raise InvalidInput({"address": Text("For this, please have a link of your own mailed to you first.")})
        address_change.ask(env, session, holder.subscription, checked, ip)
        return _shown(session, holder)


def _apply(
    env: Environment, session: Session, subscription: Subscription, wanted: Mapping[str, str], evidence: Evidence
) -> None:
    slug = subscription.mailing_list.slug
    if subscription.status != "active":
        return
    if wanted.get(f"leave-{slug}"):
        leave(env, session, subscription, evidence)
        return
    cadence = wanted.get(f"cadence-{slug}", subscription.cadence)
    if cadence != subscription.cadence:
        if cadence not in subscription.mailing_list.cadences:
            raise InvalidInput({f"cadence-{slug}": Text("Please choose one of those offered.")})
        noted = replace(evidence, note=f"{subscription.cadence} → {cadence}")
        subscription.cadence = Cadence(cadence)
        note_consent(session, subscription.id, "changed", noted, env.now)
    if f"pause-{slug}" in wanted:
        subscription.paused_until = _until(wanted[f"pause-{slug}"], f"pause-{slug}", env.now)
    if wanted.get(f"topics-{slug}"):
        prefix = f"topic-{slug}-"
        topics.choose_topics(
            session, subscription, [key.removeprefix(prefix) for key in wanted if key.startswith(prefix)]
        )


def _join(
    env: Environment, session: Session, subscriber: Subscriber, wanted: Mapping[str, str], evidence: Evidence
) -> None:
    """Subscribes to more lists, at once: the link itself proves whose address it is."""
    there = {each.list_id: each for each in subscriber.subscriptions}
    for mailing_list in _of_her_senders(session, subscriber):
        if not wanted.get(f"join-{mailing_list.slug}"):
            continue
        found = there.get(mailing_list.id)
        if found is None:
            found = Subscription(
                handle=new_handle(), list_id=mailing_list.id, subscriber_id=subscriber.id, status="pending",
                cadence=mailing_list.default_cadence, created_at=env.now,
            )  # fmt: skip
            session.add(found)
            session.flush()
        if found.status != "active" and not resume(session, found, "confirmed", evidence, env.now):
            queue_mail(env, session, found, "welcome", Allowance.OWN)


def _of_her_senders(session: Session, subscriber: Subscriber) -> list[MailingList]:
    """The lists of those who may write to her already, known by the domain they send from. Whoever else sends from
    this installation is no business of hers (S06)."""
    lists = session.scalars(select(MailingList).order_by(MailingList.id)).all()
    hers = {_domain(each.mailing_list) for each in subscriber.subscriptions}
    return [each for each in lists if _domain(each) in hers]


def _domain(mailing_list: MailingList) -> str:
    return mailing_list.from_email.rpartition("@")[2].lower()


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


def _holder(env: Environment, session: Session, token: str) -> _Holder:
    handle, _, kind = env.tokens.open("preferences", token, env.now).partition(".")
    found: Subscription | None = session.scalar(select(Subscription).where(Subscription.handle == handle))
    if found is None or suppressed(env, session, found.subscriber.email_key):
        raise LinkInvalid
    young = env.now - env.tokens.signed_at("preferences", token) <= OWN_FOR
    return _Holder(found, own=kind == "own" and young)


def _shown(session: Session, holder: _Holder) -> Preferences:
    subscriber = holder.subscriber
    there = {each.list_id: each for each in subscriber.subscriptions if each.status != "pending"}
    lists = _of_her_senders(session, subscriber)
    return Preferences(
        masked=mask(subscriber.email),
        name=subscriber.name if holder.own else "",
        language=subscriber.language,
        list_language=holder.subscription.mailing_list.language,
        choices=tuple(_choice(session, row, there.get(row.id)) for row in lists if holder.own or row.id in there),
        own=holder.own,
        new_masked=mask(subscriber.new_email) if holder.own and subscriber.new_email else "",
    )


def _choice(session: Session, mailing_list: MailingList, subscription: Subscription | None) -> Choice:
    offers = topics.topics_of(session, mailing_list.id)
    chosen = topics.chosen_topics(session, subscription) if subscription else offers
    return Choice(
        slug=mailing_list.slug,
        title=mailing_list.title,
        language=mailing_list.language,
        status=subscription.status if subscription else "",
        cadence=subscription.cadence if subscription else mailing_list.default_cadence,
        cadences=tuple(mailing_list.cadences),
        paused_until=subscription.paused_until if subscription else None,
        topics=tuple(TopicChoice(offer.id, offer.name, offer in chosen) for offer in offers),
    )
