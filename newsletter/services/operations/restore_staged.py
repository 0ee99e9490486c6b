"""Prepare the database of a restore: unpack, upgrade, merge, hold mail."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import NullPool, create_engine, delete
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.errors import Refused
from newsletter.files import PRIVATE
from newsletter.models import Installation, Worker
from newsletter.services import installation
from newsletter.services.operations import backup_archive, database, database_copy
from newsletter.services.operations.hold import hold_all_mail
from newsletter.services.operations.merge import Merged, Merger
from newsletter.services.operations.replaced_database import ReplacedDatabase
from newsletter.services.operations.restore_checks import check_contents, stage_backup
from newsletter.settings import Settings

HELD_BECAUSE = "restored from a backup"


@dataclass(frozen=True, slots=True)
class Restored:
    """The result of a restore.

    `copy` is the copy of the database that was replaced, if there was one.
    """

    copy: Path | None
    merged: Merged
    paused: int
    waiting: int
    foreign_key: bool


def stage(file: Path, staged: Path, passphrase: str) -> None:
    """Create an SQLite database of the newest revision from a backup, at `staged`.

    Raises `Refused` for a file that is damaged, of another program, or of a newer version.
    """
    if backup_archive.is_backup(file):
        _unpack(file, staged, passphrase)
    else:
        stage_backup(file, staged)
    check_contents(file, staged)


def _unpack(file: Path, staged: Path, passphrase: str) -> None:
    with backup_archive.open_backup(file, passphrase=passphrase) as opened:
        manifest = opened.manifest
        if manifest.revision not in database.list_revisions():
            cause = database.explain_revision(manifest.revision, subject=str(file))
            raise Refused(cause.message, hint=cause.hint)
        url = f"sqlite:///{staged}"
        database.upgrade(url, manifest.revision)
        counts = database_copy.fill_all(url, manifest.tables, opened.read_rows, manifest.sequences)
        if counts != manifest.rows:
            raise Refused(f"{file} is damaged: rows are missing", hint="try an older backup")


def prepare(
    settings: Settings, staged: Path, old: sqlite3.Connection | None, now: datetime
) -> tuple[Merged, int, int, bool]:
    """Merge from the replaced database, and hold all mail."""
    engine = create_engine(f"sqlite:///{staged}", poolclass=NullPool, hide_parameters=True)
    with Session(engine) as session, session.begin():
        session.connection(execution_options={"writes": True})
        merged = (
            Merger(session, ReplacedDatabase(old), settings.signing_keys, now)()
            if old
            else Merged()
        )
        paused = hold_all_mail(session, HELD_BECAUSE, now)
        session.execute(delete(Worker))
        waiting = outbox.count_waiting(session)
        stored = session.get_one(Installation, 1).key_fingerprint
    engine.dispose()
    with closing(sqlite3.connect(staged)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    sync(staged)
    return (
        merged,
        paused,
        waiting,
        installation.compare_keys(stored, settings.signing_keys) is installation.KeyState.FOREIGN,
    )


def find_free_name(target: Path) -> Path:
    """Return a free name beside `target` for the replaced file."""
    names = [
        f"{target.name}.before-restore",
        *(f"{target.name}.before-restore.{n}" for n in range(2, 10_000)),
    ]
    return next(name for name in map(target.with_name, names) if not name.exists())


def sync(file: Path) -> None:
    """Make a file private, and flush it to disk."""
    descriptor = os.open(file, os.O_RDWR)
    try:
        os.fchmod(descriptor, PRIVATE)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
