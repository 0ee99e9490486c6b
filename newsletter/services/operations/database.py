"""The database as a whole: bring it up to date, refuse to work on one that is not, copy it, put a copy back."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from newsletter.db.session import db, reason
from newsletter.errors import DatabaseError, Refused

MIGRATIONS = Path(__file__).parents[2] / "migrations"
UPGRADE = "run `newsletter db upgrade`"
BEFORE_FIRST_RELEASE = frozenset(f"{number:04}" for number in range(1, 13))
"""Revisions of development versions; their migrations are gone (docs/design.md)."""


def _config(url: str = "") -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    return config


def newest() -> str:
    """The revision this program works on."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def upgrade(url: str) -> None:
    """Create the tables, or bring them up to date.

    Raises `DatabaseError` where the database cannot be reached, or is at a revision that this
    program has no migration for.
    """
    try:
        command.upgrade(_config(url), "head")
    except DBAPIError as error:
        raise DatabaseError(f"the database cannot be upgraded: {reason(error)}", hint=_where(url)) from None
    except CommandError as error:
        raise _wrong_revision(_revision_at(url)) from error


def _revision_at(url: str) -> str:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return str(MigrationContext.configure(connection).get_current_revision())


def _where(url: str) -> str:
    return f"database_url is {make_url(url).render_as_string()}"


def revision() -> str | None:
    """The revision the database is at, None where it holds no tables of ours. Raises `DatabaseError`."""
    try:
        with db.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except (DBAPIError, sqlite3.DatabaseError) as error:
        said = reason(error) if isinstance(error, DBAPIError) else str(error)
        raise DatabaseError(f"the database cannot be opened: {said}", hint=_where(str(db.engine.url))) from None


def require_current() -> None:
    """Refuses to work on a database that is missing, older or newer than the program, or broken (D06)."""
    file = db.engine.url.database
    if db.engine.dialect.name == "sqlite" and file and not Path(file).exists():
        raise DatabaseError(f"there is no database at {file}", hint=f"`newsletter init` makes one; or {UPGRADE}")
    found = revision()
    if found == newest():
        return
    if found is None:
        raise DatabaseError("the database is empty", hint=UPGRADE)
    raise _wrong_revision(found)


def _wrong_revision(revision: str) -> DatabaseError:
    """Explain why a database at `revision` is of no use to this program, and what to do."""
    if revision in BEFORE_FIRST_RELEASE:
        return DatabaseError(
            "the database was made by a version before 0.1.0 and cannot be upgraded",
            hint="export your subscribers with that version, then import them with this one",
        )
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision in known:
        return DatabaseError("the database is older than this program", hint=f"back it up, then {UPGRADE}")
    return DatabaseError("the database belongs to a newer version of newsletter", hint="install that version")


def close() -> None:
    """Lets go of the database, so that its file can be moved or replaced."""
    db.session.remove()
    db.engine.dispose()


def _sqlite_file() -> Path:
    url = db.engine.url
    if url.get_backend_name() != "sqlite":
        plain = url.render_as_string(hide_password=False).replace("+psycopg", "", 1) if not url.password else "DATABASE"
        raise Refused("PostgreSQL has tools of its own", hint=f"pg_dump --format=custom {plain} > FILE; pg_restore")
    return Path(str(url.database))


def backup(target: Path) -> None:
    """A consistent copy of an SQLite database while it is in use, at `target`, which must not exist yet."""
    source = _sqlite_file()
    if target.exists():
        raise Refused(f"{target} exists", hint="give a new name")
    part = target.with_name(target.name + ".part")
    try:
        with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(part)) as copy:
            live.backup(copy)
        part.rename(target)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise DatabaseError(f"the copy could not be written: {error}", hint="is there space left?") from None


def restore(copy: Path) -> Path:
    """Puts `copy` in the place of the database, and keeps what was there. Returns where. No process may be running."""
    target = _sqlite_file()
    try:
        with closing(sqlite3.connect(f"file:{copy}?mode=ro", uri=True)) as checked:
            intact = checked.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    except sqlite3.Error:
        intact = False
    if not intact:
        raise Refused(f"{copy} is no intact SQLite database")
    db.engine.dispose()
    kept = target.with_name(target.name + ".before-restore")
    if target.exists():
        with closing(sqlite3.connect(target)) as old:
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy2(target, kept)
        for leftover in ("-wal", "-shm"):
            target.with_name(target.name + leftover).unlink(missing_ok=True)
    shutil.copy2(copy, target)
    return kept
