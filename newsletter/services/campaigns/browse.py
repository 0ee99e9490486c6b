"""Page through campaigns, and sum up who did not get one, for pages in a browser."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from newsletter import outbox
from newsletter.db.session import reading
from newsletter.models import Campaign
from newsletter.outbox import FailureGroup
from newsletter.services.campaigns import identify
from newsletter.services.campaigns.campaigns import (
    CampaignView,
    describe_campaign,
    describe_campaigns,
)

PAGE = 25
FAILURES_AT_MOST = 50
"""Groups of failures in a report: by status, code and recipients' domain."""


@dataclass(frozen=True, slots=True)
class CampaignPage:
    """Campaigns, newest first; `next` is the key of the page after it, 0 on the last."""

    campaigns: tuple[CampaignView, ...]
    next: int


def list_page(list_ids: Collection[int], *, before: int = 0) -> CampaignPage:
    """List the campaigns of these lists before a key (0: the newest)."""
    query = (
        select(Campaign)
        .where(Campaign.list_id.in_(list_ids))
        .order_by(Campaign.id.desc())
        .limit(PAGE + 1)
    )
    if before:
        query = query.where(Campaign.id < before)
    with reading() as session:
        rows = session.scalars(query).all()
        views = tuple(describe_campaigns(session, rows[:PAGE]))
    return CampaignPage(views, views[-1].id if len(rows) > PAGE else 0)


def group_failures(campaign_id: int) -> tuple[FailureGroup, ...]:
    """Group the recipients who did not get a campaign, the largest group first.

    Raises `NotFound`.
    """
    with reading() as session:
        campaign = identify.get_campaign(session, campaign_id)
        totals = describe_campaign(session, campaign).totals
        if not totals.failed + totals.in_doubt:
            return ()
        return outbox.group_failures(session, campaign, limit=FAILURES_AT_MOST)
