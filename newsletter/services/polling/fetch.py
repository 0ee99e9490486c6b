"""What a feed says, and what the pages of its new entries add to it.

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
from newsletter.db.session import reading
from newsletter.errors import FeedError, NewsletterError
from newsletter.feeds.enrich import enrich_entry, find_wordpress_site, needs_its_page
from newsletter.feeds.fetch import Fetched
from newsletter.feeds.isolated import read_feed
from newsletter.feeds.types import ParsedEntry, ParsedFeed
from newsletter.models import Entry
from newsletter.services.runtime import Environment

log = logging.getLogger("newsletter.feeds")

UNFORESEEN = "cannot be read because of an error in this program, which its log describes"
LOOKS_AT_MOST = 15
LOOK_FOR = 15.0
"""Seconds.

A site that takes its time over pages does not hold up the next poll.
"""

_STAMPS = re.compile(
    rb"<lastBuildDate>[^<]{0,80}</lastBuildDate>|<!--[^<>]{0,500}-->|<media:(?:statistics|starRating)\b[^<>]{0,200}>"
)


@dataclass(frozen=True, slots=True)
class DueFeed:
    """A feed this worker has taken on, and how it is read."""

    id: int
    url: str
    etag: str | None = None
    last_modified: str | None = None
    body_digest: str = ""
    leaves_out: tuple[str, ...] = ()
    page_pictures: bool = False
    read_before: bool = True
    claimed_until: datetime | None = None
    """Where `next_poll_at` was moved to when it was claimed."""

    @property
    def whole(self) -> DueFeed:
        """The same feed, asked without anything that would let its server say "nothing changed"."""
        return replace(self, etag=None, last_modified=None, body_digest="")


@dataclass(frozen=True, slots=True)
class FeedReading:
    """What a feed said; `parsed` is None where nothing changed.

    Once `paged`, further pages of it were asked, and `window` is how many entries the first had.
    Once `looked`, the pages of new entries were asked too: some of them wait until they are public
    (`waits`), some are of a kind that is left out (identity → kind).
    """

    fetched: Fetched
    parsed: ParsedFeed | None = None
    paged: bool = False
    window: int | None = None
    looked: bool = False
    waits: bool = False
    left_out: Mapping[str, str] = field(default_factory=dict)


def fetch_feed(env: Environment, due: DueFeed) -> FeedReading | NewsletterError:
    """Fetch and parses, in a thread of its own; whatever goes wrong is a value."""
    try:
        fetched = env.fetch(due.url, etag=due.etag, last_modified=due.last_modified)
        if fetched.status == 304 or (due.body_digest and hash_answer(fetched) == due.body_digest):
            return FeedReading(fetched)
        return FeedReading(
            fetched, read_feed(fetched.body, url=fetched.url, content_type=fetched.content_type)
        )
    except NewsletterError as error:
        return error
    except Exception:  # a bug of ours must not cost the other feeds their turn (F12)
        log.exception("feed %s cannot be read", due.id)
        return FeedError(due.url, UNFORESEEN)


def list_unknown_entries(due: DueFeed, found: FeedReading | NewsletterError) -> list[ParsedEntry]:
    """Entries we do not know whose pages are worth a look.

    A first reading mails nothing, so that none are then.
    """
    if (
        isinstance(found, NewsletterError)
        or found.parsed is None
        or found.looked
        or not due.read_before
    ):
        return []
    site = find_wordpress_site(found.parsed)
    worth = [
        entry
        for entry in found.parsed.entries
        if needs_its_page(entry, due.url, page_pictures=due.page_pictures, wordpress=site)
    ]
    if not worth:
        return []
    with reading() as session:
        rows = session.execute(
            select(Entry.identity, Entry.link_key).where(Entry.feed_id == due.id)
        ).all()
    known = {key for row in rows for key in row}
    return [
        entry for entry in worth if entry.identity not in known and entry.link_key not in known
    ][:LOOKS_AT_MOST]


def enrich_entries(
    env: Environment, due: DueFeed, found: FeedReading | NewsletterError, entries: list[ParsedEntry]
) -> FeedReading | NewsletterError:
    """Ask the pages of strange entries, in a thread; whatever goes wrong leaves them as they are."""
    assert isinstance(found, FeedReading)
    assert found.parsed is not None
    ends_at, site = time.monotonic() + LOOK_FOR, find_wordpress_site(found.parsed)
    try:
        looked = {
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
    except Exception:  # as in ask
        log.exception("the pages of entries of feed %s cannot be read", due.id)
        return FeedError(due.url, UNFORESEEN)
    waits = {identity for identity, each in looked.items() if each.waits}
    told = tuple(
        looked[entry.identity].entry if entry.identity in looked else entry
        for entry in found.parsed.entries
        if entry.identity not in waits
    )
    left_out = {identity: each.left_out for identity, each in looked.items() if each.left_out}
    parsed = replace(found.parsed, entries=told)
    return replace(found, parsed=parsed, looked=True, waits=bool(waits), left_out=left_out)


def hash_answer(fetched: Fetched) -> str:
    """What tells an answer from the last one, but for stamps of time and counts of views that say
    nothing new.
    """
    said = f"{__version__} {fetched.url} {fetched.content_type}\n".encode()
    return sha256(said + _STAMPS.sub(b"", fetched.body)).hexdigest()
