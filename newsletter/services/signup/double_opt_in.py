"""Record sign-up requests, and queue the confirmation of each (double opt-in).

Each request is a row of its own: the link in its mail confirms what that request says, whoever
signs up meanwhile.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field, replace
from typing import Any, cast

from sqlalchemy import Table, insert
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
from newsletter.services.signup.known_address import (
    AddressLookup,
    SignUpAddress,
    ask_what_is_known,
)
from newsletter.tokens import new_handle
from newsletter.vocabulary import (
    Cadence,
    ConsentKind,
    EvidenceSource,
    MailKind,
    SubscriptionStatus,
)

# Past the ORM: anybody may sign up, as often as they like.
_subscribers = cast(Table, Subscriber.__table__)
_subscriptions = cast(Table, Subscription.__table__)
_requests = cast(Table, SubscriptionRequest.__table__)
_NEW_SUBSCRIBER = Prepared(insert(_subscribers))
_NEW_REQUEST = Prepared(insert(_requests))


@dataclass(frozen=True, slots=True)
class SignUpRequest:
    """A sign-up request: the values of the form, for one address.

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


def record_request(
    env: Environment,
    session: Session,
    request: SignUpRequest,
    known: AddressLookup | None = None,
    *,
    suppressed: bool = False,
    from_form: bool = False,
) -> None:
    """Record a request and queue the mail that follows from it.

    That mail is a confirmation, or a note that the address is subscribed already. No mail is queued
    if the address is `suppressed` or one that is never written to, or if its mailbox has had its
    allowance; the confirmation is then owed until the subscriber confirms another list. A request
    changes nothing about an active subscription.

    The same statements run for every address: what this address does not get is written for an
    address that does not exist, and rolled back, so that the time says nothing about it (S04). What
    came `from_form` uses the allowance of a flood, and of the mailbox's day, in any case: what is
    left for others would tell who is suppressed, or has not answered before.
    """
    known = known or ask_what_is_known(env, session, request.list_id, request.email_key)
    address = known.read_address()
    mailbox = known.mailbox.read(session)
    [ids] = known.ids.read()
    refused = suppressed or bool(find_refusal(env, Address(request.email, request.email_key)))
    mailed = not refused and mailbox.allows(Allowance.ASKED, env.now, confirmed=address.confirmed)
    steps = set() if refused else _choose_steps(address, mailed=mailed)
    after = _RequestWriter(env, session, request, address, mailbox, ids).write(steps, address)
    if from_form and not mailed and mailbox.allows(Allowance.ASKED, env.now):
        visitor = {
            "network": name_networks(request.evidence.ip)[1],
            "proven": request.proven,
        }
        number = queue_to_nobody(session, request.email_key, visitor, env.now, ids.deliveries)
        record_mail(session, mailbox.with_mail(Allowance.ASKED, number, env.now), env.now)
        steps = {*steps, "queue", "count"}
    nobody = replace(request, email_key=new_handle(), name="", language="")
    with roll_back(session):
        _RequestWriter(env, session, nobody, address, mailbox, ids).write(STEPS - steps, after)


STEPS = frozenset({"subscriber", "subscription", "change", "queue", "note", "request", "count"})
"""Every step that recording a request may need."""


def _choose_steps(address: SignUpAddress, *, mailed: bool) -> Set[str]:
    """Choose the steps for a request, by the state of its address.

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
    """Writes a request in separate steps."""

    def __init__(
        self,
        env: Environment,
        session: Session,
        request: SignUpRequest,
        address: SignUpAddress,
        mailbox: LockedMailbox,
        ids: Any,
    ) -> None:
        self.session = session
        self.ids = ids
        self.request = request
        self.mailbox = mailbox
        self.now = env.now
        self.is_visitors = request.evidence.source is not EvidenceSource.AUTHOR
        self.active = address.status is SubscriptionStatus.ACTIVE
        self.confirmed = address.confirmed
        self.number = address.round + (address.is_new or address.has_request)

    def write(self, steps: Set[str], address: SignUpAddress) -> SignUpAddress:
        """Run `steps` for `address`, and return the resulting state of the address."""
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
            reserved=self.ids.consent_events,
        )

    def _insert_subscriber(self) -> int:
        """Insert a subscriber, without the name in a visitor's unconfirmed request."""
        row = {
            "id": self.ids.subscribers,
            "handle": new_handle(),
            "email": self.request.email,
            "email_key": self.request.email_key,
            "name": "" if self.is_visitors else self.request.name,
            "language": self.request.language,
            "created_at": self.now,
        }
        _NEW_SUBSCRIBER.run(self.session, row)
        return int(self.ids.subscribers)

    def _insert_subscription(self, subscriber_id: int | None) -> int:
        """Insert a pending subscription, without the values of the unconfirmed request.

        It may become active by another word than its confirmation: its owner joins the list from
        their account, or the author adds or imports the address. A stranger's consents and answers
        must not count then.
        """
        values = {
            "id": self.ids.subscriptions,
            "handle": new_handle(),
            "list_id": self.request.list_id,
            "subscriber_id": subscriber_id,
            "round": self.number,
            "cadence": self.request.cadence,
            "topics": "" if self.is_visitors else self.request.topics,
            "answers": {} if self.is_visitors else self.request.answers,
            "confirmation_at": self.now,
            "created_at": self.now,
        }
        subscription_state.insert_pending(self.session, values)
        return int(self.ids.subscriptions)

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
            return queue_mail(
                self.session,
                MailKind.ALREADY,
                subscription_id,
                visitor,
                sender,
                self.now,
                reserved=self.ids.deliveries,
            )
        return queue_confirmation(
            self.session,
            subscription_id,
            self.number,
            self.request.language,
            sender,
            self.now,
            reserved=self.ids.deliveries,
        )
