"""Explain why an address received a campaign, or did not: read the facts and judge them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.addresses import parse_address
from newsletter.bounce_vocabulary import BounceClass
from newsletter.db.session import reading
from newsletter.models import (
    Campaign,
    CampaignEntry,
    ConsentEvent,
    DigestPeriod,
    Entry,
    MailingList,
    Subscriber,
    Subscription,
    Suppression,
)
from newsletter.outbox import DeliveryRow
from newsletter.services import bounce_events, installation, sender_state
from newsletter.services.audience import segments
from newsletter.services.audience.mailable import is_mailable
from newsletter.services.campaigns import identify
from newsletter.services.campaigns.delivery_case import (
    CampaignFacts,
    Case,
    DeliveryFinding,
    ReturnFacts,
    SubscriptionFacts,
    SuppressionFacts,
)
from newsletter.services.campaigns.judge_delivery import judge
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import hash_address
from newsletter.vocabulary import CampaignKind, CampaignStatus, MailKind


@dataclass(frozen=True, slots=True)
class DeliveryExplanation:
    """The reason why an address received a campaign, or did not, with the next step.

    `has_received` is None while it is open; `case` names the finding; `facts` are moments, oldest
    first.
    """

    campaign: int
    subject: str
    email: str
    case: DeliveryFinding
    has_received: bool | None
    verdict: str
    hint: str
    timezone: str
    facts: tuple[tuple[datetime, str], ...]


def explain_delivery(env: Environment, campaign_id: int, address: str) -> DeliveryExplanation:
    """Explain why `address` received a campaign, or did not.

    Raises `NotFound`, `InvalidInput`.
    """
    parsed = parse_address(address)
    hold = installation.find_hold()
    with reading() as session:
        campaign = identify.get_campaign(session, campaign_id)
        subscription = session.scalar(
            select(Subscription)
            .join(Subscriber)
            .where(Subscriber.email_key == parsed.key, Subscription.list_id == campaign.list_id)
        )
        rows: list[DeliveryRow] = []
        if subscription:
            rows = outbox.list_history(session, subscription.id, campaign_id=campaign.id)
        row = next((row for row in rows if row.campaign_id == campaign.id), None)
        case = Case(
            campaign=_read_campaign(session, campaign),
            subscription=_read_subscription(env, session, campaign, subscription, rows),
            delivery=row,
            message_id=_name_message(session, campaign, row),
            returned=_find_return(session, row, subscription),
            suppression=_find_suppression(env, session, parsed.key),
            other_lists=_list_others(session, parsed.key, campaign),
            hold=hold.because if hold else "",
            states=sender_state.read_states(session, env.now),
        )
        judgement = judge(case)
        return DeliveryExplanation(
            campaign=campaign.id,
            subject=campaign.subject,
            email=parsed.email,
            case=judgement.finding,
            has_received=judgement.has_received,
            verdict=judgement.verdict,
            hint=judgement.hint,
            timezone=campaign.mailing_list.timezone,
            facts=_list_facts(session, case, campaign, subscription),
        )


def _read_campaign(session: Session, campaign: Campaign) -> CampaignFacts:
    cadence = session.scalar(
        select(DigestPeriod.cadence).where(DigestPeriod.campaign_id == campaign.id)
    )
    is_open = campaign.status in (CampaignStatus.SENDING, CampaignStatus.PAUSED)
    return CampaignFacts(
        id=campaign.id,
        list=campaign.mailing_list.slug,
        kind=campaign.kind,
        status=campaign.status,
        reason=campaign.reason,
        began=campaign.started_at,
        segment=campaign.segment,
        cadence=cadence,
        awaits_subject=bool(campaign.subject_b) and not campaign.picked and is_open,
        removed=outbox.count_removed(session, campaign),
    )


def _read_subscription(
    env: Environment,
    session: Session,
    campaign: Campaign,
    subscription: Subscription | None,
    rows: list[DeliveryRow],
) -> SubscriptionFacts | None:
    if subscription is None:
        return None
    key = subscription.subscriber.email_key
    suppressed = _find_suppression(env, session, key) is not None
    confirmations = [row for row in rows if row.mail == MailKind.CONFIRM]
    confirmation = confirmations[-1] if confirmations else None
    returned = confirmation and bounce_events.find_bounce_of_delivery(session, confirmation.id)
    paused_until = subscription.paused_until
    return SubscriptionFacts(
        status=subscription.status,
        cadence=subscription.cadence,
        confirmed_at=subscription.confirmed_at,
        unsubscribed_at=subscription.unsubscribed_at,
        paused_until=paused_until,
        in_segment=segments.is_in_segment(
            session, campaign.mailing_list, campaign.segment, subscription.id
        ),
        is_mailable=is_mailable(subscription.status, paused_until, env.now, suppressed=suppressed),
        nothing_new=_explain_digest(session, campaign, subscription),
        confirmation=confirmation,
        confirmation_returned=returned is not None,
    )


def _name_message(session: Session, campaign: Campaign, row: DeliveryRow | None) -> str:
    if row is None or not row.id:
        return ""
    domain = campaign.mailing_list.from_email.rpartition("@")[2]
    return outbox.get_references(session).message_id(row.id, domain)


def _find_return(
    session: Session, row: DeliveryRow | None, subscription: Subscription | None
) -> ReturnFacts | None:
    if row is None or subscription is None:
        return None
    if row.id or row.campaign_id is None:
        event = bounce_events.find_bounce_of_delivery(session, row.id)
    else:
        event = bounce_events.find_bounce_of_campaign(session, row.campaign_id, subscription.id)
    if event is None:
        return None
    words = f"{event.status} {event.reason}".strip()
    return ReturnFacts(event.bounce_class == BounceClass.COMPLAINT, words, event.at)


def _find_suppression(env: Environment, session: Session, key: str) -> SuppressionFacts | None:
    query = select(Suppression).where(Suppression.email_hash.in_(hash_address(env, key)))
    row = session.scalars(query.limit(1)).first()
    return SuppressionFacts(row.reason, row.created_at) if row else None


def _list_others(session: Session, key: str, campaign: Campaign) -> tuple[str, ...]:
    query = (
        select(MailingList.slug)
        .join(Subscription, Subscription.list_id == MailingList.id)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(Subscriber.email_key == key, MailingList.id != campaign.list_id)
    )
    return tuple(session.scalars(query.order_by(MailingList.slug)))


def _explain_digest(session: Session, campaign: Campaign, subscription: Subscription) -> str:
    """Explain why a digest held nothing new for a subscriber; "" for any other campaign."""
    if campaign.kind != CampaignKind.DIGEST:
        return ""
    entries = select(CampaignEntry.entry_id, Entry.seq).join(
        Entry, Entry.id == CampaignEntry.entry_id
    )
    carried = session.execute(entries.where(CampaignEntry.campaign_id == campaign.id)).all()
    new = {row.entry_id for row in carried if (row.seq or 0) > subscription.joined_seq}
    if carried and not new:
        return "all its entries are older than the subscription; the archive has them"
    had = outbox.find_campaigns_of(session, subscription.id)
    mailed = select(CampaignEntry.entry_id).where(CampaignEntry.campaign_id.in_(had))
    if new <= set(session.scalars(mailed)):
        return "all its entries had been mailed to them before"
    return "its new entries are of topics that they did not choose"


def _list_facts(
    session: Session, case: Case, campaign: Campaign, subscription: Subscription | None
) -> tuple[tuple[datetime, str], ...]:
    facts = [(campaign.created_at, "the campaign was made")]
    if campaign.started_at:
        facts.append((campaign.started_at, f"it started, for {campaign.recipients} recipients"))
    if campaign.finished_at:
        facts.append((campaign.finished_at, f"the campaign was {campaign.status}"))
    if subscription is not None:
        query = select(ConsentEvent).where(ConsentEvent.subscription_id == subscription.id)
        events = session.scalars(query)
        facts += [(event.at, f"subscriber: {event.kind} ({event.source})") for event in events]
    if case.delivery is not None and case.delivery.finished_at:
        facts.append((case.delivery.finished_at, f"their message: {case.delivery.status}"))
    if case.suppression is not None:
        reason = case.suppression.reason
        facts.append((case.suppression.since, f"the address was suppressed ({reason})"))
    return tuple(sorted(facts, key=lambda fact: fact[0]))
