"""What goes into the outbox and comes out of it: frozen rows, and the tables they stand in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, cast

from sqlalchemy import ColumnElement, Table, and_, or_

from newsletter.models import Campaign, Delivery, Lease

deliveries = cast(Table, Delivery.__table__)
leases = cast(Table, Lease.__table__)


unsettled_clause: ColumnElement[bool] = or_(
    deliveries.c.status == "queued",
    and_(deliveries.c.status == "in_doubt", deliveries.c.due_at.is_not(None)),
)
"""A delivery that may still be offered to a server, as SQL."""


@dataclass(frozen=True, slots=True)
class LeasedBatch:
    """A lease in a worker's hands.

    `through_id`: how far messages may have been offered.
    """

    id: int
    campaign_id: int | None
    first_id: int
    last_id: int
    through_id: int


class LeasedDelivery(NamedTuple):
    """A delivery to be made, with what its message and the last check before sending need."""

    id: int
    mail: str
    campaign_id: int | None
    cursor: int
    attempts: int
    doubts: int
    created_at: datetime
    context: dict[str, Any] | None
    list_id: int | None
    handle: str | None
    round: int | None
    status: str | None
    cadence: str | None
    email: str | None
    name: str | None
    language: str | None
    suppressed: str | None
    lost_replies: int = 0


class DeliveryUpdate(NamedTuple):
    """What to write down of a delivery.

    `due_at`: when it is tried again (status stays open), else it is finished.

    `attempts`, `doubts` and `lost_replies` are added to what was counted before. `offered`: whether
    a server was offered the message, and the worker has lived through it.
    """

    id: int
    status: Literal["queued", "sent", "failed", "cancelled", "in_doubt"]
    code: int | None
    text: str | None
    attempts: int = 0
    doubts: int = 0
    due_at: datetime | None = None
    lost_replies: int = 0
    offered: bool = False


@dataclass(frozen=True, slots=True)
class Totals:
    """Where a campaign's recipients are: recipients = sent + failed + cancelled + waiting +
    in_doubt. `doubted` counts those that ever were in doubt, whatever became of them.
    """

    recipients: int = 0
    sent: int = 0
    failed: int = 0
    cancelled: int = 0
    waiting: int = 0
    in_doubt: int = 0
    doubted: int = 0

    @property
    def balanced(self) -> bool:
        """Tell whether everyone is accounted for."""
        return (
            self.recipients
            == self.sent + self.failed + self.cancelled + self.waiting + self.in_doubt
        )


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as reports show it."""

    id: int
    campaign_id: int | None
    mail: str
    email: str
    status: str
    attempts: int
    doubts: int
    code: int | None
    text: str
    due_at: datetime | None
    finished_at: datetime | None


def of_campaign_clause(campaign: Campaign) -> ColumnElement[bool]:
    """A campaign's deliveries: its own stretch of ids, so that a million others are not looked at."""
    return and_(
        deliveries.c.campaign_id == campaign.id,
        deliveries.c.id.between(campaign.first_id, campaign.last_id),
    )
