"""Poll the feeds that are due, and store their entries.

Feeds are claimed in the database and fetched in threads that only read from it (fetch.py); each is
stored in a transaction of its own (store.py), so that a slow or broken feed holds up no other.

Feeds are parsed one at a time. A feed that takes longer than almost any feed does, or whose last
poll failed, is parsed after all others, and only for a while: feeds made to cost time delay the
others by seconds, whatever they hold.
"""

from __future__ import annotations

import random
import time
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
from newsletter.i18n import Text
from newsletter.models import Feed
from newsletter.schedule import POLL_EVERY, plan_next_poll
from newsletter.services import notifications
from newsletter.services.polling import matching, store
from newsletter.services.polling.entries import promote_due
from newsletter.services.polling.fetch import (
    DueFeed,
    FeedReading,
    Unparsed,
    enrich_entries,
    fetch_feed,
    list_unknown_entries,
    parse_slowly,
)
from newsletter.services.polling.paging import fetch_further_pages
from newsletter.services.polling.store import PollResult
from newsletter.services.runtime import Environment
from newsletter.vocabulary import FeedStatus

Stop = Callable[[], bool]
"""A callback that returns True once the process should end."""

AT_ONCE = 200
"""Feeds fetched at the same time, each in a thread that mostly waits."""
STOP_CHECK_SECONDS = 1.0
"""Seconds between two checks of `stop`, while no feed answers."""
CLAIM_FOR = timedelta(minutes=10)
"""Lifetime of a claim, after which another worker may poll the feed."""
UNCONDITIONAL_EVERY = timedelta(days=1)
"""Time between two unconditional polls: some servers answer "not modified" for ever (F08)."""
SLOW_SECONDS = 20.0
"""Seconds after which a poll parses no further slow feed; the last may take another 35 s."""
SLOW_BYTES = 50_000_000
"""Bytes of slow feeds that one poll keeps in memory; others wait for the next poll."""

Answer = FeedReading | NewsletterError | Unparsed


def never_stop() -> bool:
    """Return False: the default `stop`, which never ends a run early."""
    return False


def poll_due(
    env: Environment, *, eager: bool = False, limit: int = 500, stop: Stop = never_stop
) -> list[PollResult]:
    """Poll every feed that is due.

    With `eager`, also poll those that wait only for their usual quarter of an hour. Once `stop`
    returns True no more are fetched, and those that have not answered are left for the next worker.
    """
    return list(_poll(env, _claim_due(env, limit, eager=eager), stop))


def poll_feed(env: Environment, feed_id: int) -> PollResult:
    """Poll one feed now and in full, whether or not it is due."""
    with reading() as session:
        due = _describe_due(env, session.get_one(Feed, feed_id)).unconditional
    return next(_poll(env, [due]))


def refresh_list(env: Environment, list_id: int, *, stop: Stop = never_stop) -> list[PollResult]:
    """Poll all feeds of a list in full, before a digest is composed.

    Corrections are taken over, and withdrawn entries are not owed any more. Feeds are read without
    validators, because WordPress answers "not modified" after a post was withdrawn while a newer
    one stands, and however recently they were polled. A feed that cannot be read now, or could not
    be read the last time, leaves everything as it was.
    """
    with reading() as session:
        query = select(Feed).where(
            Feed.list_id == list_id, Feed.status == FeedStatus.ACTIVE, Feed.failures == 0
        )
        due = [_describe_due(env, feed).unconditional for feed in session.scalars(query)]
    results = list(_poll(env, due, stop))
    promote_due(env)
    return results


def _claim_due(env: Environment, limit: int, *, eager: bool) -> list[DueFeed]:
    """Claim due feeds by advancing `next_poll_at` from the value that was read."""
    now = env.now
    with reading() as session:
        due_by = now + POLL_EVERY * 1.2 if eager else now
        is_due = or_(
            Feed.next_poll_at <= now, and_(Feed.next_poll_at <= due_by, Feed.failures == 0)
        )
        query = (
            select(Feed)
            .where(Feed.status == FeedStatus.ACTIVE, is_due)
            .order_by(Feed.next_poll_at, Feed.id)
            .limit(limit)
        )
        candidates = [
            (feed.next_poll_at, _describe_due(env, feed)) for feed in session.scalars(query)
        ]
    if not candidates:
        return []
    until = now + CLAIM_FOR
    with transaction() as session:
        claimed = [
            due
            for next_poll_at, due in candidates
            if _move_claim(session, due.id, next_poll_at, until)
        ]
    return [replace(due, claimed_until=until) for due in claimed]


def _move_claim(session: Session, feed_id: int, before: datetime, after: datetime) -> bool:
    """Change `next_poll_at` from `before` to `after`; return False if it was changed meanwhile."""
    result = session.execute(
        update(Feed)
        .where(Feed.id == feed_id, Feed.next_poll_at == before, Feed.status == FeedStatus.ACTIVE)
        .values(next_poll_at=after)
        .execution_options(synchronize_session=False)
    )
    return bool(result.rowcount == 1)  # type: ignore[attr-defined]


def _describe_due(env: Environment, feed: Feed) -> DueFeed:
    due = DueFeed(
        feed.id,
        feed.url,
        feed.etag,
        feed.last_modified,
        feed.body_digest,
        leaves_out=tuple(feed.leaves_out),
        page_pictures=feed.page_pictures,
        read_before=feed.read_at is not None,
        is_suspect=feed.failures > 0,
    )
    if feed.unconditional_at is not None and env.now - feed.unconditional_at < UNCONDITIONAL_EVERY:
        return due
    return due.unconditional


