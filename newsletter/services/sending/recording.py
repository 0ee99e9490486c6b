"""Record the outcomes of a run: concurrently on PostgreSQL, synchronously on SQLite.

While a transaction is under way, further outcomes wait for the next one. How many may wait is the
transport's to keep (`Records`); so many messages may be sent twice if this process is killed.
"""

from __future__ import annotations

import time

from newsletter import outbox
from newsletter.db.session import transaction
from newsletter.errors import DatabaseError, LeaseLost
from newsletter.services.runtime import Environment
from newsletter.services.sending.work_line import WorkLine

LEASE_SECONDS = 60
"""Lifetime of a lease: after so many seconds without renewal other workers take it over."""
AHEAD = 4
"""Messages that a connection may be offered before the next outcomes are recorded.

Two may be accepted by then, the envelopes of two more go with them.
"""
POOL_BELOW = 4
"""Connections to mail servers below which PostgreSQL gets larger groups of outcomes: a commit there
takes as long as several messages.
"""
POOL = 8
"""Messages that may be unrecorded in total below `POOL_BELOW`, instead of two a connection."""


class Recording:
    """Collects the updates of all lines of a run, and has them recorded.

    `lost` tells that another worker has taken a lease over. A transport reads it as its `Records`.
    """

    def __init__(self, env: Environment, ledger: outbox.Ledger, lines: list[WorkLine]) -> None:
        self._env = env
        self._ledger = ledger
        self._recorder = ledger.recorder
        self.lines = lines
        self.lost = False
        self._overlaps = False
        self._under_way: list[tuple[WorkLine, outbox.Group]] = []
        self._submitted_at = 0.0
        self._noted = 0
        self._covers = 0
        self._recorded = 0

    def watch(self) -> int | None:
        """See `Records.watch`."""
        self._overlaps = self._recorder.fileno() is not None
        return self._recorder.fileno()

    @property
    def pool(self) -> int:
        """See `Records.pool`."""
        is_small_pool = self._env.settings.smtp.connections < POOL_BELOW
        return POOL if is_small_pool and self._overlaps else 0

    @property
    def unwritten(self) -> list[outbox.DeliveryUpdate]:
        """The updates that were not passed to the recorder yet."""
        return [update for line in self.lines for update in line.updates]

    @property
    def ahead(self) -> int:
        """The number of messages to offer before the next outcomes are recorded."""
        return AHEAD * self._env.settings.smtp.connections + self.pool

    def count(self) -> int:
        """See `Records.count`. Raises `LeaseLost` and `DatabaseError`."""
        if self._under_way and self._collect(wait=False):
            self._submit()
        if self.lost:
            raise LeaseLost
        return self._recorded

    def write_behind(self, outcomes: int) -> None:
        """Pass the updates of every line to the recorder, without waiting.

        Where the transport watches what is recorded, the recorder does so meanwhile.
        """
        self._noted += outcomes
        if not self._overlaps or any(line.is_silent for line in self.lines):
            self.write()
        elif not self._under_way:
            self._submit()

    def write(self) -> None:
        """Record the updates of every line, and release finished leases."""
        while True:
            if self._under_way:
                self._collect(wait=True)
            if not any(line.updates for line in self.lines):
                break
            self._submit()
        for line in self.lines:
            if line.is_silent and not line.lost:
                self._renew(line)
        self._release()

    def _submit(self) -> None:
        """Pass the pending updates to the recorder."""
        lines = [line for line in self.lines if line.updates]
        if not lines:
            self._release()
            return
        groups = []
        for line in lines:
            line.recording = line.updates
            line.updates = []
            groups.append(outbox.Group(line.batch, line.horizon(self.ahead), line.recording))
        self._under_way = list(zip(lines, groups, strict=True))
        self._covers = self._noted
        self._submitted_at = time.monotonic()
        try:
            self._recorder.submit(groups, now=self._env.now, seconds=LEASE_SECONDS)
        except DatabaseError:
            self._take_back()
            raise

    def _collect(self, *, wait: bool) -> bool:
        """Process the recorder's result, if there is one; return whether there was."""
        try:
            lost = self._recorder.result(wait=wait)
        except DatabaseError:
            self._take_back()
            raise
        if lost is None:
            return False
        for line, group in self._under_way:
            line.recording = []
            line.through_id = max(line.through_id, group.through_id)
            line.renewed_at = self._submitted_at
            if line.batch.id in lost:
                self.drop(line)
        self._under_way = []
        self._recorded = self._covers
        return True

    def _take_back(self) -> None:
        """Queue updates again whose commit is unknown."""
        for line, _ in self._under_way:
            line.updates = line.recording + line.updates
            line.recording = []
        self._under_way = []

    def _release(self) -> None:
        """Release finished leases."""
        ended = [
            line
            for line in self.lines
            if line.ended and not (line.lost or line.rows or line.unsettled)
        ]
        if ended:
            with transaction() as session:
                for line in ended:
                    outbox.release(session, line.batch, now=self._env.now)
        self.lines[:] = [line for line in self.lines if not line.done]

    def _renew(self, line: WorkLine) -> None:
        """Renew a lease while a server is slow to reply."""
        try:
            self._ledger.advance(line.batch, through_id=line.through_id, seconds=LEASE_SECONDS)
            line.renewed_at = time.monotonic()
        except LeaseLost:
            self.drop(line)

    def drop(self, line: WorkLine) -> None:
        """Drop a lease that another worker has taken over."""
        self.lost = True
        line.drop()
