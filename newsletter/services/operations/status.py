"""Summarise each list: subscribers, growth, next digests, campaigns and problems."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

from sqlalchemy import Exists, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.bounce_vocabulary import BounceEffect
from newsletter.db.session import reading
from newsletter.models import Campaign, Feed, MailingList, Subscriber, Subscription, Suppression
from newsletter.outbox import Totals
from newsletter.services import (
    bounce_events,
    domain_rest,
    installation,
    sender_state,
    suppressions,
    workers,
)
from newsletter.services.campaigns.totals import read_totals
from newsletter.services.checks import Check
from newsletter.services.digests import explain_list
from newsletter.services.digests.outlook import Outlook
from newsletter.services.operations import watch
from newsletter.services.runtime import Environment
from newsletter.services.sender_state import State
from newsletter.vocabulary import (
    Cadence,
    CampaignKind,
    CampaignStatus,
    SubscriptionStatus,
    SuppressionReason,
)

DAYS = 30


@dataclass(frozen=True, slots=True)
class Growth:
    """Subscribers who joined on each of the last 30 days, today last, and the number who left.

    Whoever had left already where they were imported from did not leave here.
    """

    joined: tuple[int, ...]
    left: int


@dataclass(frozen=True, slots=True)
class Coming:
    """The next digest of a cadence; `at` is None if it goes out as soon as an entry is ready."""

    cadence: Cadence
    at: datetime | None
    verdict: str


@dataclass(frozen=True, slots=True)
class CampaignSummary:
    """A campaign that is being sent, scheduled, or was sent last."""

    id: int
    kind: CampaignKind
    subject: str
    status: CampaignStatus
    reason: str
    at: datetime | None
    totals: Totals


@dataclass(frozen=True, slots=True)
class ListStatus:
    """The status of one list.

    `failing`: its feeds that cannot be read, each with the reason.
    """

    list: str
    title: str
    timezone: str
    active: int
    pending: int
    unsubscribed: int
    suppressed: int
    growth: Growth
    coming: tuple[Coming, ...]
    under_way: tuple[CampaignSummary, ...]
    last: CampaignSummary | None
    feeds: int
    failing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """The status of an installation.

    `ticked_at`: when a worker was last seen; bounces and complaints of 30 days; `hold`: nothing is
    mailed, and why; `sending`: why mail leaves slowly or not at all; `unknown` returned mails are
    not understood or not proved, and `proposals` replies ask to be unsubscribed; `troubles` grow
    where nobody looks; `resting`: domains of recipients that refuse our mail for now.
    """

    now: datetime
    lists: tuple[ListStatus, ...]
    waiting: int
    next_due_at: datetime | None
    bounces: int
    complaints: int
    ticked_at: datetime | None
    hold: installation.Hold | None
    sending: tuple[State, ...] = ()
    unknown: int = 0
    proposals: int = 0
    troubles: tuple[Check, ...] = ()
    resting: tuple[domain_rest.RestingDomain, ...] = ()


def read_status(env: Environment, slug: str | None = None) -> Status:
    """Read the status of every list, or of the list `slug`.

    Raises `NotFound`.
    """
    outlooks = {}
    with reading() as session:
        query = select(MailingList).order_by(MailingList.id)
        slugs = [row.slug for row in session.scalars(query)] if slug is None else [slug]
    for list_slug in slugs:
        outlooks[list_slug] = explain_list.explain(env, list_slug).outlooks
    with reading() as session:
        rows = session.scalars(query.where(MailingList.slug.in_(slugs))).all()
        lists = tuple(_list(env, session, row, outlooks[row.slug]) for row in rows)
        recent = Suppression.created_at > env.now - timedelta(days=DAYS)
        reasons = select(Suppression.reason, func.count()).where(recent, ~_never_active_clause())
        suppressed = {
            reason: int(count)
            for reason, count in session.execute(reasons.group_by(Suppression.reason))
        }
        waiting = outbox.count_waiting(session)
        next_due = outbox.find_next_due(session)
        unknown = bounce_events.count(session, bounce_events.UNKNOWN)
        proposals = bounce_events.count(session, (BounceEffect.PROPOSED,))
        states = sender_state.read_states(session, env.now)
        resting = domain_rest.list_resting(session, env.now)
    bounces = suppressed.get(SuppressionReason.BOUNCE, 0)
    complaints = suppressed.get(SuppressionReason.COMPLAINT, 0)
    hold = installation.find_hold()
    return Status(
        env.now,
        lists,
        waiting,
        next_due,
        bounces,
        complaints,
        workers.find_last_tick(),
        hold,
        states,
        unknown,
        proposals,
        tuple(watch.list_troubles(env)),
        resting,
    )


def _never_active_clause() -> Exists:
    """Build the condition for suppressed addresses that never were active subscribers."""
    same_address = (
        Subscriber.email_key == Suppression.email_key,
        Subscription.subscriber_id == Subscriber.id,
    )
    return exists().where(
        *same_address,
        Subscription.status == SubscriptionStatus.UNSUBSCRIBED,
        Subscription.confirmed_at.is_(None),
    )


def _list(
    env: Environment, session: Session, row: MailingList, outlooks: tuple[Outlook, ...]
) -> ListStatus:
    counted = select(Subscription.status, func.count()).where(Subscription.list_id == row.id)
    count = {
        status: int(number)
        for status, number in session.execute(counted.group_by(Subscription.status))
    }
    suppressed = suppressions.count_suppressed(session, row.id)
    feeds = session.scalars(select(Feed).where(Feed.list_id == row.id)).all()
    under_way = select(Campaign).where(
        Campaign.list_id == row.id,
        Campaign.status.in_(
            (CampaignStatus.SCHEDULED, CampaignStatus.SENDING, CampaignStatus.PAUSED)
        ),
    )
    last = (
        select(Campaign)
        .where(Campaign.list_id == row.id, Campaign.status == CampaignStatus.SENT)
        .order_by(Campaign.id.desc())
    )
    latest = session.scalars(last.limit(1)).first()
    return ListStatus(
        list=row.slug,
        title=row.title,
        timezone=row.timezone,
        active=count.get(SubscriptionStatus.ACTIVE, 0) - suppressed,
        pending=count.get(SubscriptionStatus.PENDING, 0),
        unsubscribed=count.get(SubscriptionStatus.UNSUBSCRIBED, 0),
        suppressed=suppressed,
        growth=_count_growth(env, session, row),
        coming=tuple(
            Coming(
                outlook.cadence,
                None if outlook.overdue else outlook.next_at,
                f"now, overdue: {outlook.verdict}" if outlook.overdue else outlook.verdict,
            )
            for outlook in outlooks
            if outlook.subscribers
        ),
        under_way=tuple(
            _summarize(session, item) for item in session.scalars(under_way.order_by(Campaign.id))
        ),
        last=_summarize(session, latest) if latest else None,
        feeds=len(feeds),
        failing=tuple(
            f"{feed.url}: {feed.error} ({feed.failures} times)" for feed in feeds if feed.error
        ),
    )


def _summarize(session: Session, row: Campaign) -> CampaignSummary:
    at = (
        row.scheduled_at
        if row.status == CampaignStatus.SCHEDULED
        else row.finished_at or row.started_at
    )
    return CampaignSummary(
        row.id, row.kind, row.subject, row.status, row.reason, at, read_totals(session, row)
    )


def _count_growth(env: Environment, session: Session, row: MailingList) -> Growth:
    """Count joins and departures by day, in the list's time zone."""
    today = env.now.astimezone(row.zone).date()
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -2, -1)]
    starts = [datetime.combine(day, time(), row.zone).astimezone(UTC) for day in days]
    joined = [
        func.sum(
            case(
                (and_(Subscription.confirmed_at >= begin, Subscription.confirmed_at < end), 1),
                else_=0,
            )
        )
        for begin, end in pairwise(starts)
    ]
    was_active = Subscription.confirmed_at.is_not(None)
    left = func.sum(case((and_(Subscription.unsubscribed_at >= starts[0], was_active), 1), else_=0))
    recent = or_(Subscription.confirmed_at >= starts[0], Subscription.unsubscribed_at >= starts[0])
    counted = session.execute(
        select(left, *joined).where(Subscription.list_id == row.id, recent)
    ).one()
    return Growth(tuple(int(number or 0) for number in counted[1:]), int(counted[0] or 0))
