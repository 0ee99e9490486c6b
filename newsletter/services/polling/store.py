"""Writes down what a feed said: new entries with their fates, what known ones say now, what was
withdrawn and what came back. Within the caller's transaction.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from newsletter.feeds import youtube
from newsletter.feeds.fetch import Fetched
from newsletter.feeds.identity import canonicalize_link
from newsletter.feeds.protected import PROTECTED, is_protected
from newsletter.feeds.types import ParsedEntry, ParsedFeed
from newsletter.models import Entry, Feed
from newsletter.schedule import next_poll
from newsletter.services import notifications
from newsletter.services.polling import duplicates, matching
from newsletter.services.polling.entries import make_ready, owe_again
from newsletter.services.polling.fetch import FeedReading, hash_answer
from newsletter.services.runtime import Environment
from newsletter.vocabulary import EntryStatus

MOVED_AFTER = 3
WAITS = "dated in the future: waits for its time"
TRYING_OUT = timedelta(hours=1)
"""So long after a feed was added its author is likely to be trying things out;"""
TRYING_OUT_EVERY = timedelta(minutes=1)
"""so often it is asked then."""


@dataclass(frozen=True, slots=True)
class PollResult:
    """What came of asking: `new`, `changed` (known ones), `held` and `gone` count entries; `error`
    is one line, "" when all went well.
    """

    feed_id: int
    url: str
    new: int = 0
    changed: int = 0
    held: int = 0
    gone: int = 0
    unchanged: bool = False
    error: str = ""


def store_reading(
    env: Environment, session: Session, feed: Feed, found: FeedReading, *, backlog: int = 0
) -> PollResult:
    """Write down what a feed said, within the caller's transaction."""
    now, fetched = env.now, found.fetched
    result = PollResult(feed.id, feed.url, unchanged=True)
    if found.parsed is not None:
        result = _store_entries(env, session, feed, found, found.parsed, backlog=backlog)
        feed.title = found.parsed.title or feed.title
        feed.body_digest = hash_answer(fetched)
    if fetched.status != 304:
        feed.etag, feed.last_modified = fetched.etag, fetched.last_modified
    if found.waits:  # read it again next time, whether or not it changes
        feed.etag, feed.last_modified, feed.body_digest = None, None, ""
    feed.failures, feed.error, feed.failing_since, feed.told_at = 0, "", None, None
    feed.polled_at = feed.read_at = now
    if now - feed.created_at < TRYING_OUT:
        feed.next_poll_at = now + TRYING_OUT_EVERY
    else:
        jitter = random.random()  # noqa: S311 (spreads load, guards nothing)
        feed.next_poll_at = next_poll(
            now, failures=0, max_age=fetched.max_age, retry_after=None, jitter=jitter
        )
    _follow_redirect(session, feed, fetched)
    return result


def _follow_redirect(session: Session, feed: Feed, fetched: Fetched) -> None:
    """Take a permanent redirect at its word once it has said the same three times."""
    target = fetched.permanent_url or ""
    feed.moved_seen = (
        feed.moved_seen + 1 if target and target == feed.moved_to else int(bool(target))
    )
    feed.moved_to = target
    if feed.moved_seen >= MOVED_AFTER:
        twin = session.scalar(
            select(Feed.id).where(Feed.list_id == feed.list_id, Feed.url == target)
        )
        if twin is None:
            feed.url, feed.moved_to, feed.moved_seen = target, "", 0


def _store_entries(
    env: Environment,
    session: Session,
    feed: Feed,
    found: FeedReading,
    parsed: ParsedFeed,
    *,
    backlog: int,
) -> PollResult:
    known, asked = list_known(session, feed.id), _has_held_entries(session, feed)
    moment = replace(moment_of(env, feed, parsed), backlog=backlog)
    feed.entries_at_once = (
        len(parsed.entries) if found.window is None else found.window
    ) or feed.entries_at_once
    decided = matching.decide(known, parsed.entries, moment)
    changed, locked = _update_known(env, session, known, decided.seen)
    gone = withdraw_entries(env, session, decided.gone)
    # Oldest first, so that what is ready is numbered in the order it was written.
    fates = [
        _add_entry(env, session, feed, new, _find_left_out_kind(feed, new, found)).fate
        for new in reversed(decided.new)
    ]
    duplicates.merge_duplicates(env, session, feed.list_id)
    reasons = [new.why for new in decided.new if new.fate == EntryStatus.HELD] + [
        PROTECTED
    ] * locked
    if reasons and not asked:
        notifications.notify_entries_held(env, session, feed, reasons)
    return PollResult(
        feed.id,
        feed.url,
        new=len(fates) - fates.count(EntryStatus.SKIPPED),
        changed=changed,
        held=fates.count(EntryStatus.HELD) + locked,
        gone=gone,
    )


def moment_of(env: Environment, feed: Feed, parsed: ParsedFeed) -> matching.PollMoment:
    """Return what the decider needs to know about a feed and the time of reading it."""
    site_key = canonicalize_link(feed.site_url or parsed.link)
    return matching.PollMoment(
        env.now, feed.read_at, site_key=site_key, window=feed.entries_at_once
    )


def _has_held_entries(session: Session, feed: Feed) -> bool:
    """Tell whether entries of this feed are held already: one question at a time."""
    held = exists().where(Entry.feed_id == feed.id, Entry.fate == "held", Entry.by_hand.is_(False))
    return bool(session.scalar(select(held)))


