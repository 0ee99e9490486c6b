"""Record requests to subscribe, and queue the confirmation that each address gets (double opt-in).

Each request is a row of its own: the link in its mail confirms what that request says, whoever
signs up meanwhile.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, bindparam, exists, insert, select
from sqlalchemy.orm import Session

from newsletter.addresses import Address
from newsletter.db.prepared import Prepared
from newsletter.html.text import to_plain_lines
from newsletter.models import Subscriber, Subscription, SubscriptionRequest
from newsletter.services import subscription_state
from newsletter.services.consent import (
    WORDING_AT_MOST,
    Evidence,
    hash_wording,
    note_consent,
)
from newsletter.services.mailbox_limits import (
    Allowance,
    LockedMailbox,
    lock_mailbox,
    record_mail,
)
from newsletter.services.request_limits import name_networks
from newsletter.services.runtime import Environment
from newsletter.services.signup.address_policy import find_refusal
from newsletter.services.signup.asked_mail import (
    queue_confirmation,
    queue_mail,
    queue_to_nobody,
)
from newsletter.services.signup.equal_work import roll_back
from newsletter.tokens import new_handle
from newsletter.vocabulary import Cadence, ConsentKind, MailKind, SubscriptionStatus

# Past the ORM: anybody may sign up, as often as they like.
_subscribers = cast(Table, Subscriber.__table__)
_subscriptions = cast(Table, Subscription.__table__)
_requests = cast(Table, SubscriptionRequest.__table__)
_SUBSCRIBER = Prepared(
    select(
        _subscribers.c.id,
        exists().where(
            _subscriptions.c.subscriber_id == _subscribers.c.id,
            _subscriptions.c.status == SubscriptionStatus.ACTIVE,
        ),
    )
    .where(_subscribers.c.email_key == bindparam("key"))
    .with_for_update(of=_subscribers)
)
_SUBSCRIPTION = Prepared(
    select(
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
)
_NEW_SUBSCRIBER = Prepared(insert(_subscribers).returning(_subscribers.c.id))
_NEW_REQUEST = Prepared(insert(_requests))


@dataclass(frozen=True, slots=True)
class SignUpRequest:
    """A request for a subscription: what the form holds, for which address.

    `sender` is the list's address, `agreed` maps the author's consent fields that were ticked to
    their wording, `proven` tells that a puzzle was solved.
    """

    list_id: int
    sender: str
    email: str
    email_key: str
    cadence: Cadence
    wording: str
    evidence: Evidence
    name: str = ""
    language: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    agreed: dict[str, Any] = field(default_factory=dict)
    topics: str = ""
    proven: bool = False


class SignUpAddress(NamedTuple):
    """An address as one list knows it.

    The ids are None where there is no row; `confirmed` tells whether the address has an active
    subscription to any list; `has_request` whether the latest request is stored.
    """

    subscriber_id: int | None = None
    confirmed: bool = False
    subscription_id: int | None = None
    status: SubscriptionStatus = SubscriptionStatus.PENDING
    round: int = 0
    has_request: bool = True

    @property
    def is_new(self) -> bool:
        """Tell whether the subscription is neither active nor waiting to be confirmed."""
        return self.subscription_id is None or self.status is SubscriptionStatus.UNSUBSCRIBED


def record_request(
    env: Environment,
    session: Session,
    request: SignUpRequest,
    *,
    suppressed: bool = False,
    from_form: bool = False,
) -> None:
    """Record a request and queue the mail that its address gets for it.

    That mail is a confirmation, or a note that the address is subscribed already. No mail is queued
    if the address is `suppressed` or one that is never written to, or if its mailbox has had its
    allowance; the confirmation is then owed until the subscriber confirms another list. A request
    changes nothing about an active subscription.

    The same statements run for every address: what this address does not get is written for an
    address that does not exist, and rolled back, so that the time says nothing about it (S04). What
    came `from_form` uses the allowance of a flood, and of the mailbox's day, in any case: what is
    left for others would tell who is suppressed, or has not answered before.
    """
    address = _find_address(session, request)
    mailbox = lock_mailbox(env, session, request.email_key)
    refused = suppressed or bool(find_refusal(env, Address(request.email, request.email_key)))
    mailed = not refused and mailbox.allows(Allowance.ASKED, env.now, confirmed=address.confirmed)
    steps = set() if refused else _choose_steps(address, mailed=mailed)
    after = _RequestWriter(env, session, request, address, mailbox).write(steps, address)
    if from_form and not mailed and mailbox.allows(Allowance.ASKED, env.now):
        visitor = {
            "network": name_networks(request.evidence.ip)[1],
            "proven": request.proven,
        }
        number = queue_to_nobody(session, request.email_key, visitor, request.sender, env.now)
        record_mail(session, mailbox.with_mail(Allowance.ASKED, number, env.now), env.now)
        steps = {*steps, "queue", "count"}
    nobody = replace(request, email_key=new_handle(), name="", language="")
    with roll_back(session):
        _RequestWriter(env, session, nobody, address, mailbox).write(STEPS - steps, after)


STEPS = frozenset({"subscriber", "subscription", "change", "queue", "note", "request", "count"})
"""Everything that recording a request may consist of."""


def _choose_steps(address: SignUpAddress, *, mailed: bool) -> Set[str]:
    """Choose the steps that a request from an address takes.

    Pure.
    """
    steps = {"queue", "note", "count"} if mailed else set()
    if address.status is SubscriptionStatus.ACTIVE:
        return steps
    if not mailed and not address.is_new:
        return set()
    if address.subscriber_id is None:
        steps.add("subscriber")
    steps.add("subscription" if address.subscription_id is None else "change")
    return steps | {"note", "request"}


class _RequestWriter:
    """Writes a request, step by step."""

    def __init__(
        self,
        env: Environment,
        session: Session,
        request: SignUpRequest,
        address: SignUpAddress,
        mailbox: LockedMailbox,
    ) -> None:
        self.session = session
        self.request = request
        self.mailbox = mailbox
        self.now = env.now
        self.active = address.status is SubscriptionStatus.ACTIVE
        self.confirmed = address.confirmed
        self.number = address.round + (address.is_new or address.has_request)

    def write(self, steps: Set[str], address: SignUpAddress) -> SignUpAddress:
        """Perform `steps` for `address`, and return the address as it is known afterwards."""
        if not steps:
            return address
        subscriber_id = address.subscriber_id
        subscription_id = address.subscription_id
        if "subscriber" in steps:
            subscriber_id = self._insert_subscriber()
        if "subscription" in steps:
            subscription_id = self._insert_subscription(subscriber_id)
        assert subscription_id is not None
        if "change" in steps:
            subscription_state.mark_requested(self.session, subscription_id, self.number, self.now)
        delivery, message_id = self._queue(subscription_id) if "queue" in steps else (None, "")
        consent_event_id = self._note(subscription_id, message_id) if "note" in steps else None
        if "request" in steps:
            self._insert_request(subscription_id, delivery, message_id)
            subscription_state.record_requested(
                self.session,
                subscription_id,
                self.request.list_id,
                self.request.evidence,
                self.now,
                consent_event_id=consent_event_id,
            )
        if "count" in steps:
            mailbox = self.mailbox.with_mail(
                Allowance.ASKED, delivery or 0, self.now, confirmed=self.confirmed
            )
            record_mail(self.session, mailbox, self.now)
        return address._replace(subscriber_id=subscriber_id, subscription_id=subscription_id)

    def _note(self, subscription_id: int, message_id: str) -> int:
        return note_consent(
            self.session,
            subscription_id,
            ConsentKind.REQUESTED,
            self.request.evidence,
            self.now,
            wording=self.request.wording,
            message_id=message_id,
        )

    def _insert_subscriber(self) -> int:
        row = {
            "handle": new_handle(),
            "email": self.request.email,
            "email_key": self.request.email_key,
            "name": self.request.name,
            "language": self.request.language,
            "created_at": self.now,
        }
        [inserted] = _NEW_SUBSCRIBER.run(self.session, row)
        return int(inserted.id)

    def _insert_subscription(self, subscriber_id: int | None) -> int:
        values = {
            "handle": new_handle(),
            "list_id": self.request.list_id,
            "subscriber_id": subscriber_id,
            "round": self.number,
            "cadence": self.request.cadence,
            "topics": self.request.topics,
            "answers": self.request.answers,
            "confirmation_at": self.now,
            "created_at": self.now,
        }
        return subscription_state.insert_pending(self.session, values)

    def _insert_request(self, subscription_id: int, delivery: int | None, message_id: str) -> None:
        request = self.request
        wording = to_plain_lines(request.wording, limit=WORDING_AT_MOST)
        row = {
            "subscription_id": subscription_id,
            "number": self.number,
            "cadence": request.cadence,
            "topics": request.topics,
            "name": request.name,
            "language": request.language,
            "answers": request.answers,
            "agreed": request.agreed,
            "delivery_id": delivery,
            "message_id": message_id,
            "wording_hash": hash_wording(wording) if request.wording else None,
            "network": name_networks(request.evidence.ip)[1],
            "proven": request.proven,
            "created_at": self.now,
        }
        _NEW_REQUEST.run(self.session, row)

    def _queue(self, subscription_id: int) -> tuple[int, str]:
        sender = self.request.sender
        if self.active:
            network = name_networks(self.request.evidence.ip)[1]
            visitor = {"network": network, "proven": self.request.proven}
            already = MailKind.ALREADY
            return queue_mail(self.session, already, subscription_id, visitor, sender, self.now)
        return queue_confirmation(
            self.session, subscription_id, self.number, self.request.language, sender, self.now
        )


def _find_address(session: Session, request: SignUpRequest) -> SignUpAddress:
    known = _SUBSCRIBER.run(session, {"key": request.email_key})
    subscriber_id, confirmed = known[0] if known else (None, False)
    values = {"list": request.list_id, "subscriber": subscriber_id or 0}
    subscriptions = _SUBSCRIPTION.run(session, values)
    return SignUpAddress(subscriber_id, confirmed, *(subscriptions[0] if subscriptions else ()))
