"""Asks the feeds that are due, and stores what they say. Claims in the database, fetches in threads that do not touch
it, stores each feed in a transaction of its own: one slow or broken feed holds up none of the others."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import and_, exists, or_, select, update
from sqlalchemy.orm import Session

from newsletter import __version__
from newsletter.content import plain
from newsletter.db import reading, transaction
from newsletter.errors import FeedError, FeedGone, FeedUnavailable, NewsletterError
from newsletter.feeds import youtube
from newsletter.feeds.entry import ParsedEntry, ParsedFeed
from newsletter.feeds.fetch import Fetched
from newsletter.feeds.identity import canonical_link
from newsletter.feeds.looking import look, worth_a_look
from newsletter.feeds.reading import read
from newsletter.models import Entry, Feed
from newsletter.schedule import POLL_EVERY, next_poll
from newsletter.services import notices, sighting, stories
from newsletter.services.entries import make_ready, promote_due
from newsletter.services.environment import Environment

AT_ONCE = 200
CLAIM_FOR = timedelta(minutes=10)
UNCONDITIONAL_EVERY = timedelta(days=1)
LOOKS_AT_MOST = 15
LOOK_FOR = 15.0
"""Seconds. A site that takes its time over pages does not hold up the next poll."""
MOVED_AFTER = 3
JUST_DONE = timedelta(minutes=1)
WAITS = "dated in the future: waits for its time"
TRYING_OUT = timedelta(hours=1)
"""So long after a feed was added its author is likely to be trying things out;"""
TRYING_OUT_EVERY = timedelta(minutes=1)
"""so often it is asked then."""

_STAMPS = re.compile(
    rb"<lastBuildDate>[^<]{0,80}</lastBuildDate>|<!--[^<>]{0,500}-->|<media:(?:statistics|starRating)\b[^<>]{0,200}>"
)


@dataclass(frozen=True, slots=True)
class DueFeed:
    """A feed this worker has taken on, and how it is read."""

    id: int
    url: str
    etag: str | None = None
    last_modified: str | None = None
    body_digest: str = ""
    leaves_out: tuple[str, ...] = ()
    page_pictures: bool = False
    read_before: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """What a feed said; `parsed` is None where nothing changed. Once `looked`, the pages of new entries were asked too:
    some of them wait until they are public (`waits`), some are of a kind that is left out (identity → kind)."""

    fetched: Fetched
    parsed: ParsedFeed | None = None
    looked: bool = False
    waits: bool = False
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PollResult:
    """What came of asking: `new`, `changed` (known ones), `held` and `gone` count entries; `error` is one line, "" when
    all went well."""

    feed_id: int
    url: str
    new: int = 0
    changed: int = 0
    held: int = 0
    gone: int = 0
    unchanged: bool = False
    error: str = ""


def poll_due(env: Environment, *, eager: bool = False, limit: int = 500) -> list[PollResult]:
    """Polls every feed that is due; with `eager`, also those that only their usual quarter of an hour keeps waiting."""
    return list(_poll(env, _claim(env, limit, eager=eager)))


def check(env: Environment, feed_id: int) -> PollResult:
    """Polls one feed now, whether or not it is due, and reads whatever it says."""
    with reading() as session:
        due = replace(_due(env, session.get_one(Feed, feed_id)), etag=None, last_modified=None, body_digest="")
    return next(_poll(env, [due]))


def refresh(env: Environment, list_id: int) -> list[PollResult]:
    """Brings a list's entries up to date before they are composed: asks its feeds once more, unless that was just done
    or the feed is in trouble. What was corrected is corrected then, what was withdrawn is not owed any more
    (`entries.owed`). A feed that cannot be read now leaves everything as it was."""
    with reading() as session:
        asked = or_(Feed.polled_at.is_(None), Feed.polled_at < env.now - JUST_DONE)
        query = select(Feed).where(Feed.list_id == list_id, Feed.status == "active", Feed.failures == 0, asked)
        due = [_due(env, feed) for feed in session.scalars(query)]
    results = list(_poll(env, due))
    promote_due(env)
    return results


def _claim(env: Environment, limit: int, *, eager: bool) -> list[DueFeed]:
    """Takes due feeds by moving them on: an UPDATE that hits the row with the time we saw, or not at all."""
    now = env.now
    with reading() as session:
        due_by = now + POLL_EVERY * 1.2 if eager else now
        ripe = or_(Feed.next_poll_at <= now, and_(Feed.next_poll_at <= due_by, Feed.failures == 0))
        query = select(Feed).where(Feed.status == "active", ripe).order_by(Feed.next_poll_at, Feed.id)
        seen = [(feed.next_poll_at, _due(env, feed)) for feed in session.scalars(query.limit(limit))]
    if not seen:
        return []
    with transaction() as session:
        return [due for next_poll_at, due in seen if _taken(session, due.id, next_poll_at, now + CLAIM_FOR)]


def _taken(session: Session, feed_id: int, seen_at: datetime, until: datetime) -> bool:
    taken = session.execute(
        update(Feed)
        .where(Feed.id == feed_id, Feed.next_poll_at == seen_at, Feed.status == "active")
        .values(next_poll_at=until)
        .execution_options(synchronize_session=False)
    )
    return bool(taken.rowcount == 1)  # type: ignore[attr-defined]


def _due(env: Environment, feed: Feed) -> DueFeed:
    """Now and then everything is asked for: some servers say "unchanged" for ever (F08)."""
    due = DueFeed(
        feed.id,
        feed.url,
        feed.etag,
        feed.last_modified,
        feed.body_digest,
        tuple(feed.leaves_out),
        feed.page_pictures,
        feed.read_at is not None,
    )
    if feed.unconditional_at is not None and env.now - feed.unconditional_at < UNCONDITIONAL_EVERY:
        return due
    return replace(due, etag=None, last_modified=None, body_digest="")


def _poll(env: Environment, due: list[DueFeed]) -> Iterator[PollResult]:
    with ThreadPoolExecutor(max_workers=AT_ONCE) as threads:
        asked = {threads.submit(_read, env, feed): feed for feed in due}
        while asked:
            for answered in wait(asked, return_when=FIRST_COMPLETED).done:
                feed, found = asked.pop(answered), answered.result()
                if strange := _strange(feed, found):
                    asked[threads.submit(_look, env, feed, found, strange)] = feed
                else:
                    yield _settle(env, feed, found)


def _read(env: Environment, due: DueFeed) -> Reading | NewsletterError:
    """Fetches and parses, in a thread of its own; whatever goes wrong is a value."""
    try:
        fetched = env.fetch(due.url, etag=due.etag, last_modified=due.last_modified)
        if fetched.status == 304 or (due.body_digest and digest(fetched) == due.body_digest):
            return Reading(fetched)
        return Reading(fetched, read(fetched.body, url=fetched.url, content_type=fetched.content_type))
    except NewsletterError as error:
        return error
    except Exception as error:  # a parser's bug must not cost the other feeds their turn (F12)
        return FeedError(due.url, f"cannot be read ({type(error).__name__})")


def _strange(due: DueFeed, found: Reading | NewsletterError) -> list[ParsedEntry]:
    """Entries we do not know whose pages are worth a look. A first reading mails nothing, so that none are then."""
    if isinstance(found, NewsletterError) or found.parsed is None or found.looked or not due.read_before:
        return []
    worth = [entry for entry in found.parsed.entries if worth_a_look(entry, due.url, page_pictures=due.page_pictures)]
    if not worth:
        return []
    with reading() as session:
        rows = session.execute(select(Entry.identity, Entry.link_key).where(Entry.feed_id == due.id)).all()
    known = {key for row in rows for key in row}
    return [entry for entry in worth if entry.identity not in known and entry.link_key not in known][:LOOKS_AT_MOST]


def _look(
    env: Environment, due: DueFeed, found: Reading | NewsletterError, strange: list[ParsedEntry]
) -> Reading | NewsletterError:
    """Asks the pages of strange entries, in a thread; whatever goes wrong leaves them as they are."""
    assert isinstance(found, Reading)
    assert found.parsed is not None
    ends_at = time.monotonic() + LOOK_FOR
    try:
        looked = {
            entry.identity: look(entry, env.fetch, leaves_out=due.leaves_out, page_pictures=due.page_pictures)
            for entry in strange
            if time.monotonic() < ends_at
        }
    except Exception as error:  # as in _read
        return FeedError(due.url, f"the page of an entry cannot be read ({type(error).__name__})")
    waits = {identity for identity, each in looked.items() if each.waits}
    entries = tuple(
        looked[entry.identity].entry if entry.identity in looked else entry
        for entry in found.parsed.entries
        if entry.identity not in waits
    )
    left_out = {identity: each.left_out for identity, each in looked.items() if each.left_out}
    parsed = replace(found.parsed, entries=entries)
    return Reading(found.fetched, parsed, looked=True, waits=bool(waits), left_out=left_out)


def digest(fetched: Fetched) -> str:
    """What tells an answer from the last one, but for stamps of time and counts of views that say nothing new."""
    said = f"{__version__} {fetched.url} {fetched.content_type}\n".encode()
    return sha256(said + _STAMPS.sub(b"", fetched.body)).hexdigest()


def _settle(env: Environment, due: DueFeed, found: Reading | NewsletterError) -> PollResult:
    with transaction() as session:
        feed = session.get(Feed, due.id)
        if feed is None:
            return PollResult(due.id, due.url, error="removed meanwhile")
        if isinstance(found, NewsletterError):
            return _failed(env, session, feed, found)
        if not (due.etag or due.last_modified or due.body_digest):
            feed.unconditional_at = env.now
        return store(env, session, feed, found)


def _failed(env: Environment, session: Session, feed: Feed, error: NewsletterError) -> PollResult:
    now = env.now
    said = error.reason if isinstance(error, FeedError) else str(error)
    feed.failures += 1
    feed.error, feed.polled_at, feed.failing_since = plain(said), now, feed.failing_since or now
    if isinstance(error, FeedGone):
        feed.status = "gone"
    retry_after = error.retry_after if isinstance(error, FeedUnavailable) else None
    feed.next_poll_at = next_poll(
        now,
        failures=feed.failures,
        max_age=None,
        retry_after=retry_after,
        jitter=random.random(),  # noqa: S311
    )
    notices.feed_fails(env, session, feed)
    return PollResult(feed.id, feed.url, error=feed.error)


def store(env: Environment, session: Session, feed: Feed, found: Reading, *, backlog: int = 0) -> PollResult:
    """Writes down what a feed said, within the caller's transaction."""
    now, fetched = env.now, found.fetched
    result = PollResult(feed.id, feed.url, unchanged=True)
    if found.parsed is not None:
        result = _entries(env, session, feed, found, found.parsed, backlog=backlog)
        feed.title = found.parsed.title or feed.title
        feed.body_digest = digest(fetched)
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
        feed.next_poll_at = next_poll(now, failures=0, max_age=fetched.max_age, retry_after=None, jitter=jitter)
    _moved(session, feed, fetched)
    return result


