"""Further pages of a feed are fetched as far as the known entries, and no further."""

from __future__ import annotations

import pytest

from newsletter.errors import FeedUnavailable
from newsletter.feeds.fetch import Fetched
from newsletter.feeds.parse import parse_feed
from newsletter.services.polling.fetch import DueFeed, FeedReading
from newsletter.services.polling.paging import PAGES_AT_MOST, fetch_further_pages
from newsletter.services.polling.types import KnownEntry
from newsletter.services.runtime import Environment
from tests.fakes import FakeFetch
from tests.feeds_server import item, rss

pytestmark = pytest.mark.any_database
URL = "https://blog.example.com/feed/"
WORDPRESS = "<generator>https://wordpress.org/?v=6.8</generator>"


def make_page(*titles: str, generator: str = WORDPRESS, following: str = "") -> bytes:
    link = '<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="next" href="{}"/>'
    extra = generator + (link.format(following) if following else "")
    return rss(*map(item, titles), extra=extra)


def know(*titles: str) -> list[KnownEntry]:
    keys = [f"blog.example.com/{title.lower()}" for title in titles]
    return [
        KnownEntry(number, key, key, title)
        for number, (key, title) in enumerate(zip(keys, titles, strict=True), 1)
    ]


def read_pages(
    env: Environment, first: bytes, known: list[KnownEntry], url: str = URL
) -> FeedReading:
    fetched = Fetched(url, 200, first)
    reading = FeedReading(fetched, parse_feed(first, url=url))
    return fetch_further_pages(env, DueFeed(7, url), reading, known, "blog.example.com")


def list_titles(reading: FeedReading) -> list[str]:
    assert reading.parsed is not None
    assert reading.paged
    return [entry.title for entry in reading.parsed.entries]


def list_requests(fake_fetch: FakeFetch) -> list[str]:
    return [url for url, *_ in fake_fetch.requests]


def test_pages_are_read_until_one_has_a_known_entry(
    env: Environment, fake_fetch: FakeFetch
) -> None:
    fake_fetch.pages |= {
        f"{URL}?paged=2": make_page("D", "E", "F"),
        f"{URL}?paged=3": make_page("G", "Known", "Older"),
        f"{URL}?paged=4": make_page("Oldest"),
    }
    reading = read_pages(env, make_page("A", "B", "C"), know("Known", "Elsewhere"))
    assert list_titles(reading) == [*"ABCDEFG", "Known"]
    assert reading.window == 3
    assert list_requests(fake_fetch) == [f"{URL}?paged=2", f"{URL}?paged=3"]


def test_ten_further_pages_are_read_at_most(env: Environment, fake_fetch: FakeFetch) -> None:
    for number in range(2, 20):
        fake_fetch.pages[f"{URL}?paged={number}"] = make_page(f"Post {number}")
    reading = read_pages(env, make_page("Post 1"), know("Known"))
    numbers = range(1, PAGES_AT_MOST + 2)
    assert list_titles(reading) == [f"Post {number}" for number in numbers]
    assert list_requests(fake_fetch) == [f"{URL}?paged={number}" for number in numbers[1:]]


@pytest.mark.parametrize(
    ("page", "titles"),
    [
        (make_page("A", "B"), ["A", "B"]),
        (make_page("B", "C"), ["A", "B", "C"]),
        (FeedUnavailable(URL, "answers 404", status=404), ["A", "B"]),
        (b"nonsense", ["A", "B"]),
        (Fetched(f"{URL}?paged=2", 200, make_page("C")), ["A", "B", "C"]),
    ],
)
def test_a_page_that_is_no_further_page_ends_the_reading(
    env: Environment, fake_fetch: FakeFetch, page: object, titles: list[str]
) -> None:
    fake_fetch.pages[f"{URL}?paged=2"] = page
    reading = read_pages(env, make_page("A", "B"), know("Known"))
    assert list_titles(reading) == titles
    assert reading.window == 2
    assert len(fake_fetch.requests) == (2 if "C" in titles else 1)


@pytest.mark.parametrize(
    ("url", "page", "following"),
    [
        (f"{URL}?cat=4&&lang=de#top", make_page("A"), f"{URL}?cat=4&lang=de&paged=2"),
        (URL, make_page("A", generator="<generator>WORDPRESS</generator>"), f"{URL}?paged=2"),
        (URL, make_page("A", generator="", following=f"{URL}older"), f"{URL}older"),
        (URL, make_page("A", following=f"{URL}older"), f"{URL}older"),
        (URL, make_page("A", generator="<generator>Hugo</generator>"), ""),
        (URL, make_page("A", generator=""), ""),
    ],
)
def test_the_next_page_is_the_one_that_is_named_or_that_of_wordpress(
    env: Environment, fake_fetch: FakeFetch, url: str, page: bytes, following: str
) -> None:
    reading = read_pages(env, page, know("Known"), url)
    assert list_titles(reading) == ["A"]
    assert list_requests(fake_fetch) == [following] * bool(following)


def test_an_error_of_the_program_costs_the_further_pages_alone(
    env: Environment, fake_fetch: FakeFetch
) -> None:
    fake_fetch.pages[f"{URL}?paged=2"] = LookupError("x")
    reading = read_pages(env, make_page("A", "B"), know("Known"))
    assert list_titles(reading) == ["A", "B"]
    assert reading.window is None