def _poll(
    env: Environment, due: Sequence[DueFeed], stop: Stop = never_stop
) -> Iterator[PollResult]:
    """Fetch feeds in threads and store each as it arrives; slow ones last."""
    waiting = deque(due)
    running: dict[Future[Answer], DueFeed] = {}
    slow: list[tuple[DueFeed, Unparsed]] = []
    kept_bytes = 0
    put_off: list[DueFeed] = []
    while (waiting or running) and not stop():
        while waiting and len(running) < AT_ONCE:
            feed = waiting.popleft()
            running[run_in_thread(fetch_feed, env, feed)] = feed
        done = wait(running, timeout=STOP_CHECK_SECONDS, return_when=FIRST_COMPLETED).done
        for future in done:
            feed = running.pop(future)
            answer = future.result()
            if isinstance(answer, Unparsed):
                kept_bytes += len(answer.fetched.body)
                if kept_bytes <= SLOW_BYTES:
                    slow.append((feed, answer))
                else:
                    put_off.append(feed)
            elif further := _start_further_work(env, feed, answer):
                running[further] = feed
            else:
                yield _store_answer(env, feed, answer)
    _release_claims(env, [*waiting, *running.values(), *put_off])
    yield from _poll_slow(env, slow, stop)


def _poll_slow(
    env: Environment, slow: Sequence[tuple[DueFeed, Unparsed]], stop: Stop
) -> Iterator[PollResult]:
    """Parse and store slow feeds one after another, within `SLOW_SECONDS`."""
    ends_at = time.monotonic() + SLOW_SECONDS
    remaining = deque(slow)
    while remaining and time.monotonic() < ends_at:
        feed, unparsed = remaining[0]
        answer = _read_slow(env, feed, unparsed, stop)
        if answer is None:
            break
        remaining.popleft()
        yield _store_answer(env, feed, answer)
    _release_claims(env, [feed for feed, _ in remaining])


def _read_slow(
    env: Environment, due: DueFeed, unparsed: Unparsed, stop: Stop
) -> FeedReading | NewsletterError | None:
    """Parse a slow feed and fetch what it lacks; return None if `stop` says so."""
    work: Future[Any] = run_in_thread(parse_slowly, due, unparsed)
    while True:
        while not stop() and not wait([work], timeout=STOP_CHECK_SECONDS).done:
            pass
        if not work.done():
            return None
        answer: FeedReading | NewsletterError = work.result()
        further = _start_further_work(env, due, answer)
        if further is None:
            return answer
        work = further


def _start_further_work(
    env: Environment, due: DueFeed, answer: FeedReading | NewsletterError
) -> Future[Any] | None:
    """Start fetching the pages that a reading still needs, or return None.

    That is further pages of the feed, then the pages of its entries.
    """
    if isinstance(answer, NewsletterError) or answer.parsed is None or not due.read_before:
        return None
    if not answer.paged:
        with reading() as session:
            feed = session.get(Feed, due.id)
            known = store.list_known(session, due.id)
            moment = store.describe_moment(env, feed, answer.parsed) if feed is not None else None
        if moment is not None and matching.needs_further_pages(
            known, answer.parsed.entries, moment
        ):
            return run_in_thread(fetch_further_pages, env, due, answer, known, moment.site_key)
    if unknown := list_unknown_entries(due, answer):
        return run_in_thread(enrich_entries, env, due, answer, unknown)
    return None


def _release_claims(env: Environment, due: Sequence[DueFeed]) -> None:
    """Release the claims on feeds that were not polled to the end."""
    claimed = [(feed.id, feed.claimed_until) for feed in due if feed.claimed_until is not None]
    if not claimed:
        return
    with transaction() as session:
        for feed_id, claimed_until in claimed:
            _move_claim(session, feed_id, claimed_until, env.now)


def _store_answer(
    env: Environment, due: DueFeed, answer: FeedReading | NewsletterError
) -> PollResult:
    with transaction() as session:
        feed = session.get(Feed, due.id, with_for_update=True)
        if feed is None:
            return PollResult(due.id, due.url, error=Text("removed meanwhile"))
        due_at = feed.next_poll_at
        if isinstance(answer, NewsletterError):
            return _record_failure(env, session, feed, answer)
        if not (due.etag or due.last_modified or due.body_digest):
            feed.unconditional_at = env.now
        result = store.store_reading(env, session, feed, answer)
        if due.claimed_until is not None and due_at <= env.now < due.claimed_until:
            feed.next_poll_at = due_at  # a ping came while it was read
        return result


def _record_failure(
    env: Environment, session: Session, feed: Feed, error: NewsletterError
) -> PollResult:
    now = env.now
    feed.failures += 1
    feed.error = to_plain_line(_describe_failure(error))
    feed.failing_since = feed.failing_since or now
    if isinstance(error, FeedGone):
        feed.status = FeedStatus.GONE
    feed.next_poll_at = plan_next_poll(
        now,
        failures=feed.failures,
        max_age=None,
        retry_after=error.retry_after if isinstance(error, FeedUnavailable) else None,
        jitter=random.random(),  # noqa: S311 (spreads load, guards nothing)
    )
    notifications.notify_feed_failing(env, session, feed)
    return PollResult(feed.id, feed.url, error=feed.error)


def _describe_failure(error: NewsletterError) -> str:
    """Return the reason of a failed poll, with its hint if it is temporary."""
    reason = error.reason if isinstance(error, FeedError) else str(error)
    if isinstance(error, FeedUnavailable) and error.hint:
        return f"{reason}: {error.hint}"
    return reason