def _moved(session: Session, feed: Feed, fetched: Fetched) -> None:
    """Takes a permanent redirect at its word once it has said the same three times."""
    target = fetched.permanent_url or ""
    feed.moved_seen = feed.moved_seen + 1 if target and target == feed.moved_to else int(bool(target))
    feed.moved_to = target
    if feed.moved_seen >= MOVED_AFTER:
        twin = session.scalar(select(Feed.id).where(Feed.list_id == feed.list_id, Feed.url == target))
        if twin is None:
            feed.url, feed.moved_to, feed.moved_seen = target, "", 0


def _entries(
    env: Environment, session: Session, feed: Feed, found: Reading, parsed: ParsedFeed, *, backlog: int
) -> PollResult:
    known, asked = _known(session, feed), _author_was_asked(session, feed)
    moment = sighting.Moment(env.now, feed.read_at, backlog, canonical_link(feed.site_url or parsed.link))
    decided = sighting.decide(known, parsed.entries, moment)
    changed = _seen(env, session, known, decided.seen)
    gone = _withdrawn(env, session, decided.gone)
    # Oldest first, so that what is ready is numbered in the order it was written.
    fates = [_add(env, session, feed, new, _left_out(feed, new, found)).fate for new in reversed(decided.new)]
    stories.join(env, session, feed.list_id)
    if (held := fates.count("held")) and not asked:
        notices.entries_held(env, session, feed, held)
    return PollResult(
        feed.id,
        feed.url,
        new=len(fates) - fates.count("skipped"),
        changed=changed,
        held=fates.count("held"),
        gone=gone,
    )


