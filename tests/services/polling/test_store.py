"""The traces that a reading leaves of a feed, beside other feeds that stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.db.session import db
from newsletter.feeds.fetch import Fetched
from newsletter.feeds.parse import parse_feed
from newsletter.feeds.protected import PROTECTED
from newsletter.models import Entry, Feed, HubSubscription, MailingList
from newsletter.services.polling import store
from newsletter.services.polling.fetch import FeedReading
from newsletter.services.polling.store import PollResult
from newsletter.services.runtime import Environment
from newsletter.vocabulary import EntryStatus
from tests.fakes import START
from tests.feeds_server import item, rss
from tests.people import add_entry, add_feed, add_list

URL = "https://blog.example.com/feed/"
NEW_URL = "https://new.example.com/feed/"
SECOND = timedelta(seconds=1)
LONG_AGO = START - timedelta(days=9)


@pytest.fixture
def session(env: Environment) -> Session:
    return db.session()


@pytest.fixture
def feed(session: Session) -> Iterator[Feed]:
    """Yield a feed that failed, beside one of the same list and one of another."""
    mailing_list = add_list(session, grace_minutes=20)
    others = [
        add_feed(session, add_list(session, "other"), URL),
        add_feed(session, mailing_list, "https://blog.example.com/second/"),
    ]
    for other in others:
        foreign = add_entry(session, other, "Post", fate="held")
        foreign.why = PROTECTED
    feed = add_feed(session, mailing_list, URL)
    feed.created_at = LONG_AGO
    feed.failures = 3
    feed.error = "answers 503"
    feed.failing_since = feed.told_at = LONG_AGO
    feed.etag = feed.last_modified = feed.body_digest = "before"
    yield feed
    session.flush()
    fates = select(Entry.fate).where(Entry.feed_id.in_([other.id for other in others]))
    assert session.scalars(fates).all() == [EntryStatus.HELD] * 2


def make_reading(*items: str, title: str = "Blog") -> FeedReading:
    fetched = Fetched(URL, 200, rss(*items, title=title), etag='"2"', last_modified="now")
    return FeedReading(fetched, parse_feed(fetched.body, url=URL))


def read(env: Environment, feed: Feed, *items: str) -> PollResult:
    return store.store_reading(env, db.session(), feed, make_reading(*items))


def test_a_reading_ends_the_trouble_of_a_feed(
    env: Environment, session: Session, feed: Feed
) -> None:
    result = read(env, feed, item("Post"))
    assert (feed.failures, feed.error, feed.failing_since, feed.told_at) == (0, "", None, None)
    assert (feed.title, feed.read_at, feed.entries_at_once) == ("Blog", START, 1)
    assert (feed.etag, feed.last_modified) == ('"2"', "now")
    assert len(feed.body_digest) == 64
    assert result == PollResult(feed.id, URL, new=1)
    nameless = replace(make_reading(title=""), window=None)
    store.store_reading(env, session, feed, nameless)
    assert (feed.title, feed.entries_at_once) == ("Blog", 1), "an empty answer says nothing"
    paged = replace(make_reading(item("Post"), item("Older")), window=7)
    store.store_reading(env, session, feed, paged)
    assert feed.entries_at_once == 7


def test_an_answer_that_says_nothing_new_keeps_what_is_known(
    env: Environment, session: Session, feed: Feed
) -> None:
    entry = add_entry(session, feed, "Post")
    result = store.store_reading(env, session, feed, FeedReading(Fetched(URL, 304, b"", etag="x")))
    assert result == PollResult(feed.id, URL, unchanged=True)
    assert (feed.etag, feed.last_modified, feed.body_digest) == ("before",) * 3
    store.store_reading(env, session, feed, FeedReading(Fetched(URL, 200, b"same", etag="y")))
    assert (feed.etag, feed.last_modified, feed.body_digest) == ("y", None, "before")
    assert (entry.fate, feed.read_at, feed.failures) == (EntryStatus.READY, START, 0)


def test_what_waits_is_read_again_whatever_the_server_says(
    env: Environment, session: Session, feed: Feed
) -> None:
    store.store_reading(env, session, feed, replace(make_reading(item("Post")), waits=True))
    assert (feed.etag, feed.last_modified, feed.body_digest) == (None, None, "")


@pytest.mark.parametrize(
    ("created_at", "max_age", "wait"),
    [
        (START - timedelta(hours=1), None, timedelta(minutes=15)),
        (START - timedelta(hours=1) + SECOND, None, timedelta(minutes=1)),
        (START - timedelta(hours=1) + SECOND, 7200, timedelta(minutes=1)),
        (LONG_AGO, 7200, timedelta(hours=2)),
    ],
)
def test_a_feed_is_polled_every_minute_in_its_first_hour(
    env: Environment,
    session: Session,
    feed: Feed,
    created_at: datetime,
    max_age: int | None,
    wait: timedelta,
) -> None:
    feed.created_at = created_at
    fetched = Fetched(URL, 200, b"same", max_age=max_age)
    store.store_reading(env, session, feed, FeedReading(fetched))
    assert START + wait <= feed.next_poll_at <= START + wait * 1.1


@pytest.mark.parametrize(
    ("leased", "pushed", "max_age", "hours"),
    [
        (SECOND, -timedelta(days=30) + SECOND, None, 1),
        (SECOND, timedelta(), 7200, 2),
        (timedelta(), timedelta(), None, 0.25),
        (SECOND, -timedelta(days=30), None, 0.25),
    ],
)
def test_a_feed_is_polled_every_hour_where_its_hub_is_alive(
    env: Environment,
    session: Session,
    feed: Feed,
    leased: timedelta,
    pushed: timedelta,
    max_age: int | None,
    hours: float,
) -> None:
    other = session.scalars(select(Feed.id).where(Feed.id != feed.id)).first()
    for feed_id, until in ((other, START + timedelta(days=3)), (feed.id, START + leased)):
        session.add(
            HubSubscription(
                feed_id=feed_id,
                handle=f"h{feed_id}",
                hub="https://hub.example.com/",
                topic=URL,
                secret="s",
                ask_at=START,
                leased_until=until,
                pushed_at=START + (pushed if feed_id == feed.id else timedelta()),
            )
        )
    session.flush()
    fetched = Fetched(URL, 200, b"same", max_age=max_age)
    store.store_reading(env, session, feed, FeedReading(fetched))
    wait = timedelta(hours=hours)
    assert START + wait <= feed.next_poll_at <= START + wait * 1.1


def test_the_hub_that_a_feed_names_is_noted(env: Environment, session: Session, feed: Feed) -> None:
    reading = make_reading(item("Post"))
    links = f'<https://hub.example.com/>; rel="hub", <{URL}>; rel="self"'
    fetched = replace(reading.fetched, links=links)
    store.store_reading(env, session, feed, replace(reading, fetched=fetched))
    [noted] = session.scalars(select(HubSubscription))
    assert (noted.feed_id, noted.hub) == (feed.id, "https://hub.example.com/")


@pytest.mark.parametrize(
    ("targets", "count", "is_followed"),
    [
        ((NEW_URL, NEW_URL), 2, False),
        ((NEW_URL, NEW_URL, NEW_URL), 0, True),
        ((NEW_URL, NEW_URL, None, NEW_URL), 1, False),
        ((NEW_URL, NEW_URL, "https://third.example.com/", NEW_URL), 1, False),
        ((NEW_URL, NEW_URL, None), 0, False),
    ],
)
def test_a_move_counts_that_says_the_same_three_times_in_a_row(
    env: Environment,
    session: Session,
    feed: Feed,
    targets: tuple[str | None, ...],
    count: int,
    is_followed: bool,
) -> None:
    for target in targets:
        fetched = Fetched(URL, 200, b"same", permanent_url=target)
        store.store_reading(env, session, feed, FeedReading(fetched))
    assert (feed.url, feed.moved_seen) == (NEW_URL if is_followed else URL, count)
    assert feed.moved_to == ("" if is_followed else targets[-1] or "")


def test_entries_are_numbered_as_they_were_written(
    env: Environment, session: Session, feed: Feed
) -> None:
    last = session.scalars(select(MailingList.entry_seq).where(MailingList.slug == "blog")).one()
    read(env, feed, item("Third"), item("Second"), item("First"))
    query = select(Entry.title, Entry.seq).where(Entry.feed_id == feed.id).order_by(Entry.id)
    assert [tuple(row) for row in session.execute(query)] == [
        ("First", last + 1),
        ("Second", last + 2),
        ("Third", last + 3),
    ]
