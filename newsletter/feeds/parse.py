"""Parse the bytes of a feed into entries, whatever the bytes are. Pure.

RSS, RDF and Atom are read by feedparser, JSON Feed by jsonfeed.py. HTML in entries is bounded here
and cleaned where it is composed (html/sanitize.py).
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from html import escape
from typing import Any
from urllib.parse import urlsplit

import feedparser

from newsletter.errors import NotAFeed
from newsletter.feeds import jsonfeed
from newsletter.feeds.additions import remove_additions
from newsletter.feeds.dates import read_date
from newsletter.feeds.encoding import decode_feed
from newsletter.feeds.identity import canonicalize_link, make_identity
from newsletter.feeds.repair import (
    ENTRIES_AT_MOST,
    has_root,
    is_too_deep,
    repair,
    separate_declaration,
    trim,
)
from newsletter.feeds.types import ParsedEntry, ParsedFeed
from newsletter.html.links import make_absolute
from newsletter.html.sanitize import find_first_picture
from newsletter.html.text import to_plain_line
from newsletter.html.to_text import html_to_text
from newsletter.html.video_embeds import find_video_id, get_picture_url

BODY_AT_MOST = 10_000_000
HTML_AT_MOST = 400_000
HINT = "give the address of the feed, or of a page that links to one"

_NOWHERE = re.compile(r"https?://nowhere\.invalid(/here/)?")

_MORE = re.compile(r"""<span id="more-\d+">\s*</span>|<!--more\b.{0,200}?-->""", re.S)
_ADDRESS = re.compile(r"(?<![^\s<>()])[^\s<>()]+@[^\s<>()]+")


def parse_feed(body: bytes, *, url: str, content_type: str = "") -> ParsedFeed:
    """Parse the feed in `body`, found at `url`.

    Raises `NotAFeed` with the reason.
    """
    if not body.strip(b"\0 \t\r\n"):
        raise NotAFeed(url, "an empty answer")
    if len(body) > BODY_AT_MOST:
        raise NotAFeed(url, "larger than 10 MB")
    if jsonfeed.is_json_feed(body):
        return _separate_identities(jsonfeed.parse_json_feed(body, url=url))
    return _separate_identities(_parse_xml(*decode_feed(trim(body), content_type), url=url))


def _parse_xml(body: bytes, content_type: str, *, url: str) -> ParsedFeed:
    body = separate_declaration(body)
    if not has_root(body):
        raise NotAFeed(url, _describe_content(body), hint=HINT)
    if is_too_deep(body):
        raise NotAFeed(url, "its elements are nested too deeply to be a feed")
    headers = {
        "content-type": content_type or "application/xml",
        "content-location": _placeholder_location(url),
    }
    try:
        parsed: Any = feedparser.parse(
            io.BytesIO(repair(body)),
            response_headers=headers,
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except (
        RecursionError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        AssertionError,
        OSError,
    ):
        raise NotAFeed(url, "it is broken in a way that cannot be read") from None
    raw = parsed.get("entries", [])[:ENTRIES_AT_MOST]
    if not parsed.get("version") and not raw:
        raise NotAFeed(url, _describe_content(body), hint=HINT)
    base = _find_base(parsed.feed, url)
    site = _find_site(parsed.feed, url)
    entries = (_parse_entry(item, base, canonicalize_link(site)) for item in raw)
    return ParsedFeed(
        title=_title(parsed.feed, "title"),
        link=site,
        entries=tuple(entry for entry in entries if entry is not None),
        notes=_describe_problem(parsed),
        generator=to_plain_line(_text(parsed.feed.get("generator")), limit=200),
        next_page=_find_next_page(parsed.feed, url),
    )


def _find_next_page(feed: Any, url: str) -> str:
    """Return the address of a feed's next page (RFC 5005 section 3) on its own host, or ""."""
    links = (
        link
        for link in feed.get("links") or []
        if isinstance(link, dict) and link.get("rel") == "next"
    )
    pages = (_rebase(_text(link.get("href")), url) for link in links)
    return next(
        (page for page in pages if page and page != url and _host_of(page) == _host_of(url)), ""
    )


def _find_site(feed: Any, url: str) -> str:
    """Return the address of the site a feed belongs to, or ""."""
    return _own_page(feed.get("links") or [], url) or _rebase(_text(feed.get("link")), url)


