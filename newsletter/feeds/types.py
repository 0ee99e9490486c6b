"""Types of a parsed feed and its entries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

BODY_AT_MOST = 10_000_000
"""Bytes of a feed; a larger one is refused."""


@dataclass(frozen=True, slots=True)
class ParsedEntry:
    """A parsed entry of a feed.

    `identity` and `link_key` identify it; `link` is an absolute http(s) URL or ""; `title` is plain
    text; `summary_html` and `content_html` are as the publisher wrote them, not cleaned yet;
    `published` is in UTC; `audio` is the URL of an enclosed audio file of `audio_seconds` (0:
    unknown).
    """

    identity: str
    link_key: str
    id: str
    title: str
    link: str
    author: str
    published: datetime | None
    summary_html: str
    content_html: str
    image: str
    image_alt: str
    categories: tuple[str, ...]
    video_id: str
    audio: str = ""
    audio_seconds: int = 0


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """A parsed feed, with its entries in the feed's order.

    `link` is the website that the feed belongs to, or ""; `generator` is the program that made it,
    as it states; `hub` and `self_link` are the WebSub hub and the feed's own URL, as it states
    them, or ""; `next_page` is the URL of its next page (RFC 5005 section 3), or "".
    """

    title: str
    link: str
    entries: tuple[ParsedEntry, ...]
    notes: tuple[str, ...] = ()
    generator: str = ""
    next_page: str = ""
    hub: str = ""
    self_link: str = ""
