"""Fetching parses changed feeds, fetches pages of new entries, and adds what these hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from newsletter.db.session import transaction
from newsletter.errors import FeedError, FeedUnavailable, NewsletterError
from newsletter.feeds.fetch import Fetched
from newsletter.feeds.parse import parse_feed
from newsletter.services.polling import fetch
from newsletter.services.polling.fetch import DueFeed, FeedReading, Unparsed, hash_answer
from newsletter.services.runtime import Environment
from tests.fakes import FakeFetch
from tests.feeds_server import item, rss
from tests.people import add_entry, add_feed, add_list

URL = "https://blog.example.com/feed/"
OTHER = "https://other.example.com/feed/"
PICTURE = b'<meta property="og:image" content="https://blog.example.com/lake.jpg">'


@pytest.fixture
def feeds(env: Environment) -> tuple[int, int]:
    """Return the numbers of a feed and of another list's, which knows what the first does not."""
    with transaction() as session:
        feed = add_feed(session, add_list(session), URL)
        other = add_feed(session, add_list(session, "other"), OTHER)
        for row, title in ((feed, "Known"), (feed, "Moved"), (other, "New")):
            entry = add_entry(session, row, title)
            key = f"blog.example.com/{title.lower()}"
            entry.identity = {"Known": "tag:known", "Moved": "tag:elsewhere"}.get(title, key)
            entry.link_key = "elsewhere" if title == "Known" else key
        return feed.id, other.id


def read(*items: str) -> FeedReading:
    body = rss(*items)
    return FeedReading(Fetched(URL, 200, body), parse_feed(body, url=URL))


@pytest.mark.parametrize(
    ("due", "answer", "result"),
    [
        (DueFeed(7, URL), Fetched(URL, 200, rss(item("A"))), "parsed"),
        (DueFeed(7, URL), Fetched(URL, 304, b""), "unchanged"),
        (DueFeed(7, URL, body_digest="same"), Fetched(URL, 200, rss(item("A"))), "unchanged"),
        (DueFeed(7, URL, body_digest="other"), Fetched(URL, 200, rss(item("A"))), "parsed"),
        (DueFeed(7, URL, is_suspect=True), Fetched(URL, 200, rss(item("A"))), "unparsed"),
        (DueFeed(7, URL, is_suspect=True), Fetched(URL, 304, b""), "unchanged"),
        (DueFeed(7, URL), FeedUnavailable(URL, "answers 503"), "answers 503"),
        (DueFeed(7, URL), LookupError("secret"), str(fetch.UNFORESEEN)),
        (DueFeed(7, URL), Fetched(URL, 200, b"nonsense"), "error"),
    ],
)
@pytest.mark.any_database
def test_an_answer_is_parsed_that_is_new_and_of_no_suspect(
    env: Environment, fake_fetch: FakeFetch, due: DueFeed, answer: object, result: str
) -> None:
    if due.body_digest == "same":
        assert isinstance(answer, Fetched)
        due = replace(due, body_digest=hash_answer(answer))
    fake_fetch.pages[URL] = answer
    reading = fetch.fetch_feed(env, due)
    if isinstance(reading, NewsletterError):
        assert result == "error" or (isinstance(reading, FeedError) and reading.reason == result)
    elif isinstance(reading, Unparsed):
        assert result == "unparsed"
        slow = fetch.parse_slowly(due, reading)
        assert isinstance(slow, FeedReading) and slow.parsed is not None
    else:
        assert result == ("unchanged" if reading.parsed is None else "parsed")


@pytest.mark.any_database
def test_a_feed_is_asked_with_what_it_answered_unless_it_is_read_whole(
    env: Environment, fake_fetch: FakeFetch
) -> None:
    due = DueFeed(7, URL, '"1"', "then", "digest")
    for one in (due, due.unconditional):
        fetch.fetch_feed(env, one)
    assert fake_fetch.requests == [(URL, '"1"', "then"), (URL, None, None)]
    assert due.unconditional.body_digest == ""


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("body", "is_same"),
    [
        (b"<lastBuildDate>now</lastBuildDate><a/>", True),
        (b"<!-- served in 3 ms --><a/>", True),
        (b'<media:statistics views="9"/><a/>', True),
        (b"<lastBuildDate>" + b"x" * 81 + b"</lastBuildDate><a/>", False),
        (b"<a/><b/>", False),
    ],
)
def test_times_and_counts_of_views_do_not_make_an_answer_new(body: bytes, is_same: bool) -> None:
    digest = hash_answer(Fetched(URL, 200, b"<a/>"))
    assert (hash_answer(Fetched(URL, 200, body)) == digest) is is_same
    assert hash_answer(Fetched(OTHER, 200, b"<a/>")) != digest
    assert hash_answer(Fetched(URL, 200, b"<a/>", "text/html")) != digest


