"""Which entries of a feed are new: the decider of polling. Pure. docs/feeds.md states its rules for authors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.feeds.entry import ParsedEntry

AHEAD = timedelta(minutes=10)
"""How far a publisher's clock may be ahead before an entry counts as dated in the future."""
PLAUSIBLE = 10
"""So many new entries at once are believed; more of them, making up most of the feed, are held for the author (E01)."""


@dataclass(frozen=True, slots=True)
class Known:
    """An entry as it was stored."""

    identity: str
    link_key: str
    title: str


@dataclass(frozen=True, slots=True)
class New:
    """An entry to be stored, with its fate (`ready`, `new`: not before its date, `held`, `skipped`) and why."""

    identity: str
    entry: ParsedEntry
    fate: str
    why: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What a poll changes. `new` in the feed's order; `changed` pairs a known identity with what is there now."""

    new: tuple[New, ...]
    changed: tuple[tuple[str, ParsedEntry], ...]


def decide(
    known: Sequence[Known], seen: Sequence[ParsedEntry], *, now: datetime, first: bool, backlog: int = 0
) -> Decision:
    """Tells new entries from known ones.

    Known is what has a known identity, unless link and title both say it is another; and what has a known link,
    whatever its id. Nothing is judged by its date: a back-dated entry goes out once like any other (E04).
    """
    by_identity = {entry.identity: entry for entry in known}
    by_link = {entry.link_key: entry for entry in known if entry.link_key != ""}
    new: list[tuple[str, ParsedEntry]] = []
    changed: list[tuple[str, ParsedEntry]] = []
    for entry in seen:
        same_id, same_link = by_identity.get(entry.identity), by_link.get(entry.link_key)
        identity = entry.identity
        if same_id is not None and not _another(same_id, entry):
            changed.append((same_id.identity, entry))
            continue
        if same_link is not None:
            changed.append((same_link.identity, entry))
            continue
        if same_id is not None:
            identity = f"{entry.identity[:390]}#{entry.link_key}"[:500]
            if identity in by_identity:
                continue
        found = Known(identity, entry.link_key, entry.title)
        by_identity[identity] = found
        if entry.link_key != "":
            by_link[entry.link_key] = found
        new.append((identity, entry))
    return Decision(tuple(_fates(new, len(seen), now, first=first, backlog=backlog)), tuple(changed))


def _another(known: Known, entry: ParsedEntry) -> bool:
    """Whether an id was used again for something else: another link and another title (E02)."""
    return bool(entry.link_key) and known.link_key != entry.link_key and known.title != entry.title


def _fates(new: Sequence[tuple[str, ParsedEntry]], seen: int, now: datetime, *, first: bool, backlog: int) -> list[New]:
    flood = not first and len(new) > PLAUSIBLE and len(new) * 2 > seen
    found = []
    for position, (identity, entry) in enumerate(new):
        if first and position >= backlog:
            fate, why = "skipped", "was there already when the feed was added"
        elif flood:
            fate, why = "held", f"{len(new)} new entries at once: has the blog moved? release or skip them"
        elif entry.published is not None and entry.published > now + AHEAD:
            fate, why = "new", "dated in the future: waits for its time"
        else:
            fate, why = "ready", ""
        found.append(New(identity, entry, fate, why))
    return found
