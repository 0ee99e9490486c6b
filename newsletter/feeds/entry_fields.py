"""Extract the fields of an entry that feedparser has read: title, link, date, image. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from html import escape, unescape
from typing import Any

from newsletter.feeds.dates import read_date
from newsletter.html.links import make_absolute
from newsletter.html.sanitize import find_first_picture
from newsletter.html.text import to_plain_line
from newsletter.html.to_text import html_to_text
from newsletter.html.video_embeds import get_picture_url

HTML_AT_MOST = 400_000
"""Characters of an entry's HTML that are read; longer HTML is cut, to bound memory."""
DURATION_AT_MOST = 24 * 3600
"""Seconds: the longest credible recording is one of a whole day."""
_ADDRESS = re.compile(r"(?<![^\s<>()])[^\s<>()]+@[^\s<>()]+")
_TAG = re.compile(r"<[^<>]*>")
_MARKUP = re.compile(r"<(?:a|br|li|p)\b", re.I)
"""Pattern of markup by which the notes of a podcast's episode differ from the same text in plain
form (`itunes:summary`)."""
_ESCAPED = re.compile(
    r"\s*&lt;(?:p|div|h[1-6]|ul|ol|figure|blockquote|img|a|span|section|strong|em|b|i)\b", re.I
)
_ESCAPED_END = re.compile(r"(?:&lt;/[a-z][a-z0-9]{0,15}|/)\s?&gt;", re.I)
_NOWHERE = re.compile(r"https?://nowhere\.invalid(/here/)?")


def as_text(value: object) -> str:
    """Return `value` if it is a string, else ""."""
    return value if isinstance(value, str) else ""


def find_title(item: Any, name: str) -> str:
    """Return a title as plain text; HTML is rendered if feedparser recognised it as such."""
    raw = as_text(item.get(name))[:5000]
    detail = item.get(f"{name}_detail") or {}
    is_html = str(detail.get("type", "")) in ("text/html", "application/xhtml+xml")
    return to_plain_line(
        html_to_text(raw, links=False) if is_html and ("<" in raw or "&" in raw) else raw, limit=500
    )


def find_content(item: Any) -> str:
    """Return the HTML of an entry's content, preferring HTML to other formats.

    The summary is returned instead if it has the same text with links and paragraphs.
    """
    parts = [part for part in item.get("content") or [] if isinstance(part, dict)]
    html = next(
        (part for part in parts if "html" in str(part.get("type"))), parts[0] if parts else {}
    )
    value = as_text(html.get("value"))
    if str(html.get("type")) != "text/plain":
        return undo_escaping(value[:HTML_AT_MOST])
    summary = as_text(item.get("summary"))[:HTML_AT_MOST]
    is_richer = _MARKUP.search(summary) and len(_TAG.sub("", summary)) >= len(value) / 2
    return summary if is_richer else escape_text(value)[:HTML_AT_MOST]


def undo_escaping(html: str) -> str:
    """Return HTML unescaped once, if its feed has escaped it twice."""
    is_escaped = "<" not in html and _ESCAPED.match(html) and _ESCAPED_END.search(html)
    return unescape(html) if is_escaped else html


def escape_text(text: str) -> str:
    """Return plain text as HTML paragraphs."""
    blocks = re.split(r"\n\s*\n", text[:20_000].strip())
    return "".join(
        f"<p>{escape(block).replace(chr(10), '<br>')}</p>" for block in blocks if block.strip()
    )


def find_author(item: Any) -> str:
    """Return the author's name, without an address."""
    detail = item.get("author_detail") or {}
    name = (as_text(detail.get("name")) or as_text(item.get("author")))[:2000]
    return to_plain_line(_ADDRESS.sub("", name).strip(" ()<>,"), limit=200)


def find_link(item: Any, base: str) -> str:
    """Return the URL of an entry's web page, or "".

    It is the original address that a click-counting service names, else the entry's link, else its
    id if that is an address and said to be one (a guid without isPermaLink="false", the id of an
    Atom entry without links, the subject of an item of RDF).
    """
    original = (as_text(value) for name, value in item.items() if name.split("_")[-1] == "origlink")
    page = next(filter(None, (make_absolute(link.strip(), base_url="") for link in original)), "")
    page = page or find_own_page(item.get("links") or [], base)
    if not page and item.get("guidislink", True):  # of RDF, feedparser does not say
        page = make_absolute(find_raw_id(item), base_url="") or ""
    return page[:2000]