def test_the_pages_of_new_entries_are_fetched_fifteen_at_most(
    env: Environment, feeds: tuple[int, int]
) -> None:
    due = DueFeed(feeds[0], URL, page_pictures=True)
    stored = (item("Known", guid="tag:known"), item("Moved", guid="tag:moved"))
    reading = read(*stored, *(item(f"New {n}") for n in range(20)))
    unknown = fetch.list_unknown_entries(due, reading)
    assert [entry.title for entry in unknown] == [f"New {n}" for n in range(15)]
    elsewhere = fetch.list_unknown_entries(replace(due, id=feeds[1]), read(item("New")))
    assert elsewhere == []
    assert len(fetch.list_unknown_entries(due, read(item("New")))) == 1


@pytest.mark.parametrize("why", ["error", "unchanged", "looked", "first", "no pictures"])
def test_no_page_is_fetched_where_it_would_add_nothing(
    env: Environment, feeds: tuple[int, int], why: str
) -> None:
    due = DueFeed(feeds[0], URL, page_pictures=why != "no pictures", read_before=why != "first")
    reading: FeedReading | NewsletterError = replace(read(item("New")), looked=why == "looked")
    if why == "error":
        reading = FeedUnavailable(URL, "answers 503")
    if why == "unchanged":
        reading = FeedReading(Fetched(URL, 304, b""))
    assert fetch.list_unknown_entries(due, reading) == []


def make_video(name: str, kind: str = "watch?v=") -> str:
    number = name.ljust(11, "_")
    return item(name, link=f"https://www.youtube.com/{kind}{number}", guid=f"yt:video:{number}")


@pytest.mark.any_database
def test_pages_add_pictures_and_tell_what_waits_or_is_left_out(
    env: Environment, fake_fetch: FakeFetch
) -> None:
    fake_fetch.pages |= {
        "https://blog.example.com/lake/": PICTURE,
        "https://blog.example.com/fog/": FeedUnavailable(URL, "answers 404", status=404),
        "https://www.youtube.com/watch?v=Soon_______": b'<script>"isUpcoming":true</script>',
        "https://www.youtube.com/watch?v=Live_______": b'<script>"isLiveContent":true</script>',
        "https://www.youtube.com/watch?v=Long_______": b"<script></script>",
    }
    due = DueFeed(7, URL, leaves_out=("live",), page_pictures=True)
    videos = [make_video(name) for name in ("Soon", "Live", "Long")]
    still = "https://i.ytimg.com/vi/{}_______/hqdefault.jpg"
    reading = read(item("Lake"), item("Fog"), item("Old"), *videos)
    assert reading.parsed is not None
    entries = [replace(entry, video_id=entry.id[9:]) for entry in reading.parsed.entries]
    reading = replace(reading, parsed=replace(reading.parsed, entries=tuple(entries)))
    looked = fetch.enrich_entries(env, due, reading, [entries[0], entries[1], *entries[3:]])
    assert isinstance(looked, FeedReading) and looked.parsed is not None
    pictures = {entry.title: entry.image for entry in looked.parsed.entries}
    assert pictures == {
        "Lake": "https://blog.example.com/lake.jpg",
        "Fog": "",
        "Old": "",
        "Live": still.format("Live"),
        "Long": still.format("Long"),
    }
    assert looked.looked
    assert looked.waits
    assert looked.left_out == {entries[4].identity: "live"}
    alone = fetch.enrich_entries(env, due, reading, entries[:2])
    assert isinstance(alone, FeedReading) and alone.parsed is not None
    assert (len(alone.parsed.entries), alone.waits, alone.left_out) == (6, False, {})


@pytest.mark.any_database
def test_an_error_of_the_program_over_a_page_is_one_of_the_feed(
    env: Environment, fake_fetch: FakeFetch
) -> None:
    fake_fetch.pages["https://blog.example.com/lake/"] = LookupError("x")
    reading = read(item("Lake"))
    assert reading.parsed is not None
    due = DueFeed(7, URL, page_pictures=True)
    result = fetch.enrich_entries(env, due, reading, list(reading.parsed.entries))
    assert isinstance(result, FeedError)
    assert result.reason == fetch.UNFORESEEN
