"""Tables of answers to one-tap questions, and of anonymous totals."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.db.session import Base, BigId
from newsletter.models.campaigns import Campaign
from newsletter.models.subscribers import Subscription


class TappedAnswer(Base):
    """The last answer of a subscription to a question; `question` and `choice` count from 0.

    At `forget_at` it becomes a part of the total; None where the author asked for names.
    """

    __tablename__ = "tapped_answers"
    __table_args__ = (
        UniqueConstraint("subscription_id", "campaign_id", "question"),
        Index("ix_tapped_answers_choice", "campaign_id", "question", "choice"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey(Campaign.id, ondelete="CASCADE"))
    question: Mapped[int] = mapped_column(Integer)
    choice: Mapped[int] = mapped_column(Integer)
    subscription_id: Mapped[int] = mapped_column(ForeignKey(Subscription.id, ondelete="CASCADE"))
    at: Mapped[datetime]
    forget_at: Mapped[datetime | None] = mapped_column(index=True)


class TappedTotal(Base):
    """The number of answers with this choice that are no longer tied to a subscriber."""

    __tablename__ = "tapped_totals"

    campaign_id: Mapped[int] = mapped_column(
        ForeignKey(Campaign.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    question: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    choice: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column(Integer)
