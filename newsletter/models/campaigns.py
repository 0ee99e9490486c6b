"""Campaigns of a list, their content, and the digest periods they stand for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

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
from newsletter.db.session import Base, BigId
from newsletter.models.feeds import Entry
from newsletter.models.lists import MailingList
from newsletter.tokens import new_handle
from newsletter.vocabulary import Cadence, CampaignKind, CampaignStatus, Folded


class Campaign(Base):
    """A digest or letter that goes to many subscribers of a list.

    `handle` names it outside, and so does `archive_name` once it has started: the readable last
    part of its page's address in the archive, like ``2026-11-29-going-slowly``. `seed` draws who
    gets which of two subjects. `first_id`–`last_id` are its deliveries, frozen in one transaction;
    `leased_id` is how far workers have taken slices of them.

    Of a letter: `source` is its file's text, `file` where that lay, `pictures` its local pictures
    (source → name), `segment` who of the list gets it, `digest` tells one letter's content from
    another's. With a `subject_b`, `share` percent of its recipients get one of the two subjects
    each, and the others wait for the `picked` one (a or b).

    `questions` are its one-tap questions in order, each with its `text` and `choices`; if
    `answers_named`, its author sees whose the answers are (models/tapped_answers.py).

    `revision` counts the changes of a letter, so that nobody overwrites what they have not seen.
    `filed_revision` is the last one that was written beside the `file` on the command line: with a
    later one, the letter was changed elsewhere, and the files of that folder are not its own.

    A digest `repeats` where it carries nothing that another had not, and no words of its author's:
    the archive has it, and does not list it.

    `final_totals`: the numbers of a campaign that has ended (services/campaigns/totals.py). Later
    its deliveries are `folded`, and `folded_totals` counts them (outbox/fold.py); `erased` of these
    recipients are known no more.

    A `permission` asks its recipients to confirm again until `answer_by`; `settled_at`: when the
    subscriptions without an answer ended.
    """

    __tablename__ = "campaigns"
    __table_args__ = (
        make_member_check("kind", CampaignKind),
        make_member_check("status", CampaignStatus),
        make_member_check("folded", Folded),
        UniqueConstraint("list_id", "archive_name"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    handle: Mapped[str] = mapped_column(String(20), unique=True, default=new_handle)
    list_id: Mapped[int] = mapped_column(ForeignKey(MailingList.id, ondelete="CASCADE"), index=True)
    kind: Mapped[CampaignKind] = mapped_column(ClosedSet(CampaignKind, 10))
    status: Mapped[CampaignStatus] = mapped_column(ClosedSet(CampaignStatus, 10), index=True)
    subject: Mapped[str] = mapped_column(String(500))
    preheader: Mapped[str] = mapped_column(String(500), default="")
    source: Mapped[str] = mapped_column(Text, default="")
    digest: Mapped[str] = mapped_column(String(64), default="")
    file: Mapped[str] = mapped_column(String(1000), default="", server_default="")
    pictures: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    segment: Mapped[str] = mapped_column(String(1000), default="", server_default="")
    revision: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    filed_revision: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    subject_b: Mapped[str] = mapped_column(String(500), default="", server_default="")
    share: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    questions: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    answers_named: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    picked: Mapped[str] = mapped_column(String(1), default="", server_default="")
    archive_name: Mapped[str | None] = mapped_column(String(80))
    seed: Mapped[str] = mapped_column(String(32))
    repeats: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    recipients: Mapped[int] = mapped_column(Integer, default=0)
    final_totals: Mapped[dict[str, int] | None] = mapped_column(JSON)
    folded: Mapped[Folded] = mapped_column(
        ClosedSet(Folded, 8), default=Folded.NOTHING, server_default=Folded.NOTHING.value
    )
    folded_totals: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    erased: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    first_id: Mapped[int] = mapped_column(BigId, default=0)
    last_id: Mapped[int] = mapped_column(BigId, default=0)
    leased_id: Mapped[int] = mapped_column(BigId, default=0)
    reason: Mapped[str] = mapped_column(String(500), default="")
    created_at: Mapped[datetime]
    scheduled_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    answer_by: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]

    mailing_list: Mapped[MailingList] = relationship()


WEB = -1


class Edition(Base):
    """The content for one group of recipients, in one language.

    A group's deliveries carry the same number, `cursor` (in a letter 0, or 1 for its second
    subject). There is an edition in each `language` that one of them reads, and one in the list's
    (""). Subject, text and HTML are finished but for the slots, and never change once written. The
    number -1 (`WEB`) is the archive's: all that anybody received, and nothing personal. `entries`
    holds the ids of a digest's entries; `fields` is the template for the values of a letter's own
    slots (mail/templating/merge_fields.py).
    """

    __tablename__ = "editions"
    __table_args__ = (
        UniqueConstraint("campaign_id", "cursor", "language"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey(Campaign.id, ondelete="CASCADE"))
    cursor: Mapped[int] = mapped_column(Integer, default=0)
    language: Mapped[str] = mapped_column(String(20), default="", server_default="")
    entries: Mapped[list[int]] = mapped_column(JSON, default=list, server_default="[]")
    subject: Mapped[str] = mapped_column(String(500))
    text: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    fields: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class CampaignEntry(Base):
    """An entry that a digest carries, in its place."""

    __tablename__ = "campaign_entries"

    campaign_id: Mapped[int] = mapped_column(
        ForeignKey(Campaign.id, ondelete="CASCADE"), primary_key=True
    )
    entry_id: Mapped[int] = mapped_column(
        ForeignKey(Entry.id, ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(Integer)

    entry: Mapped[Entry] = relationship()


class DigestPeriod(Base):
    """A digest period that is done: with a campaign, or without one for the reason `why`."""

    __tablename__ = "digest_periods"
    __table_args__ = (UniqueConstraint("list_id", "cadence", "key"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    list_id: Mapped[int] = mapped_column(ForeignKey(MailingList.id, ondelete="CASCADE"))
    cadence: Mapped[Cadence] = mapped_column(ClosedSet(Cadence, 10))
    key: Mapped[str] = mapped_column(String(40))
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey(Campaign.id, ondelete="SET NULL"))
    why: Mapped[str] = mapped_column(String(300))
    composed_at: Mapped[datetime]


class DigestReview(Base):
    """The review or hold of a digest that was not sent yet.

    One at most is open for each list and cadence. `key` is its period's, `due_at` its period's
    moment (None: an instant mail). A review that was mailed fixes `entries` (ids, numbered up to
    `through`) for `recipients` subscribers; of a digest that is only held nothing is fixed.
    `left_out` are ids that the digest does not carry. It goes at `go_at`, where it is not held;
    if it `waits`, only once it is released. `version` grows with each change, so that no digest is
    composed from what is not true any more. `mails`: ids of the deliveries of the review.
    """

    __tablename__ = "digest_reviews"
    __table_args__ = (
        Index(
            "ix_digest_reviews_open",
            "list_id",
            "cadence",
            unique=True,
            postgresql_where=text("settled_at IS NULL"),
            sqlite_where=text("settled_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    handle: Mapped[str] = mapped_column(String(20), unique=True, default=new_handle)
    list_id: Mapped[int] = mapped_column(ForeignKey(MailingList.id, ondelete="CASCADE"), index=True)
    cadence: Mapped[Cadence] = mapped_column(ClosedSet(Cadence, 10))
    key: Mapped[str] = mapped_column(String(40))
    due_at: Mapped[datetime | None]
    go_at: Mapped[datetime | None]
    entries: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    left_out: Mapped[list[int]] = mapped_column(JSON, default=list, server_default="[]")
    through: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    recipients: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    mails: Mapped[list[int]] = mapped_column(JSON, default=list, server_default="[]")
    waits: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    version: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    created_at: Mapped[datetime]
    held_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
