"""Count events in time windows, in database rows shared by all processes.

What is counted, and how much is too much, is decided by others: `request_limits.py` first of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from sqlalchemy import String, column, func, select, text
from sqlalchemy.orm import Session

from newsletter.db.alone import AT_ONCE, run_alone
from newsletter.db.prepared import Prepared
from newsletter.db.session import db
from newsletter.models import Counter

HOUR = 3600
A_DAY = 86_400
NAMES_AT_ONCE = 500
"""Counters read with one query, far below the parameter limits of both databases."""


def increment(session: Session, name: str, *, now: int, seconds: int) -> int:
    """Increment the counter `name` in the window of `now`, and return the new count.

    `now` in seconds since 1970.
    """
    return add_count(session, name, 1, now=now, seconds=seconds)


def add_count(session: Session, name: str, by: int, *, now: int, seconds: int) -> int:
    """Add `by` to the counter `name`, and return the new count."""
    return increment_all(session, [name], now - now % seconds, by=by)[name]


def increment_all(
    session: Session, names: Sequence[str], starts_at: int, *, by: int = 1
) -> dict[str, int]:
    """Add `by` to each of several counters, in one statement.

    Give the narrow before the wide, so that two processes lock them in the same order.
    """
    values = {f"name{number}": name for number, name in enumerate(names)}
    rows = _build_statement(len(names)).run(session, {**values, "starts_at": starts_at, "by": by})
    return {row.name: row.count for row in rows}


def increment_shared(
    session: Session, names: Sequence[str], starts_at: int, *, by: int = 1
) -> dict[str, int]:
    """Add `by` to counters that the requests of all visitors share.

    On PostgreSQL this is a transaction of its own, so that no visitor waits until another's request
    is on the disk: it stays counted whatever becomes of the caller's, and if the server crashes the
    counts of its last second may be lost. SQLite has one writer at a time in any case, and counts
    in the caller's transaction.
    """
    if session.get_bind().dialect.name == "sqlite":
        return increment_all(session, names, starts_at, by=by)
    values = {f"name{number}": name for number, name in enumerate(names)}
    statement = _build_statement(len(names), f", {AT_ONCE} AS setting")
    rows = run_alone(db.engine, statement, {**values, "starts_at": starts_at, "by": by})
    return {row.name: row.count for row in rows}


@cache
def _build_statement(rows: int, more: str = "") -> Prepared:
    """Build the upsert of `rows` counters."""
    listed = ", ".join(f"(:name{number}, :starts_at, :by)" for number in range(rows))
    statement = text(
        # Only numbers and a constant are inserted into the text.
        f"INSERT INTO counters (name, starts_at, count) VALUES {listed} "  # noqa: S608
        "ON CONFLICT (name, starts_at) DO UPDATE SET count = counters.count + :by "
        f"RETURNING name, count{more}"
    )
    if more:
        return Prepared(statement.columns(Counter.name, Counter.count, column("setting", String)))
    return Prepared(statement.columns(Counter.name, Counter.count))


def count_since(session: Session, names: Sequence[str], *, since: int) -> dict[str, int]:
    """Return the counts of `names` since a moment, given in seconds since 1970.

    Only whole windows count, those that began at `since` or later.
    """
    counts = dict.fromkeys(names, 0)
    for start in range(0, len(names), NAMES_AT_ONCE):
        part = names[start : start + NAMES_AT_ONCE]
        query = select(Counter.name, func.sum(Counter.count)).where(
            Counter.name.in_(part), Counter.starts_at >= since
        )
        counts |= {
            name: int(count) for name, count in session.execute(query.group_by(Counter.name))
        }
    return counts
