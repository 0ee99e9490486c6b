"""Composes digests: once per list, cadence and period; to each reader every entry once, whatever he switches to.

A reader is owed the entries numbered after his cursor. Composing renders one edition for each set of entries that some
reader is owed, freezes who gets which, and moves the cursors, in one transaction that the list's row serialises.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, exists, func, literal, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db import reading, transaction
from newsletter.errors import Refused, TemplateProblem
from newsletter.mail.render import MailContent
from newsletter.models import (
    Campaign,
    CampaignEntry,
    Edition,
    Entry,
    MailingList,
    Period,
    Subscriber,
    Subscription,
    Suppression,
)
from newsletter.schedule import CADENCES, Cadence, latest_period
from newsletter.services import polling
from newsletter.services.editions import render
from newsletter.services.entries import matured
from newsletter.services.entries import owed as owed_now
from newsletter.services.environment import Environment
from newsletter.services.feeds import find_list
from newsletter.services.messages import ListView, view

NOTHING_NEW = "nothing new since the last one"
NOBODY = "nobody reads at this rhythm"


class _TakenCareOf(Exception):
    """Another worker has composed for these readers meanwhile; nothing of ours is kept."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A digest about to be composed: which entries each cursor is owed, up to number `through`."""

    list: ListView
    zone: ZoneInfo
    cadence: Cadence
    through: int
    owed: dict[int, tuple[Entry, ...]]
    readers: int

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Everything that somebody is owed."""
        return max(self.owed.values(), key=len, default=())


@dataclass(frozen=True, slots=True)
class Composed:
    """A digest that was composed, or (`campaign_id` None) was not, and why. `problem`: it will be tried again."""

    list: str
    cadence: str
    campaign_id: int | None
    subject: str
    entries: int
    recipients: int
    why: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """A digest as it would be if it were composed now."""

    subject: str
    text: str
    html: str
    entries: int
    recipients: int
    list_id: int
    content: MailContent


def compose_due(env: Environment) -> list[Composed]:
    """Composes every digest whose moment has come, and notes where there was nothing to mail."""
    with reading() as session:
        lists = [(row.id, _cadences(session, row)) for row in session.scalars(select(MailingList))]
    found = []
    for list_id, cadences in lists:
        for cadence in cadences:
            key = _due_key(env, list_id, cadence)
            if key is None:
                continue
            polling.refresh(env, list_id)
            try:
                composed = _compose(env, list_id, cadence, key)
            except TemplateProblem as error:  # of one list's own making; the others go out
                composed = Composed(str(list_id), cadence, None, "", 0, 0, "", problem=str(error))
            if composed:
                found.append(composed)
    return found


def _cadences(session: Session, mailing_list: MailingList) -> list[Cadence]:
    """Those offered, and those that readers still have though they are not offered any more."""
    kept = select(Subscription.cadence).where(Subscription.list_id == mailing_list.id, Subscription.status == "active")
    used = set(session.scalars(kept.distinct())) | set(mailing_list.cadences)
    return [cadence for cadence in CADENCES if cadence in used]


def _due_key(env: Environment, list_id: int, cadence: Cadence) -> str | None:
    """The period to compose now, if one is due and has not been dealt with."""
    with reading() as session:
        mailing_list = session.get_one(MailingList, list_id)
        if cadence == "instant":
            through = matured(session, mailing_list, env.now)
            entries = and_(Entry.list_id == list_id, owed_now(), Entry.seq > Subscription.cursor, Entry.seq <= through)
            owed = exists().where(_readers(list_id, cadence, env.now), entries)
            return _moment_key(env, through) if session.scalar(select(owed)) else None
        period = latest_period(cadence, mailing_list.schedule, env.now)
        if period.due_at <= mailing_list.schedule_since:
            return None
        return None if session.scalar(select(_dealt_with(list_id, cadence, period.key))) else period.key


def _moment_key(env: Environment, through: int) -> str:
    """The name of a digest that belongs to no period. Readers come back from a break at any time and are owed the same
    entries then, so the number alone would not do; that nobody is mailed twice is the cursors' doing."""
    return f"{through}@{env.now:%Y%m%dT%H%M%S%f}"


