"""Compose one digest in one transaction, under a lock on the list's row.

It renders an edition for each set of entries that somebody is owed, writes down who gets which, and
moves the cursors.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import reading, rehearsal, transaction
from newsletter.errors import Conflict
from newsletter.i18n import Text
from newsletter.mail.render import MailContent, fill_web_url
from newsletter.models import (
    Campaign,
    CampaignEntry,
    DigestPeriod,
    Edition,
    MailingList,
    Subscription,
)
from newsletter.models.campaigns import WEB
from newsletter.schedule import Period
from newsletter.services.campaigns import state
from newsletter.services.digests import intros, reviews
from newsletter.services.digests.alone import find_carriers, plan_alone
from newsletter.services.digests.layout import Editor
from newsletter.services.digests.plan import (
    DigestPlan,
    make_plan,
    recipients_query,
    settled_query,
)
from newsletter.services.digests.reviews import Review
from newsletter.services.digests.selection import Candidate, DigestDecision
from newsletter.services.digests.timing import composed_clause
from newsletter.services.digests.wording import count_entries, count_subscribers
from newsletter.services.polling import entry_state
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Actor, Cadence, CampaignKind, CampaignStatus, MailKind

NOTHING_NEW = Text("nothing new since the last one")
"""The reason why a due digest was not sent: it had no entries."""
ALL_LEFT_OUT = "nobody is owed any of what was reviewed"
"""The reason why a digest was not sent: none of its entries was left after its review."""


class _Changed(Exception):
    """The database changed since the digest was planned: the plan is discarded.

    Another worker composed the same digest, or an entry was held.
    """


@dataclass(frozen=True, slots=True)
class DueDigest:
    """A digest that is due.

    `key` names its period. `following` is the next period of its cadence; without one the digest
    does not wait for more entries. A `hasty` instant mail does not wait for corrections either.
    `review` is what its author says about it. `alone`: the one entry that it carries.
    """

    list_id: int
    cadence: Cadence
    key: str
    following: Period | None = None
    hasty: bool = False
    review: Review | None = None
    alone: int | None = None


@dataclass(frozen=True, slots=True)
class ComposedDigest:
    """A digest that was composed, or (`campaign_id` None) was not, with the reason in `why`.

    With a `problem` it is tried again.
    """

    list: str
    cadence: Cadence
    campaign_id: int | None
    subject: str
    entries: int
    recipients: int
    why: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _RenderedEdition:
    """One edition in one language: its number, the ids it carries, and the mail."""

    number: int
    entries: tuple[int, ...]
    language: str
    content: MailContent


def compose(env: Environment, due: DueDigest, *, rehearse: bool = False) -> ComposedDigest | None:
    """Compose one digest.

    Returns None if another worker has composed it meanwhile, or if an entry it carries was changed.
    With `rehearse` everything is done and rolled back.
    """
    with reading() as session:
        mailing_list = session.get_one(MailingList, due.list_id)
        plan = _make_plan(env, session, mailing_list, due)
        carriers = find_carriers(session, plan.decision.entries)
        editions = _render(env, session, plan) if plan.decision.shares else []
    try:
        with rehearsal() if rehearse else transaction() as session:
            reviews.lock_list(session, due.list_id)
            if session.scalar(select(composed_clause(due.list_id, due.cadence, due.key))):
                return None
            if not reviews.claim(env, session, due.list_id, due.cadence, due.review):
                raise _Changed
            if find_carriers(session, plan.decision.entries) != carriers:
                raise _Changed
            settle_owed_nothing(env, session, plan)
            return _freeze(env, session, plan, due, editions)
    except _Changed:
        return None
    except Conflict as conflict:
        if conflict.constraint != "uq_digest_periods_list_id_cadence_key":
            raise
        return None  # another worker has composed this period


def _make_plan(
    env: Environment, session: Session, mailing_list: MailingList, due: DueDigest
) -> DigestPlan:
    if due.alone is not None:
        return plan_alone(env, session, mailing_list, due.cadence, due.alone)
    return make_plan(
        env,
        session,
        mailing_list,
        due.cadence,
        following=due.following,
        hasty=due.hasty,
        review=due.review,
    )


def _render(env: Environment, session: Session, plan: DigestPlan) -> list[_RenderedEdition]:
    """Render the archive's page, and each edition in each of its languages."""
    editor = Editor(env, session, plan.list, plan.style, plan.intro.text if plan.intro else "")
    entries = select_candidates(plan, plan.decision.entries)
    editions = [
        _RenderedEdition(WEB, tuple(sorted(plan.decision.entries)), "", editor.render_web(entries))
    ]
    for number, share in enumerate(plan.decision.shares):
        for language in share.languages:
            content = editor.render(select_candidates(plan, share.entries), language)
            editions.append(_RenderedEdition(number, share.entries, language, content))
    return editions


def select_candidates(plan: DigestPlan, ids: Collection[int]) -> list[Candidate]:
    """Select the candidates with these ids, in the order of their numbers."""
    unordered = set(ids)
    return [entry for entry in plan.candidates if entry.id in unordered]


