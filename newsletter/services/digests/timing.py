"""Find when the next digest of a cadence goes out. Composing and explaining both ask here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from newsletter.models import DigestPeriod, MailingList
from newsletter.schedule import Period, latest_period, next_period
from newsletter.services.digests.selection import WaitRule
from newsletter.vocabulary import Cadence


@dataclass(frozen=True, slots=True)
class NextDigest:
    """The next scheduled digest of a cadence, and the one after it.

    `overdue`: its moment has come and it is not composed yet, so that the next tick of a worker
    composes it.
    """

    period: Period
    following: Period
    overdue: bool


def find_next_digest(
    session: Session, mailing_list: MailingList, cadence: Cadence, now: datetime
) -> NextDigest | None:
    """Return the next digest of a list's cadence; None for instant mails, which have no schedule.

    A period that was due before the list's schedule was last changed is not caught up on.
    """
    if not cadence.scheduled:
        return None
    latest = latest_period(cadence, mailing_list.schedule, now)
    upcoming = next_period(cadence, mailing_list.schedule, now)
    if latest.due_at > mailing_list.schedule_since and not session.scalar(
        select(composed_clause(mailing_list.id, cadence, latest.key))
    ):
        return NextDigest(latest, upcoming, overdue=True)
    following = next_period(cadence, mailing_list.schedule, upcoming.due_at)
    return NextDigest(upcoming, following, overdue=False)


def composed_clause(list_id: int, cadence: Cadence, key: str) -> ColumnElement[bool]:
    """Build the condition that a period has had its digest, or that there was nothing to mail."""
    return exists().where(
        DigestPeriod.list_id == list_id, DigestPeriod.cadence == cadence, DigestPeriod.key == key
    )


def make_wait_rule(mailing_list: MailingList, following: Period | None) -> WaitRule:
    """Return how long a list's digests wait; without a `following` one they do not."""
    return WaitRule(
        mailing_list.digest_min_entries,
        mailing_list.digest_max_wait,
        following.due_at if following else None,
        mailing_list.zone,
    )
