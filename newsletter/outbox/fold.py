"""Fold the old deliveries of a finished campaign into its totals, in small steps.

Of each a bit stays (outbox/folded.py). A step counts, keeps and deletes the same rows in one
transaction, so that a crash between two steps loses nothing and counts nothing twice.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, func, or_, select
from sqlalchemy.orm import Session

from newsletter.models import Campaign, Subscription
from newsletter.outbox.folded import keep
from newsletter.outbox.types import deliveries, of_campaign_clause
from newsletter.vocabulary import (
    CampaignStatus,
    DeliveryStatus,
    Folded,
    SubscriptionStatus,
)

SETTLED = (
    DeliveryStatus.SENT,
    DeliveryStatus.CANCELLED,
    DeliveryStatus.FAILED,
    DeliveryStatus.IN_DOUBT,
)
"""The statuses of deliveries that may be folded, with `due_at` empty."""
_FIRST = (DeliveryStatus.SENT, DeliveryStatus.CANCELLED)
"""The statuses that are folded first; an author may still retry the others."""


@dataclass(frozen=True, slots=True)
class FoldedTotals:
    """The numbers of a campaign's folded deliveries, by status.

    `editions` counts, for those fixed when the campaign started and by number, the messages sent
    and the recipients who had left when they were folded.
    """

    sent: int = 0
    cancelled: int = 0
    failed: int = 0
    in_doubt: int = 0
    doubted: int = 0
    editions: dict[str, list[int]] = field(default_factory=dict)

    def by_edition(self) -> dict[int, tuple[int, int]]:
        """Return {number: (sent, left)}."""
        return {int(number): (sent, left) for number, (sent, left) in self.editions.items()}


def read_folded(campaign: Campaign) -> FoldedTotals:
    """Return the numbers of a campaign's folded deliveries."""
    return FoldedTotals(**(campaign.folded_totals or {}))


def count_folded(campaign: Campaign, statuses: Collection[DeliveryStatus] | None = None) -> int:
    """Count a campaign's folded deliveries, all or those of some `statuses`."""
    totals = read_folded(campaign)
    return sum(
        getattr(totals, status.value) for status in SETTLED if status in (statuses or SETTLED)
    )


def find_foldable(session: Session, *, before: datetime, failures_before: datetime) -> list[int]:
    """Find the campaigns that ended before `before` and are not folded yet, oldest first.

    Their failures follow when they ended before `failures_before`. A campaign that asks to confirm
    is left alone until its answers are settled.
    """
    due = or_(
        and_(Campaign.folded == Folded.NOTHING, Campaign.finished_at < before),
        and_(Campaign.folded == Folded.SENT, Campaign.finished_at < failures_before),
    )
    ended = Campaign.status.in_((CampaignStatus.SENT, CampaignStatus.CANCELLED))
    settled = or_(Campaign.answer_by.is_(None), Campaign.settled_at.is_not(None))
    return list(
        session.scalars(select(Campaign.id).where(ended, settled, due).order_by(Campaign.id))
    )


def fold(
    session: Session, campaign: Campaign, *, failures: bool, after_id: int, limit: int
) -> Sequence[int]:
    """Fold up to `limit` of a campaign's deliveries after `after_id`, and return their ids.

    Fewer than `limit` are the last of them, and the campaign is marked. The caller holds the
    campaign's row. With `failures` those that failed or were left in doubt are folded, too.
    """
    foldable_clause = and_(
        of_campaign_clause(campaign),
        deliveries.c.id > after_id,  # what was deleted before it is not looked through again
        deliveries.c.status.in_(SETTLED if failures else _FIRST),
        deliveries.c.due_at.is_(None),
        deliveries.c.lease_id.is_(None),
    )
    ids = session.scalars(
        select(deliveries.c.id).where(foldable_clause).order_by(deliveries.c.id).limit(limit)
    ).all()
    if ids:
        step = and_(foldable_clause, deliveries.c.id <= ids[-1])
        _count(session, campaign, step)
        keep(session, campaign, step)
        session.execute(delete(deliveries).where(step))
    if len(ids) < limit:
        campaign.folded = Folded.ALL if failures else Folded.SENT
    return ids


def _count(session: Session, campaign: Campaign, step: ColumnElement[bool]) -> None:
    """Add the deliveries of one step to the campaign's folded totals."""
    columns = deliveries.c
    query = select(
        columns.status,
        func.count(),
        func.sum(case((columns.doubts > 0, 1), else_=0)),
        func.sum(case((columns.subscription_id.is_(None), 1), else_=0)),
    )
    totals = read_folded(campaign)
    for status, count, doubted, erased in session.execute(
        query.where(step).group_by(columns.status)
    ):
        name = DeliveryStatus(status).value
        totals = replace(
            totals,
            doubted=totals.doubted + int(doubted),
            **{name: getattr(totals, name) + int(count)},
        )
        campaign.erased += int(erased)
    if campaign.subject_b:
        totals = replace(totals, editions=_count_editions(session, campaign, totals, step))
    campaign.folded_totals = asdict(totals)


def _count_editions(
    session: Session, campaign: Campaign, totals: FoldedTotals, step: ColumnElement[bool]
) -> dict[str, list[int]]:
    left = func.sum(case((Subscription.status == SubscriptionStatus.UNSUBSCRIBED, 1), else_=0))
    query = (
        select(deliveries.c.cursor, func.count(), left)
        .outerjoin(Subscription, Subscription.id == deliveries.c.subscription_id)
        .where(
            step,
            deliveries.c.status == DeliveryStatus.SENT,
            deliveries.c.created_at <= campaign.started_at,
        )
        .group_by(deliveries.c.cursor)
    )
    editions = {number: list(counts) for number, counts in totals.editions.items()}
    for number, sent, gone in session.execute(query):
        counts = editions.setdefault(str(number), [0, 0])
        counts[0] += int(sent)
        counts[1] += int(gone or 0)
    return editions


def count_removed(session: Session, campaign: Campaign) -> int:
    """Count the recipients of a campaign whose subscription was removed since."""
    removed: Any = session.scalar(
        select(func.count()).where(
            of_campaign_clause(campaign), deliveries.c.subscription_id.is_(None)
        )
    )
    return int(removed or 0) + campaign.erased
