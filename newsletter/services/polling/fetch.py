"""Fetch and parse a feed, and the pages of its new entries.

Runs in threads of poll.py; stores nothing.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256

from sqlalchemy import select

from newsletter import __version__
from newsletter.db import session as database
from newsletter.errors import FeedError, NewsletterError
from newsletter.feeds.enrich import enrich_entry, find_wordpress_site, needs_its_page
from newsletter.feeds.fetch import Fetched
from newsletter.feeds.isolated import FULL, QUICK, Limits, TakesLong, read_feed
from newsletter.feeds.types import ParsedEntry, ParsedFeed
from newsletter.i18n import Text
from newsletter.models import Entry
from newsletter.services.runtime import Environment

log = logging.getLogger("newsletter.feeds")

UNFORESEEN = Text("cannot be read because of an error in this program, which its log describes")
PAGES_AT_MOST = 15
"""New entries of one feed whose pages are fetched in one poll."""
PAGES_SECONDS = 15.0
"""Seconds after which no further page of an entry is fetched: a slow site must not delay the next
poll.
"""

_CHANGING = re.compile(
    rb"<lastBuildDate>[^<]{0,80}</lastBuildDate>|<!--[^<>]{0,500}-->"
    rb"|<media:(?:statistics|starRating)\b[^<>]{0,200}>"
)
"""Parts of a feed that change without its entries: time stamps and counts of views."""


@dataclass(frozen=True, slots=True)
class DueFeed:
    """A feed that this worker has claimed, with the options of reading it."""

    id: int
    url: str
    etag: str | None = None
    last_modified: str | None = None
    body_digest: str = ""
    leaves_out: tuple[str, ...] = ()
    page_pictures: bool = False
    read_before: bool = True
    is_suspect: bool = False
    """Its last poll failed, perhaps because it takes too long to parse."""
    claimed_until: datetime | None = None
    """The value of `next_poll_at` that marks the claim."""

    @property
    def unconditional(self) -> DueFeed:
        """The same feed without its validators, so that its server cannot answer "not modified"."""
        return replace(self, etag=None, last_modified=None, body_digest="")


@dataclass(frozen=True, slots=True)
class FeedReading:
    """The result of fetching a feed; `parsed` is None if nothing changed.

    If `paged`, further pages of it were fetched, and `window` is the number of entries on its
    first. If `looked`, the pages of new entries were fetched too: some of them wait until they are
    public (`waits`), others are of a kind that is left out (identity to kind).
    """

    fetched: Fetched
    parsed: ParsedFeed | None = None
    paged: bool = False
    window: int | None = None
    looked: bool = False
    waits: bool = False
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unparsed:
    """A response whose parsing takes, or may take, unusually long."""

    fetched: Fetched


def fetch_feed(env: Environment, due: DueFeed) -> FeedReading | NewsletterError | Unparsed:
    """Fetch and parse a feed; an error is returned, not raised.

    The answer is not parsed, or not to the end, if that may hold up other feeds.
    """
    try:
        fetched = env.fetch(due.url, etag=due.etag, last_modified=due.last_modified)
        if fetched.status == 304 or (due.body_digest and hash_answer(fetched) == due.body_digest):
            return FeedReading(fetched)
        return Unparsed(fetched) if due.is_suspect else _parse(fetched, QUICK)
    except TakesLong:
        return Unparsed(fetched)
    except NewsletterError as error:
        return error
    except Exception:  # an internal error must not cost the other feeds their turn (F12)
        log.exception("feed %s cannot be read", due.id)
        return FeedError(due.url, UNFORESEEN)


def parse_slowly(due: DueFeed, unparsed: Unparsed) -> FeedReading | NewsletterError:
    """Parse a slow response; an error is returned, not raised."""
    try:
        return _parse(unparsed.fetched, FULL)
    except NewsletterError as error:
        return error
    except Exception:  # as in fetch_feed
        log.exception("feed %s cannot be read", due.id)
        return FeedError(due.url, UNFORESEEN)


def _parse(fetched: Fetched, limits: Limits) -> FeedReading:
    parsed = read_feed(
        fetched.body, url=fetched.url, content_type=fetched.content_type, limits=limits
    )
    return FeedReading(fetched, parsed)


def list_unknown_entries(due: DueFeed, reading: FeedReading | NewsletterError) -> list[ParsedEntry]:
    """List the new entries whose pages may add what the feed lacks.

    Empty for a first reading, which mails nothing, and once the pages were fetched.
    """
    if (
        isinstance(reading, NewsletterError)
        or reading.parsed is None
        or reading.looked
        or not due.read_before
    ):
        return []
    site = find_wordpress_site(reading.parsed)
    candidates = [
        entry
        for entry in reading.parsed.entries
        if needs_its_page(entry, due.url, page_pictures=due.page_pictures, wordpress=site)
    ]
    if not candidates:
        return []
    query = select(Entry.identity, Entry.link_key).where(Entry.feed_id == due.id)
    with database.reading() as session:
        known = {key for row in session.execute(query).all() for key in row}
    unknown = [
        entry for entry in candidates if entry.identity not in known and entry.link_key not in known
    ]
    return unknown[:PAGES_AT_MOST]


def enrich_entries(
    env: Environment, due: DueFeed, reading: FeedReading, entries: list[ParsedEntry]
) -> FeedReading | NewsletterError:
    """Return `reading` enriched by the pages of `entries`.

    A page that cannot be had leaves its entry as it is.
    """
    assert reading.parsed is not None
    ends_at = time.monotonic() + PAGES_SECONDS
    site = find_wordpress_site(reading.parsed)
    try:
        enriched = {
            entry.identity: enrich_entry(
                entry,
                env.fetch,
                leaves_out=due.leaves_out,
                page_pictures=due.page_pictures,
                wordpress=site,
            )
            for entry in entries
            if time.monotonic() < ends_at
        }
    except Exception:  # as in fetch_feed
        log.exception("the pages of entries of feed %s cannot be read", due.id)
        return FeedError(due.url, UNFORESEEN)
    waiting = {identity for identity, page in enriched.items() if page.waits}
    public = tuple(
        enriched[entry.identity].entry if entry.identity in enriched else entry
        for entry in reading.parsed.entries
        if entry.identity not in waiting
    )
    left_out = {identity: page.left_out for identity, page in enriched.items() if page.left_out}
    parsed = replace(reading.parsed, entries=public)
    return replace(reading, parsed=parsed, looked=True, waits=bool(waiting), left_out=left_out)


def hash_answer(fetched: Fetched) -> str:
    """Return a hash of a response without its changing parts, to detect changes.

    Time stamps and counts of views do not change it; another version of this program does.
    """
    head = f"{__version__} {fetched.url} {fetched.content_type}\n".encode()
    return sha256(head + _CHANGING.sub(b"", fetched.body)).hexdigest()
