"""Look up the state of an address on a list, before a sign-up is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

from sqlalchemy import Table, bindparam, exists, select
from sqlalchemy.orm import Session

from newsletter.db.bulk import build_reservation
from newsletter.db.prepared import PendingRows, Prepared
from newsletter.models import Subscriber, Subscription, SubscriptionRequest
from newsletter.services.mailbox_limits import MailboxLock, start_locking
from newsletter.services.runtime import Environment
from newsletter.vocabulary import SubscriptionStatus

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
    )
    .join_from(_subscriptions, _subscribers)
    .where(
        _subscriptions.c.list_id == bindparam("list"), _subscribers.c.email_key == bindparam("key")
    )
)
_NUMBERED = ("subscribers", "subscriptions", "deliveries", "consent_events")
"""Tables whose next ids are reserved for a request."""


class SignUpAddress(NamedTuple):
    """The state of an address on one list.

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
        """Tell whether the subscription is neither active nor pending."""
        return self.subscription_id is None or self.status is SubscriptionStatus.UNSUBSCRIBED


@dataclass(frozen=True, slots=True)
class AddressLookup:
    """The pending statements about an address, sent in one round trip.

    `ids` are reserved for rows that the request may add, in the tables of those names. The
    subscriber is locked before the subscription is read, and the mailbox last.
    """

    ids: PendingRows
    subscriber: PendingRows
    subscription: PendingRows
    mailbox: MailboxLock

    def read_address(self) -> SignUpAddress:
        """Return the state of the address."""
        subscriber = self.subscriber.read()
        subscriber_id, confirmed = subscriber[0] if subscriber else (None, False)
        subscription = self.subscription.read() if subscriber else []
        return SignUpAddress(subscriber_id, confirmed, *(subscription[0] if subscription else ()))


def ask_what_is_known(
    env: Environment, session: Session, list_id: int, email_key: str
) -> AddressLookup:
    """Start the statements that lock an address and read its state."""
    reservation = build_reservation(session.get_bind().dialect.name, *_NUMBERED)
    return AddressLookup(
        ids=reservation.start(session, {}),
        subscriber=_SUBSCRIBER.start(session, {"key": email_key}),
        subscription=_SUBSCRIPTION.start(session, {"list": list_id, "key": email_key}),
        mailbox=start_locking(env, session, email_key),
    )
