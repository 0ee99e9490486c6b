"""List, count and drop waiting single mails, and delete old ones."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, delete, func, or_, select, text, update
from sqlalchemy.orm import Session

from newsletter.models.outbox import held_clause, passing_clause
from newsletter.outbox.queries import reported_query
from newsletter.outbox.types import DeliveryRow, deliveries
from newsletter.vocabulary import DeliveryStatus


def waiting_mails_clause() -> ColumnElement[bool]:
    """Build the condition for single mails that wait to become due, or at the gate."""
    waits = or_(deliveries.c.due_at.is_not(None), text(held_clause("deliveries.")))
    return deliveries.c.campaign_id.is_(None) & deliveries.c.lease_id.is_(None) & waits


def list_waiting_mails(session: Session, *, limit: int | None) -> list[DeliveryRow]:
    """List the waiting single mails, oldest first."""
    query = reported_query().where(waiting_mails_clause()).order_by(deliveries.c.id).limit(limit)
    return [DeliveryRow(*row) for row in session.execute(query)]


def count_waiting_mails(session: Session) -> int:
    """Count the waiting single mails."""
    query = select(func.count()).select_from(deliveries).where(waiting_mails_clause())
    return session.scalar(query) or 0


def drop_waiting_mails(
    session: Session, ids: Collection[int] | None, why: str, *, now: datetime
) -> int:
    """Cancel waiting single mails, all or those of `ids`; return their number."""
    dropped = update(deliveries).where(waiting_mails_clause())
    if ids is not None:
        dropped = dropped.where(deliveries.c.id.in_(ids))
    cancelled = dropped.values(
        status=DeliveryStatus.CANCELLED, text=why, due_at=None, finished_at=now
    )
    return cast("CursorResult[Any]", session.execute(cancelled)).rowcount


def delete_passing_mails(session: Session, *, before: datetime, limit: int) -> int:
    """Delete up to `limit` rows of passing mails (mail/kinds.py) finished before `before`.

    Returns how many there were.
    """
    past = (
        select(deliveries.c.id)
        .where(text(passing_clause()), deliveries.c.finished_at < before)
        .order_by(deliveries.c.finished_at)
        .limit(limit)
    )
    ids = session.scalars(past).all()
    session.execute(delete(deliveries).where(deliveries.c.id.in_(ids)))
    return len(ids)
