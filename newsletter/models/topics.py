"""Tables of topics, their sources, and introductions of the next digests."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from newsletter.db.column_types import ClosedSet
from newsletter.db.session import Base
from newsletter.models.feeds import Feed
from newsletter.models.lists import MailingList
from newsletter.vocabulary import Cadence


class Topic(Base):
    """A topic that subscribers of a list may choose, in the order of `position`."""

    __tablename__ = "topics"
    __table_args__ = (UniqueConstraint("list_id", "name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    list_id: Mapped[int] = mapped_column(ForeignKey(MailingList.id, ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(80))
    position: Mapped[int] = mapped_column(Integer, default=0)

    sources: Mapped[list[TopicSource]] = relationship(
        back_populates="topic", cascade="all, delete-orphan", order_by="TopicSource.id"
    )


class TopicSource(Base):
    """A source of a topic: entries of a `category` (in lower case), or all entries of a feed."""

    __tablename__ = "topic_sources"
    __table_args__ = (
        CheckConstraint("(category IS NULL) <> (feed_id IS NULL)", name="one_of_two"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    topic_id: Mapped[int] = mapped_column(ForeignKey(Topic.id, ondelete="CASCADE"), index=True)
    category: Mapped[str | None] = mapped_column(String(100))
    feed_id: Mapped[int | None] = mapped_column(ForeignKey(Feed.id, ondelete="CASCADE"))

    topic: Mapped[Topic] = relationship(back_populates="sources")


class DigestIntro(Base):
    """The author's introduction of the next digest of one cadence, deleted once it is composed."""

    __tablename__ = "digest_intros"
    __table_args__ = (UniqueConstraint("list_id", "cadence"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    list_id: Mapped[int] = mapped_column(ForeignKey(MailingList.id, ondelete="CASCADE"))
    cadence: Mapped[Cadence] = mapped_column(ClosedSet(Cadence, 10))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
