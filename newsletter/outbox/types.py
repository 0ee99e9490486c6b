"""Data types of the outbox: leased rows, updates, totals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Table, and_, or_

from newsletter.models import Campaign, Delivery, FoldedDelivery, Lease
from newsletter.vocabulary import Cadence, DeliveryStatus, MailKind, SubscriptionStatus

deliveries = cast(Table, Delivery.__table__)
folded = cast(Table, FoldedDelivery.__table__)
leases = cast(Table, Lease.__table__)

unsettled_clause: ColumnElement[bool] = or_(
    deliveries.c.status == DeliveryStatus.QUEUED,
    and_(deliveries.c.status == DeliveryStatus.IN_DOUBT, deliveries.c.due_at.is_not(None)),
)
"""The condition for deliveries that may still be offered to a server."""

UNSETTLED = f"({unsettled_clause.compile(compile_kwargs={'literal_binds': True})})"
"""The condition `unsettled_clause` as SQL text, for statements outside of the ORM."""


@dataclass(frozen=True, slots=True)
class LeasedBatch:
    """A worker's lease: a slice of a campaign, or single rows (`campaign_id` None).

    Messages up to `through_id` may have been offered to a server.
    """

    id: int
    campaign_id: int | None
    first_id: int
    last_id: int
    through_id: int


class LeasedDelivery(NamedTuple):
    """A leased delivery, with the data for its message and the check before sending."""

    id: int
    mail: MailKind
    campaign_id: int | None
    cursor: int
    attempts: int
    doubts: int
    created_at: datetime
    context: dict[str, Any] | None
    list_id: int | None
    handle: str | None
    round: int | None
    status: SubscriptionStatus | None
    cadence: Cadence | None
    email: str | None
    name: str | None
    language: str | None
    suppressed: str | None
    lost_replies: int = 0


class DeliveryUpdate(NamedTuple):
    """The outcome of a delivery, to be recorded.

    With `due_at` the delivery is tried again then; without, it is finished. `attempts`, `doubts`
    and `lost_replies` are added to the counts of the row. `offered` tells that a server was offered
    the message and the worker has lived through it.
    """

    id: int
    status: DeliveryStatus
    code: int | None
    text: str | None
    attempts: int = 0
    doubts: int = 0
    due_at: datetime | None = None
    lost_replies: int = 0
    offered: bool = False


@dataclass(frozen=True, slots=True)
class Totals:
    """The numbers of a campaign's recipients by delivery status.

    recipients = sent + failed + cancelled + waiting + in_doubt. `doubted` counts all that were ever
    in doubt, whatever became of them.
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
        """Tell whether the numbers add up to the recipients."""
        return (
            self.recipients
            == self.sent + self.failed + self.cancelled + self.waiting + self.in_doubt
        )


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery in reports.

    One that is folded (outbox/fold.py) has no id any more: it is 0.
    """

    id: int
    campaign_id: int | None
    mail: MailKind
    email: str
    status: DeliveryStatus
    attempts: int
    doubts: int
    code: int | None
    text: str
    due_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """The number of failed recipients of a campaign with one status, code and domain."""

    status: DeliveryStatus
    code: int | None
    domain: str
    count: int
    example: str


def of_campaign_clause(campaign: Campaign) -> ColumnElement[bool]:
    """Build the condition for a campaign's deliveries.

    It names their range of ids, so that no other campaign's rows are read.
    """
    return and_(
        deliveries.c.campaign_id == campaign.id,
        deliveries.c.id.between(campaign.first_id, campaign.last_id),
    )
