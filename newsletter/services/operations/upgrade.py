"""Upgrade the database after backing it up."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from newsletter.services.operations import backup, database, database_copy
from newsletter.settings import Settings


def upgrade_safely(settings: Settings, settings_file: Path, now: datetime) -> Path | None:
    """Back up and upgrade the database; return the backup's path, None if none was needed.

    A new database and one that is up to date need none. Raises `DatabaseError`.
    """
    revision = _find_revision(settings)
    copy = None
    if revision and revision in database.list_revisions() - {database.find_newest_revision()}:
        copy = _find_free_name(settings.folder, revision)
        backup.make_backup(settings, settings_file, copy, now)
    database.upgrade(settings.database_url)
    return copy


def _find_revision(settings: Settings) -> str | None:
    url = settings.database_url
    if url.startswith("sqlite") and not database.get_sqlite_file(url).exists():
        return None
    try:
        return database_copy.find_revision(url)
    except (DBAPIError, sqlite3.DatabaseError):  # the upgrade will say what is wrong
        return None


def _find_free_name(folder: Path, revision: str) -> Path:
    names = [folder / f"newsletter.before-upgrade-{revision}.backup"]
    names += [folder / f"newsletter.before-upgrade-{revision}.{n}.backup" for n in range(2, 1000)]
    return next(name for name in names if not name.exists())
