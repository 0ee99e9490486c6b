"""Create the tables of digests and letters."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from newsletter.migrations.initial.parts import BIG_INTEGER, allow_only, create_index, refer


def create_tables() -> None:
    _create_campaigns()
    _create_campaign_entries()
    _create_editions()
    _create_digest_periods()
    _create_digest_reviews()
    _create_series_letters()
    _create_series_letters_sent()
    _create_requested_tests()


def _create_campaigns() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("handle", sa.String(length=20), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        *_make_text_columns(),
        *_make_trial_columns(),
        sa.Column("archive_name", sa.String(length=80), nullable=True),
        sa.Column("seed", sa.String(length=32), nullable=False),
        sa.Column("repeats", sa.Boolean(), server_default=sa.false(), nullable=False),
        *_make_queue_columns(),
        sa.Column("reason", sa.String(length=500), nullable=False),
        *_make_time_columns(),
        allow_only("campaigns", "kind", "digest, letter, permission"),
        allow_only("campaigns", "status", "draft, scheduled, sending, paused, sent, cancelled"),
        allow_only("campaigns", "folded", "nothing, sent, all"),
        refer("campaigns", "list_id", "mailing_lists.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("handle", name=op.f("uq_campaigns_handle")),
        sa.UniqueConstraint(
            "list_id", "archive_name", name=op.f("uq_campaigns_list_id_archive_name")
        ),
        sqlite_autoincrement=True,
    )
    create_index("campaigns", "list_id")
    create_index("campaigns", "status")


def _make_text_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("subject", sa.String(length=500), nullable=False),
        sa.Column("preheader", sa.String(length=500), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("file", sa.String(length=1000), server_default="", nullable=False),
        sa.Column("pictures", sa.JSON(), nullable=True),
        sa.Column("segment", sa.String(length=1000), server_default="", nullable=False),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column("filed_revision", sa.Integer(), server_default="0", nullable=False),
    ]


def _make_trial_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("subject_b", sa.String(length=500), server_default="", nullable=False),
        sa.Column("share", sa.Integer(), server_default="0", nullable=False),
        sa.Column("questions", sa.JSON(), nullable=True),
        sa.Column("answers_named", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("picked", sa.String(length=1), server_default="", nullable=False),
    ]


def _make_queue_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("recipients", sa.Integer(), nullable=False),
        sa.Column("final_totals", sa.JSON(), nullable=True),
        sa.Column("folded", sa.String(length=8), server_default="nothing", nullable=False),
        sa.Column("folded_totals", sa.JSON(), nullable=True),
        sa.Column("erased", sa.Integer(), server_default="0", nullable=False),
        sa.Column("first_id", BIG_INTEGER, nullable=False),
        sa.Column("last_id", BIG_INTEGER, nullable=False),
        sa.Column("leased_id", BIG_INTEGER, nullable=False),
    ]


def _make_time_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
    ]


def _create_campaign_entries() -> None:
    op.create_table(
        "campaign_entries",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        refer("campaign_entries", "campaign_id", "campaigns.id"),
        refer("campaign_entries", "entry_id", "entries.id"),
        sa.PrimaryKeyConstraint("campaign_id", "entry_id", name=op.f("pk_campaign_entries")),
    )


def _create_editions() -> None:
    op.create_table(
        "editions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(length=20), server_default="", nullable=False),
        sa.Column("entries", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("subject", sa.String(length=500), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=True),
        refer("editions", "campaign_id", "campaigns.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_editions")),
        sa.UniqueConstraint(
            "campaign_id",
            "cursor",
            "language",
            name=op.f("uq_editions_campaign_id_cursor_language"),
        ),
        sqlite_autoincrement=True,
    )


def _create_digest_periods() -> None:
    op.create_table(
        "digest_periods",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("cadence", sa.String(length=10), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("why", sa.String(length=300), nullable=False),
        sa.Column("composed_at", sa.DateTime(timezone=True), nullable=False),
        refer("digest_periods", "campaign_id", "campaigns.id", ondelete="SET NULL"),
        refer("digest_periods", "list_id", "mailing_lists.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_digest_periods")),
        sa.UniqueConstraint(
            "list_id", "cadence", "key", name=op.f("uq_digest_periods_list_id_cadence_key")
        ),
        sqlite_autoincrement=True,
    )


def _create_digest_reviews() -> None:
    op.create_table(
        "digest_reviews",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("handle", sa.String(length=20), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("cadence", sa.String(length=10), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("go_at", sa.DateTime(timezone=True), nullable=True),
        *_make_reviewed_columns(),
        *_make_review_time_columns(),
        refer("digest_reviews", "list_id", "mailing_lists.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_digest_reviews")),
        sa.UniqueConstraint("handle", name=op.f("uq_digest_reviews_handle")),
        sqlite_autoincrement=True,
    )
    create_index(
        "digest_reviews",
        *("list_id", "cadence"),
        name="ix_digest_reviews_open",
        where="settled_at IS NULL",
        unique=True,
    )
    create_index("digest_reviews", "list_id")


def _make_reviewed_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("entries", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("left_out", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("through", sa.Integer(), server_default="0", nullable=False),
        sa.Column("recipients", sa.Integer(), server_default="0", nullable=False),
        sa.Column("mails", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("waits", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
    ]


def _make_review_time_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
    ]


def _create_series_letters() -> None:
    op.create_table(
        "series_letters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("after_seconds", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=500), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("file", sa.String(length=1000), nullable=False),
        sa.Column("pictures", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        refer("series_letters", "list_id", "mailing_lists.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series_letters")),
        sqlite_autoincrement=True,
    )
    create_index("series_letters", "list_id")


def _create_series_letters_sent() -> None:
    op.create_table(
        "series_letters_sent",
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        sa.Column("step_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        refer("series_letters_sent", "step_id", "series_letters.id"),
        refer("series_letters_sent", "subscription_id", "subscriptions.id"),
        sa.PrimaryKeyConstraint("subscription_id", "step_id", name=op.f("pk_series_letters_sent")),
    )


def _create_requested_tests() -> None:
    op.create_table(
        "requested_tests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        refer("requested_tests", "campaign_id", "campaigns.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requested_tests")),
        sqlite_autoincrement=True,
    )
