"""Wait for SQLite's write lock while another process holds it, and log that once.

A process that keeps running waits as long as a backup or an import may take. A command gives up
after a few seconds until it has written something; what it has begun, it finishes with patience.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from typing import Any

log = logging.getLogger("newsletter.database")

BUSY_TIMEOUT_MS = 40_000
"""Milliseconds that SQLite waits for its lock: longer than a backup or an import holds it (D01),
shorter than a lease of the outbox, whose outcomes wait for it.
"""
COMMAND_TIMEOUT_MS = 3_000
"""Milliseconds that SQLite waits for its lock in a command: a person is waiting."""

RETRY_EVERY_MS = 2
"""Milliseconds between two tries to begin a write."""
RETRY_FOR_MS = 2_000
"""Milliseconds of such tries, after which SQLite's own waiting is used."""

_told = False


def set_timeout(connection: Any, milliseconds: int) -> None:
    """Set the time that a driver's connection to SQLite waits for locks."""
    connection.execute(f"PRAGMA busy_timeout={milliseconds}")


def begin_promptly(connection: Any) -> bool:
    """Begin a write as soon as another process ends its own; return False after a time-out.

    SQLite's own way of waiting tries ever less often, at last every 100 ms, and can miss its turn
    many times while a visitor waits.
    """
    [(patience,)] = connection.execute("PRAGMA busy_timeout").fetchall()
    until = time.monotonic() + min(RETRY_FOR_MS, patience) / 1000
    set_timeout(connection, RETRY_EVERY_MS)
    try:
        while time.monotonic() < until:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    return False  # the ordinary BEGIN IMMEDIATE will report the cause
                continue
            _note_free()
            if patience == COMMAND_TIMEOUT_MS:
                patience = BUSY_TIMEOUT_MS
            return True
        _note_held(patience)
        return False
    finally:
        set_timeout(connection, patience)


def _note_held(patience: int) -> None:
    """Log that the database is locked, once until it is free."""
    global _told
    if not _told:
        seconds = patience // 1000
        log.info("the database is locked by another process; waiting for up to %s s", seconds)
    _told = True


def _note_free() -> None:
    global _told
    if _told:
        log.info("the database is free again")
    _told = False
