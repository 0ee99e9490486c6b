"""Test that a database that cannot be used is described by its cause: locked, full, read-only,
damaged.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from newsletter.db import causes
from newsletter.db.causes import describe_cause


def raised(file: Path, work: Callable[[sqlite3.Connection], object]) -> sqlite3.Error:
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS t (x)")
        with pytest.raises(sqlite3.Error) as caught:
            work(connection)
        return caught.value


def fill(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA max_page_count = 2")
    connection.execute("INSERT INTO t VALUES (zeroblob(100000))")


def write_read_only(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")
    connection.execute("INSERT INTO t VALUES (1)")


def write_locked(connection: sqlite3.Connection) -> None:
    file = connection.execute("PRAGMA database_list").fetchone()[2]
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO t VALUES (1)")


def open_folder(connection: sqlite3.Connection) -> None:
    file = Path(connection.execute("PRAGMA database_list").fetchone()[2])
    with closing(sqlite3.connect(file.parent)) as other:
        other.execute("CREATE TABLE t (x)")


@pytest.mark.parametrize(
    ("work", "cause"),
    [
        (fill, "the disk is full ("),
        (write_read_only, "its file or folder is read-only for this user ("),
        (write_locked, "another process is writing to it ("),
        (open_folder, "its file or folder cannot be opened by this user ("),
    ],
)
def test_sqlites_codes_have_words(
    tmp_path: Path, work: Callable[[sqlite3.Connection], object], cause: str
) -> None:
    error = raised(tmp_path / "a.db", work)
    assert describe_cause(error, tmp_path).startswith(cause)
    assert str(error) in describe_cause(error, tmp_path), "and the library's, to look it up"


def test_an_io_error_on_a_full_disk_is_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
    assert describe_cause(error, tmp_path).startswith("the disk, or its quota, refuses")
    monkeypatch.setattr(causes, "DISK_FULL_BELOW", 1 << 62)
    assert describe_cause(error, tmp_path).startswith("the disk is full")
    assert describe_cause(error).startswith("the disk, or its quota, refuses"), "unknown where"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full (No space left on device)"),
        (errno.EDQUOT, "the disk is full (Disk quota exceeded)"),
        (errno.EROFS, "Read-only file system"),
        (errno.EACCES, "Permission denied"),
    ],
)
def test_the_systems_errors_have_no_number(code: int, words: str) -> None:
    assert describe_cause(OSError(code, os.strerror(code), "/secret/path")) == words
