"""Read and store a campaign's totals: recipients by delivery status."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.models import Campaign
from newsletter.outbox import Totals
from newsletter.vocabulary import CampaignStatus

FINISHED = (CampaignStatus.SENT, CampaignStatus.CANCELLED)
RECOUNTED_FOR = timedelta(days=2)
"""Time after a campaign's end in which its last messages get their outcome."""


def read_totals(session: Session, campaign: Campaign) -> Totals:
    """Return a campaign's totals: those stored when it finished, else counted now."""
    if campaign.final_totals is not None:
        return Totals(**campaign.final_totals)
    return outbox.count_totals(session, campaign)


def store_totals(session: Session, campaign: Campaign) -> None:
    """Count a finished campaign's recipients and store the totals."""
    campaign.final_totals = asdict(outbox.count_totals(session, campaign))


def recount_finished(session: Session, now: datetime) -> None:
    """Store the totals of campaigns that finished recently or have none stored yet."""
    lately = Campaign.finished_at > now - RECOUNTED_FOR
    query = select(Campaign).where(Campaign.status.in_(FINISHED))
    for campaign in session.scalars(query.where(lately | Campaign.final_totals.is_(None))):
        if outbox.is_worked_through(session, campaign):
            store_totals(session, campaign)
