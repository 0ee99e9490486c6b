"""Parse JSON Feed 1.0 and 1.1 (jsonfeed.org).

Pure.
"""

from __future__ import annotations

import json
from html import escape
from typing import Any
from urllib.parse import urlsplit

from newsletter.errors import NotAFeed
from newsletter.feeds.dates import read_date
from newsletter.feeds.entry_fields import find_audio
from newsletter.feeds.identity import canonicalize_link, make_identity
from newsletter.feeds.repair import ENTRIES_AT_MOST
from newsletter.feeds.types import ParsedEntry, ParsedFeed
from newsletter.html.links import make_absolute
from newsletter.html.sanitize import find_first_picture
from newsletter.html.text import to_plain_line
from newsletter.html.video_embeds import find_video_id, get_picture_url
from newsletter.i18n import Text

HTML_AT_MOST = 400_000


def is_json_feed(body: bytes) -> bool:
    """Tell whether `body` begins like a JSON object."""
    return body[:200].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(b"{")


def parse_json_feed(body: bytes, *, url: str) -> ParsedFeed:
    """Parse the JSON feed in `body`.

    Raises `NotAFeed`.
    """
    try:
        feed = json.loads(body.decode(json.detect_encoding(body), "replace"))
    except (ValueError, RecursionError):
        raise NotAFeed(url, Text("broken JSON")) from None
    items = feed.get("items") if isinstance(feed, dict) else None
    if not isinstance(items, list) or not (
        "jsonfeed" in str(feed.get("version")) or feed.get("home_page_url")
    ):
        raise NotAFeed(url, Text("JSON, but no JSON Feed"))
    site = make_absolute(_clean_text(feed.get("home_page_url")), base_url=url) or url
    entries = (
        _parse_entry(item, site) for item in items[:ENTRIES_AT_MOST] if isinstance(item, dict)
    )
    return ParsedFeed(
        title=to_plain_line(_clean_text(feed.get("title"))),
        link=site if feed.get("home_page_url") else "",
        entries=tuple(entry for entry in entries if entry is not None),
        next_page=_find_next_page(_clean_text(feed.get("next_url")), url),
    )


def _find_next_page(link: str, url: str) -> str:
    page = (make_absolute(link, base_url=url) or "") if link.strip() else ""
    return page if page != url and urlsplit(page).hostname == urlsplit(url).hostname else ""


def _parse_entry(item: dict[str, Any], base: str) -> ParsedEntry | None:
    address = _clean_text(item.get("url")) or _clean_text(item.get("external_url"))
    link = (
        make_absolute(address, base_url=base)
        if address.strip()
        else make_absolute(_clean_text(item.get("id")), base_url="")
    ) or ""
    title = to_plain_line(_clean_text(item.get("title")))
    content = _clean_text(item.get("content_html"))[:HTML_AT_MOST] or _wrap_paragraphs(
        _clean_text(item.get("content_text"))
    )
    summary = _wrap_paragraphs(_clean_text(item.get("summary")))
    if not (link or title or content or summary):
        return None
    raw_id = to_plain_line(item.get("id"), limit=2000)
    published = read_date(item.get("date_published")) or read_date(item.get("date_modified"))
    video = find_video_id(link)
    image = make_absolute(
        _clean_text(item.get("image")) or _clean_text(item.get("banner_image")), base_url=base
    )
    picture, alt = (
        (get_picture_url(video), "")
        if video
        else find_first_picture(content, base_url=link or base)
    )
    audio, seconds = find_audio({"enclosures": _list_attachments(item)}, link or base)
    has_own = bool(_clean_text(item.get("image")) or _clean_text(item.get("banner_image")))
    return ParsedEntry(
        identity=make_identity(raw_id, link, title or content or summary, published),
        link_key=canonicalize_link(link),
        id=raw_id,
        title=title,
        link=link,
        author=_find_author(item),
        published=published,
        summary_html=summary,
        content_html=content,
        image=(image or "") if has_own and image else picture,
        image_alt="" if has_own else alt,
        categories=tuple(
            to_plain_line(tag, limit=100)
            for tag in _clean_list(item.get("tags"))
            if isinstance(tag, str)
        )[:50],
        video_id=video,
        audio=audio,
        audio_seconds=seconds,
    )


def _list_attachments(item: dict[str, Any]) -> list[dict[str, object]]:
    """Return the attachments of an item, named as feedparser names enclosures."""
    return [
        {
            "href": media.get("url"),
            "type": media.get("mime_type"),
            "duration": media.get("duration_in_seconds"),
        }
        for media in _clean_list(item.get("attachments"))
        if isinstance(media, dict)
    ]


def _clean_text(value: object) -> str:
    return (
        value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
        if isinstance(value, str)
        else ""
    )


def _clean_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _wrap_paragraphs(text: str) -> str:
    blocks = [block for block in text[:HTML_AT_MOST].split("\n\n") if block.strip()]
    return "".join(f"<p>{escape(block.strip())}</p>" for block in blocks)


def _find_author(item: dict[str, Any]) -> str:
    first = next(iter(_clean_list(item.get("authors"))), item.get("author"))
    return to_plain_line(first.get("name"), limit=200) if isinstance(first, dict) else ""
