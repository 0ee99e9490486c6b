"""End leases: release them, or take them over after a crash, marking rows in flight as in doubt."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, and_, delete, select, update
from sqlalchemy.orm import Session

from newsletter.i18n import Text
from newsletter.outbox.lease import open_rows_clause, seconds_now_clause
from newsletter.outbox.types import LeasedBatch, deliveries, leases
from newsletter.vocabulary import DeliveryStatus

CRASHES_ALONE = 2
"""Crashes with a message alone in flight after which it is not offered again: it may be the cause.
"""
SET_ASIDE = Text("set aside: the worker died twice while only this message was in flight")


def release(session: Session, held: LeasedBatch, *, now: datetime) -> None:
    """Release a lease: rows without an outcome were never offered, and become due again."""
    session.execute(
        update(deliveries).where(open_rows_clause(held)).values(lease_id=None, due_at=now)
    )
    session.execute(delete(leases).where(leases.c.id == held.id))


def recover(
    session: Session,
    *,
    now: datetime,
    alive: Callable[[str], bool],
    forgetful: Callable[[str], bool] = lambda _: False,
) -> int:
    """Take over the leases that have expired or whose worker is not `alive`.

    Returns how many rows are in doubt now.

    Of a worker whose last notes may be lost (`forgetful`), all that it held may have been offered.
    """
    stale = session.execute(
        select(leases, (leases.c.expires_at < seconds_now_clause(session)).label("expired"))
        .order_by(leases.c.id)
        .with_for_update(skip_locked=True)
    ).all()
    doubts = 0
    for lease in stale:
        if lease.expired or not alive(lease.worker):
            through_id = lease.last_id if forgetful(lease.worker) else lease.through_id
            held = LeasedBatch(
                lease.id, lease.campaign_id, lease.first_id, lease.last_id, through_id
            )
            doubts += _doubt(session, held, now, alone=lease.alone)
            release(session, held, now=now)
    return doubts


def _doubt(session: Session, held: LeasedBatch, now: datetime, *, alone: bool) -> int:
    """Mark the rows that may have been offered as in doubt.

    Return how many rows that were.

    `crashes` becomes 1 for what was in flight with others, and grows for what was in flight alone.
    """
    offered = and_(open_rows_clause(held), deliveries.c.id <= held.through_id)
    crashed = {
        "crashes": deliveries.c.crashes + 1 if alone else 1,
        "doubts": deliveries.c.doubts + 1,
        "lease_id": None,
    }
    if alone:
        set_aside = update(deliveries).where(offered, deliveries.c.crashes >= CRASHES_ALONE)
        session.execute(
            set_aside.values(
                status=DeliveryStatus.FAILED,
                text=SET_ASIDE,
                due_at=None,
                finished_at=now,
                **crashed,
            )
        )
    again = (
        update(deliveries)
        .where(offered)
        .values(status=DeliveryStatus.IN_DOUBT, due_at=now, **crashed)
    )
    result = session.execute(again)
    return cast("CursorResult[Any]", result).rowcount
