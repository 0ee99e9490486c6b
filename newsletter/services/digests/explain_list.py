"""Answers the author's "why?" for a list: when the next digests go out, to whom and with what; and
what becomes of each entry: it goes, it waits, it never will, and why.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading
from newsletter.models import (
    Campaign,
    CampaignEntry,
    DigestPeriod,
    Entry,
    Feed,
    MailingList,
    Subscription,
)
from newsletter.schedule import Period as Moment
from newsletter.schedule import next_period
from newsletter.services.digests.due import list_cadences
from newsletter.services.digests.plan import plan
from newsletter.services.digests.selection import DigestDecision
from newsletter.services.lookup import get_list
from newsletter.services.polling.entries import owed_clause
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence

LAST = 20
Course = Literal["goes", "waits", "sent", "never"]


@dataclass(frozen=True, slots=True)
class Outlook:
    """One rhythm of a list: its next moment (None: as soon as something is ready), and what stands
    for it or against it, in words.
    """

    cadence: str
    next_at: datetime | None
    readers: int
    owed_clause: int
    verdict: str
    last: str


@dataclass(frozen=True, slots=True)
class EntryOutlook:
    """What becomes of one entry, in a word (`course`) and in words."""

    id: int
    title: str
    fate: str
    course: Course
    verdict: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A list's digests.

    `problems` are what keeps all of them: no feed, a failing one.
    """

    list: str
    timezone: str
    outlooks: tuple[Outlook, ...]
    entries: tuple[EntryOutlook, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Rhythm:
    """What the next digest of one cadence decides.

    `moment` None: at once; `unripe`: what its readers would get if no corrections were waited for.
    """

    cadence: Cadence
    moment: Moment | None
    decision: DigestDecision
    readers: int
    unripe: DigestDecision


def explain(env: Environment, slug: str | None = None) -> Explanation:
    """Each rhythm of a list: what the next digest carries, or why none goes out; and the fate of
    the last entries.
    """
    with reading() as session:
        mailing_list = get_list(session, slug)
        rhythms = [
            _rhythm(env, session, mailing_list, each)
            for each in list_cadences(session, mailing_list)
        ]
        outlooks = tuple(_outlook(env, session, mailing_list, rhythm) for rhythm in rhythms)
        query = (
            select(Entry)
            .where(Entry.list_id == mailing_list.id)
            .order_by(Entry.id.desc())
            .limit(LAST)
        )
        entries = tuple(
            _entry(env, session, mailing_list, rhythms, entry)
            for entry in session.scalars(query).all()
        )
        problems = _problems(session, mailing_list)
        return Explanation(mailing_list.slug, mailing_list.timezone, outlooks, entries, problems)


def _rhythm(
    env: Environment, session: Session, mailing_list: MailingList, cadence: Cadence
) -> _Rhythm:
    moment = following = None
    if cadence != "instant":
        moment = next_period(cadence, mailing_list.schedule, env.now)
        following = next_period(cadence, mailing_list.schedule, moment.due_at)
    found = plan(env, session, mailing_list, cadence, following=following, hasty=False)
    whole = (
        plan(env, session, mailing_list, cadence)
        if found.through < mailing_list.entry_seq
        else None
    )
    here = (
        Subscription.list_id == mailing_list.id,
        Subscription.status == "active",
        Subscription.cadence == cadence,
    )
    count = session.scalar(select(func.count()).where(*here)) or 0
    return _Rhythm(
        cadence, moment, found.decision, count, whole.decision if whole else DigestDecision()
    )


def _outlook(
    env: Environment, session: Session, mailing_list: MailingList, rhythm: _Rhythm
) -> Outlook:
    last = session.scalars(
        select(DigestPeriod)
        .where(DigestPeriod.list_id == mailing_list.id, DigestPeriod.cadence == rhythm.cadence)
        .order_by(DigestPeriod.id.desc())
    ).first()
    return Outlook(
        rhythm.cadence,
        rhythm.moment.due_at if rhythm.moment else None,
        rhythm.readers,
        max(len(rhythm.decision.entries), rhythm.decision.few),
        _verdict(env, session, mailing_list, rhythm),
        f"{last.key}: {last.why}" if last else "none yet",
    )


def _verdict(env: Environment, session: Session, mailing_list: MailingList, rhythm: _Rhythm) -> str:
    if not rhythm.readers:
        return "nothing goes out: nobody reads at this rhythm"
    decision = rhythm.decision
    if decision.shares:
        return _new(decision, rhythm)
    if decision.waiting:
        return f"waits: {decision.few} of {mailing_list.digest_min_entries} entries"
    if rhythm.unripe.shares:
        until = _ripe_at(env, session, mailing_list, mailing_list.entry_seq)
        return f"waits for corrections: {_new(rhythm.unripe, rhythm)}{until}"
    return f"nothing goes out: nothing new for {_readers(rhythm.readers)}"


def _new(decision: DigestDecision, rhythm: _Rhythm) -> str:
    return f"{len(decision.entries)} new for {decision.readers} of {rhythm.readers} readers"


def _readers(count: int, kind: str = "") -> str:
    return f"{count:,} {kind}reader" + ("s" if count != 1 else "")


def _ripe_at(env: Environment, session: Session, mailing_list: MailingList, through: int) -> str:
    """When the last entry up to a number is waited for no more; instant mails keep the order of
    numbers.
    """
    here = (Entry.list_id == mailing_list.id, Entry.matures_at > env.now, Entry.seq <= through)
    at = session.scalar(select(func.max(Entry.matures_at)).where(*here, owed_clause()))
    return f", until {_clock(mailing_list, at)}" if at else ""


def _entry(
    env: Environment,
    session: Session,
    mailing_list: MailingList,
    rhythms: list[_Rhythm],
    entry: Entry,
) -> EntryOutlook:
    course, verdict = _course(env, session, mailing_list, rhythms, entry)
    past = _mailed(session, entry)
    if past and course == "never":
        course, verdict = "sent", past
    elif past:
        verdict = f"{past}; {verdict}"
    return EntryOutlook(entry.id, entry.title, entry.fate, course, verdict)


def _course(
    env: Environment,
    session: Session,
    mailing_list: MailingList,
    rhythms: list[_Rhythm],
    entry: Entry,
) -> tuple[Course, str]:
    if settled := find_obstacle(entry):
        return settled
    goes = {rhythm.cadence: _getting(rhythm.decision, entry) for rhythm in rhythms}
    parts = [f"{count} {cadence}" for cadence, count in goes.items() if count]
    said = (
        [f"goes to {_joined(parts)} {'reader' if sum(goes.values()) == 1 else 'readers'}"]
        if parts
        else []
    )
    later = (
        0
        if goes.get(Cadence.INSTANT)
        else sum(_getting(rhythm.unripe, entry) for rhythm in rhythms)
    )
    if later:
        until = _ripe_at(env, session, mailing_list, entry.seq or 0).removeprefix(",")
        said.append(f"waits for corrections{until}: {_readers(later, 'instant ')}")
    if said:
        return "goes" if parts else "waits", "; ".join(said)
    if any(rhythm.decision.waiting for rhythm in rhythms):
        return (
            "waits",
            f"waits for more: a digest has {mailing_list.digest_min_entries} entries at least",
        )
    return "never", "nobody is owed it: all readers joined later, or chose other topics"


def find_obstacle(entry: Entry) -> tuple[Course, str] | None:
    """What keeps an entry from everybody, if anything does."""
    if entry.fate not in ("ready", "sent"):
        said = (
            entry.why
            if entry.why.startswith(entry.fate)
            else ": ".join(filter(None, (entry.fate, entry.why)))
        )
        return "never" if entry.fate == "skipped" else "waits", said
    if entry.withdrawn_at is not None:
        return "never", "withdrawn: its feed does not have it any more"
    if entry.shown_in_id is not None:
        return "never", f"shown in entry {entry.shown_in_id}"
    return None


def find_grace(
    env: Environment, mailing_list: MailingList, entry: Entry
) -> tuple[Course, str] | None:
    """Tell whether instant mails still wait for its author's second thoughts."""
    if entry.matures_at is None or entry.matures_at <= env.now:
        return None
    return "waits", f"for corrections, until {_clock(mailing_list, entry.matures_at)}"


def _clock(mailing_list: MailingList, at: datetime) -> str:
    return f"{at.astimezone(mailing_list.zone):%H:%M %Z}"


def _getting(decision: DigestDecision, entry: Entry) -> int:
    return sum(share.readers for share in decision.shares if entry.id in share.entries)


def _mailed(session: Session, entry: Entry) -> str:
    query = (
        select(Campaign)
        .join(CampaignEntry, CampaignEntry.campaign_id == Campaign.id)
        .order_by(Campaign.id.desc())
    )
    campaigns = session.scalars(query.where(CampaignEntry.entry_id == entry.id).limit(5)).all()
    if not campaigns:
        return ""
    count = sum(campaign.recipients for campaign in campaigns)
    got = f"{count} recipient" + ("s" if count != 1 else "")
    return f"mailed with campaign {_joined([str(row.id) for row in reversed(campaigns)])} ({got})"


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _problems(session: Session, mailing_list: MailingList) -> tuple[str, ...]:
    feeds = session.scalars(select(Feed).where(Feed.list_id == mailing_list.id)).all()
    found = [
        f"feed {feed.url}: {feed.error} ({feed.failures} times in a row)"
        for feed in feeds
        if feed.error
    ]
    found += [f"feed {feed.url} is {feed.status}" for feed in feeds if feed.status != "active"]
    held = session.scalar(
        select(func.count()).where(
            Entry.list_id == mailing_list.id, Entry.fate.in_(("held", "new"))
        )
    )
    if not feeds:
        found.append("no feed: add one with `newsletter feed add`")
    if held:
        found.append(f"{held} entries are held or wait for their date: see `newsletter entry ls`")
    return tuple(found)
