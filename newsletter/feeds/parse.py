"""From the bytes of a feed to its entries. Pure: bytes in, entries out, whatever the bytes are.

RSS, RDF and Atom are read by feedparser, JSON Feed by jsonfeed.py. HTML in entries is bounded here and cleaned where it
is composed (content.py).
"""

from __future__ import annotations

import calendar
import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from typing import Any

import feedparser

from newsletter.content import absolute_link, first_picture, html_to_text, plain, video_id, video_picture
from newsletter.errors import NotAFeed
from newsletter.feeds import jsonfeed
from newsletter.feeds.entry import ParsedEntry, ParsedFeed
from newsletter.feeds.identity import canonical_link, identity

BODY_AT_MOST = 5_000_000
ENTRIES_AT_MOST = 1000
HTML_AT_MOST = 400_000
DEPTH_AT_MOST = 400

_TAIL = re.compile(r"\s*(<p>)?\s*The post\b.{0,500}?\bappeared first on\b.{0,500}\Z", re.S | re.I)
_DOTS = re.compile(r"\s*(\[(…|&hellip;|&#8230;|\.\.\.)\]|\[?&#8230;\]?)\s*(</p>)?\s*\Z")
_XML_TAG = re.compile(rb"<(/?)([A-Za-z_][\w:.-]*)[^<>]*?(/?)>")


def parse(body: bytes, *, url: str, content_type: str = "") -> ParsedFeed:
    """The feed in `body`, found at `url`. Raises `NotAFeed` with the reason."""
    if not body.strip(b"\0 \t\r\n"):
        raise NotAFeed(url, "an empty answer")
    if len(body) > BODY_AT_MOST:
        raise NotAFeed(url, "larger than 5 MB")
    if jsonfeed.looks_like(body):
        return _distinct(jsonfeed.parse(body, url=url))
    return _distinct(_xml(_trimmed(body), url, content_type))


def _trimmed(body: bytes) -> bytes:
    """Without white space or stray bytes before the XML declaration, which parsers refuse."""
    start = body[:1000].find(b"<?xml")
    return body[start:] if start > 0 and not body.startswith((b"\xff\xfe", b"\xfe\xff")) else body.lstrip(b" \t\r\n")


def _xml(body: bytes, url: str, content_type: str) -> ParsedFeed:
    if _depth(body) > DEPTH_AT_MOST:
        raise NotAFeed(url, "its elements are nested too deeply to be a feed")
    headers = {"content-type": content_type or "application/xml", "content-location": url}
    try:
        found: Any = feedparser.parse(
            io.BytesIO(body), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
        )
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError, AssertionError, OSError) as error:
        raise NotAFeed(url, f"cannot be read ({type(error).__name__})") from None
    raw = found.get("entries", [])[:ENTRIES_AT_MOST]
    if not found.get("version") and not raw:
        raise NotAFeed(url, _what_it_is(body), hint="give the address of the feed, or of a page that links to one")
    base = _text(found.feed.get("link")) or url
    base = absolute_link(base, base_url=url) or url
    entries = (_entry(item, base) for item in raw)
    return ParsedFeed(
        title=_title(found.feed, "title"),
        link=base if base != url else "",
        entries=tuple(entry for entry in entries if entry is not None),
        notes=_notes(found),
    )


def _depth(body: bytes) -> int:
    depth = deepest = 0
    for closing, name, empty in _XML_TAG.findall(re.sub(rb"<!\[CDATA\[.*?\]\]>", b"", body, flags=re.S)):
        if empty or name in (b"br", b"img", b"hr", b"link", b"meta", b"p", b"li", b"input"):
            continue
        depth = max(0, depth - 1) if closing else depth + 1
        deepest = max(deepest, depth)
    return deepest


def _what_it_is(body: bytes) -> str:
    start = body[:2000].lower()
    if b"<html" in start or b"<!doctype html" in start:
        return "a web page, not a feed"
    if b"<" not in start:
        return "not a feed"
    return "no feed that can be understood"


def _notes(found: Any) -> tuple[str, ...]:
    problem = found.get("bozo_exception")
    if not found.get("bozo") or problem is None:
        return ()
    return (plain(f"read although it is not quite right: {problem}", limit=200),)


