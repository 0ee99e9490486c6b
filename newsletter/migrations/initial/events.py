"""Create the table of events and those of the programs that hear of them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from newsletter.migrations.initial.parts import (
    BIG_INTEGER,
    allow_only,
    create_index,
    refer,
)

EVENT_KINDS = (
    "subscription.requested, subscription.confirmed, subscription.changed, "
    "subscription.ended, campaign.scheduled, campaign.unscheduled, campaign.started, "
    "campaign.paused, campaign.resumed, campaign.cancelled, campaign.finished, "
    "entry.found, entry.held, entry.ready, entry.skipped, entry.sent, "
    "delivery.failed, delivery.bounced, delivery.complained, import.finished"
)


def create_tables() -> None:
    _create_events()
    _create_api_tokens()
    _create_idempotency_keys()
    _create_webhooks()
    _create_webhook_messages()


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", BIG_INTEGER, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("subscription_id", sa.Integer(), nullable=True),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("entry_id", sa.Integer(), nullable=True),
        sa.Column("consent_event_id", sa.Integer(), nullable=True),
        allow_only("events", "actor", "subscriber, author, import, bounce, system"),
        allow_only("events", "kind", EVENT_KINDS),
        refer("events", "campaign_id", "campaigns.id"),
        refer("events", "consent_event_id", "consent_events.id"),
        refer("events", "entry_id", "entries.id"),
        refer("events", "list_id", "mailing_lists.id"),
        refer("events", "subscription_id", "subscriptions.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    for column in ("at", "campaign_id", "entry_id", "list_id", "subscription_id"):
        create_index("events", column)


def _create_api_tokens() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("list_ids", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        allow_only("api_tokens", "scope", "read, write, send, publish"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("name", name=op.f("uq_api_tokens_name")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
        sqlite_autoincrement=True,
    )


def _create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("token_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", sa.JSON(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("is_forgotten", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        refer("idempotency_keys", "token_id", "api_tokens.id"),
        sa.PrimaryKeyConstraint("token_id", "key", name=op.f("pk_idempotency_keys")),
    )
    create_index("idempotency_keys", "created_at")


def _create_webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("secret", sa.String(length=60), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("list_ids", sa.JSON(), nullable=True),
        sa.Column("with_address", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_because", sa.String(length=300), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        sqlite_autoincrement=True,
    )


def _create_webhook_messages() -> None:
    op.create_table(
        "webhook_messages",
        sa.Column("id", BIG_INTEGER, nullable=False),
        sa.Column("webhook_id", sa.Integer(), nullable=False),
        sa.Column("handle", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        *_make_attempt_columns(),
        allow_only("webhook_messages", "status", "queued, sent"),
        refer("webhook_messages", "webhook_id", "webhooks.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_messages")),
        sqlite_autoincrement=True,
    )
    create_index("webhook_messages", "created_at")
    create_index(
        "webhook_messages",
        "webhook_id",
        "subject",
        "id",
        name="ix_webhook_messages_queued",
        where="status = 'queued'",
    )
    create_index("webhook_messages", "webhook_id")


def _make_attempt_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("text", sa.String(length=300), server_default="", nullable=False),
    ]
