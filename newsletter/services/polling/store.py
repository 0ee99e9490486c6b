"""Store the reading of a feed: new, changed, withdrawn and returned entries.

Everything happens within the caller's transaction.
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
from newsletter.feeds.hub import find_hub
from newsletter.feeds.identity import canonicalize_link
from newsletter.feeds.protected import PROTECTED, is_protected
from newsletter.feeds.types import ParsedEntry, ParsedFeed
from newsletter.i18n import Text
from newsletter.models import Entry, Feed
from newsletter.schedule import plan_next_poll
from newsletter.services import notifications
from newsletter.services.polling import duplicates, entry_state, filters, matching, websub
from newsletter.services.polling.entry_state import Finding
from newsletter.services.polling.fetch import FeedReading, hash_answer
from newsletter.services.polling.types import KnownEntry, NewEntry, PollMoment
from newsletter.services.runtime import Environment
from newsletter.vocabulary import EntryReason, EntryStatus

MOVED_AFTER = 3
"""Consecutive polls with the same permanent redirect after which the feed's URL is replaced."""
WHY_AT_MOST = 300
"""Characters of an entry's reason, as many as its column holds."""
TRIAL_PERIOD = timedelta(hours=1)
"""Time after a feed was added in which it is polled more often."""
TRIAL_POLL_EVERY = timedelta(minutes=1)
"""Time between two polls in the trial period, when authors wait for test posts."""


@dataclass(frozen=True, slots=True)
class PollResult:
    """The result of polling one feed.

    `new`, `changed` (known ones), `held` and `gone` count entries; `error` is one line, "" if all
    went well.
    """

    feed_id: int
    url: str
    new: int = 0
    changed: int = 0
    held: int = 0
    gone: int = 0
    unchanged: bool = False
    error: str = ""

    def describe(self) -> str:
        """Describe the result in one line."""
        return f"{self.new} new, {self.held} held, {self.gone} withdrawn"


def store_reading(
    env: Environment, session: Session, feed: Feed, reading: FeedReading, *, backlog: int = 0
) -> PollResult:
    """Store the reading of a feed, and schedule its next poll.

    Of a first reading the newest `backlog` entries are mailed.
    """
    now = env.now
    fetched = reading.fetched
    result = PollResult(feed.id, feed.url, unchanged=True)
    if reading.parsed is not None:
        result = _store_entries(env, session, feed, reading, reading.parsed, backlog=backlog)
        feed.title = reading.parsed.title or feed.title
        websub.note_hub(env, session, feed, find_hub(fetched, reading.parsed))
        feed.body_digest = hash_answer(fetched)
    if fetched.status != 304:
        feed.etag = fetched.etag
        feed.last_modified = fetched.last_modified
    if reading.waits:  # read it again next time, whether or not it changes
        feed.etag = None
        feed.last_modified = None
        feed.body_digest = ""
    feed.failures = 0
    feed.error = ""
    feed.failing_since = None
    feed.told_at = None
    feed.read_at = now
    if now - feed.created_at < TRIAL_PERIOD:
        feed.next_poll_at = now + TRIAL_POLL_EVERY
    else:
        jitter = random.random()  # noqa: S311 (spreads load, guards nothing)
        feed.next_poll_at = plan_next_poll(
            now, failures=0, max_age=fetched.max_age, retry_after=None, jitter=jitter
        )
        if websub.is_alive(env, session, feed.id):
            feed.next_poll_at = max(feed.next_poll_at, now + websub.POLL_WITH_HUB)
    _follow_redirect(session, feed, fetched)
    return result


def _follow_redirect(session: Session, feed: Feed, fetched: Fetched) -> None:
    """Replace the feed's URL after `MOVED_AFTER` polls with the same permanent redirect."""
    target = fetched.permanent_url or ""
    if target and target == feed.moved_to:
        feed.moved_seen += 1
    else:
        feed.moved_seen = int(bool(target))
    feed.moved_to = target
    if feed.moved_seen >= MOVED_AFTER:
        twin = session.scalar(
            select(Feed.id).where(Feed.list_id == feed.list_id, Feed.url == target)
        )
        if twin is None:
            feed.url = target
            feed.moved_to = ""
            feed.moved_seen = 0


