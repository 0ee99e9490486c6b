"""From the bytes of a feed to its entries.

Pure: bytes in, entries out, whatever the bytes are.

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
    """The feed in `body`, found at `url`.

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
        found: Any = feedparser.parse(
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
    raw = found.get("entries", [])[:ENTRIES_AT_MOST]
    if not found.get("version") and not raw:
        raise NotAFeed(url, _describe_content(body), hint=HINT)
    base = _find_base(found.feed, url)
    site = _find_site(found.feed, url)
    entries = (_parse_entry(item, base, canonicalize_link(site)) for item in raw)
    return ParsedFeed(
        title=_title(found.feed, "title"),
        link=site,
        entries=tuple(entry for entry in entries if entry is not None),
        notes=_describe_problem(found),
        generator=to_plain_line(_text(found.feed.get("generator")), limit=200),
        next_page=_find_next_page(found.feed, url),
    )


def _find_next_page(feed: Any, url: str) -> str:
    """Return the address of the next page of a feed (RFC 5005 section 3), if it names one on its
    own host.
    """
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
    """The page a feed belongs to, or ""."""
    return _own_page(feed.get("links") or [], url) or _rebase(_text(feed.get("link")), url)


def _find_base(feed: Any, url: str) -> str:
    """What relative links are relative to, where no xml:base says so: the feed's own address.

    Where that is not on its site (a file, a proxy), the address it gives for itself, else its site.
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
    """Where feedparser is told that the feed was found, so that what begins there is known to be
    relative, and an empty address from one that names the feed.
    """
    return f"{'http' if url.startswith('http:') else 'https'}://nowhere.invalid/here/"


def _rebase(link: str, base: str) -> str:
    """`link` as an absolute http(s) address, or "" if it is none, or empty."""
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


def _describe_problem(found: Any) -> tuple[str, ...]:
    problem = found.get("bozo_exception")
    if not found.get("bozo") or problem is None:
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
    content, summary = _content(item), _text(item.get("summary"))[:HTML_AT_MOST]
    if not (
        link or title or _text(item.get("title")).strip() or content.strip() or summary.strip()
    ):
        return None
    video = _text(item.get("yt_videoid")) or find_video_id(link)
    if _text(item.get("yt_videoid")):
        summary, content = _escaped(summary), ""
    elif content == summary:
        summary = ""
    raw_id, published, link_key = _raw_id(item), _date(item), canonicalize_link(link)
    content, summary = (remove_additions(html, link_key, site_key) for html in (content, summary))
    if more := _MORE.search(content):  # the author has said where her excerpt ends
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
    """A title as text: HTML where feedparser found it to be HTML, else what stands there, tags and
    all.
    """
    raw, detail = _text(item.get(name))[:5000], item.get(f"{name}_detail") or {}
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
    """Plain text as HTML paragraphs."""
    blocks = re.split(r"\n\s*\n", text[:20_000].strip())
    return "".join(
        f"<p>{escape(block).replace(chr(10), '<br>')}</p>" for block in blocks if block.strip()
    )


def _author(item: Any) -> str:
    """Who wrote it, without an address."""
    detail = item.get("author_detail") or {}
    name = (_text(detail.get("name")) or _text(item.get("author")))[:2000]
    return to_plain_line(_ADDRESS.sub("", name).strip(" ()<>,"), limit=200)


def _link(item: Any, base: str) -> str:
    """The entry's own page: where a counting service says that it is, what it links to, else its id
    where that is said to be its address (a guid without isPermaLink="false", the id of an Atom
    entry without links, what an item of RDF is about) and is one.
    """
    original = (_text(value) for name, value in item.items() if name.split("_")[-1] == "origlink")
    own = next(filter(None, (make_absolute(link.strip(), base_url="") for link in original)), "")
    own = own or _own_page(item.get("links") or [], base)
    if not own and item.get("guidislink", True):  # of RDF, feedparser does not say
        own = make_absolute(_raw_id(item), base_url="") or ""
    return own[:2000]


def _own_page(links: Sequence[Any], base: str) -> str:
    """The first link to a page of its own, a web page rather than another kind; not an enclosure,
    reply or feed.
    """
    own = [
        link
        for link in links
        if isinstance(link, dict) and _text(link.get("rel", "alternate")).endswith("alternate")
    ]
    own.sort(key=lambda link: "html" not in str(link.get("type", "text/html")))
    found = (_rebase(_text(link.get("href")), base) for link in own)
    return next((link for link in found if link), "")


def _raw_id(item: Any) -> str:
    """The id as the feed has it: feedparser takes it for an address and completes it."""
    raw = _text(item.get("id"))
    return to_plain_line(_NOWHERE.sub("", raw, count=1) if _NOWHERE.match(raw) else raw, limit=2000)


def _date(item: Any) -> datetime | None:
    # feedparser's own get() takes one date for another
    said = (dict.get(item, name) for name in ("published", "updated", "created"))
    return next((found for found in map(read_date, said) if found), None)


def _image(item: Any, html: str, base: str, video: str) -> tuple[str, str]:
    """The picture that stands for an entry: what the feed names as one, else the first in its
    content.
    """
    if video:
        return get_picture_url(video), ""
    named = [media.get("url") for media in item.get("media_content") or [] if _is_picture(media)]
    named += [media.get("url") for media in item.get("media_thumbnail") or []]
    named += [link.get("href") for link in item.get("enclosures") or [] if _is_picture(link)]
    for candidate in named:
        found = make_absolute(_text(candidate), base_url=base) if candidate else None
        if found:
            return found[:2000], ""
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
    """Different entries under one identity (an id or a link that several share) told apart, all of
    them alike, so that none depends on its place. Twins keep one identity: whoever stores them
    takes the first.
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
    said = f"{entry.link_key}\n{entry.title}\n{entry.published}"
    return sha256(said.encode("utf-8", "replace")).hexdigest()[:16]
