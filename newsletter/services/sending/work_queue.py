"""Choose the delivery that goes next: single mails before campaigns, slice after slice.

The state of each subscriber is read moments before. A work queue holds the leases of one run. Every
method that writes is a transaction of its own, committed before it returns, because the promise it
records must stand before a message is offered to a server.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.errors import LeaseLost
from newsletter.outbox import DeliveryUpdate, LeasedBatch, LeasedDelivery
from newsletter.services import workers
from newsletter.services.runtime import Environment

LEASE_SECONDS = 60
"""A worker that is silent for so long is taken for dead, and its rows are taken over."""
RENEW_SECONDS = 15
"""A lease that was not renewed by an outcome for so long is renewed by itself."""
PAGE = 100
"""Rows that are read at once."""
FRESH_SECONDS = 1.0
"""A subscriber's state that is older is read again; single mails are looked for as often."""
ALONE_WAIT = 0.01
"""Seconds to wait before asking again, while a message that must be alone is in flight."""
AHEAD = 4
"""Messages that a connection may be offered before the next outcomes are written down.

Two may be accepted by then, the envelopes of two more go with them.
"""


@dataclass(slots=True)
class WorkLine:
    """A lease that is being worked through.

    `rows` are read and not yet offered, `flying` are offered and without an outcome, `updates` are
    not yet written down. A line that is `alone` holds one message that was in flight at a crash:
    nothing else is in flight while it is.
    """

    batch: LeasedBatch
    campaign_id: int | None
    alone: bool
    after_id: int
    through_id: int
    rows: deque[LeasedDelivery] = field(default_factory=deque)
    flying: dict[int, LeasedDelivery] = field(default_factory=dict)
    updates: list[DeliveryUpdate] = field(default_factory=list)
    read_at: float = float("-inf")
    renewed_at: float = field(default_factory=time.monotonic)
    ended: bool = False
    lost: bool = False

    def horizon(self, ahead: int) -> int:
        """Return how far messages may be offered so that at most `ahead` are in flight."""
        room = min(max(ahead - len(self.flying), 1), len(self.rows))
        return max(self.through_id, self.rows[room - 1].id if room else 0)

    @property
    def done(self) -> bool:
        """Tell whether nothing of the lease is left to do."""
        return self.ended and not (self.rows or self.flying or self.updates)


