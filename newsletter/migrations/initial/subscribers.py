"""Create the tables of subscribers, their subscriptions and what they consented to."""

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

CONSENT_KINDS = (
    "requested, agreed, asked, confirmed, reaffirmed, lapsed, unsubscribed, "
    "resubscribed, changed, moved, added, imported, reason, released"
)
CONSENT_SOURCES = (
    "form, json, link, one-click, preferences, mail, author, import, confirmation, "
    "permission, restore"
)


def create_tables() -> None:
    _create_subscribers()
    _create_subscriber_tags()
    _create_suppressions()
    _create_address_changes()
    _create_subscriptions()
    _create_retired_handles()
    _create_consent_texts()
    _create_subscription_requests()
    _create_consent_events()


def _create_subscribers() -> None:
    op.create_table(
        "subscribers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("handle", sa.String(length=20), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("email_key", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("language", sa.String(length=20), nullable=False),
        sa.Column("new_email", sa.String(length=254), nullable=True),
        sa.Column("new_email_key", sa.String(length=254), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscribers")),
        sa.UniqueConstraint("email_key", name=op.f("uq_subscribers_email_key")),
        sa.UniqueConstraint("handle", name=op.f("uq_subscribers_handle")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_subscribers_name",
        "subscribers",
        ["name"],
        unique=False,
        postgresql_ops={"name": "varchar_pattern_ops"},
    )


def _create_subscriber_tags() -> None:
    op.create_table(
        "subscriber_tags",
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("tag", sa.String(length=60), nullable=False),
        refer("subscriber_tags", "subscriber_id", "subscribers.id"),
        sa.PrimaryKeyConstraint("subscriber_id", "tag", name=op.f("pk_subscriber_tags")),
    )
    create_index("subscriber_tags", "tag")


def _create_suppressions() -> None:
    op.create_table(
        "suppressions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email_hash", sa.String(length=64), nullable=False),
        sa.Column("email_key", sa.String(length=254), nullable=True),
        sa.Column("reason", sa.String(length=12), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        allow_only("suppressions", "reason", "complaint, bounce, manual, erased"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
        sa.UniqueConstraint("email_hash", name=op.f("uq_suppressions_email_hash")),
    )
    create_index("suppressions", "email_key")


def _create_address_changes() -> None:
    op.create_table(
        "address_changes",
        sa.Column("handle", sa.String(length=20), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("old_email", sa.String(length=254), nullable=False),
        sa.Column("old_email_key", sa.String(length=254), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        refer("address_changes", "list_id", "mailing_lists.id"),
        refer("address_changes", "subscriber_id", "subscribers.id"),
        sa.PrimaryKeyConstraint("handle", name=op.f("pk_address_changes")),
    )
    create_index("address_changes", "changed_at")
    create_index("address_changes", "subscriber_id")


def _create_subscriptions() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("handle", sa.String(length=20), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        *_make_choice_columns(),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmation_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answers", sa.JSON(), server_default="{}", nullable=False),
        *_make_subscription_time_columns(),
        allow_only("subscriptions", "cadence", "instant, daily, weekly, monthly"),
        allow_only("subscriptions", "status", "pending, active, unsubscribed"),
        refer("subscriptions", "list_id", "mailing_lists.id"),
        refer("subscriptions", "subscriber_id", "subscribers.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("handle", name=op.f("uq_subscriptions_handle")),
        sa.UniqueConstraint(
            "list_id", "subscriber_id", name=op.f("uq_subscriptions_list_id_subscriber_id")
        ),
        sqlite_autoincrement=True,
    )
    create_index(
        "subscriptions",
        *("list_id", "status", "cadence", "cursor"),
        name="ix_subscriptions_cadence_cursor",
    )
    create_index("subscriptions", "series_due_at", where="series_due_at IS NOT NULL")
    create_index("subscriptions", "list_id", "id")
    create_index("subscriptions", "subscriber_id")


def _make_choice_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("cadence", sa.String(length=10), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.Integer(), nullable=False),
        sa.Column("joined_seq", sa.Integer(), server_default="0", nullable=False),
        sa.Column("topics", sa.String(length=500), server_default="", nullable=False),
    ]


def _make_subscription_time_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unsubscribed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("series_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("series_due_at", sa.DateTime(timezone=True), nullable=True),
    ]


def _create_retired_handles() -> None:
    op.create_table(
        "retired_handles",
        sa.Column("handle", sa.String(length=20), nullable=False),
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        refer("retired_handles", "subscription_id", "subscriptions.id"),
        sa.PrimaryKeyConstraint("handle", name=op.f("pk_retired_handles")),
    )
    create_index("retired_handles", "subscription_id")


def _create_consent_texts() -> None:
    op.create_table(
        "consent_texts",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_consent_texts")),
    )


def _create_subscription_requests() -> None:
    op.create_table(
        "subscription_requests",
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("cadence", sa.String(length=10), nullable=False),
        sa.Column("topics", sa.String(length=500), server_default="", nullable=False),
        sa.Column("name", sa.String(length=200), server_default="", nullable=False),
        sa.Column("language", sa.String(length=20), server_default="", nullable=False),
        sa.Column("answers", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("agreed", sa.JSON(), server_default="{}", nullable=False),
        *_make_proof_columns(),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        refer("subscription_requests", "subscription_id", "subscriptions.id"),
        refer("subscription_requests", "wording_hash", "consent_texts.hash", ondelete=None),
        sa.PrimaryKeyConstraint("subscription_id", "number", name=op.f("pk_subscription_requests")),
    )
    create_index("subscription_requests", "created_at")
    create_index("subscription_requests", "delivery_id")


def _make_proof_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("wording_hash", sa.String(length=64), nullable=True),
        sa.Column("delivery_id", BIG_INTEGER, nullable=True),
        sa.Column("message_id", sa.String(length=300), server_default="", nullable=False),
        sa.Column("network", sa.String(length=50), server_default="", nullable=False),
        sa.Column("proven", sa.Boolean(), server_default=sa.false(), nullable=False),
    ]


def _create_consent_events() -> None:
    op.create_table(
        "consent_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("form", sa.String(length=40), server_default="", nullable=False),
        sa.Column("wording_hash", sa.String(length=64), nullable=True),
        *_make_evidence_columns(),
        allow_only("consent_events", "kind", CONSENT_KINDS),
        allow_only("consent_events", "source", CONSENT_SOURCES),
        refer("consent_events", "subscription_id", "subscriptions.id"),
        refer("consent_events", "wording_hash", "consent_texts.hash", ondelete=None),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_events")),
        sqlite_autoincrement=True,
    )
    create_index("consent_events", "subscription_id")


def _make_evidence_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("page", sa.String(length=500), nullable=False),
        sa.Column("ip", sa.String(length=50), nullable=False),
        sa.Column("user_agent", sa.String(length=300), nullable=False),
        sa.Column("message_id", sa.String(length=300), server_default="", nullable=False),
        sa.Column("note", sa.String(length=500), nullable=False),
    ]
