"""Answers "why did she not get it?": one campaign, one reader, and everything that stood in
between.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.addresses import parse_address
from newsletter.db.session import reading
from newsletter.errors import NotFound
from newsletter.models import (
    Campaign,
    CampaignEntry,
    ConsentEvent,
    DigestPeriod,
    Entry,
    Subscriber,
    Subscription,
    Suppression,
)
from newsletter.outbox import DeliveryRow
from newsletter.services import bounce_events, sender_state
from newsletter.services.runtime import Environment
from newsletter.services.sender_state import State
from newsletter.services.suppressions import hash_address


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether she got it (`got`: None while nobody knows), why or why not, and what can be done."""

    campaign: int
    subject: str
    email: str
    got: bool | None
    verdict: str
    hint: str
    timezone: str
    facts: tuple[tuple[datetime, str], ...]


def explain_delivery(env: Environment, campaign_id: int, address: str) -> Explanation:
    """Why a reader got a campaign, or did not.

    Raises `NotFound`, `InvalidInput`.
    """
    parsed = parse_address(address)
    with reading() as session:
        campaign = session.get(Campaign, campaign_id)
        if campaign is None:
            raise NotFound(
                f"there is no campaign {campaign_id}", hint="see `newsletter campaign ls`"
            )
        subscription = session.scalar(
            select(Subscription)
            .join(Subscriber)
            .where(Subscriber.email_key == parsed.key, Subscription.list_id == campaign.list_id)
        )
        row = _delivery(session, campaign, subscription)
        barred = session.scalar(
            select(Suppression).where(Suppression.email_hash.in_(hash_address(env, parsed.key)))
        )
        states = sender_state.read_states(session, env.now)
        got, verdict, hint = (
            _of_returned(session, row) or _of_delivery(session, campaign, row, barred, states)
            if row
            else _of_reader(env, session, campaign, subscription, barred)
        )
        facts = _facts(session, campaign, subscription, row)
        zone = campaign.mailing_list.timezone
        return Explanation(
            campaign.id, campaign.subject, parsed.email, got, verdict, hint, zone, facts
        )


def _delivery(
    session: Session, campaign: Campaign, subscription: Subscription | None
) -> DeliveryRow | None:
    if subscription is None:
        return None
    rows = outbox.list_history(session, subscription.id)
    return next((row for row in rows if row.campaign_id == campaign.id), None)


def _of_returned(session: Session, row: DeliveryRow) -> tuple[bool | None, str, str] | None:
    """Explain a message that a server took and that came back; None where nothing came back."""
    event = bounce_events.find_of_delivery(session, row.id)
    if event is None or row.status != "sent":
        return None
    words = f"{event.status} {event.reason}".strip()
    said = f" It said: {words}" if words else ""
    if event.bounce_class == "complaint":
        return True, f"it was delivered and called spam.{said}", "newsletter suppression ls"
    return (
        False,
        f"it came back ({event.bounce_class}), {event.at:%Y-%m-%d}.{said}",
        "newsletter bounce ls",
    )


def _of_delivery(
    session: Session,
    campaign: Campaign,
    row: DeliveryRow,
    barred: Suppression | None,
    states: tuple[State, ...],
) -> tuple[bool | None, str, str]:
    """What became of the message that was meant for her."""
    said = f" It said: {row.code or ''} {row.text}".replace(":  ", ": ") if row.text else ""
    if row.status == "sent":
        domain = campaign.mailing_list.from_email.rpartition("@")[2]
        name = outbox.get_references(session).message_id(row.id, domain)
        return True, f"her mail server took it.{said}", f"look in spam; its Message-ID is <{name}>"
    if row.status == "failed":
        tries = f" after {row.attempts} tries" if row.attempts > 1 else ""
        return False, f"it was refused for good{tries}.{said}", "newsletter campaign retry"
    if row.status == "cancelled":
        return False, f"it was taken back before it went: {row.text or 'cancelled'}", ""
    if barred is not None:
        return (
            False,
            f"the address is suppressed ({barred.reason}) since; it will be taken back",
            "",
        )
    if row.status == "in_doubt" and row.due_at is None:
        return (
            None,
            f"nobody knows: the reply was lost {row.doubts} times, and the server may have taken it each time",
            "newsletter campaign retry",
        )
    if row.status == "in_doubt":
        return (
            None,
            "nobody knows: the server may have taken it when a worker died; it goes once more, as the same mail",
            "",
        )
    if campaign.status != "sending":
        return (
            None,
            f"it waits: the campaign is {campaign.status} {campaign.reason}".rstrip(),
            "newsletter campaign resume",
        )
    if resting := next((state for state in states if state.stops), None):
        return None, f"it waits: {resting.sentence}", "newsletter status"
    if row.attempts:
        times = f"{row.attempts} times" if row.attempts > 1 else "once"
        return None, f"it was refused for now {times} and is tried again.{said}", ""
    return None, "it waits for its turn: a worker sends it", "is one running? `newsletter status`"


