"""Have the outcomes of a run recorded: on PostgreSQL while messages go on, on SQLite at once.

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
"""A worker that is silent for so long is taken for dead, and its rows are taken over."""
AHEAD = 4
"""Messages that a connection may be offered before the next outcomes are written down.

Two may be accepted by then, the envelopes of two more go with them.
"""
POOL_BELOW = 4
"""With fewer connections than this to servers of mail, PostgreSQL gets larger groups of outcomes:
a commit there takes as long as several messages.
"""
POOL = 8
"""Messages that may be unrecorded in all then, instead of two a connection."""


class Recording:
    """The updates of all lines of a run, on their way into the database.

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
        """Return the updates that are not with the recorder."""
        return [update for line in self.lines for update in line.updates]

    @property
    def ahead(self) -> int:
        """Return the number of messages to offer before the next outcomes are written down."""
        return AHEAD * self._env.settings.smtp.connections + self.pool

    def count(self) -> int:
        """See `Records.count`. Raises `LeaseLost` and `DatabaseError`."""
        if self._under_way and self._collect(wait=False):
            self._submit()
        if self.lost:
            raise LeaseLost
        return self._recorded

    def write_behind(self, outcomes: int) -> None:
        """Write down the updates of every line, so many of them outcomes.

        Where the transport watches what is recorded, the recorder does so meanwhile.
        """
        self._noted += outcomes
        if not self._overlaps or any(line.is_silent for line in self.lines):
            self.write()
        elif not self._under_way:
            self._submit()

    def write(self) -> None:
        """Write down the updates of every line, and give back finished leases."""
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
        """Hand what is to be written to the recorder."""
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
        """Record what the recorder has written. Return whether it has."""
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
        """Have updates written again: it is not known whether they were."""
        for line, _ in self._under_way:
            line.updates = line.recording + line.updates
            line.recording = []
        self._under_way = []

    def _release(self) -> None:
        """Give finished leases back."""
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
        """Keep a lease while a server takes its time."""
        try:
            self._ledger.advance(line.batch, through_id=line.through_id, seconds=LEASE_SECONDS)
            line.renewed_at = time.monotonic()
        except LeaseLost:
            self.drop(line)

    def drop(self, line: WorkLine) -> None:
        """Offer nothing more of a lease that another worker has taken over."""
        self.lost = True
        line.drop()
