"""Tell every process on PostgreSQL that somebody has committed; db/changes.py listens."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from weakref import WeakKeyDictionary, ref

from sqlalchemy import Boolean, Engine, String, column, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from newsletter.db.alone import AT_ONCE, run_alone
from newsletter.db.prepared import Prepared

CHANNEL = "newsletter_changes"
_TELL = Prepared(
    text(f"SELECT pg_notify('{CHANNEL}', '') AS told, {AT_ONCE} AS setting").columns(
        column("told", String), column("setting", String)
    )
)

_IS_WRITTEN = Prepared(
    text("SELECT txid_current_if_assigned() IS NOT NULL AS is_written").columns(
        column("is_written", Boolean)
    )
)

APART_SECONDS = 0.05
"""Seconds between two announcements of a process, which delay a mail by as much at most."""

_announcers: WeakKeyDictionary[Engine, CommitAnnouncer] = WeakKeyDictionary()


def has_news(session: Session, engine: Engine) -> bool:
    """Tell whether a transaction on PostgreSQL has to be announced, because it has written.

    Only then it has a number. What an idle worker commits would wake it again without end. Nothing
    is asked while an announcement will follow anyway.
    """
    if engine.dialect.name != "postgresql":
        return False
    if find_announcer(engine).is_pending():
        return True
    [row] = _IS_WRITTEN.run(session, {})
    return bool(row.is_written)


def find_announcer(engine: Engine) -> CommitAnnouncer:
    """Return what announces the commits of this process to a database."""
    announcer = _announcers.get(engine)
    if announcer is None:
        announcer = _announcers[engine] = CommitAnnouncer(engine)
        event.listen(engine, "engine_disposed", lambda _: announcer.cancel(), insert=True)
    return announcer


class CommitAnnouncer:
    """Tells whoever listens that this process has committed.

    The first commit is announced at once. One that follows within `APART_SECONDS` is announced when
    they are over, by another thread and together with all until then. A process that ends waits for
    its last announcement; what one that is killed did not announce is found a minute later.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = ref(engine)
        self._guard = threading.Lock()
        self._timer: threading.Timer | None = None
        self._telling: threading.Thread | None = None
        self._last = float("-inf")

    def is_pending(self) -> bool:
        """Tell whether an announcement will follow anyway."""
        timer = self._timer
        return timer is not None and timer.is_alive()  # in a forked process it is not

    def announce(self) -> None:
        """Announce a commit, at once or soon."""
        with self._guard:
            if self.is_pending():
                return
            now = time.monotonic()
            wait = self._last + APART_SECONDS - now
            if wait > 0:
                self._timer = threading.Timer(wait, self._announce_late)
                self._timer.start()
                return
            self._last = now
        self._tell()

    def cancel(self) -> None:
        """Drop an announcement that waits, because the connections are closed.

        One that is being made ends first: its connection would be left open.
        """
        with self._guard:
            timer = self._timer
            telling = self._telling
            self._timer = None
            self._last = float("-inf")
        if timer is not None:
            timer.cancel()
        for thread in (timer, telling):
            if thread is not None and thread is not threading.current_thread():
                thread.join()

    def _announce_late(self) -> None:
        with self._guard:  # a commit from now on needs another one
            self._timer = None
            self._telling = threading.current_thread()
            self._last = time.monotonic()
        self._tell()

    def _tell(self) -> None:
        """Tell it in a transaction of its own: PostgreSQL writes those that tell in turn."""
        engine = self._engine()
        if engine is not None:
            with suppress(DBAPIError):
                run_alone(engine, _TELL, {})