def _dealt_with(list_id: int, cadence: str, key: str) -> ColumnElement[bool]:
    return exists().where(Period.list_id == list_id, Period.cadence == cadence, Period.key == key)


def _readers(list_id: int, cadence: str, now: datetime) -> ColumnElement[bool]:
    """Who is mailed: active, at this rhythm, not on a break, not suppressed."""
    suppressed = exists().where(
        Suppression.email_key == Subscriber.email_key, Subscriber.id == Subscription.subscriber_id
    )
    return and_(
        Subscription.list_id == list_id,
        Subscription.status == "active",
        Subscription.cadence == cadence,
        or_(Subscription.paused_until.is_(None), Subscription.paused_until <= now),
        ~suppressed,
    )


def _plan(
    env: Environment, session: Session, mailing_list: MailingList, cadence: Cadence, *, hasty: bool = True
) -> Plan:
    """What each reader is owed now; without `hasty`, instant mails wait until their entries have matured."""
    patient = cadence == "instant" and not hasty
    through = matured(session, mailing_list, env.now) if patient else mailing_list.entry_seq
    readers = _readers(mailing_list.id, cadence, env.now)
    counted = select(Subscription.cursor, func.count()).where(readers, Subscription.cursor < through)
    cursors = {row[0]: int(row[1]) for row in session.execute(counted.group_by(Subscription.cursor))}
    entries = session.scalars(
        select(Entry)
        .where(
            Entry.list_id == mailing_list.id,
            owed_now(),
            Entry.seq > min(cursors, default=through),
            Entry.seq <= through,
        )
        .order_by(func.coalesce(Entry.published_at, Entry.found_at).desc(), Entry.id.desc())
    ).all()
    owed = {cursor: tuple(entry for entry in entries if (entry.seq or 0) > cursor) for cursor in cursors}
    owed = {cursor: found for cursor, found in owed.items() if found}
    count = sum(cursors[cursor] for cursor in owed)
    return Plan(view(env, mailing_list), mailing_list.zone, cadence, through, owed, count)


def _canonical(plan: Plan) -> dict[int, int]:
    """Readers owed the same entries share an edition, named by the number before their first entry."""
    return {cursor: min(entry.seq or 0 for entry in entries) - 1 for cursor, entries in plan.owed.items()}


def _compose(env: Environment, list_id: int, cadence: Cadence, key: str, *, hasty: bool = False) -> Composed | None:
    """Composes one digest; None where another worker has done it meanwhile."""
    with reading() as session:
        mailing_list = session.get_one(MailingList, list_id)
        plan = _plan(env, session, mailing_list, cadence, hasty=hasty)
        names = _canonical(plan)
        editions = {names[cursor]: render(env, plan.list, plan.zone, entries) for cursor, entries in plan.owed.items()}
        entry_ids = [entry.id for entry in plan.entries]
    try:
        with transaction() as session:
            session.execute(
                update(MailingList).where(MailingList.id == list_id).values(entry_seq=MailingList.entry_seq)
            )
            if session.scalar(select(_dealt_with(list_id, cadence, key))):
                return None
            return _freeze(env, session, plan, key, editions, names, entry_ids)
    except (IntegrityError, _TakenCareOf):
        return None


