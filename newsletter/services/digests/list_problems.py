"""Describe the problems that block a list's digests: no feed, a failing feed, held entries."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.models import Entry, Feed, MailingList
from newsletter.vocabulary import EntryStatus, FeedStatus


def list_problems(session: Session, mailing_list: MailingList) -> tuple[str, ...]:
    """List the problems that block a list's digests, a line each."""
    feeds = session.scalars(select(Feed).where(Feed.list_id == mailing_list.id)).all()
    problems = [
        f"feed {feed.url}: {feed.error} ({feed.failures} times in a row)"
        for feed in feeds
        if feed.error
    ]
    problems += [
        f"feed {feed.url} is {feed.status}" for feed in feeds if feed.status != FeedStatus.ACTIVE
    ]
    query = select(func.count()).where(
        Entry.list_id == mailing_list.id, Entry.fate.in_((EntryStatus.HELD, EntryStatus.NEW))
    )
    held = session.scalar(query)
    if not feeds:
        problems.append("no feed: add one with `newsletter feed add`")
    if held:
        problems.append(
            f"{held} entries are held or wait for their date: see `newsletter entry ls`"
        )
    return tuple(problems)
