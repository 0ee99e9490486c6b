"""List the entries that a campaign carries."""

from __future__ import annotations

from sqlalchemy import select

from newsletter.db.session import reading
from newsletter.models import CampaignEntry


def list_carried_entries(campaign_id: int) -> list[int]:
    """Return the ids of the entries of a digest in their order; a letter has none."""
    query = (
        select(CampaignEntry.entry_id)
        .where(CampaignEntry.campaign_id == campaign_id)
        .order_by(CampaignEntry.position)
    )
    with reading() as session:
        return list(session.scalars(query))
