"""Notify all processes of commits on PostgreSQL; db/changes.py listens."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import Boolean, Engine, String, column, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from newsletter.db.alone import AT_ONCE, run_alone
from newsletter.db.prepared import PendingRows, Prepared

CHANNEL = "newsletter_changes"
_TELL = Prepared(
    text(f"SELECT pg_notify('{CHANNEL}', '') AS told, {AT_ONCE} AS setting").columns(
        column("told", String), column("setting", String)
    )
)

_IS_WRITTEN = Prepared(
    text("SELECT txid_current_if_assigned() IS NOT NULL AS is_written").columns(
        column("is_written", Boolean)
    )
)


def ask_for_news(session: Session) -> PendingRows | None:
    """Query whether a PostgreSQL transaction has written anything: only then it has an id.

    What an idle worker commits would wake it again without end.
    """
    if session.get_bind().dialect.name != "postgresql":
        return None
    return _IS_WRITTEN.start(session, {})


def announce_commit(engine: Engine) -> None:
    """Notify listeners that the database has changed.

    It follows the commit, in a transaction of its own: PostgreSQL writes transactions that tell
    something one after the other. What is not told is found a minute later at most.
    """
    with suppress(DBAPIError):
        run_alone(engine, _TELL, {})
