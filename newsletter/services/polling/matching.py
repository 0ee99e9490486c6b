"""Which entries of a feed are new, and which have gone: the decider of polling.

Pure.

docs/feeds.md states its rules for authors.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.feeds.protected import PROTECTED, is_protected
from newsletter.feeds.types import ParsedEntry

AHEAD = timedelta(minutes=10)
"""How far a publisher's clock may be ahead before an entry counts as dated in the future."""
PLAUSIBLE = 10
"""So many new entries are believed for each day since the last reading (E01);"""
OLD_NEWS = 3
"""so many that are older than the newest that was known, and were not there then,"""
LATE = timedelta(days=1)
"""by more than this: caches and dates without an hour make that much;"""
RENAMED = 3
"""and fewer than so many that carry the titles of entries which have vanished."""
GAP_FROM = 3
"""So many new entries and nothing that was known are a gap: more may have come and gone between two
readings. A feed that shows its last post or two never shows what was known.
"""
GREW = 5
"""Entries from which a feed that shows more than before may be full all the same, so that older
ones have left it.
"""
FULL = 10
"""Entries that a feed of a blog shows at least before older ones leave it; what to expect where
nothing was known.
"""
SLID_IN = "older than all that was known: came into the feed when others were taken out of it"


@dataclass(frozen=True, slots=True)
class KnownEntry:
    """An entry as it was stored."""

    id: int
    identity: str
    link_key: str
    title: str
    published: datetime | None = None
    fate: str = "sent"
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to be stored, with its fate (`ready`, `new`: not before its date, `held`, `skipped`)
    and why.
    """

    identity: str
    entry: ParsedEntry
    fate: str
    why: str


@dataclass(frozen=True, slots=True)
class FeedChanges:
    """What a poll changes: `new` in the feed's order; `seen`, what is there now of each known entry
    (by its number); `gone`, the numbers of those that were taken back.
    """

    new: tuple[NewEntry, ...]
    seen: tuple[tuple[int, ParsedEntry], ...]
    gone: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PollMoment:
    """When a feed was read: `before` is the last time it was (None: never).

    Of a first reading the newest `backlog` entries are mailed. `site_key` is the site's address,
    folded, which tells no entry from another; `window`, how many entries the feed had then.
    """

    now: datetime
    before: datetime | None
    backlog: int = 0
    site_key: str = ""
    window: int = 0


def decide(
    known: Sequence[KnownEntry], entries: Sequence[ParsedEntry], moment: PollMoment
) -> FeedChanges:
    """Tell new entries from known ones, and finds those that were withdrawn.

    Known is what has a known identity, unless link, title and date all say it is another; else what
    has the link, or the title and date, of an entry that has vanished. Nothing is judged by its
    date: a back-dated entry goes out once like any other (E04).
    """
    entries = list({entry.identity: entry for entry in reversed(entries)}.values())[
        ::-1
    ]  # of twins, the first
    matched = _match_entries(known, entries, moment.site_key)
    seen = tuple(
        (found.id, entry)
        for entry, found in zip(entries, matched, strict=True)
        if found is not None
    )
    new = [entry for entry, found in zip(entries, matched, strict=True) if found is None]
    present = {number for number, _ in seen}
    vanished = [entry for entry in known if entry.id not in present]
    used = {entry.identity for entry in known}
    end = entries[len(entries) - _count_unknown_at_the_end(matched) :]
    gap = bool(known) and _is_gap(matched, entries, moment)
    slid = _find_slid_in(end, known, vanished) if len(entries) <= moment.window else []
    new = [entry for entry in new if entry not in slid]
    judged = [(entry, "skipped", SLID_IN) for entry in slid]
    storm = _describe_storm(new, len(entries), known, vanished, moment) or (
        _describe_gap(len(new)) if gap else ""
    )
    judged = [*_judge_new(new, storm, moment), *judged]
    fates = tuple(
        NewEntry(
            _make_reused_identity(entry) if entry.identity in used else entry.identity,
            entry,
            fate,
            why,
        )
        for entry, fate, why in judged
    )
    return FeedChanges(fates, seen, _find_gone(vanished, known, seen, entries))


def reaches_known(
    known: Sequence[KnownEntry], entries: Sequence[ParsedEntry], site_key: str
) -> bool:
    """Return whether `entries` reach back to what was known: nothing can lie between that they do
    not show.
    """
    return bool(known) and not _shares_nothing_known(
        _match_entries(known, entries, site_key), entries
    )


def needs_further_pages(
    known: Sequence[KnownEntry], entries: Sequence[ParsedEntry], moment: PollMoment
) -> bool:
    """Return whether to ask further pages of a feed: where there is a gap that no move of the blog
    explains.
    """
    matched = _match_entries(known, entries, moment.site_key)
    if not known:
        return moment.before is not None and len(entries) >= FULL
    if moment.before is None or not _is_gap(matched, entries, moment):
        return False
    present = {found.id for found in matched if found is not None}
    new = [entry for entry, found in zip(entries, matched, strict=True) if found is None]
    vanished = [entry for entry in known if entry.id not in present]
    return (
        not _is_another_site(new, known, vanished)
        and _count_renamed(new, known, vanished) < RENAMED
    )


def remove_older(
    known: Sequence[KnownEntry], entries: Sequence[ParsedEntry], first: int, site_key: str
) -> Sequence[ParsedEntry]:
    """Return `entries` without those that further pages have behind the last that was known: they
    are older, and not what the pages were asked for. The `first` so many are the feed's own.
    """
    matched = _match_entries(known, entries, site_key)
    last = max(
        (place for place, found in enumerate(matched) if found is not None),
        default=len(entries) - 1,
    )
    return entries[: max(first, last + 1)]


def _is_gap(
    matched: Sequence[KnownEntry | None], entries: Sequence[ParsedEntry], moment: PollMoment
) -> bool:
    full = len(entries) <= moment.window or len(entries) >= GREW
    return (
        bool(moment.window)
        and full
        and matched.count(None) >= GAP_FROM
        and _shares_nothing_known(matched, entries)
    )


def _shares_nothing_known(
    matched: Sequence[KnownEntry | None], entries: Sequence[ParsedEntry]
) -> bool:
    """Nothing that was known is there, but for what is pinned before newer entries."""
    new = [place for place, found in enumerate(matched) if found is None]
    known = [place for place, found in enumerate(matched) if found is not None]
    return bool(new) and all(_is_pinned(place, new, entries) for place in known)


def _is_pinned(place: int, new: Sequence[int], entries: Sequence[ParsedEntry]) -> bool:
    """An entry that stands before all new ones, in a feed that has its newest first, though it is
    older than they.
    """
    dates = [entry.published for entry in entries if entry.published is not None]
    falls = sum(1 for one, other in itertools.pairwise(dates) if one > other)
    date = entries[place].published
    if date is None or place > min(new) or falls * 2 < len(dates):
        return False
    return all((later := entries[other].published) is not None and later > date for other in new)


def _describe_gap(count: int) -> str:
    return (
        f"none of {count} new entries stands beside one that was known: more may have been published meanwhile "
        "that the feed does not show any more"
    )


def _make_reused_identity(entry: ParsedEntry) -> str:
    """The identity of an entry whose id was another's before."""
    return f"{entry.identity[:390]}#{entry.link_key}"[:500]


