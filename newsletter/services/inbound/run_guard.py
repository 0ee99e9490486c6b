"""Guard a run: pause it over dead addresses, rest refusing domains, tell the author once."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.bounce_vocabulary import BounceClass
from newsletter.models import BounceEvent, Campaign, Delivery, Subscriber
from newsletter.services import notifications
from newsletter.services.campaigns import state
from newsletter.services.campaigns.state import PauseCause
from newsletter.services.domain_rest import rest_domain
from newsletter.services.inbound.decide import FIRST_OF_RUN, is_harmful_run
from newsletter.services.runtime import Environment
from newsletter.vocabulary import CampaignStatus

POLICY_STREAK = 3
"""Returned refusals of one domain within a day that let it rest."""

POLICY_WITHIN = timedelta(days=1)
"""Refusals older than this are not counted together."""


def watch_run(
    env: Environment, session: Session, event: BounceEvent, subscriber: Subscriber | None
) -> None:
    """Act on a proved event for its campaign and the recipient's domain."""
    campaign = session.get(Campaign, event.campaign_id) if event.campaign_id else None
    if campaign is None:
        return
    if event.bounce_class is BounceClass.HARD:
        _pause_harmful(env, session, campaign)
    elif event.bounce_class is BounceClass.POLICY and subscriber is not None:
        _rest(env, session, campaign, event, subscriber)
    elif event.bounce_class in (BounceClass.CONTENT, BounceClass.SENDER):
        _tell_once(env, session, campaign, event)


def _pause_harmful(env: Environment, session: Session, campaign: Campaign) -> None:
    if campaign.status is not CampaignStatus.SENDING:
        return
    first = (
        Delivery.campaign_id == campaign.id,
        Delivery.id.between(campaign.first_id, campaign.last_id),
    )
    settled = select(Delivery.id).where(*first, Delivery.status.in_(("sent", "failed")))
    ids = session.scalars(settled.order_by(Delivery.id).limit(FIRST_OF_RUN)).all()
    dead = session.scalar(
        select(func.count(func.distinct(BounceEvent.delivery_id))).where(
            BounceEvent.campaign_id == campaign.id,
            BounceEvent.bounce_class == BounceClass.HARD,
            BounceEvent.delivery_id.in_(ids),
        )
    )
    if is_harmful_run(len(ids), dead or 0):
        reason = f"{dead} of the first {len(ids)} messages came back: the addresses are dead"
        state.pause(session, campaign, reason, PauseCause.RETURNS, env.now)
        notifications.notify_campaign_paused(env, session, campaign)


def _rest(
    env: Environment,
    session: Session,
    campaign: Campaign,
    event: BounceEvent,
    subscriber: Subscriber,
) -> None:
    domain = subscriber.email_key.rpartition("@")[2]
    refusals = session.scalar(
        select(func.count(func.distinct(BounceEvent.delivery_id)))
        .join(Subscriber, Subscriber.id == BounceEvent.subscriber_id)
        .where(
            BounceEvent.bounce_class == BounceClass.POLICY,
            BounceEvent.at > env.now - POLICY_WITHIN,
            Subscriber.email_key.endswith(f"@{domain}", autoescape=True),
        )
    )
    if (refusals or 0) % POLICY_STREAK == 0:
        rest_domain(env, session, domain, event.reason, campaign_id=campaign.id)


def _tell_once(env: Environment, session: Session, campaign: Campaign, event: BounceEvent) -> None:
    earlier = select(BounceEvent.id).where(
        BounceEvent.campaign_id == campaign.id,
        BounceEvent.bounce_class.in_((BounceClass.CONTENT, BounceClass.SENDER)),
        BounceEvent.id != event.id,
    )
    if session.scalar(earlier.limit(1)) is None:
        notifications.notify_message_refused(env, session, campaign, event.reason)
