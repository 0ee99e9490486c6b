"""Change a subscriber's address: requested in the account, confirmed at the new address.

A change renews every handle, so that links in the old mailbox open nothing any more; they still end
their subscription. The old mailbox is notified, learns nothing of the new address, and may undo the
change for a week.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.addresses import Address, mask
from newsletter.db.session import reading, transaction
from newsletter.errors import Conflict, LinkInvalid
from newsletter.link_purposes import LinkPurpose
from newsletter.mail.kinds import MAILS, NAMING_ADDRESSES
from newsletter.models import AddressChange, Delivery, RetiredHandle, Subscriber, Subscription
from newsletter.services import request_limits
from newsletter.services.consent import Evidence
from newsletter.services.link_holders import find_retired, open_subscriber
from newsletter.services.mailbox_limits import (
    Allowance,
    LockedMailbox,
    forget_unanswered,
    lock_mailbox,
    record_mail,
)
from newsletter.services.request_limits import ELSEWHERE, Visit
from newsletter.services.runtime import Environment
from newsletter.services.signup.address_policy import accept_address
from newsletter.services.signup.confirmations import lock_owner
from newsletter.services.signup.equal_work import roll_back
from newsletter.services.subscription_state import record_change
from newsletter.services.suppressions import hash_address, is_suppressed
from newsletter.tokens import new_handle
from newsletter.vocabulary import ConsentKind, MailKind

MARK_LENGTH = 16
KEPT_FOR = timedelta(days=2)
"""Retention of unconfirmed changes, longer than the lifetime of the confirmation link."""
UNDO_KEPT_FOR = (LinkPurpose.ADDRESS_UNDO.lifetime or timedelta()) + timedelta(days=1)
"""Retention of confirmed changes, longer than the lifetime of the undo link."""


class ChangeState(StrEnum):
    """The state of a change of address."""

    WAITING = "waiting"
    DONE = "done"
    TAKEN = "taken"
    """Another subscriber uses the address."""


@dataclass(frozen=True, slots=True)
class AddressChangeView:
    """A change of address, for its page.

    `masked` is the new
    address, empty for the old mailbox.
    """

    state: ChangeState
    masked: str
    title: str
    language: str
    list_language: str


def check_address(env: Environment, typed: object) -> Address:
    """Parse a new address by the rules of sign-ups.

    Raises `InvalidInput` under ``address``.
    """
    return accept_address(env, typed, field="address")


def request_change(
    env: Environment, session: Session, subscription: Subscription, address: Address, ip: str
) -> None:
    """Record a new address and mail it a confirmation link, within the limits for strangers.

    The mail keeps to the ceilings and passes the gate of a sign-up. For the subscriber's own
    mailbox the request counts, whether the new address is written to or not: what is left of that
    allowance shows in the subscriber's next mails. Neither does the answer tell whether the address
    is known. Raises `TooMany`.
    """
    subscriber = subscription.subscriber
    if address.key == subscriber.email_key:
        return
    request_limits.count_request(env, session, Visit(ELSEWHERE, ip, address.key))
    lock_owner(session, subscription.handle)
    subscriber.new_email = address.email
    subscriber.new_email_key = address.key
    own_mailbox, new_mailbox = _lock_both(env, session, subscriber.email_key, address.key)
    suppressed = is_suppressed(env, session, address.key)
    may_ask = own_mailbox.allows(Allowance.OWN, env.now)
    mailed = new_mailbox.allows(Allowance.ASKED, env.now, confirmed=False)
    mailed = mailed and may_ask and not suppressed
    context = {
        "to": address.email,
        "mark": hash_address(env, address.key)[0][:MARK_LENGTH],
        "network": request_limits.name_networks(ip)[1],
    }
    number = 0
    if mailed:
        number, new_mailbox = _queue(env, session, subscription, context, new_mailbox)
    with roll_back(session):
        if not mailed:
            number, _ = _queue(env, session, subscription, context, new_mailbox)
    if own_mailbox.mailbox_hash == new_mailbox.mailbox_hash:  # another spelling of the same mailbox
        own_mailbox = new_mailbox
    if may_ask:
        own_mailbox = own_mailbox.with_mail(Allowance.OWN, number, env.now)
    record_mail(session, own_mailbox, env.now)


def _lock_both(
    env: Environment, session: Session, own_key: str, new_key: str
) -> tuple[LockedMailbox, LockedMailbox]:
    """Lock two mailboxes in a fixed order, to avoid deadlocks."""
    locked = {key: lock_mailbox(env, session, key) for key in sorted({own_key, new_key})}
    return locked[own_key], locked[new_key]


def _queue(
    env: Environment,
    session: Session,
    subscription: Subscription,
    context: dict[str, str],
    mailbox: LockedMailbox,
) -> tuple[int, LockedMailbox]:
    """Queue the mail to the new address; return its id, and the mailbox that it counts against."""
    id_ = outbox.enqueue(
        session,
        mail=MailKind.ADDRESS,
        subscription_id=subscription.id,
        now=env.now,
        context=context,
        held=MAILS[MailKind.ADDRESS].held,
    )
    mailbox = mailbox.with_mail(Allowance.ASKED, id_, env.now, confirmed=False)
    record_mail(session, mailbox, env.now)
    return id_, mailbox


def get_change(env: Environment, token: str) -> AddressChangeView:
    """Return the change of a confirmation link.

    Raises `LinkError`.
    """
    with reading() as session:
        subscription, mark, retired = _open_link(env, session, token)
        return _describe_change(env, session, subscription, mark, retired=retired)


def confirm_change(env: Environment, token: str, evidence: Evidence) -> AddressChangeView:
    """Change a subscriber's address to the confirmed one; idempotent.

    Raises `LinkError`.
    """
    try:
        with transaction() as session:
            subscription, mark, retired = _open_link(env, session, token)
            move = _describe_change(env, session, subscription, mark, retired=retired)
            if move.state is ChangeState.WAITING:
                _apply_change(env, session, subscription, evidence)
                return _describe_change(env, session, subscription, mark, retired=retired)
            return move
    except Conflict as conflict:
        if conflict.constraint != "uq_subscribers_email_key":
            raise
        # Somebody has subscribed with the new address at this moment.
        return get_change(env, token)


def delete_old_changes(env: Environment, session: Session) -> None:
    """Delete expired changes of address, and the addresses in mails about them."""
    since = env.now - KEPT_FOR
    requested = (
        select(Subscription.subscriber_id)
        .join(Delivery, Delivery.subscription_id == Subscription.id)
        .where(Delivery.mail == MailKind.ADDRESS, Delivery.created_at >= since)
    )
    waiting = (Subscriber.new_email.is_not(None), Subscriber.id.not_in(requested))
    session.execute(update(Subscriber).where(*waiting).values(new_email=None, new_email_key=None))
    session.execute(delete(AddressChange).where(AddressChange.changed_at < env.now - UNDO_KEPT_FOR))
    outbox.scrub_old(session, NAMING_ADDRESSES, before=since)


def renew_handles(session: Session, subscriber: Subscriber) -> None:
    """Replace the handles of a subscriber and their subscriptions, so that older links expire.

    The old handles are kept: an old link to unsubscribe still ends its subscription.
    """
    subscriber.handle = new_handle()
    for subscription in subscriber.subscriptions:
        retired = RetiredHandle(handle=subscription.handle, subscription_id=subscription.id)
        session.add(retired)
        subscription.handle = new_handle()


def _apply_change(
    env: Environment, session: Session, subscription: Subscription, evidence: Evidence
) -> None:
    subscriber = subscription.subscriber
    change = AddressChange(
        handle=new_handle(),
        subscriber_id=subscriber.id,
        list_id=subscription.list_id,
        old_email=subscriber.email,
        old_email_key=subscriber.email_key,
        changed_at=env.now,
    )
    session.add(change)
    set_address(
        env, session, subscriber, str(subscriber.new_email), str(subscriber.new_email_key), evidence
    )
    context = {"to": change.old_email, "change": change.handle}
    outbox.enqueue(
        session, mail=MailKind.MOVED, subscription_id=subscription.id, now=env.now, context=context
    )


def set_address(
    env: Environment,
    session: Session,
    subscriber: Subscriber,
    email: str,
    email_key: str,
    evidence: Evidence,
) -> None:
    before = subscriber.email
    subscriber.email = email
    subscriber.email_key = email_key
    subscriber.new_email = subscriber.new_email_key = None
    forget_unanswered(env, session, subscriber.email_key)
    renew_handles(session, subscriber)
    session.flush()
    noted = replace(evidence, note=f"{before} → {email}")
    for subscription in subscriber.subscriptions:
        record_change(session, subscription, "address", noted, env.now, kind=ConsentKind.MOVED)


def _open_link(env: Environment, session: Session, token: str) -> tuple[Subscription, str, bool]:
    """Open a link: return its subscription and mark, and whether its handle is retired."""
    try:
        _, subscription, mark = open_subscriber(env, session, LinkPurpose.ADDRESS, token, lock=True)
        retired = False
    except LinkInvalid:
        left_behind = find_retired(env, session, LinkPurpose.ADDRESS, token)
        if left_behind is None:
            raise
        subscription, mark = left_behind
        retired = True
    if not mark:
        raise LinkInvalid
    return subscription, mark, retired


def _describe_change(
    env: Environment, session: Session, subscription: Subscription, mark: str, *, retired: bool
) -> AddressChangeView:
    subscriber = subscription.subscriber
    if _has_mark(env, subscriber.email_key, mark):
        state = ChangeState.DONE
        address = subscriber.email
    elif (
        not retired and subscriber.new_email_key and _has_mark(env, subscriber.new_email_key, mark)
    ):
        state = (
            ChangeState.TAKEN
            if is_taken(session, subscriber.new_email_key)
            else ChangeState.WAITING
        )
        address = str(subscriber.new_email)
    else:
        raise LinkInvalid  # another address was named since
    mailing_list = subscription.mailing_list
    return AddressChangeView(
        state, mask(address), mailing_list.title, subscriber.language, mailing_list.language
    )


def is_taken(session: Session, email_key: str) -> bool:
    return (
        session.scalar(select(Subscriber.id).where(Subscriber.email_key == email_key)) is not None
    )


def _has_mark(env: Environment, email_key: str, mark: str) -> bool:
    return mark in (hashed[:MARK_LENGTH] for hashed in hash_address(env, email_key))
