"""Judge whether new entries of a feed are plausible: moves, gaps and sliding windows. Pure.

A blog that moves, changes all its ids or opens its archive makes a feed full of entries that look
new. They are held instead of telling every subscriber old news.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from newsletter.feeds.types import ParsedEntry
from newsletter.i18n import Text
from newsletter.services.polling.types import KnownEntry, PollMoment

MAX_NEW_PER_DAY = 10
"""Plausible new entries per day since the last reading; more are held (E01)."""
MAX_OLDER = 3
"""Plausible new entries older than the newest known one: an author may back-date some."""
OLDER_BY = timedelta(days=1)
"""Least age difference that counts as older; caches and dates without a time cause up to a day."""
MIN_RENAMED = 3
"""New entries with titles of vanished ones from which all ids count as changed."""
MIN_GAP = 3
"""New entries without any known one that are a gap: more may have come and gone between two
readings. A feed that shows only its last post or two never shows a known one.
"""
MIN_GROWN_WINDOW = 5
"""Entries from which a feed that shows more than before may be full, so that older ones have left
it.
"""
FULL_WINDOW = 10
"""Entries that the feed of a blog shows at least before older ones leave it; assumed where nothing
was known.
"""


def is_gap(
    matched: Sequence[KnownEntry | None], entries: Sequence[ParsedEntry], moment: PollMoment
) -> bool:
    """Tell whether entries may have come and gone between the last reading and this one."""
    is_full = len(entries) <= moment.window or len(entries) >= MIN_GROWN_WINDOW
    return (
        bool(moment.window)
        and is_full
        and matched.count(None) >= MIN_GAP
        and shares_nothing_known(matched, entries)
    )


def shares_nothing_known(
    matched: Sequence[KnownEntry | None], entries: Sequence[ParsedEntry]
) -> bool:
    """Tell whether no known entry is in the feed, except those pinned before newer ones."""
    new = [place for place, known in enumerate(matched) if known is None]
    known_places = [place for place, known in enumerate(matched) if known is not None]
    return bool(new) and all(_is_pinned(place, new, entries) for place in known_places)


def _is_pinned(place: int, new: Sequence[int], entries: Sequence[ParsedEntry]) -> bool:
    """Tell whether an entry stands before all new ones though it is older than each of them.

    Only a feed that has its newest entries first can pin one.
    """
    dates = [entry.published for entry in entries if entry.published is not None]
    falls = sum(1 for first, second in itertools.pairwise(dates) if first > second)
    date = entries[place].published
    if date is None or place > min(new) or falls * 2 < len(dates):
        return False
    return all((later := entries[other].published) is not None and later > date for other in new)


def describe_gap(count: int) -> str:
    """Describe why `count` entries after a gap are held."""
    return Text(
        "none of %(count)s new entries stands beside one that was known: more may have been "
        "published meanwhile that the feed does not show any more",
        count=count,
    )


def find_slid_in(
    end: Sequence[ParsedEntry], known: Sequence[KnownEntry], vanished: Sequence[KnownEntry]
) -> list[ParsedEntry]:
    """Return the old entries at the `end` of a feed that appeared because others were deleted.

    A blog shows its last ten posts and deletes one of them: an eleventh appears behind all that was
    known. A feed that grows by such entries has been given back-dated ones instead.
    """
    dates = [entry.published for entry in known if entry.published is not None]
    older = [
        entry
        for entry in end
        if dates and entry.published is not None and entry.published < min(dates)
    ]
    room = sum(1 for entry in vanished if not entry.withdrawn)
    return older if len(older) == len(end) <= room else []


def describe_storm(
    new: Sequence[ParsedEntry],
    entry_count: int,
    known: Sequence[KnownEntry],
    vanished: Sequence[KnownEntry],
    moment: PollMoment,
) -> str:
    """Describe why the number of new entries is implausible, or return "" if it is not (E01).

    `entry_count` is the number of entries in the feed.
    """
    if moment.before is None:
        return ""
    days = max(1, (moment.now - moment.before).days)
    if is_another_site(new, known, vanished):
        return Text(
            "all %(new)s entries of this feed are of another site now: has the blog moved? "
            "release or skip them",
            new=len(new),
        )
    dates = [
        entry.published
        for entry in known
        if entry.published is not None and entry.published <= moment.before
    ]
    older_count = sum(
        1
        for entry in new
        if dates and entry.published is not None and entry.published < max(dates) - OLDER_BY
    )
    is_crowd = len(new) > MAX_NEW_PER_DAY * days and len(new) * 2 > entry_count
    if is_crowd or older_count > MAX_OLDER or count_renamed(new, known, vanished) >= MIN_RENAMED:
        return f"{len(new)} new entries at once: has the blog moved? release or skip them"
    return ""


def count_renamed(
    new: Sequence[ParsedEntry], known: Sequence[KnownEntry], vanished: Sequence[KnownEntry]
) -> int:
    """Count the new entries that have the title of a vanished one and of no other known entry."""
    often = Counter(entry.title for entry in known)
    titles = {entry.title for entry in vanished if entry.title and often[entry.title] == 1}
    return sum(1 for entry in new if entry.title in titles)


def is_another_site(
    new: Sequence[ParsedEntry], known: Sequence[KnownEntry], vanished: Sequence[KnownEntry]
) -> bool:
    """Tell whether no known entry is left and all links lead to other hosts.

    This is what a domain name looks like that lapsed and was bought by somebody else.
    """
    hosts_before = _list_hosts(known)
    hosts_now = _list_hosts(new)
    return (
        len(vanished) == len(known)
        and bool(hosts_before)
        and bool(hosts_now)
        and hosts_before.isdisjoint(hosts_now)
    )


def _list_hosts(entries: Sequence[ParsedEntry | KnownEntry]) -> set[str]:
    """Return the hosts of links; WordPress's plain links (`host?p=4`) have no path."""
    return {re.split("[/?]", entry.link_key)[0] for entry in entries if entry.link_key}
