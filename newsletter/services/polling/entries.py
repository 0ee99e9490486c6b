"""List entries, and change their status by the author's decision or when they are due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.errors import NotFound, Refused
from newsletter.i18n import Text
from newsletter.models import Entry, Feed, MailingList
from newsletter.services.polling import entry_state
from newsletter.services.polling.matching import AHEAD
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Actor, EntryStatus

LISTED_AT_MOST = 50
"""Entries that a listing shows by default: about one screen."""


@dataclass(frozen=True, slots=True)
class EntryView:
    """An entry as its author sees it."""

    id: int
    feed: str
    list: str
    title: str
    link: str
    published: datetime | None
    fate: EntryStatus
    why: str
    at_once: bool
    """It is mailed as soon as a worker composes it."""


def change_grace_period(
    env: Environment, session: Session, mailing_list: MailingList, minutes: int
) -> None:
    """Apply a new grace period to the entries that wait for corrections."""
    more = timedelta(minutes=minutes - mailing_list.grace_minutes)
    query = select(Entry).where(Entry.list_id == mailing_list.id, Entry.matures_at > env.now)
    for entry in session.scalars(query):
        entry.matures_at = entry.matures_at and entry.matures_at + more


def promote_due(env: Environment) -> int:
    """Make entries ready whose future date has been reached.

    Returns their number.
    """
    with reading() as session:
        ids = session.scalars(_due_query(env)).all()
    if not ids:
        return 0
    with transaction() as session:
        entries = session.scalars(
            select(Entry).where(Entry.id.in_(_due_query(env))).order_by(Entry.published_at)
        ).all()
        for entry in entries:
            entry_state.make_ready(env, session, entry)
        return len(entries)


def _due_query(env: Environment) -> Select[int]:
    return select(Entry.id).where(
        Entry.fate == EntryStatus.NEW,
        Entry.published_at <= env.now + AHEAD,
        Entry.withdrawn_at.is_(None),
    )


def list_entries(
    *,
    slug: str | None = None,
    fate: EntryStatus | None = None,
    feed_id: int | None = None,
    links: Sequence[str] = (),
    before: int | None = None,
    limit: int | None = LISTED_AT_MOST,
) -> list[EntryView]:
    """List entries, newest first: all, or those of one list, feed or some links.

    `before` is the entry that the page before ended with.
    """
    query = (
        select(Entry, Feed, MailingList)
        .join(Feed, Feed.id == Entry.feed_id)
        .join(MailingList, MailingList.id == Entry.list_id)
        .order_by(Entry.id.desc())
        .limit(limit)
    )
    if slug:
        query = query.where(MailingList.slug == slug)
    if fate:
        query = query.where(Entry.fate == fate)
    if feed_id:
        query = query.where(Entry.feed_id == feed_id)
    if links:
        query = query.where(Entry.link.in_(links))
    if before is not None:
        query = query.where(Entry.id < before)
    with reading() as session:
        return [describe_entry(*row) for row in session.execute(query)]


def count_entries(*, slug: str | None = None, fate: EntryStatus | None = None) -> int:
    """Count the entries of a list (None: of all lists) with a status (None: any)."""
    query = select(func.count()).select_from(Entry)
    if slug:
        query = query.join(MailingList, MailingList.id == Entry.list_id)
        query = query.where(MailingList.slug == slug)
    if fate:
        query = query.where(Entry.fate == fate)
    with reading() as session:
        return session.scalar(query) or 0


def get_entry(entry_id: int) -> EntryView:
    """Return one entry.

    Raises `NotFound`.
    """
    with reading() as session:
        return _view_entry(_get_row(session, entry_id))


def skip(env: Environment, entry_id: int) -> EntryView:
    """Skip an entry, so that it is never mailed.

    It stays so even if its feed takes the entry back and brings it again.
    Raises `NotFound`, `Refused`.
    """
    allowed = {EntryStatus.NEW, EntryStatus.HELD, EntryStatus.READY, EntryStatus.SKIPPED}
    with transaction() as session:
        entry = _get_undecided(session, entry_id, allowed)
        entry_state.skip(env, session, entry, Text("skipped by hand"), actor=Actor.AUTHOR)
        return _view_entry(entry)


def hold(env: Environment, entry_id: int) -> EntryView:
    """Hold an entry until it is released.

    Raises `NotFound`, `Refused`.
    """
    with transaction() as session:
        entry = _get_undecided(session, entry_id, {EntryStatus.NEW, EntryStatus.READY})
        entry_state.hold(env, session, entry, Text("held by hand"), actor=Actor.AUTHOR)
        return _view_entry(entry)


def send(env: Environment, entry_id: int, *, at_once: bool) -> EntryView:
    """Mail an entry with the next digest, or `at_once`, also one that was mailed before.

    At once, a worker mails it alone to everybody who is owed it, whatever their cadence; what else
    they are owed comes with their digest. Raises `NotFound`, `Refused` for an entry that is ready
    and goes with the next digest anyway.
    """
    with transaction() as session:
        entry = _get_row(session, entry_id)
        if entry.fate is EntryStatus.SENT:
            entry_state.release(env, session, entry, Text("to be sent again, by hand"))
        elif entry.fate is not EntryStatus.READY:
            entry_state.release(env, session, entry, Text("released by hand"))
        elif not at_once:
            raise Refused(
                Text("entry %(entry_id)s is ready", entry_id=entry_id),
                hint=Text("it goes with the next digest"),
            )
        if at_once:
            entry.send_asked_at = env.now
        session.flush()
        return _view_entry(entry)


def release(env: Environment, entry_id: int) -> EntryView:
    """Release a waiting, held or skipped entry for the next digest.

    Raises `NotFound`, `Refused`.
    """
    allowed = {EntryStatus.HELD, EntryStatus.SKIPPED, EntryStatus.NEW}
    with transaction() as session:
        entry = _get_undecided(session, entry_id, allowed)
        entry_state.release(env, session, entry, Text("released by hand"))
        return _view_entry(entry)


def resend(env: Environment, entry_id: int) -> EntryView:
    """Mail a sent entry again to all subscribers.

    Raises `NotFound`, `Refused`.
    """
    with transaction() as session:
        entry = _get_undecided(session, entry_id, {EntryStatus.SENT})
        entry_state.release(env, session, entry, Text("to be sent again, by hand"))
        return _view_entry(entry)


def _get_undecided(session: Session, entry_id: int, allowed: set[EntryStatus]) -> Entry:
    """Return an entry whose status is one of `allowed`."""
    entry = _get_row(session, entry_id)
    if entry.fate not in allowed:
        raise Refused(
            Text("entry %(entry_id)s is %(fate)s", entry_id=entry_id, fate=entry.fate),
            hint="only " + " or ".join(sorted(allowed)) + " ones",
        )
    return entry


def _get_row(session: Session, entry_id: int) -> Entry:
    entry = session.get(Entry, entry_id)
    if entry is None:
        raise NotFound(
            f"there is no entry {entry_id}",
            hint="see `newsletter entry ls`",
        )
    return entry


def _view_entry(entry: Entry) -> EntryView:
    return describe_entry(entry, entry.feed, entry.feed.mailing_list)


def describe_entry(entry: Entry, feed: Feed, mailing_list: MailingList) -> EntryView:
    return EntryView(
        id=entry.id,
        feed=feed.url,
        list=mailing_list.slug,
        title=entry.own_title or entry.title,
        link=entry.link,
        published=entry.published_at,
        fate=entry.fate,
        why=entry.why,
        at_once=entry.send_asked_at is not None,
    )
