"""Digests from outside: compose those that are due, preview the next, send it without waiting.

A subscriber is owed the entries numbered after their cursor, as far as they belong to their topics:
each once, whatever cadence they switch to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading
from newsletter.errors import Refused, TemplateProblem
from newsletter.i18n import LANGUAGES, find_language
from newsletter.mail.render import MailContent, fill_web_url
from newsletter.models import MailingList, Subscription
from newsletter.schedule import CADENCES
from newsletter.services.digests.compose import (
    NOTHING_NEW,
    ComposedDigest,
    DueDigest,
    compose,
    select_candidates,
)
from newsletter.services.digests.layout import Editor
from newsletter.services.digests.plan import (
    DigestPlan,
    find_matured,
    make_plan,
    read_candidates,
    recipients_clause,
)
from newsletter.services.digests.selection import Candidate
from newsletter.services.digests.timing import find_next_digest
from newsletter.services.lookup import get_list
from newsletter.services.polling import poll as polling
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence, EntryStatus, SubscriptionStatus

__all__ = [
    "NOTHING_NEW",
    "ComposedDigest",
    "Preview",
    "compose_due",
    "list_cadences",
    "plan_now",
    "preview",
    "send_now",
]

NOBODY = "nobody has this cadence"
"""The reason why no digest of a cadence is sent that no active subscriber has."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A digest as it would be if it were composed now: the edition with most entries.

    `editions` counts them all; `languages` maps each language other than the list's to the number
    of subscribers who get theirs in it.
    """

    list: str
    entries: int
    recipients: int
    editions: int
    languages: dict[str, int]
    content: MailContent


RETRY_BROKEN_AFTER = timedelta(minutes=5)
"""Time after which a digest whose template is broken is tried again by the clock: each try polls
the list's feeds, and only the author can mend a template."""

Postponed = MutableMapping[tuple[int, Cadence], datetime]
"""Digests (list and cadence) whose template is broken, with the moment to try them again."""


def compose_due(
    env: Environment,
    *,
    stop: polling.Stop = polling.never,
    postponed: Postponed | None = None,
) -> list[ComposedDigest]:
    """Compose every digest whose moment has come, and note where there was nothing to mail.

    None is begun once `stop` says that the process is to end. Digests in `postponed` are left
    alone until their time, and those with a broken template are added to it.
    """
    postponed = {} if postponed is None else postponed
    with reading() as session:
        lists = [
            (row.id, row.slug, list_cadences(session, row))
            for row in session.scalars(select(MailingList))
        ]
    digests: list[ComposedDigest] = []
    for list_id, slug, cadences in lists:
        for due in _iterate_due(env, list_id, cadences):
            if postponed.get((list_id, due.cadence), env.now) > env.now:
                continue
            polling.refresh_list(env, list_id, stop=stop)
            if stop():
                return digests
            try:
                composed = compose(env, due)
            except TemplateProblem as error:  # a list's own template; the other lists go out
                composed = ComposedDigest(slug, due.cadence, None, "", 0, 0, "", problem=str(error))
                postponed[list_id, due.cadence] = env.now + RETRY_BROKEN_AFTER
            if composed:
                digests.append(composed)
    return digests


def list_cadences(session: Session, mailing_list: MailingList) -> list[Cadence]:
    """Return the cadences a list offers, and those its subscribers have from earlier."""
    return [
        cadence
        for cadence in CADENCES
        if cadence in mailing_list.cadences or _has_subscriber(session, mailing_list.id, cadence)
    ]


def _has_subscriber(session: Session, list_id: int, cadence: Cadence) -> bool:
    query = exists().where(
        Subscription.list_id == list_id,
        Subscription.status == SubscriptionStatus.ACTIVE,
        Subscription.cadence == cadence,
    )
    return bool(session.scalar(select(query)))


def _iterate_due(env: Environment, list_id: int, cadences: list[Cadence]) -> Iterator[DueDigest]:
    """Find the digests of a list that are to be composed now, one by one."""
    for cadence in cadences:
        with reading() as session:
            mailing_list = session.get_one(MailingList, list_id)
            if cadence.scheduled:
                due = _find_overdue(env, session, mailing_list, cadence)
            else:
                due = _find_instant(env, session, mailing_list)
        if due:
            yield due


def _find_overdue(
    env: Environment, session: Session, mailing_list: MailingList, cadence: Cadence
) -> DueDigest | None:
    digest = find_next_digest(session, mailing_list, cadence, env.now)
    if digest is None or not digest.overdue:
        return None
    return DueDigest(mailing_list.id, cadence, digest.period.key, digest.following)


