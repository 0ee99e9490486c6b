"""What a digest would carry now, and to whom: read from the database for `owing.decide`.

Changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
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
from sqlalchemy import Integer as Whole
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.i18n import spoken
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
from newsletter.services.digests.layout import DigestStyle, style_of
from newsletter.services.digests.selection import (
    Candidate,
    DigestDecision,
    SubscriberGroup,
    WaitRule,
    decide,
)
from newsletter.services.lists import topics
from newsletter.services.mail_context import ListContext, make_list_context
from newsletter.services.polling.entries import owed_clause
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence


@dataclass(frozen=True, slots=True)
class Plan:
    """A digest about to be composed: entries up to number `through`, who gets which, and what
    stands at its head.
    """

    list: ListContext
    style: DigestStyle
    cadence: Cadence
    through: int
    candidates: tuple[Candidate, ...]
    decision: DigestDecision
    intro: Intro | None
    missed: ColumnElement[str]
    """Which entries that came back each subscription is owed, as SQL (`returned`)."""


def plan(
    env: Environment,
    session: Session,
    mailing_list: MailingList,
    cadence: Cadence,
    *,
    following: Period | None = None,
    hasty: bool = True,
) -> Plan:
    """The digest as it would be composed now.

    It waits for more entries only where `following`, the period after this one, is given; and an
    instant mail for its entries to mature, unless it is `hasty`.
    """
    patient = cadence == "instant" and not hasty
    through = find_matured(session, mailing_list, env.now) if patient else mailing_list.entry_seq
    behind = and_(readers_clause(mailing_list.id, cadence, env.now), Subscription.cursor < through)
    first = session.scalar(select(func.min(Subscription.cursor)).join(Subscriber).where(behind))
    first = through if first is None else first
    missed = returned_clause(session, mailing_list.id, after=first, through=through)
    groups = _groups(session, mailing_list, behind, missed)
    there = read_candidates(session, mailing_list.id, after=first, through=through)
    return Plan(
        make_list_context(env, mailing_list),
        style_of(session, mailing_list),
        cadence,
        through,
        tuple(there),
        decide(there, groups, wait_rule(mailing_list, following)),
        intros.find_intro(session, mailing_list.id, cadence),
        missed,
    )


def wait_rule(mailing_list: MailingList, following: Period | None) -> WaitRule:
    """How a list's scheduled digests wait."""
    due = following.due_at if following else None
    return WaitRule(
        mailing_list.digest_min_entries, mailing_list.digest_max_wait, due, mailing_list.zone
    )


def _groups(
    session: Session,
    mailing_list: MailingList,
    behind: ColumnElement[bool],
    missed: ColumnElement[str],
) -> list[SubscriberGroup]:
    stand = (Subscription.cursor, Subscription.topics, missed.label("missed"), Subscriber.language)
    each = (
        select(*stand)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(behind)
        .subquery()
    )
    by = (each.c.cursor, each.c.topics, each.c.missed, each.c.language)
    counted = session.execute(select(*by, func.count()).group_by(*by).order_by(*by))
    found: Counter[tuple[int, str, str, str]] = Counter()
    for cursor, chosen, again, language, count in counted:
        found[cursor, chosen, again, spoken(language, mailing_list.language)] += count
    return [
        SubscriberGroup(cursor, chosen, count, language, again)
        for (cursor, chosen, again, language), count in found.items()
    ]


def returned_clause(
    session: Session, list_id: int, *, after: int, through: int
) -> ColumnElement[str]:
    """Which of the entries that were mailed, withdrawn and came back a subscription is owed, as
    SQL: ids with commas behind them. Those that were numbered first after she joined, and that none
    of her editions carried.
    """
    query = select(Entry.id, Entry.seq, Entry.first_seq).where(
        Entry.list_id == list_id, owed_clause()
    )
    query = query.where(
        Entry.first_seq.is_not(None), Entry.seq > after, Entry.seq <= through
    ).order_by(Entry.id)
    found: ColumnElement[str] = literal("")
    for entry_id, seq, first in session.execute(query).all():
        carried = select(Edition.campaign_id, Edition.cursor, Edition.entries).where(
            Edition.campaign_id.in_(
                select(CampaignEntry.campaign_id).where(CampaignEntry.entry_id == entry_id)
            ),
            Edition.cursor != WEB,
        )
        had = {
            (campaign, number)
            for campaign, number, ids in session.execute(carried)
            if entry_id in ids
        }
        ahead = and_(
            Subscription.cursor < seq,
            Subscription.joined_seq < first,
            ~outbox.had_edition_clause(had),
        )
        found = found + case((ahead, f"{entry_id},"), else_="")
    return found


def read_candidates(
    session: Session, list_id: int, *, after: int, through: int, fates: Sequence[str] = FATES
) -> list[Candidate]:
    """The entries numbered after `after` and up to `through`, in the order of their numbers."""
    belongs = topics.build_topic_map(session, list_id)
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
            topics=belongs.of(row.categories, row.feed_id),
            # It was found, and its date had come.
            since=max(row.found_at, row.published_at or row.found_at),
            date=row.published_at or row.found_at,
            again=row.first_seq is not None,
        )
        for row in rows
    ]


def readers_clause(list_id: int, cadence: str, now: datetime) -> ColumnElement[bool]:
    """Build the condition that a digest of one cadence may be mailed to a subscription now."""
    return and_(
        Subscription.list_id == list_id,
        Subscription.cadence == cadence,
        mailable_clause(now),
    )


def find_matured(session: Session, mailing_list: MailingList, now: datetime) -> int:
    """The number up to which entries may go into instant mails: before the first that still waits
    for corrections, and that one of their readers has not had.
    """
    behind = exists().where(
        readers_clause(mailing_list.id, "instant", now), Subscription.cursor < Entry.seq
    )
    waits = select(func.min(Entry.seq)).where(
        Entry.list_id == mailing_list.id, owed_clause(), Entry.matures_at > now, behind
    )
    first = session.scalar(waits)
    return mailing_list.entry_seq if first is None else first - 1


def recipients_query(found: Plan, now: datetime) -> Select[tuple[int, int]]:
    """Who gets the digest, and which of its editions: (subscription id, number of the share)."""
    return _those_of(found, [share.groups for share in found.decision.shares], now)


def settled_query(found: Plan, now: datetime) -> Select[tuple[int, int]]:
    """Whom nothing of what there is concerns: (subscription id, 0)."""
    return _those_of(found, [found.decision.settled], now)


def _those_of(
    found: Plan, groups: Sequence[Sequence[SubscriberGroup]], now: datetime
) -> Select[tuple[int, int]]:
    rows = {
        (group.cursor, group.topics, group.missed, number)
        for number, each in enumerate(groups)
        for group in each
    }
    names = (
        column("cursor", Whole),
        column("topics", String),
        column("missed", String),
        column("edition", Whole),
    )
    owed_ = values(*names, name="owed").data(sorted(rows)).cte()
    stand = (
        Subscription.id,
        Subscription.cursor,
        Subscription.topics,
        found.missed.label("missed"),
    )
    each = (
        select(*stand)
        .join(Subscriber)
        .where(readers_clause(found.list.id, found.cadence, now))
        .subquery()
    )
    same = and_(*(each.c[name] == owed_.c[name] for name in ("cursor", "topics", "missed")))
    return select(each.c.id, owed_.c.edition).join(owed_, same)
