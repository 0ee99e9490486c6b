"""Queue the letters of series that are due.

Due-ness is a column: `series_due_at` says when to look at a subscription again, and is set to now
for those whom a change of the series may concern. A letter that is queued is recorded in the same
transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import transaction
from newsletter.models import SeriesLetter, SeriesLetterSent, Subscription
from newsletter.schedule import SeriesStep, find_next_of_series
from newsletter.services.audience.mailable import is_paused
from newsletter.services.runtime import Environment
from newsletter.vocabulary import MailKind, SubscriptionStatus

BATCH = 200
"""Subscriptions processed in one transaction, so that none lasts long."""
LOOK_AGAIN = timedelta(minutes=10)
"""Delay before the next check of a subscription whose earlier letter is still in the outbox."""


def begin_series(session: Session, subscription: Subscription, now: datetime) -> bool:
    """Begin the series for a subscriber who has just confirmed, in the caller's transaction.

    Returns whether its welcome letter was queued.
    """
    subscription.series_at = now
    sent = _load_sent(session, [subscription]).get(subscription.id, {})
    return _advance(
        session, subscription, _list_moments(list_steps(session, subscription.list_id)), sent, now
    )


def advance_due(env: Environment) -> int:
    """Queue every letter of a series that is due, and return their number."""
    queued = 0
    while True:
        with transaction() as session:
            due = session.scalars(
                select(Subscription)
                .where(Subscription.series_due_at <= env.now)
                .order_by(Subscription.series_due_at)
                .limit(BATCH)
                .with_for_update(skip_locked=True)
            ).all()
            steps = {
                list_id: _list_moments(list_steps(session, list_id))
                for list_id in {row.list_id for row in due}
            }
            sent = _load_sent(session, due)
            for row in due:
                queued += _advance(session, row, steps[row.list_id], sent.get(row.id, {}), env.now)
        if len(due) < BATCH:
            return queued


def _list_moments(steps: Sequence[SeriesLetter]) -> list[SeriesStep]:
    return [
        SeriesStep(
            step.id,
            timedelta(seconds=step.after_seconds),
            step.created_at,
            removed=step.removed_at is not None,
        )
        for step in steps
    ]


def _load_sent(
    session: Session, subscriptions: Sequence[Subscription]
) -> dict[int, dict[int, datetime]]:
    query = select(SeriesLetterSent).where(
        SeriesLetterSent.subscription_id.in_([row.id for row in subscriptions])
    )
    sent: dict[int, dict[int, datetime]] = {}
    for row in session.scalars(query):
        sent.setdefault(row.subscription_id, {})[row.step_id] = row.at
    return sent


def _advance(
    session: Session,
    subscription: Subscription,
    steps: Sequence[SeriesStep],
    sent: dict[int, datetime],
    now: datetime,
) -> bool:
    """Queue a subscription's next letter if it is due, and schedule the next check.

    Returns whether a letter was queued.
    """
    if subscription.series_at is None or subscription.status != SubscriptionStatus.ACTIVE:
        subscription.series_due_at = None
        return False
    following = find_next_of_series(steps, begun=subscription.series_at, received=sent)
    if following is None or following[1] > now:
        subscription.series_due_at = following[1] if following else None
        return False
    step_id = following[0]
    if is_paused(subscription.paused_until, now):
        subscription.series_due_at = subscription.paused_until
        return False
    if outbox.is_waiting(session, subscription.id, MailKind.SERIES):  # letters go in their order
        subscription.series_due_at = now + LOOK_AGAIN
        return False
    sent = {**sent, step_id: now}
    session.add(SeriesLetterSent(subscription_id=subscription.id, step_id=step_id, at=now))
    outbox.enqueue(
        session,
        mail=MailKind.SERIES,
        subscription_id=subscription.id,
        now=now,
        context={"step": step_id},
    )
    following = find_next_of_series(steps, begun=subscription.series_at, received=sent)
    subscription.series_due_at = following[1] if following else None
    return True


def list_steps(session: Session, list_id: int) -> list[SeriesLetter]:
    """Return all letters of a list's series in order, removed ones included."""
    return list(
        session.scalars(
            select(SeriesLetter)
            .where(SeriesLetter.list_id == list_id)
            .order_by(SeriesLetter.after_seconds, SeriesLetter.id)
        )
    )


def look_again(session: Session, step: SeriesLetter, *, since: datetime, now: datetime) -> None:
    """Schedule a check of each subscription whose letter `step` is due after `since`."""
    begun = Subscription.series_at >= since - timedelta(seconds=step.after_seconds)
    concerned = update(Subscription).where(
        Subscription.list_id == step.list_id,
        Subscription.status == SubscriptionStatus.ACTIVE,
        begun,
    )
    session.execute(
        concerned.values(series_due_at=now).execution_options(synchronize_session=False)
    )
