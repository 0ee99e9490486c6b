"""A reader's own verbs: ask to subscribe, confirm, leave, come back, ask for a link.

The answer never depends on whether an address is known, and nothing is mailed here: what is to be mailed is queued in
the same transaction as the change that causes it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.addresses import Address, parse_address
from newsletter.content import plain
from newsletter.db import reading, transaction
from newsletter.errors import InvalidInput, LinkError, LinkInvalid, LinkSpent, NotFound, TooMany
from newsletter.languages import Text, known, say
from newsletter.models import ConsentEvent, MailingList, Subscriber, Subscription
from newsletter.schedule import CADENCES
from newsletter.services import limits, series, suppressions
from newsletter.services.environment import Environment
from newsletter.tokens import new_handle

CONFIRMATIONS_AT_MOST = 3
CONFIRMATION_EVERY = timedelta(days=1)
TOO_FAST = timedelta(seconds=2)
UNDO_FOR = timedelta(days=1)
BREAK = timedelta(days=30)
REASONS = ("often", "other", "never", "done")
"""Why somebody leaves: too many mails; not what she expected; never signed up; no longer needed."""


@dataclass(frozen=True, slots=True)
class SignUp:
    """What a visitor filled in. `trap` is the field that only robots see; `stamp` the signed time of our own form."""

    email: object
    name: object = ""
    cadence: object = ""
    language: object = ""
    trap: object = ""
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a word came from: kept with it, for the day somebody asks."""

    source: str
    page: str = ""
    ip: str = ""
    user_agent: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """A subscription as its owner sees it. `slower`: the cadences she could have instead; `others`: the titles of what
    else she subscribes to; `can_undo`: she has left within a day."""

    list_id: int
    slug: str
    title: str
    status: str
    cadence: str
    cadences: tuple[str, ...]
    language: str
    list_language: str
    slower: tuple[str, ...]
    others: tuple[str, ...]
    can_undo: bool


def default_wording(mailing_list: MailingList, language: str = "") -> str:
    """What a form in `language` (else the list's) says one agrees to, unless the list has words of its own."""
    words = Text(
        "Yes, send me %(list)s by e-mail. I can unsubscribe at any time with one click.", list=mailing_list.title
    )
    return mailing_list.consent_text or say(words, language or mailing_list.language)


def subscribe(env: Environment, slug: str, sign_up: SignUp, evidence: Evidence) -> None:
    """Asks for a subscription; the address must confirm it. Says nothing of whether it is known.

    Raises `NotFound` (no such list), `InvalidInput` (by field), `TooMany`.
    """
    with reading() as session:
        mailing_list = _list(session, slug)
        list_id, offered, default = mailing_list.id, mailing_list.cadences, mailing_list.default_cadence
    address, cadence = _checked(sign_up, offered, default)
    with transaction() as session:  # counted even where the rest fails
        refusal = None
        try:
            limits.sign_up(env, session, list_id=list_id, ip=evidence.ip)
        except TooMany as error:
            refusal = error
    if refusal:
        raise refusal
    if _robot(env, sign_up):
        return
    try:
        _request(env, slug, sign_up, address, cadence, evidence)
    except IntegrityError:  # the same address twice at the same moment: the other one has queued the mail
        return


def _checked(sign_up: SignUp, offered: list[str], default: str) -> tuple[Address, str]:
    problems: dict[str, str] = {}
    address = Address("", "")
    try:
        address = parse_address(sign_up.email)
    except InvalidInput as error:
        problems.update(error.fields)
    cadence = str(sign_up.cadence or default)
    if cadence not in offered:
        problems["cadence"] = Text("Please choose one of those offered.", detail="(" + ", ".join(offered) + ")")
    if len(str(sign_up.name or "")) > 200:
        problems["name"] = Text("Please use a shorter name.")
    if problems:
        raise InvalidInput(problems)
    return address, cadence


def _robot(env: Environment, sign_up: SignUp) -> bool:
    """Whether the form was filled in by a program: the hidden field, or faster than anybody types (S14)."""
    if sign_up.trap:
        return True
    if not sign_up.stamp:
        return False
    try:
        env.tokens.open("form", sign_up.stamp, env.now)
    except LinkError as error:
        return isinstance(error, LinkInvalid)  # an expired stamp is a page left open over lunch
    return env.now - env.tokens.signed_at("form", sign_up.stamp) < TOO_FAST


def _request(env: Environment, slug: str, sign_up: SignUp, address: Address, cadence: str, evidence: Evidence) -> None:
    """Writes a request down. Whoever asks, as much is read, and something written: the time says nothing (S04)."""
    with transaction() as session:
        now, mailing_list = env.now, _list(session, slug)
        barred = suppressions.suppressed(env, session, address.key)
        subscriber = session.scalar(select(Subscriber).where(Subscriber.email_key == address.key).with_for_update())
        here = (
            Subscription.list_id == mailing_list.id,
            Subscription.subscriber_id == (subscriber.id if subscriber else 0),
        )
        subscription = session.scalar(select(Subscription).where(*here))
        queued = False
        if not barred:
            subscription = subscription or _pending(session, mailing_list, subscriber, sign_up, address, cadence, now)
            queued = answer(session, subscription, cadence, now)
            if queued:
                wording = default_wording(mailing_list, known(sign_up.language))
                note_consent(session, subscription, "requested", evidence, now, wording=wording)
        if not queued:
            limits.count(session, f"signup/quiet/{mailing_list.id}", now=int(now.timestamp()), seconds=limits.HOUR)