def _match_entries(
    known: Sequence[KnownEntry], entries: Sequence[ParsedEntry], site_key: str
) -> list[KnownEntry | None]:
    """The known entry that each of `entries` is, if it is one.

    The strongest evidence is heard first.
    """
    by_identity = {entry.identity: entry for entry in known}
    matched: list[KnownEntry | None] = []
    for entry in entries:
        same = by_identity.get(entry.identity)
        another = same is not None and _is_another(same, entry)
        matched.append(by_identity.get(_make_reused_identity(entry)) if another else same)
    taken = {entry.id for entry in matched if entry is not None}
    for key_of in (
        lambda entry: entry.link_key if entry.link_key != site_key else "",
        _title_and_date,
    ):
        left = [entry for entry in known if entry.id not in taken]
        tells = _index_unique(left, known, entries, key_of)
        for position, entry in enumerate(entries):
            if (
                matched[position] is None
                and (same := tells.get(key_of(entry)))
                and same.id not in taken
            ):
                matched[position] = same
                taken.add(same.id)
    return matched


def _index_unique(
    left: Sequence[KnownEntry],
    known: Sequence[KnownEntry],
    entries: Sequence[ParsedEntry],
    key_of: Callable[[KnownEntry | ParsedEntry], str],
) -> dict[str, KnownEntry]:
    """Those `left` by a key that tells entries apart: not shared by several that are there at once,
    nor by several that were known.
    """
    before, now = (
        Counter(key_of(entry) for entry in known),
        Counter(key_of(entry) for entry in entries),
    )
    keys = {key_of(entry): entry for entry in left}
    return {key: entry for key, entry in keys.items() if key and before[key] == 1 and now[key] == 1}


def _title_and_date(entry: KnownEntry | ParsedEntry) -> str:
    return (
        f"{entry.title}\n{entry.published.isoformat()}" if entry.title and entry.published else ""
    )


def _is_another(known: KnownEntry, entry: ParsedEntry) -> bool:
    """Tell whether an id was used again for something else: another link and title, and not the
    same date (E02).
    """
    dated_alike = known.published is not None and known.published == entry.published
    return (
        bool(entry.link_key)
        and known.link_key != entry.link_key
        and known.title != entry.title
        and not dated_alike
    )


