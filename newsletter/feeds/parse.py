"""Parse the bytes of a feed into entries, whatever the bytes contain. Pure.

RSS, RDF and Atom are read by feedparser, JSON Feed by jsonfeed.py. HTML in entries is bounded here
and cleaned where it is composed (html/sanitize.py).
"""

from __future__ import annotations

import io
import re
from dataclasses import replace
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import feedparser

from newsletter.errors import NotAFeed
from newsletter.feeds import jsonfeed
from newsletter.feeds.additions import remove_additions
from newsletter.feeds.encoding import decode_feed
from newsletter.feeds.entry_fields import (
    HTML_AT_MOST,
    as_text,
    escape_text,
    find_audio,
    find_author,
    find_categories,
    find_content,
    find_date,
    find_image,
    find_link,
    find_own_page,
    find_raw_id,
    find_title,
    rebase_link,
    undo_escaping,
)
from newsletter.feeds.identity import canonicalize_link, make_identity
from newsletter.feeds.repair import (
    ENTRIES_AT_MOST,
    has_root,
    is_too_deep,
    repair,
    separate_declaration,
    trim,
)
from newsletter.feeds.types import BODY_AT_MOST, ParsedEntry, ParsedFeed
from newsletter.html.text import to_plain_line
from newsletter.html.video_embeds import find_video_id
from newsletter.i18n import Text

HINT = Text("give the address of the feed, or of a page that links to one")


_MORE = re.compile(r"""<span id="more-\d+">\s*</span>|<!--more\b.{0,200}?-->""", re.S)


def parse_feed(body: bytes, *, url: str, content_type: str = "") -> ParsedFeed:
    """Parse the feed in `body`, which was fetched from `url`.

    Raises `NotAFeed` with the reason.
    """
    if not body.strip(b"\0 \t\r\n"):
        raise NotAFeed(url, Text("an empty answer"))
    if len(body) > BODY_AT_MOST:
        raise NotAFeed(url, Text("larger than 10 MB"))
    if jsonfeed.is_json_feed(body):
        return _separate_identities(jsonfeed.parse_json_feed(body, url=url))
    return _separate_identities(_parse_xml(*decode_feed(trim(body), content_type), url=url))


def _parse_xml(body: bytes, content_type: str, *, url: str) -> ParsedFeed:
    body = separate_declaration(body)
    if not has_root(body):
        raise NotAFeed(url, _describe_content(body), hint=HINT)
    if is_too_deep(body):
        raise NotAFeed(url, Text("its elements are nested too deeply to be a feed"))
    headers = {
        "content-type": content_type or "application/xml",
        "content-location": _make_location(url),
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
        raise NotAFeed(url, Text("it is broken in a way that cannot be read")) from None
    raw = parsed.get("entries", [])[:ENTRIES_AT_MOST]
    if not parsed.get("version") and not raw:
        raise NotAFeed(url, _describe_content(body), hint=HINT)
    base = _find_base(parsed.feed, url)
    site = _find_site(parsed.feed, url)
    entries = (_parse_entry(item, base, canonicalize_link(site)) for item in raw)
    return ParsedFeed(
        title=find_title(parsed.feed, "title"),
        link=site,
        entries=tuple(entry for entry in entries if entry is not None),
        notes=_describe_problem(parsed),
        generator=to_plain_line(as_text(parsed.feed.get("generator")), limit=200),
        next_page=_find_next_page(parsed.feed, url),
        hub=_find_link(parsed.feed, "hub", url),
        self_link=_find_link(parsed.feed, "self", url),
    )


def _find_link(feed: Any, relation: str, url: str) -> str:
    """Return the URL of a feed's first link with this relation, or ""."""
    links = (link for link in feed.get("links") or [] if isinstance(link, dict))
    pages = (
        rebase_link(as_text(link.get("href")), url) for link in links if link.get("rel") == relation
    )
    return next((page for page in pages if page), "")


def _find_next_page(feed: Any, url: str) -> str:
    """Return the URL of a feed's next page (RFC 5005 section 3) if on the same host, or ""."""
    links = (
        link
        for link in feed.get("links") or []
        if isinstance(link, dict) and link.get("rel") == "next"
    )
    pages = (rebase_link(as_text(link.get("href")), url) for link in links)
    return next(
        (page for page in pages if page and page != url and _find_host(page) == _find_host(url)), ""
    )


def _find_site(feed: Any, url: str) -> str:
    """Return the URL of the website that a feed belongs to, or ""."""
    return find_own_page(feed.get("links") or [], url) or rebase_link(
        as_text(feed.get("link")), url
    )


def _find_base(feed: Any, url: str) -> str:
    """Return the base URL of relative links without an xml:base: the feed's own URL.

    If that is not on its site (a file, a proxy), return the address it gives for itself, else its
    site.
    """
    site = _find_site(feed, url)
    itself = [
        as_text(link.get("href")) for link in feed.get("links") or [] if link.get("rel") == "self"
    ]
    places = [url, *(rebase_link(place, url) for place in itself)]
    return next(
        (place for place in places if not site or _find_host(place) == _find_host(site)), site
    )


def _find_host(url: str) -> str:
    return (urlsplit(url).hostname or "").removeprefix("www.")


def _make_location(url: str) -> str:
    """Return a made-up URL that feedparser is given as the feed's location.

    Addresses that begin with it are known to be relative, and empty ones are told from those that
    name the feed.
    """
    return f"{'http' if url.startswith('http:') else 'https'}://nowhere.invalid/here/"


def _describe_content(body: bytes) -> str:
    start = body[:2000].lower()
    if b"<html" in start or b"<!doctype html" in start:
        return Text("a web page, not a feed")
    if b"<" not in start:
        return Text("not a feed")
    return Text("no feed that can be understood")


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
    link = find_link(item, base)
    title = find_title(item, "title") or to_plain_line(item.get("itunes_title"), limit=500)
    content = find_content(item)
    summary = undo_escaping(as_text(item.get("summary"))[:HTML_AT_MOST])
    if not (
        link or title or as_text(item.get("title")).strip() or content.strip() or summary.strip()
    ):
        return None
    video = as_text(item.get("yt_videoid")) or find_video_id(link)
    if as_text(item.get("yt_videoid")):
        summary = escape_text(summary)
        content = ""
    elif content == summary:
        summary = ""
    raw_id = find_raw_id(item)
    published = find_date(item)
    link_key = canonicalize_link(link)
    content = remove_additions(content, link_key, site_key)
    summary = remove_additions(summary, link_key, site_key)
    if more := _MORE.search(content):  # the author has marked the end of the excerpt
        summary = content[: more.start()]
    audio, seconds = find_audio(item, link or base)
    image, alt = find_image(item, content or summary, link or base, video)
    return ParsedEntry(
        identity=make_identity(raw_id, link, title or content or summary, published),
        link_key=link_key,
        id=raw_id,
        title=title,
        link=link,
        author=find_author(item),
        published=published,
        summary_html=summary,
        content_html=content,
        image=image,
        image_alt=alt,
        categories=find_categories(item),
        video_id=video[:40],
        audio=audio,
        audio_seconds=seconds,
    )


def _separate_identities(feed: ParsedFeed) -> ParsedFeed:
    """Give entries that differ but share an id or a link identities of their own.

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
