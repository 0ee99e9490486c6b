"""Tables of subscribers, subscriptions, consent and suppressions."""

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
from newsletter.models.lists import MailingList
from newsletter.vocabulary import (
    Cadence,
    ConsentKind,
    EvidenceSource,
    SubscriptionStatus,
    SuppressionReason,
)


class Subscriber(Base):
    """An address and its owner's name and language.

    `email` is what mail is sent to, `email_key` what is unique; `new_email` waits to be confirmed.
    """

    __tablename__ = "subscribers"
    __table_args__ = (
        # PostgreSQL finds the beginning of a text in an index of this kind alone.
        Index("ix_subscribers_name", "name", postgresql_ops={"name": "varchar_pattern_ops"}),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    handle: Mapped[str] = mapped_column(String(20), unique=True)
    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    language: Mapped[str] = mapped_column(String(20), default="")
    new_email: Mapped[str | None] = mapped_column(String(254))
    new_email_key: Mapped[str | None] = mapped_column(String(254))
    created_at: Mapped[datetime]

    subscriptions: Mapped[list[Subscription]] = relationship(
        back_populates="subscriber", cascade="all, delete-orphan", order_by="Subscription.id"
    )


class Tag(Base):
    """An author's tag on a subscriber (``berlin``), for segments.

    Lower case, without spaces at its ends.
    """

    __tablename__ = "subscriber_tags"
    __table_args__ = (Index("ix_subscriber_tags_tag", "tag"),)

    subscriber_id: Mapped[int] = mapped_column(
        ForeignKey(Subscriber.id, ondelete="CASCADE"), primary_key=True
    )
    tag: Mapped[str] = mapped_column(String(60), primary_key=True)


class Subscription(Base):
    """A subscriber on a list.

    `topics` holds the ids of those chosen, ascending, with commas between ("3,7"); empty means all
    of them. `round` is the number of the latest request (`SubscriptionRequest`), so that a
    confirmation link made before an unsubscription opens nothing any more. `cursor`: entries of the
    list up to this sequence number are settled for this subscriber; `joined_seq`: entries up to
    this one are older than the subscription. `series_at`: when the list's series began for it;
    `series_due_at`: when to look whether its next letter is due. `confirmation_at`: when the latest
    request was made. `answers`: what was filled into the author's own fields.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (
        UniqueConstraint("list_id", "subscriber_id"),
        make_member_check("status", SubscriptionStatus),
        make_member_check("cadence", Cadence),
        # Each tick asks whether a subscriber of a cadence is behind: one look, not a walk.
        Index("ix_subscriptions_cadence_cursor", "list_id", "status", "cadence", "cursor"),
        # Listings of a list are in the order of its own subscriptions.
        Index("ix_subscriptions_list_id_id", "list_id", "id"),
        Index(
            "ix_subscriptions_series_due_at",
            "series_due_at",
            postgresql_where=text("series_due_at IS NOT NULL"),
            sqlite_where=text("series_due_at IS NOT NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    handle: Mapped[str] = mapped_column(String(20), unique=True)
    list_id: Mapped[int] = mapped_column(ForeignKey(MailingList.id, ondelete="CASCADE"))
    subscriber_id: Mapped[int] = mapped_column(
        ForeignKey(Subscriber.id, ondelete="CASCADE"), index=True
    )
    status: Mapped[SubscriptionStatus] = mapped_column(ClosedSet(SubscriptionStatus, 12))
    cadence: Mapped[Cadence] = mapped_column(ClosedSet(Cadence, 10))
    round: Mapped[int] = mapped_column(Integer, default=1)
    cursor: Mapped[int] = mapped_column(Integer, default=0)
    joined_seq: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    topics: Mapped[str] = mapped_column(String(500), default="", server_default="")
    paused_until: Mapped[datetime | None]
    confirmation_at: Mapped[datetime | None]
    answers: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    unsubscribed_at: Mapped[datetime | None]
    series_at: Mapped[datetime | None]
    series_due_at: Mapped[datetime | None]

    subscriber: Mapped[Subscriber] = relationship(back_populates="subscriptions")
    mailing_list: Mapped[MailingList] = relationship()


class RetiredHandle(Base):
    """An earlier handle of a subscription, from before a change of address.

    Links with it lie in the old mailbox: they end the subscription, and open nothing else.
    """

    __tablename__ = "retired_handles"

    handle: Mapped[str] = mapped_column(String(20), primary_key=True)
    subscription_id: Mapped[int] = mapped_column(
        ForeignKey(Subscription.id, ondelete="CASCADE"), index=True
    )


class AddressChange(Base):
    """A change of address that can be undone from the old mailbox, by a link with this `handle`."""

    __tablename__ = "address_changes"

    handle: Mapped[str] = mapped_column(String(20), primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(
        ForeignKey(Subscriber.id, ondelete="CASCADE"), index=True
    )
    list_id: Mapped[int] = mapped_column(ForeignKey(MailingList.id, ondelete="CASCADE"))
    old_email: Mapped[str] = mapped_column(String(254))
    old_email_key: Mapped[str] = mapped_column(String(254))
    changed_at: Mapped[datetime] = mapped_column(index=True)
    undone_at: Mapped[datetime | None]

    subscriber: Mapped[Subscriber] = relationship()
    mailing_list: Mapped[MailingList] = relationship()


class ConsentText(Base):
    """A consent text (wording), keyed by the SHA-256 of its content.

    Rows are append-only: a trigger refuses changes.
    """

    __tablename__ = "consent_texts"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    first_used_at: Mapped[datetime]


class ConsentEvent(Base):
    """A piece of evidence in the consent record: event, time and source.

    It holds the consent text, the page and the form; `message_id` is the confirmation's. Rows are
    append-only: a trigger refuses every change but that of `ip`, which is cut to its network after
    a while (migrations/versions/0001_initial.py).
    """

    __tablename__ = "consent_events"
    __table_args__ = (
        make_member_check("kind", ConsentKind),
        make_member_check("source", EvidenceSource),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    subscription_id: Mapped[int] = mapped_column(
        ForeignKey(Subscription.id, ondelete="CASCADE"), index=True
    )
    kind: Mapped[ConsentKind] = mapped_column(ClosedSet(ConsentKind, 20))
    at: Mapped[datetime]
    source: Mapped[EvidenceSource] = mapped_column(ClosedSet(EvidenceSource, 20))
    form: Mapped[str] = mapped_column(String(40), default="", server_default="")
    wording_hash: Mapped[str | None] = mapped_column(ForeignKey(ConsentText.hash))
    page: Mapped[str] = mapped_column(String(500), default="")
    ip: Mapped[str] = mapped_column(String(50), default="")
    user_agent: Mapped[str] = mapped_column(String(300), default="")
    message_id: Mapped[str] = mapped_column(String(300), default="", server_default="")
    note: Mapped[str] = mapped_column(String(500), default="")

    wording: Mapped[ConsentText | None] = relationship()


class SubscriptionRequest(Base):
    """A sign-up request, applied once the link in its confirmation mail is used.

    `number` counts a subscription's requests and stands in the link. `agreed` maps the author's
    consent fields that were ticked to their wording. `delivery_id` is the confirmation's (outbox),
    None while none may be mailed; it is no foreign key, because the outbox refers to subscriptions.
    `network` is the visitor's and `proven` tells that a puzzle was solved: what a flood is told
    from. Rows are deleted when the subscription ends, or after a fortnight.
    """

    __tablename__ = "subscription_requests"

    subscription_id: Mapped[int] = mapped_column(
        ForeignKey(Subscription.id, ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    cadence: Mapped[Cadence] = mapped_column(ClosedSet(Cadence, 10))
    topics: Mapped[str] = mapped_column(String(500), default="", server_default="")
    name: Mapped[str] = mapped_column(String(200), default="", server_default="")
    language: Mapped[str] = mapped_column(String(20), default="", server_default="")
    answers: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    agreed: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    wording_hash: Mapped[str | None] = mapped_column(ForeignKey(ConsentText.hash))
    delivery_id: Mapped[int | None] = mapped_column(BigId, index=True)
    message_id: Mapped[str] = mapped_column(String(300), default="", server_default="")
    network: Mapped[str] = mapped_column(String(50), default="", server_default="")
    proven: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(index=True)

    wording: Mapped[ConsentText | None] = relationship()


class Mailbox(Base):
    """The mails that web requests have caused to one mailbox, over all lists and spellings.

    It is known by the keyed hash of its folded address (`addresses.fold_address`). `unanswered`
    counts the confirmations that it did not answer. `mails` holds the latest mails: allowance,
    seconds since 1970, and id in the outbox.
    """

    __tablename__ = "mailboxes"

    mailbox_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    unanswered: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    mails: Mapped[list[Any]] = mapped_column(JSON, default=list, server_default="[]")
    last_at: Mapped[datetime] = mapped_column(index=True)


class Suppression(Base):
    """A suppressed address, which is never mailed.

    `email_key` is emptied when the subscriber is erased; `email_hash` stays.
    """

    __tablename__ = "suppressions"
    __table_args__ = (
        make_member_check("reason", SuppressionReason),
        Index("ix_suppressions_email_key", "email_key"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    email_hash: Mapped[str] = mapped_column(String(64), unique=True)
    email_key: Mapped[str | None] = mapped_column(String(254))
    reason: Mapped[SuppressionReason] = mapped_column(ClosedSet(SuppressionReason, 12))
    note: Mapped[str] = mapped_column(String(500), default="")
    created_at: Mapped[datetime]
