"""Backfill the totals from events that were recorded before totals existed.

Runs in small steps; how far it has come is stored with what each step has counted. Events do not
tell which cadence was left for which, nor the campaign that somebody left after: of those days such
figures are missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import and_, exists, func, select
from sqlalchemy.orm import Session, aliased

from newsletter.db.session import transaction
from newsletter.models import ConsentEvent, Counter, Event
from newsletter.services import counting, figures
from newsletter.services.figures import Counted
from newsletter.statistics_vocabulary import Figure
from newsletter.vocabulary import ConsentKind, EventKind

EVENTS_AT_ONCE = 2000
UNTIL = "backfill/until"
"""The counter that holds the id of the last event to backfill."""
THROUGH = "backfill/through"
"""The counter that holds the id of the last backfilled event."""
KINDS = (
    EventKind.SUBSCRIPTION_REQUESTED,
    EventKind.SUBSCRIPTION_CONFIRMED,
    EventKind.SUBSCRIPTION_ENDED,
)


def count_old_events() -> int:
    """Backfill the next batch of events, and return its size."""
    with transaction() as session:
        until, through = _read_progress(session)
        rows = _read_events(session, through, until) if through < until else []
        if rows:
            figures.note(session, _count(rows))
            _write(session, THROUGH, rows[-1].id)
        elif through < until:
            _write(session, THROUGH, until)
    return len(rows)


def _read_progress(session: Session) -> tuple[int, int]:
    """Read the last event to backfill, and the last one done.

    The first time it is decided: where anything has been counted already, nothing is old.
    """
    rows = session.scalars(select(Counter).where(Counter.name.in_((UNTIL, THROUGH)))).all()
    progress = {row.name: row.count for row in rows}
    if UNTIL not in progress:
        newest = session.scalar(select(func.max(Event.id))) or 0
        progress = {UNTIL: 0 if figures.is_anything_counted(session) else newest, THROUGH: 0}
        session.add_all(
            Counter(name=name, starts_at=0, count=count) for name, count in progress.items()
        )
        session.flush()
    return progress[UNTIL], progress[THROUGH]


def _write(session: Session, name: str, count: int) -> None:
    session.get_one(Counter, (name, 0)).count = count


def _read_events(session: Session, after: int, until: int) -> list[Any]:
    """Read the next events, each with its sign-up request and whether that was confirmed.

    `origin_*` are of the evidence of the request: of a confirmation the last one before it.
    """
    earlier = aliased(Event)
    was_confirmed = exists().where(
        earlier.subscription_id == Event.subscription_id,
        earlier.kind == EventKind.SUBSCRIPTION_CONFIRMED,
        earlier.id < Event.id,
    )
    request = aliased(ConsentEvent)
    newest = (
        select(func.max(request.id))
        .where(
            request.subscription_id == Event.subscription_id,
            request.kind == ConsentKind.REQUESTED,
            request.id <= Event.consent_event_id,
        )
        .scalar_subquery()
    )
    origin = aliased(ConsentEvent)
    query = (
        select(
            Event.id,
            Event.kind,
            Event.reason,
            Event.list_id,
            Event.at,
            was_confirmed.label("was_confirmed"),
            origin.form.label("origin_form"),
            origin.source.label("origin_source"),
            origin.page.label("origin_page"),
        )
        .outerjoin(origin, and_(origin.id == newest, Event.kind.in_(KINDS[:2])))
        .where(Event.id > after, Event.id <= until, Event.kind.in_(KINDS))
        .order_by(Event.id)
        .limit(EVENTS_AT_ONCE)
    )
    return list(session.execute(query))


def _count(rows: list[Any]) -> Iterator[Counted]:
    for row in rows:
        form = row.origin_form or row.origin_source or row.reason
        page = counting.name_page(row.origin_page or "")
        if row.kind is EventKind.SUBSCRIPTION_REQUESTED:
            yield Counted(row.list_id, Figure.ASKED, row.at, str(form))
            if row.origin_source:
                yield Counted(row.list_id, Figure.ASKED_PAGE, row.at, page)
        elif row.kind is EventKind.SUBSCRIPTION_CONFIRMED:
            yield Counted(row.list_id, Figure.JOINED, row.at, row.reason)
            if row.reason == ConsentKind.CONFIRMED:
                yield Counted(row.list_id, Figure.CONFIRMED, row.at, str(form))
                yield Counted(row.list_id, Figure.CONFIRMED_PAGE, row.at, page)
        else:
            figure = Figure.LEFT if row.was_confirmed else Figure.UNCONFIRMED
            yield Counted(row.list_id, figure, row.at, row.reason)
