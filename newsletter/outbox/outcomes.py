"""What became of it: recorded once per row, given back, or, after a crash, in doubt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Update, and_, bindparam, delete, or_, select, update
from sqlalchemy.orm import Session

from newsletter.errors import LeaseLost
from newsletter.models.outbox import WAITING
from newsletter.outbox.leasing import advance, open_rows, seconds_now
from newsletter.outbox.rows import Held, Mark, deliveries, leases

DOUBTS_AT_MOST = 3
SET_ASIDE = "set aside: in flight three times when the worker died or the reply was lost"

_OUTCOME = {
    "status": bindparam("s"),
    "code": bindparam("c"),
    "text": bindparam("t"),
    "attempts": deliveries.c.attempts + bindparam("a"),
    "doubts": deliveries.c.doubts + bindparam("d"),
    "due_at": bindparam("due"),
    "finished_at": bindparam("f"),
    "lease_id": None,
}
_WAITS = or_(*(deliveries.c.status == status for status in WAITING))
_RECORD = update(deliveries).where(deliveries.c.id == bindparam("row"), _WAITS)
# What a server has taken was sent, whatever was decided about the row while it was on its way.
_RECORD_SENT = update(deliveries).where(deliveries.c.id == bindparam("row"), deliveries.c.status != "sent")


def record(
    session: Session, held: Held, marks: Sequence[Mark], *, now: datetime, through_id: int, seconds: int
) -> None:
    """Writes outcomes down, and renews the lease to `through_id`.

    Raises `LeaseLost` where another worker has taken over: what a server accepted is recorded all the same (the caller
    commits), the rest is the other worker's.
    """
    lost = None
    try:  # the lease before its rows, in the order in which `recover` locks them
        advance(session, held, through_id=through_id, seconds=seconds)
    except LeaseLost as error:
        lost = error
    _write(session, _RECORD_SENT, [mark for mark in marks if mark.status == "sent"], now)
    if lost is not None:
        raise lost
    _write(session, _RECORD, [mark for mark in marks if mark.status != "sent"], now)


def _write(session: Session, statement: Update, marks: Sequence[Mark], now: datetime) -> None:
    rows = [
        {
            "row": mark.id,
            "s": mark.status,
            "c": mark.code,
            "t": mark.text[:500] if mark.text else None,
            "a": mark.attempts,
            "d": mark.doubts,
            "due": mark.due_at,
            "f": None if mark.due_at else now,
        }
        for mark in marks
    ]
    if rows:
        session.connection().execute(statement.values(_OUTCOME), rows)


def release(session: Session, held: Held, *, now: datetime) -> None:
    """Gives a lease back: what has no outcome was never offered, and is due again at once."""
    session.execute(update(deliveries).where(open_rows(held)).values(lease_id=None, due_at=now))
    session.execute(delete(leases).where(leases.c.id == held.id))


def recover(session: Session, *, now: datetime, alive: Callable[[str], bool]) -> int:
    """Takes over the leases that have run out or whose worker is not `alive`. Returns how many rows
    are in doubt now."""
    stale = session.execute(
        select(leases, (leases.c.expires_at < seconds_now(session)).label("expired"))
        .order_by(leases.c.id)
        .with_for_update(skip_locked=True)
    ).all()
    doubts = 0
    for lease in stale:
        if lease.expired or not alive(lease.worker):
            held = Held(lease.id, lease.campaign_id, lease.first_id, lease.last_id, lease.through_id)
            doubts += _doubt(session, held, now)
            release(session, held, now=now)
    return doubts


def _doubt(session: Session, held: Held, now: datetime) -> int:
    offered = and_(open_rows(held), deliveries.c.id <= held.through_id)
    set_aside = update(deliveries).where(offered, deliveries.c.doubts >= DOUBTS_AT_MOST - 1)
    session.execute(
        set_aside.values(
            status="failed",
            text=SET_ASIDE,
            doubts=deliveries.c.doubts + 1,
            due_at=None,
            lease_id=None,
            finished_at=now,
        )
    )
    again = update(deliveries).where(offered)
    result = session.execute(again.values(status="in_doubt", doubts=deliveries.c.doubts + 1, due_at=now, lease_id=None))
    return cast("CursorResult[Any]", result).rowcount
