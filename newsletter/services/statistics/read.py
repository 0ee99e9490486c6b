"""Read the statistics of lists and campaigns from the stored totals.

Nothing here walks over subscribers or deliveries; the active subscriptions of a small list are
counted, which an index answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading
from newsletter.models import Campaign, CampaignFigures, MailingList, Subscription
from newsletter.services import bounce_events, figure_reading, suppressions
from newsletter.services.campaigns import identify, tapped_answers
from newsletter.services.campaigns.totals import read_totals
from newsletter.services.lookup import get_list
from newsletter.services.runtime import Environment
from newsletter.services.statistics.day_spans import divide_days
from newsletter.services.statistics.messages import CodeCount, DomainCount, MinuteCount
from newsletter.services.statistics.types import (
    CampaignNumbers,
    Counts,
    ListStatistics,
    MessageNumbers,
    Reactions,
    Source,
    SpanGrowth,
)
from newsletter.statistics_vocabulary import Figure
from newsletter.vocabulary import SubscriptionStatus

DAYS = 30
"""Days shown by default."""
CAMPAIGNS_AT_MOST = 10
LARGE = 50_000
"""Active subscribers up to which a page counts them itself."""
NAMES_AT_MOST = 12
"""The most names of one figure that are shown, such as pages of forms."""
REACTIONS = (Figure.LEFT, Figure.SLOWER, Figure.VIEWED)
TEN_MINUTES = timedelta(minutes=10)


def read_lists(
    env: Environment, list_ids: Collection[int], *, since: date | None = None
) -> list[ListStatistics]:
    """Read the statistics of several lists, by default of the last 30 days."""
    with reading() as session:
        query = select(MailingList).where(MailingList.id.in_(list_ids)).order_by(MailingList.id)
        return [_read_list(env, session, row, since) for row in session.scalars(query)]


def get_list_ids(slug: str | None = None) -> list[int]:
    """Return the ids of all lists, or of one.

    Raises `NotFound`.
    """
    with reading() as session:
        if slug is not None:
            return [get_list(session, slug).id]
        return list(session.scalars(select(MailingList.id).order_by(MailingList.id)))


@dataclass(frozen=True, slots=True)
class ListTitle:
    """A list to choose from: its id, slug and title."""

    id: int
    slug: str
    title: str


def list_titles(list_ids: Collection[int]) -> list[ListTitle]:
    """List the titles of several lists, in the order in which they were created."""
    query = select(MailingList.id, MailingList.slug, MailingList.title)
    chosen = query.where(MailingList.id.in_(list_ids)).order_by(MailingList.id)
    with reading() as session:
        return [ListTitle(*row) for row in session.execute(chosen)]


def _read_list(
    env: Environment, session: Session, row: MailingList, since: date | None
) -> ListStatistics:
    last = env.now.astimezone(row.zone).date()
    first = min(since or last - timedelta(days=DAYS - 1), last)
    if since is not None:  # nothing was counted before
        oldest = figure_reading.find_first_day(session, row.id)
        first = max(first, date.fromisoformat(oldest) if oldest else row.created_at.date())
        first = min(first, last)
    sums = figure_reading.sum_of_list(session, row.id, str(first), str(last))
    looked_on, cadences = figure_reading.read_states(session, row.id, Figure.CADENCE, str(last))
    active = _count_active(session, row.id, cadences.total())
    _, languages = figure_reading.read_states(session, row.id, Figure.LANGUAGE, str(last))
    _, readers = figure_reading.read_states(session, row.id, Figure.FEED_READERS, str(last))
    return ListStatistics(
        list=row.slug,
        title=row.title,
        timezone=row.timezone,
        first=first,
        last=last,
        active=active,
        pending=_count(session, row.id, SubscriptionStatus.PENDING),
        suppressed=_count_suppressed(session, row.id, str(last)),
        growth=_read_growth(session, row.id, first, last, active),
        joined=_rank(sums[Figure.JOINED]),
        left=_rank(sums[Figure.LEFT]),
        reasons=_rank(sums[Figure.REASON]),
        unconfirmed=_rank(sums[Figure.UNCONFIRMED]),
        forms=_join_sources(sums[Figure.ASKED], sums[Figure.CONFIRMED]),
        pages=_join_sources(sums[Figure.ASKED_PAGE], sums[Figure.CONFIRMED_PAGE]),
        slower=_rank(sums[Figure.SLOWER]),
        faster=_rank(sums[Figure.FASTER]),
        suppressions=_rank(sums[Figure.SUPPRESSED]),
        files=_rank(sums[Figure.FETCHED]),
        feed_readers=_rank(readers),
        archive_views=sums[Figure.VIEWED].total(),
        cadences=_rank(cadences),
        languages=_rank(languages),
        looked_on=date.fromisoformat(looked_on) if looked_on else None,
        campaigns=_read_campaigns(session, row.id, first, row),
    )


def _count_active(session: Session, list_id: int, counted: int) -> int:
    """Return a list's number of active subscriptions; of a large list, the last hourly count."""
    return counted if counted > LARGE else _count(session, list_id, SubscriptionStatus.ACTIVE)


def _count_suppressed(session: Session, list_id: int, last: str) -> int:
    """Return the number of suppressed subscriptions of a list; of many, the last hourly count."""
    if suppressions.has_many(session):
        day, counted = figure_reading.read_states(session, list_id, Figure.NEVER_MAILED, last)
        if day:
            return counted.total()
    return suppressions.count_suppressed(session, list_id)


def _count(session: Session, list_id: int, status: SubscriptionStatus) -> int:
    query = select(func.count()).where(
        Subscription.list_id == list_id, Subscription.status == status
    )
    return session.scalar(query) or 0


