"""Plan a digest: read candidates and groups of subscribers, and have selection.decide select.

Nothing here changes the database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    and_,
    case,
    column,
    exists,
    func,
    literal,
    select,
    values,
)
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.i18n import find_other_language
from newsletter.models import (
    CampaignEntry,
    Edition,
    Entry,
    MailingList,
    Subscriber,
    Subscription,
)
from newsletter.models.campaigns import WEB
from newsletter.models.feeds import FATES
from newsletter.schedule import Period
from newsletter.services.audience.mailable import mailable_clause
from newsletter.services.digests import intros
from newsletter.services.digests.intros import Intro
from newsletter.services.digests.layout import DigestStyle, read_style
from newsletter.services.digests.reviews import Review
from newsletter.services.digests.selection import (
    Candidate,
    DigestDecision,
    Fixed,
    SubscriberGroup,
    decide,
)
from newsletter.services.digests.timing import make_rule
from newsletter.services.lists import topics
from newsletter.services.mail_context import ListContext, make_list_context
from newsletter.services.polling.entry_state import owed_clause
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence

LOOKED_AT_MOST = 1_000
"""The most entries that a page reads: a subscriber may have been paused for years."""


@dataclass(frozen=True, slots=True)
class DigestPlan:
    """A planned digest: its entries, editions and recipients.

    It carries entries up to number `through`. `missed` is SQL: the entries that came back which a
    subscription is owed (`missed_clause`). `moment`: who may be mailed then is counted.
    `cut`: no more were counted, and others may get it, too.
    """

    list: ListContext
    style: DigestStyle
    cadence: Cadence
    through: int
    candidates: tuple[Candidate, ...]
    decision: DigestDecision
    intro: Intro | None
    missed: ColumnElement[str]
    moment: datetime
    cut: bool = False


def make_plan(
    env: Environment,
    session: Session,
    mailing_list: MailingList,
    cadence: Cadence,
    *,
    following: Period | None = None,
    hasty: bool = True,
    review: Review | None = None,
    moment: datetime | None = None,
    count_at_most: int | None = None,
) -> DigestPlan:
    """Plan the digest of a cadence as it would be composed now.

    It waits for more entries only if `following`, the period after this one, is given. An instant
    mail waits for its entries to mature, unless it is `hasty`. A `review` says what it may carry.
    With `moment` it is for those who may be mailed then. With `count_at_most` only so many
    subscribers are looked at, for a page: those who are owed most, so that its entries are all; and
    of what they are owed the newest (`LOOKED_AT_MOST`).
    """
    moment = moment or env.now
    fixed = make_fixed(review) if review is not None else None
    waits_for_corrections = cadence is Cadence.INSTANT and not hasty and not fixed
    through = mailing_list.entry_seq
    if review is not None and fixed:
        through = review.through
    elif waits_for_corrections:
        through = find_matured(session, mailing_list, env.now)
    behind = and_(
        recipients_clause(mailing_list.id, cadence, moment), Subscription.cursor < through
    )
    lowest = session.scalar(select(func.min(Subscription.cursor)).join(Subscriber).where(behind))
    after = through if lowest is None else lowest
    if count_at_most is not None:
        after = max(after, through - LOOKED_AT_MOST)
    missed = missed_clause(session, mailing_list.id, after=after, through=through)
    groups = _count_groups(session, mailing_list, behind, missed, count_at_most)
    candidates = read_candidates(session, mailing_list.id, after=after, through=through)
    return DigestPlan(
        make_list_context(env, mailing_list),
        read_style(session, mailing_list),
        cadence,
        through,
        tuple(candidates),
        decide(candidates, groups, make_rule(mailing_list, following, fixed, candidates), fixed),
        intros.find_intro(session, mailing_list.id, cadence),
        missed,
        moment,
        cut=sum(group.count for group in groups) == count_at_most,
    )


def make_fixed(review: Review) -> Fixed | None:
    """Return the entries that a review has fixed, or None."""
    if review.entries is None:
        return None
    return Fixed(frozenset(review.entries), review.left_out)


def _count_groups(
    session: Session,
    mailing_list: MailingList,
    behind: ColumnElement[bool],
    missed: ColumnElement[str],
    at_most: int | None,
) -> list[SubscriberGroup]:
    places = (
        select(
            Subscription.cursor, Subscription.topics, missed.label("missed"), Subscriber.language
        )
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(behind)
        .order_by(*([Subscription.cursor] if at_most is not None else []))
        .limit(at_most)
        .subquery()
    )
    place = (places.c.cursor, places.c.topics, places.c.missed, places.c.language)
    rows = session.execute(select(*place, func.count()).group_by(*place).order_by(*place))
    counts: Counter[tuple[int, str, str, str]] = Counter()
    for cursor, choice, missed_ids, language, count in rows:
        counts[
            cursor, choice, missed_ids, find_other_language(language, mailing_list.language)
        ] += count
    return [
        SubscriberGroup(cursor, choice, count, language, missed_ids)
        for (cursor, choice, missed_ids, language), count in counts.items()
    ]


def missed_clause(
    session: Session, list_id: int, *, after: int, through: int
) -> ColumnElement[str]:
    """Build the condition for returned entries that a subscription is still owed.

    These entries were mailed, withdrawn and found again. A subscription is owed those that were
    numbered first after it began and that none of its editions carried. The value is ids, each
    with a comma after it.
    """
    query = select(Entry.id, Entry.seq, Entry.first_seq).where(
        Entry.list_id == list_id, owed_clause()
    )
    query = query.where(
        Entry.first_seq.is_not(None), Entry.seq > after, Entry.seq <= through
    ).order_by(Entry.id)
    ids: ColumnElement[str] = literal("")
    for entry_id, seq, first_seq in session.execute(query).all():
        editions = select(Edition.campaign_id, Edition.cursor, Edition.entries).where(
            Edition.campaign_id.in_(
                select(CampaignEntry.campaign_id).where(CampaignEntry.entry_id == entry_id)
            ),
            Edition.cursor != WEB,
        )
        carried_by = {
            (campaign_id, number)
            for campaign_id, number, entry_ids in session.execute(editions)
            if entry_id in entry_ids
        }
        is_owed = and_(
            Subscription.cursor < seq,
            Subscription.joined_seq < first_seq,
            ~outbox.had_edition_clause(carried_by),
        )
        ids = ids + case((is_owed, f"{entry_id},"), else_="")
    return ids


def read_candidates(
    session: Session, list_id: int, *, after: int, through: int, fates: Sequence[str] = FATES
) -> list[Candidate]:
    """Read the entries numbered after `after` and up to `through`, in that order."""
    topic_map = topics.build_topic_map(session, list_id)
    rows = session.execute(
        select(
            Entry.id,
            Entry.seq,
            Entry.first_seq,
            Entry.categories,
            Entry.feed_id,
            Entry.found_at,
            Entry.published_at,
        )
        .where(
            Entry.list_id == list_id,
            owed_clause(),
            Entry.fate.in_(fates),
            Entry.seq > after,
            Entry.seq <= through,
        )
        .order_by(Entry.seq)
    )
    return [
        Candidate(
            id=row.id,
            seq=row.seq or 0,
            feed_id=row.feed_id,
            topics=topic_map.of(row.categories, row.feed_id),
            # An entry could go out once it was found and its date had come.
            since=max(row.found_at, row.published_at or row.found_at),
            date=row.published_at or row.found_at,
            again=row.first_seq is not None,
        )
        for row in rows
    ]


def recipients_clause(list_id: int, cadence: Cadence, now: datetime) -> ColumnElement[bool]:
    """Build the condition that a digest of one cadence may be mailed to a subscription now."""
    return and_(
        Subscription.list_id == list_id,
        Subscription.cadence == cadence,
        mailable_clause(now),
    )


def find_matured(session: Session, mailing_list: MailingList, now: datetime) -> int:
    """Return the number up to which entries are past their grace period.

    It stops before the first entry that still waits for corrections and that one of the subscribers
    has not had.
    """
    is_owed = exists().where(
        recipients_clause(mailing_list.id, Cadence.INSTANT, now), Subscription.cursor < Entry.seq
    )
    query = select(func.min(Entry.seq)).where(
        Entry.list_id == mailing_list.id, owed_clause(), Entry.matures_at > now, is_owed
    )
    first = session.scalar(query)
    return mailing_list.entry_seq if first is None else first - 1


def recipients_query(plan: DigestPlan, now: datetime) -> Select[int, int]:
    """Select the recipients of the digest: (subscription id, number of the edition)."""
    return _members_query(plan, [share.groups for share in plan.decision.shares], now)


def settled_query(plan: DigestPlan, now: datetime) -> Select[int, int]:
    """Select the subscriptions that are owed none of the candidates: (subscription id, 0)."""
    return _members_query(plan, [plan.decision.settled], now)


def _members_query(
    plan: DigestPlan, editions: Sequence[Sequence[SubscriberGroup]], now: datetime
) -> Select[int, int]:
    """Select the members of groups, each with the number of its edition."""
    rows = {
        (group.cursor, group.topics, group.missed, number)
        for number, groups in enumerate(editions)
        for group in groups
    }
    columns = (
        column("cursor", Integer),
        column("topics", String),
        column("missed", String),
        column("edition", Integer),
    )
    groups_ = values(*columns, name="owed").data(sorted(rows)).cte()
    members = (
        select(
            Subscription.id,
            Subscription.cursor,
            Subscription.topics,
            plan.missed.label("missed"),
        )
        .join(Subscriber)
        .where(recipients_clause(plan.list.id, plan.cadence, now))
        .subquery()
    )
    in_group = and_(
        *(members.c[name] == groups_.c[name] for name in ("cursor", "topics", "missed"))
    )
    return select(members.c.id, groups_.c.edition).join(groups_, in_group)