def _of_reader(
    env: Environment,
    session: Session,
    campaign: Campaign,
    subscription: Subscription | None,
    barred: Suppression | None,
) -> tuple[bool | None, str, str]:
    """Why no message was meant for her: the first reason that held when the recipients were written
    down.
    """
    if campaign.status in ("draft", "scheduled", "cancelled") and campaign.started_at is None:
        return (
            None if campaign.status != "cancelled" else False,
            f"the campaign is {campaign.status}: nobody got it",
            "",
        )
    if barred is not None:
        since = f"{barred.created_at:%Y-%m-%d}"
        return (
            False,
            f"the address is suppressed since {since} ({barred.reason})",
            "newsletter suppression remove",
        )
    if subscription is None:
        return (
            False,
            f"she does not subscribe to {campaign.mailing_list.slug}",
            "was she removed? Is it this spelling?",
        )
    began = campaign.started_at or campaign.created_at
    joined = subscription.confirmed_at
    if subscription.status == "pending":
        return (
            False,
            "she has never confirmed her subscription",
            "she can sign up again, and gets a fresh mail to confirm",
        )
    if subscription.status == "unsubscribed":
        return False, f"she has unsubscribed, {subscription.unsubscribed_at or began:%Y-%m-%d}", ""
    if joined is None or joined > began:
        return False, "she joined after it had gone out", "the archive has it"
    return False, _of_digest(session, campaign, subscription, began), ""


def _of_digest(
    session: Session, campaign: Campaign, subscription: Subscription, began: datetime
) -> str:
    period = session.scalar(select(DigestPeriod).where(DigestPeriod.campaign_id == campaign.id))
    if period is not None and period.cadence != subscription.cadence:
        return f"it was the {period.cadence} digest, and she reads {subscription.cadence}"
    if subscription.paused_until and subscription.paused_until > began:
        return f"she was on a break until {subscription.paused_until:%Y-%m-%d}; what she missed comes after it"
    if campaign.kind == "digest":
        return _of_entries(session, campaign, subscription)
    return "she was not among those it was for (its segment, or she was on a break)"


def _of_entries(session: Session, campaign: Campaign, subscription: Subscription) -> str:
    """Why nothing that a digest carries was hers to get."""
    entry = select(CampaignEntry.entry_id, Entry.seq).join(
        Entry, Entry.id == CampaignEntry.entry_id
    )
    carried = session.execute(entry.where(CampaignEntry.campaign_id == campaign.id)).all()
    new = {row.entry_id for row in carried if (row.seq or 0) > subscription.joined_seq}
    if carried and not new:
        return "what is in it was there before she joined; the archive has it"
    mailings = {row.campaign_id for row in outbox.list_history(session, subscription.id)}
    mailed = select(CampaignEntry.entry_id).where(CampaignEntry.campaign_id.in_(mailings))
    if new <= set(session.scalars(mailed)):
        return "everything in it had come to her before"
    return "what is new to her in it is of topics that she did not choose"


def _facts(
    session: Session, campaign: Campaign, subscription: Subscription | None, row: DeliveryRow | None
) -> tuple[tuple[datetime, str], ...]:
    found = [(campaign.created_at, "the campaign was made")]
    if campaign.started_at:
        found.append(
            (campaign.started_at, f"its recipients were written down: {campaign.recipients}")
        )
    if campaign.finished_at:
        found.append((campaign.finished_at, f"the campaign was {campaign.status}"))
    if subscription is not None:
        noted = select(ConsentEvent).where(ConsentEvent.subscription_id == subscription.id)
        found += [
            (event.at, f"she: {event.kind} ({event.source})") for event in session.scalars(noted)
        ]
    if row is not None and row.finished_at:
        found.append((row.finished_at, f"her message: {row.status}"))
    return tuple(sorted(found, key=lambda fact: fact[0]))
