"""Describe the fate of an entry: what keeps it from being mailed, and its campaigns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.models import Campaign, CampaignEntry, Entry, MailingList
from newsletter.services.digests.wording import join_words
from newsletter.services.runtime import Environment
from newsletter.vocabulary import CampaignStatus, EntryStatus

ENTRIES_SHOWN = 20
"""The number of newest entries that are explained: one screen of a terminal."""
CAMPAIGNS_SHOWN = 5
"""The number of latest campaigns that are named for an entry."""


class Course(StrEnum):
    """The fate of an entry in a word."""

    GOES = "goes"
    WAITS = "waits"
    SENT = "sent"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class EntryOutlook:
    """The fate of one entry, as a code (`course`) and as a sentence."""

    id: int
    title: str
    fate: EntryStatus
    course: Course
    verdict: str


def list_newest_entries(session: Session, mailing_list: MailingList) -> list[Entry]:
    """Return the list's newest entries, newest first."""
    query = select(Entry).where(Entry.list_id == mailing_list.id)
    return list(session.scalars(query.order_by(Entry.id.desc()).limit(ENTRIES_SHOWN)))


def find_obstacle(entry: Entry) -> tuple[Course, str] | None:
    """Return the reason why an entry is mailed to no subscriber, or None."""
    match entry.fate:
        case EntryStatus.NEW | EntryStatus.HELD | EntryStatus.SKIPPED:
            course = Course.NEVER if entry.fate is EntryStatus.SKIPPED else Course.WAITS
            if entry.why.startswith(entry.fate):
                return course, entry.why
            return course, ": ".join(filter(None, (entry.fate, entry.why)))
        case EntryStatus.READY | EntryStatus.SENT:
            pass
        case _:
            assert_never(entry.fate)
    if entry.withdrawn_at is not None:
        return Course.NEVER, "withdrawn: its feed does not have it any more"
    if entry.shown_in_id is not None:
        return Course.NEVER, f"shown in entry {entry.shown_in_id}"
    return None


def find_grace(
    env: Environment, mailing_list: MailingList, entry: Entry
) -> tuple[Course, str] | None:
    """Return the end of an entry's grace period for instant mails, or None."""
    if entry.matures_at is None or entry.matures_at <= env.now:
        return None
    clock = format_clock(mailing_list, entry.matures_at)
    return Course.WAITS, f"for corrections, until {clock}"


def explain_campaigns(session: Session, entry: Entry) -> str:
    """Name the campaigns that carried an entry; "" if none did."""
    query = (
        select(Campaign)
        .join(CampaignEntry, CampaignEntry.campaign_id == Campaign.id)
        .where(CampaignEntry.entry_id == entry.id)
        .order_by(Campaign.id.desc())
        .limit(CAMPAIGNS_SHOWN)
    )
    campaigns = session.scalars(query).all()[::-1]
    mailed = [row for row in campaigns if row.status != CampaignStatus.CANCELLED]
    cancelled = [row for row in campaigns if row.status == CampaignStatus.CANCELLED]
    sentences = []
    if mailed:
        count = sum(campaign.recipients for campaign in mailed)
        recipients = f"{count:,} recipient" + ("s" if count != 1 else "")
        ids = join_words([str(campaign.id) for campaign in mailed])
        sentences.append(f"mailed with campaign {ids} ({recipients})")
    for campaign in cancelled:
        sent = outbox.count_totals(session, campaign).sent
        reached = f"{sent:,} of {campaign.recipients:,}" if sent else "nobody"
        sentences.append(
            f"campaign {campaign.id} with it was cancelled and reached {reached}:"
            f" `newsletter entry resend {entry.id}` mails it again"
        )
    return "; ".join(sentences)


def format_clock(mailing_list: MailingList, moment: datetime) -> str:
    """Return the time of day in a list's zone, like "14:30 CET"."""
    return f"{moment.astimezone(mailing_list.zone):%H:%M %Z}"