def _freeze(
    env: Environment,
    session: Session,
    plan: Plan,
    key: str,
    editions: dict[int, MailContent],
    names: dict[int, int],
    entry_ids: list[int],
) -> Composed:
    period = Period(list_id=plan.list.id, cadence=plan.cadence, key=key, why="", composed_at=env.now)
    session.add(period)
    if not editions:
        period.why = NOTHING_NEW
        return Composed(plan.list.slug, plan.cadence, None, "", 0, 0, NOTHING_NEW)
    campaign = _campaign(env, session, plan, editions)
    named = case(*((Subscription.cursor == cursor, literal(name)) for cursor, name in names.items()), else_=literal(0))
    chosen = and_(_readers(plan.list.id, plan.cadence, env.now), Subscription.cursor.in_(list(names)))
    count = outbox.freeze(session, campaign, select(Subscription.id, named).where(chosen), mail="digest", now=env.now)
    if not count:
        raise _TakenCareOf
    session.execute(
        update(Subscription).where(chosen).values(cursor=plan.through).execution_options(synchronize_session=False)
    )
    session.execute(
        update(Entry)
        .where(Entry.id.in_(entry_ids))
        .values(fate="sent", why="")
        .execution_options(synchronize_session=False)
    )
    session.add_all(
        CampaignEntry(campaign_id=campaign.id, entry_id=entry_id, position=position)
        for position, entry_id in enumerate(entry_ids)
    )
    period.campaign_id = campaign.id
    period.why = f"{len(entry_ids)} entries to {count} readers"
    return Composed(plan.list.slug, plan.cadence, campaign.id, campaign.subject, len(entry_ids), count, "")


def _campaign(env: Environment, session: Session, plan: Plan, editions: dict[int, MailContent]) -> Campaign:
    widest = editions[min(editions)]
    campaign = Campaign(
        list_id=plan.list.id, kind="digest", status="sending", subject=widest.subject, seed=secrets.token_hex(16),
        created_at=env.now, started_at=env.now,
    )  # fmt: skip
    session.add(campaign)
    session.flush()
    session.add_all(
        Edition(campaign_id=campaign.id, cursor=cursor, subject=found.subject, text=found.text, html=found.html)
        for cursor, found in editions.items()
    )
    return campaign


def preview(env: Environment, slug: str | None = None, cadence: Cadence | None = None) -> Preview:
    """The next digest as it would go out now. Raises `Refused` where there is nothing to show."""
    with reading() as session:
        mailing_list = find_list(session, slug)
        cadence = cadence or mailing_list.default_cadence  # type: ignore[assignment]
        plan = _plan(env, session, mailing_list, cadence)  # type: ignore[arg-type]
        entries = plan.entries or _ready(session, mailing_list)
        if not entries:
            raise Refused(f"{mailing_list.slug}: {NOTHING_NEW}", hint="`newsletter digest explain` says more")
        content = render(env, plan.list, plan.zone, entries)
        return Preview(
            content.subject, content.text, content.html, len(entries), plan.readers, mailing_list.id, content
        )


def _ready(session: Session, mailing_list: MailingList) -> tuple[Entry, ...]:
    """What has not been mailed yet, for a list that has no reader."""
    query = select(Entry).where(Entry.list_id == mailing_list.id, Entry.fate == "ready").order_by(Entry.seq.desc())
    return tuple(session.scalars(query))


def send_now(
    env: Environment, slug: str | None = None, cadence: Cadence | None = None, *, dry_run: bool = False
) -> list[Composed]:
    """Composes what is owed now, without waiting for its hour; readers of one `cadence`, or of all. With `dry_run`,
    only says what it would do."""
    with reading() as session:
        list_id = find_list(session, slug).id
    if not dry_run:
        polling.refresh(env, list_id)
    with reading() as session:
        mailing_list = session.get_one(MailingList, list_id)
        name = mailing_list.slug
        cadences = [cadence] if cadence else _cadences(session, mailing_list)
        plans = {each: _plan(env, session, mailing_list, each) for each in cadences}
        sizes = {each: (len(plan.entries), plan.readers, plan.through) for each, plan in plans.items()}
    found = []
    for each, (entries, readers, through) in sizes.items():
        if not readers or not entries:
            found.append(Composed(name, each, None, "", 0, 0, NOTHING_NEW if readers else _why_nobody(list_id, each)))
        elif dry_run:
            found.append(Composed(name, each, None, "", entries, readers, ""))
        elif composed := _compose(env, list_id, each, _moment_key(env, through), hasty=True):
            found.append(composed)
    return found


def _why_nobody(list_id: int, cadence: str) -> str:
    with reading() as session:
        query = select(
            exists().where(
                Subscription.list_id == list_id, Subscription.status == "active", Subscription.cadence == cadence
            )
        )
        return NOTHING_NEW if session.scalar(query) else NOBODY
