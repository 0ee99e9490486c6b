"""Query the outbox: totals, due rows, mails of a subscriber."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, bindparam, case, exists, func, or_, select
from sqlalchemy.orm import Session

from newsletter.db.prepared import Prepared
from newsletter.models import Campaign, Subscriber, Subscription
from newsletter.outbox.fold import SETTLED, read_folded
from newsletter.outbox.folded import list_folded, read_messages
from newsletter.outbox.summary import find_domain_clause
from newsletter.outbox.types import (
    DeliveryRow,
    FailureGroup,
    Totals,
    deliveries,
    leases,
    of_campaign_clause,
    unsettled_clause,
)
from newsletter.vocabulary import CampaignStatus, DeliveryStatus, MailKind, SubscriptionStatus


def count_totals(session: Session, campaign: Campaign) -> Totals:
    """Count a campaign's recipients by delivery status."""
    query = (
        select(deliveries.c.status, func.count())
        .where(of_campaign_clause(campaign))
        .group_by(deliveries.c.status)
    )
    count = Counter({status: int(number) for status, number in session.execute(query)})
    old = read_folded(campaign)
    count.update({status: getattr(old, status.value) for status in SETTLED})
    doubted = (
        session.scalar(
            select(func.count()).where(of_campaign_clause(campaign), deliveries.c.doubts > 0)
        )
        or 0
    )
    return Totals(
        recipients=campaign.recipients,
        sent=count[DeliveryStatus.SENT],
        failed=count[DeliveryStatus.FAILED],
        cancelled=count[DeliveryStatus.CANCELLED],
        waiting=count[DeliveryStatus.QUEUED],
        in_doubt=count[DeliveryStatus.IN_DOUBT],
        doubted=doubted + old.doubted,
    )


def count_left_in_doubt(session: Session, campaign: Campaign) -> int:
    """Count a campaign's doubtful deliveries that are not offered again without a retry."""
    left = (deliveries.c.status == DeliveryStatus.IN_DOUBT, deliveries.c.due_at.is_(None))
    query = select(func.count()).where(of_campaign_clause(campaign), *left)
    return session.scalar(query) or 0


def count_by_edition(session: Session, campaign: Campaign) -> dict[int, tuple[int, int]]:
    """Count for each edition of a campaign the messages sent and the recipients who left since.

    Only recipients that were fixed when it started count: those who try out its two subjects.
    Returns {number: (sent, left)}.
    """
    left = func.sum(case((Subscription.status == SubscriptionStatus.UNSUBSCRIBED, 1), else_=0))
    query = (
        select(deliveries.c.cursor, func.count(), left)
        .outerjoin(Subscription, Subscription.id == deliveries.c.subscription_id)
        .where(
            of_campaign_clause(campaign),
            deliveries.c.status == DeliveryStatus.SENT,
            deliveries.c.created_at <= campaign.started_at,
        )
        .group_by(deliveries.c.cursor)
    )
    counts = read_folded(campaign).by_edition()
    for number, sent, gone in session.execute(query):
        before = counts.get(number, (0, 0))
        counts[number] = (before[0] + int(sent), before[1] + int(gone or 0))
    return counts


def is_worked_through(session: Session, campaign: Campaign) -> bool:
    """Tell whether a campaign has neither waiting messages nor leases.

    It reads small indexes only.
    """
    if campaign.leased_id < campaign.last_id:
        return False
    held = exists().where(leases.c.campaign_id == campaign.id)
    due = exists().where(deliveries.c.due_at.is_not(None), deliveries.c.campaign_id == campaign.id)
    return not session.scalar(select(or_(held, due)))


_DUE_CAMPAIGNS = Prepared(
    select(Campaign.id)
    .where(
        Campaign.status == CampaignStatus.SENDING,
        or_(
            Campaign.leased_id < Campaign.last_id,
            exists().where(
                deliveries.c.due_at <= bindparam("now"),
                deliveries.c.lease_id.is_(None),
                deliveries.c.campaign_id == Campaign.id,
            ),
        ),
    )
    .order_by(Campaign.id)
)


