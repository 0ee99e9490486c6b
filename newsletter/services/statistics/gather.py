"""Update the totals: add notes, backfill old events, count subscribers by language.

Each step is one small transaction, and a worker that is killed loses nothing and counts nothing
twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.models import Counter as StoredCounter
from newsletter.models import MailingList, Subscriber, Subscription
from newsletter.services import figures, suppressions
from newsletter.services.runtime import Environment
from newsletter.services.statistics import messages
from newsletter.services.statistics.backfill import EVENTS_AT_ONCE, count_old_events
from newsletter.statistics_vocabulary import Figure
from newsletter.vocabulary import SubscriptionStatus

LOOK_EVERY = timedelta(hours=1)
"""Time between two counts of a list's subscribers by cadence and language."""
SUBSCRIPTIONS_AT_ONCE = 20_000


def gather(env: Environment, stop: Callable[[], bool] = lambda: False) -> None:
    """Update the figures that are due."""
    while not stop() and count_old_events() == EVENTS_AT_ONCE:
        pass
    while not stop() and figures.fold() == figures.NOTES_AT_ONCE:
        pass
    for list_id in _find_due_lists(env):
        if stop():
            return
        count_subscribers(env, list_id, stop)
    messages.count_due(env, stop)


def _find_due_lists(env: Environment) -> list[int]:
    """Find the lists whose subscribers are due to be counted."""
    since = int((env.now - LOOK_EVERY).timestamp())
    with reading() as session:
        ids = session.scalars(select(MailingList.id).order_by(MailingList.id)).all()
        names = {_name_look(list_id): list_id for list_id in ids}
        looked = select(StoredCounter.name).where(
            StoredCounter.name.in_(names), StoredCounter.starts_at > since
        )
        done = set(session.scalars(looked))
    return [list_id for name, list_id in names.items() if name not in done]


def _name_look(list_id: int) -> str:
    """Return the name of the counter with the time of a list's last count."""
    return f"looked/{list_id}"


def count_subscribers(
    env: Environment, list_id: int, stop: Callable[[], bool] = lambda: False
) -> None:
    """Count a list's active subscriptions by cadence, by language, and suppressed ones.

    They are read a page at a time, so that whoever joins or leaves meanwhile may be missing.
    """
    sums: dict[Figure, Counter[str]] = {
        Figure.CADENCE: Counter(),
        Figure.LANGUAGE: Counter(),
        Figure.NEVER_MAILED: Counter(),
    }
    after: int | None = 0
    while after is not None and not stop():
        with reading() as session:
            after = _add_page(session, list_id, after, sums)
    if after is None:
        with reading() as session:
            sums[Figure.NEVER_MAILED][""] = suppressions.count_suppressed(session, list_id)
        _store(env, list_id, sums)


def _add_page(
    session: Session, list_id: int, after: int, sums: dict[Figure, Counter[str]]
) -> int | None:
    """Add the page of subscriptions after the id `after`; return its last id, None at the end."""
    of_list = (Subscription.list_id == list_id, Subscription.subscriber_id > after)
    last = _find_last_of_page(session, *of_list)
    page = [*of_list, Subscription.status == SubscriptionStatus.ACTIVE]
    if last is not None:
        page.append(Subscription.subscriber_id <= last)
    query = (
        select(Subscription.cadence, Subscriber.language, func.count())
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(*page)
        .group_by(Subscription.cadence, Subscriber.language)
    )
    for cadence, language, count in session.execute(query):
        sums[Figure.CADENCE][cadence.value] += int(count)
        sums[Figure.LANGUAGE][language] += int(count)
    return last


def _find_last_of_page(session: Session, *of_list: ColumnElement[bool]) -> int | None:
    return session.scalar(
        select(Subscription.subscriber_id)
        .where(*of_list)
        .order_by(Subscription.subscriber_id)
        .offset(SUBSCRIPTIONS_AT_ONCE - 1)
        .limit(1)
    )


def _store(env: Environment, list_id: int, sums: dict[Figure, Counter[str]]) -> None:
    with transaction() as session:
        if session.get(MailingList, list_id) is None:
            return
        figures.replace_states(session, list_id, env.now, sums)
        session.merge(
            StoredCounter(name=_name_look(list_id), starts_at=int(env.now.timestamp()), count=1)
        )
