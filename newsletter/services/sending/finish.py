"""How the sending of a campaign ends: paused with a reason, or sent."""

from __future__ import annotations

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.models import Campaign
from newsletter.services import notifications
from newsletter.services.runtime import Environment
from newsletter.vocabulary import CampaignStatus


def pause(env: Environment, campaign_id: int, why: str) -> None:
    """Stop a campaign that is being sent, with the reason, and tells its author."""
    with transaction() as session:
        campaign = session.get_one(Campaign, campaign_id)
        if campaign.status == "sending":
            campaign.status, campaign.reason = CampaignStatus.PAUSED, why[:500]
            notifications.notify_campaign_paused(env, session, campaign)


def close(env: Environment, campaign_id: int) -> None:
    """Call a campaign sent once nobody is left to be mailed; pauses it instead where nobody at all
    could be.
    """
    with reading() as session:
        campaign = session.get_one(Campaign, campaign_id)
        if campaign.status != "sending" or not outbox.is_worked_through(session, campaign):
            return
    with transaction() as session:
        campaign = session.get_one(Campaign, campaign_id)
        if campaign.status != "sending" or not outbox.is_worked_through(session, campaign):
            return
        totals = outbox.count_totals(session, campaign)
        if (
            totals.waiting or not totals.balanced
        ):  # who was left in doubt waits for nothing (outbox.is_worked_through)
            return
        if totals.failed and not (totals.sent or totals.in_doubt):
            last = outbox.list_deliveries(session, campaign, status="failed", limit=1)[0]
            campaign.status = CampaignStatus.PAUSED
            campaign.reason = f"it failed for every recipient: {last.text}"[:500]
            notifications.notify_campaign_paused(env, session, campaign)
            return
        if campaign.subject_b and not campaign.picked:
            campaign.status = CampaignStatus.PAUSED
            campaign.reason = (
                f"both subjects are tried; pick one: newsletter campaign pick {campaign_id} a"
            )
            return
        campaign.status, campaign.finished_at = CampaignStatus.SENT, env.now