def _find_base(feed: Any, url: str) -> str:
    """Return the base of relative links without an xml:base: the feed's own address.

    If that is not on its site (a file, a proxy), return the address it gives for itself, else its
    site.
    """
    site = _find_site(feed, url)
    itself = [
        _text(link.get("href")) for link in feed.get("links") or [] if link.get("rel") == "self"
    ]
    places = [url, *(_rebase(place, url) for place in itself)]
    return next((place for place in places if not site or _host_of(place) == _host_of(site)), site)


def _host_of(url: str) -> str:
    return (urlsplit(url).hostname or "").removeprefix("www.")


def _placeholder_location(url: str) -> str:
    """Return a made-up address that feedparser is told the feed came from.

    Addresses that begin with it are known to be relative, and empty ones are told from those that
    name the feed.
    """
    return f"{'http' if url.startswith('http:') else 'https'}://nowhere.invalid/here/"


def _rebase(link: str, base: str) -> str:
    """Return `link` as an absolute http(s) address, or "" if it is not one, or empty."""
    link = _NOWHERE.sub("", link, count=1) if _NOWHERE.match(link) else link
    if link.strip().lower().startswith("www."):  # no folder is called so
        link = f"//{link.strip()}"
    return (make_absolute(link, base_url=base) or "")[:2000] if link.strip() else ""


def _describe_content(body: bytes) -> str:
    start = body[:2000].lower()
    if b"<html" in start or b"<!doctype html" in start:
        return "a web page, not a feed"
    if b"<" not in start:
        return "not a feed"
    return "no feed that can be understood"


def _describe_problem(parsed: Any) -> tuple[str, ...]:
    problem = parsed.get("bozo_exception")
    if not parsed.get("bozo") or problem is None:
        return ()
    if hasattr(problem, "getLineNumber"):
        return ("read although it is not well-formed XML",)
    if isinstance(problem, feedparser.CharacterEncodingOverride):
        return ("read although its letters are in another character set than it says",)
    if isinstance(problem, feedparser.NonXMLContentType):
        return ("read although its server does not call it XML",)
    return ("read although it is not quite right",)


