"""Describe the next digest for its page: time, recipients, entries, introduction."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.db.session import reading
from newsletter.models import Entry, MailingList
from newsletter.services.digests import explain_list, intros, review_acts, reviews
from newsletter.services.digests.explain_list import COUNTED_AT_MOST
from newsletter.services.digests.outlook import Outlook
from newsletter.services.digests.plan import make_plan
from newsletter.services.digests.review_acts import ReviewedEntry
from newsletter.services.digests.reviews import Review
from newsletter.services.lookup import get_list
from newsletter.services.polling.entry_state import owed_clause
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence

SHOWN_AT_MOST = 50
"""The most entries, the newest, that the page lists."""


@dataclass(frozen=True, slots=True)
class UpcomingDigest:
    """The next digest of a cadence.

    `key` names it, so that an act is not done to another one; `recipients` would get it now, or at
    least so many, if it is `cut`; `entries` are those that it carries, or that its review fixed.
    """

    slug: str
    cadence: Cadence
    timezone: str
    outlook: Outlook
    key: str
    recipients: int
    entries: tuple[ReviewedEntry, ...]
    intro: str
    cut: bool


def read_upcoming(env: Environment, slug: str, cadence: Cadence) -> UpcomingDigest:
    """Describe the next digest of a cadence as it would go out now.

    Raises `NotFound`.
    """
    with reading() as session:
        mailing_list = get_list(session, slug)
        outlook = explain_list.explain_cadences(env, session, mailing_list, [cadence])[0]
        review = outlook.review
        plan = make_plan(
            env, session, mailing_list, cadence, review=review, count_at_most=COUNTED_AT_MOST
        )
        intro = intros.find_intro(session, mailing_list.id, cadence)
        return UpcomingDigest(
            mailing_list.slug,
            cadence,
            mailing_list.timezone,
            outlook,
            review_acts.find_key(env, session, mailing_list, cadence),
            plan.decision.subscribers,
            _list_entries(session, mailing_list, review, plan.decision.entries),
            intro.text if intro else "",
            plan.cut,
        )


def count_recipients(env: Environment, slug: str, cadence: Cadence) -> int:
    """Count the recipients of the next digest of a cadence, without a time limit."""
    with reading() as session:
        mailing_list = get_list(session, slug)
        review = reviews.find_open(session, mailing_list.id, cadence)
        return make_plan(env, session, mailing_list, cadence, review=review).decision.subscribers


def _list_entries(
    session: Session, mailing_list: MailingList, review: Review | None, carried: frozenset[int]
) -> tuple[ReviewedEntry, ...]:
    fixed = review.entries if review is not None else None
    ids = carried if fixed is None else fixed
    query = (
        select(Entry.id, Entry.title, Entry.own_title, owed_clause().label("owed"))
        .where(Entry.list_id == mailing_list.id, Entry.id.in_(ids))
        .order_by(Entry.seq.desc(), Entry.id.desc())
        .limit(SHOWN_AT_MOST)
    )
    left_out = review.left_out if review is not None else frozenset()
    return tuple(
        ReviewedEntry(row.id, row.own_title or row.title, row.id in left_out or not row.owed)
        for row in session.execute(query)
    )
