"""Count deliveries of a campaign by reply, domain and time, for stored totals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, String, case, func, select, type_coerce
from sqlalchemy.orm import Session

from newsletter.models import Campaign, Subscriber, Subscription
from newsletter.outbox.types import deliveries
from newsletter.vocabulary import DeliveryStatus


class ReplyCount(NamedTuple):
    """The number of deliveries with one status, code and domain, and those deferred before."""

    status: DeliveryStatus
    code: int | None
    domain: str
    recipients: int
    deferred: int


def count_replies(
    session: Session, campaign: Campaign, first_id: int, last_id: int
) -> Iterator[ReplyCount]:
    """Count the deliveries from `first_id` to `last_id` by their outcome."""
    domain = func.coalesce(find_domain_clause(session), "")
    kind = (deliveries.c.status, deliveries.c.code, domain)
    query = (
        select(*kind, func.count(), func.sum(case((deliveries.c.attempts > 0, 1), else_=0)))
        .select_from(deliveries)
        .outerjoin(Subscription, Subscription.id == deliveries.c.subscription_id)
        .outerjoin(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(deliveries.c.id.between(first_id, last_id), deliveries.c.campaign_id == campaign.id)
        .group_by(*kind)
    )
    for status, code, name, count, deferred in session.execute(query):
        yield ReplyCount(status, code, name, int(count), int(deferred or 0))


def count_minutes(
    session: Session, campaign: Campaign, first_id: int, last_id: int
) -> Iterator[tuple[str, DeliveryStatus, int]]:
    """Count settled deliveries by the ten minutes in UTC, like ``2026-11-29 08:1``."""
    moment: ColumnElement[datetime | None] = deliveries.c.finished_at
    if session.connection().dialect.name == "sqlite":
        written: ColumnElement[str] = type_coerce(moment, String)
    else:
        written = func.to_char(func.timezone("UTC", moment), "YYYY-MM-DD HH24:MI")
    minutes = func.substr(written, 1, 15)
    query = (
        select(minutes, deliveries.c.status, func.count())
        .where(
            deliveries.c.id.between(first_id, last_id),
            deliveries.c.campaign_id == campaign.id,
            deliveries.c.status.in_((DeliveryStatus.SENT, DeliveryStatus.FAILED)),
            moment.is_not(None),
        )
        .group_by(minutes, deliveries.c.status)
    )
    for name, status, count in session.execute(query):
        yield name, status, int(count)


def find_domain_clause(session: Session) -> ColumnElement[str]:
    """Build the expression for the domain of a subscriber's address."""
    if session.connection().dialect.name == "sqlite":
        return func.substr(Subscriber.email, func.instr(Subscriber.email, "@") + 1)
    return func.split_part(Subscriber.email, "@", 2)