def _parse_entry(item: Any, base: str, site_key: str) -> ParsedEntry | None:
    link = _link(item, base)
    title = _title(item, "title") or to_plain_line(item.get("itunes_title"), limit=500)
    content = _content(item)
    summary = _text(item.get("summary"))[:HTML_AT_MOST]
    if not (
        link or title or _text(item.get("title")).strip() or content.strip() or summary.strip()
    ):
        return None
    video = _text(item.get("yt_videoid")) or find_video_id(link)
    if _text(item.get("yt_videoid")):
        summary = _escaped(summary)
        content = ""
    elif content == summary:
        summary = ""
    raw_id = _raw_id(item)
    published = _date(item)
    link_key = canonicalize_link(link)
    content = remove_additions(content, link_key, site_key)
    summary = remove_additions(summary, link_key, site_key)
    if more := _MORE.search(content):  # the author has marked the end of the excerpt
        summary = content[: more.start()]
    image, alt = _image(item, content or summary, link or base, video)
    return ParsedEntry(
        identity=make_identity(raw_id, link, title or content or summary, published),
        link_key=link_key,
        id=raw_id,
        title=title,
        link=link,
        author=_author(item),
        published=published,
        summary_html=summary,
        content_html=content,
        image=image,
        image_alt=alt,
        categories=_categories(item),
        video_id=video[:40],
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _title(item: Any, name: str) -> str:
    """Return a title as text: rendered if feedparser found it to be HTML, else as it is."""
    raw = _text(item.get(name))[:5000]
    detail = item.get(f"{name}_detail") or {}
    is_html = str(detail.get("type", "")) in ("text/html", "application/xhtml+xml")
    return to_plain_line(
        html_to_text(raw, links=False) if is_html and ("<" in raw or "&" in raw) else raw, limit=500
    )


def _content(item: Any) -> str:
    parts = [part for part in item.get("content") or [] if isinstance(part, dict)]
    html = next(
        (part for part in parts if "html" in str(part.get("type"))), parts[0] if parts else {}
    )
    value = _text(html.get("value"))
    return (_escaped(value) if str(html.get("type")) == "text/plain" else value)[:HTML_AT_MOST]


def _escaped(text: str) -> str:
    """Return plain text as HTML paragraphs."""
    blocks = re.split(r"\n\s*\n", text[:20_000].strip())
    return "".join(
        f"<p>{escape(block).replace(chr(10), '<br>')}</p>" for block in blocks if block.strip()
    )


def _author(item: Any) -> str:
    """Return the author's name, without an address."""
    detail = item.get("author_detail") or {}
    name = (_text(detail.get("name")) or _text(item.get("author")))[:2000]
    return to_plain_line(_ADDRESS.sub("", name).strip(" ()<>,"), limit=200)


def _link(item: Any, base: str) -> str:
    """Return the address of an entry's page page, or "".

    It is the original address that a click-counting service names, else the entry's link, else its
    id if that is an address and said to be one (a guid without isPermaLink="false", the id of an
    Atom entry without links, the subject of an item of RDF).
    """
    original = (_text(value) for name, value in item.items() if name.split("_")[-1] == "origlink")
    page = next(filter(None, (make_absolute(link.strip(), base_url="") for link in original)), "")
    page = page or _own_page(item.get("links") or [], base)
    if not page and item.get("guidislink", True):  # of RDF, feedparser does not say
        page = make_absolute(_raw_id(item), base_url="") or ""
    return page[:2000]


def _own_page(links: Sequence[Any], base: str) -> str:
    """Return the first link to a page, preferably a web page; not an enclosure, reply or feed."""
    pages = [
        link
        for link in links
        if isinstance(link, dict) and _text(link.get("rel", "alternate")).endswith("alternate")
    ]
    pages.sort(key=lambda link: "html" not in str(link.get("type", "text/html")))
    addresses = (_rebase(_text(link.get("href")), base) for link in pages)
    return next((link for link in addresses if link), "")


def _raw_id(item: Any) -> str:
    """Return the id as the feed has it; feedparser takes it for an address and completes it."""
    raw = _text(item.get("id"))
    return to_plain_line(_NOWHERE.sub("", raw, count=1) if _NOWHERE.match(raw) else raw, limit=2000)


def _date(item: Any) -> datetime | None:
    # feedparser's own get() takes one date for another
    values = (dict.get(item, name) for name in ("published", "updated", "created"))
    return next((date for date in map(read_date, values) if date), None)


def _image(item: Any, html: str, base: str, video: str) -> tuple[str, str]:
    """Return the picture of an entry and its alt text: the named one, else the content's first."""
    if video:
        return get_picture_url(video), ""
    named = [media.get("url") for media in item.get("media_content") or [] if _is_picture(media)]
    named += [media.get("url") for media in item.get("media_thumbnail") or []]
    named += [link.get("href") for link in item.get("enclosures") or [] if _is_picture(link)]
    for candidate in named:
        address = make_absolute(_text(candidate), base_url=base) if candidate else None
        if address:
            return address[:2000], ""
    return find_first_picture(html, base_url=base)


def _is_picture(media: Any) -> bool:
    kind = f"{media.get('type') or ''} {media.get('medium') or ''}"
    return "image" in kind or str(media.get("url") or "").lower().split("?")[0].endswith(
        (".jpg", ".jpeg", ".png", ".gif")
    )


def _categories(item: Any) -> tuple[str, ...]:
    terms = (
        to_plain_line(tag.get("label") or tag.get("term"), limit=100)
        for tag in item.get("tags") or []
    )
    return tuple(dict.fromkeys(term for term in terms if term))[:50]


def _separate_identities(feed: ParsedFeed) -> ParsedFeed:
    """Give different entries that share an id or a link identities of their own.

    None of them keeps the shared identity, so that no identity depends on an entry's place. Twins
    keep one identity; the first of them is stored.
    """
    variants: dict[str, set[str]] = {}
    for entry in feed.entries:
        variants.setdefault(entry.identity, set()).add(_hash_variant(entry))
    entries = [
        replace(entry, identity=f"{entry.identity[:380]}#{_hash_variant(entry)}")
        if len(variants[entry.identity]) > 1
        else entry
        for entry in feed.entries
    ]
    return replace(feed, entries=tuple(entries))


def _hash_variant(entry: ParsedEntry) -> str:
    text = f"{entry.link_key}\n{entry.title}\n{entry.published}"
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
