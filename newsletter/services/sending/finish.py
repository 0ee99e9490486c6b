"""Pause a campaign with a reason, or finish it once everybody was mailed."""

from __future__ import annotations

from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.i18n import Text
from newsletter.models import Campaign
from newsletter.outbox import Totals
from newsletter.services import notifications
from newsletter.services.campaigns import identify, state
from newsletter.services.campaigns.state import PauseCause
from newsletter.services.runtime import Environment
from newsletter.vocabulary import CampaignStatus, DeliveryStatus


def pause(env: Environment, campaign_id: int, reason: str) -> None:
    """Pause a campaign that is being sent, and notify its author of the reason."""
    with transaction() as session:
        campaign = identify.lock_campaign(session, campaign_id)
        if campaign.status == CampaignStatus.SENDING:
            state.pause(session, campaign, reason, PauseCause.REFUSALS, env.now)
            notifications.notify_campaign_paused(env, session, campaign)


def close(env: Environment, campaign_id: int) -> None:
    """Finish a campaign if no recipient is left to be mailed.

    Where it failed for every recipient it is paused instead, and where both subjects are tried it
    waits for its author.
    """
    with reading() as session:
        if not _is_done(session, session.get_one(Campaign, campaign_id)):
            return
    with transaction() as session:
        campaign = identify.lock_campaign(session, campaign_id)
        if not _is_done(session, campaign):
            return
        totals = outbox.count_totals(session, campaign)
        if totals.waiting or not totals.balanced:
            # Whoever was left in doubt waits for nothing (outbox.is_worked_through).
            return
        _end(env, session, campaign, totals)


def _is_done(session: Session, campaign: Campaign) -> bool:
    is_sending = campaign.status == CampaignStatus.SENDING
    return is_sending and outbox.is_worked_through(session, campaign)


def _end(env: Environment, session: Session, campaign: Campaign, totals: Totals) -> None:
    if totals.failed and not (totals.sent or totals.in_doubt):
        failures = outbox.list_deliveries(
            session, campaign, statuses=[DeliveryStatus.FAILED], limit=1
        )
        reason = Text("it failed for every recipient: %(text)s", text=failures[0].text)
        state.pause(session, campaign, reason, PauseCause.ALL_FAILED, env.now)
        notifications.notify_campaign_paused(env, session, campaign)
    elif campaign.subject_b and not campaign.picked:
        command = f"newsletter campaign pick {campaign.id} a"
        reason = Text("both subjects are tried; pick one: %(command)s", command=command)
        state.pause(session, campaign, reason, PauseCause.SUBJECT, env.now)
    else:
        state.finish(session, campaign, env.now)
