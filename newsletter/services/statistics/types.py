"""Data types of statistics, for commands, pages and the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from newsletter.outbox import Totals
from newsletter.services.bounce_events import Returned
from newsletter.services.campaigns.tapped_answers import QuestionResult
from newsletter.services.statistics.day_spans import DaySpan
from newsletter.services.statistics.messages import CodeCount, DomainCount, MinuteCount
from newsletter.vocabulary import CampaignKind, CampaignStatus

Counts = tuple[tuple[str, int], ...]
"""Names with their counts, the largest first."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source of sign-ups: a form, or a page ("": not known, "…": many pages together).

    Whoever confirmed in these days may have asked before them.
    """

    name: str
    requested: int
    confirmed: int

    @property
    def rate(self) -> float | None:
        """The share of requests that were confirmed, from 0 to 1; None without requests."""
        return min(self.confirmed / self.requested, 1.0) if self.requested else None


@dataclass(frozen=True, slots=True)
class SpanGrowth:
    """The growth in a span of days: joined, left, and active at its end."""

    days: DaySpan
    joined: int
    left: int
    active: int


@dataclass(frozen=True, slots=True)
class ListStatistics:
    """The numbers of a list from `first` to `last`, days in its time zone.

    `looked_on` is the day on which cadences and languages were counted, None before the first time.
    """

    list: str
    title: str
    timezone: str
    first: date
    last: date
    active: int
    pending: int
    suppressed: int
    growth: tuple[SpanGrowth, ...]
    joined: Counts
    left: Counts
    reasons: Counts
    unconfirmed: Counts
    forms: tuple[Source, ...]
    pages: tuple[Source, ...]
    slower: Counts
    faster: Counts
    suppressions: Counts
    files: Counts
    feed_readers: Counts
    archive_views: int
    cadences: Counts
    languages: Counts
    looked_on: date | None
    campaigns: tuple[CampaignNumbers, ...]


@dataclass(frozen=True, slots=True)
class Reactions:
    """The reactions of subscribers to a campaign, as far as they are reported.

    `unsubscribed` and `slower`: within seven days, by a link of a mail; `views` of its page in the
    archive.
    """

    unsubscribed: int = 0
    slower: int = 0
    views: int = 0


@dataclass(frozen=True, slots=True)
class CampaignNumbers:
    """A campaign with its numbers, one row of a table; `answers` counts those to its questions."""

    id: int
    list: str
    kind: CampaignKind
    subject: str
    status: CampaignStatus
    started_at: datetime | None
    totals: Totals
    returned: Returned
    reactions: Reactions
    answers: tuple[QuestionResult, ...] = ()


@dataclass(frozen=True, slots=True)
class MessageNumbers:
    """A campaign's messages, as counted at `counted_at` (None: not yet)."""

    counted_at: datetime | None = None
    minutes: tuple[MinuteCount, ...] = ()
    domains: tuple[DomainCount, ...] = ()
    codes: tuple[CodeCount, ...] = ()
    views_by_day: tuple[tuple[str, int], ...] = ()

    @property
    def deferred(self) -> int:
        """The number of recipients with at least one temporary refusal."""
        return sum(row.deferred for row in self.domains)
