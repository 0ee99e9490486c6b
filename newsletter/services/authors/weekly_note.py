"""Mail a list's authors a weekly report: joins, departures, bounces, and the next digests.

Numbers only: no address and no name. The week that was told is a column of the list, written in the
transaction that queues the mail, so that each week is told once, whatever restarts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.i18n import Text, format_day, format_day_and_time, say
from newsletter.models import MailingList
from newsletter.schedule import Period, find_latest_period
from newsletter.services import figure_reading, installation
from newsletter.services.digests import explain_list
from newsletter.services.digests.outlook import Outlook
from newsletter.services.mail_context import CADENCE_TEXT
from newsletter.services.notice_mail import list_authors
from newsletter.services.runtime import Environment
from newsletter.services.subscribers.subscriptions import REASON_WORDS
from newsletter.services.unforeseen import run_each
from newsletter.statistics_vocabulary import Figure
from newsletter.vocabulary import Cadence, MailKind

MONDAY = 0


@dataclass(frozen=True, slots=True)
class _DueNote:
    """A list whose weekly report is due, for the week that ended before `period`."""

    list_id: int
    slug: str
    period: Period


def send_notes(env: Environment) -> int:
    """Queue the weekly report of every list on Monday at its hour; return the number of lists.

    Nothing happens while mail is held after a restore. A list that goes wrong keeps no other from
    its note.
    """
    if installation.find_hold():
        return 0
    with reading() as session:
        query = select(MailingList).where(MailingList.weekly_note)
        due = [note for row in session.scalars(query) if (note := _find_due(env, row))]
    queued: list[bool] = []

    def queue(note: _DueNote) -> None:
        queued.append(_queue(env, note))

    run_each(*(partial(queue, note) for note in due))
    return sum(queued)


def _find_due(env: Environment, row: MailingList) -> _DueNote | None:
    schedule = replace(row.schedule, weekday=MONDAY)
    period = find_latest_period(Cadence.WEEKLY, schedule, env.now)
    is_told = row.noted_week >= period.key
    if is_told or period.due_at <= row.created_at:
        return None
    return _DueNote(row.id, row.slug, period)


def _queue(env: Environment, note: _DueNote) -> bool:
    """Queue the weekly report to each author of a list; return False if another worker did."""
    outlooks = [row for row in explain_list.explain(env, note.slug).outlooks if row.subscribers]
    with transaction() as session:
        if not _claim_week(session, note):
            return False
        row = session.get_one(MailingList, note.list_id)
        context = _describe(env, session, row, note.period, outlooks)
        for address in list_authors(session, row):
            outbox.enqueue(
                session,
                mail=MailKind.WEEKLY,
                subscription_id=None,
                now=env.now,
                context={**context, "to": address},
            )
        return True


def _claim_week(session: Session, note: _DueNote) -> bool:
    """Claim a list's week for this worker; return False if another one has claimed it."""
    claim = (
        update(MailingList)
        .where(MailingList.id == note.list_id, MailingList.noted_week < note.period.key)
        .values(noted_week=note.period.key)
        .returning(MailingList.id)
    )
    return session.execute(claim).first() is not None


def _describe(
    env: Environment,
    session: Session,
    row: MailingList,
    period: Period,
    outlooks: list[Outlook],
) -> dict[str, object]:
    """Return the variables of the mail's templates, in the list's language."""
    last = period.due_at.astimezone(row.zone).date() - timedelta(days=1)
    first = last - timedelta(days=6)
    sums = figure_reading.sum_of_list(session, row.id, str(first), str(last))
    return {
        "list_id": row.id,
        "language": row.language,
        "first": format_day(_make_noon(first), row.language),
        "last": format_day(_make_noon(last), row.language),
        "joined": sums[Figure.JOINED].total(),
        "left": sums[Figure.LEFT].total(),
        "reasons": _name_reasons(sums[Figure.REASON], row.language),
        "suppressed": sums[Figure.SUPPRESSED].total(),
        "coming": [_describe_outlook(row, outlook) for outlook in outlooks],
        "page_url": env.links.author(),
    }


def _make_noon(moment: date) -> datetime:
    return datetime.combine(moment, time(12), UTC)


def _name_reasons(counts: Mapping[str, int], language: str) -> list[list[object]]:
    """Return reasons in words with their counts, the most frequent first."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [[say(REASON_WORDS.get(name, Text("Other")), language), count] for name, count in ranked]


def _describe_outlook(row: MailingList, outlook: Outlook) -> dict[str, object]:
    when = ""
    if outlook.next_at is not None and not outlook.needs_release:
        when = format_day_and_time(outlook.next_at, row.language, row.zone, style="full")
    return {
        "cadence": say(CADENCE_TEXT[outlook.cadence], row.language),
        "when": when,
        "state": outlook.state,
        "entries": outlook.owed,
        "subscribers": outlook.subscribers,
    }
