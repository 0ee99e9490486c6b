"""Pings bring the polls of the feeds forward that they name, up to each ceiling and not beyond."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.db.session import reading, transaction
from newsletter.errors import TooMany
from newsletter.models import Counter, Feed
from newsletter.services.polling import ping
from newsletter.services.runtime import Environment
from tests.fakes import START, Clock
from tests.people import add_feed, add_list

LATER = START + timedelta(hours=1)
ANA = "https://ana.example.com/feed/"
ZOE = "https://zoe.example.com/feed/"


@pytest.fixture(autouse=True)
def feeds(env: Environment) -> dict[str, int]:
    """Return the numbers of two feeds that are polled in an hour, each on a list."""
    with transaction() as session:
        numbers = {}
        for url in (ZOE, ANA):
            feed = add_feed(session, add_list(session, url[8:11]), url)
            feed.site_url = url.removesuffix("feed/")
            feed.next_poll_at = LATER
            numbers[url] = feed.id
        return numbers


def list_due(env: Environment) -> list[str]:
    with reading() as session:
        query = select(Feed.url).where(Feed.next_poll_at <= env.now).order_by(Feed.url)
        return list(session.scalars(query))


def count(prefix: str) -> list[int]:
    with reading() as session:
        query = select(Counter.count).where(Counter.name.startswith(prefix))
        return list(session.scalars(query))


def change(**values: object) -> None:
    with transaction() as session:
        feed = session.scalars(select(Feed).where(Feed.url == ANA)).one()
        for name, value in values.items():
            setattr(feed, name, value)


@pytest.mark.parametrize(
    ("addresses", "due"),
    [
        ([ANA], [ANA]),
        (["http://ana.example.com"], [ANA]),
        (["https://zoe.example.com/", ANA], [ANA, ZOE]),
        (["https://eve.example.com/", ""], []),
        ([], []),
    ],
)
def test_the_feeds_are_due_that_a_ping_names(
    env: Environment, addresses: list[str], due: list[str]
) -> None:
    ping.receive_ping(env, addresses, "192.0.2.1")
    assert list_due(env) == due
    assert count("ping/net/") == [1]
    assert count("ping/feed/") == [1] * len(due)


@pytest.mark.parametrize(
    "values", [{"status": "paused"}, {"status": "gone"}, {"failures": 1}, {"next_poll_at": START}]
)
def test_nothing_is_written_for_a_feed_that_rests_fails_or_is_due(
    env: Environment, feeds: dict[str, int], values: dict[str, object]
) -> None:
    change(**values)
    ping.poll_soon(env, feeds[ANA])
    assert count("ping/feed/") == []
    assert list_due(env) == ([ANA] if "next_poll_at" in values else [])


def test_a_feed_is_brought_forward_twelve_times_in_an_hour(
    env: Environment, feeds: dict[str, int], clock: Clock
) -> None:
    for number in range(ping.POLLS_PER_FEED + 1):
        change(next_poll_at=LATER)
        ping.poll_soon(env, feeds[ANA])
        assert list_due(env) == ([ANA] if number < ping.POLLS_PER_FEED else [])
    assert count("author/feed/") == [ping.POLLS_PER_FEED]
    ping.poll_soon(env, feeds[ZOE])
    assert list_due(env) == [ZOE]
    clock.forward(timedelta(minutes=59, seconds=59))
    change(next_poll_at=LATER)
    ping.poll_soon(env, feeds[ANA])
    assert list_due(env) == [ZOE]
    clock.forward(timedelta(seconds=1))
    change(next_poll_at=LATER + timedelta(hours=1))
    ping.poll_soon(env, feeds[ANA])
    assert list_due(env) == [ANA, ZOE]


def test_a_network_pings_as_often_as_is_allowed_in_an_hour(env: Environment, clock: Clock) -> None:
    clock.forward(timedelta(minutes=25))
    for _ in range(ping.PINGS_PER_NETWORK):
        ping.receive_ping(env, [], "192.0.2.1")
    with pytest.raises(TooMany) as refused:
        ping.receive_ping(env, [ANA], "192.0.2.9")
    assert refused.value.retry_after == 35 * 60
    assert list_due(env) == []
    assert count("ping/net/") == [ping.PINGS_PER_NETWORK]
    ping.receive_ping(env, [], "198.51.100.1")
    clock.forward(timedelta(minutes=35))
    change(next_poll_at=LATER + timedelta(hours=1))
    ping.receive_ping(env, [ANA], "192.0.2.9")
    assert ANA in list_due(env)


def test_a_feed_that_is_gone_is_passed_over(env: Environment, feeds: dict[str, int]) -> None:
    ping.poll_soon(env, max(feeds.values()) + 1)
    assert list_due(env) == []