def _author_was_asked(session: Session, feed: Feed) -> bool:
    """Whether entries of this feed are held already: one question at a time."""
    held = exists().where(Entry.feed_id == feed.id, Entry.fate == "held", Entry.by_hand.is_(False))
    return bool(session.scalar(select(held)))


def _known(session: Session, feed: Feed) -> list[sighting.Known]:
    columns = (Entry.id, Entry.identity, Entry.link_key, Entry.title, Entry.published_at, Entry.fate)
    query = select(*columns, Entry.withdrawn_at.is_not(None)).where(Entry.feed_id == feed.id).order_by(Entry.id)
    return [sighting.Known(*row) for row in session.execute(query)]


def _seen(
    env: Environment, session: Session, known: Sequence[sighting.Known], seen: Sequence[tuple[int, ParsedEntry]]
) -> int:
    """Takes over what entries say now: the corrected text goes to whoever has not had it yet, and an id that changed is
    what the entry is known by from now on. Returns how many."""
    used = {entry.identity for entry in known}
    rows = {entry.id: entry for entry in session.scalars(select(Entry).where(Entry.id.in_([id_ for id_, _ in seen])))}
    for number, sighted in seen:
        entry = rows[number]
        _update(entry, sighted)
        if sighted.identity not in used:
            entry.identity = sighted.identity
        if entry.withdrawn_at is not None:
            _returned(env, session, entry)
    return len(seen)


