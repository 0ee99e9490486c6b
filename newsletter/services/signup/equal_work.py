"""Do the same work for every visitor, and keep only what applies to the address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.orm import Session

_NUMBERS = text(
    "SELECT name, seq FROM sqlite_sequence WHERE name IN "
    "('subscribers', 'subscriptions', 'deliveries', 'consent_events', 'events', "
    "'figure_notes')"
)


_FORGET_NUMBER = text("DELETE FROM sqlite_sequence WHERE name = :name")


_KEEP_NUMBER = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)")


@contextmanager
def roll_back(session: Session) -> Iterator[None]:
    """Roll a piece of work back at its end, but keep the row numbers that it used up.

    Whether work is kept or rolled back depends on who subscribes, so the next row number must not
    tell. PostgreSQL never gives a number back; SQLite would.
    """
    connection = session.connection()
    savepoint = connection.begin_nested()
    try:
        yield
    finally:
        sqlite = connection.dialect.name == "sqlite"
        used = connection.execute(_NUMBERS).mappings().all() if sqlite else []
        savepoint.rollback()
        if used:
            numbers = [dict(row) for row in used]
            connection.execute(_FORGET_NUMBER, numbers)
            connection.execute(_KEEP_NUMBER, numbers)
