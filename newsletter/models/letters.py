"""Images of letters; the letters of a series, and who has received them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from newsletter.db.session import Base
from newsletter.models.lists import MailingList
from newsletter.models.subscribers import Subscription


class Picture(Base):
    """An image in its final size, named by its content.

    It is in the database, so that every machine serves it and a backup holds it.
    """

    __tablename__ = "pictures"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    media_type: Mapped[str] = mapped_column(String(20))
    width: Mapped[int] = mapped_column(Integer)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]


class SeriesLetter(Base):
    """A letter of a list's series.

    It goes to a subscriber `after_seconds` after the series began for them, and is owed to those
    whose moment for it is not before `created_at`. `source`, `file`, `pictures` and `digest` are as
    in a campaign.
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
    """A letter of a series that was queued for a subscription.

    Its key keeps it to once.
    """

    __tablename__ = "series_letters_sent"

    subscription_id: Mapped[int] = mapped_column(
        ForeignKey(Subscription.id, ondelete="CASCADE"), primary_key=True
    )
    step_id: Mapped[int] = mapped_column(
        ForeignKey(SeriesLetter.id, ondelete="CASCADE"), primary_key=True
    )
    at: Mapped[datetime]
