"""Limit the mails that web requests may cause to one mailbox.

Every such mail passes here.

Web requests cause at most six mails a day to a mailbox, over all lists and spellings of its
address: one that somebody asked for in a form, two by links that anybody may hold or ask for, and
three by links that were mailed to the subscriber alone, which no stranger can use up. A mail that
no server took does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import JSON, Integer, Table, bindparam, delete, or_, select, text, update
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.addresses import fold_address
from newsletter.db.prepared import PendingRows, Prepared
from newsletter.models import Mailbox, Subscription
from newsletter.outbox import held
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import hash_address
from newsletter.vocabulary import MailKind

UNCONFIRMED_AT_MOST = 3
"""The most unanswered confirmations that are mailed to a mailbox."""
RETURNED_AT_MOST = 3
"""The most mails a day that may be requested again because no server accepted the earlier ones.
"""
DAY = timedelta(days=1)
FORGOTTEN_AFTER = timedelta(days=365)
"""Time after its last mail for which a mailbox that answered none is remembered."""
EMPTY_FOR = timedelta(days=7)
"""Time after which a row without counted mails is deleted: longer than `smtp.patience`."""
REMEMBERED = 20
"""The most mails stored for a mailbox: more than a day's, refused ones included.
"""


class Allowance(StrEnum):
    """The kind of request that causes a mail, each with its own limit."""

    ASKED = "asked"
    """Somebody typed the address into a form: a confirmation, or word that it is subscribed
    already.
    """

    LINK = "link"
    """By `/link`, or with a link that stands in any mail and may have been forwarded: a fresh link,
    a goodbye.
    """

    OWN = "own"
    """With a link that was mailed to the subscriber alone: export, erasure, a new address, a
    welcome.
    """

    RETURNED = "returned"
    """No server took it."""


PER_DAY = {Allowance.ASKED: 1, Allowance.LINK: 2, Allowance.OWN: 3}

_mailboxes = cast(Table, Mailbox.__table__)
# Makes the row where there is none, so that there is something to lock: two requests for one
# mailbox wait for each other, whichever spelling of its address they bring.
_LOCK = Prepared(
    text(
        "INSERT INTO mailboxes (mailbox_hash, unanswered, mails, last_at) "
        "VALUES (:hash, 0, '[]', :now) "
        "ON CONFLICT (mailbox_hash) DO UPDATE SET last_at = mailboxes.last_at "
        "RETURNING unanswered, mails"
    )
    .bindparams(bindparam("now", type_=_mailboxes.c.last_at.type))
    .columns(unanswered=Integer, mails=JSON)
)
_RECORD = Prepared(
    update(_mailboxes)
    .where(_mailboxes.c.mailbox_hash == bindparam("hash"))
    .values({name: bindparam(name) for name in ("unanswered", "mails", "last_at")})
)


@dataclass(frozen=True, slots=True)
class CountedMail:
    """A counted mail: `at` in seconds since 1970, `delivery` its id in the outbox."""

    allowance: Allowance
    at: int
    delivery: int


@dataclass(frozen=True, slots=True)
class LockedMailbox:
    """A mailbox whose row this transaction has locked."""

    mailbox_hash: str
    unanswered: int = 0
    mails: tuple[CountedMail, ...] = ()

    def allows(self, allowance: Allowance, now: datetime, *, confirmed: bool = True) -> bool:
        """Tell whether the limit allows another mail now.

        `confirmed`: the address subscribes to something. Pure.
        """
        since = int((now - DAY).timestamp())
        today = [mail.allowance for mail in self.mails if mail.at > since]
        if (
            today.count(allowance) >= PER_DAY[allowance]
            or today.count(Allowance.RETURNED) >= RETURNED_AT_MOST
        ):
            return False
        return (
            allowance is not Allowance.ASKED or confirmed or self.unanswered < UNCONFIRMED_AT_MOST
        )

    def without(self, returned: set[int]) -> LockedMailbox:
        """Return the mailbox with these deliveries counted as mails that no server accepted.

        Pure.
        """
        refunds = sum(
            mail.allowance is Allowance.ASKED for mail in self.mails if mail.delivery in returned
        )
        mails = (
            replace(mail, allowance=Allowance.RETURNED) if mail.delivery in returned else mail
            for mail in self.mails
        )
        return replace(self, unanswered=max(0, self.unanswered - refunds), mails=tuple(mails))

    def with_mail(
        self, allowance: Allowance, delivery: int, now: datetime, *, confirmed: bool = True
    ) -> LockedMailbox:
        """Return the mailbox with one more counted mail.

        Pure.
        """
        unanswered = self.unanswered + (allowance is Allowance.ASKED and not confirmed)
        mails = (*self.mails, CountedMail(allowance, int(now.timestamp()), delivery))[-REMEMBERED:]
        return replace(self, unanswered=unanswered, mails=mails)


def lock_mailbox(env: Environment, session: Session, email_key: str) -> LockedMailbox:
    """Lock the row of an address' mailbox until the transaction ends, and return it.

    The same statements for every address; a row stays behind for each, with nothing in it but the
    keyed hash.
    """
    return start_locking(env, session, email_key).read(session)


@dataclass(frozen=True, slots=True)
class MailboxLock:
    """A pending lock on a mailbox's row."""

    mailbox_hash: str
    row: PendingRows

    def read(self, session: Session) -> LockedMailbox:
        """Return the mailbox once it is locked."""
        [row] = self.row.read()
        counted = tuple(
            CountedMail(Allowance(allowance), at, delivery) for allowance, at, delivery in row.mails
        )
        waiting = [mail.delivery for mail in counted if mail.allowance is not Allowance.RETURNED]
        untaken = held.find_untaken(session, waiting)
        return LockedMailbox(self.mailbox_hash, row.unanswered, counted).without(untaken)


