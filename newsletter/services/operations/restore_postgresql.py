"""Replace the contents of a PostgreSQL database by a backup, in one transaction.

The rows are prepared in an SQLite file (merged with what must only grow, held), as for SQLite. The
database that is replaced is copied to such a file first, which can be restored in the same way.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from newsletter.db.session import explain_error
from newsletter.errors import DatabaseError, Refused
from newsletter.services.operations import database, database_copy, table_copy
from newsletter.services.operations.restore_staged import Restored, find_free_name, prepare, stage
from newsletter.services.runtime import utcnow
from newsletter.settings import Settings

_SESSIONS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


def restore_postgresql(settings: Settings, file: Path, passphrase: str) -> Restored:
    """Replace the database of `settings` by the backup `file`; see `restore.restore`."""
    url = settings.database_url
    try:
        with tempfile.TemporaryDirectory(prefix=".restoring-", dir=settings.folder) as scratch:
            staged = Path(scratch) / "staged.db"
            stage(file, staged, passphrase)
            copy = _copy_old_database(settings, url)
            if copy is None:
                restored = prepare(settings, staged, None, utcnow())
            else:
                with closing(sqlite3.connect(copy)) as old:
                    restored = prepare(settings, staged, old, utcnow())
            with table_copy.open_snapshot(f"sqlite:///{staged}") as snapshot:
                database_copy.fill_all(url, snapshot.tables, snapshot.read_rows, snapshot.sequences)
    except (DBAPIError, OSError, sqlite3.Error) as error:
        cause = explain_error(error) if isinstance(error, DBAPIError) else str(error)
        raise DatabaseError(
            f"the backup cannot be restored: {cause}", hint="nothing was changed"
        ) from None
    return Restored(copy, *restored)


def _copy_old_database(settings: Settings, url: str) -> Path | None:
    """Copy the replaced database to an SQLite file; return None where there were no tables."""
    if database_copy.find_revision(url) is None:
        database.upgrade(url)
        return None
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        database_copy.require_no_worker(connection, utcnow())
        if sessions := connection.scalar(_SESSIONS):
            raise Refused(
                f"the database is in use: {sessions} other connections",
                hint="stop the services that use it, then restore again",
            )
    copy = find_free_name(settings.folder / "newsletter.db")
    database_copy.copy_database(url, f"sqlite:///{copy}", utcnow())
    return copy
