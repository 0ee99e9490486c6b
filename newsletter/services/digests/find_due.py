"""Find the digests of a list that are due to be composed or reviewed."""

from __future__ import annotations

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading
from newsletter.models import MailingList, Subscription
from newsletter.schedule import CADENCES, find_next_period
from newsletter.services.digests import reviews
from newsletter.services.digests.compose import DueDigest
from newsletter.services.digests.plan import find_matured, recipients_clause
from newsletter.services.digests.review_mail import DueReview
from newsletter.services.digests.reviews import Review
from newsletter.services.digests.timing import find_next_digest, find_review_time
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence, SubscriptionStatus


def list_cadences(session: Session, mailing_list: MailingList) -> list[Cadence]:
    """List the cadences of a list: those it offers, and those in use by subscribers or reviews."""
    return [
        cadence
        for cadence in CADENCES
        if cadence in mailing_list.cadences
        or has_subscriber(session, mailing_list.id, cadence)
        or reviews.find_open(session, mailing_list.id, cadence)
    ]


def has_subscriber(session: Session, list_id: int, cadence: Cadence) -> bool:
    """Tell whether an active subscriber of a list has a cadence."""
    query = exists().where(
        Subscription.list_id == list_id,
        Subscription.status == SubscriptionStatus.ACTIVE,
        Subscription.cadence == cadence,
    )
    return bool(session.scalar(select(query)))


def find_due(env: Environment, list_id: int, cadence: Cadence) -> DueDigest | DueReview | None:
    """Return the digest of a cadence that is due to be composed or reviewed, or None."""
    with reading() as session:
        return _find_due(env, session, session.get_one(MailingList, list_id), cadence)


def _find_due(
    env: Environment, session: Session, mailing_list: MailingList, cadence: Cadence
) -> DueDigest | DueReview | None:
    review = reviews.find_open(session, mailing_list.id, cadence)
    if review is not None:
        return make_due(env, mailing_list, review) if review.is_due(env.now) else None
    if not cadence.scheduled:
        due = _find_instant(env, session, mailing_list)
        if due is not None and find_review_time(mailing_list, cadence):
            return DueReview(mailing_list.id, cadence, due.key)
        return due
    digest = find_next_digest(session, mailing_list, cadence, env.now)
    if digest is None or not digest.closed:
        return None
    key = digest.period.key
    if find_review_time(mailing_list, cadence):
        return DueReview(mailing_list.id, cadence, key, digest.period, digest.following)
    return DueDigest(mailing_list.id, cadence, key, digest.following)


def make_due(env: Environment, mailing_list: MailingList, review: Review) -> DueDigest:
    """Return the digest of a review, to be composed now."""
    following = None
    key = make_key(env, review.through)
    if review.entries is not None:
        key = review.key
        if review.due_at is not None:
            following = find_next_period(review.cadence, mailing_list.schedule, review.due_at)
    return DueDigest(mailing_list.id, review.cadence, key, following, hasty=True, review=review)


def _find_instant(
    env: Environment, session: Session, mailing_list: MailingList
) -> DueDigest | None:
    through = find_matured(session, mailing_list, env.now)
    is_behind = exists().where(
        recipients_clause(mailing_list.id, Cadence.INSTANT, env.now), Subscription.cursor < through
    )
    if not session.scalar(select(is_behind)):
        return None
    return DueDigest(mailing_list.id, Cadence.INSTANT, make_key(env, through))


def make_key(env: Environment, through: int) -> str:
    """Return a key for a digest that belongs to no period.

    The number alone is not enough: subscribers who come back from a pause at different times are
    owed the same entries. The cursors see to it that nobody is mailed twice.
    """
    return f"{through}@{env.now:%Y%m%dT%H%M%S%f}"
