"""Events: one row for each transition of a subscription, campaign or entry."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.db.column_types import ClosedSet, make_member_check
from newsletter.db.session import Base, BigId
from newsletter.models.campaigns import Campaign
from newsletter.models.feeds import Entry
from newsletter.models.lists import MailingList
from newsletter.models.subscribers import ConsentEvent, Subscription
from newsletter.vocabulary import Actor, EventKind


class Event(Base):
    """One transition: kind, time, actor and subject.

    Holds ids, never an address or typed text. Rows are never changed (a trigger refuses it); they
    go with the list, subscription, campaign or entry they belong to, and after their retention.
    `reason` is a short code, such as `unsubscribed` or `complaint`. `consent_event_id` names the
    evidence where there is any; it is not copied.
    """

    __tablename__ = "events"
    __table_args__ = (
        make_member_check("kind", EventKind),
        make_member_check("actor", Actor),
        Index("ix_events_subscription_id", "subscription_id"),
        Index("ix_events_campaign_id", "campaign_id"),
        Index("ix_events_entry_id", "entry_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[EventKind] = mapped_column(ClosedSet(EventKind, 40))
    actor: Mapped[Actor] = mapped_column(ClosedSet(Actor, 12))
    reason: Mapped[str] = mapped_column(String(40), default="")
    list_id: Mapped[int] = mapped_column(ForeignKey(MailingList.id, ondelete="CASCADE"), index=True)
    subscription_id: Mapped[int | None] = mapped_column(
        ForeignKey(Subscription.id, ondelete="CASCADE")
    )
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey(Campaign.id, ondelete="CASCADE"))
    entry_id: Mapped[int | None] = mapped_column(ForeignKey(Entry.id, ondelete="CASCADE"))
    consent_event_id: Mapped[int | None] = mapped_column(
        ForeignKey(ConsentEvent.id, ondelete="CASCADE")
    )