def _store_entries(
    env: Environment,
    session: Session,
    feed: Feed,
    reading: FeedReading,
    parsed: ParsedFeed,
    *,
    backlog: int,
) -> PollResult:
    known = list_known(session, feed.id)
    author_is_asked = _has_held_entries(session, feed)
    moment = replace(describe_moment(env, feed, parsed), backlog=backlog)
    window = len(parsed.entries) if reading.window is None else reading.window
    feed.entries_at_once = window or feed.entries_at_once
    changes = matching.decide(known, parsed.entries, moment)
    hidden = _update_known(env, session, feed, known, changes.present)
    gone = withdraw_entries(env, session, changes.gone)
    # Oldest first, so that ready entries are numbered in the order in which they were written.
    findings = [_make_finding(env, feed, new, reading) for new in reversed(changes.new)]
    entry_state.add_found(env, session, findings)
    duplicates.merge_duplicates(env, session, feed.list_id)
    reasons = [finding.why for finding in findings if finding.fate == EntryStatus.HELD]
    reasons += [PROTECTED] * hidden
    if reasons and not author_is_asked:
        notifications.notify_entries_held(env, session, feed, reasons)
    fates = [finding.fate for finding in findings]
    return PollResult(
        feed.id,
        feed.url,
        new=len(fates) - fates.count(EntryStatus.SKIPPED),
        changed=len(changes.present),
        held=fates.count(EntryStatus.HELD) + hidden,
        gone=gone,
    )


def describe_moment(env: Environment, feed: Feed, parsed: ParsedFeed) -> PollMoment:
    """Return the facts about a feed and its reading on which decisions about entries depend."""
    site_key = canonicalize_link(feed.site_url or parsed.link)
    return PollMoment(env.now, feed.read_at, site_key=site_key, window=feed.entries_at_once)


def _has_held_entries(session: Session, feed: Feed) -> bool:
    """Tell whether entries of this feed are held already, so that the author was notified."""
    held = exists().where(
        Entry.feed_id == feed.id, Entry.fate == EntryStatus.HELD, Entry.by_hand.is_(False)
    )
    return bool(session.scalar(select(held)))


def list_known(session: Session, feed_id: int) -> list[KnownEntry]:
    """List the stored entries of a feed, in the order in which they were found."""
    query = (
        select(
            Entry.id,
            Entry.identity,
            Entry.link_key,
            Entry.title,
            Entry.published_at,
            Entry.fate,
            Entry.withdrawn_at.is_not(None),
        )
        .where(Entry.feed_id == feed_id)
        .order_by(Entry.id)
    )
    return [KnownEntry(*row) for row in session.execute(query)]


def _update_known(
    env: Environment,
    session: Session,
    feed: Feed,
    known: Sequence[KnownEntry],
    present: Sequence[tuple[int, ParsedEntry]],
) -> int:
    """Update the known entries from the feed.

    The corrected text goes to whoever has not received the entry yet, and an id that changed
    identifies the entry from now on. Return the number of entries that became held because they
    are password-protected now.
    """
    used = {entry.identity for entry in known}
    ids = [entry_id for entry_id, _ in present]
    rows = {entry.id: entry for entry in session.scalars(select(Entry).where(Entry.id.in_(ids)))}
    hidden = 0
    for entry_id, parsed in present:
        entry = rows[entry_id]
        if parsed.identity not in used:
            entry.identity = parsed.identity
        if is_protected(parsed.title, parsed.content_html, parsed.summary_html):
            hidden += _hold_protected(env, session, entry)
            continue
        _update_entry(entry, parsed)
        if _leave_out_unsent(env, session, feed, entry):
            continue
        if entry.withdrawn_at is not None:
            entry_state.return_to_feed(env, session, entry)
        elif entry.fate == EntryStatus.HELD and entry.why == PROTECTED and not entry.by_hand:
            why = Text("its password was taken away")
            reason = EntryReason.PASSWORD
            entry_state.make_ready(env, session, entry, why, reason=reason, with_grace=True)
    return hidden


