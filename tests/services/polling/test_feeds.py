"""Feeds are added, changed, paused and removed, each beside another list's feed like it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.db.session import reading, transaction
from newsletter.errors import ChangedMeanwhile, InvalidInput, Refused
from newsletter.feeds.fetch import Fetched
from newsletter.models import Entry, Feed
from newsletter.services.polling import feeds
from newsletter.services.polling.filters import Filters
from newsletter.services.runtime import Environment
from newsletter.vocabulary import FeedStatus
from tests.fakes import START, FakeFetch
from tests.feeds_server import item, rss
from tests.people import add_feed, add_list

URL = "https://blog.example.com/feed/"
OTHER = "https://other.example.com/feed/"
LATER = START + timedelta(hours=3)


@pytest.fixture(autouse=True)
def lists(env: Environment, fake_fetch: FakeFetch) -> None:
    """Add a list, beside another one whose feed the first may add as well."""
    with transaction() as session:
        add_list(session)
        other = add_feed(session, add_list(session, "other"), OTHER)
        other.etag = other.last_modified = "kept"
    fake_fetch.pages |= {
        URL: rss(item("New"), item("Middle"), item("Old")),
        OTHER: rss(item("Foreign")),
    }


def add_blog(**values: object) -> str:
    """Add a feed of the list "blog" that fails, and return its number."""
    defaults: dict[str, object] = {
        "etag": "1",
        "last_modified": "then",
        "body_digest": "digest",
        "failures": 3,
        "error": "answers 503",
        "failing_since": START,
        "told_at": START,
        "next_poll_at": LATER,
        "leaves_out": ["shorts"],
        "only_categories": ["rest"],
        "not_categories": ["ads"],
        "not_title": "weekly",
    }
    with transaction() as session:
        other = session.scalars(select(Feed)).one()
        row = add_feed(session, other.mailing_list, URL)
        for name, value in (defaults | values).items():
            setattr(row, name, value)
        return str(row.id)


def read_feed(number: str) -> Feed:
    with reading() as session:
        row = session.get_one(Feed, int(number))
        session.expunge(row)
        return row


@pytest.mark.parametrize(("backlog", "mailed"), [(0, 0), (2, 2), (3, 3), (9, 3)])
def test_what_a_feed_has_is_not_mailed_but_for_its_newest(
    env: Environment, backlog: int, mailed: int
) -> None:
    added = feeds.add(env, URL, "blog", backlog=backlog)
    assert (added.url, added.title, added.list) == (URL, "Blog", "blog")
    assert (added.entries, added.backlog) == (3, mailed)
    with reading() as session:
        query = select(Entry.title).where(Entry.fate == "ready", Entry.feed_id == added.id)
        ready = set(session.scalars(query))
    assert ready == set(("New", "Middle", "Old")[:mailed])


def test_a_feed_is_added_as_it_is_to_be_read(env: Environment) -> None:
    filters = Filters((" Rest ",), ("Ads",), "weekly")
    added = feeds.add(
        env, URL, "blog", leaves_out=["live", "shorts"], page_pictures=True, filters=filters
    )
    view = feeds.get(str(added.id))
    assert (view.leaves_out, view.page_pictures) == (("shorts", "live"), True)
    assert view.filters == Filters(("Rest",), ("Ads",), "weekly")
    assert (view.status, view.failures, view.list) == (FeedStatus.ACTIVE, 0, "blog")
    plain = feeds.get(str(feeds.add(env, OTHER, "blog").id))
    assert (plain.leaves_out, plain.page_pictures) == ((), False)
    assert plain.filters == Filters()


@pytest.mark.parametrize("waits", [False, True])
def test_what_waits_is_not_hidden_by_an_answer_that_is_the_same(
    env: Environment, fake_fetch: FakeFetch, waits: bool
) -> None:
    page = "https://www.youtube.com/watch?v=abcdefghijk"
    video = f"""<entry><id>yt:video:abcdefghijk</id><title>Soon</title><link href="{page}"/>
        <yt:videoId>abcdefghijk</yt:videoId><published>{START.isoformat()}</published></entry>"""
    body = f"""<feed xmlns:yt="http://www.youtube.com/xml/schemas/2015"
        xmlns="http://www.w3.org/2005/Atom"><title>Ana</title>{video}</feed>"""
    url = "https://www.youtube.com/feeds/videos.xml?channel_id=UC" + "a" * 22
    fake_fetch.pages[url] = Fetched(url, 200, body.encode(), etag="1")
    fake_fetch.pages[page] = b'<script>"isUpcoming":true</script>' if waits else b"public"
    added = feeds.add(env, url, "blog")
    assert added.entries == (0 if waits else 1)
    assert read_feed(str(added.id)).etag == (None if waits else "1")


def test_a_list_has_a_feed_once_under_either_address(
    env: Environment, fake_fetch: FakeFetch
) -> None:
    first = feeds.add(env, URL, "blog")
    for slug in ("blog", "other"):
        assert [row.id for row in feeds.list_feeds(slug)] != []
    with pytest.raises(Refused, match="already"):
        feeds.add(env, URL, "blog")
    assert feeds.add(env, OTHER, "blog").id != first.id
    with pytest.raises(Refused, match="already"):
        feeds.add(env, OTHER, "other")
    assert [row.list for row in feeds.list_feeds()] == ["other", "blog", "blog"]
    assert [row.url for row in feeds.list_feeds("blog")] == [URL, OTHER]


@pytest.mark.parametrize(
    ("changes", "column", "value"),
    [
        ({"leaves_out": {"live": True}}, "leaves_out", ["shorts", "live"]),
        ({"leaves_out": {"shorts": False}}, "leaves_out", []),
        ({"leaves_out": {}, "page_pictures": True}, "page_pictures", True),
    ],
)
def test_what_a_change_does_not_name_stays(
    env: Environment, changes: dict[str, object], column: str, value: object
) -> None:
    number = add_blog()
    view = feeds.edit(number, **changes)  # type: ignore[arg-type]
    row = read_feed(number)
    assert getattr(row, column) == value
    assert view == feeds.get(number)
    assert view.filters == Filters(("rest",), ("ads",), "weekly")
    assert (row.etag, row.last_modified, row.body_digest) == ("1", "then", "digest")
    assert row.page_pictures is ("page_pictures" in changes)


@pytest.mark.parametrize(
    ("changes", "filters"),
    [
        ({"only": [" Tea "]}, Filters(("Tea",), ("ads",), "weekly")),
        ({"only": []}, Filters((), ("ads",), "weekly")),
        ({"never": ["tea"]}, Filters(("rest",), ("tea",), "weekly")),
        ({"not_title": "daily"}, Filters(("rest",), ("ads",), "daily")),
        ({"not_title": ""}, Filters(("rest",), ("ads",), "")),
    ],
)
def test_a_feed_with_other_filters_is_read_in_full_the_next_time(
    env: Environment, changes: dict[str, object], filters: Filters
) -> None:
    number = add_blog()
    assert feeds.edit(number, leaves_out={}, **changes).filters == filters  # type: ignore[arg-type]
    row = read_feed(number)
    assert (row.etag, row.last_modified, row.body_digest) == (None, None, "")
    assert row.leaves_out == ["shorts"]
    other = feeds.list_feeds("other")[0]
    assert read_feed(str(other.id)).etag == "kept"


def test_what_changed_meanwhile_is_not_overwritten(env: Environment) -> None:
    number = add_blog()
    before = feeds.get(number)
    feeds.edit(number, leaves_out={}, page_pictures=True, expected=before)
    with pytest.raises(ChangedMeanwhile):
        feeds.edit(number, leaves_out={"live": True}, expected=before)
    assert feeds.get(number).leaves_out == ("shorts",)
    with pytest.raises(InvalidInput):
        feeds.edit(number, leaves_out={}, not_title="(")
    assert feeds.get(number).not_title == "weekly"


def test_a_feed_that_is_resumed_is_due_with_nothing_against_it(env: Environment) -> None:
    number = add_blog()
    assert feeds.pause(number).status is FeedStatus.PAUSED
    row = read_feed(number)
    assert (row.next_poll_at, row.failures, row.error) == (LATER, 3, "answers 503")
    with pytest.raises(Refused, match="paused"):
        feeds.poll_soon(env, int(number))
    assert read_feed(number).next_poll_at == LATER
    assert feeds.resume(env, URL).status is FeedStatus.ACTIVE
    row = read_feed(number)
    assert (row.next_poll_at, row.failures, row.error) == (START, 0, "")
    assert (row.failing_since, row.told_at) == (None, None)


def test_an_active_feed_is_polled_soon_whatever_was_wrong(env: Environment) -> None:
    number = add_blog()
    assert feeds.poll_soon(env, int(number)).next_poll_at == START
    row = read_feed(number)
    assert (row.next_poll_at, row.failures) == (START, 3)


def test_a_feed_is_removed_with_its_entries_and_no_others(env: Environment) -> None:
    feeds.add(env, OTHER, "blog")
    added = feeds.add(env, URL, "blog")
    assert feeds.remove(env, str(added.id)).url == URL
    assert [row.url for row in feeds.list_feeds()] == [OTHER, OTHER]
    with reading() as session:
        assert session.scalars(select(Entry.title)).all() == ["Foreign"]
