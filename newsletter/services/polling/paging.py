"""Fetch further pages of a feed, to close a gap between its first page and known entries.

A feed shows its last ten posts or so. When more were published since it was read, the oldest of
them have left it, and only its further pages still have them: RFC 5005 section 3 names them, and
WordPress has them at `?paged=2`. Runs in threads of poll.py; stores nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from newsletter.errors import FeedError
from newsletter.feeds.isolated import QUICK, read_feed
from newsletter.feeds.types import ParsedEntry, ParsedFeed
from newsletter.services.polling.fetch import DueFeed, FeedReading
from newsletter.services.polling.matching import reaches_known, remove_older
from newsletter.services.polling.types import KnownEntry
from newsletter.services.runtime import Environment

log = logging.getLogger("newsletter.feeds")

PAGES_AT_MOST = 10
"""The most pages beyond the first: a hundred posts on an ordinary WordPress."""
PAGES_SECONDS = 30.0
"""Seconds after which no further page is fetched."""


def fetch_further_pages(
    env: Environment, due: DueFeed, reading: FeedReading, known: Sequence[KnownEntry], site_key: str
) -> FeedReading:
    """Return `reading` with the entries of further pages, back to known entries.

    If they do not, or there are none, the decider holds what is new (matching.py). An error costs
    no more than the further pages.
    """
    assert reading.parsed is not None
    first = reading.parsed
    try:
        entries = _collect_pages(env, reading.fetched.url, first, known, site_key)
    except Exception:
        log.exception("the further pages of feed %s cannot be read", due.id)
        return replace(reading, paged=True)
    return replace(
        reading,
        parsed=replace(first, entries=tuple(entries)),
        window=len(first.entries),
        paged=True,
    )


def _collect_pages(
    env: Environment, address: str, first: ParsedFeed, known: Sequence[KnownEntry], site_key: str
) -> Sequence[ParsedEntry]:
    """Return the entries of a feed and its further pages, back to known ones."""
    entries = list(first.entries)
    page = first
    ends_at = time.monotonic() + PAGES_SECONDS
    for number in range(2, PAGES_AT_MOST + 2):
        url = _find_next_page(page, address, number)
        if not url or time.monotonic() > ends_at:
            break
        try:
            fetched = env.fetch(url)
            page = read_feed(
                fetched.body, url=fetched.url, content_type=fetched.content_type, limits=QUICK
            )
        except FeedError:
            break
        more = _list_new(page.entries, entries)
        if not more:  # a server that knows no pages answers with the first
            break
        entries += more
        if reaches_known(known, entries, site_key):
            break
    return remove_older(known, entries, len(first.entries), site_key)


def _find_next_page(page: ParsedFeed, url: str, number: int) -> str:
    """Return the address of the next page, or "" where none is known."""
    if page.next_page:
        return page.next_page
    if "wordpress" not in page.generator.lower():
        return ""
    parts = urlsplit(url)
    query = "&".join([*(part for part in parts.query.split("&") if part), f"paged={number}"])
    return urlunsplit(parts._replace(query=query, fragment=""))


def _list_new(page: Sequence[ParsedEntry], entries: Sequence[ParsedEntry]) -> list[ParsedEntry]:
    """Return the entries of a page that are not among `entries`."""
    identities = {entry.identity for entry in entries}
    return [entry for entry in page if entry.identity not in identities]
