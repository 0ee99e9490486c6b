"""Do the same database work for every address, so that response times reveal nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Integer, String, column, text
from sqlalchemy.orm import Session

from newsletter.db.prepared import Prepared

_BEGIN = Prepared(text("SAVEPOINT nobody"))
_TAKE_BACK = Prepared(text("ROLLBACK TO SAVEPOINT nobody"))
_NUMBERS = Prepared(
    text(
        "SELECT name, seq FROM sqlite_sequence WHERE name IN "
        "('subscribers', 'subscriptions', 'deliveries', 'consent_events', 'events', "
        "'figure_notes')"
    ).columns(column("name", String), column("seq", Integer))
)
_KEEP_NUMBER = Prepared(text("UPDATE sqlite_sequence SET seq = :seq WHERE name = :name"))
_ADD_NUMBER = Prepared(
    text(
        "INSERT INTO sqlite_sequence (name, seq) SELECT :name, :seq "
        "WHERE NOT EXISTS (SELECT * FROM sqlite_sequence WHERE name = :name)"
    )
)
"""Insert into SQLite's sequence table, where a table's first row was rolled back."""


@contextmanager
def roll_back(session: Session) -> Iterator[None]:
    """Roll back a block of work, but keep the row ids that it consumed.

    Whether work is kept or rolled back depends on who subscribes, so the next row number must not
    tell. PostgreSQL never gives a number back; SQLite would.
    """
    _BEGIN.run(session, {})
    try:
        yield
    finally:
        used = _NUMBERS.run(session, {}) if session.get_bind().dialect.name == "sqlite" else []
        _TAKE_BACK.run(session, {})
        if used:
            numbers = [{"name": row.name, "seq": row.seq} for row in used]
            if _KEEP_NUMBER.run_many(session, numbers) < len(numbers):
                _ADD_NUMBER.run_many(session, numbers)
