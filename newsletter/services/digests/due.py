"""Digests: which of them are due, how the next would look, and sending it without waiting.

A reader is owed the entries numbered after his cursor, as far as they belong to his topics: each
once, whatever he switches to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading
from newsletter.errors import Refused, TemplateProblem
from newsletter.i18n import LANGUAGES, known
from newsletter.mail.render import MailContent, fill_web_url
from newsletter.models import MailingList, Subscription
from newsletter.schedule import CADENCES, latest_period, next_period
from newsletter.services.digests.compose import (
    NOTHING_NEW,
    Composed,
    Due,
    compose,
    composed_clause,
    select_candidates,
)
from newsletter.services.digests.layout import Editor
from newsletter.services.digests.plan import find_matured, plan, read_candidates, readers_clause
from newsletter.services.lookup import get_list
from newsletter.services.polling import poll as polling
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence

__all__ = [
    "NOTHING_NEW",
    "Composed",
    "Preview",
    "compose_due",
    "list_cadences",
    "plan_now",
    "preview",
    "send_now",
]

NOBODY = "nobody reads at this rhythm"


@dataclass(frozen=True, slots=True)
class Preview:
    """A digest as it would be if it were composed now: the edition with most entries.

    `editions` counts them all; `languages` says how many readers get theirs in which language other
    than the list's.
    """

    subject: str
    text: str
    html: str
    entries: int
    recipients: int
    editions: int
    languages: dict[str, int]
    list_id: int
    content: MailContent


# ── by the clock
# ───────────────────────────────────────────────────────────────────────────────────


def compose_due(env: Environment, *, stop: polling.Stop = polling.never) -> list[Composed]:
    """Compose every digest whose moment has come, and note where there was nothing to mail.

    Begin no more once `stop` says that the process is to end.
    """
    with reading() as session:
        lists = [
            (row.id, row.slug, list_cadences(session, row))
            for row in session.scalars(select(MailingList))
        ]
    found: list[Composed] = []
    for list_id, slug, offered in lists:
        for due in _due(env, list_id, offered):
            polling.refresh_list(env, list_id, stop=stop)
            if stop():
                return found
            try:
                composed = compose(env, due)
            except TemplateProblem as error:  # of one list's own making; the others go out
                composed = Composed(slug, due.cadence, None, "", 0, 0, "", problem=str(error))
            if composed:
                found.append(composed)
    return found


def list_cadences(session: Session, mailing_list: MailingList) -> list[Cadence]:
    """Those offered, and those that readers still have though they are not offered any more."""
    kept = select(Subscription.cadence).where(
        Subscription.list_id == mailing_list.id, Subscription.status == "active"
    )
    used = set(session.scalars(kept.distinct())) | set(mailing_list.cadences)
    return [cadence for cadence in CADENCES if cadence in used]


def _due(env: Environment, list_id: int, offered: list[Cadence]) -> Iterator[Due]:
    """What is to be composed now and has not been dealt with."""
    for cadence in offered:
        with reading() as session:
            mailing_list = session.get_one(MailingList, list_id)
            schedule, since = mailing_list.schedule, mailing_list.schedule_since
            if cadence == "instant":
                through = find_matured(session, mailing_list, env.now)
                behind = exists().where(
                    readers_clause(list_id, cadence, env.now), Subscription.cursor < through
                )
                found = (
                    Due(list_id, cadence, _moment_key(env, through))
                    if session.scalar(select(behind))
                    else None
                )
            else:
                period = latest_period(cadence, schedule, env.now)
                done = period.due_at <= since or session.scalar(
                    select(composed_clause(list_id, cadence, period.key))
                )
                following = next_period(cadence, schedule, env.now)
                found = None if done else Due(list_id, cadence, period.key, following)
        if found:
            yield found


def _moment_key(env: Environment, through: int) -> str:
    """The name of a digest that belongs to no period.

    Readers come back from a break at any time and are owed the same entries then, so the number
    alone would not do; that nobody is mailed twice is the cursors' doing.
    """
    return f"{through}@{env.now:%Y%m%dT%H%M%S%f}"


# ── by hand
# ────────────────────────────────────────────────────────────────────────────────────────


def preview(
    env: Environment, slug: str | None = None, cadence: Cadence | None = None, *, language: str = ""
) -> Preview:
    """The next digest as it would go out now, in the list's language or another one.

    Raises `Refused` where there is nothing to show, or no such language.
    """
    if language and not known(language):
        raise Refused(
            f"{language} is none of the languages spoken here",
            hint=f"say one of {', '.join(LANGUAGES)}",
        )
    with reading() as session:
        mailing_list = get_list(session, slug)
        rhythm: Cadence = cadence or mailing_list.default_cadence
        found = plan(env, session, mailing_list, rhythm)
        shares = found.decision.shares
        # Of a list that has no reader yet: what has not been mailed.
        entries = (
            select_candidates(found, shares[0].entries)
            if shares
            else read_candidates(
                session, mailing_list.id, after=0, through=found.through, fates=("ready",)
            )
        )
        if not entries:
            raise Refused(
                f"{mailing_list.slug}: {NOTHING_NEW}", hint="`newsletter digest explain` says more"
            )
        editor = Editor(
            env, session, found.list, found.style, found.intro.text if found.intro else ""
        )
        made = fill_web_url(editor.render(entries, language), found.list.archive_url)
        speaking: Counter[str] = Counter()
        for group in (group for share in shares for group in share.groups if group.language):
            speaking[group.language] += group.readers
    return Preview(
        made.subject,
        made.text,
        made.html,
        len(entries),
        found.decision.readers,
        len(shares),
        dict(speaking),
        found.list.id,
        made,
    )


def plan_now(
    env: Environment, slug: str | None = None, cadence: Cadence | None = None
) -> list[Composed]:
    """Count what `send_now` would send to whom, for a question to be asked; renders nothing."""
    with reading() as session:
        list_id = get_list(session, slug).id
    return [outlook for outlook, _ in _plan_now(env, list_id, cadence)]


def send_now(
    env: Environment,
    slug: str | None = None,
    cadence: Cadence | None = None,
    *,
    dry_run: bool = False,
) -> list[Composed]:
    """Compose what is owed now, without waiting for its hour or for more; for one `cadence`, or for
    all.

    With `dry_run` the feeds are not asked, and everything else is done and rolled back.
    """
    with reading() as session:
        list_id = get_list(session, slug).id
    polling.refresh_list(
        env, list_id
    )  # a dry run, too, says what would be mailed, not what was known before
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
) -> list[tuple[Composed, Due | None]]:
    """What would be sent for each cadence, with what to compose where that is anything."""
    with reading() as session:
        mailing_list = session.get_one(MailingList, list_id)
        name = mailing_list.slug
        rhythms = [cadence] if cadence else list_cadences(session, mailing_list)
        plans = {each: plan(env, session, mailing_list, each) for each in rhythms}
    digests: list[tuple[Composed, Due | None]] = []
    for each, planned in plans.items():
        entries, count = len(planned.decision.entries), planned.decision.readers
        why = "" if count else _why_nobody(list_id, each)
        due = Due(list_id, each, _moment_key(env, planned.through), hasty=True) if count else None
        digests.append((Composed(name, each, None, "", entries if count else 0, count, why), due))
    return digests


def _why_nobody(list_id: int, cadence: str) -> str:
    with reading() as session:
        here = (
            Subscription.list_id == list_id,
            Subscription.status == "active",
            Subscription.cadence == cadence,
        )
        count = session.scalar(select(func.count()).where(*here))
        return NOTHING_NEW if count else NOBODY