def settle_owed_nothing(env: Environment, session: Session, plan: DigestPlan) -> None:
    """Advance the cursors of subscribers who are owed nothing, so that they are not read again."""
    if plan.decision.settled:
        subscriptions = settled_query(plan, env.now).subquery()
        session.execute(
            update(Subscription)
            .where(Subscription.id.in_(select(subscriptions.c[0])))
            .values(cursor=plan.through)
            .execution_options(synchronize_session=False)
        )


def _freeze(
    env: Environment,
    session: Session,
    plan: DigestPlan,
    due: DueDigest,
    editions: list[_RenderedEdition],
) -> ComposedDigest | None:
    """Store the campaign with its recipients, or the reason why there is none."""
    if not editions:
        return note_nothing(env, session, plan, due)
    period = DigestPeriod(
        list_id=due.list_id, cadence=due.cadence, key=due.key, why="", composed_at=env.now
    )
    campaign = _write_campaign(env, session, plan, editions)
    count = outbox.freeze(
        session, campaign, recipients_query(plan, env.now), mail=MailKind.DIGEST, now=env.now
    )
    if not count:
        raise _Changed
    if due.alone is None:
        _move_cursors(session, campaign, plan.through)
    campaign.repeats = not plan.intro and _are_archived(session, plan.decision.entries)
    ids = _carry_entries(env, session, plan, campaign)
    if due.alone is not None:
        entry_state.remember_number(session, due.alone)
    if plan.intro:
        intros.delete_carried(session, plan.intro)
    period.campaign_id = campaign.id
    period.why = f"{count_entries(len(ids))} to {count_subscribers(count)}"
    if plan.decision.waiting:
        period.why += f"; {_count_waiting(plan.decision)}"
    session.add(period)
    return ComposedDigest(
        plan.list.slug, due.cadence, campaign.id, campaign.subject, len(ids), count, ""
    )


def note_nothing(
    env: Environment, session: Session, plan: DigestPlan, due: DueDigest
) -> ComposedDigest | None:
    """Store that a period has no digest, and why; instant mails have no period."""
    if due.cadence is Cadence.INSTANT:
        return None
    why = _explain_nothing(plan.decision, due.review)
    session.add(
        DigestPeriod(
            list_id=due.list_id, cadence=due.cadence, key=due.key, why=why, composed_at=env.now
        )
    )
    return ComposedDigest(plan.list.slug, due.cadence, None, "", 0, 0, why)


def _move_cursors(session: Session, campaign: Campaign, through: int) -> None:
    session.execute(
        update(Subscription)
        .where(
            Subscription.id.in_(outbox.recipients_query(campaign)), Subscription.cursor < through
        )
        .values(cursor=through)
        .execution_options(synchronize_session=False)
    )


def _write_campaign(
    env: Environment, session: Session, plan: DigestPlan, editions: list[_RenderedEdition]
) -> Campaign:
    campaign = state.add_campaign(
        session,
        list_id=plan.list.id,
        kind=CampaignKind.DIGEST,
        now=env.now,
        subject=editions[0].content.subject,
    )
    state.start(session, campaign, env.now, Actor.SYSTEM)
    page = env.links.archive(plan.list.slug, campaign.handle)
    for edition in editions:
        content = fill_web_url(edition.content, page)
        session.add(
            Edition(
                campaign_id=campaign.id,
                cursor=edition.number,
                language=edition.language,
                entries=list(edition.entries),
                subject=content.subject,
                text=content.text,
                html=content.html,
            )
        )
    return campaign


def _are_archived(session: Session, entries: Collection[int]) -> bool:
    """Tell whether each of these entries is in the archive with another campaign."""
    query = (
        select(CampaignEntry.entry_id)
        .join(Campaign)
        .where(Campaign.status.in_((CampaignStatus.SENDING, CampaignStatus.SENT)))
        .where(CampaignEntry.entry_id.in_(entries))
        .distinct()
    )
    return len(session.scalars(query).all()) == len(entries)


def _carry_entries(
    env: Environment, session: Session, plan: DigestPlan, campaign: Campaign
) -> list[int]:
    """Store the entries that the campaign carries, and return their ids.

    Raises `_Changed` if one was held, skipped or numbered anew since it was read.
    """
    ids = [entry.id for entry in select_candidates(plan, plan.decision.entries)]
    if not entry_state.mark_sent(env, session, campaign, ids, through=plan.through):
        raise _Changed
    session.add_all(
        CampaignEntry(campaign_id=campaign.id, entry_id=entry_id, position=position)
        for position, entry_id in enumerate(ids)
    )
    return ids


def _explain_nothing(decision: DigestDecision, review: Review | None) -> str:
    if decision.later:
        count = sum(group.count for group in decision.later)
        return f"{count_subscribers(count)} waits for entries that were not reviewed"
    if review is not None and review.entries and not decision.waiting:
        return ALL_LEFT_OUT
    if not decision.waiting:
        return NOTHING_NEW
    return f"{count_entries(decision.few)}: {_count_waiting(decision)}"


def _count_waiting(decision: DigestDecision) -> str:
    count = sum(group.count for group in decision.waiting)
    return f"{count_subscribers(count)} {'waits' if count == 1 else 'wait'} for more"
