"""Copy a database to another one, SQLite or PostgreSQL, and compare the counts of all tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from newsletter.db.session import explain_error
from newsletter.errors import DatabaseError, Refused
from newsletter.files import list_side_files
from newsletter.services import workers
from newsletter.services.operations import database, table_copy
from newsletter.services.operations.file_users import read_command
from newsletter.services.operations.table_copy import Row, TableShape

SILENT_FOR = timedelta(minutes=3)
"""Time since its last tick after which a worker on another machine counts as stopped."""
LOCK_TIMEOUT = "10s"
"""Time to wait for a lock on a PostgreSQL table."""


def copy_database(source_url: str, target_url: str, now: datetime) -> dict[str, int]:
    """Copy every row to an empty database; return the number of rows of each table.

    Ids and the numbers given out so far stay. Raises `Refused` where a worker runs or the target
    is not empty, `DatabaseError` where either cannot be used; the target is as it was then.
    """
    try:
        with table_copy.open_snapshot(source_url) as snapshot:
            if snapshot.revision != database.find_newest_revision():
                raise database.explain_revision(snapshot.revision)
            require_no_worker(snapshot.connection, now)
            counts = fill_new(target_url, snapshot.tables, snapshot.read_rows, snapshot.sequences)
            _require_same_counts(snapshot, counts)
            return counts
    except DBAPIError as error:
        raise DatabaseError(f"the database cannot be copied: {explain_error(error)}") from None


def _require_same_counts(snapshot: table_copy.Snapshot, counts: Mapping[str, int]) -> None:
    for table in snapshot.tables:
        copied = counts[table.name]
        if copied != (count := snapshot.count(table.name)):
            raise DatabaseError(
                f"table {table.name}: the copy has {copied} rows, the source {count}; "
                "nothing was changed in the source",
                hint="stop everything that writes to it and copy again",
            )


def fill_new(
    url: str,
    tables: Iterable[TableShape],
    rows_of: Callable[[TableShape], Iterable[Row]],
    sequences: Mapping[str, int],
) -> dict[str, int]:
    """Create the tables at `url` and fill them; leave nothing behind after an error."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        prepare_postgresql(url)
        require_empty(url)
        return fill_all(url, tables, rows_of, sequences)
    file = Path(str(parsed.database))
    if file.exists():
        raise Refused(f"{file} exists", hint="name a file that does not")
    part = file.with_name(f".{file.name}.part")
    try:
        database.upgrade(f"sqlite:///{part}")
        counts = fill_all(f"sqlite:///{part}", tables, rows_of, sequences)
        part.rename(file)
    finally:
        for left in (part, *list_side_files(part)):
            left.unlink(missing_ok=True)
    return counts


def fill_all(
    url: str,
    tables: Iterable[TableShape],
    rows_of: Callable[[TableShape], Iterable[Row]],
    sequences: Mapping[str, int],
) -> dict[str, int]:
    """Replace every row at `url` in one transaction."""
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        if engine.dialect.name == "sqlite":
            driver.execute("PRAGMA foreign_keys=OFF")  # checked at the end, for all rows at once
        with connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
            counts = table_copy.fill(connection, tables, rows_of, sequences)
        if engine.dialect.name == "sqlite":
            driver.execute("PRAGMA journal_mode=DELETE")
    engine.dispose()
    return counts


def prepare_postgresql(url: str) -> None:
    """Create the tables where there are none; refuse tables of another version."""
    revision = find_revision(url)
    if revision is None:
        database.upgrade(url)
    elif revision != database.find_newest_revision():
        raise database.explain_revision(revision)


def find_revision(url: str) -> str | None:
    """Return the revision of the database at `url`, None if it has no tables of this program."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return database.read_revision(connection)


def require_empty(url: str) -> None:
    """Refuse a target with lists or subscribers in it."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        for table in ("mailing_lists", "subscribers", "campaigns"):
            if table_copy.count_rows(connection, table):
                raise Refused(
                    f"the database there is not empty: it has {table}", hint="name an empty one"
                )


def require_no_worker(connection: Connection, now: datetime) -> None:
    """Refuse while a worker runs: mail sent meanwhile would be missing from the copy."""
    for name, ticked_at in connection.execute(text("SELECT name, ticked_at FROM workers")):
        if not workers.is_name(name):
            continue
        if workers.is_here(name):
            if workers.is_alive(name):
                pid = workers.parse_pid(name)
                raise Refused(
                    f"a worker runs: process {pid} ({read_command(pid)})", hint="stop it first"
                )
        elif now - _parse(ticked_at) < SILENT_FOR:
            raise Refused(
                f"a worker on {name.partition('/')[0]} was active in the last two minutes",
                hint="stop it first",
            )


def _parse(moment: datetime | str) -> datetime:
    value = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return value if value.tzinfo else value.replace(tzinfo=UTC)
