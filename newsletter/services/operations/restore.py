"""Replace an SQLite database, in whatever state it is, by a backup.

The order keeps either the old or the new state at every moment: check the file, prepare a private
copy of it beside the database (newest revision, merged, held), lock the old database, keep a copy
of it, rename. Everything that can fail comes before the rename.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from newsletter.db.causes import describe_cause
from newsletter.errors import DatabaseError, Refused
from newsletter.files import list_side_files, open_private
from newsletter.services import workers
from newsletter.services.operations import database
from newsletter.services.operations.file_users import find_users, is_open_here, read_command
from newsletter.services.operations.restore_checks import check_file
from newsletter.services.operations.restore_postgresql import restore_postgresql
from newsletter.services.operations.restore_staged import (
    Restored,
    find_free_name,
    prepare,
    stage,
    sync,
)
from newsletter.services.runtime import utcnow
from newsletter.settings import Settings

LOCK_SECONDS = 1.0
"""Seconds to wait for the database's lock, so that a command that is just ending can finish."""
SILENT_FOR = timedelta(minutes=3)
"""A worker on another machine that has ticked since may still run; it ticks once a minute."""
HELD_BECAUSE = "restored from a backup"


def restore(settings: Settings, file: Path, *, passphrase: str = "") -> Restored:
    """Replace the database of `settings` by the backup `file`.

    Raises `Refused` where `file` is no database of this program or somebody uses the database,
    `DatabaseError` where a file cannot be read or written; the database is as it was then.
    """
    if not settings.database_url.startswith("sqlite"):
        return restore_postgresql(settings, file, passphrase)
    target = database.get_sqlite_file(settings.database_url)
    check_file(file, target)
    _require_unused(target)
    staged = target.with_name(f".{target.name}.restoring-{os.getpid()}")
    _remove_abandoned(target)
    try:
        with ExitStack() as stack:
            stack.callback(_remove, staged)
            stage(file, staged, passphrase)
            old = stack.enter_context(_lock_database(target))
            restored = prepare(settings, staged, old, utcnow())
            _copy_owner(staged, target)
            copy = _copy_old_database(target, old)
            _replace_database(staged, target)
    except (OSError, sqlite3.Error) as error:
        raise DatabaseError(
            f"the backup cannot be restored: {describe_cause(error, target.parent)}",
            hint="nothing was changed",
        ) from error
    return Restored(copy, *restored)


# ── the database that is replaced
# ──────────────────────────────────────────────────────────────────


def _require_unused(target: Path) -> None:
    users = find_users((target, *list_side_files(target)))
    if users:
        names = ", ".join(map(str, users))
        raise Refused(f"{target} is in use by {names}", hint="stop it, then restore again")


@contextmanager
def _lock_database(target: Path) -> Iterator[sqlite3.Connection | None]:
    """Lock the old database, so that no other process opens it.

    Yield None if there is none that can be read. Its write-ahead log is moved into it, and its side
    files are gone then.
    """
    if not target.exists():
        yield None
        return
    used_here = is_open_here(target)
    with closing(sqlite3.connect(target, timeout=LOCK_SECONDS, isolation_level=None)) as connection:
        try:
            _lock(connection)
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if busy and not used_here:
                _require_unused(target)
                raise Refused(
                    f"{target} is in use by another process", hint="stop it, then restore again"
                ) from None
        except sqlite3.DatabaseError:  # damaged: what can be read of it is taken over
            pass
        _require_no_worker(connection, target)
        yield connection


def _lock(connection: sqlite3.Connection) -> None:
    """Take an exclusive lock that is held until the connection is closed.

    See sqlite.org/pragma.html, locking_mode.
    """
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    connection.execute("COMMIT")  # a copy cannot be made inside a transaction


def _require_no_worker(connection: sqlite3.Connection, target: Path) -> None:
    """Refuse while a worker runs.

    One of this machine is found by its process, one of another by its last report.
    """
    try:
        rows = connection.execute("SELECT name, ticked_at FROM workers").fetchall()
    except sqlite3.DatabaseError:
        return
    for name, ticked_at in rows:
        if not workers.is_name(name):
            continue
        if workers.is_here(name):
            _require_ended(name, target)
        elif utcnow() - datetime.fromisoformat(ticked_at).replace(tzinfo=UTC) < SILENT_FOR:
            machine = name.partition("/")[0]
            raise Refused(
                f"a worker on {machine} has used {target} in the last two minutes",
                hint="stop it first",
            )


def _require_ended(name: str, target: Path) -> None:
    """Refuse while a worker of this machine runs, even one without an open connection."""
    if workers.is_alive(name):
        pid = workers.parse_pid(name)
        raise Refused(
            f"{target} has a running worker: process {pid} ({read_command(pid)})",
            hint="stop it first",
        )


# ── preparing, keeping, swapping
# ───────────────────────────────────────────────────────────────────


def _copy_owner(staged: Path, target: Path) -> None:
    """Set the owner of the new file to that of the old one, or of the folder.

    Root restores for the service's user.
    """
    stat = (target if target.exists() else target.parent).stat()
    if os.geteuid() == 0:
        os.chown(staged, stat.st_uid, stat.st_gid)


def _copy_old_database(target: Path, old: sqlite3.Connection | None) -> Path | None:
    """Copy the old database to a new file.

    A damaged one is copied byte by byte, with its log.
    """
    if old is None:
        return None
    copy_path = find_free_name(target)
    part = copy_path.with_name(copy_path.name + ".part")
    open_private(part, "wb").close()
    try:
        with closing(sqlite3.connect(part)) as copy:
            old.backup(copy)
    except sqlite3.DatabaseError:
        for source, copy_of in (
            (target, part),
            (list_side_files(target)[0], list_side_files(copy_path)[0]),
        ):
            if source.exists():
                with source.open("rb") as opened, open_private(copy_of, "wb") as out:
                    shutil.copyfileobj(opened, out)
    _copy_owner(part, target)
    sync(part)
    part.replace(copy_path)
    return copy_path


def _make_lasting(target: Path, left: int | None) -> None:
    """Flush the rename to disk, and empty the old file."""
    try:
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        if left is not None:
            os.ftruncate(left, 0)
    except OSError as error:
        raise DatabaseError(
            f"the backup is in its place, but perhaps not yet on the disk: {error.strerror}",
            hint="look after the disk, then restore again",
        ) from None


def _replace_database(staged: Path, target: Path) -> None:
    """Replace the old file by the prepared one atomically.

    A process that opened the old file a moment ago and waits for its lock finds it empty, and says
    so; it would write where nobody reads any more otherwise.
    """
    left = os.open(target, os.O_RDWR) if target.exists() else None
    try:
        for side_file in list_side_files(
            target
        ):  # of a damaged database; SQLite would add its log to the new one
            side_file.unlink(missing_ok=True)
        staged.replace(target)
        _make_lasting(target, left)
    finally:
        if left is not None:
            os.close(left)


def _remove(staged: Path) -> None:
    for file in (staged, *list_side_files(staged)):
        file.unlink(missing_ok=True)


def _remove_abandoned(target: Path) -> None:
    """Remove the temporary files of a restore that was killed."""
    for file in target.parent.glob(f".{target.name}.restoring-*"):
        with suppress(OSError, ValueError):
            pid = int(file.name.rpartition(".restoring-")[2].partition("-")[0])
            if pid != os.getpid() and not Path(f"/proc/{pid}").exists():
                file.unlink(missing_ok=True)
