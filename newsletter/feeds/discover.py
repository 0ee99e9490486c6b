"""Discover the feed of a blog, a page or a YouTube channel."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urljoin, urlsplit

from newsletter.errors import FeedError, FeedForbidden, NotAFeed
from newsletter.feeds import youtube
from newsletter.feeds.fetch import Fetch, Fetched
from newsletter.feeds.html_tags import find_tags
from newsletter.feeds.isolated import read_feed
from newsletter.feeds.types import ParsedFeed
from newsletter.html.links import make_absolute
from newsletter.i18n import Text

USUAL_PATHS = ("/feed/", "/feed.xml", "/atom.xml", "/rss.xml", "/index.xml", "/feed.json")
_FEED_TYPES = (
    "application/rss+xml",
    "application/atom+xml",
    "application/feed+json",
    "application/rdf+xml",
)


@dataclass(frozen=True, slots=True)
class Discovered:
    """A feed that was discovered; `fetched` and `feed` are its first response, raw and parsed."""

    feed_url: str
    title: str
    site_url: str
    fetched: Fetched
    feed: ParsedFeed


def discover(address: str, fetch: Fetch, *, leaves_out: Collection[str] = ()) -> Discovered:
    """Discover and parse the feed at `address`.

    For a YouTube channel, choose the feed that leaves out the kinds of videos in `leaves_out`, if
    there is one. Raises `FeedError`, which says what is there instead and what to type.
    """
    discovered = _discover(address, fetch)
    narrowed = youtube.narrow_feed(discovered.feed_url, leaves_out)
    if narrowed == discovered.feed_url:
        return discovered
    try:
        return replace(
            _read_feed(fetch(narrowed)), title=discovered.title, site_url=discovered.site_url
        )
    except FeedError:
        return discovered


def _discover(address: str, fetch: Fetch) -> Discovered:
    full_address = _complete(address)
    url = youtube.find_feed_url(full_address) or full_address
    if full_address != address.strip():
        try:
            fetched = fetch(url)
        except FeedForbidden:
            raise
        except FeedError:
            url = "http" + url.removeprefix("https")
            fetched = fetch(url)
    else:
        fetched = fetch(url)
    try:
        return _read_feed(fetched)
    except NotAFeed as error:
        reason = error
    folder = _find_folder(fetched.url)
    empty = None
    for candidate in _list_candidates(fetched):
        try:
            discovered = _read_feed(fetch(candidate))
        except FeedError:
            continue
        if not (folder and candidate.startswith(folder) and _is_of_comments(discovered.feed)):
            return discovered
        empty = empty or (None if discovered.feed.entries else discovered)
    if empty is not None:
        return empty
    raise NotAFeed(
        fetched.url,
        reason.reason,
        hint=Text("no feed is linked there; give the feed's own address"),
    )


def _find_folder(url: str) -> str:
    """Return the URL prefix of feeds that belong to a page (of a category, say).

    It is "" for a front page.
    """
    parts = urlsplit(url)
    folder = urljoin(url, parts.path).rstrip("/") + "/"
    return folder if parts.path.strip("/") else ""


def _is_of_comments(feed: ParsedFeed) -> bool:
    """Tell whether a feed contains only comments on a post, or nothing."""
    return all("#comment" in entry.link or "#respond" in entry.link for entry in feed.entries)


def _complete(address: str) -> str:
    address = address.strip()
    if not address:
        raise FeedForbidden("", Text("no address was given"))
    if re.fullmatch(r"@[\w.-]{3,30}", address):
        return f"https://www.youtube.com/{address}"
    if "://" in address or re.match(r"[a-zA-Z][a-zA-Z+.-]*:(?!\d)", address):
        return address
    return "https://" + address.lstrip("/")


def _read_feed(fetched: Fetched) -> Discovered:
    feed = read_feed(fetched.body, url=fetched.url, content_type=fetched.content_type)
    root = urljoin(fetched.url, "/")
    return Discovered(
        fetched.permanent_url or fetched.url, feed.title, feed.link or root, fetched, feed
    )


def _list_candidates(fetched: Fetched) -> list[str]:
    """List URLs to try as feeds, best first: those that a page links to, then common ones."""
    page = fetched.body[:1_000_000].decode("utf-8", "replace")
    if youtube.is_youtube(fetched.url) and (channel := youtube.find_feed_in_page(page)):
        return [channel]
    named = [
        (url, link)
        for link in _find_feed_links(page)
        if link.get("href", "").strip()
        and (url := make_absolute(link["href"], base_url=fetched.url))
    ]
    named.sort(key=lambda pair: _rank_feed(pair[0], pair[1], fetched.url))
    urls = [url for url, _ in named[:5]]
    folder = urljoin(fetched.url, ".").rstrip("/")
    places = [folder + path for path in USUAL_PATHS[:2]] + [
        urljoin(fetched.url, path) for path in USUAL_PATHS
    ]
    return list(dict.fromkeys(urls + places))


def _rank_feed(url: str, link: dict[str, str], page: str) -> tuple[bool, bool]:
    """Return the sort key of a feed that a page links to.

    Feeds without comments come first, then those of the page rather than of its site.
    """
    comments = "comment" in (link.get("href", "") + link.get("title", "")).lower()
    folder = _find_folder(page)
    query = dict(parse_qsl(urlsplit(page).query))
    of_page = bool(folder and url.startswith(folder)) or bool(
        query and query.items() <= dict(parse_qsl(urlsplit(url).query)).items()
    )
    return comments, not of_page


def _find_feed_links(page: str) -> Iterator[dict[str, str]]:
    """Yield the links of a page to feeds (`<link rel=alternate>`)."""
    for link in find_tags(page, "link", "a"):
        if (
            "alternate" in link.get("rel", "").lower().split()
            and link.get("type", "").lower() in _FEED_TYPES
        ):
            yield link
