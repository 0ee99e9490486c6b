"""Test what is looked for in pages that strangers made."""

from __future__ import annotations

import json
import time

import pytest

from newsletter.errors import FeedError, NotAFeed
from newsletter.feeds.discover import discover
from newsletter.feeds.enrich import enrich_entry, find_wordpress_site, needs_its_page
from newsletter.feeds.fetch import Fetched
from newsletter.feeds.html_tags import find_tags
from newsletter.feeds.parse import parse_feed
from tests.fakes import FakeFetch
from tests.feeds_server import item, rss


def test_tags_and_their_attributes() -> None:
    page = """<LINK rel=alternate type='application/rss+xml' href="/a?b=1&amp;c=2" href="/evil">
    <meta content="x" name='y'/>
    <a title="a > b" href="z">"""
    assert list(find_tags(page, "link", "meta")) == [
        {"rel": "alternate", "type": "application/rss+xml", "href": "/a?b=1&c=2"},
        {"content": "x", "name": "y"},
    ]
    assert list(find_tags(page, "a")) == [{}], "what cannot be told is left out"


@pytest.mark.parametrize(
    "piece",
    [
        "<a ",
        "<meta ",
        "<!--",
        "<a b='",
        "<![",
        "</",
        "&",
        "<script>",
        "<link rel=alternate ",
        "<a b=\"'",
        "x=y ",
    ],
)
def test_f06_no_page_trips_us_or_takes_long(piece: str) -> None:
    page = (piece * (1_000_000 // len(piece))).encode()
    fetch = FakeFetch()
    fetch.pages["https://x.org/"] = Fetched("https://x.org/", 200, page)
    entry = parse_feed(rss(item("A", link="https://x.org/")), url="https://x.org/feed").entries[0]
    begun = time.process_time()
    with pytest.raises(NotAFeed):
        discover("https://x.org/", fetch)
    assert enrich_entry(entry, fetch, leaves_out=(), page_pictures=True).entry.image == ""
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


def wordpress_page(*feeds: tuple[str, str]) -> bytes:
    """Return a page with its feeds (title, address), in the order in which WordPress names them."""
    links = (
        f'<link rel="alternate" type="application/rss+xml" title="{title}" href="{url}" />'
        for title, url in feeds
    )
    return f"<!DOCTYPE html><html><head>{''.join(links)}</head></html>".encode()


SITE = "https://blog.example"
MAIN = ("Blog &raquo; Feed", f"{SITE}/feed/")
COMMENTS = ("Blog &raquo; Kommentar-Feed", f"{SITE}/comments/feed/")


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("/category/tea/", "/category/tea/feed/"),
        ("/category/tea", "/category/tea/feed/"),
        ("/tag/green/", "/tag/green/feed/"),
        ("/author/ana/", "/author/ana/feed/"),
        ("/?cat=3", "/?feed=rss2&#038;cat=3"),
    ],
)
def test_a_page_of_a_category_leads_to_the_feed_of_that_category(page: str, expected: str) -> None:
    fetch = FakeFetch()
    fetch.pages[SITE + page] = Fetched(
        SITE + page, 200, wordpress_page(MAIN, COMMENTS, ("Tea", SITE + expected))
    )
    fetch.pages[MAIN[1]] = rss(item("Everything"))
    address = (SITE + expected).replace("&#038;", "&")
    fetch.pages[address] = Fetched(address, 200, rss(item("Tea")))
    assert discover(SITE + page, fetch).feed_url == address


@pytest.mark.parametrize("comments", [(), (item("Ben", link=f"{SITE}/2026/post/#comment-3"),)])
def test_a_page_of_a_post_leads_to_the_feed_of_the_blog(comments: tuple[str, ...]) -> None:
    """Its own feed is that of its comments, whatever the blog's language calls it."""
    page = f"{SITE}/2026/post/"
    feed = f"{SITE}/2026/post/feed/"
    fetch = FakeFetch()
    fetch.pages[page] = Fetched(page, 200, wordpress_page(MAIN, COMMENTS, ("Beitrag", feed)))
    fetch.pages[MAIN[1]] = Fetched(MAIN[1], 200, rss(item("Everything")))
    fetch.pages[feed] = Fetched(feed, 200, rss(*comments))
    assert discover(page, fetch).feed_url == MAIN[1]


def test_a_new_blog_in_a_folder_has_an_empty_feed() -> None:
    page = f"{SITE}/blog/"
    feed = f"{SITE}/blog/feed/"
    fetch = FakeFetch()
    fetch.pages[page] = Fetched(page, 200, wordpress_page(("Blog", feed)))
    fetch.pages[feed] = Fetched(feed, 200, rss())
    assert discover(page, fetch).feed_url == feed


def featured(fetch: FakeFetch, *, link: str, guid: str, answer: object) -> str:
    """Return the picture that is found for a post of a WordPress whose interface gives `answer`."""
    body = rss(
        item("Post", link=link, guid=guid),
        extra="<generator>https://wordpress.org/?v=6.8</generator>",
        link=SITE,
    )
    feed = parse_feed(body, url=MAIN[1])
    fetch.pages[f"{SITE}/wp-json/wp/v2/posts?slug=tea-time&_embed=wp:featuredmedia"] = json.dumps(
        answer
    ).encode()
    [entry] = feed.entries
    site = find_wordpress_site(feed)
    assert needs_its_page(entry, MAIN[1], page_pictures=False, wordpress=site)
    return enrich_entry(
        entry, fetch, leaves_out=(), page_pictures=False, wordpress=site
    ).entry.image


def media(**sizes: int) -> dict[str, object]:
    details = {
        name: {"width": width, "source_url": f"{SITE}/{name}.jpg"} for name, width in sizes.items()
    }
    return {
        "source_url": f"{SITE}/original.jpg",
        "alt_text": "Tea",
        "media_details": {"width": 4000, "sizes": details},
    }


@pytest.mark.parametrize(
    ("sizes", "picture"),
    [
        ({"thumbnail": 150, "large": 1024, "1536x1536": 1536, "full": 4000}, "large"),
        ({"thumbnail": 150, "medium": 768}, "original"),
        ({}, "original"),
    ],
)
def test_a_post_published_in_one_step_has_its_featured_image(
    sizes: dict[str, int], picture: str
) -> None:
    """Its id is its address then, and names no number. Another post has the same name elsewhere."""
    link = f"{SITE}/2026/tea-time/"
    answer = [
        {
            "link": f"{SITE}/2019/tea-time/",
            "_embedded": {"wp:featuredmedia": [{"source_url": f"{SITE}/wrong.jpg"}]},
        },
        {"link": link, "_embedded": {"wp:featuredmedia": [media(**sizes)]}},
    ]
    assert featured(FakeFetch(), link=link, guid=link, answer=answer) == f"{SITE}/{picture}.jpg"


@pytest.mark.parametrize(
    "answer", [[], {}, None, [{"link": 1}], "x", [{"link": f"{SITE}/2026/tea-time/"}]]
)
def test_an_interface_that_says_nothing_of_use_costs_nothing(answer: object) -> None:
    link = f"{SITE}/2026/tea-time/"
    assert featured(FakeFetch(), link=link, guid=link, answer=answer) == ""


def test_only_a_wordpress_is_asked_for_featured_images() -> None:
    link = f"{SITE}/2026/tea-time/"
    feed = parse_feed(
        rss(item("Post", link=link, guid=link), extra="<generator>Hugo</generator>", link=SITE),
        url=MAIN[1],
    )
    assert find_wordpress_site(feed) == ""
    assert not needs_its_page(feed.entries[0], MAIN[1], page_pictures=False, wordpress="")
