"""Double opt-in: write to an address that somebody typed into a form, and hear its owner's word.

The only place that queues a confirmation and the only one that confirms a request.

Each request is a row of its own: the link in its mail confirms what that request said, whoever asks
meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, bindparam, delete, exists, insert, select, text, update
from sqlalchemy.orm import Session, aliased

from newsletter import outbox
from newsletter.addresses import Address
from newsletter.html.text import to_plain_lines
from newsletter.mail.kinds import MAILS
from newsletter.models import Subscriber, Subscription, SubscriptionRequest
from newsletter.services.consent import WORDING_AT_MOST, Evidence, hash_wording, note_consent
from newsletter.services.counters import network_names
from newsletter.services.mailboxes import (
    Allowance,
    LockedMailbox,
    forget_unanswered,
    lock_mailbox,
    record_mail,
)
from newsletter.services.runtime import Environment
from newsletter.services.signup.address_policy import find_refusal
from newsletter.tokens import new_handle
from newsletter.vocabulary import MailKind, SubscriptionStatus

# Past the ORM: a sign-up is what everybody may do, as often as they like.
_subscribers, _subscriptions = (
    cast(Table, Subscriber.__table__),
    cast(Table, Subscription.__table__),
)
_requests = cast(Table, SubscriptionRequest.__table__)
_SUBSCRIBER = (
    select(
        _subscribers.c.id,
        exists().where(
            _subscriptions.c.subscriber_id == _subscribers.c.id, _subscriptions.c.status == "active"
        ),
    )
    .where(_subscribers.c.email_key == bindparam("key"))
    .with_for_update(of=_subscribers)
)
_SUBSCRIPTION = select(
    _subscriptions.c.id,
    _subscriptions.c.status,
    _subscriptions.c.round,
    exists().where(
        _requests.c.subscription_id == _subscriptions.c.id,
        _requests.c.number == _subscriptions.c.round,
    ),
).where(
    _subscriptions.c.list_id == bindparam("list"),
    _subscriptions.c.subscriber_id == bindparam("subscriber"),
)
_CHANGED = update(_subscriptions).where(_subscriptions.c.id == bindparam("which"))
_NUMBERS = text(
    "SELECT name, seq FROM sqlite_sequence "
    "WHERE name IN ('subscribers', 'subscriptions', 'deliveries', 'consent_events')"
)
_FORGET_NUMBER = text("DELETE FROM sqlite_sequence WHERE name = :name")
_KEEP_NUMBER = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)")


@dataclass(frozen=True, slots=True)
class SignUpRequest:
    """What somebody asked for, and for which address: what the form said and holds.

    `sender` is the list's address, `agreed` maps the author's consent fields that were ticked to
    their wording, `proven` tells that a puzzle was solved.
    """

    list_id: int
    sender: str
    email: str
    email_key: str
    cadence: str
    wording: str
    evidence: Evidence
    name: str = ""
    language: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    agreed: dict[str, Any] = field(default_factory=dict)
    topics: str = ""
    proven: bool = False


class KnownAddress(NamedTuple):
    """What is known of an address on a list: ids, where there are any, the subscription's state,
    and whether the address subscribes to anything (`confirmed`).
    """

    subscriber_id: int | None = None
    confirmed: bool = False
    subscription_id: int | None = None
    status: str = "pending"
    round: int = 0
    has_request: bool = True

    @property
    def new(self) -> bool:
        """Tell whether nothing waits to be confirmed yet, and nobody subscribes."""
        return self.subscription_id is None or self.status == "unsubscribed"


def record_request(
    env: Environment, session: Session, request: SignUpRequest, *, barred: bool = False
) -> None:
    """Take a request down and queue what its address gets for it: a confirmation, or word that it
    is subscribed already; nothing where its mailbox had enough (then a confirmation is owed until
    it confirms another list), or it is `barred` or one that is never written to. Nobody but its
    owner changes an active subscription.

    Whoever asks, the same is read and the same is written; what is not his is written for nobody,
    and taken back, so that the time says nothing either (S04).
    """
    standing, mailbox = _standing(session, request), lock_mailbox(env, session, request.email_key)
    barred = barred or bool(find_refusal(env, Address(request.email, request.email_key)))
    asks = not barred and mailbox.allows(Allowance.ASKED, env.now, confirmed=standing.confirmed)
    own = set() if barred else _steps(standing, asks=asks)
    after = _Pen(env, session, request, standing, mailbox).write(own, standing)
    nobody = replace(request, email_key=new_handle(), name="", language="")
    with rolled_back(session):
        _Pen(env, session, nobody, standing, mailbox).write(STEPS - own, after)


STEPS = frozenset({"subscriber", "subscription", "change", "queue", "note", "request", "count"})
"""What taking a request down may consist of."""


def _steps(standing: KnownAddress, *, asks: bool) -> Set[str]:
    """Those that a request comes to.

    Pure.
    """
    steps = {"queue", "note", "count"} if asks else set()
    if standing.status == "active":
        return steps
    if not asks and not standing.new:
        return set()
    if standing.subscriber_id is None:
        steps.add("subscriber")
    steps.add("subscription" if standing.subscription_id is None else "change")
    return steps | {"note", "request"}


class _Pen:
    """Writes a request down, step by step."""

    def __init__(
        self,
        env: Environment,
        session: Session,
        request: SignUpRequest,
        standing: KnownAddress,
        mailbox: LockedMailbox,
    ) -> None:
        self.session, self.request, self.mailbox, self.now = session, request, mailbox, env.now
        self.connection = session.connection()
        self.active, self.confirmed = standing.status == "active", standing.confirmed
        self.number = standing.round + (standing.new or standing.has_request)

    def write(self, steps: Set[str], standing: KnownAddress) -> KnownAddress:
        """Do these `steps`, the others having been done to `standing`.

        Returns what there is then.
        """
        if not steps:
            return standing
        subscriber, subscription = standing.subscriber_id, standing.subscription_id
        if "subscriber" in steps:
            subscriber = self._insert_subscriber()
        if "subscription" in steps:
            subscription = self._insert_subscription(subscriber)
        if "change" in steps:
            values = {"status": "pending", "round": self.number, "confirmation_at": self.now}
            self.connection.execute(_CHANGED, {"which": subscription, **values})
        assert subscription is not None
        delivery, sent = self._queue(subscription) if "queue" in steps else (None, "")
        if "note" in steps:
            asked = self.request
            note_consent(
                self.session,
                subscription,
                "requested",
                asked.evidence,
                self.now,
                wording=asked.wording,
                message_id=sent,
            )
        if "request" in steps:
            self._insert_request(subscription, delivery, sent)
        if "count" in steps:
            counted = self.mailbox.with_mail(
                Allowance.ASKED, delivery or 0, self.now, confirmed=self.confirmed
            )
            record_mail(self.session, counted, self.now)
        return standing._replace(subscriber_id=subscriber, subscription_id=subscription)

    def _insert_subscriber(self) -> int:
        person = self.request
        values = {
            "email": person.email,
            "email_key": person.email_key,
            "name": person.name,
            "language": person.language,
        }
        return self._insert(_subscribers, values)

    def _insert_subscription(self, subscriber: int | None) -> int:
        request = self.request
        values = {
            "list_id": request.list_id,
            "subscriber_id": subscriber,
            "status": "pending",
            "round": self.number,
            "cadence": request.cadence,
            "topics": request.topics,
            "answers": request.answers,
            "confirmation_at": self.now,
        }
        return self._insert(_subscriptions, values)

    def _insert(self, table: Table, values: dict[str, Any]) -> int:
        row = {**values, "handle": new_handle(), "created_at": self.now}
        return int(self.connection.execute(insert(table).returning(table.c.id), row).scalar_one())

    def _insert_request(self, subscription: int, delivery: int | None, sent: str) -> None:
        request = self.request
        row = {
            "subscription_id": subscription,
            "number": self.number,
            "cadence": request.cadence,
            "topics": request.topics,
            "name": request.name,
            "language": request.language,
            "answers": request.answers,
            "agreed": request.agreed,
            "delivery_id": delivery,
            "message_id": sent,
            "wording_hash": hash_wording(to_plain_lines(request.wording, limit=WORDING_AT_MOST))
            if request.wording
            else None,
            "network": network_names(request.evidence.ip)[1],
            "proven": request.proven,
            "created_at": self.now,
        }
        self.connection.execute(insert(_requests), row)

    def _queue(self, subscription: int) -> tuple[int, str]:
        if self.active:
            return _queue(
                self.session, MailKind.ALREADY, subscription, {}, self.request.sender, self.now
            )
        return _queue_confirmation(
            self.session,
            subscription,
            self.number,
            self.request.language,
            self.request.sender,
            self.now,
        )


@contextmanager
def rolled_back(session: Session) -> Iterator[None]:
    """Undo a piece of work at its end, but for the row numbers that it used up.

    Whether work is kept or undone depends on who is known here, so the next number must not tell.
    PostgreSQL never gives a number back; SQLite would.
    """
    connection = session.connection()
    savepoint = connection.begin_nested()
    try:
        yield
    finally:
        sqlite = connection.dialect.name == "sqlite"
        used = connection.execute(_NUMBERS).mappings().all() if sqlite else []
        savepoint.rollback()
        if used:
            numbers = [dict(row) for row in used]
            connection.execute(_FORGET_NUMBER, numbers)
            connection.execute(_KEEP_NUMBER, numbers)


def _standing(session: Session, request: SignUpRequest) -> KnownAddress:
    connection = session.connection()
    row = connection.execute(_SUBSCRIBER, {"key": request.email_key}).one_or_none()
    subscriber, confirmed = (row[0], bool(row[1])) if row else (None, False)
    subscription = connection.execute(
        _SUBSCRIPTION, {"list": request.list_id, "subscriber": subscriber or 0}
    ).one_or_none()
    return (
        KnownAddress(subscriber, confirmed, *subscription)
        if subscription
        else KnownAddress(subscriber, confirmed)
    )


def _queue_confirmation(
    session: Session, subscription_id: int, number: int, language: str, sender: str, now: datetime
) -> tuple[int, str]:
    context: dict[str, Any] = {"round": number}
    if language:
        context["language"] = language
    return _queue(session, MailKind.CONFIRM, subscription_id, context, sender, now)


def _queue(
    session: Session,
    mail: MailKind,
    subscription_id: int,
    context: dict[str, Any],
    sender: str,
    now: datetime,
) -> tuple[int, str]:
    """Queue a mail.

    Returns its id and the Message-ID that it will have.
    """
    queued = outbox.enqueue(
        session,
        mail=mail,
        subscription_id=subscription_id,
        now=now,
        context=context,
        held=MAILS[mail].held,
    )
    return queued, outbox.get_references(session).message_id(queued, sender.rpartition("@")[2])


# ── the owner's word
# ───────────────────────────────────────────────────────────────────────────────


def lock_owner(session: Session, handle: str) -> None:
    """Lock the subscriber of the subscription of this `handle`, before anything else of theirs is
    changed.

    Whatever changes a subscriber locks in one order, so that two requests never wait for each
    other: a visitor's ceilings, the subscriber, their subscriptions, their own counters, their
    mailbox.
    """
    owner = select(Subscriber.id).join(Subscription).where(Subscription.handle == handle)
    session.scalar(owner.with_for_update(of=Subscriber))
    session.expire_all()  # what was read before may have changed while this waited


def is_current(session: Session, subscription: Subscription, number: str) -> bool:
    """Tell whether a subscription's request of this `number` can still be answered."""
    if number == str(subscription.round):
        return True
    return (
        number.isdecimal()
        and len(number) < 10
        and find_request(session, subscription.id, int(number)) is not None
    )


