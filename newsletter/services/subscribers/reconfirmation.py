"""Reconfirmation campaigns: ask subscribers to confirm again, and unsubscribe the others.

For lists whose consent is old, or was never asked for here (an import). The time to answer counts
from when the server accepted the mail. Whoever does not answer is unsubscribed without another
mail; whoever was never reached stays subscribed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, exists, func, literal, select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.errors import LinkInvalid, LinkSpent, NotFound, Refused
from newsletter.html.text import to_plain_lines
from newsletter.i18n import LANGUAGES, find_other_language
from newsletter.link_purposes import LinkPurpose
from newsletter.mail.render import MailContent
from newsletter.mail.slots import make_slot
from newsletter.models import Campaign, ConsentEvent, Edition, Subscriber, Subscription
from newsletter.services.audience.mailable import mailable_clause
from newsletter.services.campaigns import state
from newsletter.services.consent import Evidence, make_wording, note_consent
from newsletter.services.link_holders import open_subscription
from newsletter.services.lookup import get_list
from newsletter.services.mail_context import ANY_SUBSCRIBER, make_list_context
from newsletter.services.runtime import Environment
from newsletter.services.subscribers.subscriptions import LinkedSubscription, describe_subscription
from newsletter.services.subscription_state import end_subscription
from newsletter.vocabulary import (
    Actor,
    CampaignKind,
    CampaignStatus,
    ConsentKind,
    EvidenceSource,
    MailKind,
    SubscriptionStatus,
)

SHORTEST = 7
"""The shortest time to answer, in days: some read mail once a week."""
LONGEST = 180
"""The longest time to answer, in days."""
STAYED = (ConsentKind.REAFFIRMED, ConsentKind.CONFIRMED, ConsentKind.RESUBSCRIBED)
"""Evidence that counts as an answer if it is newer than the campaign."""


@dataclass(frozen=True, slots=True)
class PreparedReconfirmation:
    """A prepared campaign: its number of recipients and its mail in each language."""

    slug: str
    recipients: int
    content: MailContent
    others: dict[str, MailContent]


@dataclass(frozen=True, slots=True)
class ReconfirmationReport:
    """The result of a campaign: subscribers mailed, confirmed and unsubscribed."""

    campaign: int
    mailed: int
    stayed: int
    gone: int
    answer_by: datetime | None
    settled_at: datetime | None


def prepare(
    env: Environment, slug: str | None, *, note: str = "", days: int = 30, unproven: bool = False
) -> PreparedReconfirmation:
    """Render the mail and count its recipients.

    With `unproven` only those who never confirmed by mail. Raises `Refused`, `NotFound`,
    `TemplateProblem`.
    """
    if not SHORTEST <= days <= LONGEST:
        raise Refused(f"give subscribers {SHORTEST} to {LONGEST} days", hint="use --days 30")
    with reading() as session:
        mailing_list = get_list(session, slug)
        recipients = _recipients_query(mailing_list.id, env.now, unproven=unproven).subquery()
        count = session.scalar(select(func.count()).select_from(recipients)) or 0
        list_context = make_list_context(env, mailing_list)
    context = {
        "subscriber": ANY_SUBSCRIBER,
        "stay_url": make_slot("stay_url"),
        "days": days,
        "note": to_plain_lines(note, limit=2000).strip(),
    }

    def render(language: str = "") -> MailContent:
        return env.renderer.render(
            MailKind.PERMISSION, context | {"list": list_context.in_language(language)}
        )

    others = {find_other_language(language, list_context.language) for language in LANGUAGES} - {""}
    return PreparedReconfirmation(
        list_context.slug, count, render(), {language: render(language) for language in others}
    )


def send(
    env: Environment, slug: str | None, *, note: str = "", days: int = 30, unproven: bool = False
) -> int:
    """Create the campaign and freeze its recipients.

    Returns its id.

    Raises as `prepare`, and `Refused` where nobody is to be asked or another one of the list is not
    settled yet.
    """
    asking = prepare(env, slug, note=note, days=days, unproven=unproven)
    if not asking.recipients:
        raise Refused(f"{asking.slug} has nobody to ask", hint="nobody was mailed")
    with transaction() as session:
        mailing_list = get_list(session, asking.slug)
        twin = session.scalar(
            _open_query()
            .where(Campaign.list_id == mailing_list.id, Campaign.status != CampaignStatus.CANCELLED)
            .with_for_update()
        )
        if twin is not None:
            raise Refused(
                f"campaign {twin} is asking these subscribers already",
                hint=f"see `newsletter campaign answers {twin}`",
            )
        content = asking.content
        now = env.now
        campaign = state.add_campaign(
            session,
            list_id=mailing_list.id,
            kind=CampaignKind.PERMISSION,
            now=now,
            subject=content.subject,
        )
        campaign.answer_by = now + timedelta(days=days)
        state.start(session, campaign, now, Actor.AUTHOR)
        for language, mail in {"": content, **asking.others}.items():
            edition = Edition(
                campaign_id=campaign.id, language=language, subject=mail.subject, text=mail.text
            )
            edition.html = mail.html
            session.add(edition)
        recipients = _recipients_query(mailing_list.id, now, unproven=unproven)
        outbox.freeze(session, campaign, recipients, mail=MailKind.PERMISSION, now=now)
        return campaign.id


def _open_query() -> Select[int]:
    return select(Campaign.id).where(
        Campaign.kind == CampaignKind.PERMISSION, Campaign.settled_at.is_(None)
    )


def _recipients_query(list_id: int, now: datetime, *, unproven: bool) -> Select[int, int]:
    query = (
        select(Subscription.id, literal(0))
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(Subscription.list_id == list_id, mailable_clause(now))
    )
    return (
        query.where(~_has_answered_clause(datetime.min.replace(tzinfo=now.tzinfo)))
        if unproven
        else query
    )


def _has_answered_clause(since: datetime) -> ColumnElement[bool]:
    """Build the condition that a subscription was confirmed since then, by a link from a mail."""
    return exists().where(
        ConsentEvent.subscription_id == Subscription.id,
        ConsentEvent.kind.in_(STAYED),
        ConsentEvent.at >= since,
    )


def get_reconfirmation(env: Environment, token: str) -> tuple[LinkedSubscription, bool]:
    """Return the subscription of a link, and whether it was confirmed already.

    Raises `LinkError`.
    """
    with reading() as session:
        campaign, subscription = _open_link(env, session, token)
        return describe_subscription(subscription, env.now), _has_answered(
            session, campaign, subscription
        )


def reconfirm(env: Environment, token: str, evidence: Evidence) -> LinkedSubscription:
    """Record a reconfirmation; idempotent.

    Raises `LinkError`.
    """
    with transaction() as session:
        campaign, subscription = _open_link(env, session, token)
        if not _has_answered(session, campaign, subscription):
            mailing_list = subscription.mailing_list
            wording = make_wording(
                consent_text=mailing_list.consent_text,
                title=mailing_list.title,
                language=subscription.subscriber.language or mailing_list.language,
            )
            message_id = _get_message_id(session, campaign, subscription)
            note_consent(
                session,
                subscription.id,
                ConsentKind.REAFFIRMED,
                evidence,
                env.now,
                wording=wording,
                message_id=message_id,
            )
        return describe_subscription(subscription, env.now)


def _open_link(env: Environment, session: Session, token: str) -> tuple[Campaign, Subscription]:
    subscription, handle = open_subscription(env, session, LinkPurpose.STAY, token, lock=True)
    campaign = session.scalar(select(Campaign).where(Campaign.handle == handle))
    if campaign is None or campaign.started_at is None:
        raise LinkInvalid
    if subscription.status != SubscriptionStatus.ACTIVE:
        raise LinkSpent(subscription.mailing_list.slug)
    return campaign, subscription


def _has_answered(session: Session, campaign: Campaign, subscription: Subscription) -> bool:
    query = select(Subscription.id).where(
        Subscription.id == subscription.id, _has_answered_clause(_get_start(campaign))
    )
    return session.scalar(query) is not None


def _get_start(campaign: Campaign) -> datetime:
    return campaign.started_at or campaign.created_at


def _get_message_id(session: Session, campaign: Campaign, subscription: Subscription) -> str:
    """Return the Message-ID of the reconfirmation mail."""
    domain = campaign.mailing_list.from_email.rpartition("@")[2]
    rows = [
        row.id
        for row in outbox.list_history(session, subscription.id)
        if row.campaign_id == campaign.id and row.id
    ]
    return outbox.get_references(session).message_id(rows[-1], domain) if rows else ""


def settle(env: Environment) -> int:
    """Unsubscribe those who did not answer in time; run by a worker.

    Returns how many there were.
    """
    with reading() as session:
        due = list(session.scalars(_open_query().where(Campaign.answer_by <= env.now)))
    return sum(_settle(env, campaign_id) for campaign_id in due)


def _settle(env: Environment, campaign_id: int) -> int:
    with transaction() as session:
        now = env.now
        campaign = session.get_one(Campaign, campaign_id, with_for_update=True)
        if campaign.settled_at is not None or campaign.answer_by is None:
            return 0
        moment = now - (campaign.answer_by - _get_start(campaign))
        silent = session.scalars(
            select(Subscription).where(
                Subscription.id.in_(outbox.mailed_until_query(campaign, moment)),
                Subscription.status == SubscriptionStatus.ACTIVE,
                ~_has_answered_clause(_get_start(campaign)),
            )
        ).all()
        for subscription in silent:
            evidence = Evidence(EvidenceSource.PERMISSION, note=f"campaign {campaign.handle}")
            end_subscription(session, subscription, ConsentKind.LAPSED, evidence, now)
        if not outbox.is_open_after(session, campaign, moment):
            campaign.settled_at = now
        return len(silent)


def report_answers(campaign_id: int) -> ReconfirmationReport:
    """Return the result of a reconfirmation campaign.

    Raises `NotFound`.
    """
    with reading() as session:
        campaign = session.get(Campaign, campaign_id)
        if campaign is None or campaign.kind != CampaignKind.PERMISSION:
            raise NotFound(
                f"campaign {campaign_id} asks for no permission",
                hint="see `newsletter campaign ls`",
            )
        was_mailed = Subscription.id.in_(
            outbox.mailed_until_query(
                campaign, datetime.max.replace(tzinfo=_get_start(campaign).tzinfo)
            )
        )
        stayed = (
            select(func.count())
            .select_from(Subscription)
            .where(was_mailed, _has_answered_clause(_get_start(campaign)))
        )
        gone = exists().where(
            ConsentEvent.subscription_id == Subscription.id,
            ConsentEvent.kind == ConsentKind.LAPSED,
            ConsentEvent.note == f"campaign {campaign.handle}",
        )
        return ReconfirmationReport(
            campaign=campaign.id,
            mailed=session.scalar(select(func.count()).select_from(Subscription).where(was_mailed))
            or 0,
            stayed=session.scalar(stayed) or 0,
            gone=session.scalar(select(func.count()).select_from(Subscription).where(gone)) or 0,
            answer_by=campaign.answer_by,
            settled_at=campaign.settled_at,
        )