def _returned(env: Environment, session: Session, entry: Entry) -> None:
    entry.withdrawn_at = None
    if entry.fate != "skipped" or entry.by_hand or entry.shown_in_id is not None:
        return
    if entry.published_at is not None and entry.published_at > env.now + sighting.AHEAD:
        entry.fate, entry.why = "new", WAITS
    else:
        make_ready(session, entry, "is in its feed again", grace_from=env.now)


def _withdrawn(env: Environment, session: Session, numbers: Sequence[int]) -> int:
    """Takes back what its feed has taken back, but for what the author has decided by hand."""
    rows = session.scalars(select(Entry).where(Entry.id.in_(numbers), Entry.by_hand.is_(False))).all()
    for entry in rows:
        entry.withdrawn_at = env.now
        if entry.fate in ("ready", "new"):
            entry.fate, entry.why, entry.seq = "skipped", "withdrawn: its feed does not have it any more", None
    stories.part(env, session, [entry.id for entry in rows])
    return len(rows)


def _left_out(feed: Feed, new: sighting.New, found: Reading) -> str:
    """The kind of video that an entry is, if it is one that its feed leaves out."""
    known = found.left_out.get(new.entry.identity)
    return known or (youtube.left_out(new.entry.link, youtube.Video(), feed.leaves_out) if new.entry.video_id else "")


def _add(env: Environment, session: Session, feed: Feed, new: sighting.New, left_out: str) -> Entry:
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
    _update(entry, new.entry)
    session.add(entry)
    if fate == "ready":
        session.flush()
        make_ready(session, entry, grace_from=env.now)
    return entry


def _update(entry: Entry, sighted: ParsedEntry) -> None:
    """What was mailed stays as it was mailed in its campaign's editions; here is what goes out from now on."""
    entry.link_key, entry.link, entry.title = sighted.link_key, sighted.link, sighted.title
    entry.author, entry.published_at = sighted.author, sighted.published
    entry.summary_html, entry.content_html = sighted.summary_html, sighted.content_html
    if sighted.image or not entry.image:  # what its page gave it stays
        entry.image, entry.image_alt = sighted.image, sighted.image_alt
    entry.video_id = sighted.video_id
    if entry.categories != list(sighted.categories):
        entry.categories = list(sighted.categories)
