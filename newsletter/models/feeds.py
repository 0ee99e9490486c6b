"""Feeds of a list and the entries found in them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    JSON,
    Boolean,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from newsletter.db.column_types import ClosedSet, make_member_check
from newsletter.db.session import Base
from newsletter.models.lists import MailingList
from newsletter.vocabulary import EntryStatus, FeedStatus

FATES = tuple(EntryStatus)


class Feed(Base):
    """A source of one list.

    `next_poll_at` says when it is due, and is moved on to claim a poll; `body_digest` tells an
    answer that says what the last one said; `told_at`: when its author was told that it fails;
    `leaves_out`: kinds of videos that are not taken (feeds/youtube.py); `only_categories`,
    `not_categories`, `not_title`: its author's filters (polling/filters.py); `page_pictures`:
    pictures are looked for on the entries' pages; `entries_at_once`: how many it had when it last
    had any.
    """

    __tablename__ = "feeds"
    __table_args__ = (
        UniqueConstraint("list_id", "url"),
        make_member_check("status", FeedStatus),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    list_id: Mapped[int] = mapped_column(ForeignKey(MailingList.id, ondelete="CASCADE"))
    url: Mapped[str] = mapped_column(String(2000))
    site_url: Mapped[str] = mapped_column(String(2000), default="")
    title: Mapped[str] = mapped_column(String(500), default="")
    status: Mapped[FeedStatus] = mapped_column(ClosedSet(FeedStatus, 10), default=FeedStatus.ACTIVE)
    etag: Mapped[str | None] = mapped_column(String(500))
    last_modified: Mapped[str | None] = mapped_column(String(100))
    next_poll_at: Mapped[datetime] = mapped_column(index=True)
    read_at: Mapped[datetime | None]
    unconditional_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(Integer, default=0)
    error: Mapped[str] = mapped_column(String(500), default="")
    moved_to: Mapped[str] = mapped_column(String(2000), default="")
    moved_seen: Mapped[int] = mapped_column(Integer, default=0)
    body_digest: Mapped[str] = mapped_column(String(64), default="", server_default="")
    failing_since: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    leaves_out: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    only_categories: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    not_categories: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    not_title: Mapped[str] = mapped_column(String(200), default="", server_default="")
    page_pictures: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    entries_at_once: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    created_at: Mapped[datetime]

    mailing_list: Mapped[MailingList] = relationship()


class HubSubscription(Base):
    """Our subscription at the hub that a feed names (services/polling/websub.py).

    `handle` is its callback; `ask_at` says when the hub is asked next; `asked_at`: when it was, as
    long as it has not answered; `leased_until`: until when it pushes; `pushed_at`: its last push.
    """

    __tablename__ = "hub_subscriptions"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    feed_id: Mapped[int] = mapped_column(ForeignKey(Feed.id, ondelete="CASCADE"), unique=True)
    handle: Mapped[str] = mapped_column(String(20), unique=True)
    hub: Mapped[str] = mapped_column(String(2000))
    topic: Mapped[str] = mapped_column(String(2000))
    secret: Mapped[str] = mapped_column(String(64))
    ask_at: Mapped[datetime] = mapped_column(index=True)
    asked_at: Mapped[datetime | None]
    leased_until: Mapped[datetime | None]
    pushed_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(Integer, default=0, server_default="0")


class Entry(Base):
    """A post or video of a feed.

    `fate` says what becomes of it, `why` in words; `seq` orders what subscribers are owed: a list's
    next number, given when the entry becomes ready. `first_seq`: its number before its feed took it
    back and brought it again, or before it was sent by itself (`send_asked_at`: since when somebody
    asks for that), for those who have not had it. `matures_at`: not in an instant mail
    before (empty: at once); `withdrawn_at`: since when its feed has it no more; `by_hand`: the
    author has decided, and no poll changes its fate; `shown_in_id`: the post of the list that shows
    this video. `own_title` and `own_excerpt` take the place of what its feed says in mails, where
    its author has corrected them.
    """

    __tablename__ = "entries"
    __table_args__ = (
        UniqueConstraint("feed_id", "identity"),
        make_member_check("fate", EntryStatus),
        Index("ix_entries_feed_id_link_key", "feed_id", "link_key"),
        Index("ix_entries_list_id_seq", "list_id", "seq"),
        Index("ix_entries_list_id_fate", "list_id", "fate"),
        Index(
            "ix_entries_send_asked_at",
            "send_asked_at",
            sqlite_where=text("send_asked_at IS NOT NULL"),
            postgresql_where=text("send_asked_at IS NOT NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    feed_id: Mapped[int] = mapped_column(ForeignKey(Feed.id, ondelete="CASCADE"))
    list_id: Mapped[int] = mapped_column(ForeignKey(MailingList.id, ondelete="CASCADE"))
    identity: Mapped[str] = mapped_column(String(500))
    link_key: Mapped[str] = mapped_column(String(2000), default="")
    link: Mapped[str] = mapped_column(String(2000), default="")
    title: Mapped[str] = mapped_column(String(500), default="")
    author: Mapped[str] = mapped_column(String(200), default="")
    published_at: Mapped[datetime | None]
    found_at: Mapped[datetime]
    summary_html: Mapped[str] = mapped_column(Text, default="")
    content_html: Mapped[str] = mapped_column(Text, default="")
    image: Mapped[str] = mapped_column(String(2000), default="")
    image_alt: Mapped[str] = mapped_column(String(500), default="")
    categories: Mapped[list[str]]
    video_id: Mapped[str] = mapped_column(String(40), default="")
    audio: Mapped[str] = mapped_column(String(2000), default="", server_default="")
    audio_seconds: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    fate: Mapped[EntryStatus] = mapped_column(ClosedSet(EntryStatus, 10))
    why: Mapped[str] = mapped_column(String(300), default="")
    send_asked_at: Mapped[datetime | None]
    seq: Mapped[int | None] = mapped_column(Integer)
    first_seq: Mapped[int | None] = mapped_column(Integer)
    matures_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    by_hand: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    shown_in_id: Mapped[int | None] = mapped_column(Integer)
    own_title: Mapped[str] = mapped_column(String(500), default="", server_default="")
    own_excerpt: Mapped[str] = mapped_column(Text, default="", server_default="")

    feed: Mapped[Feed] = relationship()
