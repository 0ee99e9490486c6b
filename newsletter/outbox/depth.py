"""Count the waiting messages of the outbox, by state and age."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select, text
from sqlalchemy.orm import Session

from newsletter.models import Campaign
from newsletter.models.outbox import held_clause
from newsletter.outbox.types import deliveries, leases
from newsletter.vocabulary import CampaignStatus, QueueState


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """The number of messages in one state; `since` is when the oldest was queued, or None."""

    messages: int = 0
    since: datetime | None = None


def read_depths(session: Session, now: datetime) -> dict[QueueState, QueueDepth]:
    """Read the number of messages in each state.

    It walks over what waits for its time or at the gate, and over campaigns that are being sent;
    what a campaign has left is told from its range of ids.
    """
    depths = dict.fromkeys(QueueState, QueueDepth())
    depths |= _read_single(session, now)
    depths |= _read_campaigns(session)
    held = session.execute(
        select(func.count(), func.min(deliveries.c.created_at)).where(
            text(held_clause("deliveries."))
        )
    ).one()
    depths[QueueState.HELD] = QueueDepth(*held)
    slices = select(func.sum(leases.c.last_id - leases.c.first_id + 1))
    in_slices = session.scalar(slices.where(leases.c.campaign_id.is_not(None))) or 0
    leased = depths[QueueState.LEASED]
    depths[QueueState.LEASED] = QueueDepth(leased.messages + int(in_slices), leased.since)
    return depths


def _read_single(session: Session, now: datetime) -> dict[QueueState, QueueDepth]:
    """Count rows with their own due time: single mails, retries, rows after a crash."""
    state = case(
        (deliveries.c.lease_id.is_not(None), QueueState.LEASED.value),
        (deliveries.c.due_at <= now, QueueState.DUE.value),
        else_=QueueState.LATER.value,
    ).label("state")
    query = select(state, func.count(), func.min(deliveries.c.created_at))
    rows = session.execute(query.where(deliveries.c.due_at.is_not(None)).group_by(state))
    return {QueueState(name): QueueDepth(count, since) for name, count, since in rows}


def _read_campaigns(session: Session) -> dict[QueueState, QueueDepth]:
    """Count the rows of unfinished campaigns that no worker has leased yet."""
    states = {
        CampaignStatus.SENDING: QueueState.CAMPAIGN,
        CampaignStatus.PAUSED: QueueState.PAUSED,
    }
    left = func.sum(Campaign.last_id - Campaign.leased_id)
    query = select(Campaign.status, left, func.min(Campaign.started_at))
    rows = session.execute(
        query.where(Campaign.status.in_(states), Campaign.leased_id < Campaign.last_id).group_by(
            Campaign.status
        )
    )
    return {states[status]: QueueDepth(int(count), since) for status, count, since in rows}
