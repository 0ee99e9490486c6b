"""Tables of returned mail: bounce events, mails seen in a mailbox, and its receivers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.bounce_vocabulary import BounceClass, BounceEffect, BounceProof, BounceSource
from newsletter.db.column_types import ClosedSet, make_member_check
from newsletter.db.session import Base, BigId
from newsletter.models.campaigns import Campaign
from newsletter.models.subscribers import Subscriber, Subscription


class BounceEvent(Base):
    """A report by one source about one recipient, recorded once.

    `key` is a hash of the report's identity (Message-ID, provider's event id), its class and whom
    it is about. A report names strangers and people who were erased, so no address is kept of it: a
    subscriber is known by `subscriber_id` alone, and addresses in `reason` and `content` are
    masked. `content` is the text of a report that was not understood, or a subscriber's own reply
    as it was written; it and `reason` are emptied when the subscriber is erased.
    """

    __tablename__ = "bounce_events"
    __table_args__ = (
        make_member_check("source", BounceSource),
        make_member_check("bounce_class", BounceClass),
        make_member_check("proof", BounceProof),
        make_member_check("effect", BounceEffect),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    at: Mapped[datetime] = mapped_column(index=True)
    source: Mapped[BounceSource] = mapped_column(ClosedSet(BounceSource, 10))
    bounce_class: Mapped[BounceClass] = mapped_column(ClosedSet(BounceClass, 12))
    proof: Mapped[BounceProof] = mapped_column(ClosedSet(BounceProof, 12))
    effect: Mapped[BounceEffect] = mapped_column(ClosedSet(BounceEffect, 12))
    status: Mapped[str] = mapped_column(String(20), default="", server_default="")
    reason: Mapped[str] = mapped_column(String(300), default="", server_default="")
    subscriber_id: Mapped[int | None] = mapped_column(
        ForeignKey(Subscriber.id, ondelete="SET NULL"), index=True
    )
    subscription_id: Mapped[int | None] = mapped_column(
        ForeignKey(Subscription.id, ondelete="SET NULL"), index=True
    )
    campaign_id: Mapped[int | None] = mapped_column(
        ForeignKey(Campaign.id, ondelete="SET NULL"), index=True
    )
    delivery_id: Mapped[int | None] = mapped_column(BigId)
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)


class ForwardedReply(Base):
    """The copy of a subscriber's reply, until it was forwarded to the author.

    `delivery_id` is the mail that carries it; `mailbox` and `uid` name its original (`SeenMail`),
    "" where it came over a pipe or the listener.
    """

    __tablename__ = "forwarded_replies"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    event_id: Mapped[int] = mapped_column(
        ForeignKey(BounceEvent.id, ondelete="CASCADE"), unique=True
    )
    subscriber_id: Mapped[int] = mapped_column(
        ForeignKey(Subscriber.id, ondelete="CASCADE"), index=True
    )
    delivery_id: Mapped[int | None] = mapped_column(BigId)
    writer: Mapped[str] = mapped_column(String(320))
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    mailbox: Mapped[str] = mapped_column(String(80), default="", server_default="", index=True)
    uid: Mapped[str] = mapped_column(String(80), default="", server_default="")


class BounceReceiver(Base):
    """A receiver of returned mail: a mailbox (by the hash of its place), a pipe, the listener.

    `ran_at` is when it last read well, `problem` why it last did not. `claim` names
    the worker that reads it at the moment, until `claimed_until` (seconds since 1970).
    """

    __tablename__ = "bounce_receivers"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    ran_at: Mapped[datetime | None]
    problem: Mapped[str] = mapped_column(String(300), default="", server_default="")
    claim: Mapped[str] = mapped_column(String(40), default="", server_default="")
    claimed_until: Mapped[int] = mapped_column(BigId, default=0, server_default="0")


class SeenMail(Base):
    """A mail in the mailbox that was already read.

    `ours` waits to be deleted there, every other one stays.

    `uid` holds the UIDVALIDITY before the UID (RFC 3501 section 2.3.1.1), or the UIDL of POP3
    (RFC 1939 section 7), which has at most 70 characters.
    """

    __tablename__ = "seen_mails"

    mailbox: Mapped[str] = mapped_column(String(80), primary_key=True)
    uid: Mapped[str] = mapped_column(String(80), primary_key=True)
    ours: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