def find_request(session: Session, subscription_id: int, number: int) -> SubscriptionRequest | None:
    """Find a request that has not been answered, or the one that was confirmed last."""
    return session.get(SubscriptionRequest, (subscription_id, number))


def accept_request(
    env: Environment, session: Session, subscription: Subscription, number: int, by: Evidence
) -> None:
    """Make a pending subscription active as the request of this `number` has it, and note the
    evidence.

    A subscription that was never asked for in a form (an import's) has no request, and stays as it
    is. Every other request of the subscription is void from now on.
    """
    request, now = find_request(session, subscription.id, number), env.now
    wording, sent = "", ""
    if request is not None:
        _apply(subscription, request)
        wording, sent = request.wording.text if request.wording else "", request.message_id
        for name, text in request.agreed.items():
            agreed = Evidence(
                by.source, page=by.page, ip=by.ip, user_agent=by.user_agent, note=name
            )
            note_consent(session, subscription.id, "agreed", agreed, now, wording=text)
    subscription.status, subscription.confirmed_at, subscription.unsubscribed_at = (
        SubscriptionStatus.ACTIVE,
        now,
        None,
    )
    note_consent(session, subscription.id, "confirmed", by, now, wording=wording, message_id=sent)
    session.execute(
        delete(SubscriptionRequest).where(
            SubscriptionRequest.subscription_id == subscription.id,
            SubscriptionRequest.number != number,
        )
    )