def _pending(
    session: Session,
    mailing_list: MailingList,
    subscriber: Subscriber | None,
    sign_up: SignUp,
    address: Address,
    cadence: str,
    now: datetime,
) -> Subscription:
    if subscriber is None:
        subscriber = Subscriber(
            handle=new_handle(), email=address.email, email_key=address.key, created_at=now,
            name=plain(sign_up.name, limit=200), language=known(sign_up.language),
        )  # fmt: skip
        session.add(subscriber)
        session.flush()
    subscription = Subscription(
        handle=new_handle(), list_id=mailing_list.id, subscriber_id=subscriber.id, status="pending",
        cadence=cadence, round=1, created_at=now, confirmations=0,
    )  # fmt: skip
    session.add(subscription)
    session.flush()
    return subscription


def answer(session: Session, subscription: Subscription, cadence: str, now: datetime) -> bool:
    """Queues what the address gets for the request: a confirmation, or word that it is subscribed already; at most one
    a day, and three confirmations in all (S01). Returns whether anything was queued."""
    recent = subscription.confirmation_at is not None and now - subscription.confirmation_at < CONFIRMATION_EVERY
    if subscription.status == "unsubscribed":
        subscription.status, subscription.round = "pending", subscription.round + 1
        subscription.cadence = cadence
        if subscription.unsubscribed_at and now - subscription.unsubscribed_at >= CONFIRMATION_EVERY:
            subscription.confirmations = 0
    elif subscription.status == "pending":
        subscription.cadence = cadence
    if recent and subscription.confirmations > 0:
        return False
    if subscription.status == "active":
        subscription.confirmation_at, subscription.confirmations = now, 1
        outbox.enqueue(session, mail="already", subscription_id=subscription.id, now=now)
        return True
    if subscription.confirmations >= CONFIRMATIONS_AT_MOST:
        return False
    subscription.confirmation_at = now
    subscription.confirmations += 1
    context = {"round": subscription.round}
    outbox.enqueue(session, mail="confirm", subscription_id=subscription.id, now=now, context=context)
    return True


def look(env: Environment, purpose: str, token: str) -> Standing:
    """Whose link this is, for a page that only shows. Raises `LinkError`."""
    with reading() as session:
        return standing(_opened(env, session, purpose, token), env.now)


def confirm(env: Environment, token: str, evidence: Evidence) -> Standing:
    """Makes a subscription active; again is no error and changes nothing. Raises `LinkError`."""
    with transaction() as session:
        subscription = _opened(env, session, "confirm", token)
        if subscription.status == "pending":
            now = env.now
            mailing_list = subscription.mailing_list
            subscription.status, subscription.confirmed_at, subscription.unsubscribed_at = "active", now, None
            subscription.cursor, subscription.confirmations = mailing_list.entry_seq, 0
            subscription.confirmation_at = None
            wording = default_wording(mailing_list, subscription.subscriber.language)
            note_consent(session, subscription, "confirmed", evidence, now, wording=wording)
            if not series.begin(session, subscription, now):
                outbox.enqueue(session, mail="welcome", subscription_id=subscription.id, now=now)
        return standing(subscription, env.now)


def unsubscribe(env: Environment, token: str, evidence: Evidence) -> Standing:
    """Ends a subscription, at once and for good; again is no error. Raises `LinkError`."""
    with transaction() as session:
        subscription = _opened(env, session, "unsubscribe", token)
        leave(session, subscription, evidence, env.now)
        return standing(subscription, env.now)


def leave(session: Session, subscription: Subscription, evidence: Evidence, now: datetime) -> None:
    """Marks a subscription as ended and queues one goodbye; for those who never confirmed, silence."""
    if subscription.status == "unsubscribed":
        return
    was_active = subscription.status == "active"
    subscription.status, subscription.unsubscribed_at = "unsubscribed", now
    note_consent(session, subscription, "unsubscribed", evidence, now)
    if was_active:
        outbox.enqueue(session, mail="goodbye", subscription_id=subscription.id, now=now)


def undo(env: Environment, token: str, evidence: Evidence, *, cadence: str = "", break_: bool = False) -> Standing:
    """Takes an unsubscription back, for a day and for whoever was active before it; at a slower `cadence`, or after a
    `break_` of a month, where that is what was meant. Raises `LinkError`."""
    with transaction() as session:
        subscription = _opened(env, session, "unsubscribe", token)
        if _can_undo(subscription, env.now):
            if suppressions.suppressed(env, session, subscription.subscriber.email_key):
                raise LinkInvalid
            resume(session, subscription, "resubscribed", evidence, env.now)
            if cadence in slower(subscription):
                subscription.cadence = cadence
            subscription.paused_until = env.now + BREAK if break_ else None
        return standing(subscription, env.now)


