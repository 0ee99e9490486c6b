"""Create the tables of what is mailed and what comes back."""

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

MAIL_KINDS = (
    "confirm, already, welcome, goodbye, link, story, export, erase, resource, "
    "address, moved, notice, digest, letter, permission, series, log_in, passkey, "
    "browser, review, weekly"
)
BOUNCE_SOURCES = (
    "smtp, pipe, mailbox, listener, ses, postmark, sendgrid, mailgun, brevo, mailjet, resend"
)
BOUNCE_CLASSES = (
    "hard, soft, policy, content, sender, complaint, unsubscribe, reply, auto-reply, ignore"
)
BOUNCE_PROOFS = "smtp, verp, envid, token, hook, message-id, address, none"
BOUNCE_EFFECTS = "suppressed, unsubscribed, proposed, counted, noted, advisory, unknown"
PASSING = (
    "campaign_id IS NULL"
    " AND mail IN ('notice', 'series', 'log_in', 'passkey', 'browser', 'weekly', 'review')"
    " AND finished_at IS NOT NULL"
)
"""Mails that nothing refers to once they are sent."""


def create_tables() -> None:
    _create_deliveries()
    _create_folded_deliveries()
    _create_leases()
    _create_bounce_events()
    _create_forwarded_replies()


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", BIG_INTEGER, nullable=False),
        sa.Column("subscription_id", sa.Integer(), nullable=True),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("mail", sa.String(length=16), nullable=False),
        sa.Column("cursor", sa.Integer(), server_default="0", nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        *_make_attempt_columns(),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_id", BIG_INTEGER, nullable=True),
        sa.Column("context", sa.JSON(), nullable=True),
        *_make_outcome_columns(),
        allow_only("deliveries", "mail", MAIL_KINDS),
        allow_only("deliveries", "status", "queued, sent, failed, cancelled, in_doubt"),
        refer("deliveries", "campaign_id", "campaigns.id"),
        refer("deliveries", "subscription_id", "subscriptions.id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "subscription_id", "campaign_id", name=op.f("uq_deliveries_subscription_id_campaign_id")
        ),
        sqlite_autoincrement=True,
    )
    _index_deliveries()


def _make_attempt_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("doubts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lost_replies", sa.Integer(), server_default="0", nullable=False),
        sa.Column("crashes", sa.Integer(), server_default="0", nullable=False),
    ]


def _make_outcome_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("text", sa.String(length=500), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
    ]


def _index_deliveries() -> None:
    create_index("deliveries", "due_at", where="due_at IS NOT NULL")
    create_index(
        "deliveries",
        "id",
        name="ix_deliveries_held",
        where="mail IN ('confirm', 'already', 'address') AND due_at IS NULL AND status = 'queued'",
    )
    create_index("deliveries", "finished_at", name="ix_deliveries_passing", where=PASSING)
    create_index("deliveries", "lease_id", where="lease_id IS NOT NULL")


def _create_folded_deliveries() -> None:
    op.create_table(
        "folded_deliveries",
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        sa.Column("block", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("campaigns", sa.BigInteger(), nullable=False),
        allow_only("folded_deliveries", "status", "queued, sent, failed, cancelled, in_doubt"),
        refer("folded_deliveries", "subscription_id", "subscriptions.id"),
        sa.PrimaryKeyConstraint(
            "subscription_id", "block", "cursor", "status", name=op.f("pk_folded_deliveries")
        ),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 50},
    )


def _create_leases() -> None:
    op.create_table(
        "leases",
        sa.Column("id", BIG_INTEGER, nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("first_id", BIG_INTEGER, nullable=False),
        sa.Column("last_id", BIG_INTEGER, nullable=False),
        sa.Column("through_id", BIG_INTEGER, nullable=False),
        sa.Column("alone", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("worker", sa.String(length=200), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        refer("leases", "campaign_id", "campaigns.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leases")),
        sqlite_autoincrement=True,
    )


def _create_bounce_events() -> None:
    op.create_table(
        "bounce_events",
        sa.Column("id", BIG_INTEGER, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("bounce_class", sa.String(length=12), nullable=False),
        sa.Column("proof", sa.String(length=12), nullable=False),
        sa.Column("effect", sa.String(length=12), nullable=False),
        *_make_report_columns(),
        *_make_bounced_columns(),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        *_make_bounce_checks(),
        refer("bounce_events", "campaign_id", "campaigns.id", ondelete="SET NULL"),
        refer("bounce_events", "subscriber_id", "subscribers.id", ondelete="SET NULL"),
        refer("bounce_events", "subscription_id", "subscriptions.id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bounce_events")),
        sa.UniqueConstraint("key", name=op.f("uq_bounce_events_key")),
        sqlite_autoincrement=True,
    )
    for column in ("at", "campaign_id", "subscriber_id", "subscription_id"):
        create_index("bounce_events", column)


def _make_report_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("status", sa.String(length=20), server_default="", nullable=False),
        sa.Column("reason", sa.String(length=300), server_default="", nullable=False),
    ]


def _make_bounced_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("subscriber_id", sa.Integer(), nullable=True),
        sa.Column("subscription_id", sa.Integer(), nullable=True),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("delivery_id", BIG_INTEGER, nullable=True),
    ]


def _make_bounce_checks() -> list[sa.CheckConstraint]:
    return [
        allow_only("bounce_events", "bounce_class", BOUNCE_CLASSES),
        allow_only("bounce_events", "effect", BOUNCE_EFFECTS),
        allow_only("bounce_events", "proof", BOUNCE_PROOFS),
        allow_only("bounce_events", "source", BOUNCE_SOURCES),
    ]


def _create_forwarded_replies() -> None:
    op.create_table(
        "forwarded_replies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", BIG_INTEGER, nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("delivery_id", BIG_INTEGER, nullable=True),
        sa.Column("writer", sa.String(length=320), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("mailbox", sa.String(length=80), server_default="", nullable=False),
        sa.Column("uid", sa.String(length=80), server_default="", nullable=False),
        refer("forwarded_replies", "event_id", "bounce_events.id"),
        refer("forwarded_replies", "subscriber_id", "subscribers.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forwarded_replies")),
        sa.UniqueConstraint("event_id", name=op.f("uq_forwarded_replies_event_id")),
        sqlite_autoincrement=True,
    )
    create_index("forwarded_replies", "subscriber_id")
    create_index("forwarded_replies", "mailbox")
