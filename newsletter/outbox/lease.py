"""Lease rows to a worker: slices of a campaign by id, and single rows that are due."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, cast

from sqlalchemy import Integer, Table, and_, bindparam, insert, literal_column, select, update
from sqlalchemy.orm import Session

from newsletter.db.prepared import Prepared
from newsletter.models import Campaign
from newsletter.outbox.types import LeasedBatch, deliveries, leases, unsettled_clause
from newsletter.vocabulary import CampaignStatus, DeliveryStatus

SLICE = 500
"""Ids in a lease: few, so that a dead worker delays little and a power cut leaves few in doubt."""
LARGE_SLICE = 4_000
"""The most ids in a lease on PostgreSQL, which leases a sixteenth of the remaining rows."""

_campaigns = cast(Table, Campaign.__table__)
_LOCK_CAMPAIGN = Prepared(
    select(_campaigns.c.leased_id, _campaigns.c.last_id)
    .where(_campaigns.c.id == bindparam("campaign"), _campaigns.c.status == CampaignStatus.SENDING)
    .with_for_update()
)
_MOVE_ON = Prepared(
    update(_campaigns)
    .where(_campaigns.c.id == bindparam("campaign"))
    .values(leased_id=bindparam("last"))
)


def lease_slice(
    session: Session, campaign_id: int, *, worker: str, seconds: int
) -> LeasedBatch | None:
    """Lease the next slice of a campaign's deliveries.

    Return None if all are leased, or the campaign is not being sent.
    """
    campaigns = _LOCK_CAMPAIGN.run(session, {"campaign": campaign_id})
    if not campaigns or campaigns[0].leased_id >= campaigns[0].last_id:
        return None
    [campaign] = campaigns
    # A slice is a range of ids, so that no row is read to find where it ends.
    left = campaign.last_id - campaign.leased_id
    is_postgres = session.get_bind().dialect.name != "sqlite"
    size = max(SLICE, min(left // 16, LARGE_SLICE)) if is_postgres else SLICE
    last = campaign.leased_id + min(size, left)
    _MOVE_ON.run_many(session, [{"campaign": campaign_id, "last": last}])
    return _new_lease(session, worker, seconds, campaign_id, campaign.leased_id + 1, last)


def lease_due(
    session: Session,
    *,
    now: datetime,
    worker: str,
    seconds: int,
    campaign_id: int | None,
    limit: int,
    alone: bool = False,
) -> LeasedBatch | None:
    """Lease due rows: single mails (`campaign_id` None), or a campaign's retries.

    With `alone`, one row that was in flight when a worker died: the caller offers it while nothing
    else of it is in flight, so that a message which kills its worker is found out (R05).
    """
    values = {"now": now, "limit": 1 if alone else limit}
    if campaign_id:
        values["campaign"] = campaign_id
    due = _lock_due(of_campaign=bool(campaign_id), alone=alone).run(session, values)
    if not due:
        return None
    ids = [row.id for row in due]
    held = _new_lease(session, worker, seconds, None, min(ids), max(ids), alone=alone)
    session.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(lease_id=held.id))
    return held


@cache
def _lock_due(*, of_campaign: bool, alone: bool) -> Prepared:
    """Build the query that locks due rows, of one campaign or single mails."""
    campaign_id = deliveries.c.campaign_id
    return Prepared(
        select(deliveries.c.id)
        .where(
            deliveries.c.due_at <= bindparam("now"),
            deliveries.c.lease_id.is_(None),
            unsettled_clause,
            deliveries.c.crashes > 0 if alone else deliveries.c.crashes == 0,
            campaign_id == bindparam("campaign") if of_campaign else campaign_id.is_(None),
        )
        # In the order of the index on `due_at`: no other row is read.
        .order_by(deliveries.c.due_at, deliveries.c.id)
        .limit(bindparam("limit", type_=Integer))
        .with_for_update(skip_locked=True)
    )


def _new_lease(
    session: Session,
    worker: str,
    seconds: int,
    campaign_id: int | None,
    first_id: int,
    last_id: int,
    *,
    alone: bool = False,
) -> LeasedBatch:
    values = {
        "campaign_id": campaign_id,
        "first_id": first_id,
        "last_id": last_id,
        "through_id": first_id - 1,
        "alone": alone,
        "worker": worker,
        "seconds": seconds,
    }
    [lease] = _add_lease(session.get_bind().dialect.name).run(session, values)
    return LeasedBatch(lease.id, campaign_id, first_id, last_id, first_id - 1)


@cache
def _add_lease(database: str) -> Prepared:
    expires_at = _seconds_now(database) + bindparam("seconds", type_=Integer)
    return Prepared(insert(leases).values(expires_at=expires_at).returning(leases.c.id))


def seconds_now_clause(session: Session) -> Any:
    """Build the expression for the database's clock in seconds, which all workers share (R06)."""
    return _seconds_now(session.get_bind().dialect.name)


def _seconds_now(database: str) -> Any:
    if database == "sqlite":
        return literal_column("unixepoch()")
    return literal_column("CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS BIGINT)")


def open_rows_clause(held: LeasedBatch) -> Any:
    """Build the condition for the rows of a lease without an outcome."""
    if held.campaign_id is None:
        return and_(deliveries.c.lease_id == held.id, unsettled_clause)
    return and_(
        deliveries.c.id.between(held.first_id, held.last_id),
        deliveries.c.campaign_id == held.campaign_id,
        deliveries.c.status == DeliveryStatus.QUEUED,
        deliveries.c.due_at.is_(None),
    )
