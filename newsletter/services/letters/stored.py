"""Read stored letters without rendering them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from newsletter.db.session import reading
from newsletter.errors import NotFound
from newsletter.models import Campaign
from newsletter.services.audience import segments
from newsletter.services.campaigns import identify
from newsletter.services.runtime import Environment
from newsletter.vocabulary import CampaignKind, CampaignStatus


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """The editable content of a letter; `text` is its Markdown with front matter."""

    id: int
    list: str
    status: CampaignStatus
    scheduled_at: datetime | None
    text: str


def read_stored(campaign_id: int) -> StoredLetter:
    """Return the letter of a campaign.

    Raises `NotFound`, with the same words also for a campaign that is no letter.
    """
    with reading() as session:
        campaign = session.get(Campaign, campaign_id)
        if campaign is None:
            raise _explain_missing(campaign_id)
        return describe_stored(campaign)


def describe_stored(campaign: Campaign) -> StoredLetter:
    """Return the letter of a campaign.

    Raises `NotFound` for a campaign that is no letter.
    """
    if campaign.kind is not CampaignKind.LETTER or not campaign.source.startswith("---\n"):
        raise _explain_missing(campaign.id)
    return StoredLetter(
        campaign.id,
        campaign.mailing_list.slug,
        campaign.status,
        campaign.scheduled_at,
        campaign.source,
    )


def _explain_missing(campaign_id: int) -> NotFound:
    return NotFound(f"there is no letter {campaign_id}")


def count_recipients(env: Environment, campaign_id: int, segment: str) -> int:
    """Count the recipients of a sent letter, or those an unsent one would reach now.

    Raises `NotFound`.
    """
    with reading() as session:
        campaign = identify.get_campaign(session, campaign_id)
        if campaign.recipients:
            return int(campaign.recipients)
        return segments.count_segment(session, campaign.mailing_list, segment, env.now)