def _entry(item: Any, base: str) -> ParsedEntry | None:
    link = _link(item, base)
    title = _title(item, "title")
    content, summary = _content(item), _text(item.get("summary"))[:HTML_AT_MOST]
    if not (link or title or content.strip() or summary.strip()):
        return None
    video = _text(item.get("yt_videoid")) or video_id(link)
    if _text(item.get("yt_videoid")):
        summary, content = _escaped(summary), ""
    elif content == summary:
        summary = ""
    raw_id = plain(item.get("id"), limit=2000)
    published = _date(item)
    image, alt = _image(item, content or summary, link or base, video)
    return ParsedEntry(
        identity=identity(raw_id, link, title, published),
        link_key=canonical_link(link),
        id=raw_id,
        title=title,
        link=link,
        author=plain(item.get("author"), limit=200),
        published=published,
        summary_html=_tidied(summary),
        content_html=_tidied(content),
        image=image,
        image_alt=alt,
        categories=_categories(item),
        video_id=video[:40],
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _title(item: Any, name: str) -> str:
    """A title as text: HTML where feedparser found it to be HTML, else what stands there, tags and all."""
    raw, detail = _text(item.get(name))[:5000], item.get(f"{name}_detail") or {}
    is_html = str(detail.get("type", "")) in ("text/html", "application/xhtml+xml")
    return plain(html_to_text(raw, links=False) if is_html and ("<" in raw or "&" in raw) else raw, limit=500)


def _content(item: Any) -> str:
    parts = [part for part in item.get("content") or [] if isinstance(part, dict)]
    html = next((part for part in parts if "html" in str(part.get("type"))), parts[0] if parts else {})
    value = _text(html.get("value"))
    return (_escaped(value) if str(html.get("type")) == "text/plain" else value)[:HTML_AT_MOST]


def _escaped(text: str) -> str:
    """Plain text as HTML paragraphs."""
    blocks = re.split(r"\n\s*\n", text[:20_000].strip())
    return "".join(f"<p>{escape(block).replace(chr(10), '<br>')}</p>" for block in blocks if block.strip())


def _tidied(html: str) -> str:
    """Without the lines that WordPress puts below an excerpt."""
    html = html.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return _DOTS.sub(" …", _TAIL.sub("", html)).strip()


def _link(item: Any, base: str) -> str:
    """The entry's own page. An empty address would mean the feed itself, which is no entry's page."""
    links = [link for link in item.get("links") or [] if isinstance(link, dict)]
    own = [link for link in links if link.get("rel", "alternate") == "alternate"]
    candidates = [_text(link.get("href")) for link in own] + [_text(item.get("link"))]
    for candidate in candidates:
        raw_base = _text(item.get("base")) or base
        found = absolute_link(candidate, base_url=raw_base) if candidate.strip() else None
        if found and found.rstrip("/") != base.rstrip("/") + "#":
            return found[:2000]
    permalink = _text(item.get("id"))
    return (absolute_link(permalink, base_url="") or "")[:2000] if item.get("guidislink") else ""


def _date(item: Any) -> datetime | None:
    for name in ("published_parsed", "updated_parsed", "created_parsed"):
        parsed = dict.get(item, name)  # feedparser's own get() takes one date for another
        try:
            if parsed and 1971 <= parsed[0] <= 9000:
                return datetime.fromtimestamp(calendar.timegm(parsed), UTC)
        except (ValueError, OverflowError, OSError, TypeError):
            continue
    return None


def _image(item: Any, html: str, base: str, video: str) -> tuple[str, str]:
    """The picture that stands for an entry: what the feed names as one, else the first in its content."""
    if video:
        return video_picture(video), ""
    named = [media.get("url") for media in item.get("media_content") or [] if _is_picture(media)]
    named += [media.get("url") for media in item.get("media_thumbnail") or []]
    named += [link.get("href") for link in item.get("enclosures") or [] if _is_picture(link)]
    for candidate in named:
        found = absolute_link(_text(candidate), base_url=base) if candidate else None
        if found:
            return found[:2000], ""
    return first_picture(html, base_url=base)


def _is_picture(media: Any) -> bool:
    kind = f"{media.get('type') or ''} {media.get('medium') or ''}"
    return "image" in kind or str(media.get("url") or "").lower().split("?")[0].endswith(
        (".jpg", ".jpeg", ".png", ".gif")
    )


def _categories(item: Any) -> tuple[str, ...]:
    terms = (plain(tag.get("label") or tag.get("term"), limit=100) for tag in item.get("tags") or [])
    return tuple(dict.fromkeys(term for term in terms if term))[:50]


def _distinct(feed: ParsedFeed) -> ParsedFeed:
    """Each identity once: the first of twins stays; what merely shares an id with another is told apart by its link."""
    seen: dict[str, ParsedEntry] = {}
    kept: list[ParsedEntry] = []
    for entry in feed.entries:
        twin = seen.get(entry.identity)
        if twin is not None:
            if entry.link_key == twin.link_key or entry.title == twin.title:
                continue
            entry = replace(entry, identity=identity("", entry.link, entry.title, entry.published) + "#2")
            if entry.identity in seen:
                continue
        seen[entry.identity] = entry
        kept.append(entry)
    return replace(feed, entries=tuple(kept))
