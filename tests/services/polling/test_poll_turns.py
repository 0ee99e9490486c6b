"""The turn of each feed to be polled, and the fate of a feed while it is being polled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, delete, select, update
from sqlalchemy.sql.dml import UpdateBase

from newsletter.db.session import db, transaction
from newsletter.errors import FeedGone, FeedUnavailable
from newsletter.models import Entry, Feed
from newsletter.schedule import POLL_EVERY
from newsletter.services.polling import poll as polling
from newsletter.services.runtime import Environment
from tests.fakes import START, Clock, FakeFetch
from tests.feeds_server import item, rss
from tests.people import add_entry, add_feed, add_list

URL = "https://blog.example.com/feed/"
OTHER = "https://other.example.com/feed/"
SECOND = timedelta(seconds=1)
SOON = POLL_EVERY * 1.2
LATER = START + timedelta(hours=3)


@pytest.fixture
def feed_id(env: Environment, fake_fetch: FakeFetch) -> int:
    """Add a feed that is due, after another list's feed that is not."""
    with transaction() as session:
        other = add_feed(session, add_list(session, "other"), OTHER)
        other.next_poll_at = LATER
        feed = add_feed(session, add_list(session), URL)
        for row in (other, feed):
            row.created_at = START - timedelta(days=9)
            row.unconditional_at = START
        fake_fetch.pages |= {URL: rss(item("New")), OTHER: rss(item("Foreign"))}
        return feed.id


def change(feed_id: int, **values: object) -> None:
    with transaction() as session:
        session.execute(update(Feed).where(Feed.id == feed_id).values(**values))


def read_feed(feed_id: int) -> Feed:
    db.session.rollback()
    return db.session.get_one(Feed, feed_id)


def answer_after(env: Environment, statement: UpdateBase, body: bytes) -> Callable[..., bytes]:
    """Return a page before whose answer somebody else executes `statement`."""

    def answer(etag: object, modified: object) -> bytes:
        engine = create_engine(env.settings.database_url)
        with engine.begin() as connection:
            connection.execute(statement)
        engine.dispose()
        return body

    return answer


@pytest.mark.parametrize(
    ("values", "is_polled", "is_polled_eagerly"),
    [
        ({"next_poll_at": START}, True, True),
        ({"next_poll_at": START, "failures": 2}, True, True),
        ({"next_poll_at": START + SECOND}, False, True),
        ({"next_poll_at": START + SECOND, "failures": 1}, False, False),
        ({"next_poll_at": START + SOON}, False, True),
        ({"next_poll_at": START + SOON + SECOND}, False, False),
        ({"next_poll_at": START, "status": "paused"}, False, False),
        ({"next_poll_at": START, "status": "gone"}, False, False),
    ],
)
@pytest.mark.parametrize("eager", [False, True])
def test_the_feeds_are_polled_that_are_due_or_wait_only_as_usual(
    env: Environment,
    feed_id: int,
    values: dict[str, object],
    is_polled: bool,
    is_polled_eagerly: bool,
    eager: bool,
) -> None:
    change(feed_id, **values)
    polled = [result.feed_id for result in polling.poll_due(env, eager=eager)]
    assert polled == [feed_id] * (is_polled_eagerly if eager else is_polled)


def test_who_waits_longest_is_polled_first(
    env: Environment, feed_id: int, fake_fetch: FakeFetch
) -> None:
    [other] = db.session.scalars(select(Feed.id).where(Feed.url == OTHER))
    change(other, next_poll_at=START)
    change(feed_id, next_poll_at=START - SECOND)
    assert [result.feed_id for result in polling.poll_due(env, limit=1)] == [feed_id]
    assert [result.feed_id for result in polling.poll_due(env, limit=1)] == [other]
    assert polling.poll_due(env) == []


@pytest.mark.parametrize(
    ("since", "validators"),
    [
        (timedelta(days=1) - SECOND, ('"1"', "then")),
        (timedelta(days=1), (None, None)),
        (None, (None, None)),
    ],
)
def test_once_a_day_everything_is_asked_for(
    env: Environment,
    feed_id: int,
    fake_fetch: FakeFetch,
    since: timedelta | None,
    validators: tuple[str | None, str | None],
) -> None:
    before = START - since if since is not None else None
    change(feed_id, etag='"1"', last_modified="then", unconditional_at=before)
    polling.poll_due(env)
    assert fake_fetch.requests == [(URL, *validators)]
    was_whole = validators == (None, None)
    assert read_feed(feed_id).unconditional_at == (START if was_whole else before)


@pytest.mark.parametrize("name", ["etag", "last_modified", "body_digest"])
def test_what_lets_a_server_say_not_modified_is_no_whole_poll(
    env: Environment, feed_id: int, name: str
) -> None:
    before = START - timedelta(hours=1)
    change(feed_id, **{name: "x"}, unconditional_at=before)
    polling.poll_due(env)
    assert read_feed(feed_id).unconditional_at == before