def _hold_protected(env: Environment, session: Session, entry: Entry) -> bool:
    """Hold an entry that now needs a password, keeping its earlier text.

    Return whether it has become held. An entry that was protected already when its author released
    it stays as they decided.
    """
    if is_protected(entry.title, entry.content_html, entry.summary_html):
        return False
    if entry.fate == EntryStatus.SENT:  # others may still be owed it
        entry_state.withdraw(env, session, entry, reason=EntryReason.PASSWORD)
        return False
    if entry.fate not in (EntryStatus.READY, EntryStatus.NEW):
        return False
    entry_state.hold(env, session, entry, PROTECTED, reason=EntryReason.PASSWORD)
    return True


def withdraw_entries(env: Environment, session: Session, ids: Sequence[int]) -> int:
    """Withdraw the entries with these ids, except those with a decision of their author.

    Return the number of withdrawn entries.
    """
    entries = session.scalars(
        select(Entry).where(Entry.id.in_(ids), Entry.by_hand.is_(False))
    ).all()
    for entry in entries:
        entry_state.withdraw(env, session, entry)
    duplicates.separate_from_withdrawn(env, session, [entry.id for entry in entries])
    return len(entries)


def _make_finding(env: Environment, feed: Feed, new: NewEntry, reading: FeedReading) -> Finding:
    entry = Entry(
        feed_id=feed.id,
        list_id=feed.list_id,
        identity=new.identity,
        found_at=env.now,
        categories=[],
    )
    _update_entry(entry, new.entry)
    kind = _find_left_out_kind(feed, new, reading)
    left_out = Text("this feed leaves out %(kind)s", kind=kind)
    why = left_out if kind else _find_filter_reason(feed, entry)
    if why:
        return Finding(entry, EntryStatus.SKIPPED, why, EntryReason.LEFT_OUT)
    return Finding(entry, new.fate, new.why, new.reason)


def _find_filter_reason(feed: Feed, entry: Entry) -> str:
    """Return the reason why filters or the entry's own marker leave it out, or ""."""
    feed_filters = filters.Filters(feed.only_categories, feed.not_categories, feed.not_title)
    return filters.find_reason(feed_filters, entry.title, entry.categories)[:WHY_AT_MOST]


def _leave_out_unsent(env: Environment, session: Session, feed: Feed, entry: Entry) -> bool:
    """Skip an unsent entry that is now left out; return whether it was."""
    unsent = (EntryStatus.NEW, EntryStatus.HELD, EntryStatus.READY)
    if entry.by_hand or entry.fate not in unsent:
        return False
    why = _find_filter_reason(feed, entry)
    if why:
        entry_state.skip(env, session, entry, why, reason=EntryReason.LEFT_OUT)
    return bool(why)


def _find_left_out_kind(feed: Feed, new: NewEntry, reading: FeedReading) -> str:
    """Return an entry's kind of video if its feed leaves that kind out, else ""."""
    kind = reading.left_out.get(new.entry.identity, "")
    if kind or not new.entry.video_id:
        return kind
    return youtube.find_left_out_kind(new.entry.link, youtube.VideoPage(), feed.leaves_out)


def _update_entry(entry: Entry, parsed: ParsedEntry) -> None:
    """Update an entry from its feed.

    What was mailed stays as it was in its campaign's editions; this is mailed from now on.
    """
    entry.link_key = parsed.link_key
    entry.link = parsed.link
    entry.title = parsed.title
    entry.author = parsed.author
    entry.published_at = parsed.published
    entry.summary_html = parsed.summary_html
    entry.content_html = parsed.content_html
    if parsed.image or not entry.image:  # an image that its page gave it stays
        entry.image = parsed.image
        entry.image_alt = parsed.image_alt
    entry.video_id = parsed.video_id
    entry.audio = parsed.audio
    entry.audio_seconds = parsed.audio_seconds
    if entry.categories != list(parsed.categories):
        entry.categories = list(parsed.categories)