def _apply(subscription: Subscription, request: SubscriptionRequest) -> None:
    """Give a subscription, and its subscriber if this is the first one, what the request says."""
    subscription.cadence, subscription.topics = request.cadence, request.topics
    subscription.answers = request.answers
    subscriber = subscription.subscriber
    if any(each.status == "active" for each in subscriber.subscriptions):
        subscriber.name = subscriber.name or request.name
        subscriber.language = subscriber.language or request.language
    else:
        subscriber.name, subscriber.language = request.name, request.language


def drop_requests(session: Session, subscription: Subscription) -> None:
    """Forget what was asked for: the subscription has ended, and no link of an earlier mail opens
    it again.
    """
    session.execute(
        delete(SubscriptionRequest).where(SubscriptionRequest.subscription_id == subscription.id)
    )


def release_mailbox(env: Environment, session: Session, subscriber: Subscriber) -> None:
    """Forget what was counted against an address whose owner has confirmed, and no other's.

    If it waits for a confirmation of another list, it gets that now.
    """
    forget_unanswered(env, session, subscriber.email_key)
    queue_withheld(env, session, subscriber, Allowance.OWN)


def queue_withheld(
    env: Environment, session: Session, subscriber: Subscriber, allowance: Allowance
) -> None:
    """Mail a confirmation that was withheld, to an address whose owner has confirmed something, if
    it may get one more mail today.
    """
    withheld = _find_withheld_request(session, subscriber)
    mailbox = lock_mailbox(env, session, subscriber.email_key)
    if withheld is None or not mailbox.allows(allowance, env.now):
        return
    other, now = session.get_one(Subscription, withheld.subscription_id), env.now
    delivery, sent = _queue_confirmation(
        session, other.id, withheld.number, withheld.language, other.mailing_list.from_email, now
    )
    withheld.delivery_id, withheld.message_id, other.confirmation_at = delivery, sent, now
    note_consent(session, other.id, "asked", Evidence("confirmation"), now, message_id=sent)
    record_mail(session, mailbox.with_mail(allowance, delivery, now), now)


