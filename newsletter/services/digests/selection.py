"""Who is owed which entries, and who waits for more: the decider of composing.

Pure.

Readers who stand at the same cursor and chose the same topics are one group. Groups that are owed
the same entries share an edition, so that a mail is made once however many get it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from newsletter.services.lists.topics import unpack_topics


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry that may be mailed: its number, what it is about, since when it could have gone out,
    its own date. `again`: it was mailed to some, and came back.
    """

    id: int
    seq: int
    feed_id: int
    topics: frozenset[int]
    since: datetime
    date: datetime
    again: bool = False


@dataclass(frozen=True, slots=True)
class SubscriberGroup:
    """Readers at one `cursor` with one choice of `topics` (as `Subscription.topics` has it) who
    read one `language` (empty: their list's). `missed` are the entries that came back which they
    were owed and have not had.
    """

    cursor: int
    topics: str
    readers: int
    language: str = ""
    missed: str = ""


@dataclass(frozen=True, slots=True)
class WaitRule:
    """How long a scheduled digest waits: for `entries`, `days` at most, seen from the moments it
    and the next one are due. `next_due` None: it does not wait.
    """

    entries: int = 1
    days: int = 14
    next_due: datetime | None = None
    zone: tzinfo = UTC

    def waits(self, owed: Sequence[Candidate]) -> bool:
        """Tell whether so few entries stay for the next time: not if one of them would then have
        waited too long.
        """
        if self.next_due is None or len(owed) >= self.entries:
            return False
        first = min(entry.since for entry in owed).astimezone(self.zone).date()
        return (self.next_due.astimezone(self.zone).date() - first).days <= self.days


@dataclass(frozen=True, slots=True)
class Share:
    """An edition to be made: the entries (ids, by their number) and the groups that get them."""

    entries: tuple[int, ...]
    groups: tuple[SubscriberGroup, ...]

    @property
    def readers(self) -> int:
        """How many get it."""
        return sum(group.readers for group in self.groups)

    @property
    def languages(self) -> tuple[str, ...]:
        """In which languages it is made; always in its list's ("") as well."""
        return tuple(sorted({"", *(group.language for group in self.groups)}))


@dataclass(frozen=True, slots=True)
class DigestDecision:
    """What composing does: editions to make, groups that are owed nothing of what there is (their
    cursors move on), and groups that wait.
    """

    shares: tuple[Share, ...] = ()
    settled: tuple[SubscriberGroup, ...] = ()
    waiting: tuple[SubscriberGroup, ...] = ()
    few: int = field(default=0)
    """How many entries the longest of the waiting groups is owed."""

    @property
    def entries(self) -> frozenset[int]:
        """Everything that somebody gets."""
        return frozenset(entry for share in self.shares for entry in share.entries)

    @property
    def readers(self) -> int:
        """How many get something."""
        return sum(share.readers for share in self.shares)


def decide(
    candidates: Sequence[Candidate], groups: Sequence[SubscriberGroup], patience: WaitRule
) -> DigestDecision:
    """Who gets what.

    `candidates` in the order of their numbers.
    """
    shares: dict[tuple[int, ...], list[SubscriberGroup]] = {}
    settled, waiting, few = [], [], 0
    wanted = {
        chosen: select_wanted(chosen, candidates) for chosen in {group.topics for group in groups}
    }
    for group in groups:
        owed = select_owed(group, wanted[group.topics])
        if not owed:
            settled.append(group)
        elif patience.waits(owed):
            waiting.append(group)
            few = max(few, len(owed))
        else:
            shares.setdefault(tuple(entry.id for entry in owed), []).append(group)
    made = [Share(entries, tuple(readers)) for entries, readers in shares.items()]
    made.sort(key=lambda share: (-len(share.entries), share.entries))
    return DigestDecision(tuple(made), tuple(settled), tuple(waiting), few)


def select_owed(group: SubscriberGroup, wanted: Sequence[Candidate]) -> list[Candidate]:
    """What a group has not had of what it wants."""
    missed = set(unpack_topics(group.missed))
    ahead = wanted[bisect_right(wanted, group.cursor, key=lambda entry: entry.seq) :]
    return [entry for entry in ahead if not entry.again or entry.id in missed]


def select_wanted(chosen: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """What a choice of topics lets through: everything where none was made; else what belongs to
    one of them, and what belongs to no topic at all, which is for everybody.
    """
    if not chosen:
        return list(candidates)
    topics = set(unpack_topics(chosen))
    return [entry for entry in candidates if not entry.topics or entry.topics & topics]
