"""What letters bring along: their pictures, and the letters of a series with who has had them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from newsletter.db.session import Base
from newsletter.models.lists import MailingList
from newsletter.models.subscribers import Subscription


class Picture(Base):
    """A picture made fit for mail, named by its content, as the archive serves it.

    In the database and not in a folder: every machine serves it, and a backup carries it.
    """

    __tablename__ = "pictures"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    media_type: Mapped[str] = mapped_column(String(20))
    width: Mapped[int] = mapped_column(Integer)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]


class SeriesLetter(Base):
    """A letter of a list's series: it goes to a reader `after_seconds` after the series began for
    her. It is owed to whoever's moment for it comes after `created_at`. `source`, `file`,
    `pictures`, `digest` as in a campaign.
    """

    __tablename__ = "series_letters"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    list_id: Mapped[int] = mapped_column(ForeignKey(MailingList.id, ondelete="CASCADE"), index=True)
    after_seconds: Mapped[int] = mapped_column(Integer)
    subject: Mapped[str] = mapped_column(String(500))
    source: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
    file: Mapped[str] = mapped_column(String(1000), default="")
    pictures: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]

    mailing_list: Mapped[MailingList] = relationship()


class SeriesLetterSent(Base):
    """That a reader's letter of the series was queued, once and for ever."""

    __tablename__ = "series_letters_sent"

    subscription_id: Mapped[int] = mapped_column(
        ForeignKey(Subscription.id, ondelete="CASCADE"), primary_key=True
    )
    step_id: Mapped[int] = mapped_column(
        ForeignKey(SeriesLetter.id, ondelete="CASCADE"), primary_key=True
    )
    at: Mapped[datetime]