def _find_instant(
    env: Environment, session: Session, mailing_list: MailingList
) -> DueDigest | None:
    through = find_matured(session, mailing_list, env.now)
    is_behind = exists().where(
        recipients_clause(mailing_list.id, Cadence.INSTANT, env.now), Subscription.cursor < through
    )
    if not session.scalar(select(is_behind)):
        return None
    return DueDigest(mailing_list.id, Cadence.INSTANT, _make_key(env, through))


def _make_key(env: Environment, through: int) -> str:
    """Return the name of a digest that belongs to no period.

    The number alone is not enough: subscribers who come back from a pause at different times are
    owed the same entries. The cursors see to it that nobody is mailed twice.
    """
    return f"{through}@{env.now:%Y%m%dT%H%M%S%f}"


def preview(
    env: Environment, slug: str | None = None, cadence: Cadence | None = None, *, language: str = ""
) -> Preview:
    """Render the next digest as it would go out now, in the list's language or another one.

    Raises `Refused` if there is nothing to show or no such language.
    """
    if language and not find_language(language):
        raise Refused(f"there is no language {language}", hint=f"use one of {', '.join(LANGUAGES)}")
    with reading() as session:
        mailing_list = get_list(session, slug)
        plan = make_plan(env, session, mailing_list, cadence or mailing_list.default_cadence)
        entries = _entries_to_preview(session, mailing_list, plan)
        editor = Editor(env, session, plan.list, plan.style, plan.intro.text if plan.intro else "")
        content = fill_web_url(editor.render(entries, language), plan.list.archive_url)
    shares = plan.decision.shares
    languages: Counter[str] = Counter()
    for group in (group for share in shares for group in share.groups if group.language):
        languages[group.language] += group.count
    return Preview(
        plan.list.slug,
        len(entries),
        plan.decision.subscribers,
        len(shares),
        dict(languages),
        content,
    )


def _entries_to_preview(
    session: Session, mailing_list: MailingList, plan: DigestPlan
) -> list[Candidate]:
    """Return the entries of the largest edition; of a list without subscribers, what is ready.

    Raises `Refused` if there are none.
    """
    if plan.decision.shares:
        entries = select_candidates(plan, plan.decision.shares[0].entries)
    else:
        entries = read_candidates(
            session, mailing_list.id, after=0, through=plan.through, fates=(EntryStatus.READY,)
        )
    if not entries:
        raise Refused(
            f"{mailing_list.slug}: {NOTHING_NEW}", hint="`newsletter digest explain` says more"
        )
    return entries


def plan_now(
    env: Environment, slug: str | None = None, cadence: Cadence | None = None
) -> list[ComposedDigest]:
    """Count what `send_now` would send to whom, before it asks; renders nothing."""
    with reading() as session:
        list_id = get_list(session, slug).id
    return [outlook for outlook, _ in _plan_now(env, list_id, cadence)]


def send_now(
    env: Environment,
    slug: str | None = None,
    cadence: Cadence | None = None,
    *,
    dry_run: bool = False,
) -> list[ComposedDigest]:
    """Compose what is owed now, without waiting for its hour or for more.

    This is done for one `cadence` or for all. The feeds are read first. With `dry_run` everything
    else is done and rolled back.
    """
    with reading() as session:
        list_id = get_list(session, slug).id
    polling.refresh_list(env, list_id)
    digests = []
    for outlook, due in _plan_now(env, list_id, cadence):
        composed = compose(env, due, rehearse=dry_run) if due else outlook
        if composed:
            digests.append(
                replace(composed, campaign_id=None, why="") if due and dry_run else composed
            )
    return digests


def _plan_now(
    env: Environment, list_id: int, cadence: Cadence | None
) -> list[tuple[ComposedDigest, DueDigest | None]]:
    """Plan each cadence: what would be sent, and what to compose if that is anything."""
    with reading() as session:
        mailing_list = session.get_one(MailingList, list_id)
        slug = mailing_list.slug
        cadences = [cadence] if cadence else list_cadences(session, mailing_list)
        plans = [make_plan(env, session, mailing_list, word) for word in cadences]
        reasons = {
            word: NOTHING_NEW if _has_subscriber(session, list_id, word) else NOBODY
            for word in cadences
        }
    digests: list[tuple[ComposedDigest, DueDigest | None]] = []
    for plan in plans:
        count = plan.decision.subscribers
        if count:
            entries = len(plan.decision.entries)
            key = _make_key(env, plan.through)
            due = DueDigest(list_id, plan.cadence, key, hasty=True)
            digests.append((ComposedDigest(slug, plan.cadence, None, "", entries, count, ""), due))
        else:
            why = reasons[plan.cadence]
            digests.append((ComposedDigest(slug, plan.cadence, None, "", 0, 0, why), None))
    return digests