def _judge_new(
    new: Sequence[ParsedEntry], storm: str, moment: PollMoment
) -> Iterator[tuple[ParsedEntry, str, str]]:
    newest = set(map(id, _choose_newest(new, moment.backlog)))
    for entry in new:
        if moment.before is None and id(entry) not in newest:
            fate, why = "skipped", "was there already when the feed was added"
        elif storm:
            fate, why = "held", storm
        elif is_protected(entry.title, entry.content_html, entry.summary_html):
            fate, why = "held", PROTECTED
        elif entry.published is not None and entry.published > moment.now + AHEAD:
            fate, why = "new", "dated in the future: waits for its time"
        else:
            fate, why = "ready", ""
        yield entry, fate, why


def _count_unknown_at_the_end(matched: Sequence[KnownEntry | None]) -> int:
    return next((place for place, found in enumerate(reversed(matched)) if found is not None), 0)


def _find_slid_in(
    end: Sequence[ParsedEntry], known: Sequence[KnownEntry], vanished: Sequence[KnownEntry]
) -> list[ParsedEntry]:
    """Those at the `end` of a feed, behind all that was known and older, that came into its window
    because as many were taken out of it: a blog shows its last ten posts, and one of them is
    deleted. (A feed that grows by them has been given back-dated ones.)
    """
    dates = [entry.published for entry in known if entry.published is not None]
    older = [
        entry
        for entry in end
        if dates and entry.published is not None and entry.published < min(dates)
    ]
    room = sum(1 for entry in vanished if not entry.withdrawn)
    return older if len(older) == len(end) <= room else []


def _choose_newest(entries: Sequence[ParsedEntry], count: int) -> list[ParsedEntry]:
    """The newest `count`: by their dates where all have one, else the first in the feed."""
    dated = [
        (entry.published, -place, entry)
        for place, entry in enumerate(entries)
        if entry.published is not None
    ]
    ordered = (
        [entry for *_, entry in sorted(dated, reverse=True)]
        if len(dated) == len(entries)
        else list(entries)
    )
    return ordered[:count]


def _describe_storm(
    new: Sequence[ParsedEntry],
    count: int,
    known: Sequence[KnownEntry],
    vanished: Sequence[KnownEntry],
    moment: PollMoment,
) -> str:
    """Why so many new entries cannot be right (a move, all ids changed, an archive opened), or ""
    (E01).
    """
    if moment.before is None:
        return ""
    days = max(1, (moment.now - moment.before).days)
    if _is_another_site(new, known, vanished):
        return f"all {len(new)} entries of this feed are of another site now: has the blog moved? release or skip them"
    dates = [
        entry.published
        for entry in known
        if entry.published is not None and entry.published <= moment.before
    ]
    old = sum(
        1
        for entry in new
        if dates and entry.published is not None and entry.published < max(dates) - LATE
    )
    crowd = len(new) > PLAUSIBLE * days and len(new) * 2 > count
    if crowd or old > OLD_NEWS or _count_renamed(new, known, vanished) >= RENAMED:
        return f"{len(new)} new entries at once: has the blog moved? release or skip them"
    return ""


def _count_renamed(
    new: Sequence[ParsedEntry], known: Sequence[KnownEntry], vanished: Sequence[KnownEntry]
) -> int:
    """Count the new entries that bear the title of one that has vanished, and that no other bears."""
    often = Counter(entry.title for entry in known)
    titles = {entry.title for entry in vanished if entry.title and often[entry.title] == 1}
    return sum(1 for entry in new if entry.title in titles)


def _is_another_site(
    new: Sequence[ParsedEntry], known: Sequence[KnownEntry], vanished: Sequence[KnownEntry]
) -> bool:
    """Tell whether nothing that was known is left, and all there is leads elsewhere: a name that
    lapsed and was bought.
    """
    before, now = (
        {entry.link_key.split("/")[0] for entry in entries if entry.link_key}
        for entries in (known, new)
    )
    return len(vanished) == len(known) and bool(before) and bool(now) and before.isdisjoint(now)


def _find_gone(
    vanished: Sequence[KnownEntry],
    known: Sequence[KnownEntry],
    seen: Sequence[tuple[int, ParsedEntry]],
    entries: Sequence[ParsedEntry],
) -> tuple[int, ...]:
    """Entries taken back: not in the feed, though what stands at its end is older, so that its
    window still reaches them. A feed without entries has none; an entry that returns is found again
    by its identity.
    """
    candidates = [entry for entry in vanished if not entry.withdrawn and entry.fate != "skipped"]
    if not entries:
        return tuple(entry.id for entry in candidates)
    by_id = {entry.id: entry for entry in known}
    last = by_id[seen[-1][0]] if seen else None
    return tuple(entry.id for entry in candidates if last is not None and _is_older(last, entry))


def _is_older(one: KnownEntry, other: KnownEntry) -> bool:
    if (
        one.published is not None
        and other.published is not None
        and one.published != other.published
    ):
        return one.published < other.published
    return one.id < other.id
