"""Count messages that servers may have accepted but are not recorded, and limit their number.

As many messages may be sent twice if this process is killed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from newsletter.mail.smtp.connection import Connection
from newsletter.mail.smtp.types import Records

UNRECORDED_AT_MOST = 2
"""Messages of a connection that may have been accepted and are not yet recorded."""
LINGER_SECONDS = 0.01
"""Seconds that outcomes wait for more of them, while recording goes on in parallel."""
SLOW_CALLER_SECONDS = 0.004
"""Seconds for recording a group of outcomes above which a caller is slow, and gets larger
groups."""


class Unrecorded:
    """The outcomes that are not recorded yet, oldest first, with their connections.

    `descriptor` is readable when `collect` may find more recorded outcomes; it is None if all
    yielded outcomes are recorded whenever the caller resumes. `enough` is the number of outcomes
    worth yielding. `orphans` are outcomes of connections that have ended, for which new connections
    wait.
    """

    def __init__(self, records: Records | None, connections: int) -> None:
        self._records = records
        self.descriptor = records.watch() if records else None
        self._pool = records.pool if records else 0
        self._in_all = self._pool or UNRECORDED_AT_MOST * connections
        self.enough = (self._pool // 2 or connections) if self.descriptor is not None else 1_000
        self._waiting: deque[Connection | None] = deque()
        self._recorded = 0
        self._orphans = 0
        self._handed_over_at = time.monotonic()
        self._caller_took = 0.0

    def add(self, connection: Connection | None, count: int) -> None:
        """Add `count` outcomes of a connection, or of none if the messages were never offered."""
        self._waiting.extend([connection] * count)
        if connection is not None:
            connection.unrecorded += count
            self._orphans += count * connection.ended

    def leave(self, connection: Connection) -> None:
        """Note that a connection has ended."""
        connection.ended = True
        self._orphans += connection.unrecorded

    def block(self, connection: Connection, connections: Sequence[Connection]) -> bool:
        """Tell whether a connection must wait until more outcomes are recorded."""
        talk = connection.conversation
        if not self._pool:
            exposed = talk.exposed if talk.exposes else 0
            if connection.unrecorded + exposed >= UNRECORDED_AT_MOST:
                return True
        if not (talk.exposes and (self._pool or self._orphans)):
            return False
        exposed = sum(other.conversation.exposed for other in connections)
        return len(self._waiting) + exposed >= self._in_all

    def linger(self) -> float | None:
        """Return the seconds to wait for more outcomes before they are yielded.

        This is 0, unless outcomes are recorded in parallel, or the caller takes long for each group
        (because of a slow disk), so that larger groups are worth waiting for. None means not even
        to check: a single connection has no more outcomes while its server works.
        """
        if self.descriptor is not None:
            return max(0.0, self._handed_over_at + LINGER_SECONDS - time.monotonic())
        if self._caller_took > SLOW_CALLER_SECONDS:
            return self._caller_took / 4
        return None if self._in_all == UNRECORDED_AT_MOST else 0.0

    def hand_over(self) -> None:
        """Note that outcomes are yielded to the caller now."""
        self._handed_over_at = time.monotonic()

    def come_back(self) -> None:
        """Note that the caller has taken the outcomes that were yielded."""
        self._caller_took = time.monotonic() - self._handed_over_at
        self.collect()

    def collect(self) -> None:
        """Remove outcomes that have been recorded."""
        if self.descriptor is None or self._records is None:
            recorded = len(self._waiting)
        else:
            count = self._records.count()
            recorded = count - self._recorded
            self._recorded = count
        for _ in range(recorded):
            connection = self._waiting.popleft()
            if connection is not None:
                connection.unrecorded -= 1
                self._orphans -= connection.ended
