"""Run read-only statements outside of transactions, on a connection apart from the session's.

For what every visitor of a public page causes.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import DBAPIError

from newsletter.db.alone import run_alone
from newsletter.db.prepared import Prepared, Values
from newsletter.db.session import db, to_database_error


def read_alone(statement: Prepared, values: Values) -> list[Any]:
    """Run a read-only statement outside of any transaction, and return its rows.

    A connection that a restart of the server has broken is replaced. Raises `DatabaseError` if the
    database cannot be read, and `RuntimeError` inside a `transaction`, whose changes a look would
    not see.
    """
    if db.session.registry.has() and db.session().info.get("writes"):
        raise RuntimeError("a look inside a transaction does not see what was written")
    try:
        return run_alone(db.engine, statement, values)
    except DBAPIError as error:
        raise to_database_error(error) or error from error
