"""List campaigns page by page, and group the failures of one, for pages in a browser."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from newsletter import outbox
from newsletter.db.session import reading
from newsletter.models import Campaign, MailingList
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
    """A page of campaigns, newest first; `next` is the key of the following page, 0 on the last."""

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


@dataclass(frozen=True, slots=True)
class CampaignChoice:
    """A campaign to choose from, with the slug and time zone of its list."""

    id: int
    subject: str
    list: str
    timezone: str
    started_at: datetime | None


def list_started(list_ids: Collection[int]) -> list[CampaignChoice]:
    """List the latest campaigns of these lists that have started, without their numbers."""
    query = (
        select(
            Campaign.id,
            Campaign.subject,
            MailingList.slug,
            MailingList.timezone,
            Campaign.started_at,
        )
        .join(MailingList, MailingList.id == Campaign.list_id)
        .where(Campaign.list_id.in_(list_ids), Campaign.started_at.is_not(None))
        .order_by(Campaign.id.desc())
        .limit(PAGE)
    )
    with reading() as session:
        return [CampaignChoice(*row) for row in session.execute(query)]


def group_failures(campaign_id: int) -> tuple[FailureGroup, ...]:
    """Group a campaign's failed deliveries by status, code and domain, the largest group first.

    Raises `NotFound`.
    """
    with reading() as session:
        campaign = identify.get_campaign(session, campaign_id)
        totals = describe_campaign(session, campaign).totals
        if not totals.failed + totals.in_doubt:
            return ()
        return outbox.group_failures(session, campaign, limit=FAILURES_AT_MOST)
