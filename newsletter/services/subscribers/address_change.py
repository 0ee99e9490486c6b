"""A reader's new address: asked for with a link of her own, confirmed at the new address, announced at the old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.addresses import Address, mask
from newsletter.db.session import reading, transaction
from newsletter.errors import Conflict, LinkInvalid
from newsletter.models import Delivery, Subscriber, Subscription
from newsletter.services import counters
from newsletter.services.consent import Evidence, note_consent
from newsletter.services.mailboxes import (
    Allowance,
    LockedMailbox,
    forget_unanswered,
    lock_mailbox,
    record_mail,
)
from newsletter.services.runtime import Environment
from newsletter.services.signup.address_policy import accepted
from newsletter.services.signup.double_opt_in import lock_owner, taken_back
from newsletter.services.suppressions import hashes, suppressed

MARK_LENGTH = 16
KEPT_FOR = timedelta(days=2)
"""Longer than a link to confirm with is good."""


@dataclass(frozen=True, slots=True)
class Move:
    """A change of address as its page shows it: `waiting`, `done`, or `taken` by another subscriber."""

    state: str
    masked: str
    title: str
    language: str
    list_language: str


def check(env: Environment, typed: object) -> Address:
    """Return the new address that was typed, if a sign-up would take it. Raises `InvalidInput` under ``address``."""
    return accepted(env, typed, field="address")


def ask(env: Environment, session: Session, subscription: Subscription, address: Address, ip: str) -> None:
    """Note the new address and mail it a link, as a stranger's: it keeps to the ceilings and passes the gate of a
    sign-up. The answer does not say whether anybody has it already. Raises `TooMany`.

    The mail counts for the subscriber's own mailbox as well, which pays for the notice of the move.
    """
    subscriber = subscription.subscriber
    if address.key == subscriber.email_key:
        return
    counters.count_request(env, session, counters.Visit(counters.ELSEWHERE, ip, address.key))
    lock_owner(session, subscription.handle)
    subscriber.new_email, subscriber.new_email_key = address.email, address.key
    own, strange = _lock_both(env, session, subscriber.email_key, address.key)
    barred = suppressed(env, session, address.key)
    may = not barred and own.allows(Allowance.OWN, env.now)
    may = strange.allows(Allowance.ASKED, env.now, confirmed=False) and may
    context = {
        "to": address.email,
        "mark": hashes(env, address.key)[0][:MARK_LENGTH],
        "network": counters.places(ip)[1],
    }
    if may:
        _queue(env, session, subscription, context, own, strange)
    with taken_back(session):
        if not may:
            _queue(env, session, subscription, context, own, strange)


def _lock_both(env: Environment, session: Session, own_key: str, new_key: str) -> tuple[LockedMailbox, LockedMailbox]:
    """Lock two mailboxes in one order, so that two requests never wait for each other."""
    locked = {key: lock_mailbox(env, session, key) for key in sorted({own_key, new_key})}
    return locked[own_key], locked[new_key]


def _queue(
    env: Environment,
    session: Session,
    subscription: Subscription,
    context: dict[str, str],
    own: LockedMailbox,
    strange: LockedMailbox,
) -> None:
    now = env.now
    id_ = outbox.enqueue(session, mail="address", subscription_id=subscription.id, now=now, context=context, held=True)
    own = own.with_mail(Allowance.OWN, id_, now)
    if own.mailbox_hash == strange.mailbox_hash:  # another spelling of the same mailbox
        strange = own
    else:
        record_mail(session, own, now)
    record_mail(session, strange.with_mail(Allowance.ASKED, id_, now, confirmed=False), now)


def look(env: Environment, token: str) -> Move:
    """What a link asks to confirm. Raises `LinkError`."""
    with reading() as session:
        subscription, mark = _opened(env, session, token)
        return _shown(env, session, subscription, mark)


def confirm(env: Environment, token: str, evidence: Evidence) -> Move:
    """Moves the reader to the address that was confirmed; again changes nothing. Raises `LinkError`."""
    try:
        with transaction() as session:
            subscription, mark = _opened(env, session, token)
            found = _shown(env, session, subscription, mark)
            if found.state == "waiting":
                _move(env, session, subscription, evidence)
                return _shown(env, session, subscription, mark)
            return found
    except Conflict as conflict:
        if conflict.constraint != "uq_subscribers_email_key":
            raise
        # Somebody has subscribed with the new address at this moment.
        return look(env, token)


def tidy(env: Environment, session: Session) -> None:
    """Forgets addresses that nobody confirmed while the link was good, and those in mails about a move."""
    since = env.now - KEPT_FOR
    asked = (
        select(Subscription.subscriber_id)
        .join(Delivery, Delivery.subscription_id == Subscription.id)
        .where(Delivery.mail == "address", Delivery.created_at >= since)
    )
    waiting = (Subscriber.new_email.is_not(None), Subscriber.id.not_in(asked))
    session.execute(update(Subscriber).where(*waiting).values(new_email=None, new_email_key=None))
    outbox.scrub_old(session, ("address", "moved"), before=since)


def _move(env: Environment, session: Session, subscription: Subscription, evidence: Evidence) -> None:
    subscriber = subscription.subscriber
    before, after = subscriber.email, str(subscriber.new_email)
    subscriber.email, subscriber.email_key = after, str(subscriber.new_email_key)
    subscriber.new_email = subscriber.new_email_key = None
    forget_unanswered(env, session, subscriber.email_key)
    session.flush()
    noted = Evidence(evidence.source, evidence.page, evidence.ip, evidence.user_agent, note=f"{before} → {after}")
    for each in subscriber.subscriptions:
        note_consent(session, each.id, "moved", noted, env.now)
    outbox.enqueue(session, mail="moved", subscription_id=subscription.id, now=env.now, context={"to": before})


def _opened(env: Environment, session: Session, token: str) -> tuple[Subscription, str]:
    handle, _, mark = env.tokens.open("address", token, env.now).partition(".")
    lock_owner(session, handle)
    found = session.scalar(select(Subscription).where(Subscription.handle == handle).with_for_update())
    if found is None or not mark:
        raise LinkInvalid
    return found, mark


def _shown(env: Environment, session: Session, subscription: Subscription, mark: str) -> Move:
    subscriber = subscription.subscriber
    if _marked(env, subscriber.email_key, mark):
        state, address = "done", subscriber.email
    elif subscriber.new_email_key and _marked(env, subscriber.new_email_key, mark):
        taken = session.scalar(select(Subscriber.id).where(Subscriber.email_key == subscriber.new_email_key))
        state, address = ("taken" if taken else "waiting"), str(subscriber.new_email)
    else:
        raise LinkInvalid  # another address was named since
    mailing_list = subscription.mailing_list
    return Move(state, mask(address), mailing_list.title, subscriber.language, mailing_list.language)


def _marked(env: Environment, email_key: str, mark: str) -> bool:
    return mark in (found[:MARK_LENGTH] for found in hashes(env, email_key))
