"""Rows of the outbox for tests: those of several campaigns and lists between each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from newsletter.models import Campaign, Delivery, MailingList, Subscription
from newsletter.vocabulary import CampaignKind, CampaignStatus, DeliveryStatus, MailKind
from tests.fakes import START
from tests.people import add_list, add_reader

HOUR = timedelta(hours=1)
LATE = START + 5 * HOUR
QUEUED = DeliveryStatus.QUEUED
SENT = DeliveryStatus.SENT
FAILED = DeliveryStatus.FAILED
CANCELLED = DeliveryStatus.CANCELLED
IN_DOUBT = DeliveryStatus.IN_DOUBT


@dataclass
class House:
    """Two lists: three people have one, Zoe has the other; a campaign of each, and a third."""

    blog: MailingList
    ana: Subscription
    bea: Subscription
    cleo: Subscription
    zoe: Subscription
    letter: Campaign
    other: Campaign
    later: Campaign


def add_house(session: Session) -> House:
    """Add two lists and three campaigns without deliveries; no id is that of another table."""
    elsewhere = add_list(session, "other")
    zoe = add_reader(session, elsewhere, "zoe@other.example")
    blog = add_list(session)
    ana, bea, cleo = (
        add_reader(session, blog, address)
        for address in ("ana@example.com", "bea@second.example", "cleo@example.com")
    )
    add_row(session, zoe, None, status=DeliveryStatus.SENT, finished_at=START)
    for _ in range(7):
        add_campaign(session, elsewhere, status=CampaignStatus.SENT)
    other, letter, later = (
        add_campaign(session, mailing_list) for mailing_list in (elsewhere, blog, blog)
    )
    return House(blog, ana, bea, cleo, zoe, letter, other, later)


def add_campaign(session: Session, mailing_list: MailingList, **values: object) -> Campaign:
    """Add a letter that is being sent and has no deliveries."""
    defaults = {
        "kind": CampaignKind.LETTER,
        "status": CampaignStatus.SENDING,
        "subject": "Words",
        "seed": "1",
        "created_at": START,
        "started_at": START,
    }
    campaign = Campaign(list_id=mailing_list.id, **(defaults | values))
    session.add(campaign)
    session.flush()
    return campaign


def add_row(
    session: Session,
    reader: Subscription | None,
    campaign: Campaign | None,
    *,
    status: DeliveryStatus = DeliveryStatus.QUEUED,
    mail: MailKind | None = None,
    created_at: datetime = START,
    **values: object,
) -> int:
    """Add a delivery, a campaign's or a single mail, and return its id."""
    row = Delivery(
        subscription_id=reader.id if reader else None,
        campaign_id=campaign.id if campaign else None,
        mail=mail or (MailKind.LETTER if campaign else MailKind.WELCOME),
        status=status,
        created_at=created_at,
        **values,
    )
    session.add(row)
    session.flush()
    if campaign:
        campaign.first_id = campaign.first_id or row.id
        campaign.last_id = campaign.leased_id = row.id
        campaign.recipients += 1
        session.flush()
    return row.id


def read_row(session: Session, id_: int) -> Delivery:
    """Return a delivery as the database has it."""
    session.flush()
    session.expire_all()
    return session.get_one(Delivery, id_)
