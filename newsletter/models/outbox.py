"""Tables of the outbox: one row per message, and the leases of workers.

Only newsletter/outbox/ writes here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.db.column_types import ClosedSet, make_member_check
from newsletter.db.session import Base, BigId
from newsletter.mail.kinds import HELD, PASSING
from newsletter.models.campaigns import Campaign
from newsletter.models.subscribers import Subscription
from newsletter.vocabulary import DeliveryStatus, MailKind


def held_clause(prefix: str = "") -> str:
    """Build the condition for mails that are held at the gate.

    It is a text without parameters, because a planner uses a partial index only for a condition
    that repeats the index's own. `prefix` stands before each column, like `deliveries.`.
    """
    kinds = ", ".join(f"'{kind.value}'" for kind in HELD)
    return f"{prefix}mail IN ({kinds}) AND {prefix}due_at IS NULL AND {prefix}status = 'queued'"


def passing_clause() -> str:
    """Build the condition for finished mails whose rows are deleted after a while.

    A text without parameters, as `held_clause` is.
    """
    kinds = ", ".join(f"'{kind.value}'" for kind in PASSING)
    return f"campaign_id IS NULL AND mail IN ({kinds}) AND finished_at IS NOT NULL"


class Delivery(Base):
    """One message to one subscription.

    A campaign's rows are worked through in slices, by id, and written
    once, when their outcome is known: until then `due_at` is empty. A confirmation has none while
    flood control holds it. A row that is sent on its own (a confirmation, a retry, a row left by a
    crash) has a `due_at`, and a `lease_id` while a worker holds it. A row in doubt without a
    `due_at` is not offered again until the author says so.

    `attempts` counts refusals for now, `doubts` how often a server may have taken it unheard,
    `lost_replies` how many of these were a lost reply to the final dot. `crashes`: 0, or 1 for what
    was in flight when a worker died, and one more each time it was in flight alone then; 0 again
    once a worker has lived through it.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("subscription_id", "campaign_id"),
        make_member_check("status", DeliveryStatus),
        make_member_check("mail", MailKind),
        Index(
            "ix_deliveries_due_at",
            "due_at",
            postgresql_where=text("due_at IS NOT NULL"),
            sqlite_where=text("due_at IS NOT NULL"),
        ),
        Index(
            "ix_deliveries_held",
            "id",
            postgresql_where=text(held_clause()),
            sqlite_where=text(held_clause()),
        ),
        Index(
            "ix_deliveries_passing",
            "finished_at",
            postgresql_where=text(passing_clause()),
            sqlite_where=text(passing_clause()),
        ),
        Index(
            "ix_deliveries_lease_id",
            "lease_id",
            postgresql_where=text("lease_id IS NOT NULL"),
            sqlite_where=text("lease_id IS NOT NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    subscription_id: Mapped[int | None] = mapped_column(
        ForeignKey(Subscription.id, ondelete="SET NULL")
    )
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey(Campaign.id, ondelete="CASCADE"))
    mail: Mapped[MailKind] = mapped_column(ClosedSet(MailKind, 16))
    cursor: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    status: Mapped[DeliveryStatus] = mapped_column(ClosedSet(DeliveryStatus, 10))
    attempts: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    doubts: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    lost_replies: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    crashes: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    created_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    lease_id: Mapped[int | None] = mapped_column(BigId)
    context: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    code: Mapped[int | None] = mapped_column(Integer)
    text: Mapped[str | None] = mapped_column(String(500))
    finished_at: Mapped[datetime | None]


CAMPAIGNS_A_ROW = 60
"""Campaigns whose bits fit into one row of `FoldedDelivery`, a signed 64-bit integer."""


class FoldedDelivery(Base):
    """Folded deliveries of a subscription: the campaigns and editions it received, as bits.

    So a letter goes to nobody twice, and a subscriber's history stays whole. A row stands for a
    subscription, an edition's number and a status; in `campaigns` the bit n is set for the campaign
    with the id `block` × `CAMPAIGNS_A_ROW` + n (outbox/folded.py). So many share a row, because
    this is kept of each message ever sent. It is deleted with the subscription.
    """

    __tablename__ = "folded_deliveries"
    __table_args__ = (
        make_member_check("status", DeliveryStatus),
        # On PostgreSQL pages are left half empty: a set bit is a new version of its row, beside it.
        {"sqlite_with_rowid": False, "postgresql_with": {"fillfactor": 50}},
    )

    subscription_id: Mapped[int] = mapped_column(
        ForeignKey(Subscription.id, ondelete="CASCADE"), primary_key=True
    )
    block: Mapped[int] = mapped_column(Integer, primary_key=True)
    cursor: Mapped[int] = mapped_column(Integer, primary_key=True)
    status: Mapped[DeliveryStatus] = mapped_column(ClosedSet(DeliveryStatus, 10), primary_key=True)
    campaigns: Mapped[int] = mapped_column(BigInteger)


class Lease(Base):
    """Deliveries that one worker holds until `expires_at`.

    `expires_at` is in seconds since 1970 by the database's clock. The lease is for the slice
    `first_id`–`last_id` of a campaign or, without a campaign, for the rows that carry its id. Ids
    are never reused, so that the id is the fencing token. Rows up to `through_id` may have been
    offered to a server. A lease that is `alone` holds one row, and its worker has nothing else in
    flight.
    """

    __tablename__ = "leases"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey(Campaign.id, ondelete="CASCADE"))
    first_id: Mapped[int] = mapped_column(BigId, default=0)
    last_id: Mapped[int] = mapped_column(BigId, default=0)
    through_id: Mapped[int] = mapped_column(BigId, default=0)
    alone: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    worker: Mapped[str] = mapped_column(String(200))
    expires_at: Mapped[int] = mapped_column(BigInteger)
