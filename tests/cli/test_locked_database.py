"""A SQLite database that another process keeps locked: commands say so soon, the worker once."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from newsletter.app import create_app
from newsletter.db import write_lock
from newsletter.db.session import db
from newsletter.worker import WorkerProcess
from tests.cli.conftest import Run

SENTENCE = (
    "newsletter: the database cannot be {}: another process is writing to it (database is locked)"
)


@contextmanager
def locked(folder: Path, kind: str = "IMMEDIATE") -> Iterator[None]:
    """Hold the database as another process would."""
    file = folder / "newsletter.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        if kind == "EXCLUSIVE":
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute(f"BEGIN {kind}")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")


def test_a_command_says_in_seconds_that_the_database_is_locked(
    newsletter: Run, tmp_path: Path
) -> None:
    began = time.monotonic()
    with locked(tmp_path):
        result = newsletter("subscriber", "add", "a@example.com", "--confirmed", "--because", "x")
        took = time.monotonic() - began
        listed = newsletter("list", "ls")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(SENTENCE.format("written"))
    assert len(result.err.splitlines()) == 1
    assert took < 15, "three seconds, on a machine that is not busy"
    assert (listed.code, listed.err) == (0, ""), "what only reads does not wait"
    again = newsletter("subscriber", "add", "a@example.com", "--confirmed", "--because", "x")
    assert again.code == 0


def test_what_only_reads_says_it_too(
    newsletter: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_lock, "COMMAND_TIMEOUT_MS", 100)
    with locked(tmp_path, "EXCLUSIVE"):
        result = newsletter("list", "ls")
    assert result.code == 1
    assert "another process" in result.err
    assert len(result.err.splitlines()) == 1


def test_what_a_command_has_begun_it_finishes_with_patience(newsletter: Run) -> None:
    app = create_app(with_pages=False, busy_timeout_ms=write_lock.COMMAND_TIMEOUT_MS)
    with app.app_context(), db.engine.connect() as connection:
        [(before,)] = connection.exec_driver_sql("PRAGMA busy_timeout").fetchall()
        connection.rollback()
        with connection.execution_options(writes=True).begin():
            [(after,)] = connection.exec_driver_sql("PRAGMA busy_timeout").fetchall()
    assert (before, after) == (write_lock.COMMAND_TIMEOUT_MS, write_lock.BUSY_TIMEOUT_MS)


def test_the_worker_waits_and_says_so_once(
    newsletter: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    app = create_app(with_pages=False, busy_timeout_ms=100)
    process = WorkerProcess(app)
    tick = process._guard(process.tick)
    poll = process._guard(process.poll)
    with locked(tmp_path):
        for work in (tick, poll, tick):
            work()
        waits = [record.getMessage() for record in caplog.records]
    assert len([line for line in waits if "waiting for up to" in line]) == 1, waits
    assert len([line for line in waits if "another process is writing" in line]) == 1, waits
    caplog.clear()
    tick()
    assert [record.getMessage() for record in caplog.records] == ["the database is free again"]
