"""Upgrade the database, refuse one of another version, and back up an SQLite file."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from newsletter.db.causes import describe_cause
from newsletter.db.session import db
from newsletter.errors import DatabaseError, Refused
from newsletter.files import open_private, prepare_database

MIGRATIONS = Path(__file__).parents[2] / "migrations"
UPGRADE = "run `newsletter db upgrade`"
BEFORE_FIRST_RELEASE = frozenset(f"{number:04}" for number in range(1, 13))
"""Revisions of development versions, whose migrations were removed (docs/design.md)."""
_REVISION = re.compile(r"^((?:down_)?revision)\b[^=\n]*= \"(\w+)\"", re.M)
"""Pattern of the lines of a migration with its revision and the previous one."""


@cache
def _read_migrations() -> dict[str, str]:
    """Map each revision to its predecessor, "" for the first.

    Read from the files' text: importing Alembic takes half as long as a short command.
    """
    texts = [file.read_text("utf-8") for file in (MIGRATIONS / "versions").glob("*.py")]
    headers = [dict(_REVISION.findall(text)) for text in texts]
    return {names["revision"]: names.get("down_revision", "") for names in headers}


def find_newest_revision() -> str:
    """Return the revision that this version of the program needs."""
    migrations = _read_migrations()
    [newest] = migrations.keys() - set(migrations.values())
    return newest


def upgrade(url: str, revision: str = "head") -> None:
    """Create or upgrade the tables, to the newest revision or the given one.

    Raises `DatabaseError` where the database cannot be reached, or is at a revision that this
    program has no migration for.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    try:
        command.upgrade(config, revision)
    except DBAPIError as error:
        raise DatabaseError(
            f"the database cannot be upgraded: {_describe(error, url)}", hint=_describe_place(url)
        ) from None
    except CommandError as error:
        raise explain_revision(_read_revision_at(url)) from error


def _read_revision_at(url: str) -> str:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return str(read_revision(connection))


def read_revision(connection: Connection) -> str | None:
    """Return the revision of a database, None if it has no tables of this program."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _describe(error: DBAPIError | sqlite3.DatabaseError, url: str) -> str:
    """Describe the reason why the database at `url` cannot be used."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return describe_cause(cause, Path(make_url(url).database or "").parent)


def _describe_place(url: str) -> str:
    return f"database_url is {make_url(url).render_as_string()}"


def find_revision() -> str | None:
    """Return the revision of this installation's database, None if it has no tables.

    Raises `DatabaseError`.
    """
    try:
        with db.engine.connect() as connection:
            return read_revision(connection)
    except (DBAPIError, sqlite3.DatabaseError) as error:
        url = str(db.engine.url)
        raise DatabaseError(
            f"the database cannot be opened: {_describe(error, url)}", hint=_describe_place(url)
        ) from None


def require_current() -> None:
    """Raise `DatabaseError` if the database is missing, older, newer or broken (D06)."""
    file = db.engine.url.database
    if db.engine.dialect.name == "sqlite" and file and not Path(file).exists():
        raise DatabaseError(
            f"there is no database at {file}", hint=f"`newsletter init` makes one; or {UPGRADE}"
        )
    revision = find_revision()
    if revision == find_newest_revision():
        return
    if revision is None:
        raise DatabaseError("the database is empty", hint=UPGRADE)
    raise explain_revision(revision)


def explain_revision(revision: str, *, subject: str = "the database") -> DatabaseError:
    """Explain why a database at `revision` cannot be used by this program, and what to do."""
    if revision in BEFORE_FIRST_RELEASE:
        return DatabaseError(
            f"{subject} was made by a version before 0.1.0 and cannot be upgraded",
            hint="export your subscribers with that version, then import them with this one",
        )
    if revision in list_revisions():
        return DatabaseError(
            f"{subject} is older than this program", hint=f"{UPGRADE}, which makes a backup first"
        )
    return DatabaseError(
        f"{subject} belongs to a newer version of newsletter", hint="install that version"
    )


def list_revisions() -> set[str]:
    """List the revisions that this program can upgrade, including its own."""
    return set(_read_migrations())


def close() -> None:
    """Close every connection, so that the database file can be moved or replaced.

    The last connection that closes an SQLite file empties and removes its write-ahead log.
    """
    db.session.remove()
    db.engine.dispose()


def get_sqlite_file(url: str) -> Path:
    """Return the file of an SQLite database.

    Raises `Refused` for PostgreSQL, which has tools of its own.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        plain = "DATABASE" if parsed.password else url.replace("+psycopg", "", 1)
        hint = (
            f"pg_dump --format=custom {plain} > FILE; pg_restore, then `newsletter db hold` "
            "before anything runs"
        )
        raise Refused("PostgreSQL has tools of its own", hint=hint)
    return Path(str(parsed.database))


def backup(url: str, target: Path) -> None:
    """Copy an SQLite database to a new file, consistently, while it is in use.

    The database may be of any revision. Raises `Refused` if `target` exists, `DatabaseError` if
    there is nothing to copy or no room.
    """
    source = get_sqlite_file(url)
    if target.exists():
        raise Refused(f"{target} exists", hint="give a new name")
    if not source.exists():
        raise DatabaseError(f"there is no database at {source}", hint=_describe_place(url))
    prepare_database(source)
    part = target.with_name(target.name + ".part")
    try:
        open_private(part, "wb").close()
        with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(part)) as copy:
            live.backup(copy)
        part.rename(target)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise DatabaseError(
            f"{target} cannot be written: {describe_cause(error, target.parent)}",
            hint="no copy was made",
        ) from None