def test_a_ping_during_the_poll_makes_the_feed_due_again(
    env: Environment, feed_id: int, fake_fetch: FakeFetch
) -> None:
    ping = update(Feed).where(Feed.id == feed_id).values(next_poll_at=START)
    fake_fetch.pages[URL] = answer_after(env, ping, rss(item("New")))
    polling.poll_due(env)
    assert read_feed(feed_id).next_poll_at == START
    assert [result.feed_id for result in polling.poll_due(env)] == [feed_id]


@pytest.mark.parametrize("late", [False, True])
def test_without_a_ping_the_next_poll_is_the_usual_one(
    env: Environment, feed_id: int, fake_fetch: FakeFetch, clock: Clock, late: bool
) -> None:
    """Also where the answer took longer than the claim lasts."""

    def answer(etag: object, modified: object) -> bytes:
        clock.forward(polling.CLAIM_FOR if late else SECOND)
        return rss(item("New"))

    fake_fetch.pages[URL] = answer
    polling.poll_due(env)
    assert read_feed(feed_id).next_poll_at >= clock.now + POLL_EVERY


@pytest.mark.parametrize(
    "meanwhile",
    [
        {},
        {"next_poll_at": LATER},
        {"next_poll_at": LATER, "status": "paused"},
        {"status": "paused"},
    ],
)
def test_a_process_that_ends_gives_back_its_own_claims_only(
    env: Environment, feed_id: int, meanwhile: dict[str, object]
) -> None:
    def stop() -> bool:
        assert read_feed(feed_id).next_poll_at == START + polling.CLAIM_FOR
        change(feed_id, **({"title": "Blog"} | meanwhile))
        return True

    assert polling.poll_due(env, stop=stop) == []
    unless_changed = START + polling.CLAIM_FOR if meanwhile else START
    assert read_feed(feed_id).next_poll_at == meanwhile.get("next_poll_at", unless_changed)


def test_a_feed_that_is_removed_while_it_is_read_leaves_nothing(
    env: Environment, feed_id: int, fake_fetch: FakeFetch
) -> None:
    removal = delete(Feed).where(Feed.id == feed_id)
    fake_fetch.pages[URL] = answer_after(env, removal, rss(item("New")))
    [result] = polling.poll_due(env)
    assert (result.feed_id, result.url, result.error) == (feed_id, URL, "removed meanwhile")
    assert db.session.scalars(select(Entry)).all() == []


def test_failures_are_counted_and_dated_from_the_first(
    env: Environment, feed_id: int, fake_fetch: FakeFetch, clock: Clock
) -> None:
    fake_fetch.pages[URL] = FeedUnavailable(URL, "answers 503", status=503, hint="ask your host")
    polling.poll_due(env)
    clock.forward(timedelta(days=2))
    [result] = [result for result in polling.poll_due(env) if result.feed_id == feed_id]
    feed = read_feed(feed_id)
    assert (feed.failures, feed.failing_since, feed.status) == (2, START, "active")
    assert feed.error == result.error == "answers 503: ask your host"
    fake_fetch.pages[URL] = FeedGone(URL, "410 Gone")
    polling.poll_feed(env, feed_id)
    assert (read_feed(feed_id).status, read_feed(feed_id).failures) == ("gone", 3)


@pytest.mark.parametrize(
    ("values", "is_read"),
    [
        ({}, True),
        ({"next_poll_at": LATER}, True),
        ({"status": "paused"}, False),
        ({"failures": 1}, False),
    ],
)
def test_before_composing_the_lists_sound_feeds_are_read_in_full(
    env: Environment,
    feed_id: int,
    fake_fetch: FakeFetch,
    values: dict[str, object],
    is_read: bool,
) -> None:
    change(feed_id, etag='"1"', last_modified="then", **values)
    with transaction() as session:
        feed = session.get_one(Feed, feed_id)
        add_entry(session, feed, "Waits", fate="new")
    mailing_list = read_feed(feed_id).list_id
    assert [result.feed_id for result in polling.refresh_list(env, mailing_list)] == (
        [feed_id] * is_read
    )
    assert fake_fetch.requests == [(URL, None, None)] * is_read
    db.session.rollback()
    waiting = db.session.scalars(select(Entry.fate).where(Entry.title == "Waits")).one()
    assert waiting == "ready", "its time has come"


@pytest.mark.parametrize("is_read_before", [False, True])
def test_pages_of_entries_are_fetched_after_the_first_reading_only(
    env: Environment, feed_id: int, fake_fetch: FakeFetch, is_read_before: bool
) -> None:
    change(feed_id, page_pictures=True, read_at=START if is_read_before else None)
    polling.poll_due(env)
    pages = [url for url, *_ in fake_fetch.requests if url != URL]
    assert len(pages) == is_read_before
