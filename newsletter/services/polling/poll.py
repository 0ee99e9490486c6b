"""Asks the feeds that are due, and stores what they say. Claims in the database, fetches in threads that do not touch
it but to look what is known (fetching.py), stores each feed (recording.py) in a transaction of its own: one slow or
broken feed holds up none of the others."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.errors import FeedError, FeedGone, FeedUnavailable, NewsletterError
from newsletter.html.sanitize import plain
from newsletter.models import Feed
from newsletter.schedule import POLL_EVERY, next_poll
from newsletter.services import notifications
from newsletter.services.polling import store
from newsletter.services.polling.entries import promote_due
from newsletter.services.polling.fetch import DueFeed, Reading, ask, look_at, strange
from newsletter.services.polling.store import PollResult
from newsletter.services.runtime import Environment
from newsletter.vocabulary import FeedStatus

AT_ONCE = 200
CLAIM_FOR = timedelta(minutes=10)
UNCONDITIONAL_EVERY = timedelta(days=1)
JUST_DONE = timedelta(minutes=1)


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
        asked = {threads.submit(ask, env, feed): feed for feed in due}
        while asked:
            for answered in wait(asked, return_when=FIRST_COMPLETED).done:
                feed, found = asked.pop(answered), answered.result()
                if unknown := strange(feed, found):
                    asked[threads.submit(look_at, env, feed, found, unknown)] = feed
                else:
                    yield _settle(env, feed, found)


def _settle(env: Environment, due: DueFeed, found: Reading | NewsletterError) -> PollResult:
    with transaction() as session:
        feed = session.get(Feed, due.id)
        if feed is None:
            return PollResult(due.id, due.url, error="removed meanwhile")
        if isinstance(found, NewsletterError):
            return _failed(env, session, feed, found)
        if not (due.etag or due.last_modified or due.body_digest):
            feed.unconditional_at = env.now
        return store.store(env, session, feed, found)


def _failed(env: Environment, session: Session, feed: Feed, error: NewsletterError) -> PollResult:
    now = env.now
    said = error.reason if isinstance(error, FeedError) else str(error)
    feed.failures += 1
    feed.error, feed.polled_at, feed.failing_since = plain(said), now, feed.failing_since or now
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
    notifications.feed_fails(env, session, feed)
    return PollResult(feed.id, feed.url, error=feed.error)
