"""Fix the entries of a digest and mail it to the list's authors for review.

The digest goes at its hour all the same. A review that is mailed late keeps three quarters of its
time at least, and the digest goes later for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import transaction
from newsletter.models import DigestReview, MailingList
from newsletter.schedule import Period
from newsletter.services.digests import reviews
from newsletter.services.digests.compose import (
    ComposedDigest,
    DueDigest,
    note_nothing,
    select_candidates,
    settle_owed_nothing,
)
from newsletter.services.digests.plan import DigestPlan, make_plan
from newsletter.services.digests.reviews import Review
from newsletter.services.digests.timing import composed_clause, find_review_time
from newsletter.services.digests.wording import count_entries, format_moment
from newsletter.services.notice_mail import list_authors
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence, MailKind

KEPT_SHARE = 0.75
"""The least share of the review time that authors get, even if the mail is late."""


@dataclass(frozen=True, slots=True)
class DueReview:
    """A digest whose review is to be mailed. `period` is None for instant mails, `key` its name."""

    list_id: int
    cadence: Cadence
    key: str
    period: Period | None = None
    following: Period | None = None


def mail_review(env: Environment, due: DueReview) -> ComposedDigest | None:
    """Fix the entries of a digest, and queue its review to the list's authors.

    Where nothing is owed its period is settled. Returns None if another worker did it meanwhile, or
    the digest was held.
    """
    with transaction() as session:
        mailing_list = reviews.lock_list(session, due.list_id)
        if session.scalar(select(composed_clause(due.list_id, due.cadence, due.key))):
            return None
        if reviews.find_row(session, due.list_id, due.cadence) is not None:
            return None
        go_at = _find_moment(env, mailing_list, due)
        plan = make_plan(
            env,
            session,
            mailing_list,
            due.cadence,
            following=due.following,
            hasty=False,
            moment=go_at,
        )
        if not plan.decision.shares:
            settle_owed_nothing(env, session, plan)
            digest = DueDigest(due.list_id, due.cadence, due.key, due.following)
            return note_nothing(env, session, plan, digest)
        row = _add_review(env, session, mailing_list, due, plan, go_at)
        goes = "once it is released" if row.waits else format_moment(go_at, mailing_list.zone)
        count = count_entries(len(plan.decision.entries))
        return ComposedDigest(
            mailing_list.slug,
            due.cadence,
            None,
            "",
            len(plan.decision.entries),
            plan.decision.subscribers,
            f"is reviewed: {count}, {goes}",
        )


def _find_moment(env: Environment, mailing_list: MailingList, due: DueReview) -> datetime:
    """Return the moment when the digest goes out unless its authors change it."""
    review = find_review_time(mailing_list, due.cadence)
    if due.period is None:
        return env.now + review
    return max(due.period.due_at, env.now + review * KEPT_SHARE)


def _add_review(
    env: Environment,
    session: Session,
    mailing_list: MailingList,
    due: DueReview,
    plan: DigestPlan,
    go_at: datetime,
) -> DigestReview:
    row = DigestReview(
        list_id=mailing_list.id,
        cadence=due.cadence,
        key=due.key,
        due_at=due.period.due_at if due.period else None,
        go_at=go_at,
        entries=[entry.id for entry in select_candidates(plan, plan.decision.entries)],
        left_out=[],
        through=plan.through,
        recipients=plan.decision.subscribers,
        waits=mailing_list.review_waits,
        version=0,
        created_at=env.now,
    )
    session.add(row)
    session.flush()
    row.mails = [
        outbox.enqueue(
            session,
            mail=MailKind.REVIEW,
            subscription_id=None,
            now=env.now,
            context={
                "to": address,
                "list_id": mailing_list.id,
                "review": row.id,
                "language": mailing_list.language,
            },
        )
        for address in list_authors(session, mailing_list)
    ]
    return row


def give_time(env: Environment, review: Review) -> bool:
    """Postpone a digest whose review could not be mailed yet, so that authors get the review time.

    Returns whether it waits.
    """
    if review.released or not review.mails:
        return False
    with transaction() as session:
        mailing_list = reviews.lock_list(session, review.list_id)
        row = reviews.find_row(session, review.list_id, review.cadence)
        if row is None or row.id != review.id or not outbox.is_any_waiting(session, review.mails):
            return False
        time = find_review_time(mailing_list, review.cadence) or env.now - row.created_at
        row.go_at = env.now + time * KEPT_SHARE
        return True
