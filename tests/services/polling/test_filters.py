"""Filters: what an author leaves out of a feed, and why an entry says so."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.errors import InvalidInput
from newsletter.models import Entry
from newsletter.services.polling import entries, feeds
from newsletter.services.polling import poll as polling
from newsletter.services.polling.filters import Filters, check_pattern, find_reason
from newsletter.services.runtime import Environment
from tests.fakes import Clock, FakeFetch
from tests.feeds_server import item, rss
from tests.people import add_list

URL = "https://blog.example.com/feed.xml"
OTHER = "https://other.example.org/feed.xml"


def post(title: str, *categories: str) -> str:
    marks = "".join(f"<category><![CDATA[{name}]]></category>" for name in categories)
    return item(title).replace("</item>", f"{marks}</item>")


@pytest.fixture
def feed(env: Environment, fake_fetch: FakeFetch) -> str:
    """Make a feed with an old post, beside another list's feed without filters."""
    with transaction() as session:
        add_list(session)
        add_list(session, "other")
    fake_fetch.pages |= {URL: rss(post("Old")), OTHER: rss(post("Else"))}
    feeds.add(env, OTHER, "other")
    return str(feeds.add(env, URL, "blog").id)


def poll(env: Environment, clock: Clock, fake_fetch: FakeFetch, *items: str) -> dict[str, str]:
    clock.forward(timedelta(hours=1))
    fake_fetch.pages[URL] = rss(*items)
    polling.poll_due(env)
    db.session.rollback()
    return {entry.title: entry.fate for entry in db.session.scalars(select(Entry))}


@pytest.mark.parametrize(
    ("filters", "categories", "why"),
    [
        (Filters(), ["Letters"], ""),
        (Filters(), ["No-Newsletter"], "its blog marks it as no-newsletter"),
        (Filters(), ["x", "no newsletter"], "its blog marks it as no-newsletter"),
        (Filters(only=["letters"]), ["Letters"], ""),
        (Filters(only=["Letters"]), [], "this feed takes only Letters"),
        (Filters(only=["A", "B"]), ["C"], "this feed takes only A or B"),
        (Filters(only=["A"], never=["B"]), ["A", " b "], "this feed leaves out the category B"),
        (Filters(never=["B"]), ["A"], ""),
        (Filters(not_title="^links"), [], "this feed leaves out titles that match ^links"),
        (Filters(not_title="^nks"), [], ""),
    ],
)
def test_what_is_left_out(filters: Filters, categories: list[str], why: str) -> None:
    assert find_reason(filters, "Links of the week", categories) == why


def test_filters_hold_for_new_entries(
    env: Environment, clock: Clock, fake_fetch: FakeFetch, feed: str
) -> None:
    feeds.edit(feed, leaves_out={}, only=["Letters"], never=["Private"], not_title="draft")
    fates = poll(
        env,
        clock,
        fake_fetch,
        post("A", "Letters"),
        post("B", "Private", "Letters"),
        post("My Draft", "letters"),
        post("D", "Letters", "no-newsletter"),
        post("Old"),
    )
    del fates["Else"]
    assert fates == dict.fromkeys(("Old", "B", "My Draft", "D"), "skipped") | {"A": "ready"}
    reasons = {entry.title: entry.why for entry in entries.list_entries()}
    assert reasons["D"] == "its blog marks it as no-newsletter"


def test_a_post_that_is_marked_before_it_is_mailed_is_not(
    env: Environment, clock: Clock, fake_fetch: FakeFetch, feed: str
) -> None:
    assert poll(env, clock, fake_fetch, post("New"), post("Two"), post("Old"))["New"] == "ready"
    marked = [post("New", "no-newsletter"), post("Two"), post("Old")]
    fates = poll(env, clock, fake_fetch, *marked)
    assert (fates["New"], fates["Two"]) == ("skipped", "ready")
    assert poll(env, clock, fake_fetch, post("New"), post("Old"))["New"] == "skipped", "one way"


def test_a_changed_filter_judges_what_has_not_been_mailed_though_its_feed_has_not_changed(
    env: Environment, clock: Clock, fake_fetch: FakeFetch, feed: str
) -> None:
    items = [post("New"), post("Kept"), post("Old")]
    poll(env, clock, fake_fetch, *items)
    result = next(entry.id for entry in entries.list_entries() if entry.title == "Kept")
    entries.hold(env, result)
    entries.release(env, result)
    feeds.edit(feed, leaves_out={}, only=["Letters"])
    fates = poll(env, clock, fake_fetch, *items)
    assert (fates["New"], fates["Kept"]) == ("skipped", "ready"), "what was decided by hand stays"


def test_an_empty_option_empties_a_filter_of_one_feed(env: Environment, feed: str) -> None:
    feeds.edit(feed, leaves_out={}, only=["A"], never=["B", "b"], not_title="x")
    assert feeds.get(feed).filters == Filters(("A",), ("b",), "x")
    feeds.edit(feed, leaves_out={}, only=[""], never=[""], not_title="")
    assert feeds.get(feed).filters == Filters((), (), "")
    assert feeds.get(OTHER).filters == Filters((), (), "")


@pytest.mark.any_database
@pytest.mark.parametrize("pattern", ["(", "a**", r"(?<=x)y", r"(a)\1", "x" * 201, "(x{900}){900}"])
def test_patterns_that_cannot_be_used_are_refused(
    env: Environment, feed: str, pattern: str
) -> None:
    with pytest.raises(InvalidInput):
        feeds.edit(feed, leaves_out={}, not_title=pattern)
    assert feeds.get(feed).not_title == ""


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*)*x", "(a?){50}a{50}"])
def test_a_dangerous_pattern_takes_linear_time(pattern: str) -> None:
    check_pattern(pattern)
    begun = time.thread_time()
    find_reason(Filters(not_title=pattern), "a" * 500 + "!", [])
    assert time.thread_time() - begun < 1
