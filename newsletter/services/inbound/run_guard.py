"""React to returned mail while a campaign is sent: pause it, rest a domain, notify the author."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import BindParameter, bindparam, func, select
from sqlalchemy.orm import Session

from newsletter.bounce_vocabulary import BounceClass
from newsletter.i18n import Text
from newsletter.models import BounceEvent, Campaign, Delivery, Subscriber
from newsletter.services import notifications
from newsletter.services.campaigns import state
from newsletter.services.campaigns.state import PauseCause
from newsletter.services.domain_rest import REFUSALS, rest_domain
from newsletter.services.inbound.decide import FIRST_OF_RUN, is_harmful_run
from newsletter.services.runtime import Environment
from newsletter.vocabulary import CampaignStatus, DeliveryStatus

POLICY_WITHIN = timedelta(days=1)
"""Period in which refusals are counted together."""

LOOKED_AT = 5 * FIRST_OF_RUN
"""First messages of a run that are read to find those already sent."""

_CAMPAIGN: BindParameter[int] = bindparam("campaign")
_first = (
    select(Delivery.id, Delivery.status)
    .join(Campaign, Campaign.id == Delivery.campaign_id)
    .where(
        Campaign.id == _CAMPAIGN,
        Campaign.status == CampaignStatus.SENDING,
        Delivery.id.between(Campaign.first_id, Campaign.last_id),
    )
    .order_by(Delivery.id)
    .limit(LOOKED_AT)
    .subquery()
)
_settled = (
    select(_first.c.id)
    .where(_first.c.status.in_((DeliveryStatus.SENT, DeliveryStatus.FAILED)))
    .order_by(_first.c.id)
    .limit(FIRST_OF_RUN)
    .subquery()
)
_FIRST_OF_RUN = select(
    select(func.count()).select_from(_settled).scalar_subquery(),
    select(func.count(func.distinct(BounceEvent.delivery_id)))
    .where(
        BounceEvent.campaign_id == _CAMPAIGN,
        BounceEvent.bounce_class == BounceClass.HARD,
        BounceEvent.delivery_id.in_(select(_settled.c.id)),
    )
    .scalar_subquery(),
)
"""Query for the first sent messages of a run: their number, and the number of dead addresses."""


def watch_run(
    env: Environment, session: Session, event: BounceEvent, subscriber: Subscriber | None
) -> None:
    """React to a proved event: pause its campaign or rest the recipient's domain if needed."""
    if event.bounce_class is BounceClass.HARD:
        _pause_harmful(env, session, event.campaign_id)
        return
    campaign = session.get(Campaign, event.campaign_id) if event.campaign_id else None
    if campaign is None:
        return
    if event.bounce_class is BounceClass.POLICY and subscriber is not None:
        _rest(env, session, campaign, event, subscriber)
    elif event.bounce_class in (BounceClass.CONTENT, BounceClass.SENDER):
        _tell_once(env, session, campaign, event)


def _pause_harmful(env: Environment, session: Session, campaign_id: int | None) -> None:
    sent, dead = session.execute(_FIRST_OF_RUN, {"campaign": campaign_id}).one()
    if is_harmful_run(sent, dead):
        campaign = session.get_one(Campaign, campaign_id)
        reason = Text(
            "%(dead)s of the first %(sent)s messages came back: the addresses are dead",
            dead=dead,
            sent=sent,
        )
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
    if (refusals or 0) % REFUSALS == 0:
        rest_domain(env, session, domain, event.reason, campaign_id=campaign.id)


def _tell_once(env: Environment, session: Session, campaign: Campaign, event: BounceEvent) -> None:
    earlier = select(BounceEvent.id).where(
        BounceEvent.campaign_id == campaign.id,
        BounceEvent.bounce_class.in_((BounceClass.CONTENT, BounceClass.SENDER)),
        BounceEvent.id != event.id,
    )
    if session.scalar(earlier.limit(1)) is None:
        notifications.notify_message_refused(env, session, campaign, event.reason)
