"""What is looked for in pages that strangers made."""

from __future__ import annotations

import time

import pytest

from newsletter.errors import FeedError, NotAFeed
from newsletter.feeds.discover import discover
from newsletter.feeds.enrich import look
from newsletter.feeds.fetch import Fetched
from newsletter.feeds.html_tags import tags
from newsletter.feeds.parse import parse
from tests.fakes import FakeFetch
from tests.feeds_server import item, rss


def test_tags_and_their_attributes() -> None:
    page = """<LINK rel=alternate type='application/rss+xml' href="/a?b=1&amp;c=2" href="/evil"><meta content="x" name='y'/>
    <a title="a > b" href="z">"""
    assert list(tags(page, "link", "meta")) == [
        {"rel": "alternate", "type": "application/rss+xml", "href": "/a?b=1&c=2"}, {"content": "x", "name": "y"},
    ]  # fmt: skip
    assert list(tags(page, "a")) == [{}], "what cannot be told is left out"


@pytest.mark.parametrize(
    "piece",
    ["<a ", "<meta ", "<!--", "<a b='", "<![", "</", "&", "<script>", "<link rel=alternate ", "<a b=\"'", "x=y "],
)
def test_f06_no_page_trips_us_or_takes_long(piece: str) -> None:
    page = (piece * (1_000_000 // len(piece))).encode()
    fetch = FakeFetch()
    fetch.pages["https://x.org/"] = Fetched("https://x.org/", 200, page)
    entry = parse(rss(item("A", link="https://x.org/")), url="https://x.org/feed").entries[0]
    begun = time.process_time()
    with pytest.raises(NotAFeed):
        discover("https://x.org/", fetch)
    assert look(entry, fetch, leaves_out=(), page_pictures=True).entry.image == ""
    assert time.process_time() - begun < 5


def test_a_page_cannot_lead_anywhere_but_to_the_web() -> None:
    fetch = FakeFetch()
    links = "".join(
        f'<link rel="alternate" type="application/rss+xml" href="{href}">'
        for href in ("file:///etc/passwd", "javascript:alert(1)", "https://u:p@x.org/f", "/feed")
    )
    fetch.pages["https://x.org/"] = Fetched("https://x.org/", 200, f"<html>{links}".encode())
    with pytest.raises(FeedError):
        discover("https://x.org/", fetch)
    assert not [url for url, *_ in fetch.requests if not url.startswith("https://x.org/")]
