"""The progress of one lease in a run: its rows, messages in flight, unrecorded updates."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

from newsletter.outbox import DeliveryUpdate, LeasedBatch, LeasedDelivery

RENEW_SECONDS = 15
"""Seconds after which a lease without recorded outcomes is renewed explicitly."""


@dataclass(slots=True)
class WorkLine:
    """A lease with its rows, messages in flight and unrecorded updates.

    `rows` are read and not yet offered, `flying` are offered and without an outcome, `updates` are
    not yet handed to the recorder, `recording` are with it. A line that is `alone` holds one
    message that was in flight at a crash: nothing else is in flight while it is.
    """

    batch: LeasedBatch
    campaign_id: int | None
    alone: bool
    after_id: int
    through_id: int
    rows: deque[LeasedDelivery] = field(default_factory=deque)
    flying: dict[int, LeasedDelivery] = field(default_factory=dict)
    updates: list[DeliveryUpdate] = field(default_factory=list)
    recording: list[DeliveryUpdate] = field(default_factory=list)
    read_at: float = float("-inf")
    renewed_at: float = field(default_factory=time.monotonic)
    ended: bool = False
    lost: bool = False

    def horizon(self, ahead: int) -> int:
        """Return the id up to which messages may be offered, with at most `ahead` in flight."""
        room = max(ahead - len(self.flying), 1)
        if room <= len(self.rows):
            through_id = self.rows[room - 1].id
        elif self.campaign_id is not None and self.rows:
            # Ids ascend, so that so many more ids are no more messages.
            beyond = self.rows[-1].id + room - len(self.rows)
            through_id = min(beyond, max(self.batch.last_id, self.rows[-1].id))
        else:
            through_id = self.rows[-1].id if self.rows else 0
        return max(self.through_id, through_id)

    @property
    def is_silent(self) -> bool:
        """Tell whether the lease has to be renewed explicitly."""
        return time.monotonic() - self.renewed_at > RENEW_SECONDS

    @property
    def unsettled(self) -> bool:
        """Tell whether a message is in flight or its outcome is unrecorded."""
        return bool(self.flying or self.updates or self.recording)

    @property
    def done(self) -> bool:
        """Tell whether the lease is finished."""
        return self.ended and not (self.rows or self.unsettled)

    def drop(self) -> None:
        """Drop all rows, because another worker has taken the lease over."""
        self.lost = True
        self.end()

    def end(self) -> None:
        """Drop the rows that were not offered yet."""
        self.ended = True
        self.rows.clear()
