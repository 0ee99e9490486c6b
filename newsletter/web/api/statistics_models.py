"""The models of statistics in the API, the same as `newsletter stats --json` prints."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel

from newsletter.services.statistics.types import ListStatistics as Numbers
from newsletter.services.statistics.types import Source
from newsletter.web.api.models import Day, Sent, Slug

Counts = dict[str, int]


class StatisticsQuery(Sent):
    """The list to read the numbers of, and from which day on (by default the last 30 days)."""

    list: Slug | None = None
    since: Day | None = None


class GrowthOfPeriod(BaseModel):
    """Numbers of a span of days: joined, left, and active at its end."""

    first: date
    last: date
    joined: int
    left: int
    active: int


class SignUpSource(BaseModel):
    """Sign-ups of one form or page; `rate` is the confirmed part of those asked."""

    name: str
    requested: int
    confirmed: int
    rate: float | None


Periods = list[GrowthOfPeriod]
Sources = list[SignUpSource]


class ApiListStatistics(BaseModel):
    """The numbers of a list from `first` to `last`, days in its time zone.

    `joined` and `left` count by how, `cadences` and `languages` as they were on `looked_on`.
    """

    list: str
    first: date
    last: date
    active: int
    pending: int
    suppressed: int
    growth: Periods
    joined: Counts
    left: Counts
    reasons: Counts
    unconfirmed: Counts
    forms: Sources
    pages: Sources
    slower: Counts
    faster: Counts
    suppressions: Counts
    files: Counts
    feed_readers: Counts
    archive_views: int
    cadences: Counts
    languages: Counts
    looked_on: date | None


class Statistics(BaseModel):
    """The numbers of each list."""

    data: list[ApiListStatistics]


def describe_statistics(row: Numbers) -> ApiListStatistics:
    """Return the statistics of a list as an API model."""
    return ApiListStatistics(
        list=row.list,
        first=row.first,
        last=row.last,
        active=row.active,
        pending=row.pending,
        suppressed=row.suppressed,
        growth=[
            GrowthOfPeriod(
                first=growth.days.first,
                last=growth.days.last,
                joined=growth.joined,
                left=growth.left,
                active=growth.active,
            )
            for growth in row.growth
        ],
        joined=dict(row.joined),
        left=dict(row.left),
        reasons=dict(row.reasons),
        unconfirmed=dict(row.unconfirmed),
        forms=[_describe_source(source) for source in row.forms],
        pages=[_describe_source(source) for source in row.pages],
        slower=dict(row.slower),
        faster=dict(row.faster),
        suppressions=dict(row.suppressions),
        files=dict(row.files),
        feed_readers=dict(row.feed_readers),
        archive_views=row.archive_views,
        cadences=dict(row.cadences),
        languages=dict(row.languages),
        looked_on=row.looked_on,
    )


def _describe_source(source: Source) -> SignUpSource:
    return SignUpSource(
        name=source.name, requested=source.requested, confirmed=source.confirmed, rate=source.rate
    )