def find_own_page(links: Sequence[Any], base: str) -> str:
    """Return the first link to a page, preferably a web page; not an enclosure, reply or feed."""
    pages = [
        link
        for link in links
        if isinstance(link, dict) and as_text(link.get("rel", "alternate")).endswith("alternate")
    ]
    pages.sort(key=lambda link: "html" not in str(link.get("type", "text/html")))
    addresses = (rebase_link(as_text(link.get("href")), base) for link in pages)
    return next((link for link in addresses if link), "")


def rebase_link(link: str, base: str) -> str:
    """Return `link` as an absolute http(s) URL, or "" if it is empty or not one."""
    link = _NOWHERE.sub("", link, count=1) if _NOWHERE.match(link) else link
    if link.strip().lower().startswith("www."):  # no folder is called so
        link = f"//{link.strip()}"
    return (make_absolute(link, base_url=base) or "")[:2000] if link.strip() else ""


def find_raw_id(item: Any) -> str:
    """Return an entry's id as its feed has it, undoing feedparser's resolution as a URL."""
    raw = as_text(item.get("id"))
    return to_plain_line(_NOWHERE.sub("", raw, count=1) if _NOWHERE.match(raw) else raw, limit=2000)


def find_date(item: Any) -> datetime | None:
    """Return when an entry was published, else when created or changed, or None."""
    # feedparser's own get() takes one date for another
    values = (dict.get(item, name) for name in ("published", "updated", "created"))
    return next((date for date in map(read_date, values) if date), None)


def find_image(item: Any, html: str, base: str, video: str) -> tuple[str, str]:
    """Return an entry's picture and its alt text: the declared one, else the content's first."""
    if video:
        return get_picture_url(video), ""
    named = [media.get("url") for media in item.get("media_content") or [] if _is_picture(media)]
    named += [media.get("url") for media in item.get("media_thumbnail") or []]
    named += [link.get("href") for link in item.get("enclosures") or [] if _is_picture(link)]
    for candidate in named:
        address = make_absolute(as_text(candidate), base_url=base) if candidate else None
        if address:
            return address[:2000], ""
    return find_first_picture(html, base_url=base)


def find_audio(item: Any, base: str) -> tuple[str, int]:
    """Return the URL of an entry's audio file and its length in seconds, or ("", 0)."""
    offered = [*(item.get("enclosures") or []), *(item.get("media_content") or [])]
    for media in offered:
        address = as_text(media.get("href")) or as_text(media.get("url"))
        is_sound = bool(address) and _is_sound(media, address)
        link = make_absolute(address, base_url=base) if is_sound else ""
        if link and len(link) <= 2000:
            return link, read_duration(item.get("itunes_duration") or media.get("duration"))
    return "", 0


def read_duration(value: object) -> int:
    """Return the seconds of a duration like ``45:12``, ``1:02:03`` or ``2712``, 0 if invalid."""
    parts = str(value or "").strip()[:12].split(":")
    if not 1 <= len(parts) <= 3 or not all(re.fullmatch(r"[0-9]{1,6}", part) for part in parts):
        return 0
    seconds = 0
    for part in parts:
        seconds = seconds * 60 + int(part)
    return seconds if seconds <= DURATION_AT_MOST else 0


def _is_sound(media: Any, address: str) -> bool:
    kind = f"{media.get('type') or ''} {media.get('medium') or ''}"
    has_name = address.lower().split("?")[0].endswith((".mp3", ".m4a", ".ogg", ".opus"))
    return "audio" in kind or (has_name and not kind.strip())


def _is_picture(media: Any) -> bool:
    kind = f"{media.get('type') or ''} {media.get('medium') or ''}"
    return "image" in kind or str(media.get("url") or "").lower().split("?")[0].endswith(
        (".jpg", ".jpeg", ".png", ".gif")
    )


def find_categories(item: Any) -> tuple[str, ...]:
    """Return the categories of an entry as plain text, at most 50."""
    terms = (
        to_plain_line(tag.get("label") or tag.get("term"), limit=100)
        for tag in item.get("tags") or []
    )
    return tuple(dict.fromkeys(term for term in terms if term))[:50]
