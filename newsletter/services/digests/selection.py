"""Select the entries that each group of subscribers receives in a digest, and who waits. Pure.

Subscribers at the same cursor who chose the same topics are one group. Groups that are owed the
same entries share an edition, so that a mail is rendered once however many receive it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from newsletter.services.lists.topics import unpack_topics


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry that may be mailed.

    `seq` is its number in its list, `since` the moment from which it could have gone out, `date`
    the entry's own date. `again`: it was mailed to some subscribers, withdrawn, and came back.
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
    """Subscribers with the same cursor and the same choice of topics.

    `topics` is their choice as `Subscription.topics` stores it; `language` is empty for the list's
    own. `missed` names the entries that came back which they were owed and did not get.
    """

    cursor: int
    topics: str
    count: int
    language: str = ""
    missed: str = ""


@dataclass(frozen=True, slots=True)
class WaitRule:
    """The rule by which a scheduled digest with few entries waits.

    It waits for `entries`, but no entry longer than `days`, counted until `next_due`: the moment of
    the digest after this one. Without `next_due` it does not wait.
    """

    entries: int = 1
    days: int = 14
    next_due: datetime | None = None
    zone: tzinfo = UTC

    def waits(self, owed: Sequence[Candidate]) -> bool:
        """Tell whether these entries wait for the next digest.

        They do not if the oldest of them would then have waited too long.
        """
        if self.next_due is None or len(owed) >= self.entries:
            return False
        first = min(entry.since for entry in owed).astimezone(self.zone).date()
        return (self.next_due.astimezone(self.zone).date() - first).days <= self.days


@dataclass(frozen=True, slots=True)
class Fixed:
    """The ids of the entries that a digest under review may carry, and of those left out.

    Whoever is owed another one waits for the next digest, which carries all that they are owed:
    nothing goes out unseen, and nobody misses anything.
    """

    entries: frozenset[int]
    left_out: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Share:
    """An edition to be made: ids of entries in the order of their numbers, and its groups."""

    entries: tuple[int, ...]
    groups: tuple[SubscriberGroup, ...]

    @property
    def subscribers(self) -> int:
        """The number of subscribers who get it."""
        return sum(group.count for group in self.groups)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages it is made in; its list's ("") is always one of them."""
        return tuple(sorted({"", *(group.language for group in self.groups)}))


@dataclass(frozen=True, slots=True)
class DigestDecision:
    """The outcome for each group of subscribers.

    `shares` are the editions to make; `settled` groups are owed nothing of what there is, so that
    their cursors move on; `waiting` groups wait for more, and the one that is owed most of them is
    owed `few` entries; `later` groups are owed entries that were not reviewed.
    """

    shares: tuple[Share, ...] = ()
    settled: tuple[SubscriberGroup, ...] = ()
    waiting: tuple[SubscriberGroup, ...] = ()
    few: int = 0
    later: tuple[SubscriberGroup, ...] = ()

    @property
    def entries(self) -> frozenset[int]:
        """The ids of all entries that some subscriber gets."""
        return frozenset(entry for share in self.shares for entry in share.entries)

    @property
    def subscribers(self) -> int:
        """The number of subscribers who get something."""
        return sum(share.subscribers for share in self.shares)

    def count_recipients(self, entry_id: int) -> int:
        """Count the subscribers who get an entry."""
        return sum(share.subscribers for share in self.shares if entry_id in share.entries)


def decide(
    candidates: Sequence[Candidate],
    groups: Sequence[SubscriberGroup],
    rule: WaitRule,
    fixed: Fixed | None = None,
) -> DigestDecision:
    """Decide for each group which of the `candidates`, in the order of numbers, it receives."""
    groups_by_entries: dict[tuple[int, ...], list[SubscriberGroup]] = {}
    settled: list[SubscriberGroup] = []
    waiting: list[SubscriberGroup] = []
    later: list[SubscriberGroup] = []
    few = 0
    choices = {group.topics for group in groups}
    by_topics = {topics: select_wanted(topics, candidates) for topics in choices}
    for group in groups:
        owed = select_owed(group, by_topics[group.topics])
        if fixed is not None:
            owed = [entry for entry in owed if entry.id not in fixed.left_out]
        if not owed:
            settled.append(group)
        elif fixed is not None and any(entry.id not in fixed.entries for entry in owed):
            later.append(group)
        elif rule.waits(owed):
            waiting.append(group)
            few = max(few, len(owed))
        else:
            groups_by_entries.setdefault(tuple(entry.id for entry in owed), []).append(group)
    shares = [Share(entries, tuple(members)) for entries, members in groups_by_entries.items()]
    shares.sort(key=lambda share: (-len(share.entries), share.entries))
    return DigestDecision(tuple(shares), tuple(settled), tuple(waiting), few, tuple(later))


def select_owed(group: SubscriberGroup, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Select the candidates of a group's topics that it has not received yet."""
    missed = set(unpack_topics(group.missed))
    first = bisect_right(candidates, group.cursor, key=lambda entry: entry.seq)
    return [entry for entry in candidates[first:] if not entry.again or entry.id in missed]


def select_wanted(topics: str, candidates: Collection[Candidate]) -> list[Candidate]:
    """Select the entries that a choice of topics lets through.

    Without a choice these are all. Entries that belong to no topic are for everybody.
    """
    if not topics:
        return list(candidates)
    chosen = set(unpack_topics(topics))
    return [entry for entry in candidates if not entry.topics or entry.topics & chosen]