class WorkQueue:
    """The rows of one run, in the order in which they go; of one campaign only if one is given."""

    def __init__(self, env: Environment, *, campaign_id: int | None, bulk: bool = True) -> None:
        self.env = env
        self.bulk = bulk
        self.only = campaign_id
        self.worker = workers.make_identity()
        self.ledger = outbox.Ledger()
        self.ahead = AHEAD * env.settings.smtp.connections
        self.lines: list[WorkLine] = []
        self.lost = False
        self.campaigns: set[int] = set()
        self._looked_at = float("-inf")

    def recover(self) -> int:
        """Take over what dead workers held.

        Returns how many rows are in doubt because of it.
        """
        with transaction() as session:
            # A database server's commits are on its disk, whatever happened to this machine.
            local = session.get_bind().dialect.name == "sqlite"
            forgetful = workers.is_before_restart if local else lambda _: False
            return outbox.recover(
                session, now=self.env.now, alive=workers.is_alive, forgetful=forgetful
            )

    def next(self) -> tuple[WorkLine, LeasedDelivery] | float | None:
        """Return the row to offer next and its line, seconds to wait, or None if nothing is due."""
        if any(line.alone and line.flying for line in self.lines):
            return ALONE_WAIT
        line = (
            self._find_begun(single=True)
            or self._lease_singles()
            or self._find_begun(single=False)
            or self._lease_bulk()
        )
        if line is None:
            return None
        if line.alone and any(other.flying for other in self.lines):
            return ALONE_WAIT
        row = line.rows.popleft()
        line.after_id = row.id
        return line, row

    def _find_begun(self, *, single: bool) -> WorkLine | None:
        for line in self.lines:
            if (line.campaign_id is None) == single and self._fill(line):
                return line
        return None

    def _fill(self, line: WorkLine) -> bool:
        """Read on, or read again what is too old. Return whether `line` has a row to offer.

        A campaign that was paused or cancelled meanwhile has none.
        """
        now = time.monotonic()
        if line.ended or (line.rows and now - line.read_at < FRESH_SECONDS):
            return bool(line.rows)
        line.rows = deque(self.ledger.read(line.batch, after_id=line.after_id, limit=PAGE))
        line.read_at = now
        line.ended = not line.rows
        return bool(line.rows)

    def _lease_singles(self) -> WorkLine | None:
        if time.monotonic() - self._looked_at < FRESH_SECONDS:
            return None
        self._looked_at = time.monotonic()
        line = self._lease_due(None, alone=False) or self._lease_due(None, alone=True)
        if line:  # there may be more than one lease holds
            self._looked_at = float("-inf")
        return line

    def put_back(self, line: WorkLine, row: LeasedDelivery) -> None:
        """Take back a row that was not offered after all."""
        line.rows.appendleft(row)
        line.after_id = row.id - 1

    def end_bulk(self) -> None:
        """Offer single mails only from now on."""
        self.bulk = False
        for line in self.lines:
            if line.campaign_id is not None:
                line.rows.clear()
                line.ended = True

    def _lease_bulk(self) -> WorkLine | None:
        if not self.bulk:
            return None
        with reading() as session:
            due = outbox.find_due_campaigns(session, now=self.env.now)
        for campaign_id in due:
            if self.only in (None, campaign_id):
                self.campaigns.add(campaign_id)
                line = (
                    self._lease_due(campaign_id, alone=False)
                    or self._lease_slice(campaign_id)
                    or self._lease_due(campaign_id, alone=True)
                )
                if line:
                    return line
        return None

    def _lease_due(self, campaign_id: int | None, *, alone: bool) -> WorkLine | None:
        with transaction() as session:
            batch = outbox.lease_due(
                session,
                now=self.env.now,
                worker=self.worker,
                seconds=LEASE_SECONDS,
                campaign_id=campaign_id,
                limit=PAGE,
                alone=alone,
            )
        return self._add_line(batch, campaign_id, alone=alone)

    def _lease_slice(self, campaign_id: int) -> WorkLine | None:
        with transaction() as session:
            batch = outbox.lease_slice(
                session, campaign_id, worker=self.worker, seconds=LEASE_SECONDS
            )
        return self._add_line(batch, campaign_id, alone=False)

    def _add_line(
        self, batch: LeasedBatch | None, campaign_id: int | None, *, alone: bool
    ) -> WorkLine | None:
        if batch is None:
            return None
        line = WorkLine(
            batch, campaign_id, alone, after_id=batch.first_id - 1, through_id=batch.through_id
        )
        self.lines.append(line)
        return line if self._fill(line) else None

    def allow(self, line: WorkLine, row: LeasedDelivery) -> bool:
        """Note that `row` may be offered, before it is.

        Return False if another worker has taken the lease over.
        """
        if row.id <= line.through_id:
            return True
        through_id = max(row.id, line.horizon(self.ahead))
        try:
            self.ledger.advance(line.batch, through_id=through_id, seconds=LEASE_SECONDS)
        except LeaseLost:
            self._drop(line)
            return False
        line.through_id = through_id
        line.renewed_at = time.monotonic()
        return True

    def write(self) -> None:
        """Write down the updates of every line in one transaction; give back finished leases."""
        groups = [
            (line.batch, line.horizon(self.ahead), line.updates)
            for line in self.lines
            if line.updates
        ]
        lost = (
            self.ledger.record(groups, now=self.env.now, seconds=LEASE_SECONDS) if groups else set()
        )
        for line in self.lines:
            if line.updates:
                line.through_id = line.horizon(self.ahead)
                line.renewed_at = time.monotonic()
                line.updates = []
            if line.batch.id in lost:
                self._drop(line)
            elif time.monotonic() - line.renewed_at > RENEW_SECONDS and not line.lost:
                self._renew(line)
        ended = [
            line
            for line in self.lines
            if line.ended and not (line.lost or line.rows or line.flying)
        ]
        if ended:
            with transaction() as session:
                for line in ended:
                    outbox.release(session, line.batch, now=self.env.now)
        self.lines = [line for line in self.lines if not line.done]

    def _renew(self, line: WorkLine) -> None:
        """Keep a lease while a server takes its time."""
        try:
            self.ledger.advance(line.batch, through_id=line.through_id, seconds=LEASE_SECONDS)
            line.renewed_at = time.monotonic()
        except LeaseLost:
            self._drop(line)

    def _drop(self, line: WorkLine) -> None:
        self.lost = True
        line.lost = line.ended = True
        line.rows.clear()

    def give_back(self, *, all_known: bool) -> None:
        """Give back every lease: what was not offered is due again for the next worker.

        Unless the outcome of all that was offered is known, leases with messages in flight expire
        by themselves, and these messages are in doubt.
        """
        for line in self.lines:
            line.rows.clear()
            if all_known:
                line.flying.clear()
            line.ended = True
        self.write()

    def drop_campaign(self, campaign_id: int) -> None:
        """Offer no more of a campaign that was paused."""
        for line in self.lines:
            if line.campaign_id == campaign_id:
                line.rows.clear()
                line.ended = True
