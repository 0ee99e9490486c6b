"""Tables of statistics: totals by day, and notes that are added to them later."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.db.column_types import ClosedSet, make_member_check
from newsletter.db.session import Base, BigId
from newsletter.models.campaigns import Campaign
from newsletter.models.lists import MailingList
from newsletter.statistics_vocabulary import Figure


class FigureNote(Base):
    """An increment of a figure, written in the transaction of the counted event.

    Rows are only added, so that no two writers wait for one total; the worker adds them to
    `DailyFigure` and deletes them. They hold nothing personal: `at` is cut to a quarter of an hour.
    `campaign_id` is 0 where a figure belongs to no campaign.
    """

    __tablename__ = "figure_notes"
    __table_args__ = (make_member_check("figure", Figure), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    list_id: Mapped[int] = mapped_column(ForeignKey(MailingList.id, ondelete="CASCADE"), index=True)
    campaign_id: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    at: Mapped[datetime]
    figure: Mapped[Figure] = mapped_column(ClosedSet(Figure, 20))
    name: Mapped[str] = mapped_column(String(120), default="", server_default="")
    count: Mapped[int] = mapped_column(BigInteger)


class DailyFigure(Base):
    """A total of one day in its list's time zone, independent of the counted rows.

    `day` is written like ``2026-11-29``.
    """

    __tablename__ = "daily_figures"
    __table_args__ = (make_member_check("figure", Figure),)

    list_id: Mapped[int] = mapped_column(
        ForeignKey(MailingList.id, ondelete="CASCADE"), primary_key=True
    )
    campaign_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    figure: Mapped[Figure] = mapped_column(ClosedSet(Figure, 20), primary_key=True)
    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


class CampaignFigures(Base):
    """A campaign's messages by time, domain and code, as last counted.

    `figures` is the JSON of services/statistics/messages.py. It stays when subscribers, whose
    domains it knew, are erased.
    """

    __tablename__ = "campaign_figures"

    campaign_id: Mapped[int] = mapped_column(
        ForeignKey(Campaign.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    counted_at: Mapped[datetime]
    figures: Mapped[dict[str, Any]] = mapped_column(JSON)
