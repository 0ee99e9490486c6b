"""Check that an SQLite file is a backup of this program, and copy it beside the database.

Nothing of the installation is touched before the file has been checked.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from newsletter.db.session import Base
from newsletter.errors import Refused
from newsletter.files import list_side_files, open_private
from newsletter.services.operations import backup_archive, database

MAGIC = b"SQLite format 3\0"
"""The first bytes of every SQLite database (sqlite.org/fileformat.html, section 1.3)."""


def check_file(file: Path, target: Path) -> None:
    """Refuse a file that cannot be a backup, before anything is written."""
    if not file.is_file():
        raise Refused(f"{file} is not a file", hint="name a file that `newsletter backup` made")
    if target.exists() and file.samefile(target):
        raise Refused(
            f"{file} is the database itself", hint="name a file that `newsletter backup` made"
        )
    try:
        with file.open("rb") as opened:
            head = opened.read(len(MAGIC))
    except OSError as error:
        raise Refused(f"{file} cannot be read: {error.strerror}") from None
    if head != MAGIC and not backup_archive.is_backup(file):
        raise Refused(
            f"{file} is not a backup of newsletter, nor an SQLite database",
            hint="name a file that `newsletter backup` made",
        )


def stage_backup(file: Path, staged: Path) -> None:
    """Copy a backup to `staged`, with SQLite's write-ahead log if there is one."""
    for source, copy in zip(
        (file, *list_side_files(file)), (staged, *list_side_files(staged)), strict=True
    ):
        if source.exists() and not source.name.endswith("-shm"):
            with source.open("rb") as opened, open_private(copy, "xb") as out:
                shutil.copyfileobj(opened, out)


def check_contents(file: Path, staged: Path) -> None:
    """Refuse a database that is damaged, of another program, or of a newer version.

    An older one is upgraded in `staged`.
    """
    try:
        with closing(sqlite3.connect(staged)) as connection:
            connection.execute("PRAGMA trusted_schema=OFF")
            [result] = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if result != "ok":
                raise Refused(f"{file} is damaged: {result}", hint="try an older backup")
            revision = _read_revision(connection)
    except sqlite3.Error as error:
        raise Refused(f"{file} is damaged: {error}", hint="try an older backup") from None
    if revision is None:
        raise Refused(
            f"{file} is not a database of newsletter",
            hint="name a file that `newsletter backup` made",
        )
    if revision not in database.list_revisions():
        reason = database.explain_revision(revision, subject=str(file))
        raise Refused(reason.message, hint=reason.hint)
    if revision != database.find_newest_revision():
        database.upgrade(f"sqlite:///{staged}")
    with closing(sqlite3.connect(staged)) as connection:
        if missing := list(_list_missing(connection)):
            raise Refused(f"{file} is not a whole database of newsletter: {missing[0]} is missing")


def _read_revision(connection: sqlite3.Connection) -> str | None:
    tables = {
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    if not {"alembic_version", "mailing_lists", "subscribers"} <= tables:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def _list_missing(connection: sqlite3.Connection) -> Iterator[str]:
    """List the tables and columns that a database of this version must have and this one lacks."""
    for table in Base.metadata.sorted_tables:
        columns = {name for _, name, *_ in connection.execute(f"PRAGMA table_info({table.name})")}
        if not columns:
            yield f"table {table.name}"
        else:
            yield from (
                f"column {table.name}.{name}"
                for name in sorted(set(table.columns.keys()) - columns)
            )
