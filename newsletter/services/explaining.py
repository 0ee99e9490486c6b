"""Answers the author's "why?": when the next digest goes out, to whom, with what, or what keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.addresses import parse_address
from newsletter.db import reading
from newsletter.errors import NotFound
from newsletter.models import Entry, Feed, MailingList, Period, Subscriber, Subscription
from newsletter.schedule import Cadence, next_period
from newsletter.services.environment import Environment
from newsletter.services.feeds import find_list


@dataclass(frozen=True, slots=True)
class Outlook:
    """One rhythm of a list: its next moment (None: as soon as something is ready), and what stands for it or against
    it, in words."""

    cadence: str
    next_at: datetime | None
    readers: int
    owed: int
    verdict: str
    last: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A list's digests. `problems` are what keeps all of them: no feed, a failing one."""

    list: str
    timezone: str
    outlooks: tuple[Outlook, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EntryOutlook:
    """One entry and one reader: whether it goes to her, and why not."""

    title: str
    verdict: str


def explain(env: Environment, slug: str | None = None) -> Explanation:
    """Each rhythm of a list: what the next digest carries, or why none goes out."""
    with reading() as session:
        mailing_list = find_list(session, slug)
        outlooks = tuple(_outlook(env, session, mailing_list, cast(Cadence, each)) for each in mailing_list.cadences)
        return Explanation(mailing_list.slug, mailing_list.timezone, outlooks, _problems(session, mailing_list))


def _outlook(env: Environment, session: Session, mailing_list: MailingList, cadence: Cadence) -> Outlook:
    here = (Subscription.list_id == mailing_list.id, Subscription.status == "active", Subscription.cadence == cadence)
    readers = session.scalar(select(func.count()).where(*here)) or 0
    lowest = session.scalar(select(func.min(Subscription.cursor)).where(*here))
    first = mailing_list.entry_seq if lowest is None else lowest
    owed = session.scalar(
        select(func.count()).where(
            Entry.list_id == mailing_list.id, Entry.fate.in_(("ready", "sent")), Entry.seq > first
        )
    )
    next_at = None if cadence == "instant" else next_period(cadence, mailing_list.schedule, env.now).due_at
    last = session.scalars(
        select(Period).where(Period.list_id == mailing_list.id, Period.cadence == cadence).order_by(Period.id.desc())
    ).first()
    return Outlook(
        cadence,
        next_at,
        readers,
        owed or 0,
        _verdict(readers, owed or 0),
        f"{last.key}: {last.why}" if last else "none yet",
    )


def _verdict(readers: int, owed: int) -> str:
    if not readers:
        return "nothing goes out: nobody reads at this rhythm"
    if not owed:
        return f"nothing goes out: nothing new for {readers} readers"
    return f"{owed} new for {readers} readers"


def _problems(session: Session, mailing_list: MailingList) -> tuple[str, ...]:
    feeds = session.scalars(select(Feed).where(Feed.list_id == mailing_list.id)).all()
    found = [f"feed {feed.url}: {feed.error} ({feed.failures} times in a row)" for feed in feeds if feed.error]
    found += [f"feed {feed.url} is {feed.status}" for feed in feeds if feed.status != "active"]
    held = session.scalar(select(func.count()).where(Entry.list_id == mailing_list.id, Entry.fate.in_(("held", "new"))))
    if not feeds:
        found.append("no feed: add one with `newsletter feed add`")
    if held:
        found.append(f"{held} entries are held or wait for their date: see `newsletter entry ls`")
    return tuple(found)


def explain_reader(env: Environment, slug: str | None, address: str) -> list[EntryOutlook]:
    """The last entries of a list, and what becomes of each for one reader. Raises `NotFound`."""
    key = parse_address(address).key
    with reading() as session:
        mailing_list = find_list(session, slug)
        subscription = session.scalar(
            select(Subscription)
            .join(Subscriber)
            .where(Subscriber.email_key == key, Subscription.list_id == mailing_list.id)
        )
        if subscription is None:
            raise NotFound(f"this address does not subscribe to {mailing_list.slug}")
        query = select(Entry).where(Entry.list_id == mailing_list.id).order_by(Entry.id.desc()).limit(20)
        return [EntryOutlook(entry.title, _fate_for(env, subscription, entry)) for entry in session.scalars(query)]


def _fate_for(env: Environment, subscription: Subscription, entry: Entry) -> str:
    if subscription.status != "active":
        return f"never: the subscription is {subscription.status}"
    if entry.fate in ("held", "skipped", "new"):
        return f"{entry.fate}: {entry.why}"
    if (entry.seq or 0) <= subscription.cursor:
        return "settled: already mailed, or from before she joined"
    if subscription.paused_until and subscription.paused_until > env.now:
        return f"waits: on a break until {subscription.paused_until:%Y-%m-%d}"
    return f"goes with the next {subscription.cadence} digest"