def _can_undo(subscription: Subscription, now: datetime) -> bool:
    """An unsubscribe link works for ever, and may lie in a forwarded mail: it brings nobody back after a day."""
    left = subscription.unsubscribed_at
    known = subscription.status == "unsubscribed" and subscription.confirmed_at is not None
    return known and left is not None and now - left <= UNDO_FOR


def slower(subscription: Subscription) -> tuple[str, ...]:
    """The cadences of its list that are slower than a subscription's own."""
    order: tuple[str, ...] = CADENCES
    later = order[order.index(subscription.cadence) + 1 :]
    return tuple(cadence for cadence in later if cadence in subscription.mailing_list.cadences)


def resume(session: Session, subscription: Subscription, kind: str, evidence: Evidence, now: datetime) -> bool:
    """Makes a subscription active on its reader's word; she is owed what comes from now on. Begins the list's
    series for a new reader, or goes on with it. Returns whether its welcome letter was queued."""
    subscription.status, subscription.unsubscribed_at, subscription.paused_until = "active", None, None
    subscription.confirmed_at = subscription.confirmed_at or now
    subscription.cursor = subscription.mailing_list.entry_seq
    note_consent(session, subscription, kind, evidence, now)
    if kind == "confirmed" and subscription.series_at is None:
        return series.begin(session, subscription, now)
    subscription.series_due_at = now if subscription.series_at else None
    return False


def leave_all(env: Environment, token: str, evidence: Evidence) -> Standing:
    """Ends every subscription of the reader. Raises `LinkError`."""
    with transaction() as session:
        subscription = _opened(env, session, "unsubscribe", token)
        for each in subscription.subscriber.subscriptions:
            leave(session, each, evidence, env.now)
        return standing(subscription, env.now)


def give_reason(env: Environment, token: str, reason: str, evidence: Evidence) -> Standing:
    """Notes why she left, in one of the words of `REASONS`, once. Raises `LinkError`."""
    with transaction() as session:
        subscription = _opened(env, session, "unsubscribe", token)
        left = subscription.unsubscribed_at
        if reason in REASONS and subscription.status == "unsubscribed" and left is not None:
            said = exists().where(
                ConsentEvent.subscription_id == subscription.id, ConsentEvent.kind == "reason", ConsentEvent.at >= left
            )
            if not session.scalar(select(said)):
                note_consent(session, subscription, "reason", replace(evidence, note=reason), env.now)
        return standing(subscription, env.now)


def note_consent(
    session: Session, subscription: Subscription, kind: str, evidence: Evidence, now: datetime, *, wording: str = ""
) -> None:
    """Adds a piece of evidence. Nothing ever changes one."""
    session.add(
        ConsentEvent(
            subscription_id=subscription.id,
            kind=kind,
            at=now,
            source=evidence.source,
            wording=wording,
            page=plain(evidence.page, limit=500),
            ip=evidence.ip[:45],
            user_agent=plain(evidence.user_agent, limit=300),
            note=plain(evidence.note, limit=500),
        )
    )


def _list(session: Session, slug: str) -> MailingList:
    found: MailingList | None = session.scalar(select(MailingList).where(MailingList.slug == slug))
    if found is None:
        raise NotFound("there is no such list")
    return found


def _opened(env: Environment, session: Session, purpose: str, token: str) -> Subscription:
    """The subscription a token names. A confirmation counts for the request it was mailed for, no later one (T04)."""
    payload = env.tokens.open(purpose, token, env.now)  # type: ignore[arg-type]
    handle, _, round_ = payload.partition(".")
    found: Subscription | None = session.scalar(
        select(Subscription).where(Subscription.handle == handle).with_for_update()
    )
    if found is None:
        raise LinkInvalid
    if purpose == "confirm" and (str(found.round) != round_ or found.status == "unsubscribed"):
        raise LinkSpent(found.mailing_list.slug)
    return found


def standing(subscription: Subscription, now: datetime) -> Standing:
    """A subscription as its owner sees it."""
    mailing_list = subscription.mailing_list
    return Standing(
        list_id=mailing_list.id,
        slug=mailing_list.slug,
        title=mailing_list.title,
        status=subscription.status,
        cadence=subscription.cadence,
        cadences=tuple(mailing_list.cadences),
        language=subscription.subscriber.language,
        list_language=mailing_list.language,
        slower=slower(subscription),
        others=tuple(
            each.mailing_list.title
            for each in subscription.subscriber.subscriptions
            if each.status == "active" and each.id != subscription.id
        ),
        can_undo=_can_undo(subscription, now),
    )


def wording(slug: str, language: str = "") -> str:
    """What a list's form in `language` (else the list's own) says one agrees to. Raises `NotFound`."""
    with reading() as session:
        return default_wording(_list(session, slug), language)
