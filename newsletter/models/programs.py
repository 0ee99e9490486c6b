"""Tables of the API: tokens, idempotency keys, requested tests, webhooks and their messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, ForeignKey, Index, Integer, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.access_vocabulary import TokenScope
from newsletter.db.column_types import ClosedSet, ClosedSets, make_member_check
from newsletter.db.session import Base, BigId
from newsletter.models.campaigns import Campaign
from newsletter.vocabulary import EventKind, MessageStatus


class ApiToken(Base):
    """An API token of a program.

    Only its SHA-256 is stored: it is random, so that nothing is gained by hashing it slowly.
    `list_ids` are the lists that it is limited to, None for all; a list that was removed stays
    among them, so that a limited token never becomes an unlimited one.
    """

    __tablename__ = "api_tokens"
    __table_args__ = (make_member_check("scope", TokenScope), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scope: Mapped[TokenScope] = mapped_column(ClosedSet(TokenScope, 10))
    list_ids: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class IdempotencyKey(Base):
    """A request with an idempotency key, and its stored response.

    `status` is None while the request runs. `request_hash` tells another request with the same key.
    `is_forgotten`: somebody was deleted while it ran, so that the answer is not kept.
    """

    __tablename__ = "idempotency_keys"

    token_id: Mapped[int] = mapped_column(
        ForeignKey(ApiToken.id, ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None] = mapped_column(Integer)
    headers: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    body: Mapped[str | None] = mapped_column(Text)
    is_forgotten: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(index=True)


class RequestedTest(Base):
    """A test mail of a letter that a program has requested."""

    __tablename__ = "requested_tests"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey(Campaign.id, ondelete="CASCADE"))
    email: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime]


class Webhook(Base):
    """A URL to which events are posted.

    `events` are the kinds it wants, empty for all; `list_ids` as for `ApiToken`. `failures` counts
    tries that failed since one succeeded. `with_address` adds the subscriber's address.
    """

    __tablename__ = "webhooks"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    url: Mapped[str] = mapped_column(String(2000))
    secret: Mapped[str] = mapped_column(String(60))
    events: Mapped[list[EventKind]] = mapped_column(ClosedSets(EventKind))
    list_ids: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    with_address: Mapped[bool]
    failures: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    created_at: Mapped[datetime]
    paused_at: Mapped[datetime | None]
    paused_because: Mapped[str] = mapped_column(String(300), default="", server_default="")


class WebhookMessage(Base):
    """A queued message to a webhook, written in the transaction of its event.

    `handle` names it outside; it is the same in every try. Messages of one `subject`, such as a
    subscriber, are sent one after the other. `payload` holds ids, never an address; the address of
    `subscriber_id` is added when it is sent. `held_until` is when another worker may take it over,
    `first_tried_at` when it was first tried since the webhook was added or resumed.
    """

    __tablename__ = "webhook_messages"
    __table_args__ = (
        make_member_check("status", MessageStatus),
        Index(
            "ix_webhook_messages_queued",
            "webhook_id",
            "subject",
            "id",
            postgresql_where=text("status = 'queued'"),
            sqlite_where=text("status = 'queued'"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey(Webhook.id, ondelete="CASCADE"), index=True)
    handle: Mapped[str] = mapped_column(String(40))
    kind: Mapped[EventKind] = mapped_column(ClosedSet(EventKind, 40))
    subject: Mapped[str] = mapped_column(String(40))
    subscriber_id: Mapped[int | None] = mapped_column(Integer)
    payload: Mapped[str] = mapped_column(Text)
    status: Mapped[MessageStatus] = mapped_column(ClosedSet(MessageStatus, 10))
    attempts: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(index=True)
    due_at: Mapped[datetime]
    held_until: Mapped[datetime | None]
    first_tried_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    code: Mapped[int | None] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(String(300), default="", server_default="")