def find_due_campaigns(session: Session, *, now: datetime) -> list[int]:
    """Find the campaigns with due rows, oldest first."""
    return [row.id for row in _DUE_CAMPAIGNS.run(session, {"now": now})]


def next_recipients_query(campaign_id: int, first_id: int, *, limit: int) -> Select[Any]:
    """Select the subscriptions of a campaign's next deliveries, from the id `first_id` on."""
    of_campaign = deliveries.c.campaign_id == campaign_id
    return (
        select(deliveries.c.subscription_id)
        .where(of_campaign, deliveries.c.subscription_id.is_not(None), deliveries.c.id >= first_id)
        .order_by(deliveries.c.id)
        .limit(limit)
    )


def find_next_due(session: Session) -> datetime | None:
    """Return the time of the next message that waits to become due, or None."""
    due_at: datetime | None = session.scalar(
        select(func.min(deliveries.c.due_at)).where(
            deliveries.c.due_at.is_not(None), deliveries.c.lease_id.is_(None)
        )
    )
    return due_at


def is_waiting(session: Session, subscription_id: int, mail: MailKind) -> bool:
    """Tell whether a mail of this kind to a subscription is waiting."""
    row = exists().where(
        deliveries.c.subscription_id == subscription_id, deliveries.c.mail == mail, unsettled_clause
    )
    return bool(session.scalar(select(row)))


def is_any_waiting(session: Session, ids: Collection[int]) -> bool:
    """Tell whether one of these mails is waiting."""
    return bool(session.scalar(select(exists().where(deliveries.c.id.in_(ids), unsettled_clause))))


def count_waiting(session: Session) -> int:
    """Count the waiting messages, without slices that were never leased."""
    return session.scalar(select(func.count()).where(deliveries.c.due_at.is_not(None))) or 0


def list_deliveries(
    session: Session,
    campaign: Campaign,
    *,
    statuses: Collection[DeliveryStatus] | None = None,
    after_id: int = 0,
    limit: int | None = None,
) -> list[DeliveryRow]:
    """List a campaign's deliveries after `after_id` in order, all or those of some `statuses`."""
    later = (of_campaign_clause(campaign), deliveries.c.id > after_id)
    query = reported_query().where(*later).order_by(deliveries.c.id).limit(limit)
    if statuses:
        query = query.where(deliveries.c.status.in_(statuses))
    return [DeliveryRow(*row) for row in session.execute(query)]


