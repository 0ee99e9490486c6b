"""Choose the next delivery of a run: single mails before campaigns, slice by slice.

The state of each subscriber is read moments before. A work queue holds the leases of one run. Every
method that writes is a transaction of its own, committed before it returns, because the promise it
records must stand before a message is offered to a server.
"""

from __future__ import annotations

import time
from collections import deque

from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.errors import LeaseLost
from newsletter.outbox import LeasedBatch, LeasedDelivery
from newsletter.services import workers
from newsletter.services.runtime import Environment
from newsletter.services.sending.recording import LEASE_SECONDS, Recording
from newsletter.services.sending.work_line import WorkLine

PAGE = 100
"""Rows read with one query."""
LARGE_PAGE = 500
"""Rows read with one query where a page lasts less than a tenth of a second."""
FRESH_SECONDS = 1.0
"""Seconds after which a subscriber's state is read again, and single mails are checked for."""
ALONE_WAIT = 0.01
"""Seconds between two checks while a message that must be sent alone is in flight."""


class WorkQueue:
    """The rows of one run in sending order, of all campaigns or of one."""

    def __init__(self, env: Environment, *, campaign_id: int | None, bulk: bool = True) -> None:
        self.env = env
        self.bulk = bulk
        self.only = campaign_id
        self.worker = workers.make_identity()
        self.ledger = outbox.Ledger()
        self.lines: list[WorkLine] = []
        self.recording = Recording(env, self.ledger, self.lines)
        self.campaigns: set[int] = set()
        self._looked_at = float("-inf")

    def recover(self) -> int:
        """Take over the leases of dead workers.

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
        """Return the next row with its line, the seconds to wait, or None if nothing is due."""
        for line in self.lines:
            if line.alone and line.unsettled:
                return ALONE_WAIT
        now = time.monotonic()
        chosen_line = (
            self._find_begun(now, single=True)
            or self._lease_singles(now)
            or self._find_begun(now, single=False)
            or self._lease_bulk()
        )
        if chosen_line is None:
            return None
        if chosen_line.alone and any(other.flying for other in self.lines):
            return ALONE_WAIT
        row = chosen_line.rows.popleft()
        chosen_line.after_id = row.id
        return chosen_line, row

    def land(self, delivery_id: int) -> tuple[WorkLine, LeasedDelivery]:
        """Remove a row with an outcome from those in flight; return its line and the row."""
        for line in self.lines:
            if (row := line.flying.pop(delivery_id, None)) is not None:
                return line, row
        raise KeyError(delivery_id)

    def _find_begun(self, now: float, *, single: bool) -> WorkLine | None:
        for line in self.lines:
            if (line.campaign_id is None) == single and self._fill(line, now):
                return line
        return None

    def _fill(self, line: WorkLine, now: float) -> bool:
        """Read more rows of `line`, or reread old ones; return whether it has a row to offer.

        A campaign that was paused or cancelled meanwhile has none.
        """
        if line.ended or (line.rows and now - line.read_at < FRESH_SECONDS):
            return bool(line.rows)
        limit = LARGE_PAGE if now - line.read_at < FRESH_SECONDS / 10 else PAGE
        line.rows = deque(self.ledger.read(line.batch, after_id=line.after_id, limit=limit))
        line.read_at = now
        line.ended = not line.rows
        return bool(line.rows)

    def _lease_singles(self, now: float) -> WorkLine | None:
        if now - self._looked_at < FRESH_SECONDS:
            return None
        self._looked_at = now
        line = self._lease_due(None, alone=False) or self._lease_due(None, alone=True)
        if line:  # there may be more than one lease holds
            self._looked_at = float("-inf")
        return line

    def put_back(self, line: WorkLine, row: LeasedDelivery) -> None:
        """Put back a row that was not offered after all."""
        line.rows.appendleft(row)
        line.after_id = row.id - 1

    def end_bulk(self) -> None:
        """Stop offering campaigns' rows; single mails continue."""
        self.bulk = False
        for line in self.lines:
            if line.campaign_id is not None:
                line.end()

    def _lease_bulk(self) -> WorkLine | None:
        if not self.bulk:
            return None
        with reading() as session:
            due = outbox.find_due_campaigns(session, now=self.env.now)
        for campaign_id in due:
            if self.only in (None, campaign_id):
                self.campaigns.add(campaign_id)
                line = self._lease_campaign(campaign_id)
                if line:
                    return line
        return None

    def _lease_due(self, campaign_id: int | None, *, alone: bool) -> WorkLine | None:
        with transaction() as session:
            batch = self._lease_rows(session, campaign_id, alone=alone)
        return self._add_line(batch, campaign_id, alone=alone)

    def _lease_rows(
        self, session: Session, campaign_id: int | None, *, alone: bool
    ) -> LeasedBatch | None:
        return outbox.lease_due(
            session,
            now=self.env.now,
            worker=self.worker,
            seconds=LEASE_SECONDS,
            campaign_id=campaign_id,
            limit=PAGE,
            alone=alone,
        )

    def _lease_campaign(self, campaign_id: int) -> WorkLine | None:
        """Lease a campaign's retries, else its next slice, else rows that must be sent alone."""
        alone = False
        with transaction() as session:
            batch = self._lease_rows(session, campaign_id, alone=False) or outbox.lease_slice(
                session, campaign_id, worker=self.worker, seconds=LEASE_SECONDS
            )
            if batch is None:
                alone = True
                batch = self._lease_rows(session, campaign_id, alone=True)
        return self._add_line(batch, campaign_id, alone=alone)

    def _add_line(
        self, batch: LeasedBatch | None, campaign_id: int | None, *, alone: bool
    ) -> WorkLine | None:
        if batch is None:
            return None
        line = WorkLine(
            batch, campaign_id, alone, after_id=batch.first_id - 1, through_id=batch.through_id
        )
        self.lines.append(line)
        return line if self._fill(line, time.monotonic()) else None

    def allow(self, line: WorkLine, row: LeasedDelivery) -> bool:
        """Record that `row` may be offered, before it is passed to the transport.

        Return False if another worker has taken the lease over.
        """
        if row.id <= line.through_id:
            return True
        through_id = max(row.id, line.horizon(self.recording.ahead))
        try:
            self.ledger.advance(line.batch, through_id=through_id, seconds=LEASE_SECONDS)
        except LeaseLost:
            self.recording.drop(line)
            return False
        line.through_id = through_id
        line.renewed_at = time.monotonic()
        return True

    def give_back(self, *, all_known: bool) -> None:
        """Release every lease, so that other workers can send the rows that were not offered.

        Unless the outcome of all that was offered is known, leases with messages in flight expire
        by themselves, and these messages are in doubt.
        """
        for line in self.lines:
            line.end()
            if all_known:
                line.flying.clear()
        self.recording.write()

    def drop_campaign(self, campaign_id: int) -> None:
        """Drop the rows of a paused campaign."""
        for line in self.lines:
            if line.campaign_id == campaign_id:
                line.end()
