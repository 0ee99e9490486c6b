"""Asks the feeds that are due, and stores what they say.

Claims in the database, fetches in threads that do not touch it but to look what is known
(fetch.py), stores each feed (store.py) in a transaction of its own: one slow or broken feed holds
up none of the others.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.errors import FeedError, FeedGone, FeedUnavailable, NewsletterError
from newsletter.feeds.deadline import run_in_thread
from newsletter.html.text import to_plain_line
from newsletter.models import Feed
from newsletter.schedule import POLL_EVERY, next_poll
from newsletter.services import notifications
from newsletter.services.polling import matching, store
from newsletter.services.polling.entries import promote_due
from newsletter.services.polling.fetch import (
    DueFeed,
    FeedReading,
    enrich_entries,
    fetch_feed,
    list_unknown_entries,
)
from newsletter.services.polling.paging import fetch_further_pages
from newsletter.services.polling.store import PollResult
from newsletter.services.runtime import Environment
from newsletter.vocabulary import FeedStatus

Stop = Callable[[], bool]
"""Says whether the process is to end."""

AT_ONCE = 200
LOOK_UP_EVERY = 1.0
"""Seconds between two looks at whether the process is to end, while no feed answers."""
CLAIM_FOR = timedelta(minutes=10)
UNCONDITIONAL_EVERY = timedelta(days=1)


def never() -> bool:
    """Return False: nobody asks this process to end."""
    return False


def poll_due(
    env: Environment, *, eager: bool = False, limit: int = 500, stop: Stop = never
) -> list[PollResult]:
    """Poll every feed that is due; with `eager`, also those that only their usual quarter of an
    hour keeps waiting.

    Once `stop` says so, no more are asked, and those that have not answered are left for the next
    worker.
    """
    return list(_poll(env, _claim_due(env, limit, eager=eager), stop))


def poll_feed(env: Environment, feed_id: int) -> PollResult:
    """Poll one feed now, whether or not it is due, and read whatever it says."""
    with reading() as session:
        due = _describe_due(env, session.get_one(Feed, feed_id)).whole
    return next(_poll(env, [due]))


def refresh_list(env: Environment, list_id: int, *, stop: Stop = never) -> list[PollResult]:
    """Bring a list's entries up to date before they are composed: ask its feeds once more, and for
    everything.

    What was corrected is corrected then, what was withdrawn is not owed any more (`entries.owed`).
    A server that says "nothing changed" is not asked for that: WordPress says so after a post was
    taken back, while a newer one stands. Nor does it matter when a feed was asked last. A feed that
    cannot be read now, or could not be read the last time, leaves everything as it was.
    """
    with reading() as session:
        query = select(Feed).where(
            Feed.list_id == list_id, Feed.status == "active", Feed.failures == 0
        )
        due = [_describe_due(env, feed).whole for feed in session.scalars(query)]
    results = list(_poll(env, due, stop))
    promote_due(env)
    return results


def _claim_due(env: Environment, limit: int, *, eager: bool) -> list[DueFeed]:
    """Take due feeds by moving them on: an UPDATE that hits the row with the time we saw, or not at
    all.
    """
    now = env.now
    with reading() as session:
        due_by = now + POLL_EVERY * 1.2 if eager else now
        ripe = or_(Feed.next_poll_at <= now, and_(Feed.next_poll_at <= due_by, Feed.failures == 0))
        query = (
            select(Feed).where(Feed.status == "active", ripe).order_by(Feed.next_poll_at, Feed.id)
        )
        seen = [
            (feed.next_poll_at, _describe_due(env, feed))
            for feed in session.scalars(query.limit(limit))
        ]
    if not seen:
        return []
    with transaction() as session:
        until = now + CLAIM_FOR
        taken = [
            due for next_poll_at, due in seen if _claim_feed(session, due.id, next_poll_at, until)
        ]
    return [replace(due, claimed_until=until) for due in taken]


def _claim_feed(session: Session, feed_id: int, seen_at: datetime, until: datetime) -> bool:
    taken = session.execute(
        update(Feed)
        .where(Feed.id == feed_id, Feed.next_poll_at == seen_at, Feed.status == "active")
        .values(next_poll_at=until)
        .execution_options(synchronize_session=False)
    )
    return bool(taken.rowcount == 1)  # type: ignore[attr-defined]


def _describe_due(env: Environment, feed: Feed) -> DueFeed:
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
    return due.whole


def _poll(env: Environment, due: Sequence[DueFeed], stop: Stop = never) -> Iterator[PollResult]:
    """Ask feeds, each in a thread, and store what they say as it comes."""
    waiting = deque(due)
    running: dict[Future[Any], DueFeed] = {}
    while (waiting or running) and not stop():
        while waiting and len(running) < AT_ONCE:
            feed = waiting.popleft()
            running[run_in_thread(fetch_feed, env, feed)] = feed
        for answered in wait(running, timeout=LOOK_UP_EVERY, return_when=FIRST_COMPLETED).done:
            feed, found = running.pop(answered), answered.result()
            if further := _start_further_work(env, feed, found):
                running[further] = feed
            else:
                yield _store_answer(env, feed, found)
    _give_back(env, [*waiting, *running.values()])


def _start_further_work(
    env: Environment, due: DueFeed, found: FeedReading | NewsletterError
) -> Future[Any] | None:
    """Start what else has to be asked before an answer can be stored: further pages of the feed,
    pages of entries.
    """
    if isinstance(found, NewsletterError) or found.parsed is None or not due.read_before:
        return None
    if not found.paged:
        with reading() as session:
            feed = session.get(Feed, due.id)
            known = store.list_known(session, due.id)
            moment = store.moment_of(env, feed, found.parsed) if feed is not None else None
        if moment is not None and matching.needs_further_pages(known, found.parsed.entries, moment):
            return run_in_thread(fetch_further_pages, env, due, found, known, moment.site_key)
    if unknown := list_unknown_entries(due, found):
        return run_in_thread(enrich_entries, env, due, found, unknown)
    return None


def _give_back(env: Environment, due: Sequence[DueFeed]) -> None:
    """Make feeds due again that were claimed and not asked to the end."""
    claimed = [feed for feed in due if feed.claimed_until is not None]
    if not claimed:
        return
    with transaction() as session:
        for feed in claimed:
            _claim_feed(session, feed.id, feed.claimed_until or env.now, env.now)


def _store_answer(
    env: Environment, due: DueFeed, found: FeedReading | NewsletterError
) -> PollResult:
    with transaction() as session:
        feed = session.get(Feed, due.id)
        if feed is None:
            return PollResult(due.id, due.url, error="removed meanwhile")
        if isinstance(found, NewsletterError):
            return _record_failure(env, session, feed, found)
        if not (due.etag or due.last_modified or due.body_digest):
            feed.unconditional_at = env.now
        return store.store_reading(env, session, feed, found)


def _record_failure(
    env: Environment, session: Session, feed: Feed, error: NewsletterError
) -> PollResult:
    now = env.now
    said = error.reason if isinstance(error, FeedError) else str(error)
    said = f"{said}: {error.hint}" if isinstance(error, FeedUnavailable) and error.hint else said
    feed.failures += 1
    feed.error, feed.polled_at, feed.failing_since = (
        to_plain_line(said),
        now,
        feed.failing_since or now,
    )
    if isinstance(error, FeedGone):
        feed.status = FeedStatus.GONE
    retry_after = error.retry_after if isinstance(error, FeedUnavailable) else None
    feed.next_poll_at = next_poll(
        now,
        failures=feed.failures,
        max_age=None,
        retry_after=retry_after,
        jitter=random.random(),  # noqa: S311
    )
    notifications.notify_feed_failing(env, session, feed)
    return PollResult(feed.id, feed.url, error=feed.error)
