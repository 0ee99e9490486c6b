"""Decide which entries of a feed are new, known or withdrawn. Pure.

docs/feeds.md states its rules for authors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from newsletter.feeds.protected import PROTECTED, is_protected
from newsletter.feeds.types import ParsedEntry
from newsletter.i18n import Text
from newsletter.services.polling.plausibility import (
    FULL_WINDOW,
    MIN_RENAMED,
    count_renamed,
    describe_gap,
    describe_storm,
    find_slid_in,
    is_another_site,
    is_gap,
    shares_nothing_known,
)
from newsletter.services.polling.types import FeedChanges, KnownEntry, NewEntry, PollMoment
from newsletter.vocabulary import EntryReason, EntryStatus

AHEAD = timedelta(minutes=10)
"""Tolerance for a publisher's clock before an entry counts as dated in the future."""
WAITS = Text("dated in the future: waits for its time")
SLID_IN = Text("older than all that was known: came into the feed when others were taken out of it")


def decide(
    known: Sequence[KnownEntry], entries: Sequence[ParsedEntry], moment: PollMoment
) -> FeedChanges:
    """Decide which entries are new, known or withdrawn.

    An entry is known if its identity is known, unless link, title and date all differ; else if its
    link, or its title and date, belong to an entry that has vanished. Nothing is judged by its date
    alone: a back-dated entry goes out once like any other (E04).
    """
    entries = _remove_twins(entries)
    matched = _match_entries(known, entries, moment.site_key)
    present = tuple(
        (match.id, entry)
        for entry, match in zip(entries, matched, strict=True)
        if match is not None
    )
    present_ids = {entry_id for entry_id, _ in present}
    vanished = [entry for entry in known if entry.id not in present_ids]
    new = _judge_new(known, entries, matched, vanished, moment)
    return FeedChanges(new, present, _find_gone(vanished, known, present, entries))


def _remove_twins(entries: Sequence[ParsedEntry]) -> list[ParsedEntry]:
    """Return `entries` without those that repeat an earlier one's identity."""
    first: dict[str, ParsedEntry] = {}
    for entry in entries:
        first.setdefault(entry.identity, entry)
    return list(first.values())


def _judge_new(
    known: Sequence[KnownEntry],
    entries: Sequence[ParsedEntry],
    matched: Sequence[KnownEntry | None],
    vanished: Sequence[KnownEntry],
    moment: PollMoment,
) -> tuple[NewEntry, ...]:
    """Return the entries that match no known one, with their first status."""
    unmatched = [entry for entry, match in zip(entries, matched, strict=True) if match is None]
    end = entries[len(entries) - _count_unmatched_at_the_end(matched) :]
    slid_in = find_slid_in(end, known, vanished) if len(entries) <= moment.window else []
    new = [entry for entry in unmatched if entry not in slid_in]
    storm = describe_storm(new, len(entries), known, vanished, moment)
    storm_reason = EntryReason.MOVED
    if not storm and known and is_gap(matched, entries, moment):
        storm = describe_gap(len(new))
        storm_reason = EntryReason.GAP
    used = {entry.identity for entry in known}
    fates = [*_choose_fates(new, storm, storm_reason, moment)]
    fates += [(entry, EntryStatus.SKIPPED, SLID_IN, EntryReason.SLID_IN) for entry in slid_in]
    return tuple(
        NewEntry(
            _make_reused_identity(entry) if entry.identity in used else entry.identity,
            entry,
            fate,
            why,
            reason,
        )
        for entry, fate, why, reason in fates
    )


def _choose_fates(
    new: Sequence[ParsedEntry], storm: str, storm_reason: EntryReason, moment: PollMoment
) -> Iterator[tuple[ParsedEntry, EntryStatus, str, EntryReason]]:
    newest = set(map(id, _choose_newest(new, moment.backlog)))
    for entry in new:
        if moment.before is None and id(entry) not in newest:
            why = Text("was there already when the feed was added")
            yield entry, EntryStatus.SKIPPED, why, EntryReason.BACKLOG
        elif storm:
            yield entry, EntryStatus.HELD, storm, storm_reason
        elif is_protected(entry.title, entry.content_html, entry.summary_html):
            yield entry, EntryStatus.HELD, PROTECTED, EntryReason.PASSWORD
        elif entry.published is not None and entry.published > moment.now + AHEAD:
            yield entry, EntryStatus.NEW, WAITS, EntryReason.DATED_AHEAD
        else:
            yield entry, EntryStatus.READY, "", EntryReason.NONE


def reaches_known(
    known: Sequence[KnownEntry], entries: Sequence[ParsedEntry], site_key: str
) -> bool:
    """Tell whether `entries` reach back to a known one, so that there is no gap."""
    return bool(known) and not shares_nothing_known(
        _match_entries(known, entries, site_key), entries
    )


def needs_further_pages(
    known: Sequence[KnownEntry], entries: Sequence[ParsedEntry], moment: PollMoment
) -> bool:
    """Tell whether there is a gap, not explained by a move, for which to fetch further pages."""
    matched = _match_entries(known, entries, moment.site_key)
    if not known:
        return moment.before is not None and len(entries) >= FULL_WINDOW
    if moment.before is None or not is_gap(matched, entries, moment):
        return False
    present_ids = {match.id for match in matched if match is not None}
    new = [entry for entry, match in zip(entries, matched, strict=True) if match is None]
    vanished = [entry for entry in known if entry.id not in present_ids]
    return (
        not is_another_site(new, known, vanished)
        and count_renamed(new, known, vanished) < MIN_RENAMED
    )


