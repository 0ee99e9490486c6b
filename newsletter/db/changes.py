"""Notice that somebody has changed the SQLite database, this process or another."""

from __future__ import annotations

from newsletter.db.direct import DirectConnection
from newsletter.db.session import committed
from newsletter.errors import DatabaseError

LOOK_SECONDS = 1.0
"""Seconds between two looks for what other processes write; a look reads no table."""


class Changes:
    """A connection that is told of every change. Needs an application context.

    A database that cannot be read counts as changed.
    """

    def __init__(self) -> None:
        self._direct = DirectConnection()
        self._version: object = None

    def wait(self) -> bool:
        """Wait for a transaction of this process, a second at most.

        Return whether anybody has changed the database since the last call; True the first time.
        """
        committed.wait(LOOK_SECONDS)
        committed.clear()
        version: object = object()
        try:
            version = self._direct.rows("PRAGMA data_version", {})
        except DatabaseError:
            self._direct.close()
        is_changed = version != self._version
        self._version = version
        return is_changed

    def close(self) -> None:
        """Close the connection."""
        self._direct.close()
