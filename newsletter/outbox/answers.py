"""Who was mailed a campaign that waits for an answer, and when."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, and_, exists, or_, select
from sqlalchemy.orm import Session

from newsletter.models import Campaign
from newsletter.outbox.types import deliveries, of, unsettled


def mailed_until(campaign: Campaign, moment: datetime) -> Select[tuple[int | None]]:
    """The subscriptions that a server took a campaign's message for, at `moment` or before."""
    sent = (deliveries.c.status == "sent", deliveries.c.finished_at <= moment)
    return select(deliveries.c.subscription_id).where(of(campaign), *sent)


def open_after(session: Session, campaign: Campaign, moment: datetime) -> bool:
    """Tell whether a campaign has rows that wait, or were sent after `moment`."""
    late = and_(deliveries.c.status == "sent", deliveries.c.finished_at > moment)
    return bool(session.scalar(select(exists().where(of(campaign), or_(unsettled, late)))))
