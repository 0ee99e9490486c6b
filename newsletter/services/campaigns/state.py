"""Change the status of campaigns, and record every change as an event.

This is the only module that assigns `Campaign.status` (tests/services/campaigns/test_state.py).
Every function works inside the caller's transaction.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.addresses import mask_addresses
from newsletter.errors import Refused
from newsletter.i18n import Text
from newsletter.models import Campaign
from newsletter.services.campaigns import totals
from newsletter.services.campaigns.archive_names import choose_archive_name
from newsletter.services.events import NewEvent, record_event
from newsletter.vocabulary import Actor, CampaignKind, CampaignStatus, EventKind, Folded

REASON_AT_MOST = 500
"""Characters of a reason, as many as its column holds."""
UNFINISHED = (CampaignStatus.SCHEDULED, CampaignStatus.SENDING)
"""Statuses in which a campaign sends mail without another decision by its author."""


class PauseCause(StrEnum):
    """The cause of a pause, as its event records it."""

    AUTHOR = "author"
    REFUSALS = "refusals"
    """Servers refused messages for reasons unrelated to their recipients."""
    RETURNS = "returns"
    """Too many messages bounced."""
    ALL_FAILED = "all_failed"
    SUBJECT = "subject"
    """The A/B test is over, and the author has to pick a subject."""
    FIELDS = "fields"
    """A merge field has no value for some recipient."""
    HOLD = "hold"
    """All mail is held, for example after a restore."""


def add_campaign(
    session: Session, *, list_id: int, kind: CampaignKind, now: datetime, subject: str = ""
) -> Campaign:
    """Add a campaign of a list, as a draft."""
    campaign = Campaign(
        list_id=list_id,
        kind=kind,
        status=CampaignStatus.DRAFT,
        subject=subject,
        seed=secrets.token_hex(16),
        created_at=now,
    )
    session.add(campaign)
    session.flush()
    return campaign


def schedule(session: Session, campaign: Campaign, at: datetime, now: datetime) -> None:
    """Schedule a draft for `at`.

    Raises `Refused` where it is no draft.
    """
    _set_status(campaign, {CampaignStatus.DRAFT}, CampaignStatus.SCHEDULED)
    campaign.scheduled_at = at
    _record(session, campaign, EventKind.CAMPAIGN_SCHEDULED, Actor.AUTHOR, now)


def unschedule(session: Session, campaign: Campaign, now: datetime) -> None:
    """Return a scheduled letter to draft status.

    Raises `Refused` where it neither waits for its moment nor is paused before it.
    """
    if campaign.kind is not CampaignKind.LETTER or campaign.started_at is not None:
        raise Refused(
            Text(
                "campaign %(id)s is %(status)s: it cannot be taken back",
                id=campaign.id,
                status=campaign.status,
            )
        )
    _set_status(campaign, {CampaignStatus.SCHEDULED, CampaignStatus.PAUSED}, CampaignStatus.DRAFT)
    campaign.scheduled_at = None
    _record(session, campaign, EventKind.CAMPAIGN_UNSCHEDULED, Actor.AUTHOR, now)


def start(session: Session, campaign: Campaign, now: datetime, actor: Actor) -> None:
    """Start sending a draft, or a scheduled campaign that is due.

    Raises `Refused` where it has started already.
    """
    _set_status(campaign, {CampaignStatus.DRAFT, CampaignStatus.SCHEDULED}, CampaignStatus.SENDING)
    campaign.started_at = now
    if not campaign.segment and campaign.kind is not CampaignKind.PERMISSION:
        campaign.archive_name = choose_archive_name(session, campaign, now)
    _record(session, campaign, EventKind.CAMPAIGN_STARTED, actor, now)


def pause(
    session: Session, campaign: Campaign, reason: str, cause: PauseCause, now: datetime
) -> None:
    """Pause a campaign until its author resumes it; `reason` is shown to them.

    Raises `Refused` where it neither is being sent nor is to start.
    """
    _set_status(campaign, set(UNFINISHED), CampaignStatus.PAUSED, reason)
    actor = Actor.AUTHOR if cause is PauseCause.AUTHOR else Actor.SYSTEM
    _record(session, campaign, EventKind.CAMPAIGN_PAUSED, actor, now, cause)


def pause_unfinished(session: Session, reason: str, cause: PauseCause, now: datetime) -> int:
    """Pause every campaign that is being sent or is scheduled.

    Returns how many there are.
    """
    query = select(Campaign).where(Campaign.status.in_(UNFINISHED)).order_by(Campaign.id)
    campaigns = session.scalars(query).all()
    for campaign in campaigns:
        pause(session, campaign, reason, cause, now)
    return len(campaigns)


def resume(session: Session, campaign: Campaign, now: datetime) -> None:
    """Resume a paused campaign: continue sending, or wait for its scheduled time.

    Raises `Refused` where it is not paused.
    """
    begun = campaign.started_at is not None
    status = CampaignStatus.SENDING if begun else CampaignStatus.SCHEDULED
    _set_status(campaign, {CampaignStatus.PAUSED}, status)
    _record(session, campaign, EventKind.CAMPAIGN_RESUMED, Actor.AUTHOR, now)


def resume_picked(session: Session, campaign: Campaign, letter: str, now: datetime) -> None:
    """Resume a paused A/B test with the subject (``a`` or ``b``) that the author picked.

    Raises `Refused` where there is nothing to pick any more.
    """
    if campaign.picked or campaign.started_at is None:
        picked = f", and {campaign.picked} was picked" if campaign.picked else ""
        raise Refused(f"campaign {campaign.id} is {campaign.status}{picked}")
    _set_status(campaign, {CampaignStatus.SENDING, CampaignStatus.PAUSED}, CampaignStatus.SENDING)
    campaign.picked = letter
    _record(session, campaign, EventKind.CAMPAIGN_RESUMED, Actor.AUTHOR, now, "picked")


def reopen(session: Session, campaign: Campaign, now: datetime) -> None:
    """Reopen a finished campaign to retry some of its recipients.

    Raises `Refused` where it was cancelled or has not started.
    """
    started = {CampaignStatus.SENDING, CampaignStatus.PAUSED, CampaignStatus.SENT}
    _set_status(campaign, started, CampaignStatus.SENDING)
    campaign.finished_at = None
    campaign.final_totals = None
    campaign.folded = Folded.NOTHING
    _record(session, campaign, EventKind.CAMPAIGN_RESUMED, Actor.AUTHOR, now, "retry")


def finish(session: Session, campaign: Campaign, now: datetime, reason: str = "") -> None:
    """Mark a campaign without remaining recipients as sent, and store its totals.

    Raises `Refused` where it is not being sent.
    """
    _set_status(campaign, {CampaignStatus.SENDING}, CampaignStatus.SENT, reason)
    campaign.finished_at = now
    totals.store_totals(session, campaign)
    _record(session, campaign, EventKind.CAMPAIGN_FINISHED, Actor.SYSTEM, now)


def cancel(session: Session, campaign: Campaign, now: datetime) -> None:
    """End a campaign for good; whoever has not been mailed will not be.

    Its messages are the caller's. Raises `Refused` where it has ended already.
    """
    open_states = set(CampaignStatus) - set(totals.FINISHED)
    _set_status(campaign, open_states, CampaignStatus.CANCELLED, Text("cancelled by hand"))
    campaign.finished_at = now
    _record(session, campaign, EventKind.CAMPAIGN_CANCELLED, Actor.AUTHOR, now)


def _set_status(
    campaign: Campaign, allowed: set[CampaignStatus], status: CampaignStatus, reason: str = ""
) -> None:
    if campaign.status not in allowed:
        if campaign.status in totals.FINISHED:
            raise Refused(
                Text(
                    "campaign %(id)s is %(status)s already", id=campaign.id, status=campaign.status
                ),
                hint=Text("see `newsletter campaign report %(id)s`", id=campaign.id),
            )
        raise Refused(
            Text("campaign %(id)s is %(status)s", id=campaign.id, status=campaign.status),
            hint=Text("see `newsletter campaign show %(id)s`", id=campaign.id),
        )
    campaign.status = status
    # Viewers and `read` tokens see it, who see no addresses; servers repeat that of a recipient.
    campaign.reason = mask_addresses(reason)[:REASON_AT_MOST]


def _record(
    session: Session,
    campaign: Campaign,
    kind: EventKind,
    actor: Actor,
    now: datetime,
    reason: str = "",
) -> None:
    session.flush()
    event = NewEvent(kind, actor, now, campaign.list_id, campaign_id=campaign.id, reason=reason)
    record_event(session, event)
