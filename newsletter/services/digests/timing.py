"""Compute when the next digest of a cadence goes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from newsletter.models import DigestPeriod, MailingList
from newsletter.schedule import Period, find_latest_period, find_next_period
from newsletter.services.digests.reviews import Review
from newsletter.services.digests.selection import Candidate, Fixed, WaitRule
from newsletter.vocabulary import Cadence


@dataclass(frozen=True, slots=True)
class NextDigest:
    """The next scheduled digest of a cadence, and the one after it.

    `overdue`: its moment has come and it is not composed yet, so that the next tick of a worker
    composes it. `closed`: what is found from now on waits for the one after it; without a review
    that is the same.
    """

    period: Period
    following: Period
    overdue: bool
    closed: bool


@dataclass(frozen=True, slots=True)
class Departure:
    """The departure time of a digest; `at` is None for instant mails without a review.

    `overdue`: as soon as a worker runs. `stopped`: not before its author releases it, whatever `at`
    says.
    """

    at: datetime | None
    overdue: bool
    stopped: bool


def find_departure(digest: NextDigest | None, review: Review | None, now: datetime) -> Departure:
    """Return the departure of the next digest of a cadence, by its schedule and its review."""
    if review is None:
        due_at = digest.period.due_at if digest else None
        return Departure(due_at, overdue=bool(digest and digest.overdue), stopped=False)
    due_at = review.go_at or review.due_at
    overdue = not review.stopped and bool(due_at and due_at <= now)
    return Departure(due_at, overdue=overdue, stopped=review.stopped)


def find_next_digest(
    session: Session, mailing_list: MailingList, cadence: Cadence, now: datetime
) -> NextDigest | None:
    """Return the next digest of a list's cadence; None for instant mails, which have no schedule.

    A period that was due before the list's schedule was last changed is not caught up on. A digest
    that is reviewed is closed when its review is to be mailed.
    """
    if not cadence.scheduled:
        return None
    schedule = mailing_list.schedule
    closes = now + find_review_time(mailing_list, cadence)
    period = find_latest_period(cadence, schedule, closes)
    if period.due_at <= mailing_list.schedule_since:
        period = find_next_period(cadence, schedule, closes)
    while session.scalar(select(composed_clause(mailing_list.id, cadence, period.key))):
        period = find_next_period(cadence, schedule, period.due_at)
    following = find_next_period(cadence, schedule, period.due_at)
    return NextDigest(
        period, following, overdue=period.due_at <= now, closed=period.due_at <= closes
    )


def find_review_time(mailing_list: MailingList, cadence: Cadence) -> timedelta:
    """Return how long before its departure a digest is mailed for review; 0 for no review.

    A digest of every day is reviewed for a day at most.
    """
    if cadence is Cadence.INSTANT and not mailing_list.review_instant:
        return timedelta(0)
    review = timedelta(minutes=mailing_list.review_minutes)
    return min(review, timedelta(days=1)) if cadence is Cadence.DAILY else review


def composed_clause(list_id: int, cadence: Cadence, key: str) -> ColumnElement[bool]:
    """Build the condition that the digest of a period was composed, or had nothing to mail."""
    return exists().where(
        DigestPeriod.list_id == list_id, DigestPeriod.cadence == cadence, DigestPeriod.key == key
    )


def make_wait_rule(mailing_list: MailingList, following: Period | None) -> WaitRule:
    """Return the wait rule of a list's digests; without a `following` digest they do not wait."""
    return WaitRule(
        mailing_list.digest_min_entries,
        mailing_list.digest_max_wait,
        following.due_at if following else None,
        mailing_list.zone,
    )


def make_rule(
    mailing_list: MailingList,
    following: Period | None,
    fixed: Fixed | None,
    candidates: Sequence[Candidate],
) -> WaitRule:
    """Return the wait rule of this digest.

    One that was reviewed goes also if some of its entries are gone since: it was announced.
    """
    rule = make_wait_rule(mailing_list, following)
    if fixed is None:
        return rule
    available = {entry.id for entry in candidates} - fixed.left_out
    return replace(rule, entries=rule.entries - len(fixed.entries - available))