def _read_growth(
    session: Session, list_id: int, first: date, last: date, active: int
) -> tuple[SpanGrowth, ...]:
    """Read the growth by spans of days, computing past sizes from the current one."""
    sums = figure_reading.sum_by_day(session, list_id, (Figure.JOINED, Figure.LEFT), str(first))
    rows = []
    for span in reversed(divide_days(first, last)):
        days = _name_days(span.first, span.last)
        joined = sum(sums[Figure.JOINED][day] for day in days)
        left = sum(sums[Figure.LEFT][day] for day in days)
        rows.append(SpanGrowth(span, joined, left, max(active, 0)))
        active += left - joined
    return tuple(reversed(rows))


def _name_days(first: date, last: date) -> list[str]:
    return [str(first + timedelta(days=number)) for number in range((last - first).days + 1)]


def _rank(counts: Mapping[str, int]) -> Counts:
    """Sort names by count, and sum up those beyond `NAMES_AT_MOST` as "…"."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if len(ranked) <= NAMES_AT_MOST:
        return tuple(ranked)
    rest = sum(count for _, count in ranked[NAMES_AT_MOST:])
    return (*ranked[:NAMES_AT_MOST], ("…", rest))


def _join_sources(requested: Mapping[str, int], confirmed: Mapping[str, int]) -> tuple[Source, ...]:
    names = sorted({*requested, *confirmed}, key=lambda name: (-requested.get(name, 0), name))
    sources = [Source(name, requested.get(name, 0), confirmed.get(name, 0)) for name in names]
    if len(sources) <= NAMES_AT_MOST:
        return tuple(sources)
    rest = sources[NAMES_AT_MOST:]
    together = Source("…", sum(row.requested for row in rest), sum(row.confirmed for row in rest))
    return (*sources[:NAMES_AT_MOST], together)


def _read_campaigns(
    session: Session, list_id: int, first: date, mailing_list: MailingList
) -> tuple[CampaignNumbers, ...]:
    since = datetime.combine(first, datetime.min.time(), mailing_list.zone).astimezone(UTC)
    query = (
        select(Campaign)
        .where(Campaign.list_id == list_id, Campaign.started_at >= since)
        .order_by(Campaign.id.desc())
        .limit(CAMPAIGNS_AT_MOST)
    )
    rows = session.scalars(query).all()
    reactions = read_reactions(session, rows)
    returned = bounce_events.count_returned_by_campaign(session, [row.id for row in rows])
    answers = tapped_answers.read_results_by_campaign(session, rows)
    return tuple(
        CampaignNumbers(
            row.id,
            mailing_list.slug,
            row.kind,
            row.subject,
            row.status,
            row.started_at,
            read_totals(session, row),
            returned[row.id],
            reactions[row.id],
            answers[row.id],
        )
        for row in rows
    )


def read_reactions(session: Session, campaigns: Sequence[Campaign]) -> dict[int, Reactions]:
    """Read the reactions to several campaigns: departures, slower cadences, views."""
    pairs = [(row.list_id, row.id) for row in campaigns]
    sums = figure_reading.sum_of_campaigns(session, pairs, REACTIONS)
    return {
        campaign_id: Reactions(counts[Figure.LEFT], counts[Figure.SLOWER], counts[Figure.VIEWED])
        for campaign_id, counts in sums.items()
    }


def read_reactions_by_id(campaign_ids: Collection[int]) -> dict[int, Reactions]:
    """Read the reactions to several campaigns, given by their ids."""
    with reading() as session:
        query = select(Campaign).where(Campaign.id.in_(campaign_ids))
        return read_reactions(session, session.scalars(query).all())


def read_messages(campaign_id: int) -> tuple[MessageNumbers, Reactions]:
    """Read the stored counts of a campaign's messages, and the reactions to it.

    Raises `NotFound`.
    """
    with reading() as session:
        campaign = identify.get_campaign(session, campaign_id)
        row = session.get(CampaignFigures, campaign_id)
        deferrals = figure_reading.read_of_campaign(
            session, campaign.list_id, campaign_id, Figure.DEFERRED
        )
        views = figure_reading.read_of_campaign(
            session, campaign.list_id, campaign_id, Figure.VIEWED
        )
        deferred: Counter[str] = Counter()
        for _, name, count in deferrals:
            deferred[name] += count
        numbers = MessageNumbers(views_by_day=tuple((day, count) for day, _, count in views))
        if row is not None and campaign.started_at is not None:
            numbers = MessageNumbers(
                row.counted_at,
                _join_minutes(campaign.started_at, row.figures["minutes"], deferred),
                tuple(DomainCount(*domain) for domain in row.figures["domains"]),
                tuple(CodeCount(*code) for code in row.figures["codes"]),
                numbers.views_by_day,
            )
        return numbers, read_reactions(session, [campaign])[campaign_id]


def _join_minutes(
    started_at: datetime, settled: Sequence[Sequence[object]], deferred: Mapping[str, int]
) -> tuple[MinuteCount, ...]:
    counts: dict[str, list[int]] = {}
    for name, accepted, refused in settled:
        counts[str(name)] = [int(str(accepted)), 0, int(str(refused))]
    for name, count in deferred.items():
        counts.setdefault(name, [0, 0, 0])[1] = count
    begin = datetime.fromisoformat(f"{started_at.astimezone(UTC):%Y-%m-%d %H:%M}"[:15] + "0")
    return tuple(
        MinuteCount(
            max(int((datetime.fromisoformat(f"{name}0") - begin) / TEN_MINUTES) * 10, 0), *row
        )
        for name, row in sorted(counts.items())
    )
