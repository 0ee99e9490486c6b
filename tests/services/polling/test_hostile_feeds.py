"""Feeds that are made to cost time are parsed after all others, and never hold up the next poll."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.feeds.isolated import Limits
from newsletter.models import Feed
from newsletter.services.polling import feeds, fetch, poll
from newsletter.services.runtime import Environment
from tests.fakes import Clock, FakeFetch
from tests.feeds_server import item, rss
from tests.people import add_list

LABELS = "".join(f"<category>{number}</category>" for number in range(150_000))
ENDLESS = rss(f"<item><title>A</title>{LABELS}</item>")
"""A feed with so many labels on one entry that feedparser would take hours."""
GOOD = [f"https://good{number}.example.com/feed" for number in range(3)]
HOSTILE = [f"https://hostile{number}.example.com/feed" for number in range(2)]


@pytest.fixture
def hostile(env: Environment, fake_fetch: FakeFetch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two feeds that have turned hostile since they were added, due before three good ones."""
    monkeypatch.setattr(fetch, "FULL", Limits(1, 5.0))
    with transaction() as session:
        add_list(session)
    for url in HOSTILE + GOOD:
        fake_fetch.pages[url] = rss(item(url, link=url))
        feeds.add(env, url)
    for url in HOSTILE:
        fake_fetch.pages[url] = ENDLESS
    for url in GOOD:
        fake_fetch.pages[url] = rss(item("New", link=f"{url}/new"), item(url, link=url))


@pytest.mark.any_database
def test_hostile_feeds_are_parsed_after_all_others(
    env: Environment, clock: Clock, hostile: None
) -> None:
    clock.forward(timedelta(hours=1))
    results = poll.poll_due(env)
    assert {result.url for result in results[:3]} == set(GOOD)
    assert [result.new for result in results[:3]] == [1, 1, 1]
    assert {result.url for result in results[3:]} == set(HOSTILE)
    assert all("takes longer" in result.error for result in results[3:])


@pytest.mark.any_database
def test_a_feed_that_failed_is_parsed_last_and_recovers(
    env: Environment, clock: Clock, fake_fetch: FakeFetch, hostile: None
) -> None:
    clock.forward(timedelta(hours=1))
    poll.poll_due(env)
    for url in HOSTILE:
        fake_fetch.pages[url] = rss(item("Mended", link=f"{url}/mended"), item(url, link=url))
    clock.forward(timedelta(days=1))
    results = poll.poll_due(env)
    assert {result.url for result in results[3:]} == set(HOSTILE)
    assert [(result.new, result.error) for result in results[3:]] == [(1, ""), (1, "")]


def test_slow_feeds_for_which_there_is_no_time_are_due_again(
    env: Environment, clock: Clock, hostile: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.forward(timedelta(hours=1))
    monkeypatch.setattr(poll, "SLOW_SECONDS", 0.0)
    assert {result.url for result in poll.poll_due(env)} == set(GOOD)
    assert find_due(env) == set(HOSTILE)
    monkeypatch.undo()
    monkeypatch.setattr(fetch, "FULL", Limits(1, 5.0))
    assert {result.url for result in poll.poll_due(env)} == set(HOSTILE)
    assert find_due(env) == set()


@pytest.mark.any_database
def test_slow_feeds_for_which_there_is_no_memory_are_due_again(
    env: Environment, clock: Clock, hostile: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.forward(timedelta(hours=1))
    monkeypatch.setattr(poll, "SLOW_BYTES", len(ENDLESS))
    results = poll.poll_due(env)
    [slow] = [result.url for result in results if result.url in HOSTILE]
    assert find_due(env) == set(HOSTILE) - {slow}


@pytest.mark.any_database
def test_the_process_ends_while_a_slow_feed_is_parsed(
    env: Environment, clock: Clock, hostile: None
) -> None:
    clock.forward(timedelta(hours=1))
    results = []
    for result in poll._poll(env, poll._claim_due(env, 10, eager=False), lambda: len(results) >= 3):
        results.append(result)
    assert {result.url for result in results} == set(GOOD)
    assert find_due(env) == set(HOSTILE)


def find_due(env: Environment) -> set[str]:
    db.session.rollback()
    return set(db.session.scalars(select(Feed.url).where(Feed.next_poll_at <= env.now)))
