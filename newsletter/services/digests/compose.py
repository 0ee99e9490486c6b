"""Makes one digest: renders an edition for each set of entries that somebody is owed, freezes who
gets which, and moves the cursors, in one transaction that the list's row serialises.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import reading, rehearsal, transaction
from newsletter.errors import Conflict
from newsletter.mail.render import MailContent, fill_web_url
from newsletter.models import (
    Campaign,
    CampaignEntry,
    DigestPeriod,
    Edition,
    Entry,
    MailingList,
    Subscription,
)
from newsletter.models.campaigns import WEB
from newsletter.schedule import Period as Moment
from newsletter.services.digests import intros
from newsletter.services.digests.layout import Editor
from newsletter.services.digests.plan import Plan, plan, recipients_query, settled_query
from newsletter.services.digests.selection import Candidate, DigestDecision
from newsletter.services.polling.entries import owed_clause
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence, MailKind

NOTHING_NEW = "nothing new since the last one"


class _TakenCareOf(Exception):
    """Something has changed meanwhile (another worker composed, an entry was held): nothing of ours
    is kept.
    """


@dataclass(frozen=True, slots=True)
class Due:
    """A digest whose moment has come.

    `following` is the next one of its rhythm; None where it does not wait. `hasty`: instant mails
    do not wait for corrections either.
    """

    list_id: int
    cadence: Cadence
    key: str
    following: Moment | None = None
    hasty: bool = False


@dataclass(frozen=True, slots=True)
class Composed:
    """A digest that was composed, or (`campaign_id` None) was not, and why.

    `problem`: it will be tried again.
    """

    list: str
    cadence: str
    campaign_id: int | None
    subject: str
    entries: int
    recipients: int
    why: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Mail:
    """One edition: its number, what it carries, and what it says in one language."""

    number: int
    entries: tuple[int, ...]
    language: str
    content: MailContent


def compose(env: Environment, due: Due, *, rehearse: bool = False) -> Composed | None:
    """Compose one digest; None where another worker has done it, or something it carries was
    changed, meanwhile.

    With `rehearse` everything is done and rolled back.
    """
    with reading() as session:
        mailing_list = session.get_one(MailingList, due.list_id)
        found = plan(
            env, session, mailing_list, due.cadence, following=due.following, hasty=due.hasty
        )
        mails = _render(env, session, found) if found.decision.shares else []
    try:
        with rehearsal() if rehearse else transaction() as session:
            session.execute(
                update(MailingList)
                .where(MailingList.id == due.list_id)
                .values(entry_seq=MailingList.entry_seq)
            )
            if session.scalar(select(composed_clause(due.list_id, due.cadence, due.key))):
                return None
            _settle(env, session, found)
            return _freeze(env, session, found, due, mails)
    except _TakenCareOf:
        return None
    except Conflict as conflict:
        if conflict.constraint != "uq_digest_periods_list_id_cadence_key":
            raise
        return None  # another worker has composed this period


def _render(env: Environment, session: Session, found: Plan) -> list[_Mail]:
    """What a plan comes to: the page in the archive, and a mail for each of its shares in each of
    its languages.
    """
    editor = Editor(env, session, found.list, found.style, found.intro.text if found.intro else "")
    everything = select_candidates(found, found.decision.entries)
    mails = [_Mail(WEB, tuple(sorted(found.decision.entries)), "", editor.web(everything))]
    for number, share in enumerate(found.decision.shares):
        for language in share.languages:
            content = editor.render(select_candidates(found, share.entries), language)
            mails.append(_Mail(number, share.entries, language, content))
    return mails


def select_candidates(found: Plan, ids: Collection[int]) -> list[Candidate]:
    """The candidates with these ids, in the order of their numbers."""
    wanted = set(ids)
    return [entry for entry in found.candidates if entry.id in wanted]


def _settle(env: Environment, session: Session, found: Plan) -> None:
    """Move on the cursors of those whom nothing of what there is concerns, so that they are not
    looked at again.
    """
    if found.decision.settled:
        those = settled_query(found, env.now).subquery()
        session.execute(
            update(Subscription)
            .where(Subscription.id.in_(select(those.c[0])))
            .values(cursor=found.through)
            .execution_options(synchronize_session=False)
        )


def _freeze(
    env: Environment, session: Session, found: Plan, due: Due, mails: list[_Mail]
) -> Composed | None:
    period = DigestPeriod(
        list_id=due.list_id, cadence=due.cadence, key=due.key, why="", composed_at=env.now
    )
    if not mails:
        if due.cadence == "instant":
            return None
        period.why = _why_not(found)
        session.add(period)
        return Composed(found.list.slug, due.cadence, None, "", 0, 0, period.why)
    campaign = _campaign(env, session, found, mails)
    count = outbox.freeze(
        session, campaign, recipients_query(found, env.now), mail=MailKind.DIGEST, now=env.now
    )
    if not count:
        raise _TakenCareOf
    session.execute(
        update(Subscription)
        .where(
            Subscription.id.in_(outbox.recipients_query(campaign)),
            Subscription.cursor < found.through,
        )
        .values(cursor=found.through)
        .execution_options(synchronize_session=False)
    )
    campaign.repeats = not found.intro and _known(session, found.decision.entries)
    ids = _carry(session, found, campaign)
    if found.intro:
        intros.delete_carried(session, found.intro)
    period.campaign_id = campaign.id
    period.why = f"{_entries(len(ids))} to {_readers(count)}{_besides(found)}"
    session.add(period)
    return Composed(
        found.list.slug, due.cadence, campaign.id, campaign.subject, len(ids), count, ""
    )


def _campaign(env: Environment, session: Session, found: Plan, mails: list[_Mail]) -> Campaign:
    campaign = Campaign(
        list_id=found.list.id,
        kind="digest",
        status="sending",
        subject=mails[0].content.subject,
        seed=secrets.token_hex(16),
        created_at=env.now,
        started_at=env.now,
    )
    session.add(campaign)
    session.flush()
    page = env.links.archive(found.list.slug, campaign.handle)
    for mail in mails:
        made = fill_web_url(mail.content, page)
        session.add(
            Edition(
                campaign_id=campaign.id,
                cursor=mail.number,
                language=mail.language,
                entries=list(mail.entries),
                subject=made.subject,
                text=made.text,
                html=made.html,
            )
        )
    return campaign


def _known(session: Session, entries: Collection[int]) -> bool:
    """Tell whether all of these were in the archive before."""
    mailed = (
        select(CampaignEntry.entry_id)
        .join(Campaign)
        .where(Campaign.status.in_(("sending", "sent")))
    )
    known = mailed.where(CampaignEntry.entry_id.in_(entries)).distinct()
    return len(session.scalars(known).all()) == len(entries)


def _carry(session: Session, found: Plan, campaign: Campaign) -> list[int]:
    """Note what the campaign carries.

    An entry that was held, skipped or numbered anew since it was read stops it.
    """
    ids = [entry.id for entry in select_candidates(found, found.decision.entries)]
    carried = update(Entry).where(Entry.id.in_(ids), owed_clause(), Entry.seq <= found.through)
    result = session.execute(
        carried.values(fate="sent", why="").execution_options(synchronize_session=False)
    )
    if result.rowcount != len(ids):  # type: ignore[attr-defined]
        raise _TakenCareOf
    session.add_all(
        CampaignEntry(campaign_id=campaign.id, entry_id=entry_id, position=position)
        for position, entry_id in enumerate(ids)
    )
    return ids


def _why_not(found: Plan) -> str:
    decision = found.decision
    if not decision.waiting:
        return NOTHING_NEW
    return f"{_entries(decision.few)}: {_waiting(decision)}"


def _besides(found: Plan) -> str:
    return f"; {_waiting(found.decision)}" if found.decision.waiting else ""


def _waiting(decision: DigestDecision) -> str:
    count = sum(group.readers for group in decision.waiting)
    return "1 reader waits for more" if count == 1 else f"{count} readers wait for more"


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _readers(count: int) -> str:
    return "1 reader" if count == 1 else f"{count} readers"


def composed_clause(list_id: int, cadence: str, key: str) -> ColumnElement[bool]:
    """Tell whether a period has had its digest."""
    return exists().where(
        DigestPeriod.list_id == list_id, DigestPeriod.cadence == cadence, DigestPeriod.key == key
    )