def group_failures(session: Session, campaign: Campaign, *, limit: int) -> tuple[FailureGroup, ...]:
    """Group a campaign's failed and doubtful deliveries by status, code and domain."""
    domain = find_domain_clause(session)
    kind = (deliveries.c.status, deliveries.c.code, func.coalesce(domain, ""))
    query = (
        select(*kind, func.count(), func.coalesce(func.min(deliveries.c.text), ""))
        .select_from(deliveries)
        .outerjoin(Subscription, Subscription.id == deliveries.c.subscription_id)
        .outerjoin(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(
            of_campaign_clause(campaign),
            deliveries.c.status.in_((DeliveryStatus.FAILED, DeliveryStatus.IN_DOUBT)),
        )
        .group_by(*kind)
        .order_by(func.count().desc())
        .limit(limit)
    )
    return tuple(FailureGroup(*row) for row in session.execute(query))


def list_history(
    session: Session, subscription_id: int, *, campaign_id: int | None = None
) -> list[DeliveryRow]:
    """List all mails of one subscription, oldest first.

    What is folded comes before the others. With `campaign_id`, of campaigns only that one.
    """
    query = (
        reported_query()
        .where(deliveries.c.subscription_id == subscription_id)
        .order_by(deliveries.c.id)
    )
    if campaign_id is not None:
        of_it = deliveries.c.campaign_id == campaign_id
        query = query.where(or_(of_it, deliveries.c.campaign_id.is_(None)))
    rows = [DeliveryRow(*row) for row in session.execute(query)]
    return list_folded(session, subscription_id, campaign_id=campaign_id) + rows


def find_campaigns_of(session: Session, subscription_id: int) -> set[int]:
    """Find the campaigns that had one subscription as a recipient."""
    query = select(deliveries.c.campaign_id).where(
        deliveries.c.subscription_id == subscription_id, deliveries.c.campaign_id.is_not(None)
    )
    old = {message.campaign_id for message in read_messages(session, subscription_id)}
    return old.union(session.scalars(query))


def list_latest(session: Session, subscription_id: int, *, limit: int) -> list[DeliveryRow]:
    """List the latest mails of one subscription, newest first."""
    of_subscription = reported_query().where(deliveries.c.subscription_id == subscription_id)
    rows = session.execute(of_subscription.order_by(deliveries.c.id.desc()).limit(limit))
    return [DeliveryRow(*row) for row in rows]


def find_last_campaign(session: Session, subscription_id: int, *, since: datetime) -> int | None:
    """Return the campaign that a subscription was sent last, if after `since`."""
    query = select(deliveries.c.campaign_id).where(
        deliveries.c.subscription_id == subscription_id,
        deliveries.c.campaign_id.is_not(None),
        deliveries.c.status == DeliveryStatus.SENT,
        deliveries.c.finished_at >= since,
    )
    return session.scalar(query.order_by(deliveries.c.finished_at.desc()).limit(1))


def list_editions(
    session: Session, subscription_id: int
) -> list[tuple[int, int, str, datetime | None]]:
    """List the editions of one subscription, oldest first.

    Each is (campaign id, number, status, when it was settled).
    """
    query = select(
        deliveries.c.campaign_id, deliveries.c.cursor, deliveries.c.status, deliveries.c.finished_at
    )
    of_subscription = query.where(
        deliveries.c.subscription_id == subscription_id, deliveries.c.campaign_id.is_not(None)
    )
    messages = read_messages(session, subscription_id)
    ids = [message.campaign_id for message in messages]
    ended = select(Campaign.id, Campaign.finished_at).where(Campaign.id.in_(ids))
    ends = {row.id: row.finished_at for row in session.execute(ended)}
    old = [(row.campaign_id, row.cursor, row.status, ends.get(row.campaign_id)) for row in messages]
    rows = session.execute(of_subscription.order_by(deliveries.c.id))
    return [*old, *((row[0], row[1], row[2], row[3]) for row in rows)]


def reported_query() -> Select[Any]:
    """Select deliveries with the columns of `DeliveryRow`."""
    return (
        select(
            deliveries.c.id,
            deliveries.c.campaign_id,
            deliveries.c.mail,
            func.coalesce(Subscriber.email, ""),
            deliveries.c.status,
            # The attempt that succeeded counts, too.
            deliveries.c.attempts + case((deliveries.c.status == DeliveryStatus.SENT, 1), else_=0),
            deliveries.c.doubts,
            deliveries.c.code,
            func.coalesce(deliveries.c.text, ""),
            deliveries.c.due_at,
            deliveries.c.finished_at,
        )
        .select_from(deliveries)
        .outerjoin(Subscription, Subscription.id == deliveries.c.subscription_id)
        .outerjoin(Subscriber, Subscriber.id == Subscription.subscriber_id)
    )


def mailed_until_query(campaign: Campaign, moment: datetime) -> Select[tuple[int | None]]:
    """Select the subscriptions whose message of a campaign was sent at `moment` or before."""
    sent = (
        deliveries.c.status == DeliveryStatus.SENT,
        deliveries.c.finished_at <= moment,
    )
    return select(deliveries.c.subscription_id).where(of_campaign_clause(campaign), *sent)


def is_open_after(session: Session, campaign: Campaign, moment: datetime) -> bool:
    """Tell whether a campaign has rows that are waiting, or were sent after `moment`."""
    late = and_(deliveries.c.status == DeliveryStatus.SENT, deliveries.c.finished_at > moment)
    return bool(
        session.scalar(
            select(exists().where(of_campaign_clause(campaign), or_(unsettled_clause, late)))
        )
    )
