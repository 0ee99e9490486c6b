"""The fate of entries: ready when their time has come, and whatever the author decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.errors import NotFound, Refused
from newsletter.models import Entry, Feed, MailingList
from newsletter.services.polling.matching import AHEAD
from newsletter.services.runtime import Environment
from newsletter.vocabulary import EntryStatus


@dataclass(frozen=True, slots=True)
class EntryView:
    """An entry as its author sees it."""

    id: int
    feed: str
    list: str
    title: str
    link: str
    published: datetime | None
    fate: str
    why: str


def owed_clause() -> ColumnElement[bool]:
    """Which entries readers may be owed, by their numbers: ready or sent to others, and not
    withdrawn meanwhile, nor shown in another entry.
    """
    return and_(
        Entry.fate.in_(("ready", "sent")), Entry.withdrawn_at.is_(None), Entry.shown_in_id.is_(None)
    )


def make_ready(
    session: Session, entry: Entry, why: str = "", *, grace_from: datetime | None = None
) -> None:
    """Give an entry its list's next number: from now on readers are owed it; those of instant mails
    once the list's grace period is over, if one begins now (`grace_from`).

    The list's row is locked until the caller commits, so that numbers become visible in their order
    and no digest can pass over one that is still being written.
    """
    entry.seq, grace = session.execute(
        update(MailingList)
        .where(MailingList.id == entry.list_id)
        .values(entry_seq=MailingList.entry_seq + 1)
        .returning(MailingList.entry_seq, MailingList.grace_minutes)
    ).one()
    entry.fate, entry.why, entry.first_seq = EntryStatus.READY, why, None
    entry.matures_at = grace_from + timedelta(minutes=grace) if grace_from and grace else None


def change_grace_period(
    env: Environment, session: Session, mailing_list: MailingList, minutes: int
) -> None:
    """Let what waits for corrections wait so long instead, from when it began."""
    more = timedelta(minutes=minutes - mailing_list.grace_minutes)
    waiting = select(Entry).where(Entry.list_id == mailing_list.id, Entry.matures_at > env.now)
    for entry in session.scalars(waiting):
        entry.matures_at = entry.matures_at and entry.matures_at + more


def owe_again(session: Session, entry: Entry) -> None:
    """Give an entry that some have had a new number, for digests may have passed over the one it
    had: those who were there then and have not had it are owed it (`planning.returned`).
    """
    first = entry.first_seq or entry.seq
    make_ready(session, entry, "is in its feed again: goes to whoever has not had it")
    entry.fate, entry.first_seq = EntryStatus.SENT, first


def promote_due(env: Environment) -> int:
    """Make ready what was dated in the future and is not any more.

    Returns how many.
    """
    with reading() as session:
        ids = session.scalars(_waiting_query(env)).all()
    if not ids:
        return 0
    with transaction() as session:
        due = session.scalars(
            select(Entry).where(Entry.id.in_(_waiting_query(env))).order_by(Entry.published_at)
        ).all()
        for entry in due:
            make_ready(session, entry)
        return len(due)


def _waiting_query(env: Environment):  # type: ignore[no-untyped-def] # a Select
    return select(Entry.id).where(
        Entry.fate == "new", Entry.published_at <= env.now + AHEAD, Entry.withdrawn_at.is_(None)
    )


def list_entries(
    *,
    slug: str | None = None,
    fate: str | None = None,
    feed_id: int | None = None,
    limit: int | None = 50,
) -> list[EntryView]:
    """Entries, newest first."""
    query = select(Entry, Feed, MailingList).join(Feed, Feed.id == Entry.feed_id)
    query = (
        query.join(MailingList, MailingList.id == Entry.list_id)
        .order_by(Entry.id.desc())
        .limit(limit)
    )
    if slug:
        query = query.where(MailingList.slug == slug)
    if fate:
        query = query.where(Entry.fate == fate)
    if feed_id:
        query = query.where(Entry.feed_id == feed_id)
    with reading() as session:
        return [_view(*row) for row in session.execute(query)]


def get_entry(entry_id: int) -> EntryView:
    """One entry.

    Raises `NotFound`.
    """
    with reading() as session:
        entry = _get_entry(session, entry_id)
        return _view(entry, entry.feed, entry.feed.mailing_list)


def skip(entry_id: int) -> EntryView:
    """Never mails an entry that has not been mailed, even if its feed takes it back and brings it
    again.
    """
    return _decide(
        entry_id,
        {EntryStatus.NEW, EntryStatus.HELD, EntryStatus.READY, EntryStatus.SKIPPED},
        EntryStatus.SKIPPED,
        "skipped by hand",
    )


def hold(entry_id: int) -> EntryView:
    """Keep an entry back until it is released."""
    return _decide(entry_id, {EntryStatus.NEW, EntryStatus.READY}, EntryStatus.HELD, "held by hand")


def release(entry_id: int) -> EntryView:
    """Let a held or skipped entry go out with the next digest."""
    return _decide(
        entry_id,
        {EntryStatus.HELD, EntryStatus.SKIPPED, EntryStatus.NEW},
        EntryStatus.READY,
        "released by hand",
    )


def resend(entry_id: int) -> EntryView:
    """Mail an entry once more to everybody."""
    return _decide(entry_id, {EntryStatus.SENT}, EntryStatus.READY, "to be sent again, by hand")


def _decide(entry_id: int, allowed: set[EntryStatus], fate: EntryStatus, why: str) -> EntryView:
    with transaction() as session:
        entry = _get_entry(session, entry_id)
        if entry.fate not in allowed:
            raise Refused(
                f"entry {entry_id} is {entry.fate}",
                hint="only " + " or ".join(sorted(allowed)) + " ones",
            )
        if fate == EntryStatus.READY:
            make_ready(session, entry, why)
            entry.withdrawn_at = entry.shown_in_id = None
        else:
            entry.fate, entry.why, entry.seq = fate, why, None
        entry.by_hand = True
        return _view(entry, entry.feed, entry.feed.mailing_list)


def _get_entry(session: Session, entry_id: int) -> Entry:
    found = session.get(Entry, entry_id)
    if found is None:
        raise NotFound(f"there is no entry {entry_id}", hint="see `newsletter entry ls`")
    return found


def _view(entry: Entry, feed: Feed, mailing_list: MailingList) -> EntryView:
    return EntryView(
        id=entry.id,
        feed=feed.url,
        list=mailing_list.slug,
        title=entry.title,
        link=entry.link,
        published=entry.published_at,
        fate=entry.fate,
        why=entry.why,
    )