def remove_older(
    known: Sequence[KnownEntry], entries: Sequence[ParsedEntry], first: int, site_key: str
) -> Sequence[ParsedEntry]:
    """Return `entries` without those of further pages beyond the last known one.

    They are older than what the pages were fetched for. The `first` so many entries are those of
    the feed's first page and stay.
    """
    matched = _match_entries(known, entries, site_key)
    last = max(
        (place for place, match in enumerate(matched) if match is not None),
        default=len(entries) - 1,
    )
    return entries[: max(first, last + 1)]


def _make_reused_identity(entry: ParsedEntry) -> str:
    """Return the identity of an entry whose id belonged to another entry before."""
    return f"{entry.identity[:390]}#{entry.link_key}"[:500]


def _match_entries(
    known: Sequence[KnownEntry], entries: Sequence[ParsedEntry], site_key: str
) -> list[KnownEntry | None]:
    """Return for each of `entries` the matching known entry, or None.

    The strongest evidence is tried first: the identity, then the link, then title and date.
    """
    by_identity = {entry.identity: entry for entry in known}
    matched: list[KnownEntry | None] = []
    for entry in entries:
        same = by_identity.get(entry.identity)
        reused = same is not None and _is_another(same, entry)
        matched.append(by_identity.get(_make_reused_identity(entry)) if reused else same)
    matched_ids = {entry.id for entry in matched if entry is not None}
    for key_of in (
        lambda entry: entry.link_key if entry.link_key != site_key else "",
        _join_title_and_date,
    ):
        unmatched = [entry for entry in known if entry.id not in matched_ids]
        by_key = _index_unique(unmatched, known, entries, key_of)
        for position, entry in enumerate(entries):
            if (
                matched[position] is None
                and (same := by_key.get(key_of(entry)))
                and same.id not in matched_ids
            ):
                matched[position] = same
                matched_ids.add(same.id)
    return matched


def _index_unique(
    unmatched: Sequence[KnownEntry],
    known: Sequence[KnownEntry],
    entries: Sequence[ParsedEntry],
    key_of: Callable[[KnownEntry | ParsedEntry], str],
) -> dict[str, KnownEntry]:
    """Return the unmatched entries by a key, without keys that several share.

    A key that several entries of the feed, or several known ones, share does not.
    """
    count_known = Counter(key_of(entry) for entry in known)
    count_present = Counter(key_of(entry) for entry in entries)
    by_key = {key_of(entry): entry for entry in unmatched}
    return {
        key: entry
        for key, entry in by_key.items()
        if key and count_known[key] == 1 and count_present[key] == 1
    }


def _join_title_and_date(entry: KnownEntry | ParsedEntry) -> str:
    if not entry.title or entry.published is None:
        return ""
    return f"{entry.title}\n{entry.published.isoformat()}"


def _is_another(known: KnownEntry, entry: ParsedEntry) -> bool:
    """Tell whether an id was used again: another link and title, and not the same date (E02)."""
    has_same_date = known.published is not None and known.published == entry.published
    return (
        bool(entry.link_key)
        and known.link_key != entry.link_key
        and known.title != entry.title
        and not has_same_date
    )


def _count_unmatched_at_the_end(matched: Sequence[KnownEntry | None]) -> int:
    return next((place for place, match in enumerate(reversed(matched)) if match is not None), 0)


def _choose_newest(entries: Sequence[ParsedEntry], count: int) -> list[ParsedEntry]:
    """Return the newest `count` entries: by date if all have one, else the first in the feed."""
    dated = [
        (entry.published, -place, entry)
        for place, entry in enumerate(entries)
        if entry.published is not None
    ]
    if len(dated) < len(entries):
        return list(entries[:count])
    return [entry for *_, entry in sorted(dated, reverse=True)][:count]


def _find_gone(
    vanished: Sequence[KnownEntry],
    known: Sequence[KnownEntry],
    present: Sequence[tuple[int, ParsedEntry]],
    entries: Sequence[ParsedEntry],
) -> tuple[int, ...]:
    """Return the ids of withdrawn entries: those missing within the feed's window.

    The window reaches every entry that is newer than the last known one in the feed. A feed without
    entries has withdrawn all. An entry that returns is matched again by its identity.
    """
    candidates = [
        entry for entry in vanished if not entry.withdrawn and entry.fate != EntryStatus.SKIPPED
    ]
    if not entries:
        return tuple(entry.id for entry in candidates)
    by_id = {entry.id: entry for entry in known}
    last = by_id[present[-1][0]] if present else None
    return tuple(entry.id for entry in candidates if last is not None and _is_older(last, entry))


def _is_older(first: KnownEntry, second: KnownEntry) -> bool:
    if (
        first.published is not None
        and second.published is not None
        and first.published != second.published
    ):
        return first.published < second.published
    return first.id < second.id