def start_locking(env: Environment, session: Session, email_key: str) -> MailboxLock:
    """Begin `lock_mailbox`, so that other statements can be sent in the same round trip."""
    mailbox_hash = _find_hash(session, hash_address(env, fold_address(email_key)))
    return MailboxLock(mailbox_hash, _LOCK.start(session, {"hash": mailbox_hash, "now": env.now}))


def _find_hash(session: Session, hashes: Sequence[str]) -> str:
    """Return the hash under which a mailbox is stored, else the hash for a new row.

    There are several only where a restore has brought the keys of another database along.
    """
    if len(hashes) == 1:
        return hashes[0]
    known = select(_mailboxes.c.mailbox_hash).where(_mailboxes.c.mailbox_hash.in_(hashes))
    query = known.order_by(_mailboxes.c.mailbox_hash).limit(1)
    return str(session.connection().execute(query).scalar() or hashes[0])


def record_mail(session: Session, mailbox: LockedMailbox, now: datetime) -> None:
    """Store the counted mails of a mailbox."""
    mails = [[mail.allowance.value, mail.at, mail.delivery] for mail in mailbox.mails]
    values: dict[str, Any] = {"unanswered": mailbox.unanswered, "mails": mails, "last_at": now}
    _RECORD.run(session, {"hash": mailbox.mailbox_hash, **values})


def queue_mail(
    env: Environment,
    session: Session,
    subscription: Subscription,
    mail: MailKind,
    allowance: Allowance,
    context: dict[str, Any] | None = None,
) -> bool:
    """Queue a mail that a web request caused, if the mailbox's limit allows it.

    Return whether it was queued.
    """
    mailbox = lock_mailbox(env, session, subscription.subscriber.email_key)
    if not mailbox.allows(allowance, env.now):
        return False
    delivery = outbox.enqueue(
        session, mail=mail, subscription_id=subscription.id, now=env.now, context=context
    )
    record_mail(session, mailbox.with_mail(allowance, delivery, env.now), env.now)
    return True


def forget_unanswered(env: Environment, session: Session, email_key: str) -> None:
    """Reset the counter of unanswered confirmations of a mailbox whose owner has confirmed.

    Mails of today still count.
    """
    known_as = hash_address(env, fold_address(email_key))
    session.execute(update(Mailbox).where(Mailbox.mailbox_hash.in_(known_as)).values(unanswered=0))


def delete_old_mailboxes(session: Session, now: datetime) -> None:
    """Delete rows of mailboxes without counted mails, and of those not mailed for a year."""
    empty = (Mailbox.unanswered == 0) & (Mailbox.last_at < now - EMPTY_FOR)
    session.execute(delete(Mailbox).where(or_(empty, Mailbox.last_at < now - FORGOTTEN_AFTER)))
