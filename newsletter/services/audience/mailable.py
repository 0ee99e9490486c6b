"""Decide whether a subscription may be mailed: the only place that says so.

Each rule stands here twice, as SQL and as a predicate; tests/services/audience/test_mailable.py
holds both equal.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists

from newsletter.models import Subscriber, Subscription, Suppression
from newsletter.vocabulary import SubscriptionStatus


def receiving_clause() -> ColumnElement[bool]:
    """Build the condition that a subscription is active and its address is not suppressed.

    `Subscriber` may be joined in the enclosing query or not.
    """
    suppressed = (
        exists()
        .where(Suppression.email_key == Subscriber.email_key)
        .where(Subscriber.id == Subscription.subscriber_id)
        .correlate(Subscription, Subscriber)
    )
    return and_(Subscription.status == SubscriptionStatus.ACTIVE, ~suppressed)


def is_receiving(status: SubscriptionStatus | None, *, suppressed: bool) -> bool:
    """Tell whether a subscription is active and its address is not suppressed.

    This is asked of each message right before it is offered. A pause is not asked then: it keeps
    a subscription out of campaigns that start later, and a message that is queued already goes.
    """
    return status == SubscriptionStatus.ACTIVE and not suppressed


def mailable_clause(now: datetime) -> ColumnElement[bool]:
    """Build the condition that a campaign which starts at `now` may include a subscription."""
    return and_(receiving_clause(), ~paused_clause(now))


def paused_clause(now: datetime) -> ColumnElement[bool]:
    """Build the condition that a subscription is paused at `now`."""
    return and_(Subscription.paused_until.is_not(None), Subscription.paused_until > now)


def is_mailable(
    status: SubscriptionStatus | None,
    paused_until: datetime | None,
    now: datetime,
    *,
    suppressed: bool,
) -> bool:
    """Tell whether a campaign which starts at `now` may include a subscription."""
    return is_receiving(status, suppressed=suppressed) and not is_paused(paused_until, now)


def is_paused(paused_until: datetime | None, now: datetime) -> bool:
    """Tell whether a subscription is paused at `now`."""
    return paused_until is not None and paused_until > now