def list_known(session: Session, feed_id: int) -> list[matching.KnownEntry]:
    """Return what is known of a feed's entries, in the order in which they were found."""
    columns = (
        Entry.id,
        Entry.identity,
        Entry.link_key,
        Entry.title,
        Entry.published_at,
        Entry.fate,
    )
    query = (
        select(*columns, Entry.withdrawn_at.is_not(None))
        .where(Entry.feed_id == feed_id)
        .order_by(Entry.id)
    )
    return [matching.KnownEntry(*row) for row in session.execute(query)]


def _update_known(
    env: Environment,
    session: Session,
    known: Sequence[matching.KnownEntry],
    seen: Sequence[tuple[int, ParsedEntry]],
) -> tuple[int, int]:
    """Take over what entries say now: the corrected text goes to whoever has not had it yet, and an
    id that changed is what the entry is known by from now on. Return how many there are, and how
    many have become password-protected.
    """
    used = {entry.identity for entry in known}
    rows = {
        entry.id: entry
        for entry in session.scalars(select(Entry).where(Entry.id.in_([id_ for id_, _ in seen])))
    }
    locked = 0
    for number, sighted in seen:
        entry = rows[number]
        if sighted.identity not in used:
            entry.identity = sighted.identity
        if is_protected(sighted.title, sighted.content_html, sighted.summary_html):
            locked += _hold_protected(env, session, entry)
            continue
        _update_entry(entry, sighted)
        if entry.withdrawn_at is not None:
            return_entry(env, session, entry)
        elif entry.fate == EntryStatus.HELD and entry.why == PROTECTED and not entry.by_hand:
            make_ready(session, entry, "its password was taken away", grace_from=env.now)
    return len(seen), locked


def _hold_protected(env: Environment, session: Session, entry: Entry) -> bool:
    """Keep an entry back that needs a password now, with the text it had.

    Return whether it has become held by that.

    What was protected when the author released it is their decision.
    """
    if is_protected(entry.title, entry.content_html, entry.summary_html) or entry.fate not in (
        EntryStatus.READY,
        EntryStatus.NEW,
        EntryStatus.SENT,
    ):
        return False
    if entry.fate == EntryStatus.SENT:  # others may still be owed it
        entry.withdrawn_at = entry.withdrawn_at or env.now
        return False
    entry.fate, entry.why, entry.seq, entry.by_hand = EntryStatus.HELD, PROTECTED, None, False
    return True


def return_entry(env: Environment, session: Session, entry: Entry) -> None:
    """Owe what is in its feed again to everybody; what was mailed already, to whoever has not had
    it.
    """
    entry.withdrawn_at = None
    if entry.by_hand or entry.shown_in_id is not None:
        return
    if entry.fate == "sent":
        owe_again(session, entry)
    elif (
        entry.fate == "skipped"
        and entry.published_at is not None
        and entry.published_at > env.now + matching.AHEAD
    ):
        entry.fate, entry.why = EntryStatus.NEW, WAITS
    elif entry.fate == "skipped":
        make_ready(session, entry, "is in its feed again", grace_from=env.now)


def withdraw_entries(env: Environment, session: Session, numbers: Sequence[int]) -> int:
    """Take back what its feed has taken back, but for what the author has decided by hand."""
    rows = session.scalars(
        select(Entry).where(Entry.id.in_(numbers), Entry.by_hand.is_(False))
    ).all()
    for entry in rows:
        entry.withdrawn_at = env.now
        if entry.fate in ("ready", "new"):
            entry.fate, entry.why, entry.seq = (
                EntryStatus.SKIPPED,
                "withdrawn: its feed does not have it any more",
                None,
            )
    duplicates.separate_from_withdrawn(env, session, [entry.id for entry in rows])
    return len(rows)


def _find_left_out_kind(feed: Feed, new: matching.NewEntry, found: FeedReading) -> str:
    """The kind of video that an entry is, if it is one that its feed leaves out."""
    known = found.left_out.get(new.entry.identity)
    return known or (
        youtube.find_left_out_kind(new.entry.link, youtube.VideoPage(), feed.leaves_out)
        if new.entry.video_id
        else ""
    )


def _add_entry(
    env: Environment, session: Session, feed: Feed, new: matching.NewEntry, left_out: str
) -> Entry:
    fate, why = ("skipped", f"this feed leaves out {left_out}") if left_out else (new.fate, new.why)
    entry = Entry(
        feed_id=feed.id,
        list_id=feed.list_id,
        identity=new.identity,
        found_at=env.now,
        fate="new" if fate == "ready" else fate,
        why=why,
        categories=[],
    )
    _update_entry(entry, new.entry)
    session.add(entry)
    if fate == "ready":
        session.flush()
        make_ready(session, entry, grace_from=env.now)
    return entry


def _update_entry(entry: Entry, sighted: ParsedEntry) -> None:
    """What was mailed stays as it was mailed in its campaign's editions; here is what goes out from
    now on.
    """
    entry.link_key, entry.link, entry.title = sighted.link_key, sighted.link, sighted.title
    entry.author, entry.published_at = sighted.author, sighted.published
    entry.summary_html, entry.content_html = sighted.summary_html, sighted.content_html
    if sighted.image or not entry.image:  # what its page gave it stays
        entry.image, entry.image_alt = sighted.image, sighted.image_alt
    entry.video_id = sighted.video_id
    if entry.categories != list(sighted.categories):
        entry.categories = list(sighted.categories)
