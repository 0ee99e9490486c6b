"""Undo a change of address with a link from the old mailbox."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.errors import Conflict, LinkInvalid
from newsletter.link_purposes import LinkPurpose
from newsletter.models import AddressChange
from newsletter.services.consent import Evidence
from newsletter.services.runtime import Environment
from newsletter.services.subscribers.address_change import (
    AddressChangeView,
    ChangeState,
    is_taken,
    set_address,
)
from newsletter.services.suppressions import is_suppressed
from newsletter.vocabulary import MailKind


def get_undo(env: Environment, token: str) -> AddressChangeView:
    """Return the change of address that an undo link refers to.

    Raises `LinkError`.
    """
    with reading() as session:
        change = _change(env, session, token)
        return _describe_undo(session, change)


def undo_change(env: Environment, token: str, evidence: Evidence) -> AddressChangeView:
    """Restore a subscriber's old address; idempotent.

    Raises `LinkError`.
    """
    try:
        with transaction() as session:
            change = _change(env, session, token)
            move = _describe_undo(session, change)
            if move.state is ChangeState.WAITING:
                _undo(env, session, change, evidence)
                return _describe_undo(session, change)
            return move
    except Conflict as conflict:
        if conflict.constraint != "uq_subscribers_email_key":
            raise
        # Somebody has subscribed with the old address at this moment.
        return get_undo(env, token)


def _undo(env: Environment, session: Session, change: AddressChange, evidence: Evidence) -> None:
    """Undo a change and all later ones, and notify the address that is replaced."""
    subscriber = change.subscriber
    left_address = change.subscriber.email
    set_address(env, session, subscriber, change.old_email, change.old_email_key, evidence)
    later = (
        AddressChange.subscriber_id == subscriber.id,
        AddressChange.changed_at >= change.changed_at,
    )
    session.execute(update(AddressChange).where(*later).values(undone_at=env.now))
    named = next(
        (
            subscription
            for subscription in subscriber.subscriptions
            if subscription.list_id == change.list_id
        ),
        None,
    )
    if named is not None:
        outbox.enqueue(
            session,
            mail=MailKind.MOVED,
            subscription_id=named.id,
            now=env.now,
            context={"to": left_address},
        )


def _change(env: Environment, session: Session, token: str) -> AddressChange:
    handle = env.tokens.open(LinkPurpose.ADDRESS_UNDO, token, env.now)
    query = select(AddressChange).where(AddressChange.handle == handle).with_for_update()
    change: AddressChange | None = session.scalar(query)
    if change is None or is_suppressed(env, session, change.old_email_key):
        raise LinkInvalid
    return change


def _describe_undo(session: Session, change: AddressChange) -> AddressChangeView:
    if change.undone_at is not None or change.subscriber.email_key == change.old_email_key:
        state = ChangeState.DONE
    else:
        state = (
            ChangeState.TAKEN if is_taken(session, change.old_email_key) else ChangeState.WAITING
        )
    return AddressChangeView(state, "", change.mailing_list.title, "", change.mailing_list.language)
