"""Data types of polling: known and new entries, decisions, circumstances."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from newsletter.feeds.types import ParsedEntry
from newsletter.vocabulary import EntryReason, EntryStatus


@dataclass(frozen=True, slots=True)
class KnownEntry:
    """An entry as it was stored."""

    id: int
    identity: str
    link_key: str
    title: str
    published: datetime | None = None
    fate: EntryStatus = EntryStatus.SENT
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to be stored, with its first status and the reason for it.

    `why` is the reason in words for the author, `reason` the code that its event carries.
    """

    identity: str
    entry: ParsedEntry
    fate: EntryStatus
    why: str
    reason: EntryReason = EntryReason.NONE


@dataclass(frozen=True, slots=True)
class FeedChanges:
    """The changes that a poll makes to the stored entries of a feed.

    `new` stands in the feed's order; `present` pairs the id of each known entry that is still in
    the feed with what the feed says of it now; `gone` holds the ids of withdrawn entries.
    """

    new: tuple[NewEntry, ...]
    present: tuple[tuple[int, ParsedEntry], ...]
    gone: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PollMoment:
    """The circumstances of a poll; `before` is the time of the last reading, None if never.

    Of a first reading the newest `backlog` entries are mailed. `site_key` is the site's address in
    canonical form, which tells no entry from another; `window` is the number of entries that the
    feed had when it was last read.
    """

    now: datetime
    before: datetime | None
    backlog: int = 0
    site_key: str = ""
    window: int = 0