def find_withheld(session: Session, *, limit: int) -> Sequence[Subscriber]:
    """Find subscribers of something who wait for a confirmation of another list that was not
    mailed.
    """
    other = aliased(Subscription)
    query = (
        select(Subscriber)
        .join(Subscription, Subscription.subscriber_id == Subscriber.id)
        .join(SubscriptionRequest, SubscriptionRequest.subscription_id == Subscription.id)
        .where(
            SubscriptionRequest.delivery_id.is_(None),
            SubscriptionRequest.number == Subscription.round,
            Subscription.status == "pending",
            exists().where(other.subscriber_id == Subscriber.id, other.status == "active"),
        )
        .order_by(SubscriptionRequest.created_at, SubscriptionRequest.subscription_id)
        .limit(limit)
    )
    return session.scalars(query).unique().all()


def _find_withheld_request(session: Session, subscriber: Subscriber) -> SubscriptionRequest | None:
    """Find the oldest request of a subscriber that was not mailed, on a list that did not ask
    otherwise.
    """
    row: SubscriptionRequest | None = session.scalar(
        select(SubscriptionRequest)
        .join(Subscription)
        .where(
            Subscription.subscriber_id == subscriber.id,
            Subscription.status == "pending",
            SubscriptionRequest.number == Subscription.round,
            SubscriptionRequest.delivery_id.is_(None),
        )
        .order_by(SubscriptionRequest.created_at, SubscriptionRequest.subscription_id)
        .limit(1)
    )
    return row
