"""Fetch the pages of new entries to add pictures and text that their feed lacks.

A video's page tells whether the video is public and of what kind it is; a post's page has the
picture that its feed lacks. An entry whose page cannot be fetched is left unchanged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from newsletter.errors import FeedError
from newsletter.feeds.fetch import Fetch
from newsletter.feeds.html_tags import find_tags
from newsletter.feeds.identity import canonicalize_link
from newsletter.feeds.types import ParsedEntry, ParsedFeed
from newsletter.feeds.youtube import find_left_out_kind, is_youtube, read_video_page
from newsletter.html.links import make_absolute
from newsletter.html.text import to_plain_line

LATELY = timedelta(days=14)
AT_FIRST = 5
WIDE = 1000
"""Pixels of a picture's width that are enough for a mail, which displays 536: twice as many are
sharp on any screen. WordPress makes pictures of 1,024 pixels; the original upload can have ten
times as many."""
_WORDPRESS_ID = re.compile(r"(https?://[^?#\s]+?)/?\?(?:p|page_id)=(\d+)")


@dataclass(frozen=True, slots=True)
class EnrichedEntry:
    """A feed's entry with additions from its web page.

    `waits` means that it is not public yet; `left_out` is the kind of video that is left out, or
    "".
    """

    entry: ParsedEntry
    waits: bool = False
    left_out: str = ""


def find_wordpress_site(feed: ParsedFeed) -> str:
    """Return the URL of the WordPress site that made `feed`, or ""."""
    return feed.link.rstrip("/") if "wordpress.org" in feed.generator.lower() else ""


def needs_its_page(
    entry: ParsedEntry, feed_url: str, *, page_pictures: bool, wordpress: str = ""
) -> bool:
    """Tell whether the web page of an entry may contain something that its feed lacks."""
    if is_youtube(entry.link):
        return is_youtube(feed_url)
    known = _WORDPRESS_ID.fullmatch(entry.id) is not None or bool(
        wordpress and _find_slug(entry.link, wordpress)
    )
    return not entry.image and (page_pictures or known)


def enrich_entry(
    entry: ParsedEntry,
    fetch: Fetch,
    *,
    leaves_out: Collection[str],
    page_pictures: bool,
    wordpress: str = "",
) -> EnrichedEntry:
    """Return `entry` with additions from its web page."""
    if is_youtube(entry.link):
        video = read_video_page(
            _fetch_page(fetch, f"https://www.youtube.com/watch?v={entry.video_id}")
        )
        return EnrichedEntry(
            entry, waits=video.upcoming, left_out=find_left_out_kind(entry.link, video, leaves_out)
        )
    if match := _WORDPRESS_ID.fullmatch(entry.id):
        picture, alt = _find_featured_image(fetch, match[1], f"/{match[2]}?")
    elif wordpress and (
        slug := _find_slug(entry.link, wordpress)
    ):  # published in one step: its id is its address
        picture, alt = _find_featured_image(
            fetch, wordpress, f"?slug={quote(slug, safe='%')}&", link_key=entry.link_key
        )
    else:
        picture = alt = ""
    if picture:
        return EnrichedEntry(replace(entry, image=picture, image_alt=alt))
    if page_pictures and entry.link:
        picture, alt = _find_page_image(_fetch_page(fetch, entry.link), entry.link)
        return EnrichedEntry(replace(entry, image=picture, image_alt=alt))
    return EnrichedEntry(entry)


def remove_upcoming(feed: ParsedFeed, feed_url: str, fetch: Fetch, *, now: datetime) -> ParsedFeed:
    """Return a channel's feed without recent videos that are not public yet.

    Used for a first reading, so that these videos are new once they are public.
    """
    if not is_youtube(feed_url):
        return feed
    lately = [
        entry
        for entry in feed.entries
        if is_youtube(entry.link) and entry.published is not None and entry.published > now - LATELY
    ][:AT_FIRST]
    waits = {
        entry.identity
        for entry in lately
        if enrich_entry(entry, fetch, leaves_out=(), page_pictures=False).waits
    }
    return replace(
        feed, entries=tuple(entry for entry in feed.entries if entry.identity not in waits)
    )


def _fetch_page(fetch: Fetch, url: str) -> str:
    try:
        return fetch(url).body[:2_000_000].decode("utf-8", "replace")
    except FeedError:
        return ""


def _find_slug(link: str, site: str) -> str:
    """Return the slug of a post in its URL below `site`, or ""."""
    below = link.split("?")[0].rstrip("/")
    return below.rpartition("/")[2] if below.startswith(site + "/") and "?" not in link else ""


def _find_featured_image(
    fetch: Fetch, site: str, which: str, *, link_key: str = ""
) -> tuple[str, str]:
    """Return the featured image of a WordPress post and its alt text, or empty texts.

    They come from the site's REST interface, if it answers.

    `which` is the post in the interface's address; of several posts (a slug), the one at
    `link_key`.
    """
    answer = _fetch_page(fetch, f"{site}/wp-json/wp/v2/posts{which}_embed=wp:featuredmedia")
    try:
        posts = json.loads(answer)
        posts = posts if isinstance(posts, list) else [posts]
        post = next(
            post for post in posts if not link_key or canonicalize_link(post["link"]) == link_key
        )
        media = post["_embedded"]["wp:featuredmedia"][0]
        return _complete_address(_choose_size(media), site), to_plain_line(media.get("alt_text"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, StopIteration):
        return "", ""


def _choose_size(media: Any) -> object:
    """Return the address of the smallest size of a picture that is sharp in a mail.

    If no size is, return the address of the picture itself.
    """
    sizes = (media.get("media_details") or {}).get("sizes") or {}
    wide = [
        (size["width"], size["source_url"])
        for size in sizes.values()
        if isinstance(size.get("width"), int) and size["width"] >= WIDE and size.get("source_url")
    ]
    return min(wide)[1] if wide else media["source_url"]


def _find_page_image(page: str, url: str) -> tuple[str, str]:
    """Return the preview image that a page names (og:image), and its alt text."""
    properties: dict[str, str] = {}
    for meta in find_tags(page, "meta"):
        properties.setdefault(
            (meta.get("property") or meta.get("name") or "").lower(), meta.get("content", "")
        )
    address = (
        properties.get("og:image")
        or properties.get("og:image:url")
        or properties.get("twitter:image")
        or ""
    )
    return _complete_address(address, url), to_plain_line(properties.get("og:image:alt"))


def _complete_address(value: object, base: str) -> str:
    link = value if isinstance(value, str) and value.strip() else ""
    return (
        (make_absolute(link, base_url=base) or "")[:2000] if link and urlsplit(base).scheme else ""
    )
