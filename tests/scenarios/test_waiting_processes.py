"""SQLite between processes: a visitor's sign-up begins as soon as another process lets go."""

from __future__ import annotations

import sqlite3
import threading
import time
from statistics import median

from flask import Flask

from newsletter.db.session import db, transaction

HELD = 0.34  # SQLite itself looks after 0.33 and 0.43 seconds


def test_a_writer_comes_in_as_soon_as_another_process_lets_go(
    app: Flask, database_kind: str
) -> None:
    if database_kind != "sqlite":
        return  # its writers do not lock each other out
    with app.app_context():
        assert median(_wait(str(db.engine.url.database)) for _ in range(5)) < 0.04
        [(patience,)] = db.session.connection().exec_driver_sql("PRAGMA busy_timeout").fetchall()
        assert patience > 30_000, "who waits longer waits as before"


def _wait(file: str) -> float:
    """Seconds from the moment the other lets go until this one may write."""
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    freed: list[float] = []

    def let_go() -> None:
        time.sleep(HELD)
        other.execute("ROLLBACK")
        freed.append(time.monotonic())

    holder = threading.Thread(target=let_go)
    holder.start()
    with transaction():
        begun = time.monotonic()
    holder.join()
    other.close()
    return begun - freed[0]
