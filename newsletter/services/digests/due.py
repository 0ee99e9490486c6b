"""The interface of this package: compose digests that are due, preview the next, send it now.

A subscriber is owed the entries numbered after their cursor, as far as they belong to their topics:
each once, whatever cadence they switch to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.db.session import reading
from newsletter.errors import Refused
from newsletter.i18n import LANGUAGES, Text, find_language
from newsletter.mail.render import MailContent, fill_web_url
from newsletter.models import MailingList
from newsletter.services.digests import review_mail, reviews
from newsletter.services.digests.compose import (
    NOTHING_NEW,
    ComposedDigest,
    DueDigest,
    compose,
    select_candidates,
)
from newsletter.services.digests.find_due import (
    find_due,
    has_subscriber,
    list_cadences,
    make_due,
    make_key,
)
from newsletter.services.digests.layout import Editor
from newsletter.services.digests.plan import (
    DigestPlan,
    make_plan,
    read_candidates,
)
from newsletter.services.digests.review_mail import DueReview
from newsletter.services.digests.selection import Candidate
from newsletter.services.lookup import get_list
from newsletter.services.polling import poll as polling
from newsletter.services.runtime import Environment
from newsletter.services.unforeseen import describe_error
from newsletter.vocabulary import Cadence, EntryStatus

__all__ = [
    "NOTHING_NEW",
    "ComposedDigest",
    "Preview",
    "compose_due",
    "get_usual_cadence",
    "list_cadences",
    "plan_now",
    "preview",
    "send_now",
]

NOBODY = Text("nobody has this cadence")
"""The reason why no digest of a cadence is sent: no active subscriber has chosen it."""
HELD = "held until it is released, or sent by its cadence"
"""The reason why `send_now` does not send a held digest."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The next digest as it would be composed now: the edition with the most entries.

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
"""Time after which a digest that could not be composed is tried again by the clock: each try polls
the list's feeds, and only the author can mend a template."""

Postponed = MutableMapping[tuple[int, Cadence], datetime]
"""Digests (list and cadence) that could not be composed, with the time of their next try."""


def compose_due(
    env: Environment,
    *,
    stop: polling.Stop = polling.never_stop,
    postponed: Postponed | None = None,
) -> list[ComposedDigest]:
    """Compose every digest that is due, and store the reason where there is nothing to mail.

    None is begun once `stop` says that the process is to end. Digests in `postponed` are left
    alone until their time, and those that could not be composed are added to it.
    """
    postponed = {} if postponed is None else postponed
    with reading() as session:
        lists = [
            (row.id, row.slug, list_cadences(session, row))
            for row in session.scalars(select(MailingList))
        ]
    digests: list[ComposedDigest] = []
    waiting = ((row, cadence) for row in lists for cadence in row[2])
    for (list_id, slug, _), cadence in waiting:
        if postponed.get((list_id, cadence), env.now) > env.now:
            continue
        try:
            composed = _compose_if_due(env, list_id, cadence, stop)
        except Exception as error:  # such as a list's own template; the other lists go out
            problem = describe_error(error)
            composed = ComposedDigest(slug, cadence, None, "", 0, 0, "", problem=problem)
            postponed[list_id, cadence] = env.now + RETRY_BROKEN_AFTER
        if composed:
            digests.append(composed)
        if stop():
            break
    return digests


def _compose_if_due(
    env: Environment, list_id: int, cadence: Cadence, stop: polling.Stop
) -> ComposedDigest | None:
    due = find_due(env, list_id, cadence)
    if due is None:
        return None
    polling.refresh_list(env, list_id, stop=stop)
    return None if stop() else _mail_or_compose(env, due)


def _mail_or_compose(env: Environment, due: DueDigest | DueReview) -> ComposedDigest | None:
    """Mail a review, or compose a digest."""
    if isinstance(due, DueReview):
        return review_mail.mail_review(env, due)
    if due.review is not None and review_mail.give_time(env, due.review):
        return None
    return compose(env, due)


def get_usual_cadence(slug: str | None) -> Cadence:
    """Return the cadence that a list preselects.

    Raises `NotFound`, `Refused`.
    """
    with reading() as session:
        return get_list(session, slug).default_cadence


def preview(
    env: Environment,
    slug: str | None = None,
    cadence: Cadence | None = None,
    *,
    language: str = "",
    count_at_most: int | None = None,
) -> Preview:
    """Render the next digest as it would go out now, in the list's language or another one.

    With `count_at_most` no more subscribers are counted, for a page. Raises `Refused` if there is
    nothing to show or no such language.
    """
    if language and not find_language(language):
        raise Refused(
            Text("there is no language %(language)s", language=language),
            hint=Text("use one of %(names)s", names=", ".join(LANGUAGES)),
        )
    with reading() as session:
        mailing_list = get_list(session, slug)
        word = cadence or mailing_list.default_cadence
        review = reviews.find_open(session, mailing_list.id, word)
        plan = make_plan(
            env, session, mailing_list, word, review=review, count_at_most=count_at_most
        )
        entries = _list_preview_entries(session, mailing_list, plan)
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


def _list_preview_entries(
    session: Session, mailing_list: MailingList, plan: DigestPlan
) -> list[Candidate]:
    """Return the entries of the largest edition, or all ready ones if the list has no subscribers.

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
            Text("%(list)s: %(why)s", list=mailing_list.slug, why=NOTHING_NEW),
            hint=Text("`newsletter digest explain` says more"),
        )
    return entries


def plan_now(
    env: Environment,
    slug: str | None = None,
    cadence: Cadence | None = None,
) -> list[ComposedDigest]:
    """Count the recipients and entries that `send_now` would send, without rendering."""
    with reading() as session:
        list_id = get_list(session, slug).id
    planned = _plan_now(env, list_id, cadence)
    return [outlook for outlook, _ in planned]


def send_now(
    env: Environment,
    slug: str | None = None,
    cadence: Cadence | None = None,
    *,
    dry_run: bool = False,
) -> list[ComposedDigest]:
    """Compose all entries owed now, without waiting for the scheduled hour or for more entries.

    This is done for one `cadence`, or for all but those that are held. What is reviewed goes as it
    was reviewed. The feeds are read first. With `dry_run` everything else is done and rolled back.
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
    """Plan each cadence: what would be sent, and the digest to compose, if any."""
    digests: list[tuple[ComposedDigest, DueDigest | None]] = []
    with reading() as session:
        mailing_list = session.get_one(MailingList, list_id)
        slug = mailing_list.slug
        for word in [cadence] if cadence else list_cadences(session, mailing_list):
            review = reviews.find_open(session, list_id, word)
            if review and cadence is None and review.stopped:
                digests.append((ComposedDigest(slug, word, None, "", 0, 0, HELD), None))
                continue
            plan = make_plan(env, session, mailing_list, word, review=review)
            count = plan.decision.subscribers
            if count:
                due = DueDigest(list_id, word, make_key(env, plan.through), hasty=True)
                if review:
                    due = replace(make_due(env, mailing_list, review), following=None)
                entries = len(plan.decision.entries)
                digests.append((ComposedDigest(slug, word, None, "", entries, count, ""), due))
            else:
                why = NOTHING_NEW if has_subscriber(session, list_id, word) else NOBODY
                digests.append((ComposedDigest(slug, word, None, "", 0, 0, why), None))
    return digests
